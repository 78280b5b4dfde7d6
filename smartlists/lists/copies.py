"""Copies the members of a smart list to a static list: at once, by a job, or on a schedule.

A copy runs in batches of 10,000 people, one transaction each; a killed copy is resumed and repeats nothing.
The functions take the acting user and check the permission to change static lists.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pyroaring import BitMap

from people.core import audit, job_model, jobs
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value
from people.core.job_model import JobLostError
from people.core.permissions import require_permission
from people.core.source import Channel, Source
from people.lists import static_lists
from people.models import StaticList, StaticListMember
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists.editing import MAX_SCHEDULE_MINUTES
from smartlists.models import SmartList, StoredEvaluation
from smartlists.models.copies import ListCopy

Mode, State = ListCopy.Mode, ListCopy.State
MAX_AT_ONCE = 100_000  # people that a copy without a job may add to a list
LEAST_MINUTES = 15

audit.register_actions(
    {
        "copy_planned": (2, gettext_lazy("Filled from “%(smart_list)s” every %(minutes)s minutes")),
        "copy_ended": (2, gettext_lazy("No longer filled from “%(smart_list)s”")),
    }
)


@dataclass(frozen=True, slots=True)
class CopyResult:
    """The result of a copy: how many people joined and left the static list, and the moment of the evaluation."""

    joined: int
    left: int
    as_of: datetime


def copy_members_now(
    smart_list: SmartList, static_list: StaticList, source: Source, by: Any, mode: str = Mode.ADD
) -> CopyResult:
    """Copy the members of the current evaluation to a static list synchronously.

    A repeated copy adds only missing people; `Mode.REPLACE` also removes people who are no members.
    Raises `RejectedError` (`too_many` over 100,000 members, `bad_mode`), and as `current_or_new_evaluation` and
    `static_lists.add_members` do.
    """
    require_permission(by, static_lists.CHANGE)
    mode = _checked_mode(mode)
    stored = stored_evaluations.current_or_new_evaluation(smart_list, by)
    if (stored.count or 0) > MAX_AT_ONCE:
        message = _("At most %(limit)s people can be copied at once; use a job for more.") % {"limit": MAX_AT_ONCE}
        raise RejectedError(Problem(Code.TOO_MANY, message))
    return _copy(stored, static_list, source, by, mode)


@transaction.atomic
def plan_copy(
    smart_list: SmartList, static_list: StaticList, by: Any, *, mode: str = Mode.ADD, every_minutes: int | None = None
) -> ListCopy:
    """Queue a copy of the members, evaluated anew each time: now, and every so many minutes if given.

    A second plan for the same two lists replaces the first. Raises `RejectedError` (`out_of_range`, `bad_mode`,
    `unknown_list`, `in_use` where another schedule conflicts with this one), `NotAllowedError`.
    """
    require_permission(by, static_lists.CHANGE)
    require_permission(by, stored_evaluations.VIEW)
    mode = _checked_mode(mode)
    if every_minutes is not None and not LEAST_MINUTES <= every_minutes <= MAX_SCHEDULE_MINUTES:
        raise RejectedError(bad_value(Code.OUT_OF_RANGE, _("15 to 44,640 minutes"), every_minutes, "every_minutes"))
    locked = StaticList.objects.select_for_update().filter(pk=static_list.pk).first()
    if locked is None:
        raise RejectedError(
            Problem(Code.UNKNOWN_LIST, _("This static list does not exist any more."), ("static_list",))
        )
    if not SmartList.objects.select_for_update(of=("self",)).filter(pk=smart_list.pk).exists():
        raise RejectedError(Problem(Code.UNKNOWN_LIST, _("The smart list no longer exists.")))
    _refuse_conflict(smart_list, locked, mode, every_minutes)
    now = timezone.now()
    copy, _is_new = ListCopy.objects.update_or_create(
        smart_list=smart_list,
        static_list=locked,
        defaults={
            "mode": mode,
            "every_minutes": every_minutes,
            "state": State.WAITING,
            "asked_at": now,
            "progressed_at": now,
            "problem": "",
            "created_by": by,
        },
    )
    if every_minutes is not None:
        audit.write_audit_entry(by, locked, "copy_planned", smart_list=smart_list.name, minutes=every_minutes)
    _defer(copy)
    return copy


@transaction.atomic
def end_copy(copy: ListCopy, by: Any) -> None:
    """End a copy; the people copied stay on the static list."""
    require_permission(by, static_lists.CHANGE)
    if copy.every_minutes is not None:
        audit.write_audit_entry(by, copy.static_list, "copy_ended", smart_list=copy.smart_list.name)
    ListCopy.objects.filter(pk=copy.pk).delete()


def run_copy(copy_id: int) -> CopyResult | None:
    """Run a requested copy; None when none is waiting. A refusal is stored with the copy and raised.

    A copy that runs once is deleted when it is done. A copy that is ended or requested anew meanwhile stops after
    the present batch.
    """
    with ListCopy.claimed(copy_id) as copy:
        if copy is None:
            return None
        try:
            stored = stored_evaluations.evaluate_list(copy.smart_list, None)
            source = Source(Channel.SYSTEM, copy.created_by_id, copy.pk)
            copied = _copy(stored, copy.static_list, source, copy.created_by, copy.mode, copy)
        except JobLostError:
            return None
        except Exception as error:
            copy.fail(job_model.error_text(error))
            raise
        if copy.every_minutes is None:
            copy.mine().delete()
        else:
            copy.finish(as_of=copied.as_of, joined=copied.joined, left=copied.left, problem="")
        return copied


def queue_due_copies(now: datetime | None = None) -> Sequence[int]:
    """Queue the copies that are due; returns their ids."""
    now = now or timezone.now()
    ended = ListCopy.objects.filter(state__in=(State.DONE, State.FAILED), smart_list__is_archived=False)
    queued_ids = []
    for copy in ended.filter(asked_at__lte=now - F("every_minutes") * timedelta(minutes=1)).order_by("pk"):
        with transaction.atomic():
            if copy.mine().update(state=State.WAITING, asked_at=now, progressed_at=now):
                _defer(copy)
                queued_ids.append(copy.pk)
    return queued_ids


def _defer(copy: ListCopy) -> None:
    jobs.defer_job("smartlists.copy_members", copy_id=copy.pk)


def _copy(
    stored: StoredEvaluation, static_list: StaticList, source: Source, by: Any, mode: str, job: ListCopy | None = None
) -> CopyResult:
    members = stored.person_ids
    present = BitMap(StaticListMember.objects.of_list(static_list.pk).values_list("person_id", flat=True).iterator())
    removed = 0
    if mode == Mode.REPLACE:
        removed = static_lists.remove_all_members(static_list, _with_heartbeat(present - members, job), source)
    added = static_lists.add_all_members(static_list, _with_heartbeat(members - present, job), source)
    for action, count in (("members_added", added), ("members_removed", removed)):
        if count:
            audit.write_audit_entry(by, static_list, action, count=count)
    return CopyResult(added, removed, stored.as_of or timezone.now())


def _with_heartbeat(person_ids: Iterable[int], job: ListCopy | None) -> Iterator[int]:
    """Yield the ids, with a heartbeat after each batch."""
    for number, person_id in enumerate(person_ids, 1):
        yield person_id
        if job is not None and number % static_lists.MAX_BATCH == 0:
            job.beat()


def _checked_mode(mode: str) -> str:
    if mode not in Mode.values:
        raise RejectedError(bad_value(Code.BAD_MODE, " / ".join(Mode.values), mode, "mode"))
    return mode


def _refuse_conflict(smart_list: SmartList, static_list: StaticList, mode: str, every_minutes: int | None) -> None:
    """Refuse a schedule that conflicts with another one: one would remove the people that the other adds, forever."""
    schedules = ListCopy.objects.filter(static_list=static_list, every_minutes__isnull=False).exclude(
        smart_list=smart_list
    )
    if mode != Mode.REPLACE:
        schedules = schedules.filter(mode=Mode.REPLACE)
    conflicting = schedules.select_related("smart_list").first()
    if every_minutes is not None and conflicting is not None:
        message = _("“%(list)s” is already filled from “%(other)s”, and each would remove the people the other adds.")
        names = {"list": static_list.name, "other": conflicting.smart_list.name}
        raise RejectedError(Problem(Code.IN_USE, message % names, ("static_list",)))
