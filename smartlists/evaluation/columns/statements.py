"""Filters on activities as queries of DuckDB over relations of rows; `postgres/statements` has the same in SQL."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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

_BEFORE = "range between unbounded preceding and 1 preceding"  # earlier moments only: peers are of the same one


def sequence_query(item: rules.Sequence, context: ColumnContext) -> ColumnQuery:
    """One pass over the rows of all steps, in order of time, that carries along the last row of each step."""
    parts = [_step(number, step, context) for number, step in enumerate(item.steps, 1)]
    params = tuple(value for part, _top in parts for value in part.params)
    top = max(top for _part, top in parts)
    text = f"({' union all '.join(part.text for part, _top in parts)}) rows"
    steps, last = item.steps, len(item.steps)
    if last == 2 and steps[1].within_days is None:
        having = "min(moment) filter (where step = 1) < max(moment) filter (where step = 2)"
        return ColumnQuery(f"select person from {text} group by person having {having}", params, top)
    chained = last - 1 if steps[-1].is_not else last
    for number in range(2, chained + 1):
        text = (
            f"(select *, max(moment) filter (where {_completes(number - 1, steps)}) over"
            f" (partition by person order by moment {_BEFORE}) as before_{number} from {text}) rows"
        )
    if not steps[-1].is_not:
        return ColumnQuery(f"select person from {text} where {_completes(last, steps)}", params, top)
    text = (
        f"(select *, min(moment) filter (where step = {last}) over"
        f" (partition by person order by moment desc {_BEFORE}) as following from {text}) rows"
    )
    window = (steps[-1].within_days or 0) * DAY
    now = conditions.microseconds_of(context.clock.now)
    where = (
        f"{_completes(chained, steps)} and moment + {window} < {now}"
        f" and (following is null or following > moment + {window})"
    )
    return ColumnQuery(f"select person from {text} where {where}", params, top)


def _step(number: int, step: rules.Step, context: ColumnContext) -> tuple[ColumnSql, int]:
    rows, top = _rows(context.names.type(step.type), step.row_constraints, context)
    return ColumnSql(f"select person, occurred_at as moment, {number} as step from {rows.text}", rows.params), top


def _completes(number: int, steps: Sequence[rules.Step]) -> str:
    """The SQL that is true for a row with which the first `number` steps are done."""
    if number == 1:
        return "step = 1"
    within = steps[number - 1].within_days
    if within is None:
        return f"step = {number} and before_{number} is not null"
    return f"step = {number} and before_{number} >= moment - {within * DAY}"
