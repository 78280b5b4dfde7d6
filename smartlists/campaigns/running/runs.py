"""Entries without a log activity: runs of a campaign on a smart list, and changes of watched lists."""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from pyroaring import BitMap

from activities.log import backfill
from people import lookup as people_lookup
from people.core import audit
from people.core.codes import Code
from people.core.db import locks
from people.core.db.outages import is_outage
from people.core.errors import Problem, RejectedError, bad_value
from people.core.permissions import require_permission
from people.objects.silent_changes import people_with_silent_record_changes
from people.persons import merge as person_merge
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import notifications as campaign_notifications
from smartlists.campaigns import triggers
from smartlists.campaigns.definitions import effect_rights
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.entries.insertion import Candidate, Listener
from smartlists.campaigns.running import failures as run_failures
from smartlists.campaigns.triggers import definition_of_version
from smartlists.evaluation import evaluator
from smartlists.evaluation import stored as stored_evaluations
from smartlists.models import CampaignEntry, CampaignRun, ListWatch, SmartCampaign, SmartList, bitmap

logger = logging.getLogger(__name__)
BATCH = 1_000  # people who enter in one transaction
OVERLAP = timedelta(minutes=1)  # longer than a recording takes from its moment to its commit


@dataclass(frozen=True, slots=True)
class RunPreview:
    """The number of people a run would enter, and the moment of the evaluation."""

    count: int
    as_of: datetime


def preview_run(campaign: SmartCampaign, smart_list: SmartList, by: Any) -> RunPreview:
    """Count the members of the list who satisfy the campaign's audience now.

    Raises `RejectedError` (`timeout`, …), `NotAllowedError`.
    """
    require_permission(by, campaign_lifecycle.ACTIVATE)
    members, as_of = _qualifying_members(campaign, smart_list, by)
    return RunPreview(len(members), as_of)


def run_on_list(campaign: SmartCampaign, smart_list: SmartList, by: Any, *, cap: Any) -> CampaignRun:
    """Enter all qualifying members of the list, regardless of triggers.

    Raises `RejectedError` (`over_cap`) when they are more than `cap`, a limit that the caller states for safety.
    """
    require_permission(by, campaign_lifecycle.ACTIVATE)
    if type(cap) is not int or cap < 1:
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("the largest number of people expected"), cap, "cap"))
    members, _as_of = _qualifying_members(campaign, smart_list, by)
    if len(members) > cap:
        message = _("The list has %(count)s people, more than %(cap)s. Nothing was done.")
        parameters = {"count": len(members), "cap": cap}
        raise RejectedError(Problem(Code.OVER_CAP, message % parameters, ("cap",), str(cap), str(len(members))))
    return _start(campaign, smart_list, members, by)


def run_for_people(campaign: SmartCampaign, person_ids: Iterable[int], by: Any) -> CampaignRun:
    """Enter those of these people who are in the audience of an active campaign and qualify, regardless of triggers.

    Raises `RejectedError` (`wrong_state`, `timeout`, …), `NotAllowedError`.
    """
    require_permission(by, campaign_lifecycle.ACTIVATE)
    campaign_lifecycle.require_campaign_state(campaign, SmartCampaign.State.ACTIVE)
    members = BitMap(people_lookup.person_ids_by_id(person_ids, follow_merges=False).values())
    audience = campaign_definition.load_definition(campaign.definition).audience
    if members and not audience.is_unrestricted:
        members = evaluator.evaluate_members(audience.effective_rules, members)
    return _start(campaign, None, members, by)


def is_in_progress(run: CampaignRun) -> bool:
    """Return True while people still enter by the run, or are still in the steps."""
    under_way = (CampaignEntry.State.OPEN, CampaignEntry.State.HELD)
    return (
        run.state == CampaignRun.State.RUNNING
        or CampaignEntry.objects.filter(run_id=run.pk, state__in=under_way).exists()
    )


def _refuse_archived(campaign: SmartCampaign) -> None:
    if campaign.state == SmartCampaign.State.ARCHIVED:
        allowed = (state for state in SmartCampaign.State.values if state != campaign.state)
        campaign_lifecycle.require_campaign_state(campaign, *allowed)


@transaction.atomic
def _start(campaign: SmartCampaign, smart_list: SmartList | None, members: BitMap, by: Any) -> CampaignRun:
    locked = campaign_lifecycle.lock_campaign(campaign)
    parsed = campaign_lifecycle.parse_and_lock_definition(locked.definition, triggers.Catalogue())
    effect_rights.require_effect_rights(parsed, by)
    if not parsed.steps:
        raise RejectedError(Problem(Code.NO_STEP, _("Add at least one step."), ("steps",)))
    _refuse_archived(locked)
    version = campaign_lifecycle.current_version(locked)
    run = CampaignRun.objects.create(
        campaign=locked,
        version=version,
        smart_list=smart_list,
        count=len(members),
        members=members.serialize(),
        requested_by=by,
    )
    audit.write_audit_entry(by, locked, "ran_once", count=len(members))
    return run


def _qualifying_members(campaign: SmartCampaign, smart_list: SmartList, by: Any) -> tuple[BitMap, datetime]:
    stored = stored_evaluations.evaluate_list(smart_list, by)
    audience = campaign_definition.load_definition(campaign.definition).audience
    members = stored.person_ids
    if not audience.is_unrestricted:
        members = evaluator.evaluate_members(audience.effective_rules, members)
    return members, stored.as_of or timezone.now()


# --- Called by the dispatcher, besides reading the log ---------------------------------------------------------


def enter_runs() -> int:
    """Enter the next people of every run under way; return how many were processed."""
    processed = 0
    due = CampaignRun.objects.filter(state=CampaignRun.State.RUNNING, due_at__lte=Now())
    for pk in due.order_by("pk").values_list("pk", flat=True):
        try:
            processed += _enter_some(pk)
        except Exception as error:
            if is_outage(error):
                raise
            logger.exception("run %s", pk)
            if run_failures.note_failed_try(pk, error):
                campaign_notifications.notify_run_failed(CampaignRun.objects.get(pk=pk))
    return processed


@transaction.atomic
def _enter_some(run_id: int) -> int:
    locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
    campaign_lifecycle.lock_dispatcher_position()
    with CampaignRun.claimed(run_id) as run:
        if run is None or run.state != CampaignRun.State.RUNNING:
            return 0
        assert run.version_id is not None  # missing only while the run is scheduled
        waiting = bitmap(run.members)
        person_ids = list(waiting[:BATCH])
        campaign = run.campaign
        campaign.version_id = run.version_id
        listener = Listener(campaign, definition_of_version(run.version_id))
        triggers.enter_candidates([Candidate(listener, pk, timezone.now(), run_id=run.pk) for pk in person_ids])
        remaining = BitMap(waiting - BitMap(person_ids))
        progress: dict[str, Any] = {
            "members": remaining.serialize(),
            "entered": F("entered") + len(person_ids),
            "tries": 0,
            "problem": "",
        }
        (run.beat if remaining else run.finish)(**progress)
        return len(person_ids)


def enter_list_changes() -> int:
    """Enter people who joined or left watched smart lists according to newer evaluations; return how many."""
    processed = 0
    evaluated = ListWatch.objects.filter(smart_list__current__isnull=False)
    due = evaluated.filter(due_at__lte=Now()).exclude(evaluation_id=F("smart_list__current_id"))
    for pk in due.order_by("pk").values_list("pk", flat=True):
        try:
            processed += _enter_changes(pk)
        except Exception as error:
            if is_outage(error):
                raise
            logger.exception("changes of watched list %s", pk)
            _note_failed_watch(pk, error)
    return processed


@transaction.atomic
def _note_failed_watch(watch_id: int, error: Exception) -> None:
    watch = ListWatch.objects.select_for_update().filter(pk=watch_id).first()
    if watch is None:
        return
    if watch.count_failed_try(error):
        campaign_notifications.notify_watch_fails(watch.campaign_id)
    watch.save(update_fields=["tries", "problem", "due_at"])


def _silent_people(person_ids: Collection[int], before: datetime | None, after: datetime) -> set[int]:
    """Those of the people who may have joined or left between two evaluations without having done anything.

    Back-fill, its undo, a withdrawal, a merge and its undo make no person enter a campaign. What came after the later
    evaluation did not change it; an evaluation reads the log a little after its moment.
    """
    since, until = before and before - OVERLAP, after + OVERLAP
    changed = backfill.people_with_silent_changes(person_ids, since, until)
    changed |= people_with_silent_record_changes(person_ids, since, until)
    return changed | person_merge.people_of_merges(person_ids, since, until)


@transaction.atomic
def _enter_changes(watch_id: int) -> int:
    """Enter those who changed; silently those whose log or person was changed without anything having happened."""
    locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
    campaign_lifecycle.lock_dispatcher_position()
    watch = ListWatch.objects.select_related("campaign", "smart_list").filter(pk=watch_id).first()
    current = stored_evaluations.lock_current_evaluation(watch.smart_list_id) if watch else None
    if watch is None or current is None or current.pk == watch.evaluation_id:
        return 0
    before, now = bitmap(watch.members), current.person_ids
    changes = {campaign_definition.JOINED: now - before, campaign_definition.LEFT: before - now}
    campaign = watch.campaign
    listener = Listener(campaign, definition_of_version(campaign.version_id))
    candidates = [
        Candidate(listener, pk, current.as_of or timezone.now(), at, evaluation_id=current.pk)
        for at, trigger in listener.definition.list_triggers
        if trigger.smart_list == watch.smart_list_id
        for pk in changes[trigger.change]
    ]
    silent: Collection[int] = ()
    if candidates and not listener.definition.also_past:
        people = {candidate.person_id for candidate in candidates}
        silent = _silent_people(people, watch.as_of, current.as_of or timezone.now())
    for candidate in candidates:
        if not campaign.is_active:
            candidate.reason = triggers.Reason.PAUSED
        elif candidate.person_id in silent:
            candidate.reason = triggers.Reason.PAST
    triggers.enter_candidates(candidates)
    watch.members, watch.evaluation_id, watch.as_of = now.serialize(), current.pk, current.as_of
    watch.tries, watch.problem = 0, ""
    watch.save(update_fields=["members", "evaluation_id", "as_of", "tries", "problem"])
    return len(candidates)
