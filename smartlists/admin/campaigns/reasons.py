"""The reasons that prevent the activation of a campaign, each with a link to the card that mends it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Path, Problem
from smartlists.campaigns.definitions.sentences import displayed_path
from smartlists.models import SmartCampaign

ANCHORS = {"triggers": "triggers", "steps": "steps", "audience": "audience", "qualification": "audience"}
VALUES = ("value", "values")
FLOW = "admin:smartlists_smartcampaign_change"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason; `address` is empty where no card of the builder can mend it."""

    text: str
    address: str


def link_reasons(
    problems: Sequence[Problem], definition: Mapping[str, Any], campaign: SmartCampaign | None = None
) -> list[Reason]:
    """The problems of `definition` in the JSON form, with links within the builder's page, or to that of `campaign`."""
    page = reverse(FLOW, args=[campaign.pk]) if campaign else ""
    reasons = []
    for problem in problems:
        anchor, text = _anchor_and_text(problem, definition)
        reasons.append(Reason(text, f"{page}#{anchor}" if anchor else ""))
    return list(dict.fromkeys(reasons))


def _anchor_and_text(problem: Problem, definition: Mapping[str, Any]) -> tuple[str, str]:
    part, text = str(problem.path[0]) if problem.path else "", _text(problem)
    if part == "steps" and len(problem.path) > 1:
        place = _step_place(problem.path, definition)
        text = _("Step %(step)s: %(problem)s") % {"step": displayed_path(place), "problem": text}
        return f"step-{place}", text
    if part == "triggers" and len(problem.path) > 1:
        number = int(problem.path[1]) + 1
        return f"card-{number}", _("Trigger %(number)s: %(problem)s") % {"number": number, "problem": text}
    return ANCHORS.get(part, ""), text


def _text(problem: Problem) -> str:
    """The sentence of the problem; of a value that is only missing there is nothing that came to be named."""
    place = next((part for part in reversed(problem.path) if isinstance(part, str)), "")
    is_empty = problem.code == Code.MISSING_VALUE and place in VALUES
    return _("fill in the value") if is_empty else str(problem.message)


def _step_place(path: Path, definition: Mapping[str, Any]) -> str:
    """The place of the innermost step on `path`: ("steps", 2, "choices", 0, "steps", 1, "list") is "2.0.1"."""
    place: list[int] = []
    steps: Sequence[Any] = definition.get("steps", ())
    parts = list(path[1:])
    while parts and isinstance(parts[0], int):
        number = int(parts.pop(0))
        place.append(number)
        step = steps[number] if number < len(steps) else {}
        if parts[:1] == ["otherwise"] and len(parts) > 1:
            branch, steps, parts = len(step.get("choices", ())), step.get("otherwise", ()), parts[1:]
        elif parts[:1] == ["choices"] and parts[2:3] == ["steps"] and len(parts) > 3:
            branch, parts = int(parts[1]), parts[3:]
            steps = step["choices"][branch].get("steps", ()) if branch < len(step.get("choices", ())) else ()
        else:
            break
        place.append(branch)
    return ".".join(map(str, place))
