"""What happens at the same moment: real connections."""

import pytest
from django.db import transaction

from people.definitions import lifecycle
from people.models import ObjectChange, ObjectRecord
from people.objects import change_log
from tests.activities.recording.test_races import InThread
from tests.factories import make_person
from tests.people.objects.world import COURSE_FIELDS, ENROLMENT_FIELDS, approved_type, saved, upsert

pytestmark = pytest.mark.django_db(transaction=True)


def test_eight_upserters_of_the_same_keys_make_one_record_each():
    car = approved_type()
    rows = [{"plate": f"P{n}", "colour": "red"} for n in range(40)]
    orders = [rows, rows[::-1], rows[20:] + rows[:20], rows[1::2] + rows[::2]] * 2
    threads = [InThread(lambda order=order: upsert(car, *order)) for order in orders]
    outcomes = [outcome for thread in threads for outcome in thread.result()]
    assert sum(outcome.status == "created" for outcome in outcomes) == 40
    assert ObjectRecord.objects.count() == ObjectChange.objects.count() == 40


def test_a_link_and_its_person_never_miss_each_other():
    car = approved_type()
    with transaction.atomic():  # the person is not there yet for others
        ann = make_person(email="ann@example.com")
        writing = InThread(lambda: saved(car, plate="1", owner="ann@example.com"))
        assert writing.is_waiting()
    assert writing.result().person_id == ann.pk
    with transaction.atomic():
        record = saved(car, plate="2", owner="ben@example.com")
        making = InThread(lambda: make_person(email="ben@example.com"))
        assert making.is_waiting()
    ben = making.result()
    record.refresh_from_db()
    assert record.person_id == ben.pk


def test_a_link_and_its_record_never_miss_each_other():
    course = approved_type("Course", "course", COURSE_FIELDS)
    enrolment = approved_type("Enrolment", "enrolment", ENROLMENT_FIELDS)
    with transaction.atomic():
        python = saved(course, code="py")
        writing = InThread(lambda: saved(enrolment, student="a@example.com", course="PY"))
        assert writing.is_waiting()
    assert writing.result().linked_id == python.pk
    with transaction.atomic():
        place = saved(enrolment, student="a@example.com", course="go")
        making = InThread(lambda: saved(course, code="GO"))
        assert making.is_waiting()
    go = making.result()
    place.refresh_from_db()
    assert place.linked_id == go.pk


def test_who_follows_the_changes_gets_each_once_and_nothing_is_written_once_a_retire_has_committed():
    car = approved_type()
    begun_at = change_log.high_water_mark()
    with transaction.atomic():
        saved(car, plate="1")
        InThread(lambda: saved(car, plate="2")).result()
        (seen, position) = InThread(lambda: change_log.read_changes(begun_at, 10)).result()
        assert seen == [] and position == begun_at  # a smaller id may still commit
    changes, position = change_log.read_changes(position, 1)
    assert [change.changes["plate"][1] for change in changes] == ["1"]
    changes, position = change_log.read_changes(position, 10)
    assert [change.changes["plate"][1] for change in changes] == ["2"]
    assert change_log.read_changes(position, 10) == ([], position)
    with transaction.atomic():
        lifecycle.retire_definition(car, None)
        writing = InThread(lambda: upsert(car, {"plate": "3"}))
        assert writing.is_waiting()
    with pytest.raises(Exception, match="retired"):
        writing.result()
