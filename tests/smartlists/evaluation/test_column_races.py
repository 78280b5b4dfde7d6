"""The column index and what happens at the same moment: real connections, that commit."""

import multiprocessing
import threading
import time
from datetime import UTC, datetime
from decimal import Decimal
from random import Random

import pytest
from django.db import connection, connections, transaction

from activities.log import retention
from activities.log.columns import builder, files, manifest, relation, session, source, verify
from activities.models import Activity, ActivityChange, ColumnGeneration
from people.core.errors import RejectedError
from people.persons import deletion
from people.persons import merge as person_merge
from people.privacy import erasure
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.evaluation.columns import engine as column_engine
from smartlists.evaluation.evaluator import EvaluationRun
from smartlists.evaluation.postgres.snapshot import cancel_evaluations, open_snapshot
from smartlists.rules.periods import Clock
from tests.activities.recording.test_races import InThread
from tests.factories import MARKETO, ActivityFieldSpec, approved_type, make_person, new_activity, record_rows
from tests.smartlists.rule_factories import (
    activity_filter,
    aggregate_condition,
    count_condition,
    field_constraint,
    parse_filters,
    sequence_filter,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_server("the column index is off on a cluster")]
CARDS = (
    activity_filter(),
    activity_filter(field_constraint("@occurred_at", "in past", "10000 days"), did=False),
    activity_filter(field_constraint("amount", "greater than", "3")),
    activity_filter(count=count_condition("at least", "3")),
    activity_filter(aggregate=aggregate_condition("sum", "amount", "greater than", "20")),
    activity_filter(aggregate=aggregate_condition("last", "amount", "at least", "2")),
    sequence_filter({"type": "depositCheck"}, {"type": "openDoor"}),
)


@pytest.fixture
def check(column_index):
    approved_type("Open Door", "openDoor", [ActivityFieldSpec("door", "Door", is_primary=True)])
    return approved_type()


def both(*cards):
    """(what answered, whether columns and SQL agree) for each card, all in one snapshot."""
    names, pinned = Catalogue(), relation.pin_manifest()
    filters = parse_filters(*cards).filters
    with open_snapshot() as view:
        run, by_sql = (EvaluationRun(view, Clock.current(), None, names, generation) for generation in (pinned, None))
        agree = [run.answer(item) == by_sql.answer(item) for item in filters]
        return list(zip(map(run.engine.answered_by.get, filters), agree, strict=True))


def engines(*cards):
    return [part.engine for part in evaluator.evaluate_rules(parse_filters(*cards)).per_filter]


def test_a_snapshot_of_before_the_generation_is_answered_by_sql(check):
    ann = make_person().pk
    record_rows(new_activity(ann))
    names, card = Catalogue(), parse_filters(activity_filter()).filters[0]
    with open_snapshot() as view:
        view.rows("select 1")

        def later():
            record_rows(new_activity(make_person().pk))
            builder.build_index()

        InThread(later).result()
        run = EvaluationRun(view, Clock.current(), None, names, relation.pin_manifest())
        assert set(run.answer(card)) == {ann}
        assert run.engine.answered_by[card] == "sql"
    assert engines(activity_filter()) == ["columns"]


def test_what_commits_out_of_order_is_read_besides(check):
    ann, bob, eve = (make_person().pk for _person in range(3))
    record_rows(new_activity(eve))
    is_written, may_commit = threading.Event(), threading.Event()

    def slow():
        with transaction.atomic():
            record_rows(new_activity(ann))
            is_written.set()
            may_commit.wait(20)

    writer = InThread(slow)
    assert is_written.wait(20)
    record_rows(new_activity(bob))
    built = builder.build_index()
    assert built.manifest.mark < Activity.objects.get(person_id=bob, activity_type_id=check.pk).pk
    found = evaluator.evaluate_rules(parse_filters(activity_filter()))
    assert (set(found.members), found.per_filter[0].engine) == ({bob, eve}, "columns")
    may_commit.set()
    writer.result()
    found = evaluator.evaluate_rules(parse_filters(activity_filter()))
    assert (set(found.members), found.per_filter[0].engine) == ({ann, bob, eve}, "columns")
    builder.build_index()
    assert verify.verify_index() == (len(manifest.current_manifest().types), [])


def test_changes_are_numbered_in_the_order_of_commit(check):
    ann, bob, eve = (make_person().pk for _person in range(3))
    ids = [outcome.activity_id for outcome in record_rows(new_activity(ann), new_activity(bob), new_activity(eve))]
    with transaction.atomic():
        retention.correct_activities(ids[:1], None)
        second = InThread(lambda: retention.correct_activities(ids[1:2], None))
        assert second.is_waiting()
    second.result()
    of_checks = ActivityChange.objects.filter(activity_type_id=check.pk).order_by("pk")
    assert list(of_checks.values_list("person_id", flat=True)) == [ann, bob]


@pytest.mark.parametrize("verb", ["merge", "erase", "correct"])
def test_who_is_changed_while_rows_are_read_is_right_at_once_and_gone_with_the_next_build(check, monkeypatch, verb):
    ann, bob = make_person().pk, make_person().pk
    outcomes = record_rows(*(new_activity(one, amount=Decimal("5")) for one in (ann, bob, bob)))
    verbs = {
        "merge": lambda: person_merge.merge_people(ann, [bob], None, MARKETO),
        "erase": lambda: erasure.erase_people([bob], None, MARKETO),
        "correct": lambda: retention.correct_activities([outcomes[1].activity_id, outcomes[2].activity_id], None),
    }
    read = source.copy_rows
    done = []

    def read_and_change(path, type_id, *given, **more):
        read(path, type_id, *given, **more)
        if not done and type_id == check.pk:
            done.append(verb)
            InThread(verbs[verb]).result()

    monkeypatch.setattr(source, "copy_rows", read_and_change)
    builder.build_index()
    cards = (activity_filter(), activity_filter(did=False), activity_filter(count=count_condition("at least", "2")))
    assert done and both(*cards) == [("columns", True)] * 3
    held = manifest.current_manifest().types[check.pk]
    assert bob in _people_of(held)
    builder.build_index()
    held = manifest.current_manifest().types[check.pk]
    assert bob not in _people_of(held)
    assert both(*cards) == [("columns", True)] * 3
    assert verify.verify_index()[1] == []


def _people_of(entry):
    paths = session.path_list([files.intact_path(file) for file in entry.segments])
    by_rows = {pk for (pk,) in session.duck_session().rows(f"select distinct person from read_parquet({paths})")}
    assert by_rows == set(relation.bitmaps.load_days(files.intact_path(entry.ever))[0])
    return by_rows


@pytest.mark.slow
def test_evaluations_agree_while_others_record_change_and_build(check):
    people = [make_person().pk for _person in range(12)]
    over, faults = threading.Event(), []

    def keep(work):
        def go_on():
            try:
                while not over.is_set():
                    work()
            except Exception as error:
                faults.append(error)
                raise
            finally:
                connections.close_all()

        thread = threading.Thread(target=go_on)
        thread.start()
        return thread

    random = Random(7)

    def record():
        rows = []
        for _row in range(random.randint(1, 8)):
            at = datetime(2026, 11, random.randint(1, 20), random.randint(0, 23), tzinfo=UTC).isoformat()
            pk = random.choice(people)
            rows.append(
                new_activity(pk, "openDoor", at)
                if random.random() < 0.4
                else new_activity(pk, occurred_at=at, amount=4)
            )
        record_rows(*rows)

    def change():
        chance = random.random()
        try:
            if chance < 0.2:
                deletion.delete_people([make_person().pk, random.choice(people)], None, MARKETO)
                deletion.restore_people(people, None, MARKETO)
            elif chance < 0.6:
                done = person_merge.merge_people(*_two(random, people), None, MARKETO)
                person_merge.undo_merge(done.pk, None, MARKETO)
            else:
                some = Activity.objects.filter(activity_type_id=check.pk).order_by("?").values_list("pk", flat=True)[:2]
                retention.correct_activities(list(some), None)
        except RejectedError:
            pass

    record()
    builder.build_index()
    threads = [keep(record), keep(change), keep(lambda: builder.build_index())]
    answers = []
    try:
        until = time.monotonic() + 12
        while time.monotonic() < until and not faults:
            answers += both(*CARDS)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not faults
    assert all(agree for _engine, agree in answers)
    assert sum(engine == "columns" for engine, _agree in answers) > len(answers) / 2 > 20
    builder.build_index()
    assert verify.verify_index()[1] == []


def _two(random, people):
    winner, loser = random.sample(people, 2)
    return winner, [loser]


def test_cancelling_and_the_time_limit_reach_duckdb(check, monkeypatch):
    record_rows(new_activity(make_person().pk))
    builder.build_index()
    endless = "(select count(*) from range(3000000000) a(x) where x % 7 = 3 and sqrt(x) > 2) > 0"
    slow = column_engine.statements.ColumnSql(f"{endless}")
    monkeypatch.setattr(column_engine.statements.conditions, "column_condition", lambda *_: slow)
    card = activity_filter(field_constraint("amount", "greater than", "3"))
    started = time.monotonic()
    with pytest.raises(RejectedError) as caught:
        evaluator.evaluate_rules(parse_filters(card), seconds=0.5)
    assert caught.value.code == "timeout" and time.monotonic() - started < 10
    running = InThread(lambda: evaluator.evaluate_rules(parse_filters(card), tag="the tag", seconds=60))
    time.sleep(0.6)
    assert cancel_evaluations("the tag")
    with pytest.raises(RejectedError) as caught:
        running.result()
    assert caught.value.code == "cancelled"
    assert session.duck_session().rows("select 1") == [(1,)]


def test_a_forked_process_has_an_instance_of_its_own(check):
    record_rows(new_activity(make_person().pk))
    builder.build_index()
    assert session.duck_session().rows("select 1") == [(1,)]
    ours = session.duck_session()

    def ask(pipe):
        pipe.send((session.duck_session() is ours, session.duck_session().rows("select 2")))

    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=ask, args=(there,))
    child.start()
    assert here.poll(30)
    assert here.recv() == (False, [(2,)])
    child.join(10)


def test_old_generations_go_from_the_database_and_old_files_from_the_disk(check, monkeypatch, settings):
    settings.SMART_LIST_TIMEOUT_SECONDS = 0
    monkeypatch.setattr(builder, "GRACE", 0)
    for _build in range(5):
        record_rows(new_activity(make_person().pk))
        builder.build_index()
    assert ColumnGeneration.objects.count() == source.GENERATIONS
    named = {file.name for file in manifest.current_manifest().files}
    assert {path.name for path in files.index_folder().glob("*-*")} == named
    assert (
        files.index_folder().stat().st_mode & 0o777,
        oct(next(files.index_folder().glob("rows-*")).stat().st_mode)[-3:],
    ) == (0o700, "600")


def test_a_generation_that_outlived_its_changes_is_not_used(check):
    record_rows(new_activity(make_person().pk))
    builder.build_index()
    assert engines(activity_filter()) == ["columns"]
    with connection.cursor() as cursor:
        cursor.execute("update column_generation set published_at = now() - interval '6 days 1 hour'")
    assert engines(activity_filter()) == ["sql"]
    built = builder.build_index()
    assert check.pk in built.types and engines(activity_filter()) == ["columns"]
    source.forget_changes()
    assert ColumnGeneration.objects.count() >= 1
