"""A backup is restored as it was, or refused with the reason."""

import inspect
import io
import json
import os
import stat
import subprocess
import sys
import tarfile

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from config.operations import backups
from tests.factories import approved_type, make_person, new_activity, record_rows

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.one_server("a cluster is backed up server by server"),
]


@pytest.fixture
def backup(tmp_path, capsys):
    approved_type()
    ann = make_person(first_name="Ánn\t")
    record_rows(*(new_activity(ann.pk, external_id=f"k{number}", amount=number) for number in range(20)))
    folder = tmp_path / "a backup"
    call_command("backup", folder)
    assert "activities" in capsys.readouterr().out
    return folder


def altered(folder, change):
    manifest = json.loads((folder / backups.MANIFEST).read_text())
    change(manifest)
    (folder / backups.MANIFEST).write_text(json.dumps(manifest))


def manage(data_dir, *arguments):
    environment = {**os.environ, "DATA_DIR": str(data_dir), "PYTHONPATH": str(settings.BASE_DIR)}
    for name in ("TEST_DATABASE_NAME", "DATABASE_URL"):
        environment.pop(name, None)
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_only_its_owner_reads_it_and_none_is_overwritten(backup):
    assert stat.S_IMODE(backup.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in backup.iterdir()} == {0o600}
    with pytest.raises(CommandError, match="exists already"):
        call_command("backup", backup)


@pytest.mark.slow
def test_a_rehearsal_compares_counts_and_digests(backup, capsys, monkeypatch):
    monkeypatch.setenv("EMBEDDED_POSTGRES_ATTACH", "1")  # processes that leave the installation's server to another
    call_command("rehearse_restore", backup)
    assert "21 activities" in capsys.readouterr().out, "twenty, and New Person"
    altered(backup, lambda manifest: manifest["activities"].update(digest="12"))
    with pytest.raises(CommandError, match=r"digest has .* instead of 12"):
        call_command("rehearse_restore", backup)


def test_what_is_damaged_newer_or_no_backup_is_refused_before_anything_is_touched(backup, tmp_path):
    with pytest.raises(CommandError, match="is no backup"):
        call_command("restore", tmp_path, "--replace")
    altered(backup, lambda manifest: manifest["migrations"].append("people.9999_tomorrow"))
    with pytest.raises(CommandError, match="newer version"):
        call_command("restore", backup, "--replace")
    (backup / backups.DUMP).write_bytes((backup / backups.DUMP).read_bytes()[:-1])
    with pytest.raises(CommandError, match="damaged or cut off"):
        call_command("restore", backup, "--replace")


def test_what_another_server_does_not_know_is_left_out_of_the_script_and_rows_are_not_touched():
    foreign = (
        b"SET transaction_timeout = 0;\nALTER TABLE ONLY public.person ALTER COLUMN id SET (pg_attver=18626648);\n"
    )
    known = b"ALTER TABLE ONLY public.person ALTER COLUMN id SET (n_distinct=5);\n"
    rows = b"COPY public.person (city) FROM stdin;\nSET transaction_timeout = 0;\n" + foreign + b"\\.\n"
    sink = io.BytesIO()
    backups._copy_for_other_servers(io.BytesIO(foreign + known + rows), sink)
    assert sink.getvalue() == known + rows


def rewritten(folder, members, links=()):
    """Replace the files of a backup, checksum included."""
    with tarfile.open(folder / backups.FILES, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(member)
    altered(
        folder, lambda manifest: manifest["sha256"].update({backups.FILES: backups._sha256(folder / backups.FILES)})
    )


def test_files_and_key_are_unpacked_without_the_filter_of_later_pythons(backup, tmp_path, settings, monkeypatch):
    for name in ("extract", "extractall"):  # as Python 3.11.0 to 3.11.3 have them
        old = getattr(tarfile.TarFile, name)
        monkeypatch.setattr(tarfile.TarFile, name, lambda *a, _old=old, **more: inspect.signature(_old).bind(*a))
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    settings.FILES_DIR, settings.DATA_DIR = tmp_path / "store", tmp_path / "data"
    rewritten(backup, {"files/exports/1.csv": b"a,b\n", "secret_key": b"k" * 50})
    with backups.staged_files(backup) as files:
        assert not settings.FILES_DIR.exists(), "nothing is put in its place before the database is"
        files.place()
    assert (settings.FILES_DIR / "exports" / "1.csv").read_bytes() == b"a,b\n"
    key = settings.DATA_DIR / "secret_key"
    assert key.read_bytes() == b"k" * 50
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [file.name for file in settings.DATA_DIR.iterdir()] == ["secret_key"]


@pytest.mark.parametrize(
    ("members", "links", "problem"),
    [
        ({"files/../../out": b"", "secret_key": b"k"}, (), "nothing that a backup holds"),
        ({"/files/out": b"", "secret_key": b"k"}, (), "nothing that a backup holds"),
        ({"elsewhere": b"", "secret_key": b"k"}, (), "nothing that a backup holds"),
        ({"secret_key": b"k"}, ("files/link",), "nothing that a backup holds"),
        ({"files/a": b""}, (), "Set SECRET_KEY"),
    ],
)
def test_files_that_cannot_be_restored_are_refused_before_the_database_is_touched(
    backup, members, links, problem, monkeypatch
):
    monkeypatch.delenv("SECRET_KEY", raising=False)
    rewritten(backup, members, links)
    monkeypatch.setattr(backups, "load_backup", lambda *_arguments: pytest.fail("the database was touched"))
    with pytest.raises(CommandError, match=problem):
        call_command("restore", backup, "--replace")


@pytest.mark.slow
def test_a_rehearsal_fails_where_files_or_key_cannot_be_had(backup, capsys, monkeypatch):
    monkeypatch.setenv("EMBEDDED_POSTGRES_ATTACH", "1")
    monkeypatch.delenv("SECRET_KEY", raising=False)
    rewritten(backup, {"files/a": b"1", "files/b/c": b"2", "secret_key": b"k"})
    call_command("rehearse_restore", backup)
    assert "2 files can be unpacked, and the secret key is there" in capsys.readouterr().out
    rewritten(backup, {"files/a": b"1"})
    with pytest.raises(CommandError, match="holds no secret key"):
        call_command("rehearse_restore", backup)


def test_files_that_find_no_room_say_that_the_database_is_there_and_how_to_go_on(backup, monkeypatch):
    monkeypatch.setattr(backups, "load_backup", lambda *_arguments: None)
    monkeypatch.setattr(backups.shutil, "move", lambda *_names: (_ for _ in ()).throw(OSError(28, "No space left")))
    rewritten(backup, {"files/a": b"1", "secret_key": b"k"})
    with pytest.raises(CommandError, match=r"files are not: .*No space left.* again with --replace"):
        call_command("restore", backup, "--replace")


def test_a_database_with_something_in_it_is_not_overwritten_by_accident(backup):
    with pytest.raises(CommandError, match="not empty"):
        call_command("restore", backup)


def test_after_a_recovery_by_postgresql_itself_ids_go_on_after_a_gap(capsys):
    approved_type()
    ann = make_person()
    before = record_rows(new_activity(ann.pk))[0].activity_id
    call_command("restore", "--after-recovery")
    assert "python manage.py verify_activities" in capsys.readouterr().out
    assert record_rows(new_activity(ann.pk))[0].activity_id == before + backups.GAPS["activity_id_seq"] + 1
    for arguments in ([], ["folder", "--after-recovery"]):
        with pytest.raises(CommandError, match="Name the folder"):
            call_command("restore", *arguments)


@pytest.mark.slow
def test_another_installation_goes_on_from_it_after_a_gap(backup, tmp_path):
    with connection.cursor() as cursor:
        cursor.execute("select last_value from activity_id_seq")
        (last,) = cursor.fetchone()
    elsewhere = tmp_path / "elsewhere"
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):  # pytest keeps these to their owner
        folder.chmod(folder.stat().st_mode | 0o011)
    restored = manage(elsewhere, "restore", str(backup))
    assert "21 of them activities" in restored.stdout, restored.stderr
    assert (elsewhere / "secret_key").read_text() == settings.SECRET_KEY
    shown = manage(
        elsewhere,
        "shell",
        "-v0",
        "-c",
        "from tests.factories import *; from activities.models import Activity, ActivityKey; "
        "rows = [new_activity(Person.objects.first().pk, external_id=key) for key in ('k3', 'new')]; "
        "print([(str(one.status), one.activity_id) for one in record_rows(*rows)], Person.objects.first().first_name)",
    )
    first = last + backups.GAPS["activity_id_seq"] + 1
    assert "refused" in shown.stdout and any(f"('added', {first + used})" in shown.stdout for used in range(2)), shown
    assert "Ánn" in shown.stdout


def test_a_dump_from_before_back_fill_is_measured_before_it_is_migrated():
    record_rows(new_activity(make_person().pk))
    before = backups.measure_contents(connection.connection)["activities"]
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("alter table activity drop column flags")
        assert backups.measure_contents(connection.connection)["activities"] == before
        transaction.set_rollback(True)  # the column stays
