"""Problems of a campaign's audience and choices."""

from collections.abc import Iterator, Sequence

from people.core.errors import Path, Problem
from smartlists.campaigns import definition as campaign_definition
from smartlists.catalog import Catalogue
from smartlists.lists.diagnostics import rules_problems


def campaign_problems(definition: campaign_definition.CampaignDefinition, names: Catalogue) -> list[Problem]:
    """The problems of the rules of a campaign's audience and of its choices."""
    audiences = [(definition.audience, ("audience",)), *_ways(definition.steps, ("steps",))]
    return [
        problem
        for audience, path in audiences
        for problem in rules_problems(audience.effective_rules, names, (*path, "rules"))
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
