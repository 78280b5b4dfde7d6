"""Problems of a campaign: its triggers, its audience and its choices."""

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Path, Problem
from people.core.messages import unpack_sentences
from smartlists.campaigns import definition as campaign_definition
from smartlists.catalog import Catalogue
from smartlists.lists.diagnostics import rules_problems
from smartlists.models import CampaignBacklog, ListWatch, SmartCampaign


def campaign_problems(definition: campaign_definition.CampaignDefinition, names: Catalogue) -> list[Problem]:
    """The problems of the rules of a campaign's audience and of its choices."""
    audiences = [(definition.audience, ("audience",)), *_ways(definition.steps, ("steps",))]
    return [
        problem
        for audience, path in audiences
        for problem in rules_problems(audience.effective_rules, names, (*path, "rules"))
    ]


def trigger_problems(campaign: SmartCampaign) -> list[Problem]:
    """The errors that the campaign's triggers raised when they were tried last."""
    message = _(
        "The triggers of this campaign fail: %(problem)s They are tried again; what they have not read is kept."
    )
    backlogs, watches = (
        model.objects.filter(campaign=campaign, tries__gt=0).values_list("problem", flat=True)
        for model in (CampaignBacklog, ListWatch)
    )
    return [
        Problem(Code.TRIGGERS_FAIL, message % {"problem": unpack_sentences(problem)}, ("triggers",))
        for problem in backlogs.union(watches)
    ]


def _ways(steps: Sequence[campaign_definition.Step], path: Path) -> Iterator[tuple[campaign_definition.Audience, Path]]:
    for at, step in enumerate(steps):
        if not isinstance(step, campaign_definition.Choose):
            continue
        for number, choice in enumerate(step.choices):
            way_path = (*path, at, "choices", number)
            yield choice.when, (*way_path, "when")
            yield from _ways(choice.steps, (*way_path, "steps"))
        yield from _ways(step.otherwise, (*path, at, "otherwise"))
