"""A batch leaves what the same rows leave one by one: outcomes, values, links and, per record, history."""

import random

import pytest
from django.db import transaction

from people.models import ObjectChange, ObjectRecord
from people.objects import queries, removal
from people.objects.definition import ObjectFieldSpec
from people.objects.outcomes import RecordAction, RecordKey
from people.persons import upsert as people_upsert
from tests.factories import MARKETO, make_person
from tests.people.objects.world import API, CAR_FIELDS, COURSE_FIELDS, approved_type, changed, codes, saved, upsert

pytestmark = pytest.mark.django_db
Kind = ObjectChange.Kind
TICKET_FIELDS = (
    ObjectFieldSpec("row", "Row", is_dedupe=True),
    ObjectFieldSpec("seat", "Seat", is_dedupe=True),
    ObjectFieldSpec("holder", "Holder", "email", link_to="person", link_by="email"),
    ObjectFieldSpec("course", "Course", link_to="course", link_by="code"),
    ObjectFieldSpec("notes", "Notes", "text"),
    ObjectFieldSpec("more", "More", "text"),
    ObjectFieldSpec("colour", "Colour"),
)
HUGE = "ñ" * 14_000
VALUES = {
    "row": ("A", "a", "B", "C", ""),
    "seat": ("1", "2"),
    "holder": ("ann@x.com", "ANN@x.com", "ben@x.com", "twins@x.com", "late@x.com", "nobody@x.com", None, "bad"),
    "course": ("py", "PY", "go", "none", None),
    "notes": (HUGE, None),
    "more": (HUGE, None),
    "colour": ("red", "blue", None, HUGE[:300]),
}


def people_and_records(ticket):
    """People and records with all states of links: resolved, waiting, and by now named by one or several people."""
    ann, ben = make_person(email="ann@x.com"), make_person(email="ben@x.com")
    rows = [
        {"row": "A", "seat": "1", "holder": "ann@x.com", "course": "py"},
        {"row": "A", "seat": "2", "holder": "twins@x.com", "course": "none"},
        {"row": "B", "seat": "1", "holder": "ben@x.com", "notes": HUGE},
        {"row": "B", "seat": "2", "holder": "late@x.com"},
    ]
    upsert(ticket, *rows)
    twins = [{"email": "twins@x.com"}] * 2
    people_upsert.upsert_people(twins, MARKETO, action=people_upsert.UpsertAction.DUPLICATE)
    people_upsert.update_person(ben, {"email": "former@x.com"}, MARKETO)  # the record stays with Ben
    return ann


def random_rows(generator, key, ids):
    rows = []
    for _number in range(generator.randint(2, 7)):
        names = generator.sample(sorted(VALUES), generator.randint(1, 4))
        row = {name: generator.choice(VALUES[name]) for name in names}
        if key is RecordKey.ID:
            row["id"] = generator.choice(ids)
        else:
            row |= {name: generator.choice(VALUES[name][:4]) for name in ("row", "seat")}
        rows.append(row)
    return rows


def state(ticket, last_id):
    """The records, and the history since `last_id` as one change a record."""
    records = {
        record.name: (record.fields, record.person_id, record.person_key, record.linked_id, record.linked_key)
        for record in ObjectRecord.objects.filter(object_type=ticket, deleted_at=None)
    }
    history = {}
    for change in ObjectChange.objects.filter(pk__gt=last_id).order_by("pk"):
        name = ObjectRecord.objects.get(pk=change.record_id).name
        if name not in history:
            history[name] = {"kinds": set(), "changes": {}, "from": change.former_person_id, "first": change.person_id}
        whole = history[name]
        if change.former_person_id is None and len(whole["kinds"]) == 0 and change.kind != Kind.ADDED:
            whole["first"] = change.person_id
        whole["kinds"].add(change.kind)
        for field, (old, new) in change.changes.items():
            whole["changes"][field] = [whole["changes"].get(field, [old])[0], new]
        whole["person"] = change.person_id
    folded = {}
    for name, whole in history.items():
        changes = {field: pair for field, pair in whole["changes"].items() if pair[0] != pair[1]}
        folded[name] = (Kind.ADDED in whole["kinds"], changes, whole["person"])
    # rows that change a value and change it back leave no change in a batch
    return records, {name: entry for name, entry in folded.items() if entry[0] or entry[1]}


def outcome_of(ticket, last_id, calls):
    """The outcomes and state after `calls`, which are rolled back."""
    with transaction.atomic():
        outcomes = [outcome for call in calls for outcome in call()]
        found = ([outcome.status for outcome in outcomes], codes(outcomes), *state(ticket, last_id))
        transaction.set_rollback(True)
    return found


def test_any_batch_leaves_what_its_rows_leave_one_by_one():
    course = approved_type("Course", "course", COURSE_FIELDS)
    ticket = approved_type("Ticket", "ticket", TICKET_FIELDS)
    upsert(course, {"code": "py"}, {"code": "go"})
    people_and_records(ticket)
    ids = list(ObjectRecord.objects.filter(object_type=ticket).values_list("pk", flat=True))
    last_id = ObjectChange.objects.order_by("-pk").values_list("pk", flat=True)[0]
    generator = random.Random(25)
    for number in range(60):
        key = RecordKey.ID if number % 2 else RecordKey.DEDUPE
        action = generator.choice([RecordAction.UPSERT, RecordAction.UPSERT, RecordAction.CREATE])
        action = RecordAction.UPDATE if key is RecordKey.ID else action
        rows = random_rows(generator, key, ids)
        options = {"key": key, "action": action}
        together = outcome_of(ticket, last_id, [lambda rows=rows, o=options: upsert(ticket, *rows, **o)])
        one_by_one = outcome_of(ticket, last_id, [lambda row=row, o=options: upsert(ticket, row, **o) for row in rows])
        assert together == one_by_one, (number, key, action, rows)


def test_links_that_go_away_and_come_back_in_one_batch():
    car = approved_type()
    ann, _ben = make_person(email="ann@x.com"), make_person(email="ben@x.com")
    record = saved(car, plate="1", owner="ann@x.com")
    row = {"plate": "1", "owner": "ann@x.com"}
    for owners in (["ben@x.com", "ann@x.com"], [None, "ann@x.com"], ["nobody@x.com", "ANN@x.com"]):
        upsert(car, *({**row, "owner": owner} for owner in owners))
        record.refresh_from_db()
        assert record.person_id == ann.pk, owners
    # only the last batch changed anything: the form of the address
    history = queries.history_of_record(record.pk)
    assert [(change.kind, change.person_id, change.former_person_id) for change in history] == [
        (Kind.CHANGED, ann.pk, None),
        (Kind.ADDED, ann.pk, None),
    ]


def test_dedupe_values_that_rotate_in_one_batch():
    car = approved_type()
    one, two = saved(car, plate="1"), saved(car, plate="2")
    rows = [{"id": one.pk, "plate": "x"}, {"id": two.pk, "plate": "1"}, {"id": one.pk, "plate": "2"}]
    assert codes(upsert(car, *rows, key=RecordKey.ID)) == [[], [], []]
    names = dict(ObjectRecord.objects.values_list("pk", "name"))
    assert names == {one.pk: "2", two.pk: "1"}
    assert saved(car, plate="1", colour="red").pk == two.pk


def test_an_entry_joined_says_that_something_was_joined():
    course = approved_type("Course", "course", COURSE_FIELDS)
    by_code = approved_type(
        "Exam", "exam", (CAR_FIELDS[0], ObjectFieldSpec("of", "Of", link_to="course", link_by="code"))
    )
    car = approved_type()
    exam, record = saved(by_code, plate="1", of="py"), saved(car, plate="1", owner="ann@x.com")
    twins = [{"email": "ann@x.com"}] * 2
    people_upsert.upsert_people(twins, MARKETO, action=people_upsert.UpsertAction.DUPLICATE)
    upsert(car, {"plate": "1", "owner": "ann@x.com"})  # ambiguous: continues to wait
    saved(course, code="PY")
    kinds = {pk: [c.kind for c in queries.history_of_record(pk)] for pk in (exam.pk, record.pk)}
    assert kinds == {exam.pk: [Kind.LINKED, Kind.ADDED], record.pk: [Kind.ADDED]}
    assert changed(exam, of="PY").linked_id == changed(exam, of="py").linked_id is not None
    removal.delete_records(course, [{"code": "py"}], API)
    kinds = [change.kind for change in queries.history_of_record(exam.pk)]
    assert kinds == [Kind.CHANGED, Kind.CHANGED, Kind.LINKED, Kind.ADDED]
