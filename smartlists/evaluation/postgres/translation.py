"""Parts of the translations of all kinds of filters: statement, context, and groups of one person's rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from people.core.db import value_sql
from smartlists.catalog import Catalogue
from smartlists.evaluation.postgres import conditions
from smartlists.evaluation.postgres.conditions import Sql
from smartlists.rules import model as rules
from smartlists.rules import operators
from smartlists.rules.parsing import aggregate_data_type
from smartlists.rules.periods import Clock
from smartlists.rules.vocabulary import VocabularyField


@dataclass(frozen=True, slots=True)
class FilterStatement:
    """`source` is the text after `from`, with a column named `person`; None finds no people."""

    source: Sql | None
    is_complement: bool = False

    @property
    def opposite(self) -> Self:
        return replace(self, is_complement=not self.is_complement)


@dataclass(frozen=True, slots=True)
class TranslationContext:
    """The inputs of a translation; with `among`, statements are limited to these people."""

    names: Catalogue
    clock: Clock
    among: Sequence[int] | None = None

    def only_among(self, column: str) -> list[Sql]:
        return [] if self.among is None else [Sql(f"{column} = any(%s::int[])", (list(self.among),))]


def join_sql(parts: Sequence[Sql], word: str = " and ") -> Sql:
    """Join several pieces of SQL."""
    return Sql(word.join(part.text for part in parts), tuple(value for part in parts for value in part.params))


def grouped_statement(
    item: rules.Activity | rules.Object, table: str, rows: Sql, aggregate: Sql | None
) -> FilterStatement:
    """The people whose rows satisfy count and aggregate; rows are grouped only if there is such a condition."""
    fewest, most = item.count.bounds if item.count else (1, None)
    without_rows = fewest == 0 and (
        item.aggregate is None or operators.passes_without_value(item.aggregate.operator, None)
    )
    if fewest <= 1 and most is None and aggregate is None:
        return FilterStatement(None if without_rows else ungrouped(table, rows), is_complement=without_rows)
    count_conditions = _count_condition(max(fewest, 0 if without_rows else 1), most)
    having = (
        join_sql([*count_conditions, *([aggregate] if aggregate else [])])
        if count_conditions or aggregate
        else Sql("true")
    )
    if without_rows:
        having = Sql(f"({having.text}) is not true", having.params)
    source = Sql(
        f"(select person_id as person from {table} where {rows.text} group by person_id having {having.text}) found",
        (*rows.params, *having.params),
    )
    return FilterStatement(source, is_complement=without_rows)


def ungrouped(table: str, rows: Sql) -> Sql:
    """The people of all rows."""
    return Sql(f"(select person_id as person from {table} where {rows.text}) found", rows.params)


def _count_condition(fewest: int, most: int | None) -> list[Sql]:
    parts = [Sql("count(*) >= %s", (fewest,))] if fewest > 1 else []
    return parts if most is None else [*parts, Sql("count(*) <= %s", (most,))]


def aggregate_condition(item: rules.Aggregate, field: VocabularyField, raw: str, clock: Clock) -> Sql:
    """The condition on a group of rows that an aggregate over `raw`, the SQL of `field`, states."""
    compared = aggregate_data_type(item.function, field.data_type)
    computed = aggregate_sql(item.function, field, raw)
    return conditions.condition_sql(computed, compared, item.operator, item.values, None, clock)


def aggregate_sql(function: str, field: VocabularyField, raw: str) -> str:
    """The SQL of an aggregate over `raw`, the SQL of `field`, for the rows of one person."""
    return _AGGREGATES[function].format(value=value_sql.comparison_sql(field.data_type.name, raw), raw=raw)


_AGGREGATES: Mapping[str, str] = {
    "sum": "sum({value})",
    # more decimal places than a compared value can have, so that one third never equals 0.3333333333333333
    "average": "(round(sum({value}), 80) / count({value}))",
    "minimum": "min({value})",
    "maximum": "max({value})",
    "first": "(array_agg({raw} order by occurred_at, id) filter (where {raw} is not null))[1]",
    "last": "(array_agg({raw} order by occurred_at desc, id desc) filter (where {raw} is not null))[1]",
}
