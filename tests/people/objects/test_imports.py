"""Records of objects from files: by the job, by the command, undone; what is bad in a file costs its row alone."""

import gzip
import io
import zipfile
from io import StringIO

import openpyxl
import pytest
from django.core.management import CommandError, call_command

from people.core.errors import RejectedError
from people.definitions import drafts, lifecycle
from people.files.imports import guessing
from people.files.imports import jobs as import_jobs
from people.files.imports import report as import_report
from people.files.imports import runner as import_runner
from people.files.imports import targets as import_targets
from people.files.imports.plan import ImportPlan
from people.files.tabular import FileShape
from people.models import Import, ObjectChange, ObjectRecord
from people.objects.definition import ObjectFieldSpec
from people.persons import import_undo
from people.persons import merge as person_merge
from people.privacy import erasure
from tests.activities.recording.test_races import InThread
from tests.factories import make_person
from tests.people.objects.world import API, approved_type, saved

pytestmark = pytest.mark.django_db
State = Import.State
POLICY_FIELDS = (
    ObjectFieldSpec("number", "Number", is_dedupe=True),
    ObjectFieldSpec("owner", "Owner", "integer", link_to="person", link_by="id"),
    ObjectFieldSpec("premium", "Premium", "integer"),
    ObjectFieldSpec("note", "Note", "text"),
)
DEFAULT = {"subject": "car", "lookup_field": "dedupe_fields"}


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path / "files"


@pytest.fixture
def car(db):
    return approved_type()


def uploaded(content, name="cars.csv", by=None, **parts):
    data = content if isinstance(content, bytes) else content.encode()
    job = import_jobs.upload_file([data], name, "objects", by)
    names = FileShape.from_json(job.shape).header
    parts = {**DEFAULT, "columns": {column: column for column in names}, **parts}
    import_jobs.set_plan(job, ImportPlan(**parts), by)
    return job


def ran(job, verb="start", by=None):
    import_jobs.take_step(job, verb, by, queue=False)
    import_runner.run_import(job.pk)
    job.refresh_from_db()
    return job


def imported(content, *arguments, verb="start", **parts):
    return ran(uploaded(content, *arguments, **parts), verb)


def counts(job):
    return job.added, job.updated, job.repeated, job.refused


def reasons(job):
    return {row.row: import_report.problem_sentences(row) for row in job.failures.order_by("row")}


def fields(plate):
    return ObjectRecord.objects.existing().get(name=plate).fields


def undone(job, by=None):
    import_undo.request_import_undo(job, "wrong file", by, queue=False)
    import_undo.run_import_undo(job.pk)
    job.refresh_from_db()
    return job


def test_rows_create_change_or_leave_records_and_a_check_leaves_nothing(car):
    make_person(email="ann@example.com")
    saved(car, plate="A 1", colour="blue", mileage=10)
    saved(car, plate="A 2", colour="red")
    text = (
        "plate,colour,owner\nA 1,red,ann@example.com\nA 2,red,\nB 3,green,ann@example.com\nb 3,white,ann@example.com\n"
    )
    before = ObjectChange.objects.count()
    assert counts(imported(text, verb="check")) == (1, 2, 1, 0)
    assert ObjectChange.objects.count() == before
    job = imported(text)
    assert (job.state, counts(job), job.created) == (State.COMPLETE, (1, 2, 1, 0), 0)
    assert fields("A 1") == {"plate": "A 1", "colour": "red", "mileage": 10, "owner": "ann@example.com"}
    assert fields("B 3")["colour"] == "white" and ObjectRecord.objects.get(name="B 3").person_id
    assert counts(imported(text)) == (0, 2, 2, 0)  # B 3 is green and white again
    sources = set(ObjectChange.objects.filter(origin_id=job.pk).values_list("channel", flat=True))
    assert len(sources) == 1


def as_workbook(rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def as_zip(text):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("cars.csv", text)
    return out.getvalue()


TEXT = "plate;colour;mileage;price\nA 1;grün;12;1.250,50\n"
FILES = {
    "windows.csv": (TEXT.encode("windows-1252"), {"encoding": "windows-1252"}),
    "utf16.csv": (TEXT.encode("utf-16"), {}),
    "zipped.csv.gz": (gzip.compress(TEXT.encode()), {}),
    "lines.ndjson": (b'{"plate": "A 1", "colour": "gr\xc3\xbcn", "mileage": 12, "price": 1250.5}\n', {}),
    "book.xlsx": (as_workbook([["plate", "colour", "mileage", "price"], ["A 1", "grün", 12, 1250.5]]), {}),
}


@pytest.mark.parametrize("name", FILES)
def test_files_in_every_form(car, name):
    content, shape = FILES[name]
    job = import_jobs.upload_file([content], name, "objects", None, **shape)
    names = FileShape.from_json(job.shape).header
    import_jobs.set_plan(job, ImportPlan(columns={name: name for name in names}, decimal=",", **DEFAULT), None)
    assert counts(ran(job)) == (1, 0, 0, 0), reasons(job)
    assert {name: str(value) for name, value in fields("A 1").items()} == {
        "plate": "A 1",
        "colour": "grün",
        "mileage": "12",
        "price": "1250.5",
    }


def test_records_are_found_by_their_ids_and_get_new_dedupe_values(car):
    first, second = saved(car, plate="A 1", colour="blue"), saved(car, plate="A 2")
    by_id = {"lookup_field": "id"}
    swapped = f"id,plate\n{first.pk},A 2\n{second.pk},A 1\n"
    job = imported(swapped, **by_id)
    assert counts(job) == (0, 0, 0, 2) and "another record has these dedupe values" in reasons(job)[2]
    job = imported(f"id,plate\n{second.pk},A 9\n{first.pk},A 2\n", **by_id)
    assert counts(job) == (0, 2, 0, 0) and fields("A 2")["colour"] == "blue"
    assert undone(job).undo["records_put_back"] == 2 and fields("A 1")["colour"] == "blue"
    text = f"guid,plate\n{first.guid},A 2\n{second.guid},A 2\nno guid,A 3\n{car.pk}-x,A 4\n,A 5\n"
    job = imported(text, lookup_field="guid")
    assert counts(job) == (0, 0, 1, 4)
    assert "another record has these dedupe values" in reasons(job)[2]
    assert "the id of a record" in reasons(job)[4] and "the id is missing" in reasons(job)[6]
    workbook = as_workbook([["id", "colour"], [first.pk, "red"]])
    assert counts(imported(workbook, "ids.xlsx", **by_id)) == (0, 1, 0, 0)


def test_bad_values_cost_their_row_alone(car):
    ann, bob, eve, eva = (make_person(email=f"{name}@example.com") for name in ("ann", "bob", "eve", "eva"))
    person_merge.merge_people(eva.pk, [eve.pk], None, API)
    erasure.erase_people([bob.pk], None, API)
    approved_type("Policy", "policy", POLICY_FIELDS)
    rows = [
        ("1", ann.pk, "5", "ok"),
        ("2", bob.pk, "5", "of somebody erased"),
        ("3", eve.pk, "5", "of somebody merged"),
        ("4", 99_999_999, "5", "of nobody"),
        ("5", "x", "5", "wrong link"),
        ("6", ann.pk, "many", "wrong number"),
        ("", ann.pk, "5", "no dedupe value"),
        ("8", ann.pk, "5", "long " + "x" * 30_000),
        ("y" * 300, ann.pk, "5", "long dedupe value"),
        ("10", ann.pk, "5", "\0 and \ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace")),
    ]
    text = "number,owner,premium,note\n" + "".join(f"{','.join(map(str, row))}\n" for row in rows)
    job = imported(text, "policies.csv", subject="policy")
    why = reasons(job)
    assert set(why) == {3, 5, 6, 7, 8, 9, 10, 11}
    assert job.added == 2 and job.state == State.COMPLETE
    assert "there is no such person" in why[3] and "there is no such person" in why[5]
    assert "a value for the dedupe field" in why[8]
    assert ObjectRecord.objects.get(name="3").person_id == eva.pk


def run_and_then(job, after_first_batch, monkeypatch):
    """Run the import in batches of two rows; call `after_first_batch` once when the first one is written."""
    monkeypatch.setattr(import_targets.TARGETS["objects"], "batch", 2)
    todo = [after_first_batch]
    import_jobs.take_step(job, "start", None, queue=False)
    import_runner.run_import(job.pk, None, lambda rows: todo.pop()() if todo else None)
    job.refresh_from_db()
    return job


PLATES = "plate,colour\n" + "".join(f"{number},red\n" for number in range(1, 6))


def test_a_type_that_is_retired_meanwhile_stops_the_import_which_goes_on_later(car, monkeypatch):
    job = run_and_then(uploaded(PLATES), lambda: lifecycle.retire_definition(car, None), monkeypatch)
    assert (job.state, job.added) == (State.FAILED, 2) and "retired" in job.fault
    lifecycle.restore_definition(car, None)
    assert counts(ran(job, "resume")) == (5, 0, 0, 0) and job.state == State.COMPLETE


def test_a_type_that_is_renamed_and_loses_a_field_meanwhile(car, monkeypatch):
    def change():
        drafts.edit_draft_names(car, None, name="Motor", plural_name="Motors")
        drafts.remove_draft_fields(car, ["colour"], None)
        lifecycle.approve_draft(car, None)

    job = run_and_then(uploaded(PLATES), change, monkeypatch)
    assert counts(job) == (2, 0, 0, 3) and "colour" in reasons(job)[4]
    assert "Motors" in dict(import_targets.TARGETS["objects"].subjects())["car"]
    with pytest.raises(RejectedError) as refusal:
        uploaded(PLATES)
    assert [problem.path for problem in refusal.value.problems] == [("columns", "colour")]


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_one_file_at_once_make_each_record_once(car, monkeypatch):
    monkeypatch.setattr(import_targets.TARGETS["objects"], "batch", 7)
    text = "plate,colour\n" + "".join(f"{number},red\n" for number in range(60))
    jobs = [uploaded(text), uploaded(text)]
    for job in jobs:
        import_jobs.take_step(job, "start", None, queue=False)
    threads = [InThread(lambda pk=job.pk: import_runner.run_import(pk)) for job in jobs]
    for thread in threads:
        thread.result()
    for job in jobs:
        job.refresh_from_db()
    assert [job.state for job in jobs] == [State.COMPLETE] * 2
    assert sum(job.added for job in jobs) == sum(job.repeated for job in jobs) == 60
    assert ObjectRecord.objects.count() == 60


def test_a_plan_names_what_is_wrong_with_it(car):
    for plan, path in (
        ({"columns": {"colour": "colour"}}, ("columns", "plate")),
        ({"subject": "nothing"}, ("subject",)),
        ({"lookup_field": "email"}, ("lookup_field",)),
        ({"lookup_field": "guid"}, ("columns", "guid")),
        ({"columns": {"plate": "plate", "wings": "colour"}}, ("columns", "wings")),
        ({"columns": {"plate": "plate", "id": "colour"}, "lookup_field": "id", "action": "create"}, ("action",)),
        ({"action": "duplicate"}, ("action",)),
    ):
        with pytest.raises(RejectedError) as refusal:
            uploaded("plate,colour\n1,red\n", **plan)
        assert path in [problem.path for problem in refusal.value.problems], plan


def guessed(content):
    job = import_jobs.upload_file([content.encode()], "cars.csv", "objects", None)
    return guessing.guess_plan(job, "car", "UTC", import_jobs.sample_rows(job)), job


def test_columns_are_guessed_and_asked_for_where_several_can_be_the_dedupe_field(car):
    guess, _job = guessed("id,Number plate,Email,Inspected on,paint\n7,A 1,ann@example.com,2026-11-02,red\n")
    assert guess.plan.columns == {"plate": "Number plate", "owner": "Email", "inspected_on": "Inspected on"}
    assert (guess.plan.lookup_field, guess.questions) == ("dedupe_fields", frozenset())
    guess, job = guessed("plate,Number plate,colour\nA 1,B 1,red\n")
    assert list(guess.candidates) == ["plate"] and guess.plan.columns == {"colour": "colour"}
    shape, lines = FileShape.from_json(job.shape), import_jobs.sample_rows(job)
    with pytest.raises(RejectedError, match="several columns"):
        guessing.settle_plan(ImportPlan(columns={"colour": "colour"}, **DEFAULT), (), "objects", shape, lines)
    by_id = ImportPlan(columns={"colour": "colour"}, **{**DEFAULT, "lookup_field": "id"})
    assert guessing.settle_plan(by_id, (), "objects", shape, lines)


def run(name, file, *arguments):
    out = StringIO()
    call_command(name, str(file), "--type", "car", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def test_the_command_and_what_is_exported_is_read_back_unchanged(car, tmp_path):
    saved(
        car,
        plate="=1+1",
        colour="'=2",
        model="-x",
        notes='two\nlines, "quoted" \u00fc \'x',
        price="1250.50",
        weight="0.1",
        sold_at="2026-11-02T10:00:00.25Z",
        inspected_on="2026-11-02",
        is_electric=True,
        page="https://example.com/?a=1",
        garage_phone="+34 91",
    )
    saved(car, plate="''-1", owner="nobody@example.com", colour="null", mileage=0, is_electric=False)
    before = dict(ObjectRecord.objects.values_list("name", "fields"))
    for name, options in (("a.csv", ()), ("b.csv", ("--excel-safe",)), ("c.ndjson", ()), ("d.tsv.gz", ())):
        file = tmp_path / name
        assert run("export_objects", file, *options) == "2 rows written."
        summary = run("import_objects", file, "--no-progress")
        assert summary == "2 rows: 0 added, 0 updated, 2 unchanged, 0 rejected."
        assert run("import_objects", file, "--no-progress", "--key", "id").endswith("2 unchanged, 0 rejected.")
    assert dict(ObjectRecord.objects.values_list("name", "fields")) == before
    (tmp_path / "e.csv").write_text("plate,Colour,shade\nA 1,red,dark\nA 2,,light\n")
    dry = run("import_objects", tmp_path / "e.csv", "--no-progress", "--dry-run", "--field", "colour=shade")
    assert dry == "Dry run, nothing was recorded: 2 rows: 2 added, 0 updated, 0 unchanged, 0 rejected."
    assert ObjectRecord.objects.count() == 2 and Import.objects.count() == 8
    run("import_objects", tmp_path / "e.csv", "--no-progress", "--field", "colour=shade", "--backfill")
    assert fields("A 2")["colour"] == "light" and ObjectChange.objects.filter(is_backfill=True).count() == 2
    (tmp_path / "f.csv").write_text("plate,mileage\nA 1,many\nA 2,7\n")
    report = tmp_path / "report.csv"
    with pytest.raises(SystemExit):
        run("import_objects", tmp_path / "f.csv", "--no-progress", "--failures", str(report))
    assert "expected" in report.read_text() and fields("A 2")["mileage"] == 7
    report.write_text(report.read_text().replace("many", "8"))
    assert run("import_objects", report, "--no-progress").startswith("1 rows: 0 added, 1 updated")
    with pytest.raises(CommandError, match="no approved object type"):
        call_command("import_objects", str(report), "--type", "boat", "--no-progress")
