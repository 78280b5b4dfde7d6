"""Counts the tries of a campaign's run, and stores the reason of a failure."""

from django.db import transaction
from django.utils import timezone

from people.core import job_model
from smartlists.models import CampaignRun
from smartlists.models.campaigns import Reading


@transaction.atomic
def count_try(run_id: int) -> bool:
    """Count a try of beginning a scheduled run, before the try: a try that kills its worker counts, too.

    Return False if there is nothing to begin, or after too many tries; the run has failed then.
    """
    with CampaignRun.claimed(run_id) as run:
        if run is None or run.state != CampaignRun.State.SCHEDULED:
            return False
        if run.tries >= job_model.MAX_TRIES:
            run.leave(CampaignRun.State.FAILED, problem=run.problem or job_model.lost_worker_reason(run.tries))
            return False
        run.beat(tries=run.tries + 1)
        return True


@transaction.atomic
def fail_run(run_id: int, error: Exception) -> None:
    """End the run as failed because of `error`."""
    with CampaignRun.claimed(run_id) as run:
        if run is not None:
            run.leave(CampaignRun.State.FAILED, problem=job_model.failure_reason(error, run.tries))


@transaction.atomic
def note_failed_try(run_id: int, error: Exception, *, is_counted: bool = False) -> bool:
    """Store the error of a part, to be tried again; return True if this was the last try and the run has failed."""
    with CampaignRun.claimed(run_id) as run:
        if run is None:
            return False
        tries = run.tries + (not is_counted)
        problem = job_model.failure_reason(error, tries)
        if tries >= job_model.MAX_TRIES:
            return run.leave(CampaignRun.State.FAILED, problem=problem, tries=tries)
        run.beat(problem=problem, tries=tries, due_at=timezone.now() + Reading.PAUSE * tries)
        return False
