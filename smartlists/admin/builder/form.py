"""The builder's form: conversion between posted, unchecked input and the JSON form of rules.

Inputs are named by their path in the rules' JSON form ("filters.0.constraints.1.operator"), so that the path of
a problem identifies its input. The server owns the form: every change of structure is a submit button and a
fresh rendering, with or without JavaScript.
"""

from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from typing import Any

from django.http import QueryDict

from activities.consent.state import EMAIL
from people.core.errors import RejectedError
from smartlists.admin.builder.changes import posted_change
from smartlists.admin.builder.choices import Choices, FieldChoice
from smartlists.admin.builder.inversion import NEW_WINDOW, invert_card
from smartlists.admin.builder.posted import (
    ordered_children,
    posted_condition,
    posted_constraints,
    posted_nodes,
    posted_text,
    posted_values,
)
from smartlists.rules import logic
from smartlists.rules.model import FILTERS, GIVEN, INCLUDE_BOTS

MAX_STEPS_OF_A_PATH = 8
FOLDED = "folded"  # a key of the form only: the card shows nothing but its sentence
Json = dict[str, Any]


def parse_posted_rules(post: QueryDict) -> Json:
    """The rules of a posted form in their JSON form, unchecked."""
    filters = [_filter(node) for node in posted_nodes(post, "filters", MAX_STEPS_OF_A_PATH, list)]
    rules: Json = {"version": 1, "match": post.get("match", "all"), "filters": filters}
    if rules["match"] == "advanced":
        rules["logic"] = post.get("logic", "").strip() or _all_of(len(filters))
    return rules


def with_form_defaults(rules: Json) -> Json:
    """Saved rules with the defaults that their JSON form omits, as the form needs them."""
    complete = deepcopy(rules)
    for rule in complete["filters"]:
        if "operator" in rule:
            rule.setdefault("values", [])
        for owner in rule.get("steps", [rule]):
            if "type" in owner:
                owner.setdefault("constraints", [])
            if "type" in owner and rule["kind"] != "object":
                owner.setdefault("bots", INCLUDE_BOTS)
            for condition in (*owner.get("constraints", ()), *filter(None, [owner.get("aggregate")])):
                condition.setdefault("values", [])
    return complete


def without_form_keys(rules: Json) -> Json:
    """The rules without the keys that exist in the form only."""
    filters = [{name: value for name, value in rule.items() if name != FOLDED} for rule in rules["filters"]]
    return {**rules, "filters": filters}


def finished_rules(rules: Json, unfinished: Collection[int], choices: Choices) -> Json:
    """The bare rules without the cards at `unfinished`; an advanced logic keeps its meaning for the others."""
    remaining = without_form_keys(deepcopy(rules))
    for index in sorted(unfinished, reverse=True):
        _remove(remaining, [index], "", choices)
    return remaining


def _bots(node: Json) -> Json:
    return {"bots": posted_text(node, "bots")} if "bots" in node else {}


def _activity(node: Json) -> Json:
    return {
        "did": posted_text(node, "did") != "false",
        "type": posted_text(node, "type"),
        "constraints": posted_constraints(node),
        **_bots(node),
        **_count_and_aggregate(node),
    }


def _count_and_aggregate(node: Json) -> Json:
    parts: Json = {}
    count = node.get("count")
    if isinstance(count, dict) and posted_text(count, "operator"):
        parts["count"] = {"operator": posted_text(count, "operator"), "values": posted_values(count)}
    aggregate = node.get("aggregate")
    if isinstance(aggregate, dict) and posted_text(aggregate, "function"):
        parts["aggregate"] = {"function": posted_text(aggregate, "function"), **posted_condition(aggregate)}
    return parts


def _object(node: Json) -> Json:
    card: Json = {
        "has": posted_text(node, "has") != "false",
        "type": posted_text(node, "type"),
        "constraints": posted_constraints(node),
        **_count_and_aggregate(node),
    }
    changed = node.get("changed")
    if isinstance(changed, dict) and posted_text(changed, "field"):
        card["changed"] = posted_change(changed)
    return card


def _sequence(node: Json) -> Json:
    steps = []
    for child in ordered_children(node.get("steps", {})):
        step: Json = {"type": posted_text(child, "type"), "constraints": posted_constraints(child), **_bots(child)}
        if days := posted_text(child, "within_days"):
            step["within_days"] = int(days) if days.isascii() and days.isdigit() and len(days) < 6 else days
        if posted_text(child, "not") == "true":
            step["not"] = True
        steps.append(step)
    return {"steps": steps}


def _list(node: Json) -> Json:
    number = posted_text(node, "list")
    is_id = number.isascii() and number.isdigit() and len(number) < 10
    return {"list": int(number) if is_id else number, "member": posted_text(node, "member") != "false"}


def _consent(node: Json) -> Json:
    day = posted_text(node, "on")
    return {
        "purpose": posted_text(node, "purpose"),
        "state": posted_text(node, "state"),
        **({"on": day} if day else {}),
    }


POSTED_READERS = FILTERS.facet(
    "reader of its posted card",
    {
        "person_field": posted_condition,
        "activity": _activity,
        "sequence": _sequence,
        "static_list": _list,
        "smart_list": _list,
        "consent": _consent,
        "object": _object,
    },
)


def _filter(node: Json) -> Json:
    kind = posted_text(node, "kind")
    rule = {"kind": kind, **POSTED_READERS[kind](node)} if kind in POSTED_READERS else {"kind": kind}
    return rule | {FOLDED: True} if posted_text(node, FOLDED) else rule


# ---- effects of the buttons -------------------------------------------------------------------------------


def apply_rules_action(rules: Json, action: str, choice: str, choices: Choices) -> Json:
    """The rules after a button: "add", "remove:1", "up:1", "duplicate:1", "invert:1", "fold:1", "add_constraint:1", …

    `choice` is the value of the select beside an "add" button. Unknown actions change nothing.
    """
    return apply_button(rules, _ACTIONS, action, choice, choices)


def apply_button(form: Json, actions: Mapping[str, Callable[..., None]], action: str, *more: Any) -> Json:
    """Return a copy of `form` after the button "verb:3.1": the action of the verb is called with the place (3, 1).

    Returns the form unchanged for an unknown button, and for a card that does not exist.
    """
    verb, _colon, place = action.partition(":")
    steps = [int(part) for part in place.split(".") if part.isascii() and part.isdigit() and len(part) < 6]
    if verb not in actions:
        return form
    after = deepcopy(form)
    try:
        actions[verb](after, steps, *more)
    except (IndexError, ValueError, KeyError):
        return form
    return after


def _all_of(filters: int) -> str:
    expression = logic.join_filters("and", filters)
    return logic.write_logic(expression) if expression else ""


def _relogic(rules: Json, change: Callable[[logic.Expression], logic.Expression | None], filters: int) -> None:
    """Rewrite an advanced logic over `filters` filters by `change`; keep an invalid logic as typed."""
    if rules["match"] != "advanced":
        return
    try:
        expression = logic.parse_logic(rules["logic"], filters)
    except RejectedError:
        rules["logic"] = rules["logic"] or _all_of(len(rules["filters"]))
        return
    changed = change(expression)
    rules["logic"] = logic.write_logic(changed) if changed else ""


def _add(rules: Json, _place: list[int], choice: str, choices: Choices) -> None:
    kind, _colon, what = choice.partition(":")
    rules["filters"].append({"kind": kind, **NEW_CARDS[kind](what, choices)})
    _relogic(
        rules, lambda expression: logic.with_filter_added(expression, len(rules["filters"])), len(rules["filters"]) - 1
    )


def _new_step(type_name: str, choices: Choices) -> Json:
    return {"type": type_name, "constraints": [], **choices.new_bots(type_name)}


def _new_condition(field: FieldChoice) -> Json:
    return {"field": field.api_name, "operator": field.data_type.operators[0], "values": []}


def _remove(rules: Json, place: list[int], _choice: str, _choices: Choices) -> None:
    (position,) = place
    rules["filters"].pop(position)
    _relogic(rules, lambda expression: logic.with_filter_removed(expression, position + 1), len(rules["filters"]) + 1)


def _move(target_of: Callable[[int, int], int]) -> Callable[[Json, list[int], str, Choices], None]:
    """Return an action that moves a card to `target_of(position, last position)`."""

    def move(rules: Json, place: list[int], _choice: str, _choices: Choices) -> None:
        (position,) = place
        _place_card(rules, position, target_of(position, len(rules["filters"]) - 1))

    return move


def _place_card(rules: Json, position: int, target: int) -> None:
    filters = rules["filters"]
    if not 0 <= target < len(filters) or target == position:
        return
    filters.insert(target, filters.pop(position))
    _relogic(rules, lambda expression: logic.with_filter_moved(expression, position + 1, target + 1), len(filters))


def _duplicate(rules: Json, place: list[int], _choice: str, _choices: Choices) -> None:
    """Insert a copy right after the card."""
    (position,) = place
    rules["filters"].append(deepcopy(rules["filters"][position]))
    last = len(rules["filters"])
    _relogic(rules, lambda expression: logic.with_filter_added(expression, last), last - 1)
    _place_card(rules, last - 1, position + 1)


def _fold(rules: Json, place: list[int], _choice: str, _choices: Choices) -> None:
    rule = rules["filters"][place[0]]
    rule[FOLDED] = not rule.get(FOLDED)


def _fold_all(is_folded: bool) -> Callable[[Json, list[int], str, Choices], None]:
    def fold_all(rules: Json, _place: list[int], _choice: str, _choices: Choices) -> None:
        for rule in rules["filters"]:
            rule[FOLDED] = is_folded

    return fold_all


def _invert(rules: Json, place: list[int], _choice: str, choices: Choices) -> None:
    invert_card(rules["filters"][place[0]], choices)


def _place_of_constraints(rules: Json, place: list[int]) -> Json:
    """The card, or the step of a sequence card, at `place`."""
    card: Json = rules["filters"][place[0]]
    return card["steps"][place[1]] if "steps" in card else card


def _add_constraint(rules: Json, place: list[int], choice: str, choices: Choices) -> None:
    owner = _place_of_constraints(rules, place)
    owner["constraints"].append(_new_condition(choices.fields_of_card(owner)[choice]))


def _remove_constraint(rules: Json, place: list[int], _choice: str, _choices: Choices) -> None:
    _place_of_constraints(rules, place[:-1])["constraints"].pop(place[-1])


def _add_step(rules: Json, place: list[int], _choice: str, choices: Choices) -> None:
    card = rules["filters"][place[0]]
    card["steps"].append(_new_step(choices.first_type(), choices) | {"within_days": NEW_WINDOW})


def _remove_step(rules: Json, place: list[int], _choice: str, _choices: Choices) -> None:
    rules["filters"][place[0]]["steps"].pop(place[1])


_ACTIONS: Mapping[str, Callable[[Json, list[int], str, Choices], None]] = {
    "add": _add,
    "remove": _remove,
    "up": _move(lambda position, _last: position - 1),
    "down": _move(lambda position, _last: position + 1),
    "first": _move(lambda _position, _last: 0),
    "last": _move(lambda _position, last: last),
    "duplicate": _duplicate,
    "invert": _invert,
    "fold": _fold,
    "fold_all": _fold_all(True),
    "unfold_all": _fold_all(False),
    "add_constraint": _add_constraint,
    "remove_constraint": _remove_constraint,
    "add_step": _add_step,
    "remove_step": _remove_step,
}


def _new_sequence(_what: str, choices: Choices) -> Json:
    first = choices.first_type()
    return {"steps": [_new_step(first, choices), _new_step(first, choices) | {"within_days": NEW_WINDOW}]}


def _new_membership(what: str, _choices: Choices) -> Json:
    return {"list": int(what), "member": True}


NEW_CARDS = FILTERS.facet(
    "initial state of a new card",
    {
        "person_field": lambda what, choices: _new_condition(choices.person_fields[what]),
        "activity": lambda what, choices: {"did": True, **_new_step(what or choices.first_type(), choices)},
        "sequence": _new_sequence,
        "static_list": _new_membership,
        "smart_list": _new_membership,
        "consent": lambda _what, _choices: {"purpose": EMAIL, "state": GIVEN},
        "object": lambda what, _choices: {"has": True, "type": what, "constraints": []},
    },
)
