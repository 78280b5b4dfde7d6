"""The embedded server: initialised privately, owned by one process, there again after a crash."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from io import StringIO
from threading import Thread
from unittest.mock import Mock

import psycopg
import pytest
from django.db import OperationalError
from psycopg_pool import PoolTimeout

from config.management.commands import worker
from config.postgres.backend import base
from config.postgres.binaries import DatabaseUnavailableError
from config.postgres.server import EmbeddedPostgres

OWNER = """
import sys, time
from pathlib import Path
from config.postgres.server import EmbeddedPostgres
EmbeddedPostgres(Path(sys.argv[1])).ensure_running()
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def server(tmp_path):
    """A server in a folder with a blank and a name too long for a socket."""
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):  # pytest keeps these to their owner
        folder.chmod(folder.stat().st_mode | 0o011)
    found = EmbeddedPostgres(tmp_path / "a folder" / ("long" * 20))
    yield found
    found.stop()


def connect(server, **changes):
    return psycopg.connect(**(server.connection_parameters() | {"dbname": "postgres", "connect_timeout": 5} | changes))


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_a_private_server_with_a_role_that_is_no_superuser(server):
    with pytest.raises(DatabaseUnavailableError):
        server.connection_parameters()
    server.ensure_running()
    with connect(server) as connection:
        rights = "select rolsuper, rolcreaterole from pg_roles where rolname = current_user"
        assert connection.execute(rights).fetchone() == (False, False)
        assert connection.execute("show listen_addresses").fetchone() == ("",)
        assert connection.execute("select lower('ÉÑ')").fetchone() == ("éñ",)
    assert mode(server.location.data) == mode(server.location.sockets) == 0o700
    assert mode(server.data_dir / "database_password") == mode(server.data_dir / "postgres.json") == 0o600
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(server, password="wrong")
    if os.geteuid() == 0:
        assert os.stat(server.location.data).st_uid != 0


def test_another_process_attaches_and_takes_over_from_an_owner_that_was_killed(server):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(server.data_dir)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=os.getcwd(),
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert owner.stdout.readline() == "ready\n"
    server.ensure_running()  # attaches: the other process owns it
    with connect(server, dbname="custom_activities") as connection:
        connection.execute("create table kept as select 1 as n")
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    EmbeddedPostgres.ensure_running(server)  # owns the orphan now
    with connect(server, dbname="custom_activities") as connection:
        assert connection.execute("select n from kept").fetchone() == (1,)
    server.stop()
    with pytest.raises(psycopg.OperationalError):
        connect(server)


def test_a_server_that_was_killed_is_started_again_with_what_was_committed(server):
    server.ensure_running()
    with connect(server, dbname="custom_activities") as connection:
        connection.execute("create table kept as select 1 as n")
    os.kill(server._postmaster(), signal.SIGKILL)
    server.ensure_running()
    with connect(server, dbname="custom_activities") as connection:
        assert connection.execute("select n from kept").fetchone() == (1,)


def test_a_process_that_may_only_attach_says_how_to_start(server, monkeypatch):
    monkeypatch.setenv("EMBEDDED_POSTGRES_ATTACH", "1")
    monkeypatch.setattr("config.postgres.server.WAIT_SECONDS", 0.2)
    with pytest.raises(DatabaseUnavailableError, match="make run"):
        server.ensure_running()


def test_a_server_that_stays_away_is_waited_for_briefly_and_not_by_everybody(monkeypatch, settings, tmp_path):
    """Without room on its disk it stays away for hours, and a waiting request holds a thread."""
    waited, others = [], []

    def stay_away(_server, seconds=None):
        waited.append(seconds)
        thread = Thread(target=lambda: others.append(outcome()))  # a request that comes meanwhile
        thread.start()
        thread.join(10)
        raise DatabaseUnavailableError("no room")

    def outcome():
        try:
            base._ensure_running()
        except OperationalError as error:
            return str(error)

    monkeypatch.setattr(EmbeddedPostgres, "ensure_running", stay_away)
    for name, value in {"_server": None, "_was_there": False, "_missed_at": float("-inf")}.items():
        monkeypatch.setattr(base, name, value)
    settings.DATA_DIR = tmp_path
    brief = base.OUTAGE_SECONDS
    for was_there, later, expected in (
        (False, 0, [None]),  # a process begins: a minute
        (False, 0, [None]),
        (False, 60, [None, brief]),
        (True, 0, [None, brief]),
        (True, 60, [None, brief, brief]),
    ):
        monkeypatch.setattr(base, "_was_there", was_there)
        monkeypatch.setattr(base, "_missed_at", base._missed_at - later)
        reason = "no room" if len(others) < len(expected) else base.AWAY
        assert outcome() == reason
        assert waited == expected and others == [base.AWAY] * len(expected), "the others are refused at once"


def test_a_worker_outlives_a_database_that_is_away(monkeypatch):
    """A process that ends has `make run` end all the others."""
    monkeypatch.setattr(worker.app, "connector", Mock(get_worker_connector=Mock(side_effect=PoolTimeout("30 s"))))
    asyncio.run(worker.Command()._work(1, asyncio.Event()))
    outcomes = [OperationalError("away"), None]
    monkeypatch.setattr(worker.unknown_jobs, "requeue_unknown_jobs", Mock(side_effect=outcomes))
    command = worker.Command(stderr=StringIO())
    assert not command._has_begun() and command._has_begun()


def test_its_log_is_its_users_alone_and_holds_no_values(server):
    log = server.data_dir / "postgres.log"
    log.parent.mkdir(parents=True)
    log.write_text("insert into person values ('old@example.com')")
    log.chmod(0o644)
    server.start()
    with connect(server) as connection:
        connection.execute("create temp table kept (email text unique check (email <> 'bad@example.com'))")
        connection.execute("insert into kept values ('ann@example.com')")
        for value in ("ann@example.com", "bad@example.com"):
            with pytest.raises(psycopg.Error), connection.transaction():
                connection.execute("insert into kept values (%s)", [value])
        with pytest.raises(psycopg.Error), connection.transaction():
            connection.execute("select 'ann@example.com' from nowhere")
        with pytest.raises(psycopg.Error), connection.transaction():
            connection.execute("select 'ann@example.com'::int")
    assert log.stat().st_mode & 0o777 == 0o600
    text = log.read_text()
    assert "LOG" in text and "@example.com" not in text
