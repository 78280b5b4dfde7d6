"""Columns are recorded as their rows would be, one by one."""

from datetime import UTC
from decimal import Decimal
from random import Random

import pytest
from django.db import transaction

from activities.models import Activity, ActivityKey
from activities.recording import column_recorder, column_sql, recorder
from activities.recording.columns import ActivityColumns
from activities.recording.parsing import ActivityParser
from activities.recording.rows import RecordStatus
from activities.recording.schema import schema_of_version
from config.access.models import User
from people.core.source import Channel, Source
from people.definitions import lifecycle
from people.models import Person
from people.persons import deletion
from tests.factories import approved_type, edit_description, make_person

pytestmark = pytest.mark.django_db
SOURCE = Source(Channel.IMPORT)
NAMES = ("amount", "branch", "deposited_on", "is_foreign", "pages")


@pytest.fixture(autouse=True)
def check_type(db, monkeypatch):
    monkeypatch.setattr(column_recorder, "MANY", 1)
    monkeypatch.setattr(column_sql, "CHUNK", 2)
    return approved_type()


def columns(*rows, lookup_field="email", create=False, keyed=True):
    """Rows of person, moment, primary value, external id and the secondary fields."""
    people, moments, primaries, external_ids, *fields = zip(*rows, strict=True)
    return ActivityColumns(
        "depositCheck",
        people,
        lookup_field,
        create,
        moments,
        primaries,
        list(zip(NAMES, fields, strict=True)),
        external_ids if keyed else None,
    )


def row(email, number=1, key=None, moment="2026-11-20T10:00:00Z", amount="2.50", pages="3", branch="Main"):
    return email, moment, f"No. {number}", key, amount, branch, "2026-11-19", "true", pages


def stored():
    activities = Activity.objects.filter(activity_type_id__gt=100_000).order_by("pk")
    keys = ActivityKey.objects.order_by("activity_id").values_list("person_id", "external_id", "digest")
    contents = activities.values_list("person_id", "version", "occurred_at", "primary_value", "attributes", "channel")
    return list(contents), [(person_id, key, bytes(digest)) for person_id, key, digest in keys]


def answer(outcome):
    """But for the messages: one names the second in which it was written."""
    return outcome.status, [(problem.code, problem.path, problem.got) for problem in outcome.problems]


def both_ways(made, **options):
    """The stored rows and the outcomes, by columns and by rows; nothing stays."""
    found = []
    for by_columns in (True, False):
        with transaction.atomic():
            if by_columns:
                recorded = column_recorder.record_columns(made, SOURCE, **options)
                ids = {place: new_id for place, new_id in enumerate(recorded.ids) if new_id is not None}
                answers = {place: answer(outcome) for place, outcome in recorded.others.items()}
                assert not ids.keys() & answers.keys() and len(ids) + len(answers) == len(made)
                assert list(ids.values()) == sorted(ids.values())
            else:
                outcomes = recorder.record_activities(list(made), SOURCE, keep_refused=False, **options)
                answers = {
                    place: answer(outcome)
                    for place, outcome in enumerate(outcomes)
                    if outcome.status is not RecordStatus.ADDED
                }
            found.append((stored(), answers))
            transaction.set_rollback(True)
    return found


ROWS = {
    "good": [row("ann@example.com", n, f"k{n}") for n in range(5)],
    "without keys": [row("ann@example.com", n) for n in range(3)],
    "some with keys": [row("ann@example.com", 1, "k"), row("bob@example.com", 2, " "), row("bob@example.com", 3)],
    "a key twice": [row("ann@example.com", 1, "k"), row("Ann@Example.com", 1, "k"), row("ann@example.com", 2, "k")],
    "a key known before": [
        row("ann@example.com", 1, "known"),
        row("bob@example.com", 1, "known"),
        row("ann@example.com", 5, "k"),
    ],
    "bad among good": [
        row("ann@example.com", 1, "a", amount="x"),
        row("nobody@example.com", 2, "b"),
        row("", 3, "c"),
        row("ann@example.com", 4, "d", moment="soon", pages="1.5"),
        row("ann@example.com", 5, "e\0"),
        row("ann@example.com", 6, "f", moment="2199-01-01T00:00:00Z"),
        row("ann@example.com", 7, "x" * 256),
        row("bob@example.com", 8, "g", amount="", branch=" "),
        row("ann@example.com", 9, "h"),
    ],
    "rare forms": [
        row("ann@example.com", 1, "a\\b", moment="2026-11-20 10:00", branch='"\\\t\n'),
        row("ann@example.com", 2, "b", moment="2026-11-20T10:00:00.250Z", amount="-0.00"),
        row("ann@example.com", 3, 7, pages=3.0),
    ],
    "as JSON has them": [
        (
            "ann@example.com",
            "2026-11-20T10:00:00Z",
            f"No. {pages}",
            None,
            amount,
            "Main",
            "2026-11-19",
            pages > 3,
            pages,
        )
        for pages, amount in enumerate(
            [Decimal("2.50"), 3, Decimal("-0.0"), Decimal("1E+2"), Decimal("0.12345"), 10**16]
        )
    ],
    "too much": [row("ann@example.com", "n" * 300, "a"), row("ann@example.com", 2, "b")],
}


@pytest.mark.parametrize("case", ROWS)
def test_columns_are_recorded_as_rows_are(case):
    make_person(email="ann@example.com")
    make_person(email="bob@example.com")
    column_recorder.record_columns(columns(row("ann@example.com", 1, "known")), SOURCE)
    by_columns, by_rows = both_ways(columns(*ROWS[case]))
    assert by_columns == by_rows
    assert len(by_columns[0][0]) > 1


@pytest.mark.parametrize("seed", range(6))
def test_random_rows_are_recorded_as_rows_are_also_where_digests_and_keys_were_made_beforehand(seed, check_type):
    random = Random(seed)
    make_person(email="ann@example.com")
    make_person(email="bob@example.com")
    pool = [one for case, rows in ROWS.items() if case != "as JSON has them" for one in rows]
    made = columns(*random.choices(pool, k=40)) if seed % 3 else columns(*random.sample(ROWS["good"], 5))
    known = random.sample(pool, 6)
    column_recorder.record_columns(columns(*known), SOURCE)
    checked = made.check(schema_of_version(check_type.live_id), UTC)
    checked.make_digests()
    made.lookup_keys()
    assert (checked.digests is None) == bool(checked.others)
    by_columns, by_rows = both_ways(made)
    assert by_columns == by_rows


def test_people_by_id_shared_addresses_and_new_people():
    ann, twin, gone = make_person(email="ann@example.com"), make_person(email="t@example.com"), make_person()
    Person.objects.filter(pk=ann.pk).update(email="T@example.com")
    deletion.delete_people([gone.pk], None, SOURCE)
    for ids in ([ann.pk, twin.pk], [ann.pk, gone.pk, 0, 2**40, "x", True, twin.pk]):
        by_columns, by_rows = both_ways(columns(*[row(pk, 1) for pk in ids], lookup_field="id", keyed=False))
        assert by_columns == by_rows and len(by_columns[0][0]) == 2
    by_columns, by_rows = both_ways(columns(row("t@example.com"), keyed=False))
    assert by_columns == by_rows and by_columns[1][0][1][0][0] == "ambiguous_person"
    made = columns(row("new@example.com"), row("New@example.com "), row("not an address"), create=True, keyed=False)
    (kept, answers), by_rows = both_ways(made)
    assert answers == by_rows[1] and list(answers) == [2] and len({one[0] for one in kept[0]}) == 1


def test_a_known_key_that_the_server_finds_while_more_of_them_are_written(monkeypatch):
    monkeypatch.setattr(column_sql, "CHUNK", 100)
    monkeypatch.setattr(column_sql, "PROBED_OF_LARGE", 1)
    make_person(email="ann@example.com")
    column_recorder.record_columns(columns(row("ann@example.com", 1, "k0001")), SOURCE)
    recorded = column_recorder.record_columns(
        columns(*[row("ann@example.com", n, f"k{n:04}") for n in range(4000)]), SOURCE
    )
    assert {place: str(outcome.status) for place, outcome in recorded.others.items()} == {1: "repeated"}
    assert len(stored()[1]) == 4000 and recorded.ids[1] is None


def test_a_call_that_is_sent_again_is_noticed_before_anything_is_written(monkeypatch):
    def refuse(*_arguments, **_options):
        raise AssertionError("recorded a second time by another way")

    made = columns(*[row("ann@example.com", n, f"k{n:04}") for n in range(300)])
    make_person(email="ann@example.com")
    column_recorder.record_columns(made, SOURCE)
    monkeypatch.setattr(column_sql, "KnownKeyError", refuse)
    recorded = column_recorder.record_columns(made, SOURCE)
    assert {str(outcome.status) for outcome in recorded.others.values()} == {"repeated"} and len(recorded.others) == 300


def test_a_dry_run_says_the_same_and_keeps_nothing():
    make_person(email="ann@example.com")
    made = columns(*[row("ann@example.com", n, f"k{n}") for n in range(3)], row("ann@example.com", 9, "k1"))
    recorded = column_recorder.record_columns(made, SOURCE, dry_run=True)
    assert list(recorded.others) == [3] and set(recorded.ids) == {None} and stored() == ([], [])


def test_what_was_checked_by_a_version_that_is_no_longer_live_is_checked_again(check_type):
    make_person(email="ann@example.com")
    made = columns(row("ann@example.com"), keyed=False)
    column_recorder.record_columns(made, SOURCE)
    edit_description(check_type, "Changed")
    lifecycle.approve_draft(check_type, None)
    column_recorder.record_columns(made, SOURCE)
    custom = Activity.objects.filter(activity_type_id__gt=100_000).order_by("pk")
    assert list(custom.values_list("version", flat=True)) == [1, 2]
    lifecycle.retire_definition(check_type, None)
    recorded = column_recorder.record_columns(made, SOURCE)
    assert recorded.others[0].problems[0].code == "retired_type"


@pytest.mark.parametrize("seed", range(4))
def test_json_rows_are_recorded_as_rows_are_in_whatever_order_they_have_their_members(seed):
    random = Random(seed)
    ann = make_person(email="ann@example.com")
    rows = []
    for number in range(12):
        values = {"amount": number, "branch": "Main", "pages": random.choice([1, None, "x", "3"])}
        members = {
            "activity_type": "depositCheck",
            "person": ann.pk,
            "occurred_at": random.choice(["2026-11-20T10:00:00Z", "2026-11-20 10:00", "soon"]),
            "primary_value": f"No. {number}",
            "attributes": values,
            "external_id": random.choice([None, "k", f"k{number}"]),
        }
        if seed:  # seed 0: all alike, as programs send them
            values.pop(random.choice(["amount", "branch", "none"]), None)
            members.pop(random.choice(["external_id", "primary_value", "none"]), None)
            order = random.sample(sorted(members), len(members))
            members = {name: members[name] for name in order}
        rows.append(members)
    made = ActivityParser(User(is_superuser=True)).columns(rows)
    assert made is not None
    assert list(made.people) == [ann.pk] * 12
    assert list(made.occurred_at) == [members["occurred_at"] for members in rows]
    assert dict(made.fields)["pages"] == tuple(members["attributes"]["pages"] for members in rows) or seed
    by_columns, by_rows = both_ways(made)
    assert by_columns == by_rows
