"""Reports on what people do one after another, answered from the column index; `activities/log/journeys` has the SQL.

Both engines count the same rows: what a figure means is described there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from activities.log.columns.relation import NotHeldError, Rows
from activities.log.columns.reports import ColumnReports, Period, funnel_figures_sql, moment_of
from activities.models import ActivityType, ApprovedField
from people.core.db.value_sql import day_start_sql, is_compared_as_text

SECOND = 1_000_000  # in the unit of moments
MINUTE, HOUR, DAY = 60, 3_600, 86_400
# the shortest time of each bucket of times, in seconds; a day has 24 hours here
BUCKETS = (0, MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY, 365 * DAY)
QUANTILES = (25, 50, 75, 90)  # percent of the people who continued
Only = tuple[ApprovedField, str | None] | None  # a field and its value, if activities are narrowed by one


@dataclass(frozen=True, slots=True)
class ColumnCohorts:
    """The parameters of a retention report: the days at which its intervals begin, and the one after them.

    `cohorts`: how many of the intervals people can begin in.
    """

    first_type: ActivityType
    then: ActivityType
    days: Sequence[date]
    cohorts: int
    later: int
    zone: str
    only: Only


def day_moments(days: Sequence[date], zone: str, rows: Rows) -> list[int]:
    """The starts of ascending days in a zone, in microseconds since 1970."""
    sql = f"""select (extract(epoch from {day_start_sql("day", "%s")}) * 1000000)::bigint
        from unnest(%s::date[]) day order by day"""
    return [start for (start,) in rows(sql, (zone, list(days)))]


def cohort_counts(reports: ColumnReports, period: Period, question: ColumnCohorts) -> list[tuple[int, int | None, int]]:
    """(cohort, period, people) as of `journeys.cohorts`; without a period all people of a cohort."""
    expressions, parameters = _cohorts(reports, period, question)
    sql = f"""with {expressions} select cohort, null, count(*) from cohorts group by 1
        union all select cohort, later, count(*) from returns group by 1, 2"""
    return [(cohort, later, count) for cohort, later, count in reports.query(sql, parameters)]


def people_of_cohorts(
    reports: ColumnReports, period: Period, question: ColumnCohorts, later: int | None, most: int
) -> list[tuple[int, datetime, datetime | None]]:
    """(person id, first moment, first moment in the period) of those who returned in it, the latest `most` of them."""
    expressions, parameters = _cohorts(reports, period, question)
    source = "cohorts" if later is None else "returns join cohorts using (person, cohort)"
    returned = "null" if later is None else "returns.moment"
    where = "" if later is None else f"where later = {int(later)}"
    sql = f"""with {expressions} select person, cohorts.moment, {returned} as returned from {source} {where}
        order by 3 desc, 2 desc, 1 limit {int(most)}"""
    return [
        (person, moment_of(first), None if moment is None else moment_of(moment))
        for person, first, moment in reports.query(sql, parameters)
    ]


def _cohorts(reports: ColumnReports, period: Period, question: ColumnCohorts) -> tuple[str, list[Any]]:
    """Expressions cohorts (person, moment, cohort) and returns (cohort, later, person, moment), with parameters."""
    bounds = day_moments(question.days, question.zone, reports.view.rows)
    firsts, parameters = _first_moments(reports, period, question, bounds[question.cohorts])
    then = reports.relation(question.then.pk, ())
    later = f"{_place_sql('r.occurred_at', bounds[:-1])} - cohort"
    expressions = f"""firsts as materialized ({firsts}),
        cohorts as materialized (select person, moment, {_place_sql("moment", bounds[:-1])} as cohort from firsts),
        returns as materialized (
            select cohort, {later} as later, person, min(r.occurred_at) as moment from ({then.sql}) r
            join cohorts using (person)
            where r.occurred_at >= cohorts.moment and r.occurred_at < {bounds[-1]} and {later} <= {int(question.later)}
            group by 1, 2, 3)"""
    return expressions, [*parameters, *then.parameters]


def _first_moments(reports: ColumnReports, period: Period, question: ColumnCohorts, end: int) -> tuple[str, list[Any]]:
    """The query of the live people whose first activity ever lies in the period and before `end`, and its moment."""
    condition, values = _narrowing(reports, question.first_type, question.only)
    field_ids = [question.only[0].pk] if question.only else []
    rows = reports.relation(question.first_type.pk, field_ids, field_ids)
    sql = f"""select person, min(occurred_at) as moment from ({rows.sql})
        where occurred_at < {period.day_starts[-1]} {period.of_people}
        and person not in (select unnest(?::INTEGER[])) {condition}
        group by 1 having min(occurred_at) >= {period.day_starts[0]} and min(occurred_at) < {int(end)}"""
    return sql, [*rows.parameters, *period.people_parameters, reports.not_live(), *values]


def _narrowing(reports: ColumnReports, activity_type: ActivityType, only: Only) -> tuple[str, list[Any]]:
    """The condition that a field has a value, and its parameters. Raises `NotHeldError`."""
    if only is None:
        return "", []
    field, value = only
    if not is_compared_as_text(field.data_type):
        raise NotHeldError("value")  # the text of a number or moment is not in the columns
    return f"and {reports.view.stored_field(activity_type.pk, field.pk).grouped} is not distinct from ?", [value]


def _place_sql(value: str, bounds: Sequence[int]) -> str:
    """SQL of DuckDB for the number of ascending `bounds` that are at most `value`: PostgreSQL's width_bucket."""

    def within(low: int, high: int) -> str:
        if low == high:
            return str(low)
        middle = (low + high) // 2
        return f"case when {value} < {bounds[middle]} then {within(low, middle)} else {within(middle + 1, high)} end"

    return f"({within(0, len(bounds))})"


# --- Time to the next activity ----------------------------------------------------------------------------------


def wait_figures_sql(divided: str, place: str = "width_bucket(wait, %(seconds)s::bigint[])") -> str:
    """SQL over waits for (kind, place, number): who began, people by bucket, and the time of each share (nearest rank).

    `divided` is the operator that divides whole numbers, `place` the number of the bucket of `wait`.
    """
    within = " ".join(
        f"""union all select 'within', {share}, min(wait) from ranked
        where place = (whole * {share} + 99) {divided} 100"""
        for share in QUANTILES
    )
    return f""", ranked as materialized (
            select wait, row_number() over (order by wait) as place, count(*) over () as whole
            from waits where wait is not null)
        select 'started', 0, count(*) from waits
        union all select 'bucket', {place}, count(*) from waits where wait is not null group by 2 {within}"""


def in_bucket_sql(seconds: tuple[int, int | None] | None) -> str:
    """The condition on `wait` that it lies in a bucket; without one that there is none."""
    if seconds is None:
        return "wait is null"
    least, end = seconds
    return f"wait >= {least * SECOND}" + (f" and wait < {end * SECOND}" if end is not None else "")


def wait_figures(
    reports: ColumnReports, period: Period, first_type: ActivityType, then: ActivityType, only: Only
) -> list[tuple[str, int, int]]:
    """The rows of `wait_figures_sql`."""
    expressions, parameters = _waits(reports, period, first_type, then, only)
    place = _place_sql("wait", [seconds * SECOND for seconds in BUCKETS])
    return reports.query(f"with {expressions} {wait_figures_sql('//', place)}", parameters)


def people_who_waited(
    reports: ColumnReports,
    period: Period,
    question: tuple[ActivityType, ActivityType, Only],
    seconds: tuple[int, int | None] | None,
    most: int,
) -> list[tuple[int, datetime, datetime | None]]:
    """(person id, first moment, next moment) of the people of a bucket, the latest `most` of them."""
    expressions, parameters = _waits(reports, period, *question)
    sql = f"""with {expressions} select person, moment, following from waits where {in_bucket_sql(seconds)}
        order by 2 desc, 1 limit {int(most)}"""
    return [
        (person, moment_of(first), None if following is None else moment_of(following))
        for person, first, following in reports.query(sql, parameters)
    ]


def _waits(
    reports: ColumnReports, period: Period, first_type: ActivityType, then: ActivityType, only: Only
) -> tuple[str, list[Any]]:
    """The expression waits (person, moment, following, wait), a row for each person who began, and its parameters."""
    condition, values = _narrowing(reports, first_type, only)
    field_ids = [only[0].pk] if only else []
    rows, following = reports.relation(first_type.pk, field_ids, field_ids), reports.relation(then.pk, ())
    expressions = f"""starts as materialized (select person, min(occurred_at) as moment from ({rows.sql})
            where {period.where} and person not in (select unnest(?::INTEGER[])) {condition} group by 1),
        nexts as materialized (select person, min(r.occurred_at) as following from ({following.sql}) r
            join starts using (person) where r.occurred_at > starts.moment group by 1),
        waits as materialized (select person, moment, following, following - moment as wait
            from starts left join nexts using (person))"""
    parameters = [*rows.parameters, *period.people_parameters, reports.not_live(), *values]
    return expressions, [*parameters, *following.parameters]


# --- Funnels by value -------------------------------------------------------------------------------------------

_ORDER = "occurred_at::HUGEINT * 4611686018427387904 + id"  # of the rows of one person: ids are below 2 ** 62


def split_funnel(
    reports: ColumnReports, period: Period, types: Sequence[ActivityType], split: ApprovedField, most: int
) -> list[tuple[int | None, str | None, int, int, int | None]]:
    """(rank, value, step, people, median) of the `most` frequent values of the first activities, and of the others."""
    grouped = reports.view.stored_field(types[0].pk, split.pk)
    firsts, parameters = _ranked_firsts(reports, period, types[0], split, most)
    ranked = """s0 as materialized (select firsts.person, firsts.moment, ranks.rank
            from firsts left join ranks on ranks.value is not distinct from firsts.value)"""
    steps, parameters = reports.steps(types, period, (f"{firsts}, {ranked}", parameters))
    figures = reports.query(
        f"""with {steps}, figures (step, rank, people, median) as ({funnel_figures_sql(len(types))})
        select figures.rank, ranks.id, step, people, median from figures left join ranks using (rank)""",
        parameters,
    )
    values = reports.values(grouped, {row for rank, row, *_figures in figures if rank is not None})
    return [(rank, None if rank is None else values[row], *rest) for rank, row, *rest in figures]


@dataclass(frozen=True, slots=True)
class FunnelGroupFilter:
    """A group of a split funnel: of a value, or with `others` of all but the `most` frequent values."""

    split: ApprovedField
    value: str | None
    others: bool
    most: int


def people_of_group(
    reports: ColumnReports, period: Period, types: Sequence[ActivityType], group: FunnelGroupFilter, most: int
) -> list[tuple[int, datetime]]:
    """(person id, moment) of the people of a group who reached the last step, the latest `most` of them."""
    firsts, parameters = _ranked_firsts(reports, period, types[0], group.split, group.most)
    if group.others:
        among = "not exists (select 1 from ranks where ranks.value is not distinct from firsts.value)"
    else:
        _narrowing(reports, types[0], (group.split, group.value))  # raises where the values are not in the columns
        among, parameters = "firsts.value is not distinct from ?", [*parameters, group.value]
    of_group = f"s0 as materialized (select person, moment, 0 as rank from firsts where {among})"
    steps, parameters = reports.steps(types, period, (f"{firsts}, {of_group}", parameters))
    sql = f"with {steps} select person, moment from s{len(types) - 1} order by 2 desc, 1 limit {int(most)}"
    return [(person, moment_of(moment)) for person, moment in reports.query(sql, parameters)]


def _ranked_firsts(
    reports: ColumnReports, period: Period, first_type: ActivityType, split: ApprovedField, most: int
) -> tuple[str, list[Any]]:
    """Expressions firsts (person, moment, id, value) and ranks (value, id, rank) of the `most` frequent; parameters."""
    grouped = reports.view.stored_field(first_type.pk, split.pk)
    rows = reports.relation(first_type.pk, [split.pk], [split.pk])
    expressions = f"""firsts as materialized (select person, min(occurred_at) as moment,
            min_by(id, {_ORDER}) as id, min_by(struct_pack(v := {grouped.grouped}), {_ORDER}).v as value
            from ({rows.sql}) rows where {period.where} and person not in (select unnest(?::INTEGER[])) group by 1),
        ranks as materialized (select value, min(id) as id, row_number() over (
                order by count(*) desc, value nulls last) as rank
            from firsts group by value order by rank limit {int(most)})"""
    return expressions, [*rows.parameters, *period.people_parameters, reports.not_live()]
