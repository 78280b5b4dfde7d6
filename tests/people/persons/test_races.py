"""Races of changes of people: two real connections."""

import pytest
from django.db import transaction

from activities.log import reader as log_reader
from activities.models import Activity
from activities.recording.rows import RecordStatus as Recorded
from people.core.errors import RejectedError
from people.lists import static_lists
from people.models import Person, PersonMerge, StaticListMember
from people.persons import deletion, upsert
from people.persons import merge as person_merge
from people.privacy import erasure
from tests.activities.recording.test_races import InThread
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db(transaction=True)


def merge(winner, *losers):
    return person_merge.merge_people(winner.pk, [loser.pk for loser in losers], None, MARKETO)


def undo(done):
    person_merge.undo_merge(done.pk, None, MARKETO)


def delete(ann):
    return deletion.delete_people([ann.pk], None, MARKETO)


def erase(ann):
    return erasure.erase_people([ann.pk], None, MARKETO)


def test_a_reader_sees_each_activity_once_whatever_moves_meanwhile():
    check, ann, bob = approved_type(), make_person(), make_person()
    ids = [outcome.activity_id for outcome in record_rows(*(new_activity(one.pk) for one in (bob, ann) * 4))]
    start = log_reader.ReadPosition(None, 0)
    seen, position, done = [], start, None
    for _step in range(4):
        page = log_reader.read_activities(position, [check.pk], limit=2)
        seen += [row.pk for row in page.activities]
        position = page.position
        done = undo(done) if done else merge(ann, bob)
    assert seen == ids and not log_reader.read_activities(position, [check.pk]).activities
    assert [row.pk for row in log_reader.read_activities(start, [check.pk], limit=100).activities] == ids


@pytest.mark.one_server("on a cluster the reader waits for the merge")
def test_a_reader_in_the_middle_of_a_merge_neither_loses_nor_repeats():
    check, ann, bob = approved_type(), make_person(), make_person()
    ids = [outcome.activity_id for outcome in record_rows(*(new_activity(one.pk) for one in (bob, ann) * 3))]
    first = log_reader.read_activities(log_reader.ReadPosition(None, 0), [check.pk], limit=2)
    with transaction.atomic():
        merge(ann, bob)
        during = InThread(lambda: log_reader.read_activities(first.position, [check.pk], limit=2)).result()
    after = log_reader.read_activities(during.position, [check.pk], limit=100)
    assert [row.pk for page in (first, during, after) for row in page.activities] == ids
    assert {row.person_id for row in after.activities} == {ann.pk}


def test_a_merge_waits_for_a_recording_and_takes_it_along():
    check, ann, bob = approved_type(), make_person(), make_person()
    with transaction.atomic():
        record_rows(new_activity(bob.pk))
        merger = InThread(lambda: merge(ann, bob))
        assert merger.is_waiting()
    merger.result()
    assert Activity.objects.get(activity_type_id=check.pk).person_id == ann.pk


def test_a_recording_during_a_merge_goes_to_the_winner():
    check, ann, bob = approved_type(), make_person(), make_person()
    with transaction.atomic():
        merge(ann, bob)
        recorder = InThread(lambda: record_rows(new_activity(bob.pk)))
        assert recorder.is_waiting()
    assert recorder.result()[0].status is Recorded.ADDED
    assert Activity.objects.get(activity_type_id=check.pk).person_id == ann.pk


@pytest.mark.parametrize("verb", [delete, erase])
def test_nothing_is_recorded_for_somebody_once_gone(verb):
    check, ann = approved_type(), make_person()
    with transaction.atomic():
        verb(ann)
        recorder = InThread(lambda: record_rows(new_activity(ann.pk)))
        changer = InThread(lambda: upsert.upsert_people([{"email": ann.email, "id": ann.pk}], MARKETO, "id"))
        assert recorder.is_waiting() and changer.is_waiting()
    assert recorder.result()[0].problems[0].code == "unknown_person"
    assert changer.result()[0].problems[0].code == "unknown_person"
    assert not Activity.objects.filter(activity_type_id=check.pk).exists()


@pytest.mark.parametrize(("verb", "left"), [(delete, 1), (erase, 0)])
def test_who_is_recording_is_waited_for(verb, left):
    check, ann = approved_type(), make_person()
    with transaction.atomic():
        record_rows(new_activity(ann.pk))
        remover = InThread(lambda: verb(ann))
        assert remover.is_waiting()
    remover.result()
    assert Activity.objects.filter(activity_type_id=check.pk).count() == left
    assert not Person.objects.live().exists()


def test_somebody_erased_joins_no_list():
    seeds, ann = static_lists.create_static_list("Seeds", None), make_person()
    with transaction.atomic():
        erase(ann)
        joiner = InThread(lambda: static_lists.add_members(seeds, [ann.pk], MARKETO))
        assert joiner.is_waiting()
    assert joiner.result() == [static_lists.Membership.UNKNOWN]
    assert not StaticListMember.objects.exists()


def test_of_two_merges_of_one_loser_the_second_is_refused():
    ann, bob, eve = make_person(), make_person(), make_person()
    with transaction.atomic():
        merge(ann, bob)
        second = InThread(lambda: merge(eve, bob))
        assert second.is_waiting()
    with pytest.raises(RejectedError) as caught:
        second.result()
    assert caught.value.code == "person_merged" and PersonMerge.objects.count() == 1


def test_of_two_undos_the_second_is_refused():
    ann, bob = make_person(), make_person()
    done = merge(ann, bob)
    with transaction.atomic():
        undo(done)
        second = InThread(lambda: undo(done))
        assert second.is_waiting()
    with pytest.raises(RejectedError) as caught:
        second.result()
    assert caught.value.code == "merge_undone"
