"""The column index: how it is built, and each kind of filter three ways (columns, SQL, DuckDB by hand on the same files)."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from math import inf
from typing import Any
from unittest.mock import patch

from django.utils import timezone
from pyroaring import BitMap

from people.core.errors import RejectedError
from smartlists.rules.parsing import parse_rules
from tests.benchmarks import Bench, Line, column_segments, measures, plain
from tests.benchmarks import smart_lists as sql_lines
from tests.benchmarks.by_hand import seconds_of
from tests.benchmarks.filling import ACTIVITIES, PEOPLE

ROUNDS = 7
LONGEST, SLOW = 5_000, 2_000  # milliseconds: a way that took longer in all, or once, is not tried again
PATIENCE = 30  # seconds for one answer of SQL: a slower one is left out
RECENT = "occurred_at >= {now} - 90 * 86400000000 and occurred_at <= {now}"
STEPS = (
    "select person, occurred_at, true as is_check from {check} union all select person, occurred_at, false from {car}"
)
# by hand: people of the filter, or those whom it leaves out
BY_HAND: dict[str, tuple[str, bool]] = {
    "did": ("select person from {check}", False),
    "did, in past 90 days": (f"select person from {{check}} where {RECENT}", False),
    "did, amount over 500": ("select person from {check} where {amount} > 5000000", False),
    "did not, in past 90 days": (f"select person from {{check}} where {RECENT}", True),
    "did at least 3 times": ("select person from {check} group by person having count(*) >= 3", False),
    "did at most 2 times": ("select person from {check} group by person having count(*) > 2", True),
    "sum of amounts over 1,000": ("select person from {check} group by person having sum({amount}) > 10000000", False),
    "last amount over 500": (
        "select person from {check} where {amount} is not null group by person"
        " having arg_max({amount}, (occurred_at, id)) > 5000000",
        False,
    ),
    "sequence": (
        f"select person from ({STEPS}) group by person"
        " having min(occurred_at) filter (where is_check) < max(occurred_at) filter (where not is_check)",
        False,
    ),
    "sequence, within 30 days": (
        "select v.person from {car} v asof join {check} c on v.person = c.person and v.occurred_at > c.occurred_at"
        " where c.occurred_at >= v.occurred_at - 30 * 86400000000",
        False,
    ),
    "sequence, not followed within 30 days": (
        "select c.person from {check} c asof left join {car} v on c.person = v.person and c.occurred_at < v.occurred_at"
        " where c.occurred_at < {now} - 30 * 86400000000"
        " and (v.occurred_at is null or v.occurred_at > c.occurred_at + 30 * 86400000000)",
        False,
    ),
}
LIMITS = {"did": 20, "did, in past 90 days": 20, "did not, in past 90 days": 20, "did, amount over 500": 100}
LIMITS_OF_LARGEST = dict.fromkeys(LIMITS, 200) | {"did, amount over 500": 1_000}
LARGEST_LOG = 10  # times a million activities: at greater scales the files are built without a log


@measures
def column_index(bench: Bench) -> Iterator[Line]:
    """Built once, whole, from the log; at scales over 10 from rows that only the files have."""
    from activities.log.columns import builder, state

    if bench.scale > LARGEST_LOG:
        yield from _largest(bench.scale)
        return
    numbers = sql_lines._ready(bench.scale)
    with patch.object(builder, "FEWEST_ROWS", 1_000):
        _count_types()
        started = time.perf_counter()
        built = builder.build_index()
        yield plain("column index: build", built.rows / (time.perf_counter() - started), "rows/s")
    there = state.index_state()
    yield plain("column index: size on disk", there.bytes / there.rows, "bytes/row", f"{there.rows:,} rows")
    yield from _filters(numbers, LIMITS, 300)
    yield from _reports(numbers)


def _largest(scale: float) -> Iterator[Line]:
    """Filters from the index and by hand; in SQL they are measured at smaller scales only."""
    from activities.log.columns import bitmaps, state

    people, activities = int(PEOPLE * scale), int(ACTIVITIES * scale)
    numbers = {
        "check": _approved("Deposit List Bench", "benchListCheck"),
        "car": _approved("Buy List Bench", "benchListCar"),
    }
    now = int(time.time() * 1_000_000)
    rows_by_type = {numbers["check"]: activities // 4, numbers["car"]: activities // 10}
    rows, seconds = column_segments.build_segments(people, rows_by_type, now)
    column_segments.log_days(numbers["check"], [now, now - 90 * bitmaps.DAY])
    yield plain("column index: files from rows", rows / seconds, "rows/s", f"{people:,} people")
    there = state.index_state()
    yield plain("column index: size on disk", there.bytes / there.rows, "bytes/row", f"{there.rows:,} rows")
    with column_segments.people_counted(people):
        yield from _filters(numbers, LIMITS_OF_LARGEST, 3_000, with_sql=False)
    yield from _reports_without_log(numbers, people)


def _approved(name: str, api_name: str) -> int:
    from tests.factories import approved_type

    return approved_type(name, api_name).pk


def _count_types() -> None:
    from activities.log import rollup

    rollup.catch_up_rollup()


def _filters(
    numbers: dict[str, int], limits: dict[str, int], other_limit: int, with_sql: bool = True
) -> Iterator[Line]:
    from django.test import override_settings

    from smartlists.evaluation import evaluator
    from smartlists.rules.periods import Clock

    names = sql_lines._names()
    with override_settings(COLUMN_INDEX=True):
        live = evaluator.evaluate_rules(parse_rules({"filters": []}, names)).members
    now = Clock.current().now
    for what, (sql, is_complement) in BY_HAND.items():
        parsed = parse_rules({"filters": [sql_lines.FILTERS[what][0]]}, names)
        query = _query(sql, numbers, names, now)

        def by_hand(query: str = query, is_complement: bool = is_complement) -> BitMap:
            found = _people(query)
            return live - found if is_complement else found & live

        def evaluate(is_wanted: bool, parsed: Any = parsed) -> Any:
            with override_settings(COLUMN_INDEX=is_wanted):
                return evaluator.evaluate_rules(parsed, now=now, names=names, seconds=PATIENCE)

        ours = evaluate(True)
        assert [part.engine for part in ours.per_filter] == ["columns"], what
        assert ours.members == by_hand(), what
        ways = {"columns": lambda: evaluate(True).members, "by hand": by_hand}
        if with_sql:
            ways["SQL"] = lambda: evaluate(False).members
        taken = _taken(ways, ours.members, what)
        columns, hand = taken["columns"], taken["by hand"]
        limit = limits.get(what, other_limit)
        held = columns <= limit and columns <= 2 * hand
        note = _compared(taken["SQL"], columns) if with_sql else f"{ours.count:,} people"
        yield Line(f"columns: {what}", columns, "ms", hand, columns / hand, f"≤ {limit} ms, ≤ 2", held, note)


def _taken(ways: Mapping[str, Callable[[], Any]], expected: Any, what: str) -> dict[str, float]:
    """The least milliseconds of each way, in turns; infinite for one that the time limit ended.

    The first run of each has to give the `expected` answer, and counts: a slow way is not run again.
    """
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(ROUNDS):
        for way, work in ways.items():
            if turn and (sum(taken[way]) > LONGEST or max(taken[way]) > SLOW):
                continue
            started = time.perf_counter()
            try:
                answer = work()
            except RejectedError as error:
                if [problem.code for problem in error.problems] != ["timeout"]:
                    raise
                taken[way].append(inf)
                continue
            taken[way].append((time.perf_counter() - started) * 1000)
            assert turn or answer == expected, (what, way)
    print(f"  {what}: {', '.join(f'{way} {min(of):,.1f}' for way, of in taken.items())} ms", file=sys.stderr)
    return {way: min(of) for way, of in taken.items()}


def _compared(in_sql: float, columns: float) -> str:
    return f"SQL over {PATIENCE} s" if in_sql == inf else f"SQL {in_sql:,.1f} ms, {in_sql / columns:.1f} ×"


def _reports(numbers: dict[str, int]) -> Iterator[Line]:
    """Each report from the columns and from the database; the figures have to be equal."""
    from django.test import override_settings

    from people.models import Person

    every_second = list(Person.objects.order_by("pk").values_list("pk", flat=True)[::2])
    for what, report in _report_calls(numbers, every_second).items():

        def answer(is_wanted: bool, report: Any = report) -> Any:
            with override_settings(COLUMN_INDEX=is_wanted):
                return report()

        ways = {"columns": partial(answer, True), "SQL": partial(answer, False)}
        taken = _taken(ways, answer(True), f"report: {what}")
        columns, in_sql = taken["columns"], taken["SQL"]
        baseline = None if in_sql == inf else in_sql
        yield Line(
            f"columns, report: {what}",
            columns,
            "ms",
            baseline,
            baseline and columns / baseline,
            "≤ 1,000 ms",
            columns <= 1_000,
            _compared(in_sql, columns),
        )


def _reports_without_log(numbers: dict[str, int], people: int) -> Iterator[Line]:
    """Each report from columns alone; shown values are read from a log of the rows that have them first."""
    from django.test import override_settings

    from activities.log.columns.fields import stored_fields_of_type

    (branch,) = (field for field in stored_fields_of_type(numbers["check"]) if field.api_name == "branch")
    column_segments.log_first_rows(numbers["check"], 1_000, branch)
    for what, report in _report_calls(numbers, range(1, people + 1, 2)).items():
        with override_settings(COLUMN_INDEX=True), patch("activities.log.reports.scope_rows", None):
            report()
            taken: list[float] = []
            worked: list[float] = []
            while len(taken) < ROUNDS and sum(taken) < LONGEST:
                before = time.process_time()
                taken.append(seconds_of(report) * 1000)
                worked.append((time.process_time() - before) * 1000)
        target, held = ("≤ 1,000 ms", min(taken) <= 1_000) if people <= PEOPLE * LARGEST_LOG * 1.1 else ("", None)
        note = f"{min(worked):,.0f} ms of processor"
        yield Line(f"columns, report: {what}", min(taken), "ms", None, None, target, held, note)


def _report_calls(numbers: dict[str, int], every_second: Sequence[int]) -> dict[str, Any]:
    from activities.log import reports
    from activities.log.journeys import cohorts, waits
    from activities.log.journeys.question import JourneyQuestion
    from activities.models import ActivityType

    check, car = (ActivityType.objects.get(pk=numbers[name]) for name in ("check", "car"))
    amount, branch = (check.approved_fields.get(api_name=name) for name in ("amount", "branch"))
    scope = reports.ReportScope(date(2000, 1, 1), date(2100, 1, 1), seconds=PATIENCE)
    half = reports.ReportScope(scope.first, scope.last, every_second, seconds=PATIENCE)
    today = timezone.now().date()
    two_years = reports.ReportScope(today - timedelta(days=719), today, seconds=PATIENCE)
    retention = cohorts.CohortQuestion(check, car, two_years, interval="month", later=12)
    return {
        "breakdown with sum": lambda: reports.value_breakdown(check, branch, scope, amount),
        "split trend": lambda: reports.value_trend(check, branch, scope),
        "top people": lambda: reports.top_people(check, scope),
        "funnel": lambda: reports.people_funnel([check, car], scope),
        "trend of half of all people": lambda: reports.activity_trend(check, half),
        "retention by month": lambda: cohorts.retention_cohorts(retention),
        "time to next": lambda: waits.wait_times(JourneyQuestion(check, car, two_years)),
    }


def _query(sql: str, numbers: dict[str, int], names: Any, now: Any) -> str:
    from activities.log.columns import files, manifest, session

    pinned = manifest.current_manifest()
    assert pinned

    def relation(type_id: int) -> str:
        held = session.path_list([files.intact_path(file) for file in pinned.types[type_id].segments])
        return f"read_parquet({held})"

    (check,) = (found for found in names.types.values() if found.id == numbers["check"])
    return sql.format(
        check=relation(numbers["check"]),
        car=relation(numbers["car"]),
        amount=f"f{check.fields['amount'].id}",
        now=int(now.timestamp() * 1_000_000),
    )


def _people(query: str) -> BitMap:
    from activities.log.columns import bitmaps, manifest, session

    pinned = manifest.current_manifest()
    assert pinned
    bits = f"select bitstring_agg(person, 0, {bitmaps.top_bit(pinned.top)})::BLOB from ({query})"
    ((found,),) = session.duck_session().rows(bits)
    return bitmaps.bitmap_of_bits(found)
