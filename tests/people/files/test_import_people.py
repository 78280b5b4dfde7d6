"""People from files, by command and by job."""

import gzip
import io
import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from people.core.errors import RejectedError
from people.files.imports import jobs as import_jobs
from people.files.imports import report as import_report
from people.files.imports import runner as import_runner
from people.files.imports import targets as import_targets
from people.files.imports.plan import ImportPlan
from people.models import Import, Person
from tests.factories import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path / "files"


def run(file, *arguments):
    out = StringIO()
    call_command("import_people", str(file), "--no-progress", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def test_columns_called_like_fields_are_taken(tmp_path):
    ann = make_person(email="ann@example.com", company="Old")
    file = tmp_path / "people.csv"
    file.write_text(
        "Email Address;First Name;company;Unsubscribed;shoe\nANN@example.com;Ann;New;no;7\nb@example.com;Bob;;yes;8\n"
    )
    assert run(file, "--dry-run") == "Dry run, nothing was recorded: 2 rows: 1 added, 1 updated, 0 rejected."
    assert not Import.objects.exists() and Person.objects.count() == 1
    assert run(file) == "2 rows: 1 added, 1 updated, 0 rejected."
    assert run(file) == "2 rows: 0 added, 2 updated, 0 rejected."
    ann.refresh_from_db()
    assert (ann.first_name, ann.company, ann.unsubscribed) == ("Ann", "New", False)
    assert Person.objects.get(email="b@example.com").unsubscribed is True


def test_what_a_file_writes_for_no_value(tmp_path):
    file = tmp_path / "people.csv"
    file.write_text("email,city,number_of_employees\na@example.com,null,null\n")
    assert run(file, "--null", "null") == "1 rows: 1 added, 0 updated, 0 rejected."
    assert Person.objects.values_list("city", "number_of_employees").get() == (None, None)


def test_refused_rows_come_back_with_reasons(tmp_path):
    (tmp_path / "p.csv").write_text("email,annual_revenue\nann@example.com,1\nno address,2\nbob@example.com,many\n")
    with pytest.raises(SystemExit):
        run(tmp_path / "p.csv", "--dry-run")
    assert not Import.objects.exists()
    with pytest.raises(SystemExit):
        run(tmp_path / "p.csv", "--failures", str(tmp_path / "bad.csv"))
    lines = (tmp_path / "bad.csv").read_text().splitlines()
    assert len(lines) == 3 and lines[1].startswith("no address,2,3,") and "field email" in lines[1]


def test_gzip_ndjson_from_standard_input(monkeypatch):
    lines = [{"email": "a@example.com", "first_name": "Ann"}, {"email": "b@example.com", "first_name": 7}]
    content = gzip.compress("\n".join(json.dumps(line) for line in lines).encode())
    monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": io.BytesIO(content)}))
    assert run("-") == "2 rows: 2 added, 0 updated, 0 rejected."
    assert Person.objects.get(email="b@example.com").first_name == "7"


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        ("name\nAnn\n", (), "--field email=COLUMN is needed"),
        ("id,email,email address\n1,a@example.com,b@example.com\n", ("--lookup", "id"), "can be: email, email address"),
        ("email\na@example.com\n", ("--field", "shoe=email"), "no such field"),
        ("email\na@example.com\n", ("--lookup", "shoe"), "can't be found by"),
        ("email\na@example.com\n", ("--zone", "Mars"), "not a time zone"),
    ],
)
def test_what_cannot_be_is_said_before_anything_happens(tmp_path, content, arguments, said):
    (tmp_path / "p.csv").write_text(content)
    with pytest.raises(CommandError, match=said):
        run(tmp_path / "p.csv", *arguments)
    assert not Person.objects.exists()


def test_updating_by_id_never_creates():
    ann = make_person(first_name="Ann")
    job = import_jobs.upload_file(
        [f"id,first_name\n{ann.pk},Anna\n99999,Bob\nx,Carl\n".encode()], "p.csv", "people", None
    )
    import_jobs.set_plan(job, ImportPlan(columns={"id": "id", "first_name": "first_name"}, lookup_field="id"), None)
    import_jobs.take_step(job, "start", None, queue=False)
    import_runner.run_import(job.pk)
    job.refresh_from_db()
    assert (job.added, job.updated, job.refused) == (0, 1, 2)
    assert [failure.row for failure in job.failures.order_by("row")] == [3, 4]
    assert import_report.report_file_name(job) == "p-refused.csv"
    ann.refresh_from_db()
    assert ann.first_name == "Anna"


def test_one_person_twice_in_a_file_is_created_once(monkeypatch):
    monkeypatch.setattr(import_targets.TARGETS["people"], "batch", 1)
    job = import_jobs.upload_file([b"email,city\na@example.com,Rome\nA@Example.com,Paris\n"], "p.csv", "people", None)
    import_jobs.set_plan(job, ImportPlan(columns={"email": "email", "city": "city"}), None)
    for verb in ("check", "start"):
        import_jobs.take_step(job, verb, None, queue=False)
        import_runner.run_import(job.pk)
        job.refresh_from_db()
        assert (job.added, job.updated, job.refused) == (1, 1, 0)
    assert Person.objects.get().city == "Paris"


def test_a_column_that_the_file_lacks_is_answered_with_those_it_has(tmp_path):
    (tmp_path / "p.csv").write_text("Mail,Town\na@example.com,Bath\n")
    with pytest.raises(CommandError, match="there is no column “Topic”; the columns are Mail, Town"):
        run(tmp_path / "p.csv", "--field", "email=Mail", "--field", "city=Topic")
    header = [f"c{number}" for number in range(30)]
    job = import_jobs.upload_file([",".join(header).encode() + b"\n" + b",".join([b"1"] * 30)], "p.csv", "people", None)
    with pytest.raises(RejectedError) as caught:
        import_jobs.set_plan(job, ImportPlan(columns={"email": "T" * 500}), None)
    (problem,) = [problem for problem in caught.value.problems if problem.code == "unknown_column"]
    assert (
        str(problem.message).endswith("the columns are " + ", ".join(header[:20]) + ", …")
        and len(problem.message) < 250
    )
