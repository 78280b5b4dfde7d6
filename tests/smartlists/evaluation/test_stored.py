"""Stored evaluations: one number for all users, who joined and left, what runs when, and deleted people."""

import threading
import time
from datetime import timedelta
from datetime import timezone as dt_timezone

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from people.core import job_model
from people.core.errors import NotAllowedError, RejectedError
from people.core.installation import installation_zone
from people.core.source import Channel, Source
from people.models import Person
from people.persons import deletion
from people.persons import merge as person_merge
from people.privacy import erasure
from smartlists import tasks
from smartlists.evaluation import evaluator
from smartlists.evaluation import stored as stored_evaluations
from smartlists.evaluation.postgres import snapshot, statements
from smartlists.evaluation.postgres.conditions import Sql
from smartlists.lists import editing as list_editing
from smartlists.models import ListWatch, SmartCampaign, SmartList, StoredEvaluation
from smartlists.rules import model as rules
from tests.activities.recording.test_races import InThread
from tests.factories import approved_type
from tests.factories import make_person as new_person
from tests.smartlists.lists.test_editing import form, user
from tests.smartlists.rule_factories import activity_filter, parse_filters, person_field_filter

pytestmark = pytest.mark.django_db
SYSTEM = Source(Channel.SYSTEM)
SPAIN = form(person_field_filter("country", "is", "Spain"))


@pytest.fixture
def spaniards():
    return list_editing.create_smart_list("Spaniards", SPAIN, None)


def people(*countries):
    return [new_person(country=country).pk for country in countries]


def test_everybody_sees_the_same_evaluation_until_there_is_a_new_one(spaniards):
    ann, _bob = people("Spain", "Chile")
    first = stored_evaluations.current_or_new_evaluation(spaniards, None)
    assert (first.state, first.count, first.per_filter, set(first.person_ids)) == ("done", 1, [1], {ann})
    assert first.as_of <= timezone.now() and first.seconds > 0 and first.rules == SPAIN
    (cas,) = people("Spain")
    assert stored_evaluations.current_or_new_evaluation(spaniards, user("Viewer")).pk == first.pk
    second = stored_evaluations.evaluate_list(spaniards, None)
    assert stored_evaluations.current_or_new_evaluation(spaniards, None).pk == second.pk
    assert stored_evaluations.page_of_members(second, 0, 1) == [ann] and stored_evaluations.page_of_members(
        second, 1, 5
    ) == [cas]
    assert [set(part) for part in stored_evaluations.membership_changes(second)] == [{cas}, set()]
    Person.objects.filter(pk=ann).update(country="Chile")
    assert [
        set(part) for part in stored_evaluations.membership_changes(stored_evaluations.evaluate_list(spaniards, None))
    ] == [set(), {ann}]
    assert spaniards.evaluations.count() == 3


def test_changed_rules_are_evaluated_when_next_looked_at(spaniards):
    _ann, bob = people("Spain", "Chile")
    stored_evaluations.current_or_new_evaluation(spaniards, None)
    list_editing.rename_smart_list(spaniards, "Renamed", None)
    assert (
        spaniards.evaluations.count() == 1 and stored_evaluations.current_or_new_evaluation(spaniards, None).count == 1
    )
    assert spaniards.evaluations.count() == 1
    list_editing.change_smart_list(spaniards, None, value=form(person_field_filter("country", "is", "Chile")))
    assert set(stored_evaluations.current_or_new_evaluation(spaniards, None).person_ids) == {bob}


def test_rights_are_asked_for(spaniards):
    nobody = user("Exporter")
    for verb in (
        lambda: stored_evaluations.current_or_new_evaluation(spaniards, nobody),
        lambda: stored_evaluations.evaluate_list(spaniards, nobody),
        lambda: stored_evaluations.request_evaluation(spaniards, nobody),
        lambda: stored_evaluations.count_people(SPAIN, nobody, "x"),
    ):
        with pytest.raises(NotAllowedError):
            verb()


def test_an_older_evaluation_never_takes_the_place_of_a_newer_one(spaniards, monkeypatch):
    slow, quick = (StoredEvaluation.objects.create(smart_list=spaniards, rules=SPAIN, revision=1) for _ in range(2))
    real = evaluator.evaluate_rules

    def overtaken(*arguments, **more):
        found = real(*arguments, **more)
        people("Spain")
        stored_evaluations.run_evaluation(quick.pk)
        return found

    monkeypatch.setattr(
        evaluator,
        "evaluate_rules",
        lambda *arguments, **more: (
            monkeypatch.setattr(evaluator, "evaluate_rules", real),
            overtaken(*arguments, **more),
        )[1],
    )
    assert stored_evaluations.run_evaluation(slow.pk).count == 0
    current = SmartList.objects.get().current
    assert (current.pk, current.count) == (quick.pk, 1)
    assert stored_evaluations.run_evaluation(slow.pk) is None  # done already
    assert StoredEvaluation.objects.filter(state="done").count() == 2
    # one requested first and done last is the newest, too
    late = StoredEvaluation.objects.create(smart_list=spaniards, rules=SPAIN, revision=1, requested_by=user("Viewer"))
    stored_evaluations.evaluate_list(spaniards, None)
    stored_evaluations.run_evaluation(late.pk)
    assert SmartList.objects.get().current_id == late.pk


def test_what_goes_wrong_is_kept_with_the_evaluation(spaniards, monkeypatch):
    def slow(*_arguments, **_more):
        raise RejectedError(snapshot._too_slow(3).problems[0])

    monkeypatch.setattr(evaluator, "evaluate_rules", slow)
    with pytest.raises(RejectedError, match="3 seconds"):
        stored_evaluations.evaluate_list(spaniards, None)
    stored = StoredEvaluation.objects.get()
    assert stored.state == "failed" and "3 seconds" in stored.problem
    assert SmartList.objects.get().current is None


def test_one_that_waits_is_not_asked_for_twice_and_a_worker_does_it(spaniards):
    first = stored_evaluations.request_evaluation(spaniards, None)
    assert stored_evaluations.request_evaluation(spaniards, None).pk == first.pk
    job = ProcrastinateJob.objects.get(task_name="smartlists.run_evaluation")
    assert job.args == {"evaluation_id": first.pk}
    tasks.run_evaluation(**job.args)
    tasks.run_evaluation(**job.args)
    assert SmartList.objects.get().current_id == first.pk
    assert stored_evaluations.request_evaluation(spaniards, None).pk != first.pk


def test_quick_lists_are_refreshed_by_themselves_within_a_share_of_the_hour(spaniards):
    quick, slow, on_request, unasked = (
        list_editing.create_smart_list(name, form(), None) for name in ("Quick", "Slow", "On request", "Never counted")
    )
    list_editing.schedule_evaluations(on_request, None, None, is_refreshed=False)
    for smart_list in (quick, slow, on_request, spaniards):
        stored_evaluations.evaluate_list(smart_list, None)
    slow.evaluations.update(seconds=2.0)
    list_editing.archive_smart_list(spaniards, None)
    assert stored_evaluations.due_lists() == []
    hour_later = timezone.now() + timedelta(minutes=61)
    assert stored_evaluations.due_lists(hour_later) == [quick]
    assert stored_evaluations.is_too_slow_to_refresh(slow) and not stored_evaluations.is_too_slow_to_refresh(quick)

    StoredEvaluation.objects.create(smart_list=quick, rules=quick.rules, revision=1, state="failed", problem="timeout")
    assert stored_evaluations.due_lists(hour_later + timedelta(hours=1)) == []
    assert stored_evaluations.is_too_slow_to_refresh(quick) and not stored_evaluations.is_too_slow_to_refresh(unasked)


def test_what_refreshes_take_together_is_bounded(spaniards):
    """180 seconds of an hour: of 100 lists of 1.9 seconds 94 have their turn, the others come first next time."""
    now = timezone.now()
    rules = spaniards.rules
    lists = SmartList.objects.bulk_create(SmartList(name=f"L{number}", rules=rules) for number in range(100))
    counted = StoredEvaluation.objects.bulk_create(
        StoredEvaluation(
            smart_list=smart_list, rules=rules, revision=1, state="done", as_of=now, count=0, seconds=1.9, members=b""
        )
        for smart_list in lists
    )
    for smart_list, evaluation in zip(lists, counted, strict=True):
        smart_list.current = evaluation
    SmartList.objects.bulk_update(lists, ["current"])
    hour_later = now + timedelta(minutes=61)
    due = stored_evaluations.due_lists(hour_later)
    assert due == lists[:94]
    for smart_list in due:
        stored_evaluations.request_evaluation(smart_list, None)
    StoredEvaluation.objects.filter(state="pending").update(requested_at=hour_later)
    assert stored_evaluations.due_lists(hour_later + timedelta(minutes=1)) == []


def test_schedules_and_the_dead(spaniards):
    hourly = list_editing.schedule_evaluations(list_editing.create_smart_list("Hourly", form(), None), 60, None)
    put_away = list_editing.archive_smart_list(
        list_editing.schedule_evaluations(list_editing.create_smart_list("Old", form(), None), 60, None), None
    )
    assert stored_evaluations.due_lists() == [hourly] and put_away.is_archived
    tasks.evaluate_due_lists(0)
    assert stored_evaluations.due_lists() == []
    waiting = StoredEvaluation.objects.get()
    assert waiting.smart_list == hourly and waiting.state == "pending"
    assert stored_evaluations.due_lists(timezone.now() + timedelta(minutes=61)) == [hourly]
    StoredEvaluation.objects.update(state="running", progressed_at=timezone.now())
    assert job_model.reclaim_jobs() == 0
    assert job_model.reclaim_jobs(timezone.now() + timedelta(hours=1)) == 1
    dead = StoredEvaluation.objects.get()
    assert dead.state == "failed" and "ended" in dead.problem


def test_old_evaluations_keep_their_counts_only(spaniards, monkeypatch):
    monkeypatch.setattr(stored_evaluations, "KEPT", 2)
    people("Spain")
    viewer = user("Viewer")
    for _ in range(4):
        stored_evaluations.evaluate_list(spaniards, viewer)
    assert list(spaniards.evaluations.order_by("pk").values_list("count", flat=True)) == [1, 1, 1, 1]
    assert [row.members is None for row in spaniards.evaluations.order_by("pk")] == [True, True, False, False]


def test_who_goes_leaves_what_lists_show(spaniards):
    ann, bob, cas, dan = people("Spain", "Spain", "Spain", "Spain")
    earlier = stored_evaluations.evaluate_list(spaniards, None)
    stored_evaluations.evaluate_list(spaniards, None)
    deletion.delete_people([ann], None, SYSTEM)
    assert (
        stored_evaluations.current_or_new_evaluation(spaniards, None).count,
        set(stored_evaluations.current_or_new_evaluation(spaniards, None).person_ids),
    ) == (3, {bob, cas, dan})
    person_merge.merge_people(bob, [cas], None, SYSTEM)
    assert set(stored_evaluations.current_or_new_evaluation(spaniards, None).person_ids) == {bob, dan}
    earlier.refresh_from_db()
    assert earlier.count == 4


def test_the_erased_leave_every_evaluation(spaniards):
    ann, bob = people("Spain", "Spain")
    stored_evaluations.evaluate_list(spaniards, None)
    stored_evaluations.evaluate_list(spaniards, None)
    assert len(stored_evaluations.evaluations_with_people([ann])) == 2
    erasure.erase_people([ann], None, SYSTEM)
    assert stored_evaluations.evaluations_with_people([ann]) == []
    assert [(row.count, set(row.person_ids)) for row in spaniards.evaluations.all()] == [(1, {bob}), (1, {bob})]


@pytest.mark.django_db(transaction=True)
def test_nobody_deleted_meanwhile_is_stored(monkeypatch):
    spaniards = list_editing.create_smart_list("Spaniards", SPAIN, None)
    ann, bob = people("Spain", "Spain")
    real = evaluator.evaluate_rules

    def and_then_ann_goes(*arguments, **more):
        found = real(*arguments, **more)
        InThread(lambda: deletion.delete_people([ann], None, SYSTEM)).result()
        return found

    monkeypatch.setattr(evaluator, "evaluate_rules", and_then_ann_goes)
    assert set(stored_evaluations.evaluate_list(spaniards, None).person_ids) == {bob}


@pytest.mark.django_db(transaction=True)
def test_everything_is_seen_in_one_snapshot(monkeypatch):
    """A person who changes between two filters is seen as she was when the evaluation began."""
    (ann,) = people("Spain")
    card, other = person_field_filter("country", "is", "Spain"), person_field_filter("country", "is", "Chile")
    ask = snapshot.Snapshot.people
    asked = []

    def ask_and_change(self, source):
        found = ask(self, source)
        if not asked:
            asked.append(InThread(lambda: Person.objects.filter(pk=ann).update(country="Chile")).result())
        return found

    monkeypatch.setattr(snapshot.Snapshot, "people", ask_and_change)
    assert set(evaluator.evaluate_members(parse_filters(card, other, match="any"))) == {ann}
    assert set(evaluator.evaluate_members(parse_filters(card, other))) == set()
    assert set(evaluator.evaluate_members(parse_filters(other))) == {ann}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("by_newer_count", [False, True])
def test_a_count_under_way_ends_when_its_answer_is_no_longer_wanted(monkeypatch, by_newer_count):
    approved_type()
    started = threading.Event()
    slow = Sql("(select 1 as person from pg_sleep(20)) found")

    def slowly(item, context):
        started.set()
        return statements.FilterStatement(slow)

    monkeypatch.setattr(statements, "filter_statement", slowly)
    counting = InThread(lambda: stored_evaluations.count_people(parse_filters(activity_filter()), None, "ann's page"))
    assert started.wait(10)
    time.sleep(0.2)
    begun = time.monotonic()
    if by_newer_count:
        assert stored_evaluations.count_people(rules.Rules(), None, "ann's page").count == 0
    else:
        assert snapshot.cancel_evaluations("count ann's page")
    with pytest.raises(snapshot.CancelledError):
        counting.result()
    assert time.monotonic() - begun < 3
    assert not snapshot.cancel_evaluations("count ann's page")
    assert not snapshot.cancel_evaluations("count another page")


@pytest.mark.django_db(transaction=True)
def test_a_stored_evaluation_can_be_cancelled(monkeypatch):
    spaniards = list_editing.create_smart_list("Spaniards", SPAIN, None)
    waiting = stored_evaluations.request_evaluation(spaniards, None)
    assert stored_evaluations.cancel_evaluation(waiting, None)
    assert stored_evaluations.run_evaluation(waiting.pk) is None
    waiting.refresh_from_db()
    assert waiting.state == "failed" and "cancelled" in waiting.problem


@pytest.mark.django_db(transaction=True)
def test_an_evaluation_only_reads(monkeypatch):
    def write(self, source):
        with connection.cursor() as cursor:
            cursor.execute("create table written (id int)")

    monkeypatch.setattr(snapshot.Snapshot, "people", write)
    with pytest.raises(Exception, match="read-only transaction"):
        evaluator.evaluate_members(rules.Rules())
    with transaction.atomic():
        assert Person.objects.count() == 0


def refresh(smart_list):
    stored = stored_evaluations.request_evaluation(smart_list, None)
    return stored_evaluations.run_evaluation(stored.pk)


def test_refreshes_that_change_nothing_add_no_rows(spaniards):
    (ann,) = people("Spain")
    first = refresh(spaniards)
    second = refresh(spaniards)
    moments = [refresh(spaniards).as_of for _ in range(5)]
    assert list(spaniards.evaluations.order_by("pk")) == [first, second], "the change keeps its moment"
    spaniards.refresh_from_db()
    assert spaniards.current == second and spaniards.current.as_of == max(moments) > second.as_of
    assert set(spaniards.current.person_ids) == {ann}
    assert stored_evaluations.due_lists() == [], "it was looked at just now"
    asked = stored_evaluations.evaluate_list(spaniards, user("Viewer"))
    assert refresh(spaniards) not in (first, second, asked), "what a user asked for stays as it was"
    people("Spain")
    assert refresh(spaniards).count == 2 and spaniards.evaluations.count() == 5


def test_a_waiting_refresh_that_a_user_asks_for_too_is_kept(spaniards):
    for _ in range(2):
        refresh(spaniards)
    waiting = stored_evaluations.request_evaluation(spaniards, None)
    assert stored_evaluations.request_evaluation(spaniards, user("Viewer")) == waiting
    assert stored_evaluations.run_evaluation(waiting.pk) == waiting


def test_a_list_that_failed_once_is_refreshed_again_after_a_success(spaniards):
    """A success that changes nothing extends the row of before the failure: the moment counts, not the order of rows."""
    for _ in range(2):
        refresh(spaniards)
    StoredEvaluation.objects.create(smart_list=spaniards, rules=SPAIN, revision=1, state="failed", problem="timeout")
    later = timezone.now() + timedelta(hours=2)
    assert stored_evaluations.is_too_slow_to_refresh(spaniards) and stored_evaluations.due_lists(later) == []
    refresh(spaniards)
    spaniards.refresh_from_db()
    assert spaniards.evaluations.count() == 3, "the current row was extended"
    assert not stored_evaluations.is_too_slow_to_refresh(spaniards)
    assert stored_evaluations.refresh_plan(spaniards).reason == "automatic"
    assert stored_evaluations.due_lists(later) == [spaniards]


def test_a_long_history_is_deleted_in_bounded_parts(spaniards, monkeypatch):
    monkeypatch.setattr(stored_evaluations, "KEPT", 2)
    long_ago = timezone.now() - timedelta(days=3_000)
    row = {"smart_list": spaniards, "rules": SPAIN, "revision": 1, "state": "done", "count": 0, "seconds": 0.1}
    StoredEvaluation.objects.bulk_create(
        StoredEvaluation(**row, as_of=long_ago, joined=b"x" * 1_000) for _number in range(2_500)
    )
    StoredEvaluation.objects.update(requested_at=long_ago)
    for left in (1_501, 502, 2):
        with CaptureQueriesContext(connection) as captured:
            stored_evaluations.evaluate_list(spaniards, None)
        assert spaniards.evaluations.count() in (left, left + 1)
        read = [query["sql"] for query in captured if '"joined"' in query["sql"] and query["sql"].startswith("SELECT")]
        assert len(captured) < 40 and all("LIMIT" in sql or "IN (" not in sql for sql in read)


def test_days_of_the_history_are_those_of_the_installation(spaniards, monkeypatch):
    """For every user: a day of theirs may be two of the installation's."""
    monkeypatch.setattr(stored_evaluations, "KEPT", 1)
    midnight = timezone.now().astimezone(installation_zone()).replace(hour=0, minute=0, second=0) - timedelta(days=9)
    row = {"smart_list": spaniards, "rules": SPAIN, "revision": 1, "state": "done", "count": 0, "seconds": 0.1}
    moments = [midnight + timedelta(hours=hours) for hours in (-2, -1, 1, 2)]
    StoredEvaluation.objects.bulk_create(StoredEvaluation(**row, as_of=moment) for moment in moments)
    with timezone.override(dt_timezone(timedelta(hours=12))):
        stored_evaluations.evaluate_list(spaniards, None)
    assert [row.as_of for row in spaniards.evaluations.order_by("pk")][:-1] == [moments[1], moments[3]]


@pytest.mark.django_db(transaction=True)
def test_the_moment_of_a_current_evaluation_stays_while_a_watch_of_it_is_written():
    spaniards = list_editing.create_smart_list("Spaniards", SPAIN, None)
    for _ in range(2):
        refresh(spaniards)
    campaign = SmartCampaign.objects.create(name="Watching", definition={})
    watch = ListWatch.objects.create(campaign=campaign, smart_list=spaniards, evaluation_id=0, members=b"")
    with transaction.atomic():
        current = stored_evaluations.lock_current_evaluation(spaniards.pk)
        refreshing = InThread(lambda: refresh(spaniards))
        refreshing.join(0.5)
        assert refreshing.is_alive(), "it waits for the watch"
        ListWatch.objects.filter(pk=watch.pk).update(evaluation_id=current.pk, as_of=current.as_of)
    moved = refreshing.result()
    watch.refresh_from_db()
    assert moved.pk == current.pk and watch.as_of == moved.as_of > current.as_of


def test_history_of_refreshes_is_bounded(spaniards, monkeypatch):
    """Beyond the newest ones the last of each day stays, for two years; those that users requested stay."""
    monkeypatch.setattr(stored_evaluations, "KEPT", 5)
    now = timezone.now().replace(hour=12)
    asked_by = user("Viewer")
    for hours in range(24 * 800, 0, -24 * 100 // 8):
        moment = now - timedelta(hours=hours)
        row = StoredEvaluation.objects.create(
            **{"smart_list": spaniards, "rules": SPAIN, "revision": 1, "state": "done", "as_of": moment},
            **{"count": 0, "seconds": 0.1, "requested_by": asked_by if hours == 24 * 800 else None},
        )
        StoredEvaluation.objects.filter(pk=row.pk).update(requested_at=moment)
    for hours in range(96, 48, -1):
        moment = now - timedelta(hours=hours)
        StoredEvaluation.objects.create(
            **{"smart_list": spaniards, "rules": SPAIN, "revision": 1, "state": "done", "as_of": moment},
            **{"count": 0, "seconds": 0.1},
        )
    StoredEvaluation.objects.create(smart_list=spaniards, rules=SPAIN, revision=1, state="failed", problem="timeout")
    for country in ("Spain",) * 6:
        people(country)
        refresh(spaniards)
    rows = list(spaniards.evaluations.order_by("pk"))
    assert rows[0].requested_by == asked_by and not any(row.state == "failed" for row in rows)
    days = [row.as_of.date() for row in rows[:-6]]
    assert len(days) == len(set(days)) <= 64 + 4
    assert min(days[1:]) >= (now - timedelta(days=731)).date()
