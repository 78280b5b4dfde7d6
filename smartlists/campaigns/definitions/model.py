"""The definition of a smart campaign: frozen dataclasses and their JSON form, version 1.

`definitions.parsing.parse_definition` checks everything and reports every problem with its path; `load_definition`
trusts the output of `dump_definition`. Triggers use the constraints of smart lists, audiences and choices use their
rules.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from people.core.kinds import Kinds
from smartlists.campaigns.definitions.record_parts import (
    ChangeRecord,
    CreateRecord,
    ObjectTrigger,
    dump_object_trigger,
    load_object_trigger,
)
from smartlists.rules import model as rules
from smartlists.rules.model import Constraint, Rules

VERSION = 1
JOINED, LEFT = "joined", "left"
ONCE, EVERY, WITHIN = "once", "every time", "once in"
UNITS: Mapping[str, timedelta] = {
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
    "weeks": timedelta(weeks=1),
    "months": timedelta(days=30),  # rolling, as Marketo counts them
}
LATE_AFTER_HOURS = 24


@dataclass(frozen=True, slots=True)
class ActivityTrigger:
    """A person does something: an activity of the type that satisfies all constraints."""

    type: str
    constraints: tuple[Constraint, ...] = ()
    bots: str = rules.INCLUDE_BOTS

    @property
    def row_constraints(self) -> tuple[Constraint, ...]:
        """The constraints on an activity, including that on bots."""
        return rules.with_bots(self.constraints, self.bots)


@dataclass(frozen=True, slots=True)
class ListTrigger:
    """A person joins or leaves a smart list, as found by its evaluations."""

    smart_list: int
    change: str = JOINED


@dataclass(frozen=True, slots=True)
class Audience:
    """The people who may enter: at that moment members of a smart list or satisfying rules; without either, all."""

    smart_list: int | None = None
    rules: Rules | None = None

    @property
    def is_unrestricted(self) -> bool:
        return self.smart_list is None and self.rules is None

    @property
    def effective_rules(self) -> Rules:
        """The rules that a person has to satisfy."""
        if self.smart_list is not None:
            return Rules(filters=(rules.SmartList(self.smart_list),))
        return self.rules or Rules()


@dataclass(frozen=True, slots=True)
class Qualification:
    """The frequency of entry for a person: once, every time, or once in a period that rolls from the last entry."""

    how: str = ONCE
    number: int = 0
    unit: str = ""

    def allows(self, last: datetime | None, now: datetime) -> bool:
        """True if a person whose last entry was at `last` (None: never) may enter at `now`."""
        if last is None or self.how == EVERY:
            return True
        return self.how == WITHIN and now - last >= self.number * UNITS[self.unit]


@dataclass(frozen=True, slots=True)
class AddToList:
    list: int


@dataclass(frozen=True, slots=True)
class RemoveFromList:
    list: int


@dataclass(frozen=True, slots=True)
class ChangeField:
    """Give a person field another value (`to`, with tokens; empty: none) or add `by` to a number."""

    field: str
    to: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class RecordActivity:
    """Record another activity, now; values may have tokens."""

    type: str
    primary: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for "3 days", or until a moment: a date, or one token of a date."""

    period: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class SendAlert:
    """An e-mail to users and to addresses of the allowed domains."""

    to: tuple[str, ...]
    subject: str
    body: str = ""


@dataclass(frozen=True, slots=True)
class CallWebhook:
    webhook: int


@dataclass(frozen=True, slots=True)
class ChoiceBranch:
    """One branch of a choice: its condition, and the steps of the people who take it."""

    when: Audience
    steps: tuple["Step", ...] = ()


@dataclass(frozen=True, slots=True)
class Choose:
    """Take the first choice that a person satisfies, else `otherwise`; then continue with the next step."""

    choices: tuple[ChoiceBranch, ...]
    otherwise: tuple["Step", ...] = ()


Trigger = ActivityTrigger | ListTrigger | ObjectTrigger
Step = (
    AddToList
    | RemoveFromList
    | ChangeField
    | RecordActivity
    | ChangeRecord
    | CreateRecord
    | Wait
    | SendAlert
    | CallWebhook
    | Choose
)

STEPS = Kinds(
    {
        "add_to_list": AddToList,
        "remove_from_list": RemoveFromList,
        "change_field": ChangeField,
        "record": RecordActivity,
        "change_object": ChangeRecord,
        "create_object": CreateRecord,
        "wait": Wait,
        "alert": SendAlert,
        "webhook": CallWebhook,
        "choose": Choose,
    }
)


@dataclass(frozen=True, slots=True)
class CampaignDefinition:
    """A complete campaign. Triggers are or-ed.

    Nothing fires for the past unless `also_past`: for what was recorded as back-fill, or more than `late_after_hours`
    after it happened (None: however late).
    """

    triggers: tuple[Trigger, ...] = ()
    audience: Audience = Audience()
    qualification: Qualification = Qualification()
    steps: tuple[Step, ...] = ()
    late_after_hours: int | None = LATE_AFTER_HOURS
    also_past: bool = False

    @property
    def activity_triggers(self) -> list[tuple[int, ActivityTrigger]]:
        return [(at, trigger) for at, trigger in enumerate(self.triggers) if isinstance(trigger, ActivityTrigger)]

    @property
    def list_triggers(self) -> list[tuple[int, ListTrigger]]:
        return [(at, trigger) for at, trigger in enumerate(self.triggers) if isinstance(trigger, ListTrigger)]

    @property
    def object_triggers(self) -> list[tuple[int, ObjectTrigger]]:
        return [(at, trigger) for at, trigger in enumerate(self.triggers) if isinstance(trigger, ObjectTrigger)]


# --- JSON -----------------------------------------------------------------------------------------------------


def dump_definition(definition: CampaignDefinition) -> dict[str, Any]:
    """The JSON form; `load_definition` returns an equal definition."""
    return {
        "version": VERSION,
        "triggers": [_dump_trigger(trigger) for trigger in definition.triggers],
        "audience": _dump_audience(definition.audience),
        "qualification": _fields_of(definition.qualification),
        "late_after_hours": definition.late_after_hours,
        **({"also_past": True} if definition.also_past else {}),  # an earlier version does not support it
        "steps": [dump_step(step) for step in definition.steps],
    }


def dump_step(step: Step) -> dict[str, Any]:
    """The JSON form of one step."""
    form: dict[str, Any] = {"do": STEPS.name_of(step)}
    if isinstance(step, Choose):
        choices = [
            {"when": _dump_audience(choice.when), "steps": [dump_step(inner) for inner in choice.steps]}
            for choice in step.choices
        ]
        return form | {"choices": choices, "otherwise": [dump_step(inner) for inner in step.otherwise]}
    plain = _fields_of(step)
    if isinstance(step, RecordActivity):
        plain["attributes"] = dict(step.attributes)
    if isinstance(step, CreateRecord):
        plain["values"] = dict(step.values)
    return form | plain


def _dump_trigger(trigger: Trigger) -> dict[str, Any]:
    if isinstance(trigger, ObjectTrigger):
        return dump_object_trigger(trigger)
    if isinstance(trigger, ListTrigger):
        return _fields_of(trigger)
    form = rules.dump_filter(rules.Activity(trigger.type, constraints=trigger.constraints, bots=trigger.bots))
    members = {name: value for name, value in form.items() if name not in ("kind", "did")}
    return {"constraints": [], **members}


def _dump_audience(audience: Audience) -> dict[str, Any] | None:
    if audience.smart_list is not None:
        return {"smart_list": audience.smart_list}
    return None if audience.rules is None else {"rules": rules.dump_rules(audience.rules)}


def _fields_of(item: Any) -> dict[str, Any]:
    values = {part.name: getattr(item, part.name) for part in fields(item)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value not in ("", ()) or name in ("to", "subject")
    }


def load_definition(stored: Mapping[str, Any]) -> CampaignDefinition:
    """Create a definition from the output of `dump_definition`, without checks."""
    return CampaignDefinition(
        tuple(_load_trigger(form) for form in stored["triggers"]),
        _load_audience(stored["audience"]),
        Qualification(**stored["qualification"]),
        tuple(_load_step(form) for form in stored["steps"]),
        stored["late_after_hours"],
        stored.get("also_past", False),
    )


def _load_trigger(form: Mapping[str, Any]) -> Trigger:
    if "object" in form:
        return load_object_trigger(form)
    if "smart_list" in form:
        return ListTrigger(**form)
    (item,) = rules.load_rules({"match": "all", "filters": [{"kind": "activity", "did": True, **form}]}).filters
    return ActivityTrigger(form["type"], item.constraints, item.bots)  # type: ignore[union-attr]


def _load_audience(form: Mapping[str, Any] | None) -> Audience:
    if form is None:
        return Audience()
    return Audience(form.get("smart_list"), rules.load_rules(form["rules"]) if "rules" in form else None)


def _load_step(form: Mapping[str, Any]) -> Step:
    values = {name: value for name, value in form.items() if name != "do"}
    if form["do"] == "choose":
        choices = tuple(
            ChoiceBranch(_load_audience(choice["when"]), tuple(_load_step(inner) for inner in choice["steps"]))
            for choice in values["choices"]
        )
        return Choose(choices, tuple(_load_step(inner) for inner in values["otherwise"]))
    if form["do"] == "record":
        values["attributes"] = tuple(values.get("attributes", {}).items())
    if form["do"] == "create_object":
        values["values"] = tuple(values.get("values", {}).items())
    if form["do"] == "alert":
        values["to"] = tuple(values["to"])
    return STEPS.classes[form["do"]](**values)


# --- Paths ----------------------------------------------------------------------------------------------------
# A path identifies a step: "2" is the third step. If that is a choice, "2.0.1" is the second step of its first way.
# `otherwise` counts as the last way.


def branches_of_choice(step: Choose) -> list[tuple[Step, ...]]:
    """The steps of every choice, those of `otherwise` last."""
    return [*(choice.steps for choice in step.choices), step.otherwise]


def step_at(steps: Sequence[Step], path: str) -> Step:
    """The step at `path`. Raises IndexError when there is none."""
    first, _dot, rest = path.partition(".")
    step = steps[int(first)]
    if not rest:
        return step
    branch, _dot, rest = rest.partition(".")
    return step_at(branches_of_choice(step)[int(branch)], rest)  # type: ignore[arg-type]


def following_path(steps: Sequence[Step], path: str) -> str:
    """The path of the step after the one at `path`; empty at the end of the campaign."""
    parts = [int(part) for part in path.split(".")]
    while parts:
        inside: Sequence[Step] = steps
        for number, branch in zip(parts[:-1:2], parts[1::2], strict=False):
            inside = branches_of_choice(inside[number])[branch]  # type: ignore[arg-type]
        if parts[-1] + 1 < len(inside):
            return ".".join(map(str, [*parts[:-1], parts[-1] + 1]))
        parts = parts[:-2]
    return ""


def path_after_choice(steps: Sequence[Step], path: str, branch: int) -> str:
    """The path of the next step after taking the `branch`-th way of the choice at `path`."""
    step = step_at(steps, path)
    return f"{path}.{branch}.0" if branches_of_choice(step)[branch] else following_path(steps, path)  # type: ignore[arg-type]


def walk_steps(steps: Sequence[Step], before: str = "") -> Iterator[tuple[str, Step]]:
    """Yield every step with its path, in the order of display."""
    for number, step in enumerate(steps):
        path = f"{before}{number}"
        yield path, step
        if isinstance(step, Choose):
            for branch, inner in enumerate(branches_of_choice(step)):
                yield from walk_steps(inner, f"{path}.{branch}.")


def problem_path(steps: Sequence[Step], path: str) -> tuple[str | int, ...]:
    """The place of the step at `path` in the JSON form: "2.0.1" is ("steps", 2, "choices", 0, "steps", 1)."""
    parts = [int(part) for part in path.split(".")]
    place: list[str | int] = ["steps", parts[0]]
    inside: Sequence[Step] = steps
    for number, branch, within in zip(parts[:-1:2], parts[1::2], parts[2::2], strict=True):
        choice = inside[number]
        is_otherwise = branch == len(choice.choices)  # type: ignore[union-attr]
        place += ["otherwise", within] if is_otherwise else ["choices", branch, "steps", within]
        inside = branches_of_choice(choice)[branch]  # type: ignore[arg-type]
    return tuple(place)
