"""Stored evaluations: what page, export and API show, so that all show the same number as of the same moment.

An evaluation is asked for, run by whoever is first, and stored whole; then the list points to it, in one update
that never goes back to an older one. Its rows are the list's history: who joined, who left.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from pyroaring import BitMap

from people.core import job_model, jobs
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError
from people.core.permissions import require
from people.models import Person
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.evaluation.evaluator import Evaluation
from smartlists.evaluation.postgres import snapshot
from smartlists.models import SmartList, StoredEvaluation, bitmap
from smartlists.rules import model as rules
from smartlists.rules.parsing import parse_rules

State = StoredEvaluation.State
VIEW = "smartlists.view_smartlist"
KEPT = 100  # evaluations of a list that keep their members; older ones keep their counts


def shown(smart_list: SmartList, by: Any) -> StoredEvaluation:
    """What everybody sees of the list: its current evaluation; a new one where there is none of its present rules.

    Raises `RejectedError` (`timeout`), `NotAllowedError`.
    """
    require(by, VIEW)
    return known(smart_list) or evaluate(smart_list, by)


def known(smart_list: SmartList) -> StoredEvaluation | None:
    """The list's current evaluation, unless its rules were changed since."""
    current = StoredEvaluation.objects.select_related("smart_list").filter(current_of=smart_list.pk).first()
    return None if current is None or current.has_other_rules else current


def evaluate(smart_list: SmartList, by: Any, seconds: float | None = None) -> StoredEvaluation:
    """Evaluate the list here and now, and show the result from now on.

    Raises `RejectedError` (`timeout`, `cancelled`, `unknown_list`), `NotAllowedError`.
    """
    stored = _ask(smart_list, by)
    return run(stored.pk, seconds) or stored


@transaction.atomic
def request(smart_list: SmartList, by: Any) -> StoredEvaluation:
    """Queue an evaluation of the list; one that waits with the same rules is returned instead."""
    require(by, VIEW)
    waiting = smart_list.evaluations.filter(state=State.PENDING, rules=smart_list.rules).first()
    if waiting is not None:
        return waiting
    stored = _ask(smart_list, by)
    jobs.defer("smartlists.run_evaluation", evaluation_id=stored.pk)
    return stored


def run(evaluation_id: int, seconds: float | None = None) -> StoredEvaluation | None:
    """Do what was asked for; None when somebody else does it or has done it.

    What goes wrong is kept with the evaluation and raised (`RejectedError`: `cancelled` also for an answer that comes
    after the evaluation was cancelled or given up).
    """
    with StoredEvaluation.claimed(evaluation_id) as stored:
        if stored is None:
            return None
        try:
            found = evaluator.evaluate(rules.load(stored.rules), seconds=seconds, tag=str(evaluation_id))
        except Exception as error:
            stored.fail(job_model.problem_of(error))
            raise
        return _store(stored, found)


def cancel(stored: StoredEvaluation, by: Any) -> bool:
    """End an evaluation whose answer is no longer wanted; whether there was something to end."""
    require(by, VIEW)
    is_cancelled = stored.cancel(problem=_cancelled().message)
    return snapshot.cancel(str(stored.pk)) or is_cancelled


def count(value: Any, by: Any, tag: str, seconds: float | None = None) -> Evaluation:
    """How many people rules that are not saved would find; an older count under the same `tag` ends.

    `value` is the JSON form or `Rules`. Raises `RejectedError`: `cancelled` when a newer count took its place.
    """
    require(by, VIEW)
    parsed = value if isinstance(value, rules.Rules) else parse_rules(value, Catalogue())
    snapshot.cancel(f"count {tag}")
    return evaluator.evaluate(parsed, seconds=seconds, tag=f"count {tag}")


def page_of(stored: StoredEvaluation, start: int, size: int) -> list[int]:
    """The ids of some members, in ascending order from the `start`-th on."""
    return list(stored.person_ids[start : start + size])


def changes_of(stored: StoredEvaluation) -> tuple[BitMap, BitMap]:
    """Who joined and who left the list since the evaluation before this one."""
    return bitmap(stored.joined), bitmap(stored.left)


def due(now: datetime | None = None) -> Sequence[SmartList]:
    """Lists whose schedule wants an evaluation now: none was asked for within their interval."""
    now = now or timezone.now()
    scheduled = SmartList.objects.filter(evaluate_every_minutes__isnull=False, is_archived=False)
    recent = StoredEvaluation.objects.filter(
        requested_at__gt=now - F("smart_list__evaluate_every_minutes") * timedelta(minutes=1)
    )
    return list(scheduled.exclude(pk__in=recent.values("smart_list")))


def take_out(person_ids: Iterable[int]) -> None:
    """Take people who are no longer there off what lists show now; earlier evaluations stay as they were."""
    _without(StoredEvaluation.objects.filter(current_of__isnull=False), BitMap(person_ids), ("members",))


def forget(person_ids: Iterable[int]) -> None:
    """Take people out of every evaluation there ever was."""
    _without(StoredEvaluation.objects.all(), BitMap(person_ids), ("members", "joined", "left"))


def naming(person_ids: Iterable[int]) -> list[StoredEvaluation]:
    """The evaluations in which any of the people occur, oldest first."""
    gone = BitMap(person_ids)
    rows = StoredEvaluation.objects.filter(state=State.DONE).select_related("smart_list").order_by("pk")
    return [
        row
        for row in rows.iterator(100)
        if any(gone.intersect(bitmap(part)) for part in (row.members, row.joined, row.left))
    ]


def _ask(smart_list: SmartList, by: Any) -> StoredEvaluation:
    require(by, VIEW)
    now = SmartList.objects.filter(pk=smart_list.pk).first()
    if now is None:
        raise RejectedError(Problem(Code.UNKNOWN_LIST, _("The smart list is no longer there.")))
    return StoredEvaluation.objects.create(smart_list=now, rules=now.rules, revision=now.revision, requested_by=by)


@transaction.atomic
def _store(stored: StoredEvaluation, found: Evaluation) -> StoredEvaluation:
    # whoever is deleted meanwhile leaves what lists show, so a deletion under way has to be waited for
    locks.share([locks.key(locks.Space.PEOPLE)])
    smart_list = SmartList.objects.select_for_update().get(pk=stored.smart_list_id)
    gone = BitMap(Person.objects.exclude(state=Person.State.LIVE).values_list("pk", flat=True))
    members = found.members - gone
    earlier = smart_list.evaluations.filter(state=State.DONE, as_of__lt=found.as_of, members__isnull=False)
    before = earlier.order_by("-as_of").first()
    known = before.person_ids if before else BitMap()
    is_stored = stored.finish(
        as_of=found.as_of,
        seconds=found.seconds,
        per_filter=[part.count for part in found.per_filter],
        count=len(members),
        members=_stored(members),
        joined=_stored(members - known),
        left=_stored(known - members),
    )
    if not is_stored:
        raise snapshot.CancelledError(_cancelled())
    is_newest = Q(current__isnull=True) | Q(current__as_of__lt=stored.as_of)
    SmartList.objects.filter(is_newest, pk=smart_list.pk).update(current=stored)
    old = smart_list.evaluations.filter(members__isnull=False).order_by("-pk").values("pk")[KEPT:]
    StoredEvaluation.objects.filter(pk__in=list(old.values_list("pk", flat=True))).update(members=None)
    return stored


def _cancelled() -> Problem:
    return Problem(Code.CANCELLED, _("The evaluation was cancelled."))


def _stored(people: BitMap) -> bytes:
    people.run_optimize()
    return people.serialize()


def _without(rows: Any, gone: BitMap, columns: Sequence[str]) -> None:
    for row in rows.select_for_update().order_by("pk").iterator(100):
        parts = {name: bitmap(getattr(row, name)) for name in columns if getattr(row, name) is not None}
        if not any(gone.intersect(part) for part in parts.values()):
            continue
        for name, part in parts.items():
            setattr(row, name, _stored(part - gone))
        if row.members is not None and row.count is not None:
            row.count = len(row.person_ids)
        row.save(update_fields=[*parts, "count"])
