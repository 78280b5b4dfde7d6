"""Reading the log by token, against the bare SQL for the same rows."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
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
START = datetime(2025, 1, 1, tzinfo=UTC)
END = START + timedelta(days=DAYS)
BARE = "select * from activity where activity_type_id = %s and id > %s order by id limit 300"


@measures
def reading_the_log(bench: Bench) -> Iterator[Line]:
    """A year of activities of ten types; every twentieth arrived up to thirty days late."""
    types = [bench.activity_type(f"Read Bench {number}", f"benchRead{number}").pk for number in range(TYPES)]
    before = log_reader.high_water_mark()
    people = bench.people()
    with indexes_afterwards():
        _fill(bench.rows(ROWS), types, people)
    middle = before + bench.rows(ROWS) // 2
    position = log_reader.ReadPosition(None, before, middle)
    with bench.queries() as queries:
        log_reader.read_activities(position, types[:1])
    yield within("statements to read a page by token", len(queries), 3, "statements")
    yield at_most(
        "a page of 300 by token, one type",
        bench.milliseconds(lambda: log_reader.read_activities(position, types[:1])),
        bench.milliseconds(lambda: _bare(types[0], middle)),
        1.5,
    )
    for share in (0.1, 0.5, 0.9, 0.999):
        since = START + (END - START) * share
        first = _first(types[0], since)
        yield at_most(
            f"token and first page from a date on, {share:.1%} along",
            bench.milliseconds(partial(_first_page, since, types[:1])),
            bench.milliseconds(partial(_bare, types[0], first)),
            None,
        )
        start = log_reader.start_position(since)
        yield at_most(
            f"the first page alone, {share:.1%} along",
            bench.milliseconds(partial(log_reader.read_activities, start, types[:1])),
            bench.milliseconds(partial(_bare, types[0], first)),
            None,
        )
    yield at_most(
        "a page of 300 by token, ten types",
        bench.milliseconds(lambda: log_reader.read_activities(position, types)),
        bench.milliseconds(lambda: _bare_any(types, middle)),
        1.5,
    )
    assert ActivityType.objects.filter(pk__in=types).count() == TYPES


def _first_page(since: datetime, types: Sequence[int]) -> Any:
    return log_reader.read_activities(log_reader.start_position(since), types)


def _bare(type_id: int, after: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(BARE, [type_id, after])
        assert cursor.fetchall()


def _bare_any(type_ids: Sequence[int], after: int) -> None:
    parts = " union all ".join(f"({BARE})" for _type_id in type_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            f"select * from ({parts}) as found order by id limit 300",
            [value for type_id in type_ids for value in (type_id, after)],
        )
        assert cursor.fetchall()


def _first(type_id: int, since: datetime) -> int:
    """The id before the first of the type that occurred at `since` or later."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select min(id) - 1 from activity where activity_type_id = %s and occurred_at >= %s", [type_id, since]
        )
        return cursor.fetchone()[0]


def _fill(number: int, type_ids: Sequence[int], people: Sequence[int]) -> None:
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
                "start": START,
                "days": DAYS,
                "number": number,
            },
        )
        cursor.execute("analyze activity")
