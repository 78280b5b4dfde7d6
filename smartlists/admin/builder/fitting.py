"""Operators and values that fit the inputs of the builder's cards, after another type, field or operator was chosen."""

from collections.abc import Mapping
from typing import Any

from smartlists.admin.builder.changes import fit_change
from smartlists.admin.builder.choices import Choices, FieldChoice
from smartlists.admin.builder.inputs import fits_inputs, input_kind
from smartlists.rules.model import INCLUDE_BOTS
from smartlists.rules.parsing import AGGREGATES, aggregate_data_type

Json = dict[str, Any]


def fit_rules_to_fields(rules: Json, choices: Choices) -> Json:
    """Replace operators that a changed field lacks and drop values that do not fit its inputs."""
    for rule in rules["filters"]:
        if "field" in rule:
            _fit(rule, choices.person_fields)
        for owner in rule.get("steps", [rule]):
            if "type" in owner and rule["kind"] != "object":
                _fit_bots(owner, choices)
            if "constraints" in owner:
                fields = choices.fields_of_card(owner)
                owner["constraints"] = [
                    constraint for constraint in owner["constraints"] if constraint["field"] in fields
                ]
                for constraint in owner["constraints"]:
                    _fit(constraint, fields)
        if aggregate := rule.get("aggregate"):
            _fit_aggregate(aggregate, choices, rule)
        if (changed := rule.get("changed")) is not None:
            fit_change(changed, choices.fields_of_object(rule["type"]))
    return rules


def _fit_bots(owner: Json, choices: Choices) -> None:
    """Drop the choice of bots of a type without a mark of bots; leave bots out where another type was chosen.

    A card of a type without the mark posts an empty value. One of a page of the version before posts none and keeps
    its rule: all activities.
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
    condition["values"] = [value for value in condition["values"] if fits_inputs(value, inputs, choice.data_type)]


def _fit_aggregate(aggregate: Json, choices: Choices, rule: Json) -> None:
    fields = aggregatable_fields(choices, rule, aggregate["function"])
    if aggregate["field"] not in fields and fields:
        aggregate["field"], aggregate["values"] = next(iter(fields)), []
    _fit(aggregate, fields)


def aggregatable_fields(choices: Choices, rule: Json, function: str) -> dict[str, FieldChoice]:
    """The fields of a card's type that an aggregate can use, with the data type of its result."""
    fits = AGGREGATES.get(function, lambda data_type: False)
    return {
        name: FieldChoice(name, field.label, aggregate_data_type(function, field.data_type), field.gone)
        for name, field in choices.fields_of_card(rule).items()
        if fits(field.data_type)
    }
