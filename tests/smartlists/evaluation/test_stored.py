"""Stored evaluations: one number for everybody, who joined and left, what runs when, and people who go."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from people import deleting, merging
from people.models import Person
from people.problems import NotAllowed, Refused
from people.sources import Door, Source
from smartlists import evaluating, evaluation, rules, saving, snapshot, tasks
from smartlists.models import SmartList, StoredEvaluation
from smartlists.operators import Sql
from tests.activities.test_races import InThread
from tests.making import approved_type
from tests.making import person as new_person
from tests.smartlists.making import did, parsed, person
from tests.smartlists.test_saving import form, user

pytestmark = pytest.mark.django_db
SYSTEM = Source(Door.SYSTEM)
SPAIN = form(person("country", "is", "Spain"))


@pytest.fixture
def spaniards():
    return saving.create("Spaniards", SPAIN, None)


def people(*countries):
    return [new_person(country=country).pk for country in countries]


def test_everybody_sees_the_same_evaluation_until_there_is_a_new_one(spaniards):
    ann, _bob = people("Spain", "Chile")
    first = evaluating.shown(spaniards, None)
    assert (first.state, first.count, first.per_filter, set(first.person_ids)) == ("done", 1, [1], {ann})
    assert first.as_of <= timezone.now() and first.seconds > 0 and first.rules == SPAIN
    (cas,) = people("Spain")
    assert evaluating.shown(spaniards, user("Viewer")).pk == first.pk
    second = evaluating.evaluate(spaniards, None)
    assert evaluating.shown(spaniards, None).pk == second.pk
    assert evaluating.page_of(second, 0, 1) == [ann] and evaluating.page_of(second, 1, 5) == [cas]
    assert [set(part) for part in evaluating.changes_of(second)] == [{cas}, set()]
    Person.objects.filter(pk=ann).update(country="Chile")
    assert [set(part) for part in evaluating.changes_of(evaluating.evaluate(spaniards, None))] == [set(), {ann}]
    assert spaniards.evaluations.count() == 3


def test_changed_rules_are_evaluated_when_next_looked_at(spaniards):
    _ann, bob = people("Spain", "Chile")
    evaluating.shown(spaniards, None)
    saving.rename(spaniards, "Renamed", None)
    assert spaniards.evaluations.count() == 1 and evaluating.shown(spaniards, None).count == 1
    assert spaniards.evaluations.count() == 1
    saving.change(spaniards, None, value=form(person("country", "is", "Chile")))
    assert set(evaluating.shown(spaniards, None).person_ids) == {bob}


def test_rights_are_asked_for(spaniards):
    nobody = user("Exporter")
    for verb in (
        lambda: evaluating.shown(spaniards, nobody), lambda: evaluating.evaluate(spaniards, nobody),
        lambda: evaluating.request(spaniards, nobody), lambda: evaluating.count(SPAIN, nobody, "x"),
    ):  # fmt: skip
        with pytest.raises(NotAllowed):
            verb()


def test_an_older_evaluation_never_takes_the_place_of_a_newer_one(spaniards, monkeypatch):
    slow, quick = (StoredEvaluation.objects.create(smart_list=spaniards, rules=SPAIN, revision=1) for _ in range(2))
    real = evaluation.evaluate

    def overtaken(*arguments, **more):
        found = real(*arguments, **more)
        people("Spain")
        evaluating.run(quick.pk)
        return found

    monkeypatch.setattr(evaluation, "evaluate", lambda *arguments, **more: (
        monkeypatch.setattr(evaluation, "evaluate", real), overtaken(*arguments, **more))[1])  # fmt: skip
    assert evaluating.run(slow.pk).count == 0
    current = SmartList.objects.get().current
    assert (current.pk, current.count) == (quick.pk, 1)
    assert evaluating.run(slow.pk) is None  # done already
    assert StoredEvaluation.objects.filter(state="done").count() == 2
    # what was asked for first and done last is the newest, too
    late = StoredEvaluation.objects.create(smart_list=spaniards, rules=SPAIN, revision=1)
    evaluating.evaluate(spaniards, None)
    evaluating.run(late.pk)
    assert SmartList.objects.get().current_id == late.pk


def test_what_goes_wrong_is_kept_with_the_evaluation(spaniards, monkeypatch):
    def slow(*_arguments, **_more):
        raise Refused(snapshot._too_slow(3).problems[0])

    monkeypatch.setattr(evaluation, "evaluate", slow)
    with pytest.raises(Refused, match="3 seconds"):
        evaluating.evaluate(spaniards, None)
    stored = StoredEvaluation.objects.get()
    assert stored.state == "failed" and "3 seconds" in stored.problem
    assert SmartList.objects.get().current is None


def test_one_that_waits_is_not_asked_for_twice_and_a_worker_does_it(spaniards):
    first = evaluating.request(spaniards, None)
    assert evaluating.request(spaniards, None).pk == first.pk
    job = ProcrastinateJob.objects.get(task_name="smartlists.run_evaluation")
    assert job.args == {"evaluation_id": first.pk}
    tasks.run_evaluation(**job.args)
    tasks.run_evaluation(**job.args)
    assert SmartList.objects.get().current_id == first.pk
    assert evaluating.request(spaniards, None).pk != first.pk


def test_schedules_and_the_dead(spaniards):
    hourly = saving.schedule(saving.create("Hourly", form(), None), 60, None)
    put_away = saving.archive(saving.schedule(saving.create("Old", form(), None), 60, None), None)
    assert evaluating.due() == [hourly] and put_away.is_archived
    tasks.go_on(0)
    assert evaluating.due() == []
    waiting = StoredEvaluation.objects.get()
    assert waiting.smart_list == hourly and waiting.state == "pending"
    assert evaluating.due(timezone.now() + timedelta(minutes=61)) == [hourly]
    StoredEvaluation.objects.update(state="running", started_at=timezone.now())
    assert evaluating.give_up_dead() == 0
    assert evaluating.give_up_dead(timezone.now() + timedelta(hours=1)) == 1
    assert StoredEvaluation.objects.get().state == "failed"


def test_old_evaluations_keep_their_counts_only(spaniards, monkeypatch):
    monkeypatch.setattr(evaluating, "KEPT", 2)
    people("Spain")
    for _ in range(4):
        evaluating.evaluate(spaniards, None)
    assert list(spaniards.evaluations.order_by("pk").values_list("count", flat=True)) == [1, 1, 1, 1]
    assert [row.members is None for row in spaniards.evaluations.order_by("pk")] == [True, True, False, False]


def test_who_goes_leaves_what_lists_show(spaniards):
    ann, bob, cas, dan = people("Spain", "Spain", "Spain", "Spain")
    earlier = evaluating.evaluate(spaniards, None)
    evaluating.evaluate(spaniards, None)
    deleting.delete([ann], None, SYSTEM)
    assert (evaluating.shown(spaniards, None).count, set(evaluating.shown(spaniards, None).person_ids)) == (
        3,
        {bob, cas, dan},
    )
    merging.merge(bob, [cas], None, SYSTEM)
    assert set(evaluating.shown(spaniards, None).person_ids) == {bob, dan}
    earlier.refresh_from_db()
    assert earlier.count == 4


def test_the_erased_leave_every_evaluation(spaniards):
    ann, bob = people("Spain", "Spain")
    evaluating.evaluate(spaniards, None)
    evaluating.evaluate(spaniards, None)
    assert len(evaluating.naming([ann])) == 2
    deleting.erase([ann], None, SYSTEM)
    assert evaluating.naming([ann]) == []
    assert [(row.count, set(row.person_ids)) for row in spaniards.evaluations.all()] == [(1, {bob}), (1, {bob})]


@pytest.mark.django_db(transaction=True)
def test_nobody_deleted_meanwhile_is_stored(monkeypatch):
    spaniards = saving.create("Spaniards", SPAIN, None)
    ann, bob = people("Spain", "Spain")
    real = evaluation.evaluate

    def and_then_ann_goes(*arguments, **more):
        found = real(*arguments, **more)
        InThread(lambda: deleting.delete([ann], None, SYSTEM)).result()
        return found

    monkeypatch.setattr(evaluation, "evaluate", and_then_ann_goes)
    assert set(evaluating.evaluate(spaniards, None).person_ids) == {bob}


@pytest.mark.django_db(transaction=True)
def test_everything_is_seen_in_one_snapshot(monkeypatch):
    """A person who changes between two filters is seen as she was when the evaluation began."""
    (ann,) = people("Spain")
    card, other = person("country", "is", "Spain"), person("country", "is", "Chile")
    ask = snapshot.Snapshot.people
    asked = []

    def ask_and_change(self, source):
        found = ask(self, source)
        if not asked:
            asked.append(InThread(lambda: Person.objects.filter(pk=ann).update(country="Chile")).result())
        return found

    monkeypatch.setattr(snapshot.Snapshot, "people", ask_and_change)
    assert set(evaluation.members(parsed(card, other, match="any"))) == {ann}
    assert set(evaluation.members(parsed(card, other))) == set()
    assert set(evaluation.members(parsed(other))) == {ann}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("by_newer_count", [False, True])
def test_a_count_under_way_ends_when_its_answer_is_no_longer_wanted(monkeypatch, by_newer_count):
    approved_type()
    started = threading.Event()
    slow = Sql("(select 1 as person from pg_sleep(20)) found")

    def slowly(item, context):
        started.set()
        return evaluation.statements.Statement(slow)

    monkeypatch.setattr(evaluation.statements, "of_filter", slowly)
    counting = InThread(lambda: evaluating.count(parsed(did()), None, "ann's page"))
    assert started.wait(10)
    time.sleep(0.2)
    begun = time.monotonic()
    if by_newer_count:
        assert evaluating.count(rules.Rules(), None, "ann's page").count == 0
    else:
        assert snapshot.cancel("count ann's page")
    with pytest.raises(snapshot.Cancelled):
        counting.result()
    assert time.monotonic() - begun < 3
    assert not snapshot.cancel("count ann's page")
    assert not snapshot.cancel("count another page")


@pytest.mark.django_db(transaction=True)
def test_a_stored_evaluation_can_be_cancelled(monkeypatch):
    spaniards = saving.create("Spaniards", SPAIN, None)
    waiting = evaluating.request(spaniards, None)
    assert evaluating.cancel(waiting, None)
    assert evaluating.run(waiting.pk) is None
    waiting.refresh_from_db()
    assert waiting.state == "failed" and "cancelled" in waiting.problem


@pytest.mark.django_db(transaction=True)
def test_an_evaluation_only_reads(monkeypatch):
    def write(self, source):
        with connection.cursor() as cursor:
            cursor.execute("create table written (id int)")

    monkeypatch.setattr(snapshot.Snapshot, "people", write)
    with pytest.raises(Exception, match="read-only transaction"):
        evaluation.members(rules.Rules())
    with transaction.atomic():
        assert Person.objects.count() == 0
