"""What is wrong with a campaign's triggers, audience and steps."""

from collections.abc import Iterator, Sequence

from people.core.errors import Path, Problem
from smartlists.campaigns import definition as campaign_definition
from smartlists.catalog import Catalogue
from smartlists.lists.diagnostics import of_rules


def of_campaign(definition: campaign_definition.Definition, names: Catalogue) -> list[Problem]:
    """What is wrong with the rules that say who enters a campaign and which way somebody goes."""
    asked = [(definition.audience, ("audience",)), *_ways(definition.steps, ("steps",))]
    return [problem for who, path in asked for problem in of_rules(who.wanted, names, (*path, "rules"))]


def _ways(steps: Sequence[campaign_definition.Step], path: Path) -> Iterator[tuple[campaign_definition.Audience, Path]]:
    for at, step in enumerate(steps):
        if not isinstance(step, campaign_definition.Choose):
            continue
        for number, choice in enumerate(step.choices):
            here = (*path, at, "choices", number)
            yield choice.when, (*here, "when")
            yield from _ways(choice.steps, (*here, "steps"))
        yield from _ways(step.otherwise, (*path, at, "otherwise"))
