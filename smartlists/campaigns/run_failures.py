"""How often a part of a campaign's run is tried, and what is kept of one that fails."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from people.core import job_model
from smartlists.models import CampaignRun

PAUSE = timedelta(minutes=1)  # after the first failed try; after the second twice as long, and so on


@transaction.atomic
def take_try(run_id: int) -> bool:
    """Count a try of beginning a scheduled run, before it is made: one that kills its worker counts, too.

    False when there is nothing to begin, or it was tried too often; the run has failed then.
    """
    with CampaignRun.claimed(run_id) as run:
        if run is None or run.state != CampaignRun.State.SCHEDULED:
            return False
        if run.tries >= job_model.MAX_TRIES:
            run.leave(CampaignRun.State.FAILED, problem=run.problem or job_model.no_answer(run.tries))
            return False
        run.beat(tries=run.tries + 1)
        return True


@transaction.atomic
def end(run_id: int, error: Exception) -> None:
    """The run cannot be done, because of `error`."""
    with CampaignRun.claimed(run_id) as run:
        if run is not None:
            run.leave(CampaignRun.State.FAILED, problem=job_model.reason_of(error, run.tries))


@transaction.atomic
def note(run_id: int, error: Exception, *, is_counted: bool = False) -> bool:
    """Keep why a part failed, to be tried later; whether the run has failed, as this was the last try."""
    with CampaignRun.claimed(run_id) as run:
        if run is None:
            return False
        tries = run.tries + (not is_counted)
        problem = job_model.reason_of(error, tries)
        if tries >= job_model.MAX_TRIES:
            return run.leave(CampaignRun.State.FAILED, problem=problem, tries=tries)
        run.beat(problem=problem, tries=tries, due_at=timezone.now() + PAUSE * tries)
        return False
