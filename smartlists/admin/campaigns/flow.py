"""The picture of a campaign on its results page: each step with the numbers of people, branches under their choice."""

from collections.abc import Mapping
from typing import Any

from smartlists.admin.campaigns.run_chips import entered_by_runs
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.definitions import sentences as campaign_sentences
from smartlists.campaigns.running import step_counts
from smartlists.catalog import Catalogue
from smartlists.models import SmartCampaign

Json = dict[str, Any]


def flow_of(campaign: SmartCampaign, names: Catalogue, webhooks: Mapping[int, str]) -> Json | None:
    """Template context of the picture; None before the first entry."""
    counted = step_counts.count_steps(campaign)
    if counted is None:
        return None
    by_path = {counts.path: counts for counts in counted.steps}
    triggers = [campaign_sentences.trigger_sentence(trigger, names) for trigger in counted.definition.triggers]
    runs, other_runs = entered_by_runs(campaign, counted.runs)
    return {
        "triggers": triggers,
        "triggered": counted.entered - sum(counted.runs.values()),
        "runs": runs,
        "other_runs": other_runs,
        "entered": counted.entered,
        "is_partial": counted.is_partial,
        "limit": step_counts.MAX_ENTRIES,
        "steps": _steps(counted.definition.steps, "", by_path, names, webhooks),
    }


def _steps(
    steps: tuple[campaign_definition.Step, ...],
    before: str,
    by_path: Mapping[str, step_counts.StepCounts],
    names: Catalogue,
    webhooks: Mapping[int, str],
) -> list[Json]:
    return [_step(step, by_path[f"{before}{number}"], by_path, names, webhooks) for number, step in enumerate(steps)]


def _step(
    step: campaign_definition.Step,
    counts: step_counts.StepCounts,
    by_path: Mapping[str, step_counts.StepCounts],
    names: Catalogue,
    webhooks: Mapping[int, str],
) -> Json:
    shown: Json = {"number": campaign_sentences.displayed_path(counts.path), "counts": counts, "branches": ()}
    shown["is_wait"] = isinstance(step, campaign_definition.Wait)
    if not isinstance(step, campaign_definition.Choose):
        return shown | {"sentence": campaign_sentences.step_sentence(step, names, webhooks)}
    labels = [campaign_sentences.audience_sentence(choice.when, names) for choice in step.choices]
    branches = campaign_definition.branches_of_choice(step)
    shown["branches"] = [
        {"label": label, "people": people, "steps": _steps(steps, f"{counts.path}.{branch}.", by_path, names, webhooks)}
        for branch, (label, people, steps) in enumerate(zip([*labels, ""], counts.branches, branches, strict=True))
    ]
    return shown | {"sentence": campaign_sentences.STEP_TITLES["choose"]}
