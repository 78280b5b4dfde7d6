"""Races: real connections at the same moment."""

import pytest
from django.db import transaction

from people.core.errors import ConflictError
from people.definitions import lifecycle
from people.fields import editing
from people.models import ObjectChange, ObjectRecord, Person
from people.objects import change_log, removal
from people.objects.definition import ObjectFieldSpec
from people.objects.outcomes import RecordKey
from people.persons.upsert import update_person, upsert_people
from tests.activities.recording.test_races import InThread
from tests.factories import MARKETO, make_person
from tests.people.objects.world import API, COURSE_FIELDS, ENROLMENT_FIELDS, approved_type, saved, upsert

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


def test_upserts_that_create_and_change_people_never_deadlock_on_what_waits():
    number = editing.create_person_field("Customer number", "string", None, is_unique=True)
    car = approved_type()
    contract = approved_type(
        "Contract",
        "contract",
        (
            ObjectFieldSpec("plate", "Plate", is_dedupe=True),
            ObjectFieldSpec("customer", "Customer", link_to="person", link_by=number.api_name),
            ObjectFieldSpec("car", "Car", link_to="car", link_by="plate"),
        ),
    )
    for turn in range(8):
        old = [make_person(email=f"old{turn}{n}@example.com").pk for n in range(2)]
        upsert(contract, *({"plate": f"{turn}{n}", "customer": f"C-{turn}{n}"} for n in range(4)))
        upsert(car, *({"plate": f"{turn}{n}", "owner": f"new{turn}{n}@example.com"} for n in range(4)))
        # in one batch each, the first creates the person whom the second's change of a person names, and vice versa
        batches = [
            [
                {"email": f"old{turn}0@example.com", number.api_name: f"C-{turn}0"},
                {"email": f"new{turn}1@example.com", number.api_name: f"C-{turn}1"},
            ],
            [
                {"email": f"new{turn}0@example.com", number.api_name: f"C-{turn}3"},
                {"email": f"old{turn}1@example.com", number.api_name: f"C-{turn}2"},
            ],
        ]
        writing = [InThread(lambda rows=rows: upsert_people(rows, MARKETO)) for rows in batches]
        rows = [{"plate": f"{turn}{n}", "car": f"{turn}{3 - n}"} for n in range(4)]
        writing += [
            InThread(lambda rows=rows: upsert(contract, *rows)),
            InThread(lambda rows=rows: upsert(car, *({"plate": row["plate"], "colour": "red"} for row in rows[::-1]))),
        ]
        for thread in writing:
            assert all(str(outcome.status) != "refused" for outcome in thread.result())
        names = set(ObjectRecord.objects.filter(object_type=contract, person_id__in=old).values_list("name", flat=True))
        assert names == {f"{turn}0", f"{turn}2"}


def test_one_upsert_locks_the_records_that_wait_for_its_people_in_one_order():
    """Two people, one created and one changed: the one with the record of the smaller id is waited for first."""
    car = approved_type()
    late, early = saved(car, plate="1", owner="changed@example.com"), saved(car, plate="2", owner="new@example.com")
    person = make_person(email="old@example.com")
    number = editing.create_person_field("Customer number", "string", None, is_unique=True)
    upsert_people([{"email": "old@example.com", number.api_name: "7"}], MARKETO)
    assert late.pk < early.pk
    rows = [{number.api_name: "8", "email": "new@example.com"}, {number.api_name: "7", "email": "changed@example.com"}]
    with transaction.atomic():
        ObjectRecord.objects.select_for_update().get(pk=late.pk)
        writing = InThread(lambda: upsert_people(rows, MARKETO, number.api_name))
        assert writing.is_waiting()
        ObjectRecord.objects.select_for_update(nowait=True).get(pk=early.pk)  # not locked by it
    writing.result()
    people = dict(ObjectRecord.objects.values_list("pk", "person_id"))
    assert people[late.pk] == person.pk and people[early.pk] not in (None, person.pk)


def test_whoever_restores_a_record_and_makes_its_person_never_miss_each_other():
    car = approved_type()
    record = saved(car, plate="1", owner="ann@example.com")
    removal.delete_records(car, [{"plate": "1"}], API)
    with transaction.atomic():
        ann = make_person(email="ann@example.com")
        restoring = InThread(lambda: removal.restore_records(car, [record.pk], API))
        assert restoring.is_waiting()
    restoring.result()
    record.refresh_from_db()
    assert record.person_id == ann.pk


def test_a_record_that_was_changed_before_it_is_locked_is_not_deleted():
    car = approved_type()
    record = saved(car, plate="1")
    with transaction.atomic():
        upsert(car, {"plate": "1", "colour": "red"})
        deleting = InThread(
            lambda: removal.delete_records(
                car, [{"id": record.pk}], API, key=RecordKey.ID, expected_revisions={record.pk: 1}
            )
        )
        assert deleting.is_waiting()
    with pytest.raises(ConflictError):
        deleting.result()
    record.refresh_from_db()
    assert record.deleted_at is None


def test_a_person_that_is_changed_by_id_waits_for_the_address_first():
    """Addresses are locked before people, also where the revision is checked."""
    ann = make_person(email="ann@example.com")
    with transaction.atomic():
        upsert_people([{"email": "new@example.com"}], MARKETO)  # holds the lock of the address
        changing = InThread(lambda: update_person(ann, {"email": "new@example.com"}, MARKETO, ann.revision))
        assert changing.is_waiting()
        assert Person.objects.select_for_update(nowait=True).get(pk=ann.pk)
    assert str(changing.result().status) == "updated"
