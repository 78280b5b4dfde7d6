"""Problems of a campaign: its triggers, its audience and its choices."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from people.core.codes import Code
from people.core.errors import NotAllowedError, Path, Problem, RejectedError
from people.core.messages import unpack_sentences
from people.core.permissions import require_permission
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns.definitions import effect_rights
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.definitions import parsing as campaign_parsing
from smartlists.campaigns.definitions.sentences import displayed_path
from smartlists.campaigns.entries.failing_steps import count_waiting_people
from smartlists.catalog import Catalogue
from smartlists.lists.diagnostics import rules_problems
from smartlists.models import CampaignBacklog, FailingStep, ListWatch, ObjectWatch, SmartCampaign


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
    of_activities = _(
        "This campaign's triggers are failing: %(problem)s We keep trying; what they haven't read yet is kept."
    )
    of_lists = _(
        "The changes of the smart list %(list)s can't be read: %(problem)s We keep trying; "
        "people who join and leave the list meanwhile don't enter."
    )
    backlogs = CampaignBacklog.objects.filter(campaign=campaign, tries__gt=0).values_list("problem")
    watches = ListWatch.objects.filter(campaign=campaign, tries__gt=0).order_by("pk")
    of_objects = ObjectWatch.objects.filter(Q(tries__gt=0) | Q(dates__tries__gt=0), campaign=campaign)
    failing = [*backlogs, *of_objects.values_list("problem", "dates__problem")]
    sentences = [of_activities % {"problem": unpack_sentences(one)} for row in failing for one in row if one]
    sentences += [
        of_lists % {"list": name, "problem": unpack_sentences(problem)}
        for name, problem in watches.values_list("smart_list__name", "problem")
    ]
    return [Problem(Code.TRIGGERS_FAIL, sentence, ("triggers",)) for sentence in sentences]


def step_problems(campaign: SmartCampaign) -> list[Problem]:
    """The steps that raised an error when they were tried last, with the number of people who wait there."""
    problems = []
    for step in FailingStep.objects.filter(campaign=campaign, tries__gt=0).order_by("pk"):
        count = count_waiting_people(step)
        message = ngettext(
            "Step %(step)s is failing: %(problem)s We keep trying; %(count)s person waits there until it works.",
            "Step %(step)s is failing: %(problem)s We keep trying; %(count)s people wait there until it works.",
            count,
        )
        parameters = {"step": displayed_path(step.path), "problem": unpack_sentences(step.problem), "count": count}
        problems.append(Problem(Code.STEP_FAILS, message % parameters, ("steps",)))
    return problems


def failing_problems(campaign: SmartCampaign) -> list[Problem]:
    """The triggers and steps that failed at their last try and are tried again."""
    return [*trigger_problems(campaign), *step_problems(campaign)]


def activation_reasons(campaign: SmartCampaign, by: Any, names: Catalogue) -> list[Problem]:
    """All problems for which `lifecycle.activate_campaign` would refuse `by` the campaign as it is saved.

    Problems of steps that `by` may not do by hand are at each of these steps.
    """
    problems: list[Problem] = []
    try:
        require_permission(by, campaign_lifecycle.ACTIVATE)
    except NotAllowedError as refusal:
        problems += refusal.problems
    try:
        campaign_lifecycle.require_campaign_state(campaign, SmartCampaign.State.DRAFT, SmartCampaign.State.PAUSED)
    except RejectedError as refusal:
        problems += refusal.problems
    try:
        parsed = campaign_parsing.parse_definition(campaign.definition, names)
    except RejectedError as refusal:
        return [*problems, *refusal.problems]
    return [*problems, *definition_reasons(parsed, by)]


def definition_reasons(parsed: campaign_definition.CampaignDefinition, by: Any) -> list[Problem]:
    """The problems that prevent `by` from activating a definition."""
    lacking_rights = effect_rights.missing_effect_rights(parsed, by)
    return [*campaign_lifecycle.activation_problems(parsed), *lacking_rights]


def _ways(steps: Sequence[campaign_definition.Step], path: Path) -> Iterator[tuple[campaign_definition.Audience, Path]]:
    for at, step in enumerate(steps):
        if not isinstance(step, campaign_definition.Choose):
            continue
        for number, choice in enumerate(step.choices):
            way_path = (*path, at, "choices", number)
            yield choice.when, (*way_path, "when")
            yield from _ways(choice.steps, (*way_path, "steps"))
        yield from _ways(step.otherwise, (*path, at, "otherwise"))
