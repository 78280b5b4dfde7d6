"""Runs a replay: a bounded part in each transaction, with the place where the next one continues.

So a killed job continues where it stopped, and what a part did counts exactly once.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import transaction
from django.db.models import F

from activities.models.replays import Replay
from people.core import job_model
from people.core.db.outages import is_outage
from people.core.errors import RejectedError

R = TypeVar("R", bound=Replay)
KEPT = 20  # replays of the same things
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReplayKind(Generic[R]):
    """One kind of replay.

    `process`: does the next part within the caller's transaction, and returns what changes in the replay; None where
    nothing is left. Raises `RejectedError` for a reason to stop. `lock`: takes the locks that come before that of the
    replay's row. `note_end`: called once, in the transaction that ends the replay.
    """

    model: type[R]
    process: Callable[[R], Mapping[str, Any] | None]
    note_end: Callable[[R], None]
    lock: Callable[[], None] = lambda: None


def run_replay(kind: ReplayKind[R], replay_id: int) -> None:
    """Replay the rest; safe to run twice, also at the same time.

    A part that fails is tried `MAX_TRIES` times, by whichever workers; then the replay fails with the reason.
    """
    while try_part(kind, replay_id):
        pass


def try_part(kind: ReplayKind[R], replay_id: int) -> bool:
    """Try the next part once; False if there is nothing more to try, or another worker is at it."""
    if not take_try(kind, replay_id):
        return False
    try:
        return process_part(kind, replay_id)
    except Exception as error:
        if is_outage(error):
            raise
        if not isinstance(error, RejectedError):
            logger.exception("%s %s", kind.model.__name__, replay_id)
        return _note_failure(kind, replay_id, error)


@transaction.atomic
def take_try(kind: ReplayKind[R], replay_id: int) -> bool:
    """Count a try of the next part beforehand: one that kills its process counts, too. False after too many."""
    with kind.model.claimed(replay_id) as replay:
        if replay is None:
            return False
        if replay.tries >= job_model.MAX_TRIES:
            _end(kind, replay, job_model.lost_worker_reason(replay.tries))
            return False
        return bool(replay.mine().update(tries=F("tries") + 1))


@transaction.atomic
def process_part(kind: ReplayKind[R], replay_id: int) -> bool:
    """Do the next part; return True if there may be more."""
    kind.lock()
    with kind.model.claimed(replay_id) as replay:
        if replay is None:
            return False
        changes = kind.process(replay)
        if changes is None:
            _end(kind, replay)
            return False
        replay.beat(tries=0, **changes)
        return True


@transaction.atomic
def _note_failure(kind: ReplayKind[R], replay_id: int, error: Exception) -> bool:
    """End the replay where the error is a reason to, or was the last try; True if the part may be tried again."""
    with kind.model.claimed(replay_id) as replay:
        if replay is None:
            return False
        if isinstance(error, RejectedError) or replay.tries >= job_model.MAX_TRIES:
            _end(kind, replay, job_model.failure_reason(error, replay.tries))
            return False
        return True


def _end(kind: ReplayKind[R], replay: R, problem: str = "") -> None:
    """End a replay that this worker holds, with the problem that stopped it."""
    if replay.fail(problem) if problem else replay.finish():
        kind.note_end(replay)


def forget_old(replays: Any) -> None:
    """Delete all but the newest `KEPT` of these replays; locked ones stay for the next time."""
    old = replays.order_by("-pk").values_list("pk", flat=True)[KEPT:]
    rows = replays.model.objects.filter(pk__in=list(old)).select_for_update(skip_locked=True)
    replays.model.objects.filter(pk__in=[row.pk for row in rows]).delete()
