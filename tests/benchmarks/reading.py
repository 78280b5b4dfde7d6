"""Reading the log by token, against the bare SQL for the same rows."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from typing import Any

from django.db import connection

from activities.log import reader as log_reader
from activities.models import ActivityType
from tests.benchmarks import Bench, Line, at_most, measures, within
from tests.benchmarks.filling import indexes_afterwards

PAGE = 300
ROWS = 1_000_000
TYPES = 10
DAYS = 365
BARE = "select * from activity where activity_type_id = %s and id > %s order by id limit 300"


@measures
def reading_the_log(bench: Bench) -> Iterator[Line]:
    """A year of activities of ten types; every twentieth arrived up to thirty days late.

    The year begins now: moments of recording ascend in a log, and whatever else is in it was recorded until now.
    """
    begin = datetime.now(UTC)
    types = [bench.activity_type(f"Read Bench {number}", f"benchRead{number}").pk for number in range(TYPES)]
    before = log_reader.high_water_mark()
    people = bench.people()
    with indexes_afterwards():
        _fill(bench.rows(ROWS), types, people, begin)
    middle = before + bench.rows(ROWS) // 2
    position = log_reader.ReadPosition(None, before, middle)
    with bench.queries() as queries:
        log_reader.read_activities(position, types[:1])
    yield within("statements to read a page by token", len(queries), 3, "statements")
    page, bare = partial(log_reader.read_activities, position, types[:1]), partial(_bare, types[0], middle)
    yield from _against("a page of 300 by token, one type", bench, page, bare)
    for share in (0.1, 0.5, 0.9, 0.999):
        since = begin + timedelta(days=DAYS) * share
        bare = partial(_bare, types[0], _first(types[0], since))
        both = partial(_first_page, since, types[:1])
        yield from _against(f"token and first page from a date on, {share:.1%} along", bench, both, bare)
        first_page = partial(log_reader.read_activities, log_reader.start_position(since), types[:1])
        yield from _against(f"the first page alone, {share:.1%} along", bench, first_page, bare)
    page, bare = partial(log_reader.read_activities, position, types), partial(_bare_any, types, middle)
    yield from _against("a page of 300 by token, ten types", bench, page, bare)
    assert ActivityType.objects.filter(pk__in=types).count() == TYPES


def _against(what: str, bench: Bench, work: Callable[[], Any], bare: Callable[[], Any]) -> Iterator[Line]:
    """The whole call against the bare SQL with its rows read, and the statements of both alone.

    The target is for a full page: of a few rows, the fixed cost of a call is the most.
    """
    yield at_most(what, bench.milliseconds(work), bench.milliseconds(bare), 1.5 if bare() == PAGE else None)
    yield at_most(f"{what}: statements", _in_statements(work), _in_statements(bare), None)


def _in_statements(work: Callable[[], Any]) -> float:
    """The median of the milliseconds in which the statements of `work` were executed, without reading their rows."""
    taken: list[float] = []

    def timed(execute: Any, *arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return execute(*arguments)
        finally:
            taken[-1] += (time.perf_counter() - started) * 1000

    with connection.execute_wrapper(timed):
        for _run in range(8):
            taken.append(0)
            work()
    return median(taken[1:])


def _first_page(since: datetime, types: Sequence[int]) -> Any:
    return log_reader.read_activities(log_reader.start_position(since), types)


def _bare(type_id: int, after: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(BARE, [type_id, after])
        return len(cursor.fetchall())


def _bare_any(type_ids: Sequence[int], after: int) -> int:
    parts = " union all ".join(f"({BARE})" for _type_id in type_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            f"select * from ({parts}) as found order by id limit 300",
            [value for type_id in type_ids for value in (type_id, after)],
        )
        return len(cursor.fetchall())


def _first(type_id: int, since: datetime) -> int:
    """The id before the first of the type that occurred at `since` or later."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select min(id) - 1 from activity where activity_type_id = %s and occurred_at >= %s", [type_id, since]
        )
        return cursor.fetchone()[0]


def _fill(number: int, type_ids: Sequence[int], people: Sequence[int], begin: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into activity (person_id, activity_type_id, version, occurred_at, recorded_at, primary_value,
                                     attributes, door)
            select %(first)s + n %% %(people)s, (%(types)s::int[])[1 + (n * 7) %% %(count)s], 1,
                recorded - case when n %% 20 = 0 then make_interval(hours => (n %% 720)::int) else interval '5 seconds' end,
                recorded, 'Check ' || n,
                jsonb_build_object('amount', n %% 5000 + 0.5, 'branch', 'Branch ' || n %% 40, 'pages', n %% 9), 3
            from (select n, %(start)s::timestamptz + n::float8 / %(number)s * %(days)s * interval '1 day' as recorded
                  from generate_series(1, %(number)s) as n) as s""",
            {
                "first": people[0],
                "people": len(people),
                "types": list(type_ids),
                "count": len(type_ids),
                "start": begin,
                "days": DAYS,
                "number": number,
            },
        )
        cursor.execute("analyze activity")
