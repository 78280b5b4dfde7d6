"""The rights that a campaign's steps need: those of whoever did by hand what the steps do."""

from typing import Any

from people.core.permissions import require
from people.lists import static_lists
from smartlists.campaigns import definition as campaign_definition
from smartlists.campaigns.definition import Definition

# one entry a kind of step; a message takes values of people out of the product
RIGHTS = campaign_definition.STEPS.facet(
    "rights of what it does",
    {
        "add_to_list": (static_lists.CHANGE,),
        "remove_from_list": (static_lists.CHANGE,),
        "change_field": ("people.change_person",),
        "record": ("activities.record_activity",),
        "wait": (),
        "choose": (),
        "alert": ("people.view_person",),
        "webhook": ("people.view_person", "smartlists.view_webhook"),
    },
)


def require_effects(parsed: Definition, by: Any) -> None:
    """Raise `NotAllowedError`, naming the right, unless `by` may do by hand what every step does."""
    needed = {right for _path, step in campaign_definition.walk(parsed.steps) for right in RIGHTS.of(step)}
    for right in sorted(needed):
        require(by, right)
