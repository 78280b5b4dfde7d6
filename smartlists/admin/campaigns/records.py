"""The form of triggers on object records: the parts of a posted card besides those of a filter on objects."""

from collections.abc import Sequence
from typing import Any

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from smartlists.admin.builder.form import MAX_STEPS_OF_A_PATH
from smartlists.admin.builder.posted import posted_nodes, posted_text
from smartlists.campaigns.definitions.record_parts import ADDED, CHANGED, DATE, REMOVED

Json = dict[str, Any]
BEFORE, AFTER = "before", "after"
EVENTS: Sequence[tuple[str, str | Promise]] = (
    (ADDED, gettext_lazy("is added")),
    (CHANGED, gettext_lazy("changes")),
    (REMOVED, gettext_lazy("is deleted")),
    (DATE, gettext_lazy("reaches a date")),
)
DIRECTIONS: Sequence[tuple[str, str | Promise]] = (
    (BEFORE, gettext_lazy("days before")),
    (AFTER, gettext_lazy("days after")),
)


def with_posted_events(triggers: Json, post: QueryDict) -> Json:
    """The triggers with the events of their posted cards on objects, unchecked."""
    for rule, node in zip(triggers["filters"], posted_nodes(post, "filters", MAX_STEPS_OF_A_PATH, list), strict=True):
        if rule["kind"] == "object":
            rule |= {name: posted_text(node, name) for name in ("event", "date", "days", "direction")}
    return triggers


def trigger_of(item: Json) -> Json:
    """The JSON form of a card's trigger."""
    event = item.get("event") or ADDED
    trigger: Json = {"object": item["type"], "event": event, "constraints": item["constraints"]}
    if event == CHANGED and "changed" in item:
        trigger["changed"] = {name: value for name, value in item["changed"].items() if name in ("field", "from", "to")}
    if event == DATE:
        days = item.get("days") or "0"
        sign = "-" if item.get("direction", BEFORE) == BEFORE and days != "0" else ""
        trigger |= {"date": item.get("date", ""), "days": f"{sign}{days}"}
    return trigger


def trigger_form(trigger: Json) -> Json:
    """The card of a saved trigger."""
    days = trigger.get("days", 0)
    card = {
        "kind": "object",
        "has": True,
        "type": trigger["object"],
        "event": trigger["event"],
        "date": trigger.get("date", ""),
        "days": str(abs(days)),
        "direction": AFTER if days > 0 else BEFORE,
        "constraints": trigger.get("constraints", []),
    }
    return card | ({"changed": trigger["changed"]} if "changed" in trigger else {})
