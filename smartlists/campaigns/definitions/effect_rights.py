"""The permissions that a campaign's steps need: the same as for doing these steps by hand."""

from collections.abc import Iterator
from typing import Any

from activities.rights import RECORD_ACTIVITY, VIEW_ACTIVITY
from people.core.errors import NotAllowedError, Problem
from people.core.permissions import require_permission
from people.lists import static_lists
from people.objects import records
from people.rights import CHANGE_PERSON, VIEW_PERSON
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.definitions.model import CampaignDefinition, Step
from smartlists.campaigns.definitions.references import STEP_TEXTS
from smartlists.rights import SEND_BY_WEBHOOK
from smartlists.webhooks import tokens as webhook_tokens

# one entry per kind of step; messages and calls send values of people and activities out of the product
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
        "webhook": SEND_BY_WEBHOOK,
    },
)
# by the source of a token in the texts of a step
TOKEN_RIGHTS = {"object": records.VIEW, "trigger": VIEW_ACTIVITY}


def require_effect_rights(parsed: CampaignDefinition, by: Any) -> None:
    """Raise `NotAllowedError`, naming the permission, unless `by` may do every step by hand."""
    for right in sorted({right for _path, right in _needed_rights(parsed)}):
        require_permission(by, right)


def missing_effect_rights(parsed: CampaignDefinition, by: Any) -> list[Problem]:
    """The problems of `require_effect_rights`, each at every step that needs what `by` lacks."""
    problems = []
    for path, right in _needed_rights(parsed):
        try:
            require_permission(by, right)
        except NotAllowedError as refusal:
            (problem,) = refusal.problems
            place = campaign_definition.problem_path(parsed.steps, path)
            problems.append(Problem(problem.code, problem.message, place, problem.expected))
    return problems


def _needed_rights(parsed: CampaignDefinition) -> Iterator[tuple[str, str]]:
    """The path of each step with each right that it needs."""
    for path, step in campaign_definition.walk_steps(parsed.steps):
        for right in (*RIGHTS.of(step), *sorted(_token_rights(step))):
            yield path, right


def _token_rights(step: Step) -> set[str]:
    sources = {token.source for text in STEP_TEXTS.of(step)(step) for token in webhook_tokens.tokens_in_text(text)}
    return {TOKEN_RIGHTS[source] for source in sources & set(TOKEN_RIGHTS)}
