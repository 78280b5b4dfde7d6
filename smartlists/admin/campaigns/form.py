"""The campaign builder's form: conversion between posted, unchecked input and the JSON form of a campaign.

Triggers are cards of the smart-list builder, named `filters.…` there and here. Steps are named by their path
("steps.2.choices.0.steps.1.to"), so that the path of a problem identifies its input. The server owns the form.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from django.http import QueryDict

from people.core.errors import Problem, RejectedError
from people.core.kinds import Facet
from smartlists.admin.builder import form as builder_form
from smartlists.admin.builder.posted import ordered_children, posted_nodes
from smartlists.admin.campaigns import records as record_form
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.catalog import Catalogue
from smartlists.rules import model as rules
from smartlists.rules.text import language

Json = dict[str, Any]
ALL_PEOPLE, LIST, RULES = "everybody", "list", "rules"
PERIODS = ("minutes", "hours", "days", "weeks", "months")
MAX_LEVELS = 24


# --- From the form ----------------------------------------------------------------------------------------------


def parse_posted_campaign(post: QueryDict) -> Json:
    """The posted form, unchecked: triggers as rules, everything else as text."""
    return {
        "triggers": record_form.with_posted_events(builder_form.parse_posted_rules(post), post),
        "audience": _audience(post.get("audience", ""), post.get("audience_text", "")),
        "qualification": {name: post.get(f"qualification_{name}", "") for name in ("how", "number", "unit")},
        "late_after_hours": post.get("late_after_hours", "").strip(),
        "also_past": "also_past" in post,
        "steps": [_step(node) for node in posted_nodes(post, "steps", MAX_LEVELS, lambda values: values[-1])],
    }


def _audience(value: Any, text: Any) -> Json:
    kind, _colon, number = str(value).partition(":")
    return {"kind": kind if kind in (LIST, RULES) else ALL_PEOPLE, "list": number, "text": str(text)}


def _steps(nodes: Any) -> list[Json]:
    return [_step(node) for node in ordered_children(nodes)]


def _step(node: Json) -> Json:
    step: Json = {name: value for name, value in node.items() if isinstance(value, str)}
    for part in ("attributes", "values"):
        if isinstance(node.get(part), dict):
            step[part] = {name: str(value) for name, value in node[part].items()}
    if step.get("do") == "choose":
        ways = [
            {**_audience(way.get("when", ""), way.get("text", "")), "steps": _steps(way.get("steps"))}
            for way in ordered_children(node.get("choices"))
        ]
        step["choices"], step["otherwise"] = ways, _steps(node.get("otherwise"))
    return step


# --- To a definition ---------------------------------------------------------------------------------------------


def definition_from_form(form: Json, names: Catalogue) -> tuple[Json, list[Problem]]:
    """The definition in the form, as JSON, and the problems of the rule texts parsed for it."""
    problems: list[Problem] = []
    qualification = {"how": form["qualification"]["how"] or campaign_definition.ONCE}
    if qualification["how"] == campaign_definition.WITHIN:
        qualification |= {"number": form["qualification"]["number"], "unit": form["qualification"]["unit"]}
    return {
        "triggers": [_trigger(item) for item in form["triggers"]["filters"]],
        "audience": _audience_of(form["audience"], names, ("audience",), problems),
        "qualification": qualification,
        "late_after_hours": form["late_after_hours"] or None,
        "also_past": form["also_past"],
        "steps": _steps_of(form["steps"], names, ("steps",), problems),
    }, problems


def _trigger(item: Json) -> Json:
    if item.get("kind") == "smart_list":
        return {
            "smart_list": item["list"],
            "change": campaign_definition.JOINED if item["member"] else campaign_definition.LEFT,
        }
    if item.get("kind") == "object":
        return record_form.trigger_of(item)
    return {name: item[name] for name in ("type", "constraints", "bots") if name in item}


def _audience_of(form: Json, names: Catalogue, path: tuple[Any, ...], problems: list[Problem]) -> Json | None:
    if form["kind"] == LIST:
        return {"smart_list": form["list"]}
    if form["kind"] != RULES:
        return None
    try:
        return {"rules": rules.dump_rules(language.parse_rules_text(form["text"], names))}
    except RejectedError as refusal:
        problems += [Problem(problem.code, str(problem.message), (*path, "rules")) for problem in refusal.problems]
        return {"rules": {"filters": []}}


def _steps_of(steps: Sequence[Json], names: Catalogue, path: tuple[Any, ...], problems: list[Problem]) -> list[Json]:
    return [_step_of(step, names, (*path, position), problems) for position, step in enumerate(steps)]


def _step_of(step: Json, names: Catalogue, path: tuple[Any, ...], problems: list[Problem]) -> Json:
    do = step.get("do", "")
    if do == "choose":
        return {"do": do, **_choose_of(step, names, path, problems)}
    return {"do": do, **POSTED_STEPS[do](step)} if do in POSTED_STEPS else {"do": do}


def _choose_of(step: Json, names: Catalogue, path: tuple[Any, ...], problems: list[Problem]) -> Json:
    choices = [
        {
            "when": _audience_of(way, names, (*path, "choices", position, "when"), problems),
            "steps": _steps_of(way["steps"], names, (*path, "choices", position, "steps"), problems),
        }
        for position, way in enumerate(step["choices"])
    ]
    return {"choices": choices, "otherwise": _steps_of(step["otherwise"], names, (*path, "otherwise"), problems)}


def _only(*names: str) -> Callable[[Json], Json]:
    return lambda step: {key: step.get(key, "") for key in names}


def _wait_of(step: Json) -> Json:
    if step.get("mode") == "until":
        return {"until": step.get("until", "")}
    return {"period": f"{step.get('amount', '')} {step.get('unit', '')}".strip()}


POSTED_STEPS = campaign_definition.STEPS.facet(
    "reader of its posted card",
    {
        "add_to_list": _only("list"),
        "remove_from_list": _only("list"),
        "change_field": lambda step: {
            "field": step.get("field", ""),
            ("by" if step.get("mode") == "by" else "to"): step.get("value", ""),
        },
        "record": lambda step: {
            "type": step.get("type", ""),
            "primary": step.get("primary", ""),
            "attributes": {name: value for name, value in step.get("attributes", {}).items() if value.strip()},
        },
        "change_object": _only("type", "field", "to"),
        "create_object": lambda step: {
            "type": step.get("type", ""),
            "values": {name: value for name, value in step.get("values", {}).items() if value.strip()},
        },
        "wait": _wait_of,
        "alert": lambda step: {
            "to": [line.strip() for line in step.get("to", "").splitlines() if line.strip()],
            "subject": step.get("subject", ""),
            "body": step.get("body", ""),
        },
        "webhook": _only("webhook"),
        "choose": _only(),  # its ways need their paths: see `_choose_of`
    },
)


# --- From a definition -------------------------------------------------------------------------------------------


def form_from_definition(definition: Json, names: Catalogue) -> Json:
    """A saved campaign in the structure of the form."""
    filters = [_trigger_form(trigger) for trigger in definition["triggers"]]
    late = definition["late_after_hours"]
    return {
        "triggers": builder_form.with_form_defaults({"version": 1, "match": "any", "filters": filters}),
        "audience": _audience_form(definition["audience"], names),
        "qualification": {"number": "", "unit": "", **definition["qualification"]},
        "late_after_hours": "" if late is None else str(late),
        "also_past": definition.get("also_past", False),
        "steps": [_step_form(step, names) for step in definition["steps"]],
    }


def _trigger_form(trigger: Json) -> Json:
    if "object" in trigger:
        return record_form.trigger_form(trigger)
    if "smart_list" in trigger:
        is_joined = trigger["change"] == campaign_definition.JOINED
        return {"kind": "smart_list", "list": trigger["smart_list"], "member": is_joined}
    return {"kind": "activity", "did": True, **trigger}


def _audience_form(audience: Json | None, names: Catalogue) -> Json:
    if audience is None:
        return {"kind": ALL_PEOPLE, "list": "", "text": ""}
    if "smart_list" in audience:
        return {"kind": LIST, "list": str(audience["smart_list"]), "text": ""}
    return {"kind": RULES, "list": "", "text": language.render_rules_text(rules.load_rules(audience["rules"]), names)}


def _step_form(step: Json, names: Catalogue) -> Json:
    texts: Json = {name: value if isinstance(value, dict) else str(value) for name, value in step.items()}
    return texts | STEP_FORMS[step["do"]](step, names)


def _change_field_form(step: Json, _names: Catalogue) -> Json:
    mode = "by" if step.get("by") else "to"
    return {"mode": mode, "value": step.get(mode, "")}


def _wait_form(step: Json, _names: Catalogue) -> Json:
    amount, _blank, unit = step.get("period", "").partition(" ")
    unit = unit if not unit or unit.endswith("s") else f"{unit}s"
    return {"mode": "until" if step.get("until") else "period", "amount": amount, "unit": unit}


def _choose_form(step: Json, names: Catalogue) -> Json:
    choices = [
        {**_audience_form(way["when"], names), "steps": [_step_form(inner, names) for inner in way["steps"]]}
        for way in step["choices"]
    ]
    return {"choices": choices, "otherwise": [_step_form(inner, names) for inner in step["otherwise"]]}


def _unchanged_form(_step: Json, _names: Catalogue) -> Json:
    return {}


STEP_FORMS = campaign_definition.STEPS.facet(
    "card of a saved step, besides its values as text",
    {
        "add_to_list": _unchanged_form,
        "remove_from_list": _unchanged_form,
        "change_field": _change_field_form,
        "record": _unchanged_form,
        "change_object": _unchanged_form,
        "create_object": _unchanged_form,
        "wait": _wait_form,
        "alert": lambda step, _names: {"to": "\n".join(step["to"])},
        "webhook": _unchanged_form,
        "choose": _choose_form,
    },
)


# --- Effects of the buttons ------------------------------------------------------------------------------------------


NEW_STEPS: Facet[Json] = campaign_definition.STEPS.facet(
    "initial state of a new card",
    {
        "add_to_list": {},
        "remove_from_list": {},
        "change_field": {"mode": "to"},
        "record": {},
        "change_object": {},
        "create_object": {},
        "webhook": {},
        "wait": {"mode": "period", "amount": "1", "unit": "days"},
        "alert": {},
        "choose": {"choices": [{"kind": LIST, "list": "", "text": "", "steps": []}], "otherwise": []},
    },
)


def apply_step_action(form: Json, action: str, choice: str) -> Json:
    """The form after a button of the steps: "step_add:2.0", "step_remove:2", "step_up:1", "way_add:2", …"""
    return builder_form.apply_button(form, _ACTIONS, action, choice)


def _list_at(form: Json, place: Sequence[int]) -> list[Json]:
    """The steps at a place: () is the campaign's own, (2, 0) those of the first way of the third step."""
    steps: list[Json] = form["steps"]
    for number, way in zip(place[::2], place[1::2], strict=True):
        ways = steps[number]["choices"]
        steps = ways[way]["steps"] if way < len(ways) else steps[number]["otherwise"]
    return steps


def _step_at(form: Json, place: Sequence[int]) -> tuple[list[Json], int]:
    return _list_at(form, place[:-1]), place[-1]


def _add(form: Json, place: Sequence[int], choice: str) -> None:
    _list_at(form, place).append({"do": choice, **deepcopy(NEW_STEPS[choice])})


def _remove(form: Json, place: Sequence[int], _choice: str) -> None:
    steps, number = _step_at(form, place)
    steps.pop(number)


def _move(by: int) -> Callable[[Json, Sequence[int], str], None]:
    def move(form: Json, place: Sequence[int], _choice: str) -> None:
        steps, number = _step_at(form, place)
        if 0 <= number + by < len(steps):
            steps[number], steps[number + by] = steps[number + by], steps[number]

    return move


def _add_way(form: Json, place: Sequence[int], _choice: str) -> None:
    steps, number = _step_at(form, place)
    steps[number]["choices"].append({"kind": LIST, "list": "", "text": "", "steps": []})


def _remove_way(form: Json, place: Sequence[int], _choice: str) -> None:
    steps, number = _step_at(form, place[:-1])
    steps[number]["choices"].pop(place[-1])


_ACTIONS: Mapping[str, Callable[[Json, Sequence[int], str], None]] = {
    "step_add": _add,
    "step_remove": _remove,
    "step_up": _move(-1),
    "step_down": _move(1),
    "way_add": _add_way,
    "way_remove": _remove_way,
}
