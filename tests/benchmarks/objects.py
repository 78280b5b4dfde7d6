"""Object records in smart lists: each kind of filter against the best SQL by hand, over a million records."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import uuid4

from django.db import connection

from tests.benchmarks import Bench, Line, at_least, measures, within
from tests.benchmarks.by_hand import filter_lines, set_alike

RECORDS, EACH = 1_000_000, 5  # at SCALE 1; records of one person
CALL = 300
PEOPLE = """insert into person (email, fields) select 'owner' || n || '@example.com', '{}' from generate_series(1, %s) n
    returning id"""
# a fifth of the cars is red; prices from 0 to 99,999; every tenth is deleted, every tenth waits for its person
CARS = """insert into object_record (guid, object_type_id, version, person_id, dedupe_hash, name, fields, revision, deleted_at)
    select gen_random_uuid(), %(type)s, 1, case when n %% 10 <> 3 then %(first)s + n / %(each)s end, sha256(n::text::bytea),
        n::text, jsonb_build_object('plate', n::text, 'price', n::bigint * 7919 %% 100000, 'model', 'Model ' || n %% 500,
            'colour', (array['Red', 'Blue', 'Green', 'White', 'Black'])[1 + (n %% 5)]),
        2, case when n %% 10 = 7 then now() end
    from generate_series(0, %(number)s - 1) n"""
CHANGES = """insert into object_change (record_id, object_type_id, person_id, kind, changes, revision, version, changed_at, channel,
    is_backfill)
    select id, object_type_id, person_id, 2, jsonb_build_object('colour', jsonb_build_array('Blue', fields->'colour')), 2, 1,
        now() - random() * interval '1 year', 2, false from object_record where object_type_id = %(type)s"""

COPY = """copy object_record (guid, object_type_id, version, person_id, person_key, dedupe_hash, name, fields, revision)
    from stdin"""

CARS_OF = "from object_record where object_type_id = {car} and deleted_at is null and person_id is not null"
RED = CARS_OF + " and lower(fields->>'colour') = 'red'"
PAINTED = (
    "c.object_type_id = {car} and c.kind = 2 and c.changed_at >= now() - interval '30 days' and c.changed_at <= now()"
)


def has(*constraints: tuple[str, ...], **more: Any) -> dict[str, Any]:
    named = [{"field": field, "operator": operator, "values": list(values)} for field, operator, *values in constraints]
    return {"kind": "object", "type": "benchCar", "constraints": named, **more}


FILTERS: dict[str, tuple[dict[str, Any], Sequence[str]]] = {
    "has": (has(), [f"select person_id as person {CARS_OF}", f"select distinct person_id as person {CARS_OF}"]),
    "has not": (
        has(has=False),
        [
            f"select id as person from person p where state = 'live' and not exists (select {CARS_OF} and person_id = p.id)",
            f"select id as person from person where state = 'live' except select person_id {CARS_OF}",
        ],
    ),
    "has a red one": (has(("colour", "is", "Red")), [f"select person_id as person {RED}"]),
    "has a red one over 90,000": (
        has(("colour", "is", "Red"), ("price", "greater than", "90000")),
        [f"select person_id as person {RED} and (fields->'price')::numeric > 90000"],
    ),
    "has at least 4": (
        has(count={"operator": "at least", "values": ["4"]}),
        [f"select person_id as person {CARS_OF} group by person_id having count(*) >= 4"],
    ),
    "sum of prices over 300,000": (
        has(aggregate={"function": "sum", "field": "price", "operator": "greater than", "values": ["300000"]}),
        [f"select person_id as person {CARS_OF} group by person_id having sum((fields->'price')::numeric) > 300000"],
    ),
    "colour changed to red in past 30 days": (
        has(changed={"field": "colour", "to": ["Red"], "operator": "in past", "values": ["30 days"]}),
        [
            f"""select r.person_id as person from object_change c join object_record r on r.id = c.record_id
                where {PAINTED} and c.changes ? 'colour' and lower(c.changes->'colour'->>1) = 'red'
                  and r.deleted_at is null and r.person_id is not null""",
            f"""select person_id as person {CARS_OF} and exists (select from object_change c where {PAINTED}
                and c.record_id = object_record.id and lower(c.changes->'colour'->>1) = 'red')""",
        ],
    ),
}


@measures
def object_filters(bench: Bench) -> Iterator[Line]:
    """Evaluations as the product makes them, names looked up once."""
    from smartlists.catalog import Catalogue

    numbers = {"car": _filled(round(RECORDS * bench.scale))}
    set_alike()
    names = Catalogue()
    assert names.objects is not None
    yield from filter_lines("smart list, objects", FILTERS, numbers, names)


@measures
def object_upserts(bench: Bench) -> Iterator[Line]:
    """Records 300 a call, beside a million others. B: COPY of the same new rows in commits of 300, C: one COPY of all.

    Both are into the same table, with its indexes, and without the history that the calls write.
    """
    from people.core.source import Channel, Source
    from people.models import ObjectType
    from people.objects import records

    car = ObjectType.objects.get(pk=_filled(round(RECORDS * bench.scale)))
    number, source = bench.sample(9_000), Source(Channel.API)

    def rows(turn: int, colour: str) -> list[dict[str, Any]]:
        return [
            {"plate": f"U {turn} {n}", "owner": f"owner{n % 1000 + 1}@example.com", "colour": colour, "price": str(n)}
            for n in range(number)
        ]

    def upsert(turn: int, colour: str) -> int:
        made = rows(turn, colour)
        for start in range(0, number, CALL):
            outcomes = records.upsert_records(car, made[start : start + CALL], source)
            assert not any(outcome.problems for outcome in outcomes), outcomes[0].problems
        return number

    new, changed, in_calls, at_once = bench.rounds(
        lambda turn: upsert(turn, "Red"),
        lambda turn: upsert(turn, "Blue"),
        lambda turn: _copy(car.pk, f"B {turn}", number, CALL),
        lambda turn: _copy(car.pk, f"C {turn}", number, number),
    )
    yield at_least("new records of objects, 300 a call (B)", new, in_calls, 0.3)
    yield at_least("the same beside one COPY of all, which no call can be (C)", new, at_once, None)
    yield at_least("changed records of objects, 300 a call, beside COPY of new ones (B)", changed, in_calls, None)


@measures
def object_list(bench: Bench) -> Iterator[Line]:
    """The SQL of a page of the list of records, without and with a filter."""
    from people.models import ObjectType
    from people.objects.schema import live_schema
    from people.objects.selection import selected_records

    car = ObjectType.objects.get(pk=_filled(round(RECORDS * bench.scale)))
    schema = live_schema(car)
    for what, parameters in {
        "newest": {},
        "search": {"q": "12345"},
        "red": {"field": "colour", "value": "Red"},
        "waiting": {"state": "waiting"},
        "deleted": {"state": "deleted"},
    }.items():
        rows = selected_records(schema, parameters)[0].order_by("-pk")[:51]
        yield within(f"list of object records: {what}, SQL", bench.milliseconds(partial(_fetch, rows)), 100, "ms")


def _copy(type_id: int, named: str, number: int, at_once: int) -> int:
    """COPY `number` records like those that are upserted, `at_once` in each transaction."""
    lines = []
    for n in range(number):
        plate, owner = f"{named} {n}", f"owner{n % 1000 + 1}@example.com"
        values = json.dumps({"plate": plate, "owner": owner, "colour": "Red", "price": n})
        digest = sha256(plate.encode()).hexdigest()
        lines.append(f"{uuid4()}\t{type_id}\t1\t{n % 1000 + 1}\t{owner}\t\\\\x{digest}\t{plate}\t{values}\t1\n")
    for start in range(0, number, at_once):
        with connection.cursor() as cursor, cursor.copy(COPY) as copying:
            copying.write("".join(lines[start : start + at_once]))
    return number


def _filled(records: int) -> int:
    """Make the cars of `records` / 5 people; return the id of their type."""
    from people.definitions import lifecycle
    from people.models import ObjectType
    from people.objects.definition import OBJECT_TYPES, ObjectFieldSpec, ObjectNames

    fields = (
        ObjectFieldSpec("plate", "Plate", is_dedupe=True),
        ObjectFieldSpec("owner", "Owner", "email", link_to="person", link_by="email"),
        ObjectFieldSpec("colour", "Colour"),
        ObjectFieldSpec("model", "Model"),
        ObjectFieldSpec("price", "Price", "currency"),
    )
    made = ObjectType.objects.filter(api_name="benchCar").first()
    if made is not None:
        return made.pk
    made = lifecycle.create_definition(OBJECT_TYPES, ObjectNames("benchCar", "Bench Car", "Bench Cars"), fields, None)
    lifecycle.approve_draft(made, None)
    with connection.cursor() as cursor:
        cursor.execute(PEOPLE, [records // EACH])
        first = min(pk for (pk,) in cursor.fetchall())
        cursor.execute(CARS, {"type": made.pk, "first": first, "each": EACH, "number": records // EACH * EACH})
        cursor.execute(CHANGES, {"type": made.pk})
        cursor.execute("vacuum analyze person, object_record, object_change")
    return made.pk


def _fetch(rows: Any) -> None:
    list(rows.all())
