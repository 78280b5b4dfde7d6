"""Recording of standard types, and Marketo's history of them: imported as back-fill, with a right."""

import json
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from activities.models import Activity, RefusedActivity
from activities.recording import column_recorder, replay
from activities.recording.columns import ActivityColumns
from activities.recording.import_target import MARKETO as EXTRACT
from activities.recording.import_target import marketo_plan
from activities.recording.recorder import record_activities
from activities.rights import CHANGE_REFUSEDACTIVITY, RECORD_ACTIVITY, RECORD_STANDARD_ACTIVITY
from activities.types.marketo_history import HISTORY_TYPES
from people.files.imports import jobs as import_jobs
from people.files.imports import runner as import_runner
from people.persons import import_undo
from tests.factories import MARKETO, approved_type, make_person, new_activity, user_with

pytestmark = pytest.mark.django_db
AT = "2026-11-20T10:00:00Z"


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path / "files"


def statuses(*rows, **options):
    return [
        (str(outcome.status), outcome.problems[0].code if outcome.problems else "")
        for outcome in record_activities(rows, MARKETO, **options)
    ]


def test_one_batch_mixes_custom_types_and_the_standard_ones_that_it_may_record():
    approved_type()
    ann = make_person().pk
    rows = [
        new_activity(ann),
        new_activity(ann, "visitWebPage"),
        new_activity(ann, 3),
        new_activity(ann, 12, primary_value=None),
    ]
    added, refused = ("added", ""), ("refused", "standard_type")
    assert statuses(*rows, may_record=frozenset({1})) == [added, added, refused, refused]
    assert statuses(*rows, may_record=frozenset({1, 3})) == [added, added, added, refused]
    assert statuses(*rows) == [added, refused, refused, refused]


def test_columns_of_a_standard_type_need_it_just_as_much():
    ann = make_person().pk
    columns = ActivityColumns(1, [ann], "id", False, [AT], ["/pricing"], [])
    assert column_recorder.record_columns(columns, MARKETO).others[0].problems[0].code == "standard_type"
    assert column_recorder.record_columns(columns, MARKETO, may_record=frozenset({1})).ids[0]


def extract(*rows):
    """A bulk extract of Marketo with these (lead, type, primary value, attributes)."""
    lines = [",".join(EXTRACT.values())]
    for number, (lead, type_id, primary, attributes) in enumerate(rows):
        text = json.dumps(attributes).replace('"', '""')
        named = {"leadId": lead, "activityTypeId": type_id, "activityDate": AT, "primaryAttributeValue": primary}
        row = {**named, "attributes": f'"{text}"', "marketoGUID": f"guid{number}"}
        lines.append(",".join(str(row[column]) for column in EXTRACT.values()))
    return "\n".join(lines) + "\n"


def imported(user, text, **more):
    job = import_jobs.upload_file([text.encode()], "extract.csv", "activities", user)
    import_jobs.set_plan(job, marketo_plan(**more), user)
    import_jobs.take_step(job, "start", user, queue=False)
    import_runner.run_import(job.pk)
    job.refresh_from_db()
    return job


HISTORY = {"starts_campaigns": False}


def test_history_of_standard_activities_is_imported_with_its_right_and_as_back_fill_only():
    check, ann = approved_type(), make_person().pk
    text = extract((ann, 1, "/pricing", {"User Agent": "Safari"}), (ann, check.pk, "No. 1", {}), (ann, 12, "", {}))
    stranger = user_with(RECORD_ACTIVITY)
    mover = user_with(RECORD_ACTIVITY, RECORD_STANDARD_ACTIVITY)
    assert imported(stranger, text, **HISTORY).added == 1
    assert imported(mover, text).added == 0  # the check is there already; nothing else without back-fill
    job = imported(mover, text, **HISTORY)
    assert (job.added, job.repeated, job.refused) == (1, 1, 1)
    visit = Activity.objects.get(activity_type_id=1)
    assert visit.is_backfill and (visit.primary_value, visit.attributes) == ("/pricing", {"user_agent": "Safari"})


def test_an_import_of_history_is_taken_back_with_its_standard_activities():
    ann, boss = make_person().pk, get_user_model().objects.create_superuser("olga", password="x")
    job = imported(boss, extract((ann, 1, "/pricing", {}), (ann, 10, "Newsletter", {})), **HISTORY)
    assert job.added == 2
    import_undo.request_import_undo(job, "wrong file", boss, queue=False)
    import_undo.run_import_undo(job.pk)
    assert not Activity.objects.filter(activity_type_id__in=HISTORY_TYPES).exists()


def test_rejected_rows_of_history_are_retried_with_the_same_right():
    ann, boss = make_person().pk, get_user_model().objects.create_superuser("olga", password="x")
    assert imported(boss, extract((ann, 1, "", {})), **HISTORY).refused == 1
    (row,) = RefusedActivity.objects.all()
    replay.correct_rows([row.pk], "primary_value", "/pricing", boss)
    assert replay.replay_rows([row.pk], user_with(RECORD_ACTIVITY, CHANGE_REFUSEDACTIVITY)).recorded == 0
    assert replay.replay_rows([row.pk], boss, backfill=False).recorded == 1
    assert Activity.objects.get(activity_type_id=1).is_backfill


def test_the_command_imports_history_where_it_is_called_so(tmp_path):
    ann = make_person().pk
    path = tmp_path / "extract.csv"
    path.write_text(extract((ann, 1, "/pricing", {})))
    named = ["import_activities", str(path), "--person-field", "id", "--no-progress"]
    with pytest.raises((SystemExit, CommandError)):
        call_command(*named, stdout=StringIO(), stderr=StringIO())
    assert not Activity.objects.filter(activity_type_id=1).exists()
    call_command(*named, "--backfill", stdout=StringIO(), stderr=StringIO())
    assert Activity.objects.get(activity_type_id=1).is_backfill


def test_rows_as_marketo_documents_them_are_taken_and_cut_never_rejected():
    """The example of Marketo's documentation, and values of the web that are longer than a text field."""
    ann = make_person().pk
    visit = {
        "Client IP Address": "10.0.19.252", "Query Parameters": "", "Referrer URL": "", "User Agent": "Mozilla/5.0",
        "Webpage URL": "/munchkintest2.html",
    }  # fmt: skip
    long = {"User Agent": "M" * 300, "Query Parameters": "q" * 400, "Webpage URL": "/" + "p" * 300}
    job = imported(
        None,
        extract(
            (ann, 1, "localhost/munchkintest2.html", visit),
            (ann, 1, "a/" + "b" * 400, long),
            (ann, 11, "Mail", {"Link": "https://x.example/?" + "y" * 400, "Link ID": "7"}),
        ),
        lookup_field="id",
        **HISTORY,
    )
    assert (job.added, job.refused) == (3, 0), list(job.failures.values_list("problems", flat=True))
    first, second, click = Activity.objects.filter(person_id=ann, activity_type_id__in=(1, 11)).order_by("pk")
    assert first.attributes["page_path"] == "/munchkintest2.html"
    assert (len(second.primary_value), second.primary_value[:3]) == (255, "a/b")
    lengths = {name: len(value) for name, value in second.attributes.items()}
    assert lengths == {"user_agent": 255, "query_parameters": 255, "page_path": 301, "query": 400}
    assert click.primary_value == "Mail"


MAIL = {"Campaign Run ID": "1", "Choice Number": "0", "Step ID": "5", "Test Variant": "0"}


@pytest.mark.parametrize(
    ("type_id", "attributes"),
    [
        (6, {**MAIL, "Has Predictive": "false"}),
        (7, {**MAIL, "Has Predictive": "false"}),
        (8, {**MAIL, "Category": "1", "Details": "x", "Email": "a@b.example", "Subcategory": "1004"}),
        (9, {**MAIL, "Client IP Address": "1.2.3.4", "Form Fields": "x", "Webform ID": "1", "Webpage ID": "2"}),
        (10, {**MAIL, "Device": "iPhone", "Is Mobile Device": "true", "Platform": "iOS", "Has Predictive": "false"}),
        (
            11,
            {
                **MAIL,
                "Link": "https://x.example",
                "Link ID": "3",
                "Is Predictive Content": "false",
                "Browser": "Chrome",
            },
        ),
        (27, {**MAIL, "Category": "5", "Details": "x", "Email": "a@b.example", "Subcategory": "5000"}),
        (1, {"Webpage ID": "1", "Search Engine": "Google", "Personalized URL": "", "Token": ""}),
    ],
)
def test_the_attributes_that_marketos_types_carry_are_known(type_id, attributes):
    ann = make_person().pk
    job = imported(None, extract((ann, type_id, "Mail", attributes)), **HISTORY)
    assert (job.added, job.refused) == (1, 0), list(job.failures.values_list("problems", flat=True))
