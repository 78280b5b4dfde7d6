"""Moves people along the steps of their campaigns.

A round takes the first due entry of every person, so that one person's steps happen in order. It does the same step
for all its due entries in one transaction: the effect, the outcomes and the next paths. After a killed process a
step is both done and noted, or neither.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from people.core.db import locks
from people.core.db.outages import is_outage
from people.core.db.sequences import last_value
from people.core.errors import RejectedError
from people.core.source import Channel, Source
from smartlists.campaigns import actions as campaign_actions
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.entries import counters as campaign_counters
from smartlists.campaigns.entries import failing_steps
from smartlists.campaigns.entries.failing_steps import Place
from smartlists.campaigns.entries.step_results import ActionContext, EntryRow, StepResult
from smartlists.campaigns.triggers import definition_of_version
from smartlists.models import CampaignEntry, FailingStep, SmartCampaign, StepOutcome

LIMIT = 1_000  # entries read at once
MAX_DETAIL = 1_000
logger = logging.getLogger(__name__)
State, Outcome = CampaignEntry.State, StepOutcome.Outcome


@dataclass(frozen=True, slots=True)
class EntryMove:
    """The next path of an entry (empty: it ends), from when it is due, and the result of this step."""

    entry: EntryRow
    done: StepResult
    path: str
    due_at: datetime


def run_due_steps(limit: int = LIMIT) -> int:
    """Do every step that is due now for up to `limit` entries; return how many steps were done.

    Where a step raises an error, its people wait (`running.failing_steps`), and the other steps are done.
    """
    waiting: dict[int, list[EntryRow]] = defaultdict(list)
    for entry in _due(limit):
        waiting[entry.person_id].append(entry)
    failing = failing_steps.load_failing_steps() if waiting else {}
    step_count = 0
    while waiting:
        groups: dict[Place, list[EntryRow]] = defaultdict(list)
        for entries in waiting.values():
            groups[entries[0].version_id, entries[0].path].append(entries[0])
        for place, group in sorted(groups.items()):
            moved = _try_step(place, group, failing)
            if moved is None:
                for entry in group:
                    del waiting[entry.person_id]
            else:
                step_count += len(moved)
                _advance(waiting, group, moved)
    return step_count


def _try_step(
    place: Place, group: Sequence[EntryRow], failing: dict[Place, FailingStep]
) -> dict[int, EntryMove] | None:
    """The moves of the entries by their id; None if they wait as the step fails."""
    step = failing.get(place)
    if step is not None and not step.is_due:
        failing_steps.postpone_entries(step, group)
        return None
    try:
        moved = {move.entry.id: move for move in run_step(*place, group)}
    except Exception as error:
        if is_outage(error):
            raise
        failing[place] = failing_steps.note_failed_try(place, group, error)
        return None
    if step is not None:
        failing.pop(place).delete()
    return moved


def _advance(waiting: dict[int, list[EntryRow]], group: Sequence[EntryRow], moved: Mapping[int, EntryMove]) -> None:
    """Set each person's first entry to its next step if that is due, too; else remove it."""
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


def _due(limit: int) -> list[EntryRow]:
    rows = CampaignEntry.objects.filter(state=State.OPEN, due_at__lte=timezone.now()).order_by("due_at", "id")
    return [EntryRow(*row) for row in rows.values_list(*EntryRow.COLUMNS)[:limit]]


def run_step(version_id: int, path: str, entries: Sequence[EntryRow]) -> list[EntryMove]:
    """Do the step at `path` for those of `entries` that are still at it; one transaction.

    An error of the step itself becomes its outcome; only an unavailable database raises.
    """
    definition = definition_of_version(version_id)
    try:
        return _step(definition, path, entries, campaign_actions.run_action)
    except RejectedError as refusal:
        return _step(definition, path, entries, campaign_actions.failing_action(str(refusal)))
    except Exception as error:
        if is_outage(error):
            raise
        logger.exception("step %s of version %s", path, version_id)
        return _step(definition, path, entries, campaign_actions.failing_action(type(error).__name__))


@transaction.atomic
def _step(
    definition: campaign_definition.CampaignDefinition, path: str, entries: Sequence[EntryRow], effect: Any
) -> list[EntryMove]:
    # before any row, in the order of locks: no person is deleted, merged or erased meanwhile
    locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
    locked = _lock_entries(path, entries)
    if not locked:
        return []
    campaign = SmartCampaign.objects.get(pk=locked[0].campaign_id)
    step_item = campaign_definition.step_at(definition.steps, path)
    source = Source(Channel.CAMPAIGN, None, campaign.pk, reason=campaign.name)
    situation = ActionContext(campaign, definition, path, source, timezone.now())
    last_id = last_value("activity_id_seq")
    dones = effect(step_item, locked, situation)
    moved = [_next_move(definition, path, entry, dones[entry.id], situation.now) for entry in locked]
    _note_depths(locked, campaign.pk, last_id)
    _write_outcomes(campaign_definition.STEPS.name_of(step_item), path, moved)
    _write_entries(moved)
    _tally(campaign.pk, moved)
    return moved


def _lock_entries(path: str, entries: Sequence[EntryRow]) -> list[EntryRow]:
    """Lock the entries that are still at this step and return their present values."""
    rows = (
        CampaignEntry.objects.select_for_update()
        .filter(pk__in=[entry.id for entry in entries], state=State.OPEN, path=path)
        .order_by("pk")
    )
    return [EntryRow(*row) for row in rows.values_list(*EntryRow.COLUMNS)]


def _next_move(
    definition: campaign_definition.CampaignDefinition, path: str, entry: EntryRow, result: StepResult, now: datetime
) -> EntryMove:
    following = campaign_definition.following_path(definition.steps, path)
    if result.branch is not None:
        following = campaign_definition.path_after_choice(definition.steps, path, result.branch)
    return EntryMove(entry, result, following, max(result.until or now, now) if following else now)


def _write_outcomes(do: str, path: str, moved: Sequence[EntryMove]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into campaign_step_outcome (entry_id, person_id, path, "do", outcome, detail, at)
            select entry, person, %s, %s, outcome, detail, clock_timestamp()
            from unnest(%s::bigint[], %s::int[], %s::text[], %s::text[]) as w (entry, person, outcome, detail)""",
            [
                path,
                do,
                [move.entry.id for move in moved],
                [move.entry.person_id for move in moved],
                [str(move.done.outcome) for move in moved],
                [move.done.detail[:MAX_DETAIL] for move in moved],
            ],
        )


def _write_entries(moved: Sequence[EntryMove]) -> None:
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
                [move.entry.id for move in moved],
                [move.path for move in moved],
                [move.due_at for move in moved],
                [move.done.outcome == Outcome.FAILED for move in moved],
            ],
        )


def _tally(campaign_id: int, moved: Sequence[EntryMove]) -> None:
    campaign_counters.add_to_counters(
        (campaign_id, "failed" if move.entry.has_failed or move.done.outcome == Outcome.FAILED else "done")
        for move in moved
        if not move.path
    )


def _note_depths(entries: Sequence[EntryRow], campaign_id: int, last_id: int) -> None:
    """Store the depth in a chain of campaigns for the activities that the step has just recorded."""
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
