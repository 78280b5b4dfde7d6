"""Replays calls that were rejected or not mapped, by a job: a bounded part in each transaction, each activity once."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Max
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.inbound.editing import CHANGE, RECORD
from activities.inbound.processing import BATCH, mark_broken, record_calls
from activities.models import EventSource, InboundCall, InboundReplay
from activities.recording.rows import RecordStatus
from activities.replays import running
from activities.replays.running import ReplayKind
from people.core import audit, jobs
from people.core.codes import Code
from people.core.db import locks
from people.core.db.outages import is_outage
from people.core.errors import ConflictError, Problem, restore_problem
from people.core.permissions import require_permission

WAITING = (InboundCall.State.FAILED, InboundCall.State.UNMAPPED)
logger = logging.getLogger(__name__)

audit.register_actions({"calls_replayed": (2, gettext_lazy("Replayed %(count)s calls"))})


@dataclass(slots=True)
class _Part:
    """The counts of some replayed calls; see `InboundReplay`."""

    calls: int = 0
    recorded: int = 0
    refused: int = 0
    broken: int = 0


@transaction.atomic
def start_replay(source: EventSource, by: Any, *, backfill: bool = True) -> InboundReplay:
    """Start mapping again all calls that wait now, by the mappings that are on when it comes to them.

    Nothing starts for what is recorded unless `backfill` is false. A replay that runs is returned as it is. Raises
    `ConflictError` where that one differs in `backfill`, and `NotAllowedError`.
    """
    require_permission(by, CHANGE)
    require_permission(by, RECORD)
    waiting = source.inbound_calls.filter(state__in=WAITING).aggregate(number=Count("pk"), last=Max("pk"))
    # one of two that start at the same time; calls are still received, whose rows refer to the source
    EventSource.objects.select_for_update(of=("self",), no_key=True).get(pk=source.pk)
    under_way = InboundReplay.objects.filter(source=source, state=InboundReplay.State.RUNNING).first()
    if under_way is not None:
        if under_way.is_backfill != backfill:
            message = _("Another replay of these calls is in progress. Wait until it has ended.")
            raise ConflictError(Problem(Code.WRONG_STATE, message, ("backfill",)))
        return under_way
    replay = InboundReplay.objects.create(
        source=source, user=by, is_backfill=backfill, total=waiting["number"], last_call=waiting["last"] or 0
    )
    jobs.defer_job(InboundReplay.life.task, replay_id=replay.pk)
    running.forget_old(InboundReplay.objects.filter(source=source))
    return replay


def last_replay(source: EventSource) -> InboundReplay | None:
    """The newest replay of the webhook's calls."""
    return InboundReplay.objects.filter(source=source).order_by("-pk").first()


def first_problem(source: EventSource) -> Problem | None:
    """The first problem of the newest rejected call that has one."""
    rows = source.inbound_calls.filter(state=InboundCall.State.FAILED, problems__isnull=False).order_by("-pk")
    problems = rows.values_list("problems", flat=True).first()
    return restore_problem(problems[0]) if problems else None


def _note_end(replay: InboundReplay) -> None:
    """Calls that were looked at are audited."""
    if replay.progress:
        audit.write_audit_entry(replay.user, replay.source, "calls_replayed", count=replay.progress)


def _lock_people() -> None:
    """The lock of people is taken before that of any row, as an erase does."""
    locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])


def _process(replay: InboundReplay) -> Mapping[str, Any] | None:
    rows = replay.source.inbound_calls.filter(pk__gt=replay.position, pk__lte=replay.last_call, state__in=WAITING)
    calls = list(rows.order_by("pk").select_for_update(of=("self",))[:BATCH])
    if not calls:
        return None
    part = _replay_calls(calls, is_backfill=replay.is_backfill)
    return {
        "position": calls[-1].pk,
        "progress": F("progress") + len(calls),
        "calls": F("calls") + part.calls,
        "recorded": F("recorded") + part.recorded,
        "refused": F("refused") + part.refused,
        "broken": F("broken") + part.broken,
    }


def _replay_calls(calls: Sequence[InboundCall], *, is_backfill: bool) -> _Part:
    """Replay locked calls together, or one by one where that fails; a call that fails again is kept with the reason."""
    try:
        return _record(calls, is_backfill=is_backfill)
    except Exception as error:
        if is_outage(error):
            raise
        logger.exception("a replay of calls; processing them one by one")
    total = _Part()
    for call in InboundCall.objects.filter(pk__in=[call.pk for call in calls]).order_by("pk"):
        try:
            part = _record([call], is_backfill=is_backfill)
        except Exception as error:
            if is_outage(error):
                raise
            logger.exception("call %s of a webhook", call.pk)
            mark_broken(call.pk)
            part = _Part(broken=1)
        total.calls += part.calls
        total.recorded += part.recorded
        total.refused += part.refused
        total.broken += part.broken
    return total


@transaction.atomic
def _record(calls: Sequence[InboundCall], *, is_backfill: bool) -> _Part:
    before = {call.pk: set(call.recorded) for call in calls}
    results = record_calls(calls, is_backfill=is_backfill)
    statuses = [outcome.status for result in results for outcome in result.outcomes]
    return _Part(
        calls=sum(result.mapping is not None for result in results),
        recorded=sum(len(set(call.recorded) - before[call.pk]) for call in calls),
        refused=statuses.count(RecordStatus.REFUSED),
    )


REPLAYS = ReplayKind(InboundReplay, _process, _note_end, _lock_people)


def run_replay(replay_id: int) -> None:
    """Replay the rest of the calls; safe to run twice, also at the same time."""
    running.run_replay(REPLAYS, replay_id)
