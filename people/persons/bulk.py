"""Bulk actions: one action on many people by a job with progress, one transaction for each part of them.

Unprocessed parts are rows, deleted in the transaction that processes them, so a killed job continues where it
stopped and processes no part twice.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core import job_model, jobs
from people.core.codes import Code
from people.core.db import locks
from people.core.db.outages import is_outage
from people.core.errors import Problem, RejectedError
from people.core.permissions import require_permission
from people.core.source import Channel, Source
from people.lists import static_lists
from people.models import BulkAction, BulkPart, StaticList
from people.persons import deletion
from people.rights import DELETE_PERSON, RESTORE_PERSON

logger = logging.getLogger(__name__)
PART = 1_000
MAX_PEOPLE = 1_000_000


@dataclass(frozen=True, slots=True)
class BulkKind:
    """One kind of bulk action: its right, and the function that runs it on some people and returns how many changed.

    `is_alone`: the action takes the lock of people exclusively, as `run_bulk_action` does.
    """

    label: str | Promise
    right: str
    run: Callable[[BulkAction, Sequence[int], Any, Source], int]
    is_alone: bool = False
    needs_list: bool = False


def _add(action: BulkAction, ids: Sequence[int], _by: Any, source: Source) -> int:
    return static_lists.add_members(StaticList(pk=action.static_list_id), ids, source).count(
        static_lists.Membership.ADDED
    )


def _remove(action: BulkAction, ids: Sequence[int], _by: Any, source: Source) -> int:
    return static_lists.remove_members(StaticList(pk=action.static_list_id), ids, source).count(
        static_lists.Membership.REMOVED
    )


def _delete(_action: BulkAction, ids: Sequence[int], by: Any, source: Source) -> int:
    return sum(outcome.status is deletion.DeletionStatus.DELETED for outcome in deletion.delete_people(ids, by, source))


def _restore(_action: BulkAction, ids: Sequence[int], by: Any, source: Source) -> int:
    return sum(
        outcome.status is deletion.DeletionStatus.RESTORED for outcome in deletion.restore_people(ids, by, source)
    )


KINDS: dict[str, BulkKind] = {
    "add_to_list": BulkKind(gettext_lazy("Add to a static list"), static_lists.CHANGE, _add, needs_list=True),
    "remove_from_list": BulkKind(
        gettext_lazy("Remove from a static list"), static_lists.CHANGE, _remove, needs_list=True
    ),
    "delete": BulkKind(gettext_lazy("Delete"), DELETE_PERSON, _delete, is_alone=True),
    "restore": BulkKind(gettext_lazy("Restore"), RESTORE_PERSON, _restore, is_alone=True),
}


@transaction.atomic
def start_bulk_action(
    kind: str, person_ids: Iterable[int], by: Any, static_list: StaticList | None = None
) -> BulkAction:
    """Create the bulk action `kind` for the people and queue its job.

    Raises `RejectedError` (`missing_value`, `too_many`), `NotAllowedError`.
    """
    require_permission(by, KINDS[kind].right)
    ids = list(dict.fromkeys(islice(person_ids, MAX_PEOPLE + 1)))
    if not ids:
        raise RejectedError(Problem(Code.MISSING_VALUE, _("Nobody is named."), ("people",)))
    if len(ids) > MAX_PEOPLE:
        message = _("At most %(limit)s people at once.") % {"limit": MAX_PEOPLE}
        raise RejectedError(Problem(Code.TOO_MANY, message, ("people",)))
    if KINDS[kind].needs_list and static_list is None:
        raise RejectedError(Problem(Code.MISSING_VALUE, _("Choose a static list."), ("static_list",)))
    action = BulkAction.objects.create(kind=kind, total=len(ids), user=by, static_list=static_list)
    BulkPart.objects.bulk_create(
        BulkPart(action=action, person_ids=ids[first : first + PART]) for first in range(0, len(ids), PART)
    )
    jobs.defer_job("people.run_bulk_action", action_id=action.pk)
    return action


def run_bulk_action(action_id: int) -> None:
    """Process the remaining parts of the action; safe to run twice, also at the same time."""
    while _process_part(action_id):
        pass


@transaction.atomic
def cancel_bulk_action(action: BulkAction, by: Any) -> None:
    """Cancel the remaining parts; finished ones stay. Raises `NotAllowedError`."""
    require_permission(by, KINDS[action.kind].right)
    if action.cancel():
        action.parts.all().delete()


@transaction.atomic
def _process_part(action_id: int) -> bool:
    """Process the next part; return True if there may be more."""
    kind = KINDS[BulkAction.objects.values_list("kind", flat=True).get(pk=action_id)]
    (locks.acquire_exclusive if kind.is_alone else locks.acquire_shared)([locks.lock_key(locks.LockSpace.PEOPLE)])
    with BulkAction.claimed(action_id) as action:
        if action is None:
            return False
        part = action.parts.order_by("pk").first()
        if part is None:
            action.finish()
            return False
        source = Source(Channel.ADMIN, action.user_id, action.pk)
        by = action.user
        try:
            with transaction.atomic():
                changed = kind.run(action, part.person_ids, by, source)
        except Exception as error:
            if is_outage(error):
                raise
            if not isinstance(error, RejectedError):
                logger.exception("bulk action %s", action_id)
            action.fail(job_model.error_text(error))
            action.parts.all().delete()
            return False
        part.delete()
        action.beat(progress=F("progress") + len(part.person_ids), done=F("done") + changed)
        return True
