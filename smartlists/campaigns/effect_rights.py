"""The permissions that a campaign's steps need: the same as for doing these steps by hand."""

from typing import Any

from activities.rights import RECORD_ACTIVITY
from people.core.permissions import require_permission
from people.lists import static_lists
from people.objects import records
from people.rights import CHANGE_PERSON, VIEW_PERSON
from smartlists.campaigns import definition as campaign_definition
from smartlists.campaigns.definition import CampaignDefinition
from smartlists.campaigns.references import tokens_in_definition
from smartlists.rights import VIEW_WEBHOOK

# one entry per kind of step; messages and calls send values of people out of the product
RIGHTS = campaign_definition.STEPS.facet(
    "rights of what it does",
    {
        "add_to_list": (static_lists.CHANGE,),
        "remove_from_list": (static_lists.CHANGE,),
        "change_field": (CHANGE_PERSON,),
        "record": (RECORD_ACTIVITY,),
        "change_object": (records.CHANGE,),
        "create_object": (records.ADD,),
        "wait": (),
        "choose": (),
        "alert": (VIEW_PERSON,),
        "webhook": (VIEW_PERSON, VIEW_WEBHOOK),
    },
)


def require_effect_rights(parsed: CampaignDefinition, by: Any) -> None:
    """Raise `NotAllowedError`, naming the permission, unless `by` may do every step by hand."""
    needed = {right for _path, step in campaign_definition.walk_steps(parsed.steps) for right in RIGHTS.of(step)}
    if any(token.source == "object" for token in tokens_in_definition(parsed)):
        needed.add(records.VIEW)
    for right in sorted(needed):
        require_permission(by, right)
