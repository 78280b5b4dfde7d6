"""Runs of a campaign on its pages: the chip of the head, and the cards above the first step."""

from collections.abc import Mapping

from django.utils.translation import gettext as _

from smartlists.campaigns.running import runs as campaign_runs
from smartlists.models import CampaignRun, SmartCampaign

RunState = CampaignRun.State
MOST_RUNS = 5  # the latest ones are named; the others are one number


def chip_of_run(run: CampaignRun) -> str:
    """The state of a campaign that runs by hand only, by its latest run."""
    if run.state in (RunState.CANCELLED, RunState.FAILED, RunState.SCHEDULED):
        return {
            RunState.CANCELLED: _("Run once, cancelled"),
            RunState.FAILED: _("Run once, failed"),
            RunState.SCHEDULED: _("Run once, scheduled"),
        }[RunState(run.state)]
    return _("Run once, in progress") if campaign_runs.is_in_progress(run) else _("Run once, finished")


def entered_by_runs(campaign: SmartCampaign, counts: Mapping[int, int]) -> tuple[list[tuple[CampaignRun, int]], int]:
    """The latest runs among `counts` (people by the id of their run), newest first, and the people of all others."""
    latest = sorted(counts, reverse=True)[:MOST_RUNS]
    runs = campaign.runs.select_related("smart_list", "requested_by").defer("members").in_bulk(latest)
    named = [(runs[pk], counts[pk]) for pk in latest if pk in runs]
    return named, sum(counts.values()) - sum(count for _run, count in named)
