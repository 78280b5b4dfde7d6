"""Links of records to people and to other records: resolved, waiting, joined; merged, deleted and erased people."""

import json

import pytest

from people.core import personal_data
from people.fields import editing
from people.models import ObjectChange, ObjectRecord
from people.objects import queries, removal
from people.objects.definition import ObjectFieldSpec
from people.objects.outcomes import RecordKey
from people.persons import deletion, merge, upsert
from people.privacy import erasure
from people.privacy import search as privacy_search
from tests.factories import MARKETO, make_person
from tests.people.objects.world import (
    API,
    CAR_FIELDS,
    COURSE_FIELDS,
    ENROLMENT_FIELDS,
    approved_type,
    changed,
    codes,
    saved,
)
from tests.people.objects.world import upsert as upsert_records

pytestmark = pytest.mark.django_db
Kind = ObjectChange.Kind
PLATE = CAR_FIELDS[0]


def person_of(record):
    return ObjectRecord.objects.values_list("person_id", flat=True).get(pk=record.pk)


def linked_of(record):
    return ObjectRecord.objects.values_list("linked_id", flat=True).get(pk=record.pk)


def kinds_of(record):
    return [Kind(change.kind) for change in reversed(queries.history_of_record(record.pk))]


def test_a_link_waits_for_its_person_and_stays_with_them():
    car = approved_type()
    waiting = saved(car, plate="1", owner="ANN@example.com")
    gone = saved(car, plate="2", owner="ann@example.com")
    removal.delete_records(car, [{"plate": "2"}], API)
    assert person_of(waiting) is None and list(queries.waiting_records(car)) == [waiting]
    again = upsert_records(car, {"plate": "1", "owner": "ann@example.com", "colour": "red"})  # continues to wait
    assert codes(again) == [[]] and person_of(waiting) is None
    ann = make_person(email="Ann@example.com")
    assert person_of(waiting) == ann.pk and person_of(gone) is None  # a deleted record continues to wait
    assert kinds_of(waiting) == [Kind.ADDED, Kind.CHANGED, Kind.JOINED] and kinds_of(gone) == [Kind.ADDED, Kind.REMOVED]
    removal.restore_records(car, [gone.pk], API)
    restored = queries.history_of_record(gone.pk)[0]
    assert person_of(gone) == restored.person_id == ann.pk and restored.kind == Kind.RESTORED
    upsert.update_person(ann, {"email": "else@example.com"}, MARKETO)
    assert person_of(changed(waiting, colour="blue")) == ann.pk


def test_whom_a_link_names():
    number = editing.create_person_field("Customer number", "string", None, is_unique=True)
    by_email, by_id = (
        approved_type(),
        approved_type(
            "Seat", "seat", (PLATE, ObjectFieldSpec("holder", "Holder", "integer", link_to="person", link_by="id"))
        ),
    )
    by_number = approved_type(
        "Contract",
        "contract",
        (PLATE, ObjectFieldSpec("customer", "Customer", link_to="person", link_by=number.api_name)),
    )
    ann, ben = make_person(email="ann@example.com"), make_person(email="ben@example.com")
    contract = saved(by_number, plate="1", customer="C-7")
    upsert.update_person(ben, {number.api_name: "c-7"}, MARKETO)
    assert person_of(contract) == ben.pk
    unknown = [{"plate": "1", "holder": 999_999}, {"plate": "2", "holder": 10**12}, {"plate": "3", "holder": ann.pk}]
    assert codes(upsert_records(by_id, *unknown)) == [["unknown_person"], ["unknown_person"], []]
    # two people with one address: refused for a new value, no matter for one that is linked already
    car = saved(by_email, plate="1", owner="ann@example.com")
    late = saved(by_email, plate="2", owner="twins@example.com")
    upsert.upsert_people([{"email": "ANN@example.com"}], MARKETO, action=upsert.UpsertAction.DUPLICATE)
    twins = [{"email": "twins@example.com"}] * 2
    upsert.upsert_people(twins, MARKETO, action=upsert.UpsertAction.DUPLICATE)
    rows = [{"plate": "1", "owner": "ann@example.com", "colour": "red"}, {"plate": "9", "owner": "ann@example.com"}]
    rows.append({"plate": "2", "owner": "Twins@example.com", "colour": "red"})
    assert codes(upsert_records(by_email, *rows)) == [[], ["ambiguous_person"], []]
    assert person_of(car) == ann.pk and person_of(late) is None
    moved = changed(car, owner="ben@example.com")
    assert person_of(moved) == ben.pk
    change = queries.history_of_record(car.pk)[0]
    assert (change.person_id, change.former_person_id) == (ben.pk, ann.pk)
    assert person_of(changed(car, owner=None)) is None


def test_a_link_waits_for_its_record():
    course = approved_type("Course", "course", COURSE_FIELDS)
    enrolment = approved_type("Enrolment", "enrolment", ENROLMENT_FIELDS)
    ann = make_person(email="ann@example.com")
    place = saved(enrolment, student="ann@example.com", course="py-1", grade=5)
    assert linked_of(place) is None and person_of(place) == ann.pk
    python = saved(course, code="PY-1", title="Python")
    assert linked_of(place) == python.pk and queries.linked_records(python) == [place]
    assert linked_of(saved(enrolment, student="ben@example.com", course="Py-1")) == python.pk
    removal.delete_records(course, [{"code": "py-1"}], API)
    assert linked_of(saved(enrolment, student="eve@example.com", course="py-1")) is None
    by_id = approved_type(
        "Exam", "exam", (PLATE, ObjectFieldSpec("of", "Of", "integer", link_to="course", link_by="id"))
    )
    by_guid = approved_type("Test", "test", (PLATE, ObjectFieldSpec("of", "Of", link_to="course", link_by="guid")))
    go = saved(course, code="GO-1")
    assert kinds_of(place) == [Kind.ADDED, Kind.LINKED] and ObjectRecord.objects.get(pk=place.pk).revision == 2
    eve = ObjectRecord.objects.get(object_type=enrolment, name__startswith="eve")
    removal.restore_records(course, [python.pk], API)
    assert linked_of(eve) == python.pk and kinds_of(eve) == [Kind.ADDED, Kind.LINKED]
    assert codes([removal.restore_records(course, [go.pk], API)[0]]) == [["not_deleted"]]
    removal.delete_records(course, [{"code": "py-1"}], API)
    for object_type, value in ((by_id, go.pk), (by_guid, str(go.guid).upper())):
        bad = [{"plate": "1", "of": python.pk if object_type is by_id else "x"}, {"plate": "2", "of": value}]
        assert codes(upsert_records(object_type, *bad)) == [["unknown_record"], []]
        assert linked_of(ObjectRecord.objects.get(object_type=object_type)) == go.pk


def test_the_winner_of_an_undone_merge_is_found_by_the_former_address_again():
    car = approved_type()
    ann, ben = (make_person(email=f"{name}@example.com") for name in ("ann", "ben"))
    merged = merge.merge_people(ann.pk, [ben.pk], None, API, choices={"email": ben.pk})
    waiting = saved(car, plate="1", owner="ann@example.com")
    assert person_of(waiting) is None
    merge.undo_merge(merged.pk, None, API)
    assert person_of(waiting) == ann.pk and kinds_of(waiting) == [Kind.ADDED, Kind.JOINED]


def test_merge_delete_and_erase():
    car = approved_type()
    ann, ben, _eve = (make_person(email=f"{name}@example.com") for name in ("ann", "ben", "eve"))
    first, second = (saved(car, plate=name, owner=f"{name}@example.com") for name in ("ann", "ben"))
    moved = changed(saved(car, plate="moved", owner="ben@example.com"), owner="eve@example.com")
    preview = merge.preview_merge(ann.pk, [ben.pk], None)
    assert ("object records", 1) in preview.rows
    merged = merge.merge_people(ann.pk, [ben.pk], None, API)
    assert person_of(second) == ann.pk and queries.types_of_person(ann.pk)[0].records == 2
    assert {change.person_id for change in queries.history_of_record(second.pk)} == {ann.pk}
    assert saved(car, plate="ben", owner="ben@example.com", colour="red").person_id == ann.pk  # stays where it was
    merge.undo_merge(merged.pk, None, API)
    assert person_of(second) == ben.pk and person_of(first) == ann.pk
    # a deleted person keeps the records; a link to the address waits, and is joined when the person is restored
    deletion.delete_people([ben.pk], None, API)
    waiting = saved(car, plate="late", owner="ben@example.com")
    assert person_of(second) == ben.pk and person_of(waiting) is None
    deletion.restore_people([ben.pk], None, API)
    assert person_of(waiting) == ben.pk
    tables = {table.table: table for table in personal_data.registered_tables()}
    exported = list(tables["object_record"].export([ben.pk])) + list(tables["object_change"].export([ben.pk]))
    assert {"ben", "late"} == {row["values"]["plate"] for row in exported if "values" in row}
    identity = erasure.erase_people([ben.pk], None, API)
    assert set(ObjectRecord.objects.values_list("name", flat=True)) == {"ann", "moved"}
    assert not ObjectChange.objects.filter(record_id__in=[second.pk, waiting.pk]).exists()
    kept = json.dumps(list(ObjectChange.objects.filter(record_id=moved.pk).values("changes", "former_person_id")))
    assert "ben@example.com" not in kept and "eve@example.com" not in kept  # the value of the link went
    assert not privacy_search.find_traces(identity)
    # an erased person is not found: a link to the address waits
    assert person_of(saved(car, plate="again", owner="ben@example.com")) is None


def test_what_waits_for_an_erased_person_goes_too():
    course = approved_type("Course", "course", COURSE_FIELDS)
    exam = approved_type(
        "Exam", "exam", (PLATE, ObjectFieldSpec("of", "Of", "integer", link_to="course", link_by="id"))
    )
    car = approved_type()
    ann = make_person(email="ann@example.com")
    deletion.delete_people([ann.pk], None, API)
    waiting = saved(car, plate="1", owner="ann@example.com")
    python = saved(course, code="1")
    saved(exam, plate="1", of=python.pk)
    erasure.erase_people([ann.pk], None, API)
    assert not ObjectRecord.objects.filter(pk=waiting.pk).exists()
    assert not ObjectChange.objects.filter(record_id=waiting.pk).exists()


def test_ten_thousand_records_of_one_person_are_read_in_pages(django_assert_num_queries):
    car, ann = approved_type(), make_person(email="ann@example.com")
    rows = [{"plate": f"{n}", "owner": "ann@example.com"} for n in range(2_000)]
    upsert_records(car, *rows)
    with django_assert_num_queries(1):
        page = queries.records_of_person(ann.pk, car.pk)
    assert [record.name for record in page[:2]] == ["1999", "1998"] and len(page) == queries.PAGE
    assert queries.records_of_person(ann.pk, car.pk, page[-1].pk, 1)[0].name == "1949"
    by_id = upsert_records(car, {"id": page[0].pk, "owner": "nobody@example.com"}, key=RecordKey.ID)
    assert codes(by_id) == [[]]
