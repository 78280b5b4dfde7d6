"""Repeats are recognised, in other notations and as the version before stored them."""

import io
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from activities.models import Activity
from activities.recording import column_recorder
from activities.recording.columns import ActivityColumns
from activities.recording.rows import RecordStatus
from people.files.imports.plan import ExternalId
from people.models import Person
from tests.activities.recording import test_import_jobs as imports
from tests.factories import MARKETO, ActivityFieldSpec, approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db
CASES = Path(__file__).parents[2] / "people" / "cases"
AT = "2026-11-20T10:00:00Z"
# digests as commit 062b603 computed and stored them
UNTRIMMED = "5e3c2e07ef05571ea7493263f27f5f03"  # "  Blue ", {"amount": 12.5, "branch": " North "}
GUARDED = "b3f9c2ff1122bca257b8f299d8744968"  # "'=Blue", {"amount": 12.5, "branch": "'+North"}
FILE = (
    imports.HEADER + "Ann.Dup@example.com ,2026-11-20 10:00,No. 1 ,49.00,3\n"
    "ann.dup@example.com,2026-11-21T09:30:00Z,'=No. 2,20.5,4\n"
)
FILE_KEYS = ("row:9ed0eb82867406c608cc0c3e9cbf02c8:1", "row:b60e6d666f7387ed0eb8f6c32fc7095e:1")


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path


@pytest.fixture
def check():
    return approved_type()


def stored_before(who, check, external_id, digest):
    """An activity of the version before; its id."""
    (outcome,) = record_rows(new_activity(who.pk, primary_value="Stored before"))
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into activity_key (person_id, activity_type_id, external_id, activity_id, digest)"
            " values (%s, %s, %s, %s, %s)",
            [who.pk, check.pk, external_id, outcome.activity_id, bytes.fromhex(digest)],
        )
    return outcome.activity_id


def sent(who, primary, branch, **more):
    return new_activity(
        who.pk, primary_value=primary, occurred_at=AT, external_id="k", amount="12.50", branch=branch, **more
    )


def test_a_row_stored_before_text_was_trimmed_is_a_repeat(check):
    ann = make_person()
    before = stored_before(ann, check, "k", UNTRIMMED)
    (same,) = record_rows(sent(ann, "  Blue ", " North "))
    assert (same.status, same.activity_id) == (RecordStatus.REPEATED, before)
    for primary, branch in (("  Red ", " North "), ("  Blue ", " South "), ("Blue", "'North")):
        (other,) = record_rows(sent(ann, primary, branch))
        assert [problem.code for problem in other.problems] == ["external_id_reused"]


def test_columns_know_rows_stored_before_text_was_trimmed(check):
    ann = make_person()
    before = stored_before(ann, check, "k", UNTRIMMED)

    def outcome(primary):
        fields = [("amount", ["12.50"]), ("branch", [" North "])]
        columns = ActivityColumns("depositCheck", [ann.pk], "id", False, [AT], [primary], fields, ["k"])
        return column_recorder.record_columns(columns, MARKETO).others[0]

    assert (outcome("  Blue ").status, outcome("  Blue ").activity_id) == (RecordStatus.REPEATED, before)
    assert outcome("  Red ").problems[0].code == "external_id_reused"


def test_a_file_knows_rows_stored_with_the_guard_of_formulas(check):
    ann = make_person(email="ann@example.com")
    stored_before(ann, check, "k", GUARDED)
    text = "email,when,check,amount,branch,key\nann@example.com,2026-11-20 10:00,{},12.5,'+North,k\n"
    columns = {
        "occurred_at": "when",
        "primary_value": "check",
        "field.amount": "amount",
        "field.branch": "branch",
        "external_id": "key",
    }
    the_plan = imports.plan(columns=columns, external_id=ExternalId.COLUMN)
    assert imports.counts(imports.done(imports.uploaded(text.format("'=Blue"), the_plan))) == (0, 1, 0)
    assert imports.counts(imports.done(imports.uploaded(text.format("'=Red"), the_plan))) == (0, 0, 1)
    # values of a client that is no file are taken literally
    (outcome,) = record_rows(sent(ann, "=Blue", "+North"))
    assert outcome.status is RecordStatus.REFUSED


@pytest.mark.parametrize("known", [(), (0,), (1,), (0, 1)])
def test_a_file_imported_by_the_version_before_adds_nothing(check, known):
    ann = make_person(email="ann.dup@example.com")
    for place in known:
        stored_before(ann, check, FILE_KEYS[place], UNTRIMMED)
    checked = imports.done(imports.uploaded(FILE), "check")
    assert imports.counts(checked) == (2 - len(known), len(known), 0)
    assert imports.counts(imports.done(imports.uploaded(FILE))) == (2 - len(known), len(known), 0)
    assert imports.counts(imports.done(imports.uploaded(FILE))) == (0, 2, 0)
    assert Activity.objects.filter(activity_type_id=check.pk).count() == 2


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_the_same_rows_saved_by_another_program_add_nothing(order):
    fields = [ActivityFieldSpec("what", "What", is_primary=True), ActivityFieldSpec("amt", "Amt", "currency")]
    approved_type("Simple Act", "simpleAct", [*fields, ActivityFieldSpec("flag", "Flag", "boolean")])
    files = [("same-rows.csv",), ("same-rows-resaved.csv", "--dates", "dmy", "--decimal", ","), ("same-rows-iso.csv",)]
    arguments = ["--type", "simpleAct", "--person", "{Email}", "--create-people", "--occurred-at", "When"]
    arguments += ["--primary", "What", "--field", "amt=Amt", "--field", "flag=Flag"]
    summaries = []
    for name, *notation in (files[number] for number in order):
        out = io.StringIO()
        call_command("import_activities", str(CASES / name), *arguments, *notation, stdout=out, stderr=io.StringIO())
        summaries.append(out.getvalue())
    assert ["2 added" in summary for summary in summaries] == [True, False, False]
    assert all("2 already imported" in summary for summary in summaries[1:])
    assert Person.objects.count() == 1


def test_a_check_compares_values_not_notations(check):
    text = "email,when,check,amount,key\nann@example.com,2026-11-20,Blue,49.00,k\nANN@example.com,2026-11-20T00:00Z,{},49,k\n"
    columns = {"occurred_at": "when", "primary_value": "check", "field.amount": "amount", "external_id": "key"}
    the_plan = imports.plan(columns=columns, external_id=ExternalId.COLUMN)
    assert imports.counts(imports.done(imports.uploaded(text.format("Blue "), the_plan), "check")) == (1, 1, 0)
    assert imports.counts(imports.done(imports.uploaded(text.format("Red"), the_plan), "check")) == (1, 0, 1)
