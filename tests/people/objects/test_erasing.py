"""Erased people leave nothing in objects and their history; and the guards of the history otherwise."""

import json

import pytest
from django.db import IntegrityError, connection, transaction

from people.core import personal_data
from people.models import ObjectChange, ObjectRecord
from people.objects.definition import ObjectFieldSpec
from people.persons import deletion, merge
from people.persons import upsert as people_upsert
from people.privacy import erasure
from people.privacy import search as privacy_search
from tests.factories import MARKETO, make_person
from tests.people.objects.world import API, COURSE_FIELDS, ENROLMENT_FIELDS, approved_type, changed, saved

pytestmark = pytest.mark.django_db
ANN, EVE = "ann.smith@example.com", "eve@example.com"


def kept_text():
    """All that is left of objects and their history."""
    records = list(ObjectRecord.objects.values("name", "fields", "person_key", "linked_key"))
    return json.dumps(
        [records, list(ObjectChange.objects.values("changes", "link_keys", "person_id", "former_person_id"))],
        default=str,
    ).lower()


def exported(table, person_ids):
    tables = {row.table: row for row in personal_data.registered_tables()}
    return list(tables[table].export(person_ids))


def erase(*people):
    """Erase people; exactly the rows exported before are deleted."""
    ids = [person.pk for person in people]
    tables = {row.table: row for row in personal_data.registered_tables()}
    before = set(ObjectRecord.objects.values_list("pk", flat=True))
    records = {row["id"] for row in exported("object_record", ids)}
    changes = exported("object_change", ids)
    assert tables["object_record"].count(ids) == len(records)
    identity = erasure.erase_people(ids, None, API)
    assert before - set(ObjectRecord.objects.values_list("pk", flat=True)) == records
    assert records <= {row["record_id"] for row in changes}
    assert not privacy_search.find_traces(identity)
    return changes


def test_nothing_of_an_erased_person_stays_in_a_record_that_moved_to_somebody_else():
    car, eve = approved_type(), make_person(email=EVE)
    waited = saved(car, plate="w", owner=ANN.upper(), colour="red")  # waits for Ann, who is not there yet
    changed(waited, owner=EVE)
    joined = saved(car, plate="j", owner=ANN)
    ann = make_person(email=ANN)
    changed(joined, colour="green")
    changed(joined, owner=EVE, colour="blue")
    lost = saved(car, plate="l", owner=ANN)
    changed(lost, owner=None)
    changed(lost, owner=EVE)
    changes = erase(ann)
    assert ObjectRecord.objects.filter(person_id=eve.pk).count() == 3
    text = kept_text()
    assert ANN not in text and "green" not in text and EVE in text
    (moved,) = [row for row in changes if row["changes"].get("colour") == ["green", None]]
    assert moved["changes"]["owner"] == [ANN, None]


def test_changes_that_the_version_before_writes_are_found_too():
    """It has no `link_keys`, and may write while the database is ahead of it."""
    car, eve = approved_type(), make_person(email=EVE)
    ann = make_person(email=ANN)
    moved = saved(car, plate="1", owner=EVE)
    columns = "record_id, object_type_id, person_id, kind, revision, version, channel, is_backfill"
    with connection.cursor() as cursor:
        for number, changes in enumerate(({"owner": [f"{ANN} ", EVE]}, {"colour": ["red", None]}, {})):
            cursor.execute(
                f"""insert into object_change ({columns}, changes)
                values (%s, %s, %s, 2, %s, 1, 4, false, %s)""",
                [moved.pk, car.pk, eve.pk, number + 2, json.dumps(changes).replace("ann", "Ann")],
            )
    kept = ObjectChange.objects.order_by("-pk").values_list("link_keys", flat=True)[:3]
    assert list(kept) == [None, None, [ANN, EVE]]
    erase(ann)
    assert ANN not in kept_text() and ObjectChange.objects.filter(record_id=moved.pk).count() == 4


def test_a_merged_losers_values_go_with_the_winner_and_stay_with_nobody():
    car, ann, ben = approved_type(), make_person(email=ANN), make_person(email="ben@example.com")
    make_person(email=EVE)
    moved = changed(saved(car, plate="1", owner=ANN, colour="red"), owner=EVE)
    own = saved(car, plate="2", owner=ANN)
    merge.merge_people(ben.pk, [ann.pk], None, API)
    erase(ben)
    assert list(ObjectRecord.objects.values_list("pk", flat=True)) == [moved.pk] and own.pk
    text = kept_text()
    assert ANN not in text and "ben@example.com" not in text


def test_records_that_link_to_records_of_erased_people_lose_the_link_and_its_value():
    account = approved_type(
        "Account",
        "account",
        (
            ObjectFieldSpec("address", "Address", "email", is_dedupe=True, link_to="person", link_by="email"),
            ObjectFieldSpec("title", "Title"),
        ),
    )
    order = approved_type(
        "Order",
        "order",
        (
            ObjectFieldSpec("number", "Number", is_dedupe=True),
            ObjectFieldSpec("account", "Account", "email", link_to="account", link_by="address"),
            ObjectFieldSpec("paid_by", "Paid by", "email", link_to="person", link_by="email"),
        ),
    )
    seat = approved_type(
        "Seat",
        "seat",
        (
            ObjectFieldSpec("place", "Place", is_dedupe=True),
            ObjectFieldSpec("order", "Order", is_dedupe=True, link_to="order", link_by="number"),
        ),
    )
    profile = approved_type(
        "Profile",
        "profile",
        (ObjectFieldSpec("of", "Of", "email", is_dedupe=True, link_to="account", link_by="address"),),
    )
    ann, eve = make_person(email=ANN), make_person(email=EVE)
    saved(account, address=ANN)
    saved(account, address=EVE)
    linked = saved(order, number="1", account=ANN, paid_by=EVE)
    formerly = changed(saved(order, number="2", account=ANN), account=EVE)
    saved(seat, place="a", order="1")
    saved(profile, of=ANN)
    erase(ann)
    assert set(ObjectRecord.objects.values_list("name", flat=True)) == {EVE, "1", "2", "a · 1"}
    linked.refresh_from_db()
    assert (linked.linked_id, linked.linked_key, linked.fields) == (None, None, {"number": "1", "paid_by": EVE})
    assert linked.person_id == eve.pk and linked.revision == 2
    formerly.refresh_from_db()
    assert formerly.fields["account"] == EVE and ANN not in kept_text()


def test_erase_and_export_cover_what_waits_for_the_person():
    course, enrolment = (
        approved_type("Course", "course", COURSE_FIELDS),
        approved_type("Enrolment", "enrolment", ENROLMENT_FIELDS),
    )
    ann = make_person(email=ANN)
    former = saved(enrolment, student=ANN, course="py")
    people_upsert.update_person(ann, {"email": "ann.jones@example.com"}, MARKETO)
    deletion.delete_people([ann.pk], None, API)
    waiting = saved(enrolment, student="Ann.Jones@example.com", course="py")
    other = saved(enrolment, student=EVE, course="py")
    saved(course, code="py")
    rows = exported("object_record", [ann.pk])
    assert {row["id"] for row in rows} == {former.pk, waiting.pk}
    erase(ann)
    assert ObjectRecord.objects.filter(object_type=enrolment).get() == other
    assert ANN not in kept_text() and "ann.jones" not in kept_text()


def test_the_database_keeps_the_history():
    car = approved_type()
    ann, ben = make_person(email=ANN), make_person(email=EVE)
    changed(saved(car, plate="1", owner=ANN, colour="red"), owner=EVE, colour="blue")
    saved(car, plate="2")
    refused = (
        "delete from object_change",
        "truncate object_change",
        "update object_change set changes = '{\"colour\": [1, 2]}'",
        "update object_change set changes = '{}' where kind = 2",
        # the same values in another order
        "update object_change set changes = jsonb_set(changes, '{colour}', '[\"blue\", \"red\"]') where kind = 2",
        "update object_change set person_id = null where kind = 2",
        f"update object_change set person_id = {ann.pk} where person_id is null",
        "update object_change set former_person_id = null where kind = 2",
        f"update object_change set former_person_id = {ben.pk}",
        "update object_change set link_keys = null where kind = 2",
        *(
            f"update object_change set {name} = {name} + 1"
            for name in ("id", "record_id", "object_type_id", "revision")
        ),
        *(f"update object_change set {name} = {name} + 1" for name in ("kind", "channel", "version")),
        *(f"update object_change set {name} = 7" for name in ("user_id", "origin_id", "undoes_id")),
        "update object_change set is_backfill = not is_backfill",
        "update object_change set changed_at = changed_at - interval '1 day'",
    )
    erasing = (
        "update object_change set changes = '{\"colour\": [1, 2]}'",
        "update object_change set changes = changes || '{\"new\": [1, 2]}'",
        "update object_change set changes = jsonb_set(changes, '{colour}', '[\"blue\", \"red\"]') where kind = 2",
        f"update object_change set former_person_id = {ben.pk}",
        "update object_change set link_keys = '{x}'",
        "update object_change set kind = 3",
    )
    for setting, statements in (("", refused), ("on", erasing)):
        for statement in statements:
            with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("select set_config('people.erasing', %s, true)", [setting])
                cursor.execute(statement)
    with connection.cursor() as cursor:  # a merge
        cursor.execute("update object_change set person_id = %s where person_id = %s", [ben.pk, ann.pk])
        assert cursor.rowcount == 1
