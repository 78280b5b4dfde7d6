"""Filters on activities as queries of DuckDB over relations of rows; `postgres/statements` has the same in SQL."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pyroaring import BitMap

from activities.log.columns.among import PeopleCondition, people_condition
from activities.log.columns.relation import NotHeldError, RowRelation
from smartlists.catalog import Catalogue
from smartlists.evaluation.columns import conditions
from smartlists.evaluation.columns.conditions import ColumnSql
from smartlists.rules import model as rules
from smartlists.rules import operators
from smartlists.rules.parsing import aggregate_data_type
from smartlists.rules.periods import Clock
from smartlists.rules.vocabulary import BACKFILL, COMMON, MOMENTS, VocabularyField, VocabularyType

DAY = 86_400_000_000  # microseconds: 24 hours, whatever the clocks do
_ORDER = "occurred_at::HUGEINT * 4611686018427387904 + id"  # of the rows of one person: ids are below 2 ** 62


class RelationSource(Protocol):
    """Gives the rows of a type."""

    def relation(self, type_id: int, field_ids: Iterable[int]) -> RowRelation:
        """The rows with the columns of these fields. Raises `NotHeldError`."""


@dataclass(frozen=True, slots=True)
class ColumnQuery:
    """A query with a column `person`, which may contain repetitions; no person in it has an id above `top`."""

    sql: str
    params: tuple[Any, ...]
    top: int
    is_complement: bool = False


@dataclass(frozen=True, slots=True)
class ColumnContext:
    names: Catalogue
    clock: Clock
    rows: RelationSource


def column_of(field: VocabularyField) -> str:
    """The column of a field; of what every activity has, its own. Booleans are 0 and 1 here."""
    return "(flags & 1)" if field.api_name == BACKFILL else MOMENTS.get(field.api_name, f"f{field.id}")


def activity_query(item: rules.Activity, context: ColumnContext) -> ColumnQuery:
    """The people of an activity filter."""
    of = context.names.type(item.type)
    query = _grouped(item, of, context)
    if item.did:
        return query
    return ColumnQuery(query.sql, query.params, query.top, not query.is_complement)


def _rows(
    of: VocabularyType,
    constraints: Sequence[rules.Constraint],
    context: ColumnContext,
    besides: Iterable[VocabularyField] = (),
) -> tuple[ColumnSql, int]:
    """The rows of the type that satisfy all constraints, as what follows `from` and has a `where`; the top id."""
    fields = [context.names.field(of, item.field) for item in constraints]
    field_ids = {field.id for field in (*fields, *besides) if field.api_name not in COMMON}
    relation = context.rows.relation(of.id, field_ids)
    parts = [
        conditions.column_condition(
            column_of(field), field.data_type, item.operator, item.values, item.empty, context.clock
        )
        for field, item in zip(fields, constraints, strict=True)
    ]
    where = " and ".join(part.text for part in parts) or "true"
    params = (*relation.parameters, *(value for part in parts for value in part.params))
    return ColumnSql(f"({relation.sql}) rows where {where}", params), relation.top


def _grouped(item: rules.Activity, of: VocabularyType, context: ColumnContext) -> ColumnQuery:
    """The people whose number of rows and aggregate satisfy the filter; grouped only where it has either."""
    fewest, most = item.count.bounds if item.count else (1, None)
    is_nothing_passing = item.aggregate is None or operators.passes_without_value(item.aggregate.operator, None)
    without_rows = fewest == 0 and is_nothing_passing
    field = context.names.field(of, item.aggregate.field) if item.aggregate else None
    rows, top = _rows(of, item.row_constraints, context, [field] if field else [])
    if fewest <= 1 and most is None and item.aggregate is None:
        # at least none are all: the complement of an empty set
        text = f"select person from {rows.text}" + (" and false" if without_rows else "")
        return ColumnQuery(text, rows.params, top, without_rows)
    having = [ColumnSql(f"count(*) >= {fewest}")] if max(fewest, 0 if without_rows else 1) > 1 else []
    having += [ColumnSql(f"count(*) <= {most}")] if most is not None else []
    if item.aggregate and field:
        having.append(_aggregate(item.aggregate, field, context))
    text = " and ".join(part.text for part in having) or "true"
    if without_rows:
        text = f"({text}) is not true"
    params = (*rows.params, *(value for part in having for value in part.params))
    return ColumnQuery(f"select person from {rows.text} group by person having {text}", params, top, without_rows)


def _aggregate(item: rules.Aggregate, field: VocabularyField, context: ColumnContext) -> ColumnSql:
    """The condition on the rows of one person that an aggregate states."""
    column = column_of(field)
    if item.function in _WITHOUT_DOUBLES:
        if field.data_type.name == "float":  # sums of doubles are no sums of decimals
            raise NotHeldError("float")
        return _WITHOUT_DOUBLES[item.function](column, field.data_type, item.operator, item.values)
    compared = aggregate_data_type(item.function, field.data_type)
    expression = _AGGREGATES[item.function].format(column)
    return conditions.column_condition(expression, compared, item.operator, item.values, None, context.clock)


_WITHOUT_DOUBLES: Mapping[str, Callable[..., ColumnSql]] = {
    "sum": conditions.total_condition,
    "average": conditions.average_condition,
}
_AGGREGATES: Mapping[str, str] = {
    "minimum": "min({0})",
    "maximum": "max({0})",
    "first": f"(arg_min({{0}}, {_ORDER}) filter (where {{0}} is not null))",
    "last": f"(arg_max({{0}}, {_ORDER}) filter (where {{0}} is not null))",
}


# --- Sequences ------------------------------------------------------------------------------------------------


def sequence_query(item: rules.Sequence, context: ColumnContext, among: BitMap | None = None) -> ColumnQuery:
    """The people of a sequence; only those in `among`, if given.

    Each row of a step is joined with the nearest row that completes the step before: if any is near enough, that is.
    """
    named = None if among is None else people_condition(among)
    parts = [_step(step, context, named) for step in item.steps]
    top = max(top for _part, top in parts)
    first, *others = (part for part, _top in parts)
    steps = item.steps
    if len(steps) == 2 and steps[1].within_days is None:
        text = (
            f"select person from (select *, true as is_first from ({first.text}) rows"
            f" union all select *, false from ({others[0].text}) rows) rows group by person"
            " having min(moment) filter (where is_first) < max(moment) filter (where not is_first)"
        )
        return ColumnQuery(text, (*first.params, *others[0].params), top)
    following = others.pop() if steps[-1].is_not else None
    done = first
    for step, part in zip(steps[1:], others, strict=False):
        done = _completed(done, part, step.within_days)
    if following is not None:
        done = _not_followed(done, following, steps[-1].within_days or 0, conditions.microseconds_of(context.clock.now))
    return ColumnQuery(f"select person from ({done.text}) found", done.params, top)


def _step(step: rules.Step, context: ColumnContext, named: PeopleCondition | None) -> tuple[ColumnSql, int]:
    """The rows of a step: person and moment."""
    rows, top = _rows(context.names.type(step.type), step.row_constraints, context)
    text = f"select person, occurred_at as moment from {rows.text}"
    if named is None:
        return ColumnSql(text, rows.params), top
    return ColumnSql(f"{text} and {named.sql}", (*rows.params, *named.parameters)), top


def _completed(before: ColumnSql, rows: ColumnSql, within: int | None) -> ColumnSql:
    """The rows that complete a step: the latest of `before` that is earlier is near enough."""
    window = "" if within is None else f" where b.moment >= r.moment - {within * DAY}"
    text = (
        f"select r.person, r.moment from ({rows.text}) r asof join ({before.text}) b"
        f" on r.person = b.person and r.moment > b.moment{window}"
    )
    return ColumnSql(text, (*rows.params, *before.params))


def _not_followed(done: ColumnSql, following: ColumnSql, within: int, now: int) -> ColumnSql:
    """The rows after which none of `following` comes within the window, which has passed."""
    text = (
        f"select d.person from ({done.text}) d asof left join ({following.text}) f"
        f" on d.person = f.person and d.moment < f.moment"
        f" where d.moment + {within * DAY} < {now} and (f.moment is null or f.moment > d.moment + {within * DAY})"
    )
    return ColumnSql(text, (*done.params, *following.params))
