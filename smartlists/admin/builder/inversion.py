"""Inversion of the builder's cards: *did* becomes *did not*, *is* becomes *is not*."""

from collections.abc import Mapping
from typing import Any

from smartlists.admin.builder.choices import Choices
from smartlists.rules.model import FILTERS

NEW_WINDOW = 7  # days within which the next step of a sequence follows, by default
Json = dict[str, Any]
_OPPOSITES: Mapping[str, str] = {
    positive if is_forth else negative: negative if is_forth else positive
    for positive, negative in (
        ("is", "is not"),
        ("starts with", "not starts with"),
        ("ends with", "not ends with"),
        ("contains", "not contains"),
        ("is empty", "is not empty"),
    )
    for is_forth in (True, False)
}


def inversion_key(rule: Json) -> str | None:
    """The key of the inverted card's label; None where the card has no opposite."""
    return INVERSIONS[rule["kind"]][0](rule)


def invert_card(rule: Json, choices: Choices) -> None:
    """Turn a card that has an opposite into it."""
    INVERSIONS[rule["kind"]][1](rule, choices)


def _inverse_of_sequence(rule: Json) -> str:
    return "followed" if rule["steps"] and rule["steps"][-1].get("not") else "not followed"


def _invert_activity(rule: Json, _choices: Choices) -> None:
    rule["did"] = not rule["did"]


def _invert_object(rule: Json, _choices: Choices) -> None:
    rule["has"] = not rule["has"]


def _invert_membership(rule: Json, _choices: Choices) -> None:
    rule["member"] = not rule["member"]


def _inverse_of_membership(rule: Json) -> str:
    return "not in" if rule.get("member", True) else "in"


def _invert_last_step(step: Json) -> None:
    if not step.pop("not", False):
        step["not"] = True
        step.setdefault("within_days", NEW_WINDOW)  # without a window the absence of a step is never certain


def _invert_operator(rule: Json, choices: Choices) -> None:
    opposite = _OPPOSITES[rule["operator"]]
    if opposite in choices.person_fields[rule["field"]].data_type.operators:
        rule["operator"] = opposite
    elif rule["values"]:  # yes or no
        rule["values"] = ["false" if rule["values"] == ["true"] else "true"]


# (label key of the inverted card, function that inverts it)
INVERSIONS = FILTERS.facet(
    "inversion of a card",
    {
        "person_field": (lambda rule: "opposite" if rule.get("operator") in _OPPOSITES else None, _invert_operator),
        "activity": (lambda rule: "did not" if rule.get("did", True) else "did", _invert_activity),
        "sequence": (_inverse_of_sequence, lambda rule, _choices: _invert_last_step(rule["steps"][-1])),
        "static_list": (_inverse_of_membership, _invert_membership),
        "smart_list": (_inverse_of_membership, _invert_membership),
        "consent": (lambda _rule: None, lambda _rule, _choices: None),
        "object": (lambda rule: "has not" if rule.get("has", True) else "has", _invert_object),
    },
)
