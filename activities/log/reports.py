"""Reports on the log: trend, breakdown, top people, funnel; for all people or for some.

Days are those of the installation. Every report raises `RejectedError` (`timeout`) after the scope's seconds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from activities.log import rollup
from activities.log.bots import IS_BOT_SQL, bot_fields
from activities.log.columns.relation import pin_manifest
from activities.log.columns.reports import ColumnReports, Period, TooSlowError, report_from_columns
from activities.models import ActivityType, ApprovedField
from people.core import installation
from people.core.codes import Code
from people.core.db import value_sql
from people.core.errors import Problem, RejectedError
from people.datatypes.registry import BY_NAME, DataType

Answer = TypeVar("Answer")

SECONDS = 20
WORK_MEMORY = "64MB"
MOST_DAYS = 36_600
MOST_STEPS = 5
MOST_ROWS = 50
MOST_PEOPLE = 500  # named at one step of a funnel
MOST_VALUES = 7  # series of a trend that is split by a field; the rest is one more


@dataclass(frozen=True, slots=True)
class ReportScope:
    """The scope of a report: the days from `first` to `last`, only `people` where given, and its time limit."""

    first: date
    last: date
    people: Sequence[int] | None = None
    seconds: float = SECONDS
    without_bots: bool = False  # activities of bots are left out, of the types that mark them

    @property
    def zone(self) -> str:
        return installation.current_installation().time_zone

    @property
    def today(self) -> date:
        return timezone.now().astimezone(installation.installation_zone()).date()

    def parameters(self) -> dict[str, Any]:
        return {
            "first": self.first,
            "end": self.last + timedelta(days=1),
            "zone": self.zone,
            "people": None if self.people is None else list(self.people),
            "with_bots": not self.without_bots,
        }


@dataclass(frozen=True, slots=True)
class BreakdownGroup:
    """The activities that share a value: their number, the number of people, and the sum of an amount if requested."""

    value: str | None
    count: int
    people: int
    total: Any = None


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """The people who reached a step, and their share of the step before and of the first, in percent.

    `median`: within so many microseconds of the step before half of them reached it.
    """

    activity_type: ActivityType
    people: int
    of_previous: float | None
    of_first: float | None
    median: int | None = None


# conditions on a row `a` of the log; `ReportScope.parameters` are their values
OF_SCOPE = f"""(%(people)s::int[] is null or a.person_id = any(%(people)s::int[]))
    and (%(with_bots)s or not {IS_BOT_SQL.format("a.")})"""
FIRST_MOMENT = value_sql.day_start_sql("%(first)s", "%(zone)s")
END_MOMENT = value_sql.day_start_sql("%(end)s", "%(zone)s")
WITHIN_SCOPE = f"""a.activity_type_id = %(type)s
    and a.occurred_at >= {FIRST_MOMENT}
    and a.occurred_at < {END_MOMENT}
    and {OF_SCOPE}"""


def check_scope(scope: ReportScope) -> None:
    """Raise `RejectedError` (`out_of_range`) for a period that runs backwards or over more than a hundred years."""
    if scope.first > scope.last:
        raise RejectedError(Problem(Code.OUT_OF_RANGE, _("The period ends before it begins."), ("since",)))
    if (scope.last - scope.first).days > MOST_DAYS:
        raise RejectedError(Problem(Code.OUT_OF_RANGE, _("A report can cover at most a hundred years."), ("since",)))


def count_activities_to_read(type_ids: Sequence[int], scope: ReportScope) -> int:
    """The number of activities in the period, by the rollup: the most that a report of the types reads."""
    check_scope(scope)
    return rollup.activity_count(type_ids, scope.first, scope.last)


def activity_trend(activity_type: ActivityType, scope: ReportScope) -> list[tuple[date, int]]:
    """The number of activities of each day that has any; for all people from the rollup, else from the log."""
    check_scope(scope)
    if scope.people is None:
        counts = rollup.daily_counts([activity_type.pk], scope.first, scope.last, without_bots=scope.without_bots)
        return list(counts.items())
    sql = (
        f"select (a.occurred_at at time zone %(zone)s)::date, count(*) from activity a where {WITHIN_SCOPE} group by 1"
    )
    return exact_answer(
        [activity_type],
        scope,
        lambda columns, period: columns.trend(activity_type, period),
        lambda: sorted(scope_rows(sql, scope, {"type": activity_type.pk})),
    )


def value_trend(
    activity_type: ActivityType, field: ApprovedField, scope: ReportScope
) -> list[tuple[date, int | None, str | None, int]]:
    """(day, rank, value, number) of the most frequent values of a field, days without activities left out.

    The other values together have no rank. Activities without a value count as a value of their own (None).
    """
    check_scope(scope)
    sql = f"""with counts as materialized (
            select (a.occurred_at at time zone %(zone)s)::date as day, {value_of_field(field, "%(field)s")} as value,
                count(*) as rows from activity a where {WITHIN_SCOPE} group by 1, 2),
        ranks as materialized (
            select value, row_number() over (order by sum(rows) desc, {ordered_sql("value", field)} nulls last) as rank
            from counts group by value order by 2 limit %(limit)s)
        select c.day, r.rank, case when r.rank is not null then c.value end, sum(c.rows)::bigint
        from counts c left join ranks r on c.value is not distinct from r.value
        group by 1, 2, 3 order by 1, 2"""
    parameters = {"type": activity_type.pk, "field": field.api_name, "limit": MOST_VALUES}
    return exact_answer(
        [activity_type],
        scope,
        lambda columns, period: columns.value_trend(activity_type, field, period, MOST_VALUES),
        lambda: scope_rows(sql, scope, parameters),
    )


def value_breakdown(
    activity_type: ActivityType, field: ApprovedField, scope: ReportScope, total_of: ApprovedField | None = None
) -> list[BreakdownGroup]:
    """The most frequent values of a field, activities without a value included; `total_of`: a number to be summed."""
    check_scope(scope)
    summed = value_of_field(total_of, "%(total)s", BY_NAME[total_of.data_type]) if total_of else "null"
    # each person's rows are summed first: people are counted without sorting the rows
    sql = f"""select value, sum(rows)::bigint, count(*), sum(total)
        from (select {value_of_field(field, "%(field)s")} as value, count(*) as rows, sum({summed}::numeric) as total
            from activity a where {WITHIN_SCOPE} group by 1, a.person_id) each
        group by 1 order by 2 desc, {ordered_sql("value", field)} nulls last limit %(limit)s"""
    parameters = {
        "type": activity_type.pk,
        "field": field.api_name,
        "total": total_of.api_name if total_of else None,
        "limit": MOST_ROWS,
    }
    groups = exact_answer(
        [activity_type],
        scope,
        lambda columns, period: columns.breakdown(activity_type, field, total_of, period, MOST_ROWS),
        lambda: scope_rows(sql, scope, parameters),
    )
    return [BreakdownGroup(*group) for group in groups]


def top_people(
    activity_type: ActivityType, scope: ReportScope, field: ApprovedField | None = None, value: str | None = None
) -> list[tuple[int, int, Any]]:
    """(person id, count, latest moment) of the live people with most activities.

    With a `field`: only activities with that `value` of it, None for those without one, as `value_breakdown` groups.
    """
    check_scope(scope)
    narrowed = f"and {value_of_field(field, '%(field)s')} is not distinct from %(value)s" if field else ""
    sql = f"""select c.person_id, c.count, c.latest from (
            select a.person_id, count(*) as count, max(a.occurred_at) as latest
            from activity a where {WITHIN_SCOPE} {narrowed} group by 1
            -- at most all people who are not live can be dropped from the top
            order by 2 desc, 3 desc, 1 limit %(limit)s + %(gone)s) c
        join person p on p.id = c.person_id and p.state = 'live'
        order by 2 desc, 3 desc, 1 limit %(limit)s"""

    def by_sql() -> list[Any]:
        ((not_live,),) = scope_rows("select count(*) from person where state <> 'live'", scope, {})
        parameters = {"field": field.api_name if field else None, "value": value}
        return scope_rows(sql, scope, parameters | {"type": activity_type.pk, "limit": MOST_ROWS, "gone": not_live})

    def by_columns(columns: ColumnReports, period: Period) -> list[Any]:
        return columns.top_people(activity_type, period, MOST_ROWS, (field, value) if field else None)

    return exact_answer([activity_type], scope, by_columns, by_sql)


def people_funnel(types: Sequence[ActivityType], scope: ReportScope) -> list[FunnelStep]:
    """The numbers of live people who did the first, after that the second, and so on, all within the period.

    Each step takes the earliest activity strictly after that of the step before. Raises `RejectedError`
    (`out_of_range`) for fewer than two or more than five types.
    """
    check_funnel(types, scope)
    steps, parameters = funnel_expressions(types)
    rows = exact_answer(
        types,
        scope,
        lambda columns, period: columns.funnel(types, period),
        lambda: scope_rows(f"with {steps} {funnel_figures_sql(len(types))}", scope, parameters),
    )
    return funnel_steps(types, {step: (people, median) for step, _rank, people, median in rows})


def check_funnel(types: Sequence[ActivityType], scope: ReportScope) -> None:
    """Raise `RejectedError` (`out_of_range`) for a bad period, and for fewer than two or more than five types."""
    check_scope(scope)
    if not 2 <= len(types) <= MOST_STEPS:
        raise RejectedError(Problem(Code.OUT_OF_RANGE, _("A funnel has two to five steps."), ("types",)))


def funnel_steps(types: Sequence[ActivityType], figures: Mapping[int, tuple[int, int | None]]) -> list[FunnelStep]:
    """The steps of their numbers of people and medians, by step."""
    people = [figures.get(step, (0, None))[0] for step in range(len(types))]
    return [
        FunnelStep(
            activity_type,
            people[step],
            _share(people[step], people[step - 1]) if step else None,
            _share(people[step], people[0]),
            figures.get(step, (0, None))[1],
        )
        for step, activity_type in enumerate(types)
    ]


def funnel_figures_sql(steps: int) -> str:
    """SQL over the expressions of a funnel for (step, rank, people, median of the time since the step before)."""
    wait = "(extract(epoch from moment - before) * 1000000)::bigint"
    median = f"percentile_disc(0.5) within group (order by {wait})"
    return " union all ".join(
        f"select {step}, rank, count(*), {median if step else 'null::bigint'} from s{step} group by rank"
        for step in range(steps)
    )


def check_steps(types: Sequence[ActivityType], scope: ReportScope) -> None:
    """As `check_funnel`, for the first steps of a funnel: one type at least."""
    check_scope(scope)
    if not 1 <= len(types) <= MOST_STEPS:
        raise RejectedError(Problem(Code.OUT_OF_RANGE, _("A funnel has two to five steps."), ("types",)))


def people_at_step(types: Sequence[ActivityType], scope: ReportScope) -> list[tuple[int, Any]]:
    """(person id, moment) of the people who reached the last of a funnel's `types`, the latest `MOST_PEOPLE` of them.

    They are those whom `people_funnel` counts at that step. Raises `RejectedError` (`out_of_range`).
    """
    check_steps(types, scope)
    steps, parameters = funnel_expressions(types)
    sql = f"with {steps} select person_id, moment from s{len(types) - 1} order by 2 desc, 1 limit {MOST_PEOPLE}"
    return exact_answer(
        types,
        scope,
        lambda columns, period: columns.people_at_step(types, period, MOST_PEOPLE),
        lambda: scope_rows(sql, scope, parameters),
    )


_FIRST_STEP = f"""s0 as (select a.person_id, min(a.occurred_at) as moment, 0 as rank from activity a
    join person p on p.id = a.person_id and p.state = 'live'
    where {WITHIN_SCOPE.replace("%(type)s", "%(type_0)s")} group by 1)"""


def funnel_expressions(types: Sequence[ActivityType], first_step: str = "") -> tuple[str, dict[str, Any]]:
    """Expressions s0, s1 … of the people who reached each step, the moment, and that of the step before; parameters.

    `first_step` is another expression s0, which ranks people: (person_id, moment, rank).
    """
    parameters = {f"type_{number}": activity_type.pk for number, activity_type in enumerate(types)}
    steps = [first_step or _FIRST_STEP]
    for number in range(1, len(types)):
        steps.append(
            f"""s{number} as (select a.person_id, min(a.occurred_at) as moment, b.moment as before, b.rank
                from activity a join s{number - 1} b on b.person_id = a.person_id and a.occurred_at > b.moment
                where {WITHIN_SCOPE.replace("%(type)s", f"%(type_{number})s")} group by 1, 3, 4)"""
        )
    return ", ".join(steps), parameters


def breakdown_fields(activity_type: ActivityType) -> list[ApprovedField]:
    """The fields that a breakdown may group by, the primary one first; long text never repeats."""
    return list(activity_type.approved_fields.exclude(data_type="text").order_by("-is_primary", "pk"))


def value_of_field(field: ApprovedField, name: str, data_type: DataType | None = None) -> str:
    """SQL for the value of a field in a row `a` of the log; `name` is the place of the field's API name."""
    value = "a.primary_value" if field.is_primary else f"(a.attributes ->> {name})"
    return value_sql.cast_sql(data_type.name, value) if data_type else value


def _share(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def ordered_sql(value: str, field: ApprovedField) -> str:
    """SQL that orders values: text by its characters, whatever the database's collation; numbers as numbers."""
    data_type = BY_NAME[field.data_type]
    if value_sql.is_compared_as_text(data_type.name):
        return f'{value} collate "C"'
    return value_sql.cast_sql(data_type.name, value)


def exact_answer(
    types: Sequence[ActivityType],
    scope: ReportScope,
    by_columns: Callable[[ColumnReports, Period], Answer],
    by_sql: Callable[[], Answer],
) -> Answer:
    """The answer of the column index where it has the types and is exact, else that of the database; one snapshot."""
    pinned = pin_manifest() if settings.COLUMN_INDEX else None  # before the snapshot, which then sees all that it holds
    with _limited(scope.seconds):
        if pinned is not None:
            period = (scope.first, scope.last, scope.zone, scope.people)
            bots = bot_fields(activity_type.pk for activity_type in types) if scope.without_bots else {}
            answer = report_from_columns(pinned, types, period, scope.seconds, run_statement, by_columns, bots)
            if answer is not None:
                return answer
        return by_sql()


def scope_rows(sql: str, scope: ReportScope, parameters: dict[str, Any]) -> list[Any]:
    """The rows of a statement of the database, with the scope's parameters and others."""
    return list(run_statement(sql, scope.parameters() | parameters))


def run_statement(sql: str, parameters: Any) -> Sequence[Any]:
    """The rows of a statement in the present snapshot, whichever engine it serves."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """One snapshot, whose statements take at most this many seconds each, so that no request waits for ever.

    Inside a transaction it is that transaction's view of the database.
    """
    is_nested = connection.in_atomic_block
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                if not is_nested:
                    cursor.execute("set transaction isolation level repeatable read, read only")
                # compiling costs more than it saves here, and groups belong in memory
                cursor.execute(
                    """select set_config('statement_timeout', %s, true), set_config('jit', 'off', true),
                    set_config('work_mem', %s, true)""",
                    [f"{seconds * 1000:.0f}ms", WORK_MEMORY],
                )
            yield
    except TooSlowError:
        raise _too_slow(seconds) from None
    except OperationalError as error:
        if "statement timeout" not in str(error):
            raise
        raise _too_slow(seconds) from None


def _too_slow(seconds: float) -> RejectedError:
    message = _("This takes longer than %(seconds)s seconds. Choose a shorter period or fewer people.")
    return RejectedError(Problem(Code.TIMEOUT, message % {"seconds": f"{seconds:g}"}))
