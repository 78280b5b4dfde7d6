"""Scheduled runs of campaigns: requested, cancelled, and begun by a job when due.

A scheduled run is a row from the moment of the request, so another run at the same moment is not mistaken for it. The
dispatcher polls for due runs and queues a job that evaluates the audience, which may take long.
"""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pyroaring import BitMap

from people.core import audit, jobs
from people.core.codes import Code
from people.core.db.outages import is_outage
from people.core.errors import NotAllowedError, Problem, RejectedError
from people.core.permissions import require_permission
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import notifications as campaign_notifications
from smartlists.campaigns.definitions import effect_rights
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.definitions.model import CampaignDefinition
from smartlists.campaigns.running import failures as run_failures
from smartlists.evaluation import evaluator
from smartlists.models import CampaignRun, SmartCampaign

AGAIN = timedelta(minutes=5)  # age at which a job without a result counts as lost
State = CampaignRun.State
logger = logging.getLogger(__name__)

audit.register_actions(
    {
        "run_scheduled": (2, gettext_lazy("Scheduled a run for %(at)s")),
        "run_cancelled": (2, gettext_lazy("Cancelled a run, after %(count)s people had entered")),
    }
)


@transaction.atomic
def schedule_run(campaign: SmartCampaign, at: datetime, by: Any) -> CampaignRun:
    """Schedule a run that enters the audience at the moment `at`. Makes the checks of `begin_run` now.

    Raises `RejectedError` (`no_audience`, `no_step`, `wrong_state`), `NotAllowedError`.
    """
    _check(campaign, campaign_definition.load_definition(campaign.definition), by)
    scheduled = CampaignRun.objects.create(
        campaign=campaign, state=State.SCHEDULED, count=0, members=BitMap().serialize(), requested_by=by, due_at=at
    )
    audit.write_audit_entry(by, campaign, "run_scheduled", at=f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
    return scheduled


@transaction.atomic
def cancel_run(run: CampaignRun, by: Any) -> None:
    """Cancel a scheduled run, or stop a run under way from entering more people; those who entered continue.

    Raises `RejectedError` (`wrong_state`), `NotAllowedError`.
    """
    require_permission(by, campaign_lifecycle.ACTIVATE)
    if not run.cancel(members=BitMap().serialize()):
        run.refresh_from_db()
        message = _("The run is over: %(state)s.") % {"state": run.get_state_display()}
        raise RejectedError(Problem(Code.WRONG_STATE, message, ("state",), State.SCHEDULED, run.state))
    run.refresh_from_db()
    audit.write_audit_entry(by, run.campaign, "run_cancelled", count=run.entered)


def queue_due_runs() -> int:
    """Queue a job for each scheduled run that is due; return their number."""
    due = CampaignRun.objects.filter(state=State.SCHEDULED, due_at__lte=Now()).order_by("pk")
    return sum(_queue(pk, due_at) for pk, due_at in due.values_list("pk", "due_at"))


def begin_run(run_id: int) -> None:
    """Begin a run of `schedule_run`, once; permissions are checked again. The run stores the reason of a failure."""
    if run_failures.count_try(run_id):
        run = CampaignRun.objects.select_related("campaign", "requested_by").get(pk=run_id)
        try:
            _begin(run)
        except RejectedError as refusal:
            logger.warning("run %s of campaign %s: %s", run_id, run.campaign_id, refusal)
            run_failures.fail_run(run_id, refusal)
        except Exception as error:
            if is_outage(error):
                raise
            logger.exception("run %s of campaign %s", run_id, run.campaign_id)
            run_failures.note_failed_try(run_id, error, is_counted=True)
    failed = CampaignRun.objects.filter(pk=run_id, state=State.FAILED).first()
    if failed is not None:
        campaign_notifications.notify_campaign_not_run(failed.campaign_id, failed.requested_by_id)


def _begin(run: CampaignRun) -> None:
    by = run.requested_by
    if by is not None and not by.is_active:
        raise NotAllowedError(Problem(Code.NOT_ALLOWED, _("The user who asked for it is no longer active.")))
    parsed = campaign_definition.load_definition(run.campaign.definition)
    _check(run.campaign, parsed, by)
    members = evaluator.evaluate_members(parsed.audience.effective_rules)
    with transaction.atomic():
        campaign = campaign_lifecycle.lock_campaign(run.campaign)
        with CampaignRun.claimed(run.pk) as locked:
            if locked is None or locked.state != State.SCHEDULED:  # cancelled meanwhile, or begun by another worker
                return
            # the steps may have been changed while the audience was evaluated
            effect_rights.require_effect_rights(campaign_definition.load_definition(campaign.definition), by)
            locked.beat(
                state=State.RUNNING,
                version=campaign_lifecycle.current_version(campaign),
                count=len(members),
                members=members.serialize(),
                tries=0,
                problem="",
                due_at=Now(),
            )
        audit.write_audit_entry(by, campaign, "ran_once", count=len(members))


def _check(campaign: SmartCampaign, parsed: CampaignDefinition, by: Any) -> None:
    require_permission(by, campaign_lifecycle.ACTIVATE)
    effect_rights.require_effect_rights(parsed, by)
    if campaign.state == SmartCampaign.State.ARCHIVED:
        allowed = (state for state in SmartCampaign.State.values if state != campaign.state)
        campaign_lifecycle.require_campaign_state(campaign, *allowed)
    if parsed.audience.is_unrestricted:
        message = _("The campaign has no audience: it would run for everyone.")
        raise RejectedError(Problem(Code.NO_AUDIENCE, message, ("audience",)))
    if not parsed.steps:
        raise RejectedError(Problem(Code.NO_STEP, _("Add at least one step."), ("steps",)))


def _queue(run_id: int, due_at: datetime) -> bool:
    """Queue the job, unless another process has; a lost job is queued again after `AGAIN`. Return True if queued."""
    with transaction.atomic():
        waiting = CampaignRun.objects.filter(pk=run_id, state=State.SCHEDULED, due_at=due_at)
        if not waiting.update(due_at=timezone.now() + AGAIN):
            return False
        jobs.defer_job_once("smartlists.begin_run", f"begin run {run_id}", run_id=run_id)
        return True
