"""Data of another major version of PostgreSQL: refused, and taken over by dump and load."""

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from config.operations import backups, postgres_upgrade
from config.operations.backups import BackupError
from config.postgres import location as postgres_location
from config.postgres import server as postgres_server
from config.postgres.binaries import DatabaseUnavailableError, binaries_of, wheel_binaries
from config.postgres.server import EmbeddedPostgres
from tests.factories import approved_type, make_person, new_activity, record_rows

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_server("of the embedded server")]
OLD = 16  # it is in the same wheel


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """An installation whose data the old server wrote."""
    home = tempfile.TemporaryDirectory()  # pytest keeps its own to their owner
    Path(home.name).chmod(0o711)
    found = Path(home.name) / "var"
    found.mkdir()
    location = postgres_location.choose_location(found)
    old = replace(location, binaries=str(binaries_of(OLD, location.user)))
    with monkeypatch.context() as patch:  # the old server has no locale of its own
        builtin = ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"]
        run = postgres_server._run
        patch.setattr(
            postgres_server,
            "_run",
            lambda command, where: run(
                [*(part for part in command if part not in builtin), "--locale", "C.UTF-8"], where
            ),
        )
        server = EmbeddedPostgres(found)
        server.own()
        server.move_to(old)
        with server.serving(old) as parameters:
            approved_type()
            record_rows(*(new_activity(make_person().pk, external_id=f"k{number}") for number in range(5)))
            backups.take_backup(tmp_path / "before")
            backups.load_backup(tmp_path / "before", parameters)
        server.stop()
    with home:
        yield found


@pytest.mark.slow
def test_data_of_another_major_version_are_refused_and_taken_over(data_dir, tmp_path):
    refused = EmbeddedPostgres(data_dir)
    with pytest.raises(DatabaseUnavailableError, match=f"PostgreSQL {OLD}.*upgrade_postgres"):
        refused.ensure_running()
    refused.stop()
    said = manage(data_dir, "migrate")
    assert said.returncode == 1 and "upgrade_postgres" in said.stderr and "Traceback" not in said.stderr
    with pytest.raises(DatabaseUnavailableError, match=f"PostgreSQL {OLD} is needed once more"):
        postgres_upgrade.upgrade_embedded_postgres(data_dir, old_binaries=tmp_path)
    with pytest.raises(BackupError):
        postgres_upgrade.upgrade_embedded_postgres(data_dir, backup=tmp_path)
    assert EmbeddedPostgres(data_dir).data_major == OLD, "nothing was changed"

    done = postgres_upgrade.upgrade_embedded_postgres(data_dir)
    assert done.old_major == OLD and done.old_data.is_dir()
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from activity")
        assert done.activities == cursor.fetchone()[0]
    assert backups.read_manifest(done.backup)["activities"] == backups.read_manifest(tmp_path / "before")["activities"]
    assert postgres_upgrade.upgrade_embedded_postgres(data_dir) is None, "the second time there is nothing to do"
    server = EmbeddedPostgres(data_dir)
    try:
        server.ensure_running()
        assert server.location.binaries.startswith(str(wheel_binaries().parent.parent)) or server.location.user
    finally:
        server.stop()


def manage(data_dir, command):
    environment = {**os.environ, "DATA_DIR": str(data_dir), "PYTHONPATH": str(settings.BASE_DIR)}
    for name in ("TEST_DATABASE_NAME", "DATABASE_URL"):
        environment.pop(name, None)
    return subprocess.run(
        [sys.executable, "manage.py", command],
        cwd=Path(settings.BASE_DIR),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
