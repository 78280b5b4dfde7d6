"""The file of all people in the column index: people added, added late, deleted, removed by hand; and wrong files."""

import threading

import pytest
import time_machine
from django.db import connection, transaction
from django.utils import timezone

from activities.log.columns import all_people, builder, files, manifest, verify
from people.models import Person
from people.persons import deletion
from smartlists.evaluation import evaluator
from smartlists.evaluation.postgres.engine import ALL_PEOPLE
from smartlists.evaluation.postgres.snapshot import Snapshot
from tests.activities.recording.test_races import InThread
from tests.factories import MARKETO, make_person, new_activity, record_rows
from tests.smartlists.evaluation.test_column_races import both, check  # noqa: F401
from tests.smartlists.rule_factories import activity_filter, parse_filters

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_server("the column index is off on a cluster")]
NOBODY_DID = activity_filter(did=False)


@pytest.fixture
def reads_of_table(monkeypatch):
    """One entry for each time that an evaluation reads all ids of the table of people."""
    reads, people = [], Snapshot.people

    def noted(view, source):
        reads.extend([source] if source is ALL_PEOPLE else [])
        return people(view, source)

    monkeypatch.setattr(Snapshot, "people", noted)
    return reads


@pytest.fixture
def ann(check):  # noqa: F811
    pk = make_person().pk
    record_rows(new_activity(pk))
    return pk


def members():
    return set(evaluator.evaluate_rules(parse_filters(NOBODY_DID)).members)


def test_ids_of_people_come_from_the_file_and_those_added_since_from_the_table(ann, reads_of_table):
    bob, eve = make_person().pk, make_person().pk
    first = builder.build_index().manifest.people
    assert members() == {bob, eve}
    late = make_person().pk
    deletion.delete_people([eve], None, MARKETO)
    assert members() == {bob, late} and reads_of_table == []
    second = builder.build_index().manifest.people
    assert (first.mark, second.mark) == (eve, late) and set(second.ids()) == {ann, bob, eve, late}
    deletion.restore_people([eve], None, MARKETO)
    assert members() == {bob, eve, late} and reads_of_table == []
    record_rows(new_activity(late))  # a build for it reads no people again
    assert builder.build_index().manifest.people == second


@pytest.mark.parametrize("ends", ["commit", "roll back"])
def test_a_person_whose_id_was_taken_early_and_who_is_added_late_is_not_missed(ann, ends, monkeypatch, reads_of_table):
    monkeypatch.setattr(all_people, "PATIENCE", 0.2)
    bob = make_person().pk
    builder.build_index()
    is_written, may_end = threading.Event(), threading.Event()
    added = []

    def slow():
        with transaction.atomic():
            added.append(make_person().pk)
            is_written.set()
            may_end.wait(20)
            transaction.set_rollback(ends == "roll back")

    writer = InThread(slow)
    assert is_written.wait(20)
    eve = make_person().pk
    record_rows(new_activity(ann))
    assert builder.build_index().manifest.people.mark == bob, "an id before that of eve may still appear"
    assert members() == {bob, eve}
    may_end.set()
    writer.result()
    expected = {bob, eve} | set(added if ends == "commit" else [])
    assert members() == expected
    record_rows(new_activity(ann))
    assert builder.build_index().manifest.people.mark == eve
    assert members() == expected and both(NOBODY_DID) == [("columns", True)] and verify.verify_index()[1] == []
    assert len(reads_of_table) == 1, "the evaluation in SQL that it was compared with"


def test_a_build_waits_for_somebody_who_adds_people_and_is_done_soon(ann):
    is_written = threading.Event()

    def slow():
        with transaction.atomic():
            pk = make_person().pk
            is_written.set()
            threading.Event().wait(0.3)
        return pk

    writer = InThread(slow)
    assert is_written.wait(20)
    assert builder.build_index().manifest.people.mark == writer.result()


def test_a_build_that_publishes_nothing_writes_no_file_of_people(ann):
    builder.build_index()
    names = set(files.index_folder().iterdir())
    Person.objects.create()  # without an activity
    assert builder.build_index().rows == 0 and set(files.index_folder().iterdir()) == names
    old = manifest.current_manifest()
    with time_machine.travel(timezone.now() + builder.STEADY * 2, tick=True):
        assert builder.build_index().manifest.people.mark > old.people.mark


def test_people_who_are_gone_from_the_table_are_noticed_by_their_number_and_sql_answers(ann, reads_of_table, caplog):
    bob, eve = make_person().pk, make_person().pk
    builder.build_index()
    with connection.cursor() as cursor:
        cursor.execute("delete from person where id = %s", [eve])
    assert members() == {bob}
    assert len(reads_of_table) == 1 and "columns verify" in caplog.text
    (difference,) = verify.verify_index()[1]
    assert str(difference) == "people: 1 differ from the table"
    builder.build_index(anew=True)
    assert members() == {bob} and len(reads_of_table) == 1 and verify.verify_index()[1] == []


def test_a_damaged_file_of_people_is_answered_by_sql_and_written_anew(ann, reads_of_table):
    bob = make_person().pk
    stored = builder.build_index().manifest.people
    path = files.index_folder() / stored.file.name
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    assert members() == {bob} and len(reads_of_table) == 1
    assert "cannot be compared" in str(verify.verify_index()[1][0])
    eve = make_person().pk
    record_rows(new_activity(ann))
    assert builder.build_index().manifest.people != stored
    assert members() == {bob, eve} and len(reads_of_table) == 1


def test_a_file_of_people_that_cannot_be_opened_is_answered_by_sql(ann, reads_of_table, monkeypatch):
    bob = make_person().pk
    builder.build_index()

    def fail(_path, *_days):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(all_people.bitmaps, "load_days", fail)
    assert members() == {bob} and reads_of_table


def test_a_manifest_of_the_version_before_has_no_people_and_is_used_without(ann, reads_of_table):
    bob = make_person().pk
    built = builder.build_index().manifest
    form = manifest.dump_manifest(built)
    del form["people"]
    manifest.publish_manifest(manifest.load_manifest(form))
    assert manifest.current_manifest().people is None and members() == {bob} and len(reads_of_table) == 1
    record_rows(new_activity(ann))
    builder.build_index()
    assert members() == {bob} and len(reads_of_table) == 1
