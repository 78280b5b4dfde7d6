"""Stored evaluations: the source of page, export and API, so that all show the same number as of the same moment.

An evaluation is requested, run by the first worker that claims it, and stored as a whole. Then the list refers to it,
by one update that never returns to an older evaluation. The rows are the list's history: who joined, who left, each
since the evaluation that came before it; of old automatic ones only the last of each day stays, so that
theirs no longer add up. Of automatic refreshes that changed nothing, one row after each change
keeps the moment of the latest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, Sum
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone
from django.utils.translation import gettext as _
from pyroaring import BitMap

from people.core import job_model, jobs
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError
from people.core.installation import installation_zone
from people.core.permissions import require_permission
from people.models import Person
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.evaluation.evaluator import Evaluation
from smartlists.evaluation.postgres import snapshot
from smartlists.models import ListWatch, SmartList, StoredEvaluation, bitmap
from smartlists.rights import VIEW_SMARTLIST
from smartlists.rules import model as rules
from smartlists.rules.parsing import parse_rules

State = StoredEvaluation.State
VIEW = VIEW_SMARTLIST
QUICK_SECONDS = 2.0  # evaluations that take less are repeated by themselves
REFRESH_EVERY = timedelta(hours=1)
REFRESH_SHARE = 0.05  # of a processor, for all lists together
KEPT = 100  # evaluations of a list that keep their members; older ones keep their counts
KEPT_DAYS = 730  # of which older automatic evaluations are kept, the last one of each day
DELETED_AT_ONCE = 1_000  # old evaluations, after each one that ends


def current_or_new_evaluation(smart_list: SmartList, by: Any) -> StoredEvaluation:
    """The list's current evaluation; a new one if there is none of its present rules.

    Raises `RejectedError` (`timeout`), `NotAllowedError`.
    """
    require_permission(by, VIEW)
    return current_evaluation(smart_list) or evaluate_list(smart_list, by)


def current_evaluation(smart_list: SmartList) -> StoredEvaluation | None:
    """The list's current evaluation; None if its rules were changed since."""
    current = StoredEvaluation.objects.select_related("smart_list").filter(current_of=smart_list.pk).first()
    return None if current is None or current.has_other_rules else current


def lock_current_evaluation(list_id: int) -> StoredEvaluation | None:
    """The list's current evaluation, whose moment stays until the caller's transaction ends; also of former rules."""
    rows = StoredEvaluation.objects.select_for_update(of=("self",), no_key=True)
    return rows.filter(current_of=list_id).first()


def evaluate_list(
    smart_list: SmartList, by: Any, seconds: float | None = None, now: datetime | None = None
) -> StoredEvaluation:
    """Evaluate the list synchronously and make the result current.

    With `now` the periods of its rules end at that moment, on today's people and activities, and the result is as of
    it: a row of the list's history, current only where no later one is.
    Raises `RejectedError` (`timeout`, `cancelled`, `unknown_list`), `NotAllowedError`.
    """
    stored = _create_request(smart_list, by)
    return run_evaluation(stored.pk, seconds, is_refresh=False, now=now) or stored


@transaction.atomic
def request_evaluation(smart_list: SmartList, by: Any) -> StoredEvaluation:
    """Queue an evaluation of the list; return a waiting one with the same rules instead, if any."""
    require_permission(by, VIEW)
    waiting = smart_list.evaluations.filter(state=State.PENDING, rules=smart_list.rules).first()
    if waiting is not None and (by is None or _assign_requester(waiting, by)):
        return waiting
    stored = _create_request(smart_list, by)
    jobs.defer_job("smartlists.run_evaluation", evaluation_id=stored.pk)
    return stored


def _assign_requester(waiting: StoredEvaluation, by: Any) -> bool:
    """Make a refresh that waits the user's, so that its row stays; False if a worker has begun with it."""
    rows = StoredEvaluation.objects.filter(pk=waiting.pk, state=State.PENDING)
    return bool(rows.update(requested_by=waiting.requested_by or by))


def run_evaluation(
    evaluation_id: int, seconds: float | None = None, *, is_refresh: bool = True, now: datetime | None = None
) -> StoredEvaluation | None:
    """Run a requested evaluation; None when another process runs it or has done it.

    With `is_refresh`, an automatic one that changed nothing is not kept: the one before it, which is
    returned, is as of the new moment. `now` as in `evaluate_list`.

    An error is stored with the evaluation and raised (`RejectedError`: `cancelled` also for a result that arrives
    after the evaluation was cancelled or given up).
    """
    with StoredEvaluation.claimed(evaluation_id) as stored:
        if stored is None:
            return None
        try:
            evaluation = evaluator.evaluate_rules(
                rules.load_rules(stored.rules), now=now, seconds=seconds, tag=str(evaluation_id)
            )
        except Exception as error:
            stored.fail(job_model.error_text(error))
            _delete_old(stored.smart_list_id)
            raise
        kept = _store(stored, evaluation, is_refresh and stored.requested_by_id is None)
    _delete_old(kept.smart_list_id)
    return kept


def cancel_evaluation(stored: StoredEvaluation, by: Any) -> bool:
    """Cancel an evaluation; return whether it was waiting or running."""
    require_permission(by, VIEW)
    is_cancelled = stored.cancel(problem=_cancelled().message)
    return snapshot.cancel_evaluations(str(stored.pk)) or is_cancelled


def count_people(value: Any, by: Any, tag: str, seconds: float | None = None) -> Evaluation:
    """Evaluate unsaved rules; an older count under the same `tag` is cancelled.

    `value` is the JSON form or `Rules`. Raises `RejectedError`: `cancelled` when a newer count replaced it.
    """
    require_permission(by, VIEW)
    parsed = value if isinstance(value, rules.Rules) else parse_rules(value, Catalogue())
    snapshot.cancel_evaluations(f"count {tag}")
    return evaluator.evaluate_rules(parsed, seconds=seconds, tag=f"count {tag}")


def page_of_members(stored: StoredEvaluation, start: int, size: int) -> list[int]:
    """The ids of some members, in ascending order from the `start`-th on."""
    return list(stored.person_ids[start : start + size])


def membership_changes(stored: StoredEvaluation) -> tuple[BitMap, BitMap]:
    """The people who joined and who left the list since the evaluation before this one."""
    return bitmap(stored.joined), bitmap(stored.left)


def due_lists(now: datetime | None = None) -> Sequence[SmartList]:
    """Lists that are due: with a schedule, and those refreshed automatically for which there is time left this hour."""
    now = now or timezone.now()
    scheduled = SmartList.objects.filter(evaluate_every_minutes__isnull=False, is_archived=False)
    recent = StoredEvaluation.objects.filter(
        requested_at__gt=now - F("smart_list__evaluate_every_minutes") * timedelta(minutes=1)
    )
    return [*scheduled.exclude(pk__in=recent.values("smart_list")), *_due_automatically(now)]


def is_too_slow_to_refresh(smart_list: SmartList) -> bool:
    """True if the last evaluation of a list failed, or took too long for it to be refreshed automatically."""
    last = smart_list.evaluations.filter(state__in=(State.DONE, State.FAILED)).order_by("-requested_at", "-pk").first()
    return last is not None and (last.state == State.FAILED or (last.seconds or 0.0) >= QUICK_SECONDS)


@dataclass(frozen=True, slots=True)
class RefreshPlan:
    """The next automatic evaluation of a list, with its reason. `at`: None if only a user's request causes one."""

    reason: str  # "schedule", "automatic", "slow", "on_request" or "archived"
    at: datetime | None = None


def refresh_plan(smart_list: SmartList) -> RefreshPlan:
    """The plan of a list with a current evaluation; an automatic one is due then at the earliest."""
    last = smart_list.current.requested_at if smart_list.current else timezone.now()
    if smart_list.is_archived:
        return RefreshPlan("archived")
    if smart_list.evaluate_every_minutes:
        return RefreshPlan("schedule", last + timedelta(minutes=smart_list.evaluate_every_minutes))
    if not smart_list.is_refreshed:
        return RefreshPlan("on_request")
    if is_too_slow_to_refresh(smart_list):
        return RefreshPlan("slow")
    return RefreshPlan("automatic", last + REFRESH_EVERY)


def _due_automatically(now: datetime) -> list[SmartList]:
    """Lists without a schedule that were counted once, quickly, an hour ago or longer; the longest ago first.

    As many as fit into what is left of `REFRESH_SHARE` of the past hour, by the seconds each took last time.
    """
    hour_ago = now - REFRESH_EVERY
    of_the_hour = StoredEvaluation.objects.filter(requested_at__gt=hour_ago)
    later_failure = StoredEvaluation.objects.filter(
        smart_list=OuterRef("pk"), state=State.FAILED, requested_at__gt=OuterRef("current__requested_at")
    )
    automatic = {"evaluate_every_minutes__isnull": True, "is_refreshed": True}
    due = (
        SmartList.objects.filter(**automatic, is_archived=False, current__seconds__lt=QUICK_SECONDS)
        .exclude(pk__in=of_the_hour.values("smart_list"))
        .exclude(Exists(later_failure))
        .order_by("current__requested_at", "pk")
        .annotate(last_seconds=F("current__seconds"))
    )
    spent = of_the_hour.filter(
        requested_by__isnull=True, **{f"smart_list__{name}": value for name, value in automatic.items()}
    ).aggregate(seconds=Sum(Coalesce("seconds", F("smart_list__current__seconds"), 0.0)))["seconds"]
    left = REFRESH_SHARE * REFRESH_EVERY.total_seconds() - (spent or 0.0)
    costs = accumulate(smart_list.last_seconds for smart_list in due)
    return [smart_list for smart_list, cost in zip(due, costs, strict=True) if cost <= left]


def remove_from_current_evaluations(person_ids: Iterable[int]) -> None:
    """Remove deleted people from the current evaluations of lists; earlier evaluations stay unchanged."""
    _remove_people(StoredEvaluation.objects.filter(current_of__isnull=False), BitMap(person_ids), ("members",))


def erase_from_evaluations(person_ids: Iterable[int]) -> None:
    """Remove people from all evaluations, past and current."""
    _remove_people(StoredEvaluation.objects.all(), BitMap(person_ids), ("members", "joined", "left"))


def evaluations_with_people(person_ids: Iterable[int]) -> list[StoredEvaluation]:
    """The evaluations in which any of the people occur, oldest first."""
    people = BitMap(person_ids)
    rows = StoredEvaluation.objects.filter(state=State.DONE).select_related("smart_list").order_by("pk")
    return [
        row
        for row in rows.iterator(100)
        if any(people.intersect(bitmap(part)) for part in (row.members, row.joined, row.left))
    ]


def _create_request(smart_list: SmartList, by: Any) -> StoredEvaluation:
    require_permission(by, VIEW)
    current = SmartList.objects.filter(pk=smart_list.pk).first()
    if current is None:
        raise RejectedError(Problem(Code.UNKNOWN_LIST, _("The smart list no longer exists.")))
    return StoredEvaluation.objects.create(
        smart_list=current, rules=current.rules, revision=current.revision, requested_by=by
    )


@transaction.atomic
def _store(stored: StoredEvaluation, evaluation: Evaluation, is_refresh: bool) -> StoredEvaluation:
    # people deleted meanwhile must not be members, so wait for a deletion under way
    locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
    # a watch of the list may be written meanwhile by a holder of its evaluation's lock
    smart_list = SmartList.objects.select_for_update(no_key=True).get(pk=stored.smart_list_id)
    not_live = BitMap(Person.objects.exclude(state=Person.State.LIVE).values_list("pk", flat=True))
    members = evaluation.members - not_live
    earlier = smart_list.evaluations.filter(state=State.DONE, as_of__lt=evaluation.as_of, members__isnull=False)
    before, *older = [*earlier.order_by("-as_of")[:2], None]
    earlier_members = before.person_ids if before else BitMap()
    is_repeat = is_refresh and before is not None and older[0] is not None and _is_unchanged_refresh(before, smart_list)
    if is_repeat and before is not None and members == earlier_members and stored.rules == before.rules:
        return _extend_current(before, stored, evaluation)
    is_stored = stored.finish(
        as_of=evaluation.as_of,
        seconds=evaluation.seconds,
        per_filter=[part.count for part in evaluation.per_filter],
        count=len(members),
        members=_serialize(members),
        joined=_serialize(members - earlier_members),
        left=_serialize(earlier_members - members),
    )
    if not is_stored:
        raise snapshot.CancelledError(_cancelled())
    is_newest = Q(current__isnull=True) | Q(current__as_of__lt=stored.as_of)
    SmartList.objects.filter(is_newest, pk=smart_list.pk).update(current=stored)
    old = smart_list.evaluations.filter(members__isnull=False).order_by("-pk").values("pk")[KEPT:]
    StoredEvaluation.objects.filter(pk__in=list(old.values_list("pk", flat=True))).update(members=None)
    return stored


def _is_unchanged_refresh(row: StoredEvaluation, smart_list: SmartList) -> bool:
    """True for the list's current evaluation if it is a refresh that changed nothing itself."""
    changes = any(bitmap(part) for part in (row.joined, row.left))
    return row.pk == smart_list.current_id and row.requested_by_id is None and not changes


def _extend_current(current: StoredEvaluation, stored: StoredEvaluation, evaluation: Evaluation) -> StoredEvaluation:
    """Give the current evaluation the time of a newer one with the same members, which is deleted."""
    if not stored.mine().delete()[0]:
        raise snapshot.CancelledError(_cancelled())
    current.as_of, current.seconds, current.requested_at = evaluation.as_of, evaluation.seconds, stored.requested_at
    current.per_filter = [part.count for part in evaluation.per_filter]
    current.save(update_fields=["as_of", "seconds", "requested_at", "per_filter"])
    # campaigns that watch the list read the changes since the moment up to which they have its members
    ListWatch.objects.filter(evaluation_id=current.pk).update(as_of=current.as_of)
    return current


def _delete_old(list_id: int) -> None:
    """Delete old automatic evaluations, but the last one of each day; all of them after `KEPT_DAYS`.

    Days are those of the installation's zone. The newest `KEPT` stay, as pages and exports may be reading them, and the
    current one. Deletes up to `DELETED_AT_ONCE` rows, the rest next time.
    """
    rows = StoredEvaluation.objects.filter(smart_list=list_id, state__in=(State.DONE, State.FAILED))
    oldest = rows.order_by("-pk").values_list("pk", flat=True)[KEPT - 1 : KEPT].first()
    if oldest is None:
        return
    old = rows.filter(pk__lt=oldest, requested_by__isnull=True, current_of__isnull=True)
    day = TruncDate("as_of", tzinfo=installation_zone())
    later = rows.filter(state=State.DONE, as_of__gt=OuterRef("as_of")).annotate(day=day).filter(day=OuterRef("day"))
    too_old = Q(requested_at__lt=timezone.now() - timedelta(days=KEPT_DAYS))
    gone = old.annotate(day=day).filter(too_old | Q(state=State.FAILED) | Exists(later))
    ids = list(gone.order_by("pk").values_list("pk", flat=True)[:DELETED_AT_ONCE])
    # no list names these, and none will: a list never returns to an older evaluation. Django would load all rows
    # to look for lists that do.
    with connection.cursor() as cursor:
        cursor.execute("delete from smart_list_evaluation where id = any(%s)", [ids])


def _cancelled() -> Problem:
    return Problem(Code.CANCELLED, _("The evaluation was cancelled."))


def _serialize(people: BitMap) -> bytes:
    people.run_optimize()
    return people.serialize()


def _remove_people(rows: Any, people: BitMap, columns: Sequence[str]) -> None:
    for row in rows.select_for_update().order_by("pk").iterator(100):
        parts = {name: bitmap(getattr(row, name)) for name in columns if getattr(row, name) is not None}
        if not any(people.intersect(part) for part in parts.values()):
            continue
        for name, part in parts.items():
            setattr(row, name, _serialize(part - people))
        if row.members is not None and row.count is not None:
            row.count = len(row.person_ids)
        row.save(update_fields=[*parts, "count"])
