"""Operators and values that fit the inputs of the builder's cards, after another type, field or operator was chosen."""

from collections.abc import Mapping
from typing import Any

from people.datatypes.registry import DataType
from smartlists.admin.builder.choices import Choices, FieldChoice
from smartlists.rules import operators, periods
from smartlists.rules.model import INCLUDE_BOTS
from smartlists.rules.operators import OperandShape
from smartlists.rules.parsing import AGGREGATES, aggregate_data_type

Json = dict[str, Any]

_INPUTS: Mapping[OperandShape, str] = {
    OperandShape.NOTHING: "none",
    OperandShape.ONE: "one",
    OperandShape.TWO: "two",
    OperandShape.MANY: "lines",
    OperandShape.PERIOD: "period",
    OperandShape.FRAME: "frame",
}


def input_kind(operator: str, data_type: DataType) -> str:
    if operator not in operators.OPERATORS:
        return "none"
    if data_type.name == "boolean" and operator == "is":
        return "boolean"
    inputs = _INPUTS[operators.operator_shape(data_type, operator)]
    return "one" if inputs == "lines" and data_type.is_moment else inputs


def fit_rules_to_fields(rules: Json, choices: Choices) -> Json:
    """Replace operators that a changed field lacks and drop values that do not fit its inputs."""
    for rule in rules["filters"]:
        if "field" in rule:
            _fit(rule, choices.person_fields)
        for owner in rule.get("steps", [rule]):
            if "type" in owner:
                _fit_bots(owner, choices)
            if "constraints" in owner:
                fields = choices.fields_of(owner["type"])
                owner["constraints"] = [
                    constraint for constraint in owner["constraints"] if constraint["field"] in fields
                ]
                for constraint in owner["constraints"]:
                    _fit(constraint, fields)
        if aggregate := rule.get("aggregate"):
            _fit_aggregate(aggregate, choices, rule["type"])
    return rules


def _fit_bots(owner: Json, choices: Choices) -> None:
    """Drop what a type without a mark of bots cannot say; begin without bots where another type was chosen.

    A card of a type without the mark posts an empty value. One of a page of the version before posts none and keeps
    what its rule says: all activities.
    """
    posted = owner.pop("bots", INCLUDE_BOTS)
    if new := choices.new_bots(owner["type"]):
        owner |= {"bots": posted} if posted else new


def _fit(condition: Json, fields: Mapping[str, FieldChoice]) -> None:
    choice = fields.get(condition["field"])
    if choice is None:
        return
    if condition["operator"] not in choice.data_type.operators:
        condition["operator"], condition["values"] = choice.data_type.operators[0], []
    inputs = input_kind(condition["operator"], choice.data_type)
    condition["values"] = [value for value in condition["values"] if _fits_inputs(value, inputs, choice.data_type)]


def _fit_aggregate(aggregate: Json, choices: Choices, type_name: str) -> None:
    fields = aggregatable_fields(choices, type_name, aggregate["function"])
    if aggregate["field"] not in fields and fields:
        aggregate["field"], aggregate["values"] = next(iter(fields)), []
    _fit(aggregate, fields)


def aggregatable_fields(choices: Choices, type_name: str, function: str) -> dict[str, FieldChoice]:
    """The fields of a type that an aggregate can use, with the data type of its result."""
    fits = AGGREGATES.get(function, lambda data_type: False)
    return {
        name: FieldChoice(name, field.label, aggregate_data_type(function, field.data_type), field.gone)
        for name, field in choices.fields_of(type_name).items()
        if fits(field.data_type)
    }


def _fits_inputs(value: str, inputs: str, data_type: DataType) -> bool:
    """True if a value typed for another operator still fits these inputs."""
    is_period, is_frame = periods.parse_period(value) is not None, value in periods.FRAMES
    fits = {"none": False, "period": is_period, "frame": is_frame}
    return fits.get(inputs, not (data_type.is_moment and (is_period or is_frame)))
