"""Parts of explanations of filters on activities and object records: misses of rows, results of aggregates."""

from collections.abc import Sequence
from datetime import UTC
from decimal import Context, Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.datatypes.registry import DataType
from smartlists.evaluation import near_misses
from smartlists.evaluation.near_misses import NearMiss
from smartlists.rules import model as rules
from smartlists.rules import operators
from smartlists.rules.names import shown_field_label
from smartlists.rules.parsing import aggregate_data_type
from smartlists.rules.periods import Clock
from smartlists.rules.vocabulary import FieldOwner

AGGREGATE_PLACES = Decimal(1).scaleb(-10)
EXACT = Context(prec=500)  # a sum of doubles has up to some 320 digits before the point


def field_label(owner: FieldOwner, field: str) -> str:
    """The shown label of a field of an activity or a record."""
    return str(COMMON_LABELS.get(field) or shown_field_label(owner, field))


def constraint_misses(
    constraints: Sequence[rules.Constraint],
    owner: FieldOwner,
    passed: Sequence[bool | None],
    raw: Sequence[Any],
    clock: Clock,
) -> list[NearMiss]:
    """The misses of the constraints that a row does not pass; `passed` and `raw` go along with the constraints."""
    return [
        near_misses.value_miss(
            field_label(owner, constraint.field),
            owner.fields[constraint.field].data_type,
            constraint.operator,
            constraint.values,
            typed_value(owner.fields[constraint.field].data_type, value),
            clock,
        )
        for constraint, passes, value in zip(constraints, passed, raw, strict=True)
        if not passes
    ]


def joined_miss(misses: Sequence[NearMiss]) -> tuple[int, float, NearMiss]:
    """The number of misses of one row, their distance together, and one miss for all."""
    text = "; ".join(miss.text for miss in misses)
    return len(misses), sum(miss.distance for miss in misses), NearMiss(misses[0].code, text, misses[0].distance)


def aggregate_result(aggregate: rules.Aggregate, owner: FieldOwner, text: str) -> Any:
    """The value of an aggregate, parsed from the database's text."""
    data_type = aggregate_data_type(aggregate.function, owner.fields[aggregate.field].data_type)
    if data_type is operators.NUMBER:
        return Decimal(text).quantize(AGGREGATE_PLACES, context=EXACT) if "." in text else Decimal(text)
    return typed_value(data_type, text)


def aggregate_miss(aggregate: rules.Aggregate, owner: FieldOwner, result: Any, clock: Clock) -> NearMiss:
    """The reason why the result of an aggregate fails its operator."""
    data_type = aggregate_data_type(aggregate.function, owner.fields[aggregate.field].data_type)
    label = AGGREGATE_LABELS[aggregate.function]() % {"field": field_label(owner, aggregate.field)}
    return near_misses.value_miss(label, data_type, aggregate.operator, aggregate.values, result, clock)


def typed_value(data_type: DataType, raw: Any) -> Any:
    return None if raw is None else data_type.parse(raw, UTC)


COMMON_LABELS = {
    "@occurred_at": gettext_lazy("Occurred at"),
    "@recorded_at": gettext_lazy("Recorded at"),
    "@backfill": gettext_lazy("Recorded as history"),
    "@created_at": gettext_lazy("Date added"),
    "@updated_at": gettext_lazy("Date of last change"),
}
AGGREGATE_LABELS = {
    "sum": lambda: _("Sum of %(field)s"),
    "average": lambda: _("Average of %(field)s"),
    "minimum": lambda: _("Minimum of %(field)s"),
    "maximum": lambda: _("Maximum of %(field)s"),
    "first": lambda: _("First %(field)s"),
    "last": lambda: _("Last %(field)s"),
}
