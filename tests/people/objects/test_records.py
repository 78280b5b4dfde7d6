"""Records: created, changed, upserted, deleted, restored, undone; every change kept."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from people import events
from people.core.errors import ConflictError, RejectedError
from people.definitions import drafts, lifecycle
from people.models import ObjectChange, ObjectRecord
from people.objects import queries, records, removal
from people.objects.definition import ObjectFieldSpec
from people.objects.outcomes import RecordAction, RecordKey, RecordStatus
from tests.factories import make_person
from tests.people.objects.world import API, approved_type, changed, codes, draft_type, saved, upsert

pytestmark = pytest.mark.django_db
Kind = ObjectChange.Kind


@pytest.fixture
def published(monkeypatch):
    seen = []
    monkeypatch.setattr(events, "_subscribers", [*events._subscribers, lambda event, _source: seen.append(event)])
    return lambda: [event for event in seen if isinstance(event, events.ObjectsChanged)]


def history(record):
    return [(Kind(change.kind), change.changes) for change in reversed(queries.history_of_record(record.pk))]


def test_values_of_every_type_and_every_change(published):
    car, ann = approved_type(), make_person(email="ann@example.com")
    row = {
        "plate": " 1234 BCD ",
        "owner": "Ann@Example.com",
        "mileage": "12000",
        "price": "15000.50",
        "inspected_on": "2026-11-01",
        "sold_at": "2026-11-01T10:00:00Z",
        "is_electric": "true",
        "weight": 0.1,
        "notes": "  line\nline",
        "page": "https://example.com",
        "garage_phone": "+34 600 123 456",
        "colour": "",
    }
    record = saved(car, **row)
    values = queries.shown_values(record)
    assert values == {
        "plate": "1234 BCD",
        "owner": "Ann@Example.com",
        "mileage": 12000,
        "price": Decimal("15000.5"),
        "inspected_on": date(2026, 11, 1),
        "sold_at": datetime(2026, 11, 1, 10, tzinfo=UTC),
        "is_electric": True,
        "weight": 0.1,
        "notes": "  line\nline",
        "page": "https://example.com",
        "garage_phone": "+34 600 123 456",
    }
    assert record.person_id == ann.pk and record.name == "1234 BCD" and record.version == car.live.number
    assert saved(car, **row).revision == 1  # nothing differs: no change
    blue = changed(record, colour="blue", mileage=None)
    red = changed(blue, colour="red", weight="0.1", price=15000.5)
    assert (red.revision, red.fields["colour"], "mileage" in red.fields) == (3, "red", False)
    assert history(record)[0][1].keys() == values.keys()
    assert history(record)[1:] == [
        (Kind.CHANGED, {"colour": [None, "blue"], "mileage": [12000, None]}),
        (Kind.CHANGED, {"colour": ["blue", "red"]}),
    ]
    log = list(ObjectChange.objects.order_by("pk"))
    assert [change.record_id for change in log] == [record.pk] * 3
    (third,) = published()[2].changes
    assert (third.id, third.person_id, third.changes) == (log[2].pk, ann.pk, {"colour": ["blue", "red"]})
    assert published()[2].object_type == "car"


def test_one_bad_row_never_costs_the_others():
    car = approved_type()
    saved(car, plate="OLD 1")
    long, huge = "x" * 30_001, "ñ" * 15_000
    rows = [
        {"plate": "A"},
        {"plate": ""},
        {"colour": "red"},
        {"plate": "B", "mileage": "many", "colours": "red"},
        {"plate": "C", "notes": long},
        {"plate": "D", "notes": huge, "page": "p" * 2_001},
        {"plate": "E", "id": 5},
        {"plate": "F\0"},
        {"plate": "G", "owner": "nobody"},
        {"plate": "Z", "notes": huge},
    ]
    outcomes = upsert(car, *rows)
    assert codes(outcomes) == [
        [],
        ["missing_value"],
        ["missing_value"],
        ["wrong_type", "unknown_field"],
        ["too_long"],
        ["too_long"],
        ["unexpected_id"],
        ["wrong_type"],
        ["wrong_type"],
        [],
    ]
    assert outcomes[3].problems[1].message == "is not a field of this type; did you mean colour?"
    assert set(ObjectRecord.objects.values_list("name", flat=True)) == {"OLD 1", "A", "Z"}
    many = [{"plate": f"M{n}", **{"notes": huge}} for n in range(3)]
    assert codes(upsert(car, *many, dry_run=True)) == [[], [], []] and ObjectRecord.objects.count() == 3
    with pytest.raises(ValueError, match="at most"):
        upsert(car, *[{}] * 2_001)


def test_all_values_of_a_record_are_bounded():
    fields = [f"t{n}" for n in range(3)]
    from_text = dict.fromkeys(fields, "x" * 25000)
    thing = approved_type(
        "Thing",
        "thing",
        (ObjectFieldSpec("key", "Key", is_dedupe=True), *(ObjectFieldSpec(n, n.upper(), "text") for n in fields)),
    )
    assert codes(upsert(thing, {"key": "1", **from_text}, {"key": "2"})) == [["too_large"], []]


def test_dedupe_values_in_another_case_or_form_are_the_same_record():
    car = approved_type()
    first = saved(car, plate="Ñandú 1", colour="blue")
    outcomes = upsert(
        car,
        {"plate": "ÑANDÚ 1", "colour": "red"},
        {"plate": "N\u0303andu\u0301 1 ", "colour": "green"},
        {"plate": "nandu 1"},
        {"plate": "New", "colour": "a"},
        {"plate": "NEW", "colour": "b"},
    )
    assert [outcome.status for outcome in outcomes] == ["updated", "updated", "created", "created", "updated"]
    first.refresh_from_db()
    assert (first.name, first.fields["colour"]) == ("Ñandú 1", "green")  # its own form stays
    assert outcomes[3].record_id == outcomes[4].record_id
    assert ObjectRecord.objects.count() == 3
    assert changed(first, plate="ÑANDÚ 1").name == "ÑANDÚ 1"  # by its id the form may change


def test_actions_and_ids():
    car = approved_type()
    one, two = saved(car, plate="1"), saved(car, plate="2")
    create = upsert(car, {"plate": "1"}, {"plate": "3"}, {"plate": "3"}, action=RecordAction.CREATE)
    assert codes(create) == [["record_exists"], [], ["record_exists"]]
    assert codes(upsert(car, {"plate": "9"}, {"plate": "1"}, action=RecordAction.UPDATE)) == [["unknown_record"], []]
    by_id = [{"id": one.pk}, {"id": str(one.pk)}, {"id": "x"}, {"id": 10**30}, {"id": 999_999}, {}]
    assert codes(upsert(car, *by_id, key=RecordKey.ID)) == [
        [],
        [],
        ["wrong_type"],
        ["wrong_type"],
        ["unknown_record"],
        ["missing_value"],
    ]
    by_guid = [{"guid": str(one.guid), "colour": "red"}, {"guid": "x"}, {"guid": str(uuid4())}]
    assert codes(upsert(car, *by_guid, key=RecordKey.GUID)) == [[], ["wrong_type"], ["unknown_record"]]
    # a dedupe value that becomes another's
    taken = upsert(car, {"id": one.pk, "plate": "2"}, {"id": two.pk, "plate": "5"}, key=RecordKey.ID)
    assert codes(taken) == [["value_taken"], []]
    both = upsert(car, {"id": one.pk, "plate": "7"}, {"id": two.pk, "plate": "7"}, key=RecordKey.ID)
    assert codes(both) == [[], ["value_taken"]]
    with pytest.raises(ConflictError):
        records.update_record(one, {"colour": "blue"}, API, 1)
    assert records.update_record(one, {"colour": "blue"}, API, 3).status is RecordStatus.UPDATED
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "update object_record set dedupe_hash = (select dedupe_hash from object_record order by id limit 1)"
        )


def test_delete_restore_and_undo():
    car = approved_type()
    record = saved(car, plate="1", colour="blue")
    outcomes = removal.delete_records(car, [{"plate": "1"}, {"plate": "1"}, {"plate": "x"}, {}], API)
    assert [outcome.status for outcome in outcomes] == ["deleted", *["refused"] * 3]
    other = saved(car, plate="1")  # its values are free
    restore = removal.restore_records(car, [record.pk, other.pk, 0, "x", 10**40], API)
    assert codes(restore) == [["value_taken"], ["not_deleted"], *[["unknown_record"]] * 3]
    removal.delete_records(car, [{"id": other.pk}], API, key=RecordKey.ID)
    assert removal.restore_records(car, [record.pk], API)[0].status is RecordStatus.RESTORED
    record = changed(changed(record, colour="red"), colour="green", mileage=5)
    assert [kind for kind, _changes in history(record)] == [
        Kind.ADDED,
        Kind.REMOVED,
        Kind.RESTORED,
        Kind.CHANGED,
        Kind.CHANGED,
    ]
    latest, before = queries.history_of_record(record.pk, limit=2)
    with pytest.raises(RejectedError) as refusal:
        removal.undo_change(before, API)  # the later one covers it
    assert refusal.value.code == "changed_meanwhile" and "Colour" in str(refusal.value)
    removal.undo_change(latest, API)
    removal.undo_change(before, API)
    record.refresh_from_db()
    assert (record.fields["colour"], "mileage" in record.fields) == ("blue", False)
    assert queries.history_of_record(record.pk)[0].undoes_id == before.pk
    added = queries.history_of_record(record.pk)[-1]
    removal.undo_change(added, API)
    assert ObjectRecord.objects.get(pk=record.pk).deleted_at
    removal.undo_change(queries.history_of_record(record.pk)[0], API)
    assert ObjectRecord.objects.get(pk=record.pk).deleted_at is None
    for statement in (
        "update object_change set changes = '{\"colour\": [1, 2]}'",
        "update object_change set kind = 3 where kind = 2",
        "truncate object_change",
    ):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_types_without_records_and_fields_that_come_and_go():
    car = approved_type()
    record = saved(car, plate="1", colour="blue", notes="kept")
    drafts.remove_draft_fields(car, ["notes"], None)
    drafts.add_draft_fields(car, [ObjectFieldSpec("seats", "Seats", "integer")], None)
    assert codes(upsert(car, {"plate": "1", "seats": 5})) == [["unknown_field"]]
    lifecycle.approve_draft(car, None)
    assert codes(upsert(car, {"plate": "1", "seats": 5}, {"plate": "1", "notes": "x"})) == [[], ["unknown_field"]]
    record.refresh_from_db()
    assert record.version == 2 and record.fields["notes"] == "kept" and "notes" not in queries.shown_values(record)
    lifecycle.retire_definition(car, None)
    for verb, code in ((lifecycle.delete_definition, "retired_type"), (None, "unknown_type")):
        with pytest.raises(RejectedError) as refusal:
            upsert(car, {"plate": "1"})
        assert refusal.value.code == code
        if verb:
            verb(car, None)
    with pytest.raises(RejectedError) as refusal:
        upsert(draft_type("Bike", "bike"), {"plate": "1"})
    assert refusal.value.code == "unapproved_type"


def test_a_batch_of_any_size_takes_the_same_statements(django_assert_max_num_queries):
    car = approved_type()
    make_person(email="ann@example.com")
    rows = [{"plate": f"P{n}", "owner": "ann@example.com", "colour": "red"} for n in range(300)]
    with django_assert_max_num_queries(17):
        upsert(car, *rows)
    with django_assert_max_num_queries(17):
        outcomes = upsert(car, *[{**row, "colour": "blue"} for row in rows])
    assert {outcome.status for outcome in outcomes} == {"updated"} and ObjectChange.objects.count() == 600


def test_dedupe_values_are_compared_without_the_case_of_single_letters_alone():
    """As `lower` of PostgreSQL does, and as the stored digests were made (`docs/custom-objects.md`)."""
    car = approved_type()
    statuses = [str(outcome.status) for outcome in upsert(car, {"plate": "É1"}, {"plate": "e\u03011"}, {"plate": "Ж"})]
    assert statuses == ["created", "updated", "created"]
    for one, other in (("ΣΑΣ", "σας"), ("ß1", "SS1")):
        assert [str(outcome.status) for outcome in upsert(car, {"plate": one}, {"plate": other})] == ["created"] * 2
