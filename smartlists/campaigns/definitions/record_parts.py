"""The parts of campaigns that are about object records: their triggers, and the steps that change and create them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from smartlists.rules import model as rules
from smartlists.rules.model import Change, Constraint

ADDED, CHANGED, REMOVED, DATE = "added", "changed", "removed", "date"
EVENTS = (ADDED, CHANGED, REMOVED, DATE)


@dataclass(frozen=True, slots=True)
class ObjectTrigger:
    """A record of an object type is added, changed or removed, or one of its dates is reached.

    The constraints are on the record as it is when the trigger is looked at. `changed`: which change (None: any).
    `date`: the field; it is reached `days` after it (negative: before it).
    """

    object: str
    event: str = ADDED
    constraints: tuple[Constraint, ...] = ()
    changed: Change | None = None
    date: str = ""
    days: int = 0

    @property
    def filter(self) -> rules.Object:
        """The trigger as a filter on records of its type, without the conditions on the event."""
        return rules.Object(self.object, constraints=self.constraints)

    @property
    def named_fields(self) -> tuple[str, ...]:
        """The fields of the object type that the trigger names."""
        changed = self.changed.field if self.changed else ""
        return tuple(filter(None, (*(item.field for item in self.constraints), changed, self.date)))


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """Give a field of the record that triggered another value (`to`, with tokens; empty: none)."""

    type: str
    field: str
    to: str = ""


@dataclass(frozen=True, slots=True)
class CreateRecord:
    """Create a record that belongs to the person; values by API name, with tokens."""

    type: str
    values: tuple[tuple[str, str], ...] = ()


def dump_object_trigger(trigger: ObjectTrigger) -> dict[str, Any]:
    """The JSON form; `load_object_trigger` returns an equal trigger."""
    form = rules.dump_filter(rules.Object(trigger.object, True, trigger.constraints, trigger.changed))
    parts = {name: form[name] for name in ("constraints", "changed") if name in form}
    plain = {part.name: getattr(trigger, part.name) for part in fields(trigger) if part.name not in parts}
    return {name: value for name, value in plain.items() if value not in ((), None, "", 0)} | parts


def load_object_trigger(form: Mapping[str, Any]) -> ObjectTrigger:
    """Create a trigger from the output of `dump_object_trigger`, without checks."""
    parts = {name: form[name] for name in ("constraints", "changed") if name in form}
    card = {"kind": "object", "type": form["object"], **parts}
    (item,) = rules.load_rules({"match": "all", "filters": [card]}).filters
    return ObjectTrigger(**{**form, "constraints": item.constraints, "changed": item.changed})  # type: ignore[union-attr]
