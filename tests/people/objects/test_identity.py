"""Records that come to name the same person or record in their dedupe values: one stays, nothing is lost."""

import json

import pytest
from django.db import transaction
from django.urls import reverse

from people.fields import editing
from people.models import ObjectChange, ObjectRecord
from people.objects import personal_data, queries, removal
from people.objects.definition import ObjectFieldSpec
from people.objects.outcomes import RecordAction, RecordKey
from people.objects.schema import live_schema
from people.persons import deletion, merge
from people.persons import upsert as people_upsert
from people.privacy import erasure
from people.privacy import search as privacy_search
from tests.activities.recording.test_races import InThread
from tests.factories import MARKETO, make_person
from tests.people.objects.world import (
    API,
    COURSE_FIELDS,
    ENROLMENT_FIELDS,
    approved_type,
    changed,
    codes,
    saved,
    upsert,
)

pytestmark = pytest.mark.django_db
ANN, BEN, EVE = (f"{name}@example.com" for name in ("ann", "ben", "eve"))
Kind = ObjectChange.Kind


@pytest.fixture
def enrolment():
    approved_type("Course", "course", COURSE_FIELDS)
    return approved_type("Enrolment", "enrolment", ENROLMENT_FIELDS)


def state(record):
    """(is the record live, its person, the record that replaced it)"""
    record.refresh_from_db()
    return record.deleted_at is None, record.person_id, record.replaced_by_id


def everything():
    names = ("pk", "fields", "person_id", "person_key", "linked_id", "linked_key", "dedupe_hash", "deleted_at", "name")
    return [(*row[:6], bytes(row[6]), *row[7:]) for row in ObjectRecord.objects.order_by("pk").values_list(*names)]


def test_of_records_that_meet_in_a_merge_the_one_changed_last_stays(enrolment):
    ann, ben = make_person(email=ANN), make_person(email=BEN)
    old = saved(enrolment, student=ANN, course="py", grade=1)
    new = saved(enrolment, student=BEN, course="PY", grade=2)
    alone = saved(enrolment, student=BEN, course="go", grade=3)
    removed = saved(enrolment, student=ANN, course="go")
    removal.delete_records(enrolment, [{"id": removed.pk}], API, key=RecordKey.ID)  # a deleted record meets no other
    changed(old, grade=5)
    before = everything()
    (note,) = merge.preview_merge(ann.pk, [ben.pk], None).notes
    assert note.startswith("1 record ")
    merged = merge.merge_people(ann.pk, [ben.pk], None, API)
    assert state(old) == (True, ann.pk, None) and state(new) == (False, ann.pk, old.pk)
    assert state(alone) == (True, ann.pk, None) and queries.types_of_person(ann.pk)[0].records == 2
    gave_way = queries.history_of_record(old.pk)[0]
    assert (gave_way.record_id, gave_way.kind, gave_way.is_backfill) == (new.pk, Kind.REMOVED, True)
    assert gave_way.changes == {"student": [BEN, None], "course": ["PY", None], "grade": [2, None]}
    # a sender of the replaced record's values means the one that stays
    assert saved(enrolment, student=BEN, course="py", grade=4) == old
    assert codes([removal.restore_records(enrolment, [new.pk], API)[0]]) == [["value_taken"]]
    changed(old, grade=5)
    merge.undo_merge(merged.pk, None, API)
    assert everything() == before
    assert queries.history_of_record(new.pk)[0].kind == Kind.RESTORED
    assert {change.person_id for change in queries.history_of_record(new.pk)} == {ben.pk}


def test_three_that_meet_and_merges_one_after_another(enrolment):
    ann, ben, eve = (make_person(email=email) for email in (ANN, BEN, EVE))
    first, second, third = (saved(enrolment, student=email, course="py") for email in (EVE, ANN, BEN))
    before = everything()
    once = merge.merge_people(ann.pk, [ben.pk, eve.pk], None, API)
    assert [state(row)[2] for row in (first, second, third)] == [third.pk, third.pk, None]
    merge.undo_merge(once.pk, None, API)
    assert everything() == before
    inner = merge.merge_people(ben.pk, [ann.pk], None, API)
    outer = merge.merge_people(eve.pk, [ben.pk], None, API)
    assert [state(row) for row in (first, second, third)] == [
        (False, eve.pk, third.pk),
        (False, eve.pk, third.pk),
        (True, eve.pk, None),
    ]
    merge.undo_merge(outer.pk, None, API)
    assert state(first) == (True, eve.pk, None) and state(second) == (False, ben.pk, third.pk)
    merge.undo_merge(inner.pk, None, API)
    assert everything() == before


def test_what_a_user_does_between_a_merge_and_its_undo(enrolment):
    ann, ben = make_person(email=ANN), make_person(email=BEN)
    old, new = saved(enrolment, student=ANN, course="py"), saved(enrolment, student=BEN, course="py")
    merged = merge.merge_people(ann.pk, [ben.pk], None, API)
    removal.delete_records(enrolment, [{"id": new.pk}], API, key=RecordKey.ID)
    assert state(old) == (False, ann.pk, new.pk)  # deleted is deleted
    again = saved(enrolment, student=BEN, course="py", grade=3)  # waits, as no person has its value
    assert again.person_id is None
    merge.undo_merge(merged.pk, None, API)
    assert state(old) == (True, ann.pk, None) and state(new) == (False, ben.pk, None)
    assert state(again) == (True, ben.pk, None)


def test_links_to_a_replaced_record_go_to_the_one_that_stays_and_back(enrolment):
    exam = approved_type(
        "Exam",
        "exam",
        (
            ObjectFieldSpec("of", "Of", "integer", is_dedupe=True, link_to="enrolment", link_by="id"),
            ObjectFieldSpec("number", "Number", "integer", is_dedupe=True),
            ObjectFieldSpec("points", "Points", "integer"),
        ),
    )
    ann, ben = make_person(email=ANN), make_person(email=BEN)
    old, new = saved(enrolment, student=ANN, course="py"), saved(enrolment, student=BEN, course="py")
    met, meets = saved(exam, of=old.pk, number=1, points=7), saved(exam, of=new.pk, number=1, points=9)
    alone = saved(exam, of=old.pk, number=2)
    before = everything()
    (note,) = merge.preview_merge(ann.pk, [ben.pk], None).notes
    assert note.startswith("2 records ")  # an exam meets another because its enrolment does
    merged = merge.merge_people(ann.pk, [ben.pk], None, API)
    assert personal_data.records_of_merge(merged) == (1, 2)
    assert set(queries.linked_records(new)) == {meets, alone} and state(met)[2] == meets.pk
    merge.undo_merge(merged.pk, None, API)
    assert everything() == before


def test_a_link_that_finds_whom_another_record_names_already(enrolment):
    course = ObjectRecord.objects.model.object_type.field.related_model.objects.get(api_name="course")
    ann = make_person(email=ANN)
    named = saved(enrolment, student=ANN, course="py", grade=1)
    waiting = saved(enrolment, student=BEN, course="py", grade=2)
    people_upsert.update_person(ann, {"email": BEN}, MARKETO)
    assert state(named) == (False, ann.pk, waiting.pk) and state(waiting) == (True, ann.pk, None)
    # by a record's other name, and the other way round
    go = saved(course, code="go")
    placed, late = saved(enrolment, student=BEN, course="go"), saved(enrolment, student=BEN, course="golang")
    changed(go, code="golang")
    assert state(placed) == (False, ann.pk, late.pk) and state(late) == (True, ann.pk, None)
    assert late.linked_id == go.pk


def test_a_row_that_names_a_records_person_by_another_value_means_that_record(enrolment):
    ann = make_person(email=ANN)
    record = saved(enrolment, student=ANN, course="py", grade=1)
    other = saved(enrolment, student=ANN, course="go")
    people_upsert.update_person(ann, {"email": BEN}, MARKETO)
    row = {"student": BEN, "course": "py", "grade": 2}
    assert codes(upsert(enrolment, row, action=RecordAction.CREATE)) == [["record_exists"]]
    assert saved(enrolment, **row) == record
    record.refresh_from_db()
    assert record.fields == {"student": ANN, "course": "py", "grade": 2} and record.person_key == ANN
    values, _problems = live_schema(enrolment).check({"student": BEN, "course": "py"})
    assert queries.records_by_keys(live_schema(enrolment), [values]) == {0: record}
    taken = upsert(enrolment, {"id": other.pk, "student": BEN, "course": "PY"}, key=RecordKey.ID)
    assert codes(taken) == [["value_taken"]]
    swapped = [{"id": other.pk, "course": "py"}, {"id": record.pk, "course": "go", "student": BEN}]
    assert codes(upsert(enrolment, *swapped[::-1], key=RecordKey.ID)) == [["value_taken"], ["value_taken"]]
    (gone,) = removal.delete_records(enrolment, [{"student": BEN, "course": "py"}], API)
    assert gone.record_id == record.pk
    made = saved(enrolment, **row)
    assert made.pk != record.pk
    assert codes(removal.restore_records(enrolment, [record.pk], API)) == [["value_taken"]]


def test_records_of_one_call_that_name_the_same_person_are_as_of_one_after_another(enrolment):
    ann, ben = make_person(email=ANN), make_person(email=BEN)
    one, two = saved(enrolment, student=ANN, course="py"), saved(enrolment, student=BEN, course="py")
    three, four = saved(enrolment, student=ANN, course="go"), saved(enrolment, student=BEN, course="js")
    for record in (one, two):
        removal.delete_records(enrolment, [{"id": record.pk}], API, key=RecordKey.ID)
    merge.merge_people(ann.pk, [ben.pk], None, API)
    assert codes(removal.restore_records(enrolment, [one.pk, two.pk], API)) == [[], ["value_taken"]]
    assert state(one) == (True, ann.pk, None) and not state(two)[0]
    moved = upsert(enrolment, *({"id": record.pk, "course": "c"} for record in (three, four)), key=RecordKey.ID)
    assert codes(moved) == [[], ["value_taken"]]
    # a place that a row before has left is free
    rows = [(three, "d"), (four, "c"), (three, "C"), (three, "js")]
    moved = upsert(enrolment, *({"id": record.pk, "course": code} for record, code in rows), key=RecordKey.ID)
    assert codes(moved) == [[], [], ["value_taken"], []]
    live = ObjectRecord.objects.existing().filter(object_type=enrolment)
    assert {record.pk: record.fields["course"] for record in live} == {one.pk: "py", three.pk: "js", four.pk: "c"}


def test_a_person_link_by_id_follows_merges(enrolment):
    seat = approved_type(
        "Seat",
        "seat",
        (
            ObjectFieldSpec("holder", "Holder", "integer", is_dedupe=True, link_to="person", link_by="id"),
            ObjectFieldSpec("colour", "Colour"),
        ),
    )
    ann, ben = make_person(email=ANN), make_person(email=BEN)
    merge.merge_people(ann.pk, [ben.pk], None, API)
    outcomes = upsert(seat, {"holder": ben.pk, "colour": "red"}, {"holder": ann.pk, "colour": "blue"})
    assert codes(outcomes) == [[], []]
    (record,) = ObjectRecord.objects.existing().filter(object_type=seat)
    assert record.person_id == ann.pk and record.fields["colour"] == "blue"
    assert saved(seat, holder=ben.pk, colour="green") == record


def test_unique_fields_that_change_hands(enrolment):
    number = editing.create_person_field("Customer number", "string", None, is_unique=True)
    contract = approved_type(
        "Contract",
        "contract",
        (ObjectFieldSpec("customer", "Customer", is_dedupe=True, link_to="person", link_by=number.api_name),),
    )
    ann = make_person(email=ANN)
    people_upsert.update_person(ann, {number.api_name: "C-1"}, MARKETO)
    first, second = saved(contract, customer="C-1"), saved(contract, customer="C-2")
    people_upsert.update_person(ann, {number.api_name: "c-2"}, MARKETO)
    assert state(first) == (False, ann.pk, second.pk) and state(second) == (True, ann.pk, None)
    deletion.delete_people([ann.pk], None, API)
    assert saved(contract, customer="C-2") == second
    deletion.restore_people([ann.pk], None, API)
    assert state(second) == (True, ann.pk, None)


def test_nothing_of_a_person_who_was_merged_by_mistake_stays_after_the_erase(enrolment):
    ann, ben = make_person(email=ANN), make_person(email=BEN)
    kept = saved(enrolment, student=ANN, course="py", grade=1)
    lost = saved(enrolment, student=BEN, course="py", grade=2)
    changed(kept, grade=3)
    merged = merge.merge_people(ann.pk, [ben.pk], None, API)
    merge.undo_merge(merged.pk, None, API)
    identity = erasure.erase_people([ben.pk], None, API)
    assert not ObjectRecord.objects.filter(pk=lost.pk).exists() and state(kept) == (True, ann.pk, None)
    text = json.dumps(list(ObjectChange.objects.values("changes", "link_keys", "record_id")))
    assert BEN not in text and not privacy_search.find_traces(identity)
    # one who stays merged goes with the winner
    ben = make_person(email=BEN)
    saved(enrolment, student=BEN, course="py")
    merge.merge_people(ann.pk, [ben.pk], None, API)
    erasure.erase_people([ann.pk], None, API)
    assert not ObjectRecord.objects.filter(object_type=enrolment).exists() and not ObjectChange.objects.exists()


def test_the_pages_say_what_a_merge_does_with_records(enrolment, admin_client):
    ann, ben = make_person(email=ANN), make_person(email=BEN)
    old = saved(enrolment, student=ANN, course="py", grade=1)
    new = saved(enrolment, student=BEN, course="py", grade=2)
    address = reverse("admin:people_person_merge")
    assert "the one changed last stays" in admin_client.get(f"{address}?people={ann.pk},{ben.pk}").content.decode()
    data = {"people": f"{ann.pk},{ben.pk}", "winner": ann.pk, "merge": "1"}
    assert "1 record had the same dedupe values" in admin_client.post(address, data, follow=True).content.decode()
    page = admin_client.get(reverse("admin:people_objectrecord_change", args=[new.pk])).content.decode()
    assert "Took the place of" in page and 'ca-became"><bdi>1</bdi>' in page and f"{ANN} · py" in page
    page = admin_client.get(reverse("admin:people_objectrecord_change", args=[old.pk])).content.decode()
    assert "both came to have the same dedupe values" in page
    undo = reverse("admin:people_person_merge_undo", args=[merge.PersonMerge.objects.get().pk])
    assert "1 record that another one replaced is restored" in admin_client.get(undo).content.decode()


@pytest.mark.django_db(transaction=True)
def test_an_upsert_and_what_gives_its_person_another_value_never_make_two():
    approved_type("Course", "course", COURSE_FIELDS)
    enrolment = approved_type("Enrolment", "enrolment", ENROLMENT_FIELDS)
    ann = make_person(email=ANN)
    saved(enrolment, student=BEN, course="py")
    with transaction.atomic():
        made = saved(enrolment, student=ANN, course="py", grade=1)
        changing = InThread(lambda: people_upsert.update_person(ann, {"email": BEN}, MARKETO))
        assert changing.is_waiting()
    changing.result()
    assert [row.pk for row in ObjectRecord.objects.existing().filter(object_type=enrolment)] == [made.pk]
    # and a merge waits for an upsert, which waits for a merge
    eve = make_person(email=EVE)
    with transaction.atomic():
        saved(enrolment, student=EVE, course="py")
        merging = InThread(lambda: merge.merge_people(ann.pk, [eve.pk], None, API))
        assert merging.is_waiting()
    merged = merging.result()
    assert ObjectRecord.objects.existing().filter(object_type=enrolment, person_id=ann.pk).count() == 1
    with transaction.atomic():
        merge.undo_merge(merged.pk, None, API)
        writing = InThread(lambda: saved(enrolment, student=EVE, course="py", grade=4))
        assert writing.is_waiting()
    assert writing.result().person_id == eve.pk
    assert ObjectRecord.objects.existing().filter(object_type=enrolment).count() == 2
