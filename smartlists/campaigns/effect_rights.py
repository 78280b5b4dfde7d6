"""The rights that a campaign's steps need: those of whoever did by hand what the steps do."""

from collections.abc import Mapping
from typing import Any

from people.core.permissions import require
from people.lists import static_lists
from smartlists.campaigns import definition as campaign_definition
from smartlists.campaigns.definition import Definition

# one entry a kind of step; a message takes values of people out of the product
RIGHTS: Mapping[type, tuple[str, ...]] = {
    campaign_definition.AddToList: (static_lists.CHANGE,),
    campaign_definition.RemoveFromList: (static_lists.CHANGE,),
    campaign_definition.ChangeField: ("people.change_person",),
    campaign_definition.Record: ("activities.record_activity",),
    campaign_definition.Wait: (),
    campaign_definition.Choose: (),
    campaign_definition.Alert: ("people.view_person",),
    campaign_definition.CallWebhook: ("people.view_person", "smartlists.view_webhook"),
}


def require_effects(parsed: Definition, by: Any) -> None:
    """Raise `NotAllowed`, naming the right, unless `by` may do by hand what every step does."""
    needed = {right for _path, step in campaign_definition.walk(parsed.steps) for right in RIGHTS[type(step)]}
    for right in sorted(needed):
        require(by, right)
