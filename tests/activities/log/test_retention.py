"""Removals from the log: by retention, by undoing an import; and the proof that nothing else left."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from activities.log import retention, verify
from activities.models import (
    CONSENT_TYPES,
    Activity,
    ActivityDay,
    ActivityKey,
    ActivityRemoval,
    ActivityType,
    RefusedActivity,
    Retention,
)
from people.core.errors import RejectedError
from people.core.source import SYSTEM
from people.files.imports import jobs as import_jobs
from people.files.imports import runner as import_runner
from people.models import Import
from people.persons import import_undo, upsert
from people.persons import merge as person_merge
from tests.activities.recording.test_import_jobs import HEADER, done, plan, rows, uploaded
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_by_our_clock, record_rows

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.FILES_DIR = tmp_path


@pytest.fixture
def check(db):
    return approved_type()


def run(command, *arguments):
    out = StringIO()
    call_command(command, *arguments, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def stored(check):
    return Activity.objects.filter(activity_type_id=check.pk)


def ago(**past):
    return (timezone.now() - timedelta(**past)).isoformat()


def test_nothing_goes_unless_a_type_is_given_a_retention(check):
    record_rows(new_activity(make_person().pk, occurred_at="1950-01-01T00:00:00Z"))
    assert retention.run_retention() == 0
    assert run("retention") == "Everything is kept for ever."


def test_what_is_past_its_time_goes_with_an_entry_and_keeps_its_key(check, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    other = approved_type("Open Account", "openAccount")
    ann = make_person()
    old = [new_activity(ann.pk, occurred_at=ago(days=100 + n), external_id=n) for n in range(5)]
    record_rows(
        *old, new_activity(ann.pk, occurred_at=ago(days=50)), new_activity(ann.pk, "openAccount", ago(days=100))
    )
    retention.set_retention(check, 3, None)
    (due,) = retention.due_removals()
    assert due.count == 5 and stored(check).count() == 6
    assert "depositCheck is kept for 3 months: 5 activities" in run("retention")
    assert run("retention", "--run") == "5 activities removed."
    assert stored(check).count() == 1 and stored(other).count() == 1
    assert ActivityRemoval.objects.filter(reason="retention").count() == 5
    assert [outcome.status for outcome in record_rows(*old)] == ["repeated"] * 5
    run("retention", "--type", "depositCheck", "--months", "0")
    assert run("retention") == "Everything is kept for ever."


def test_changes_of_people_have_a_retention_where_it_is_set(check):
    ann = make_person(city="Lima")
    upsert.update_person(ann, {"city": "Quito"}, MARKETO)
    retention.set_retention(ActivityType.objects.get(pk=13), 3, None)
    assert retention.run_retention() == 0
    with time_machine.travel(datetime.now(UTC) + timedelta(days=120)):
        assert retention.run_retention() == 1
    assert list(Activity.objects.of_person(ann.pk).values_list("activity_type_id", flat=True)) == [12]


def test_retention_takes_sensible_numbers(check):
    for months in (0, -1, 10_000):
        with pytest.raises(RejectedError):
            retention.set_retention(check, months, None)


def test_an_import_is_taken_back_and_the_corrected_file_comes_in(check, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 4)
    kept = record_rows(new_activity(make_person().pk))
    job = done(uploaded(HEADER + rows(10) + "p1@example.com,x,y,z,1\n"))
    assert RefusedActivity.objects.filter(origin_id=job.pk).count() == 1
    assert run("take_back_import", str(job.pk), "--reason", "wrong amounts", "--dry-run").startswith(
        "Dry run, nothing was removed: 10 activities and 7 people"
    )
    said = run("take_back_import", str(job.pk), "--reason", "wrong amounts")
    assert said.startswith("10 activities and 7 people of import")
    assert [row.pk for row in stored(check)] == [kept[0].activity_id]
    assert ActivityRemoval.objects.filter(reason="undo").count() == 10
    assert not ActivityKey.objects.exists() and not RefusedActivity.objects.exists()
    job.refresh_from_db()
    assert job.state == Import.State.TAKEN_BACK
    with pytest.raises(RejectedError):
        import_jobs.take_step(job, "resume", None, queue=False)
    repeated = run("take_back_import", str(job.pk), "--reason", "again")
    assert repeated.startswith("10 activities and 7 people of import")  # removed in all
    assert ActivityRemoval.objects.filter(reason="undo").count() == 10
    again = done(uploaded(HEADER + rows(10)))
    assert again.added == 10


def test_what_cannot_be_taken_back(check):
    people = import_jobs.upload_file([b"email\na@example.com\n"], "p.csv", "people", None)
    with pytest.raises(CommandError, match="recorded nothing"):
        run("take_back_import", str(people.pk), "--reason", "x")
    job = uploaded(HEADER + rows(1))
    import_jobs.take_step(job, "start", None, queue=False)
    with pytest.raises(CommandError, match="Pause or cancel"):
        run("take_back_import", str(job.pk), "--reason", "x")
    import_runner.run_import(job.pk)
    with pytest.raises(CommandError, match="Give a reason"):
        run("take_back_import", str(job.pk), "--reason", " ")
    with pytest.raises(CommandError, match="no import 999"):
        run("take_back_import", "999", "--reason", "x")


def tomorrow():
    """A moment at which today is over and settled, and no other day is."""
    return timezone.now().astimezone(UTC).replace(hour=2, minute=0) + timedelta(days=1)


@pytest.fixture
def days(check):
    """Five closed days of the log, each with activities; set back in the past behind the product's back."""
    ann = make_person()
    outcomes = record_rows(*(new_activity(ann.pk, primary_value=number) for number in range(10)))
    first = timezone.now().astimezone(UTC).replace(hour=12) - timedelta(days=20)
    with connection.cursor() as cursor:
        cursor.execute("alter table activity disable trigger user")
        for number, outcome in enumerate(outcomes):
            moment = first + timedelta(days=number // 2)
            cursor.execute("update activity set recorded_at = %s where id = %s", [moment, outcome.activity_id])
        cursor.execute("delete from activity where recorded_at > %s", [first + timedelta(days=10)])
        cursor.execute("alter table activity enable trigger user")
    assert verify.close_days(first + timedelta(days=5, hours=2)) == 5
    assert verify.verify_log() == []
    with connection.cursor() as cursor:  # behind the product's back, as an owner of the database can
        cursor.execute("alter table activity_day disable trigger user")
    return [first.date() + timedelta(days=number) for number in range(5)]


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_a_closed_day_that_was_removed_is_noticed(days, place):
    ActivityDay.objects.filter(day=days[place]).delete()
    assert verify.verify_log()
    # also when a later closing has come by
    verify.close_days(tomorrow())
    assert any(finding.fault for finding in verify.verify_log())


def test_a_day_that_was_written_anew_with_its_rows_is_noticed(days):
    removed = Activity.objects.filter(recorded_at__date=days[2]).first()
    with connection.cursor() as cursor:
        cursor.execute("alter table activity disable trigger user")
        cursor.execute("delete from activity where id = %s", [removed.pk])
        cursor.execute("alter table activity enable trigger user")
    count, total = verify._sum(days[2])
    ActivityDay.objects.filter(day=days[2]).update(count=count, digest=total)
    assert [finding.day for finding in verify.verify_log()] == [days[2]]


def test_a_chain_that_was_written_anew_differs_from_its_head_noted_elsewhere(days):
    noted = " ".join(map(str, verify.chain_head()))
    assert verify.compare_head(noted) is None
    ActivityDay.objects.filter(day__gte=days[3]).delete()
    assert verify.compare_head(noted).day == days[4]
    ActivityDay.objects.filter(day=days[1]).update(count=7)
    ActivityDay.objects.update(chain=None)
    verify.close_days(timezone.now() - timedelta(days=15) + timedelta(hours=2))
    assert verify.compare_head(noted) is not None
    with pytest.raises(CommandError, match="no head"):
        run("verify_activities", "--head", "yesterday")
    with pytest.raises(SystemExit):
        run("verify_activities", "--head", noted)


def test_rows_of_before_the_first_closed_day_are_noticed(days):
    ActivityDay.objects.filter(day__lte=days[1]).delete()
    ActivityDay.objects.update(chain=None)
    verify.close_days(tomorrow())
    assert [(finding.day, "before" in finding.fault) for finding in verify.verify_log()] == [(days[0], True)]


def test_days_that_the_version_before_closed_get_their_links_with_the_next(days):
    chain = verify.chain_head()
    ActivityDay.objects.filter(day__gte=days[3]).update(chain=None)
    assert verify.verify_log() == [] and verify.chain_head()[0] == days[2]
    verify.close_days(timezone.now() - timedelta(days=30))
    assert verify.chain_head() == chain


def test_activities_are_recorded_and_days_closed_by_the_clock_of_the_database(check):
    ann = make_person()
    with time_machine.travel(timezone.now() - timedelta(hours=3), tick=False):
        (outcome,) = record_rows(new_activity(ann.pk))
        job = done(uploaded(HEADER + rows(10), plan()))
    for row in Activity.objects.filter(pk__in=[outcome.activity_id, job.first_id]):
        assert abs(row.recorded_at - timezone.now()) < timedelta(minutes=5)
    with time_machine.travel(timezone.now() + timedelta(days=3)):
        assert verify.close_days() == 0


def test_a_day_that_is_not_over_is_not_closed(check):
    record_rows(new_activity(make_person().pk))
    assert verify.close_days() == 0
    assert verify.close_days(tomorrow()) == 1
    assert verify.close_days(tomorrow()) == 0
    assert ActivityDay.objects.get().count == Activity.objects.count()


def test_removals_and_merges_with_their_entries_add_up(check, monkeypatch):
    record_by_our_clock(monkeypatch)
    ann, bob = make_person(), make_person()
    record_rows(
        *(new_activity(ann.pk, occurred_at=ago(days=200), primary_value=n) for n in range(5)), new_activity(bob.pk)
    )
    job = done(uploaded(HEADER + rows(10), plan()))
    with time_machine.travel(tomorrow()):
        verify.close_days(timezone.now())
        before = ActivityDay.objects.get().count
        retention.set_retention(check, 3, None)
        assert retention.run_retention() == 5
        import_undo.request_import_undo(job, "wrong", None, queue=False)
        import_undo.run_import_undo(job.pk)
        job.refresh_from_db()
        assert job.undo["activities"] == 10
        person_merge.merge_people(bob.pk, [ann.pk], None, SYSTEM)
    assert ActivityDay.objects.get().count == before
    assert verify.verify_log() == []
    assert run("verify_activities") == "1 days verified: nothing is missing, nothing was altered."


def past_the_guards(statement, *parameters):
    """Execute a statement on the log while its triggers are switched off."""
    with transaction.atomic(), connection.cursor() as cursor:
        # deferred triggers of the test's own transaction would be in the way
        cursor.execute("set constraints all immediate")
        cursor.execute("alter table activity disable trigger user")
        cursor.execute(statement, parameters)
        cursor.execute("alter table activity enable trigger user")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("delete from activity where id = %s", "1 of "),
        ("update activity set primary_value = 'No. 2' where id = %s", "content"),
        ("update activity set attributes = '{\"pages\": 4}' where id = %s", "content"),
        ("update activity set occurred_at = '2020-01-01' where id = %s", "content"),
        pytest.param(
            "update activity set person_id = person_id + 1 where id = %s",
            "content",
            marks=pytest.mark.one_server("a cluster itself refuses to change whose row it is"),
        ),
        ("update activity set user_id = 7 where id = %s", "content"),
    ],
)
def test_whatever_is_done_past_the_guards_is_found(check, statement, said):
    (outcome,) = record_rows(new_activity(make_person().pk, pages=3))
    total = Activity.objects.count()
    verify.close_days(tomorrow())
    assert verify.verify_log() == []
    past_the_guards(statement, outcome.activity_id)
    (finding,) = verify.verify_log()
    assert (said if said == "content" else f"{total - 1} of {total}") in str(finding)
    with pytest.raises(SystemExit) as stop:
        run("verify_activities")
    assert stop.value.code == 1


def test_a_row_moved_to_another_day_is_missed_on_its_own(check):
    (outcome,) = record_rows(new_activity(make_person().pk))
    verify.close_days(tomorrow())
    past_the_guards("update activity set recorded_at = '2020-01-01' where id = %s", outcome.activity_id)
    # and found on the day where it is now, which is before all that are closed
    assert [bool(finding.fault) for finding in verify.verify_log()] == [True, False]


@pytest.mark.parametrize("type_id", CONSENT_TYPES)
def test_consent_is_kept_for_ever(type_id):
    consent = ActivityType.objects.get(pk=type_id)
    with pytest.raises(RejectedError) as refusal:
        retention.set_retention(consent, 12, None)
    assert refusal.value.code == "standard_type"
    assert retention.set_retention(consent, None, None) is None
    with pytest.raises(IntegrityError, match="activity_retention_keeps_consent"), transaction.atomic():
        Retention.objects.create(activity_type=consent, months=12)
