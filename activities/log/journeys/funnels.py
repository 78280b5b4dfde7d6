"""A funnel split by a value: of a field of each person's first activity, or of the person."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from activities.log import reports
from activities.log.columns import journeys as columns
from activities.log.columns.relation import NotHeldError
from activities.log.columns.reports import ColumnReports, Period
from activities.log.reports import FunnelStep, ReportScope
from activities.models import ActivityType, ApprovedField
from people.fields.catalog import FieldInfo

Figures = list[tuple[int | None, str | None, int, int, int | None]]  # rank, value, step, people, median


@dataclass(frozen=True, slots=True)
class FunnelGroup:
    """The people with one value; the others together have no rank. No value is a value of its own (None)."""

    rank: int | None
    value: str | None
    steps: Sequence[FunnelStep]


def split_funnel(
    types: Sequence[ActivityType], scope: ReportScope, split: ApprovedField | FieldInfo
) -> list[FunnelGroup]:
    """The funnels of the most frequent values at the first step; then that of all others, if there are any.

    A field of an activity is that of the person's first activity of the first type in the period, the one that the
    funnel begins with. Person fields are answered by the database. Raises `RejectedError` (`out_of_range`).
    """
    reports.check_funnel(types, scope)

    def by_columns(index: ColumnReports, period: Period) -> Figures:
        if isinstance(split, FieldInfo):
            raise NotHeldError("person")
        return columns.split_funnel(index, period, types, split, reports.MOST_VALUES)

    rows = reports.exact_answer(types, scope, by_columns, lambda: _by_sql(types, scope, split))
    groups: dict[int | None, tuple[str | None, dict[int, tuple[int, int | None]]]] = {}
    for rank, value, step, people, median in rows:
        groups.setdefault(rank, (value, {}))[1][step] = (people, median)
    ranks = sorted(groups, key=lambda rank: (rank is None, rank or 0))
    return [FunnelGroup(rank, groups[rank][0], reports.funnel_steps(types, groups[rank][1])) for rank in ranks]


def people_of_group(
    types: Sequence[ActivityType],
    scope: ReportScope,
    split: ApprovedField | FieldInfo,
    value: str | None,
    *,
    others: bool = False,
) -> list[tuple[int, Any]]:
    """(person id, moment) of the people of a split funnel's group who reached the last of `types`, the latest first.

    The group is that of `value` (None: no value), or with `others` that of all values that are not among the most
    frequent ones. They are those whom `split_funnel` counts, at most `MOST_PEOPLE`. Raises `RejectedError`
    (`out_of_range`).
    """
    reports.check_steps(types, scope)

    def by_columns(index: ColumnReports, period: Period) -> list[tuple[int, Any]]:
        if isinstance(split, FieldInfo):
            raise NotHeldError("person")
        group = columns.FunnelGroupFilter(split, value, others, reports.MOST_VALUES)
        return columns.people_of_group(index, period, types, group, reports.MOST_PEOPLE)

    def by_sql() -> list[tuple[int, Any]]:
        among = (
            "not exists (select from ranks r where r.value is not distinct from f.value)"
            if others
            else "f.value is not distinct from %(value)s::text"
        )
        first_step, parameters = _ranked_firsts(split)
        of_group = f"s0 as materialized (select f.person_id, f.moment, 0 as rank from firsts f where {among})"
        steps, of_steps = reports.funnel_expressions(types, f"{first_step}, {of_group}")
        sql = f"""with {steps} select person_id, moment from s{len(types) - 1}
            order by 2 desc, 1 limit {reports.MOST_PEOPLE}"""
        return reports.scope_rows(sql, scope, parameters | of_steps | {"value": value})

    return reports.exact_answer(types, scope, by_columns, by_sql)


def _by_sql(types: Sequence[ActivityType], scope: ReportScope, split: ApprovedField | FieldInfo) -> Figures:
    firsts, parameters = _ranked_firsts(split)
    ranked = """s0 as materialized (select f.person_id, f.moment, r.rank
            from firsts f left join ranks r on r.value is not distinct from f.value)"""
    steps, of_steps = reports.funnel_expressions(types, f"{firsts}, {ranked}")
    sql = f"""with {steps}, figures (step, rank, people, median) as ({reports.funnel_figures_sql(len(types))})
        select f.rank, r.value, f.step, f.people, f.median from figures f left join ranks r on r.rank = f.rank"""
    return reports.scope_rows(sql, scope, parameters | of_steps)


def _ranked_firsts(split: ApprovedField | FieldInfo) -> tuple[str, dict[str, Any]]:
    """Expressions firsts (person_id, moment, value) and ranks (value, rank: the most frequent ones); parameters."""
    if isinstance(split, FieldInfo):
        stored = f"p.{split.api_name}" if split.is_standard else "(p.fields ->> %(split)s)"
        value, order = f"({stored})::text", 'value collate "C"'
    else:
        value, order = reports.value_of_field(split, "%(split)s"), reports.ordered_sql("value", split)
    expressions = f"""firsts as materialized (
            select distinct on (a.person_id) a.person_id, a.occurred_at as moment, {value} as value
            from activity a join person p on p.id = a.person_id and p.state = 'live'
            where {reports.WITHIN_SCOPE.replace("%(type)s", "%(type_0)s")} order by a.person_id, a.occurred_at, a.id),
        ranks as materialized (select value, row_number() over (order by count(*) desc, {order} nulls last) as rank
            from firsts group by value order by 2 limit %(limit)s)"""
    return expressions, {"split": split.api_name, "limit": reports.MOST_VALUES}


def person_split_fields(fields: Sequence[FieldInfo]) -> list[FieldInfo]:
    """The person fields that a funnel may be split by: those whose values repeat and are not hidden."""
    repeating = {"string", "boolean", "integer", "score", "percent"}
    return [
        field
        for field in fields
        if field.data_type.name in repeating and not (field.is_hidden or field.is_unique or field.is_read_only)
    ]
