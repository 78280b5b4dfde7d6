"""Files out: exact, whole or not there, and read back by the imports."""

import csv
import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import translation

from activities.models import Activity
from people.core import job_model
from people.core.errors import NotAllowedError, RejectedError
from people.core.source import Channel
from people.files.exports import jobs as export_jobs
from people.files.exports import kinds as export_kinds
from people.files.exports.kinds import ExportColumn, ExportKind, ExportStatement
from people.models import Export, StaticList
from tests.activities.recording.test_races import InThread
from tests.factories import approved_type, make_person, new_activity, record_rows

State = Export.State


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path / "files"


@pytest.fixture
def checks(db):
    approved_type()
    ann = make_person(email="ann@example.com", first_name="=Ann", annual_revenue="1250.50", unsubscribed=True)
    bob = make_person(email="bob@example.com", first_name='B, "o\nb"', phone="+34 600")
    record_rows(
        new_activity(ann.pk, amount="1250.50", branch='Ma"in, 1', is_foreign=True, pages=3, deposited_on="2026-11-19"),
        new_activity(bob.pk, occurred_at="2026-11-20T10:00:00.25Z", primary_value="@No. 2", branch="-12"),
        new_activity(bob.pk, occurred_at="2026-11-21T10:00:00Z", primary_value="-5"),
    )
    return ann, bob


def export(command, *arguments):
    out = StringIO()
    call_command(command, *arguments, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def cells(path):
    content = Path(path).read_bytes()
    text = (gzip.decompress(content) if str(path).endswith(".gz") else content).decode()
    return list(csv.reader(io.StringIO(text, newline="")))


def test_activities_of_one_type_have_a_column_a_field(checks, tmp_path):
    assert export("export_activities", str(tmp_path / "a.csv"), "--type", "depositCheck") == "3 rows written."
    header, *rows = cells(tmp_path / "a.csv")
    assert header[:7] == ["id", "person_id", "email", "activity_type", "occurred_at", "recorded_at", "backfill"]
    assert header[7:] == ["check", "amount", "branch", "deposited_on", "is_foreign", "pages"]
    assert rows[0][4] == "2026-11-20T10:00:00Z"
    assert rows[0][6:] == ["false", "No. 1", "1250.5", 'Ma"in, 1', "2026-11-19", "true", "3"]
    assert rows[1][4] == "2026-11-20T10:00:00.250000Z"


def test_what_was_exported_is_imported_and_known(checks, tmp_path):
    export("export_activities", str(tmp_path / "a.csv.gz"), "--type", "depositCheck")
    arguments = [
        str(tmp_path / "a.csv.gz"),
        "--type",
        "depositCheck",
        "--person",
        "{person_id}",
        "--person-field",
        "id",
        "--occurred-at",
        "occurred_at",
        "--primary",
        "check",
        "--external-id",
        "id",
        "--no-progress",
    ]
    assert export("import_activities", *arguments) == "3 rows: 3 added, 0 already imported, 0 rejected."
    found = (
        Activity.objects.filter(activity_type_id__gt=100_000)
        .order_by("id")
        .values_list("occurred_at", "primary_value", "attributes")
    )
    assert list(found[:3]) == list(found[3:])


def test_several_types_share_a_column_of_json(checks, tmp_path):
    approved_type("Open Account", "openAccount")
    export(
        "export_activities", str(tmp_path / "a.ndjson"), "--since", "2026-11-20T10:00:00.1Z", "--until", "2026-11-21"
    )
    rows = [json.loads(line) for line in (tmp_path / "a.ndjson").read_text().splitlines()]
    assert [(row["primary_value"], row["attributes"], row["email"]) for row in rows] == [
        ("@No. 2", {"branch": "-12"}, "bob@example.com")
    ]


def test_formulas_are_text_when_asked_for_and_numbers_stay_numbers(checks, tmp_path):
    export("export_activities", str(tmp_path / "a.csv"), "--type", "depositCheck", "--excel-safe")
    assert [row[7] for row in cells(tmp_path / "a.csv")[1:]] == ["No. 1", "'@No. 2", "-5"]
    export(
        "export_people", str(tmp_path / "p.csv"), "--fields", "first_name", "phone", "annual_revenue", "--excel-safe"
    )
    assert cells(tmp_path / "p.csv") == [
        ["id", "first_name", "phone", "annual_revenue"],
        [str(checks[0].pk), "'=Ann", "", "1250.5"],
        [str(checks[1].pk), 'B, "o\nb"', "'+34 600", ""],
    ]


def test_people_of_a_file_are_the_same_when_they_come_back(checks, tmp_path):
    export("export_people", str(tmp_path / "p.csv"))
    header, ann, _bob = cells(tmp_path / "p.csv")
    assert dict(zip(header, ann, strict=True))["unsubscribed"] == "true"
    arguments = ["--no-progress", "--lookup", "id"]
    said = export("import_people", str(tmp_path / "p.csv"), *arguments)
    assert said == "2 rows: 0 added, 2 updated, 0 rejected."
    assert [found.revision for found in checks[0]._meta.model.objects.order_by("pk")] == [1, 1]  # nothing changed


def test_standard_output(checks, capfdbinary, monkeypatch):
    target = io.BytesIO()
    monkeypatch.setattr("sys.stdout", type("Stdout", (), {"buffer": target}))
    export("export_people", "-", "--fields", "email", "--format", "tsv")
    assert target.getvalue().decode().splitlines()[1].endswith("\tann@example.com")
    plain = target.getvalue()
    target.seek(0)
    export("export_people", "-", "--fields", "email", "--format", "tsv", "--gzip")
    assert gzip.decompress(target.getvalue()) == plain


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        ("export_people", ["--fields", "shoe"], "no person field “shoe”"),
        ("export_people", ["--static-list", "VIP"], "no static list 'VIP'"),
        ("export_activities", ["--type", "none"], "no approved activity type has the API name “none”"),
        ("export_activities", ["--since", "soon"], "expected a date"),
    ],
)
def test_what_cannot_be_leaves_no_file(checks, tmp_path, command, arguments, said):
    (tmp_path / "out").mkdir()
    with pytest.raises(CommandError, match=said):
        export(command, str(tmp_path / "out" / "f.csv"), *arguments)
    assert not list((tmp_path / "out").iterdir())


def test_parquet_holds_what_csv_holds(checks, tmp_path):
    pyarrow = pytest.importorskip("pyarrow.parquet")
    for command, arguments in (("export_activities", ["--type", "depositCheck"]), ("export_people", [])):
        said = export(command, str(tmp_path / "a.csv"), *arguments)
        assert export(command, str(tmp_path / "a.parquet"), "--format", "parquet", *arguments) == said
        header, *rows = cells(tmp_path / "a.csv")
        table = pyarrow.read_table(tmp_path / "a.parquet")
        assert table.column_names == header and table.num_rows == len(rows)
        assert str(table.schema.field("id").type) == "int64"
        assert [["" if value is None else str(value) for value in row.values()] for row in table.to_pylist()] == rows
        (tmp_path / "a.csv").unlink()


def test_parquet_without_pyarrow_is_refused(checks, tmp_path, monkeypatch):
    monkeypatch.setattr("people.files.exports.kinds.find_spec", lambda name: None)
    with pytest.raises(CommandError, match="pyarrow on the server, which is not installed"):
        export("export_people", str(tmp_path / "p.parquet"), "--format", "parquet")
    assert not list(tmp_path.iterdir())
    with pytest.raises(RejectedError, match="pyarrow"):
        export_jobs.create_export("people", {}, None, Channel.ADMIN, format="parquet")


def test_why_there_is_no_file_is_read_in_the_language_of_who_looks(checks):
    job = queued(static_list=StaticList.objects.create(name="VIP").pk)
    StaticList.objects.all().delete()
    export_jobs.run_export(job.pk)
    job.refresh_from_db()
    assert (job.state, job.fault) == (State.FAILED, f"There is no static list {job.parameters['static_list']}.")
    with translation.override("es"):
        assert job.fault == f"No existe la lista estática {job.parameters['static_list']}."


def queued(kind="people", **parameters):
    job = export_jobs.create_export(kind, parameters, None, Channel.ADMIN)
    export_jobs.enqueue_export(job)
    return job


def test_an_export_job_leaves_a_file_with_its_checksum(checks):
    job = queued(fields=["email"])
    assert job.state == State.QUEUED
    export_jobs.run_export(job.pk)
    job.refresh_from_db()
    content = export_jobs.export_path(job).read_bytes()
    assert (job.state, job.rows, job.size) == (State.COMPLETED, 2, len(content))
    assert job.checksum == hashlib.sha256(content).hexdigest()
    with pytest.raises(RejectedError, match="already queued"):
        export_jobs.enqueue_export(job)
    with pytest.raises(RejectedError, match="Ready"):
        export_jobs.cancel_export(job)


def test_no_more_exports_wait_than_is_allowed(checks, settings):
    settings.EXPORT_MAX_QUEUED = 2
    queued(), queued()
    with pytest.raises(RejectedError, match="Too many exports"):
        queued()


def test_a_full_disk_fails_the_export_and_leaves_nothing(checks, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    job = queued()
    monkeypatch.setattr("people.files.exports.jobs.os.fsync", full)
    export_jobs.run_export(job.pk)
    job.refresh_from_db()
    assert (job.state, job.problem) == (State.FAILED, "No space left on device")
    assert not list(export_jobs.exports_folder().iterdir())


def test_who_may_not_export_people_may_not_ask(checks, django_user_model):
    with pytest.raises(NotAllowedError):
        export_jobs.create_export("people", {}, django_user_model.objects.create_user("vera"), Channel.ADMIN)


@pytest.fixture
def slow():
    columns = [ExportColumn("n", "n"), ExportColumn("nap", "pg_sleep(0.01)")]
    export_kinds.register_export_kind(
        ExportKind("slow", "slow", (), lambda _parameters: ExportStatement(columns, "generate_series(1, 3000) n"))
    )
    yield
    del export_kinds.KINDS["slow"]


def wait_for(job, state):
    deadline = time.monotonic() + 15
    while job.state != state and time.monotonic() < deadline:
        time.sleep(0.05)
        job.refresh_from_db()
    assert job.state == state


@pytest.mark.django_db(transaction=True)
def test_an_export_that_is_being_written_can_be_cancelled(slow):
    job = queued("slow")
    writer = InThread(lambda: export_jobs.run_export(job.pk))
    wait_for(job, State.PROCESSING)
    time.sleep(0.3)
    export_jobs.cancel_export(job)
    writer.result()
    job.refresh_from_db()
    assert job.state == State.CANCELLED and not list(export_jobs.exports_folder().iterdir())


RUN = """
import sys, django
django.setup()
from people.files.exports import jobs
from people.files.exports.kinds import ExportColumn, ExportKind, ExportStatement, register_export_kind
columns = [ExportColumn("n", "n"), ExportColumn("nap", "pg_sleep(0.01)")]
register_export_kind(ExportKind("slow", "slow", (), lambda _: ExportStatement(columns, "generate_series(1, 3000) n")))
print("ready", flush=True)
jobs.run_export(int(sys.argv[1]))
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_kill_9_in_the_middle_leaves_no_half_file_and_the_export_is_written_anew(settings, tmp_path, slow):
    job = queued("slow")
    environment = {
        **os.environ,
        "FILES_DIR": str(settings.FILES_DIR),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "TEST_DATABASE_NAME": connection.settings_dict["NAME"],
        "EMBEDDED_POSTGRES_ATTACH": "1",
        "DATA_DIR": str(settings.DATA_DIR),
        "PYTHONPATH": str(settings.BASE_DIR),
    }
    writer = subprocess.Popen(
        [sys.executable, "-c", RUN, str(job.pk)], stdout=subprocess.PIPE, text=True, env=environment
    )
    writer.stdout.readline()
    wait_for(job, State.PROCESSING)
    time.sleep(0.3)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert not export_jobs.export_path(job).exists()
    deadline = time.monotonic() + 20
    while job.pk not in job_model.abandoned_job_ids(Export) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert job_model.abandoned_job_ids(Export) == [job.pk]
    quick = ExportStatement([ExportColumn("n", "n")], "generate_series(1, 3000) n")
    export_kinds.register_export_kind(ExportKind("slow", "slow", (), lambda _parameters: quick))
    export_jobs.run_export(job.pk)
    job.refresh_from_db()
    assert (job.state, job.rows) == (State.COMPLETED, 3000)
    assert export_jobs.export_path(job).read_text() == "n\n" + "".join(f"{n}\n" for n in range(1, 3001))
    assert [path.name for path in export_jobs.exports_folder().iterdir()] == [job.file_name]
