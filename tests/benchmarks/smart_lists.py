"""Smart lists: each kind of filter against the best SQL by hand for the same people, combining, members as CSV."""

import io
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from django.db import connection
from pyroaring import BitMap

from smartlists.rules.parsing import parse_rules
from tests.benchmarks import Bench, Line, at_least, measures, within
from tests.benchmarks.by_hand import filter_lines, set_alike
from tests.benchmarks.filling import filled


def person_field(field: str, operator: str, *values: str) -> dict[str, Any]:
    return {"kind": "person_field", "field": field, "operator": operator, "values": list(values)}


def did(*constraints: tuple[str, ...], **more: Any) -> dict[str, Any]:
    named = [{"field": field, "operator": operator, "values": list(values)} for field, operator, *values in constraints]
    return {"kind": "activity", "did": True, "type": "benchListCheck", "constraints": named, **more}


def sequence(*, within: int | None = None, is_not: bool = False) -> dict[str, Any]:
    second: dict[str, Any] = {"type": "benchListCar"}
    if within:
        second["within_days"] = within
    if is_not:
        second["not"] = True
    return {"kind": "sequence", "steps": [{"type": "benchListCheck"}, second]}


DEPOSITS = "from activity where activity_type_id = {check}"
RECENT = DEPOSITS + " and occurred_at >= now() - interval '90 days' and occurred_at <= now()"
LARGE = DEPOSITS + " and (attributes->'amount')::numeric > 500"
STEPS = """select person_id, occurred_at, activity_type_id = {check} as is_check from activity
    where activity_type_id in ({check}, {car})"""
# a filter, and the ways to find the same people by hand, the quickest of which is the baseline
FILTERS: dict[str, tuple[dict[str, Any], Sequence[str]]] = {
    "person field": (
        person_field("country", "is", "spain"),
        ["select id as person from person where lower(country) = 'spain'"],
    ),
    "person field, not": (
        person_field("country", "is not", "Spain"),
        ["select id as person from person where lower(country) is distinct from 'spain'"],
    ),
    "did": (did(), [f"select person_id as person {DEPOSITS}", f"select distinct person_id as person {DEPOSITS}"]),
    "did, in past 90 days": (
        did(("@occurred_at", "in past", "90 days")),
        [f"select person_id as person {RECENT}", f"select distinct person_id as person {RECENT}"],
    ),
    "did, amount over 500": (
        did(("amount", "greater than", "500")),
        [f"select person_id as person {LARGE}", f"select distinct person_id as person {LARGE}"],
    ),
    "did not, in past 90 days": (
        {**did(("@occurred_at", "in past", "90 days")), "did": False},
        [
            f"select id as person from person p where not exists (select {RECENT} and person_id = p.id)",
            f"select id as person from person where id not in (select person_id {RECENT})",
            f"select id as person from person except select person_id {RECENT}",
        ],
    ),
    "did at least 3 times": (
        did(count={"operator": "at least", "values": ["3"]}),
        [f"select person_id as person {DEPOSITS} group by person_id having count(*) >= 3"],
    ),
    "did at most 2 times": (
        did(count={"operator": "at most", "values": ["2"]}),
        [
            f"""select id as person from person left join (select person_id, count(*) as times {DEPOSITS}
                group by person_id) d on person_id = id where coalesce(times, 0) <= 2""",
            f"select id as person from person except select person_id {DEPOSITS} group by person_id having count(*) > 2",
        ],
    ),
    "sum of amounts over 1,000": (
        did(aggregate={"function": "sum", "field": "amount", "operator": "greater than", "values": ["1000"]}),
        [
            f"""select person_id as person {DEPOSITS} group by person_id
            having sum((attributes->'amount')::numeric) > 1000"""
        ],
    ),
    "last amount over 500": (
        did(aggregate={"function": "last", "field": "amount", "operator": "greater than", "values": ["500"]}),
        [
            f"""select person_id as person from (select distinct on (person_id) person_id, attributes->>'amount' as amount
                {DEPOSITS} and attributes->>'amount' is not null order by person_id, occurred_at desc, id desc) d
                where amount::numeric > 500""",
            f"""select person_id as person {DEPOSITS} group by person_id having
                (array_agg((attributes->'amount')::numeric order by occurred_at desc, id desc))[1] > 500""",
        ],
    ),
    "sequence": (
        sequence(),
        [
            f"""select person_id as person from ({STEPS}) s group by person_id
            having min(occurred_at) filter (where is_check) < max(occurred_at) filter (where not is_check)"""
        ],
    ),
    "sequence, within 30 days": (
        sequence(within=30),
        [
            f"""select person_id as person from (select person_id, occurred_at, is_check,
            max(occurred_at) filter (where is_check) over (partition by person_id order by occurred_at
                groups between unbounded preceding and 1 preceding) as checked_at from ({STEPS}) s) w
            where not is_check and checked_at >= occurred_at - interval '30 days'"""
        ],
    ),
    "sequence, not followed within 30 days": (
        sequence(within=30, is_not=True),
        [
            f"""select person_id as person from (select person_id, occurred_at, is_check,
            min(occurred_at) filter (where not is_check) over (partition by person_id order by occurred_at desc
                groups between unbounded preceding and 1 preceding) as bought_at from ({STEPS}) s) w
            where is_check and occurred_at < now() - interval '30 days'
              and (bought_at is null or bought_at > occurred_at + interval '30 days')"""
        ],
    ),
}


@measures
def smart_list_filters(bench: Bench) -> Iterator[Line]:
    """Evaluations as the product makes them, names looked up once, as a page with several lists has them."""
    yield from filter_lines("smart list", FILTERS, _ready(bench.scale), _names())


@measures
def smart_list_logic(bench: Bench) -> Iterator[Line]:
    """All filters above in one list under an expression: what the sets cost beyond their statements."""
    from smartlists.evaluation import evaluator as evaluation_evaluator
    from smartlists.rules import model as rules

    names = _names()
    _ready(bench.scale)
    items = [item for item, _by_hand in FILTERS.values()]
    expression = f"(1 or not 2) and ({' or '.join(str(number) for number in range(3, len(items) + 1))})"
    parsed = parse_rules({"match": "advanced", "logic": expression, "filters": items}, names)
    found = evaluation_evaluator.evaluate_rules(parsed, names=names)
    asked = [BitMap(evaluation_evaluator.evaluate_members(rules.Rules(filters=(item,)))) for item in parsed.filters[:4]]
    started = time.perf_counter()
    for _turn in range(10):
        BitMap.intersection(BitMap.union(asked[0], found.members - asked[1]), BitMap.union(*asked[2:]))
    combining = (time.perf_counter() - started) / 10
    yield within("combining filters, part of the evaluation", 100 * combining / found.seconds, 1, "%")


@measures
def smart_list_members_as_csv(bench: Bench) -> Iterator[Line]:
    """All people with three fields, written in pieces; the baseline is one COPY of the same."""
    from smartlists.evaluation import stored as stored_evaluations
    from smartlists.lists import editing as list_editing
    from smartlists.lists import export_kind as list_export_kind

    _ready(bench.scale)
    everybody = list_editing.create_smart_list(f"Everybody {time.time()}", {"filters": []}, None)
    stored = stored_evaluations.evaluate_list(everybody, None)
    fields = ["email", "country", "number_of_employees"]

    def copied(_turn: int) -> int:
        with (
            connection.cursor() as cursor,
            cursor.copy(
                f"copy (select id, {', '.join(fields)} from person where state = 'live' order by id) to stdout with (format csv)"
            ) as copy,
        ):
            return sum(1 for _data in copy)

    ours, theirs = bench.rounds(
        lambda _turn: list_export_kind.write_members(stored, io.BytesIO(), fields),
        lambda turn: copied(turn) and (stored.count or 0),
    )
    yield at_least("members as CSV (one COPY of the same)", ours, theirs, None)
    yield Line("members as CSV", ours, "rows/s", None, None, "≥ 100,000 rows/s", ours >= 100_000)
    tracemalloc.start()
    list_export_kind.write_members(stored, _Nowhere(), fields)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    yield within("memory of writing members", peak, 30, "MB")


class _Nowhere:
    def write(self, data: bytes) -> int:
        return len(data)


def _ready(scale: float) -> dict[str, int]:
    numbers = filled(scale)
    set_alike()
    return numbers


@cache
def _names() -> Any:
    from smartlists.catalog import Catalogue

    names = Catalogue()
    assert names.types is not None and names.person_fields
    return names
