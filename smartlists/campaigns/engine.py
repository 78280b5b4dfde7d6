"""Moves people along the steps of the campaigns they are in.

A round takes the first due entry of every person, so that one person's steps happen in order, and does the same step
for all whom it is due for in one transaction: the effect, the outcome of each, and where each goes on. A process
that is killed leaves a step done and noted, or neither.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from people.core.db import locks
from people.core.db.outages import is_outage
from people.core.errors import RejectedError
from people.core.source import Channel, Source
from smartlists.campaigns import actions as campaign_actions
from smartlists.campaigns import counters as campaign_counters
from smartlists.campaigns import definition as campaign_definition
from smartlists.campaigns.actions import Done, Entry, Situation
from smartlists.campaigns.triggers import definition_of
from smartlists.models import CampaignEntry, SmartCampaign, StepOutcome

LIMIT = 1_000  # entries looked at at once
MAX_DETAIL = 1_000
REST = timedelta(minutes=1)
logger = logging.getLogger(__name__)
State, Outcome = CampaignEntry.State, StepOutcome.Outcome


@dataclass(frozen=True, slots=True)
class Moved:
    """Where an entry goes on: the next path (empty: nowhere), from when, and what this step did."""

    entry: Entry
    done: Done
    path: str
    due_at: datetime


def run_due(limit: int = LIMIT) -> int:
    """Do every step that is due now for up to `limit` entries; return how many steps were done.

    A step that raises is raised once all the others are done.
    """
    waiting: dict[int, list[Entry]] = defaultdict(list)
    for entry in _due(limit):
        waiting[entry.person_id].append(entry)
    done = 0
    errors: list[Exception] = []
    while waiting:
        groups: dict[tuple[int, str], list[Entry]] = defaultdict(list)
        for entries in waiting.values():
            groups[entries[0].version_id, entries[0].path].append(entries[0])
        for (version_id, path), group in sorted(groups.items()):
            try:
                moved = {one.entry.id: one for one in step(version_id, path, group)}
            except Exception as error:  # keeps no other step from being done
                errors.append(error)
                _rest(group, error)
                for entry in group:
                    del waiting[entry.person_id]
                continue
            done += len(moved)
            now = timezone.now()
            for entry in group:
                queue = waiting[entry.person_id]
                following = moved.get(entry.id)
                if following and following.path and following.due_at <= now:
                    queue[0] = replace(entry, path=following.path, due_at=following.due_at)
                else:
                    queue.pop(0)
                if not queue:
                    del waiting[entry.person_id]
    if errors:
        raise errors[0] if len(errors) == 1 else ExceptionGroup("steps could not be done", errors)
    return done


def _rest(entries: Sequence[Entry], error: Exception) -> None:
    """Let the others be looked at before entries whose step could not even be noted as failed."""
    if not is_outage(error):
        rows = CampaignEntry.objects.filter(pk__in=[entry.id for entry in entries], state=State.OPEN)
        rows.update(due_at=timezone.now() + REST)


def _due(limit: int) -> list[Entry]:
    rows = CampaignEntry.objects.filter(state=State.OPEN, due_at__lte=timezone.now()).order_by("due_at", "id")
    return [Entry(*row) for row in rows.values_list(*Entry.COLUMNS)[:limit]]


def step(version_id: int, path: str, entries: Sequence[Entry]) -> list[Moved]:
    """Do the step at `path` for those of `entries` who are still there; one transaction.

    Whatever goes wrong with the step itself is its outcome; only a database that is gone raises.
    """
    definition = definition_of(version_id)
    try:
        return _step(definition, path, entries, campaign_actions.run)
    except RejectedError as refused:
        return _step(definition, path, entries, campaign_actions.failing(str(refused)))
    except Exception as error:
        if is_outage(error):
            raise
        logger.exception("step %s of version %s", path, version_id)
        return _step(definition, path, entries, campaign_actions.failing(type(error).__name__))


@transaction.atomic
def _step(definition: campaign_definition.Definition, path: str, entries: Sequence[Entry], effect: Any) -> list[Moved]:
    # before any row, in the order of locks: nobody is deleted, merged or erased meanwhile
    locks.share([locks.key(locks.Space.PEOPLE)])
    held = _hold(path, entries)
    if not held:
        return []
    campaign = SmartCampaign.objects.get(pk=held[0].campaign_id)
    found = campaign_definition.step_at(definition.steps, path)
    source = Source(Channel.CAMPAIGN, None, campaign.pk, reason=campaign.name)
    situation = Situation(campaign, definition, path, source, timezone.now())
    last_id = _last_activity_id()
    dones = effect(found, held, situation)
    moved = [_moved(definition, path, entry, dones[entry.id], situation.now) for entry in held]
    _note_depths(held, campaign.pk, last_id)
    _write_outcomes(campaign_definition.STEPS.name_of(found), path, moved)
    _write_entries(moved)
    _tally(campaign.pk, moved)
    return moved


def _hold(path: str, entries: Sequence[Entry]) -> list[Entry]:
    """The entries that are still at this step, as they are now, locked."""
    rows = (
        CampaignEntry.objects.select_for_update()
        .filter(pk__in=[entry.id for entry in entries], state=State.OPEN, path=path)
        .order_by("pk")
    )
    return [Entry(*row) for row in rows.values_list(*Entry.COLUMNS)]


def _moved(definition: campaign_definition.Definition, path: str, entry: Entry, done: Done, now: datetime) -> Moved:
    following = campaign_definition.following(definition.steps, path)
    if done.branch is not None:
        following = campaign_definition.branch_of(definition.steps, path, done.branch)
    return Moved(entry, done, following, max(done.until or now, now) if following else now)


def _write_outcomes(do: str, path: str, moved: Sequence[Moved]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into campaign_step_outcome (entry_id, person_id, path, "do", outcome, detail, at)
            select entry, person, %s, %s, outcome, detail, clock_timestamp()
            from unnest(%s::bigint[], %s::int[], %s::text[], %s::text[]) as w (entry, person, outcome, detail)""",
            [
                path,
                do,
                [one.entry.id for one in moved],
                [one.entry.person_id for one in moved],
                [str(one.done.outcome) for one in moved],
                [one.done.detail[:MAX_DETAIL] for one in moved],
            ],
        )


def _write_entries(moved: Sequence[Moved]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """update campaign_entry e set
                path = case when w.path = '' then e.path else w.path end, due_at = w.due_at,
                has_failed = e.has_failed or w.failed,
                first_step_at = coalesce(e.first_step_at, clock_timestamp()),
                state = case when w.path <> '' then e.state when e.has_failed or w.failed then 'failed'
                    else 'done' end,
                finished_at = case when w.path = '' then clock_timestamp() end
            from unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::boolean[]) as w (id, path, due_at, failed)
            where e.id = w.id""",
            [
                [one.entry.id for one in moved],
                [one.path for one in moved],
                [one.due_at for one in moved],
                [one.done.outcome == Outcome.FAILED for one in moved],
            ],
        )


def _tally(campaign_id: int, moved: Sequence[Moved]) -> None:
    campaign_counters.add(
        (campaign_id, "failed" if one.entry.has_failed or one.done.outcome == Outcome.FAILED else "done")
        for one in moved
        if not one.path
    )


def _last_activity_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select case when is_called then last_value else 0 end from activity_id_seq")
        return cursor.fetchone()[0]


def _note_depths(entries: Sequence[Entry], campaign_id: int, last_id: int) -> None:
    """Keep with the activities that the step just recorded how deep in a chain of campaigns they are."""
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into campaign_effect (activity_id, depth)
            select a.id, w.depth + 1 from activity a
            join unnest(%s::int[], %s::smallint[]) as w (person, depth) on w.person = a.person_id
            where a.id > %s and a.door = %s and a.origin_id = %s
            on conflict do nothing""",
            [
                [entry.person_id for entry in entries],
                [min(entry.depth, settings.CAMPAIGN_MAX_DEPTH) for entry in entries],
                last_id,
                int(Channel.CAMPAIGN),
                campaign_id,
            ],
        )
