"""Takes an import back: what it recorded, and the people whom it created and nothing else has touched since.

Values that it changed of people who were known stay: they are listed, for somebody to judge. The people can be
restored like all deleted ones; external ids are free again, so that the corrected file can be imported.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core import audit, job_model, jobs, permissions, personal_data
from people.core.codes import Code
from people.core.db import locks
from people.core.db.outages import is_outage
from people.core.errors import NotAllowedError, Problem, RejectedError
from people.core.personal_data import Arrival
from people.core.source import Channel, Source
from people.files.imports import jobs as import_jobs
from people.files.imports import traces
from people.files.imports.traces import Change
from people.files.models import Import
from people.models import Person
from people.persons import deletion

RIGHT = "people.take_back_import"
DELETE = "people.delete_person"
PART = 2_000  # people a transaction: nobody records or changes anybody meanwhile
SHOWN = 200  # changed values
SHOWN_PEOPLE = 20
MAX_REASON = 200
COUNTED = ("activities", "people")  # of what goes
State = Import.State
logger = logging.getLogger(__name__)

audit.describe(
    {
        "import_undone": (
            3,
            gettext_lazy("Took back an import: %(count)s activities removed, %(people)s people deleted (%(reason)s)"),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Preview:
    """What taking an import back would do now.

    `kept` counts the people whom the import created and who stay, by the table whose rows are why; some of them are
    `kept_people`. `changed` is how many values of people known before it changed, which stay; some are `changes`.
    """

    activities: int
    people: int
    kept: Mapping[str, int]
    kept_people: Sequence[tuple[Person, str]]
    changed: int
    changes: Sequence[Change]

    @property
    def does_nothing(self) -> bool:
        return not (self.activities or self.people)


def may(job: Import, by: Any) -> bool:
    """Whether `by` may take imports back and `job` is one that can be."""
    rights = (RIGHT, DELETE) if job.created else (RIGHT,)
    return (by is None or all(map(by.has_perm, rights))) and _problem(job) is None


def preview(job: Import, by: Any) -> Preview:
    """What `take_back` would do; nothing is changed. Raises `RejectedError` and `NotAllowedError`."""
    _check(job, by)
    log = traces.of_log()
    people, kept, shown = 0, Counter[str](), dict[int, str]()
    for part in _parts(job):
        touched = _touched(part, _arrival(job))
        people += len(part) - len(touched)
        kept.update(touched.values())
        shown |= dict(list(touched.items())[: SHOWN_PEOPLE - len(shown)])
    known = Person.objects.in_bulk(shown)
    changed, changes = log.changes(job, SHOWN)
    return Preview(
        log.recorded(job),
        people,
        kept,
        [(known[pk], table) for pk, table in shown.items() if pk in known],
        changed,
        changes,
    )


@transaction.atomic
def take_back(job: Import, reason: str, by: Any, *, queue: bool = True) -> None:
    """Have the import taken back, for `reason`; the work is queued in the same transaction, unless the caller runs it.

    Safe to say again: what is left is taken back. Raises `RejectedError` for imports that run or recorded nothing,
    and `NotAllowedError`.
    """
    _check(job, by)
    if not reason.strip():
        raise RejectedError(Problem(Code.MISSING_VALUE, _("Say why, for the log of edits."), ("reason",)))
    earlier = Import.objects.select_for_update().values_list("undo", flat=True).get(pk=job.pk) or {}
    removed = {name: earlier.get(name, 0) for name in COUNTED}
    undo: dict[str, Any] = {
        "reason": reason.strip()[:MAX_REASON],
        "by": by.pk if by is not None else None,
        "at": timezone.now().isoformat(),
        **removed,  # all that ever went
        "noted": earlier.get("noted", {}),  # what of it is in the log of edits already
        "kept": {},
    }
    # from here on nothing can resume it
    changed = Import.objects.filter(pk=job.pk, state=job.state, wish="").update(
        state=State.TAKEN_BACK, wish=Import.Wish.UNDO, undo=undo, problem=""
    )
    if not changed:
        raise RejectedError(_wrong_state())
    job.refresh_from_db()
    if queue:
        jobs.defer("people.take_back_import", import_id=job.pk)


def run(pk: int) -> None:
    """Take back what is left of an import that is to be; does nothing when another process is at it."""
    with locks.alone(locks.Space.IMPORT, pk) as is_mine:
        job = Import.objects.filter(pk=pk, wish=Import.Wish.UNDO).first()
        if not is_mine or job is None:
            return
        if not _take_try(job):
            return
        by = get_user_model().objects.filter(pk=(job.undo or {})["by"]).first()
        try:
            _run(job, by)
        except Exception as error:
            if is_outage(error):
                raise
            if not isinstance(error, RejectedError):
                logger.exception("taking import %s back", pk)
            _note_failure(pk, error)


def interrupted() -> list[int]:
    """Imports that are to be taken back and that no process is at: theirs was killed."""
    found = []
    for pk in Import.objects.filter(wish=Import.Wish.UNDO).values_list("pk", flat=True):
        with locks.alone(locks.Space.IMPORT, pk) as is_mine:
            if is_mine:
                found.append(pk)
    return found


def reasons(kept: Mapping[str, int]) -> list[tuple[Any, int]]:
    """Why people stay, in the reader's words, with how many; by the tables of `Preview.kept`."""
    return [(reason(table), number) for table, number in sorted(kept.items(), key=lambda pair: -pair[1])]


def reason(table: str) -> Any:
    """Why somebody stays of whom `table` has rows."""
    labels = {one.table: one.label for one in personal_data.tables()}
    return _("changes made since") if table == "person" else labels.get(table, table)


def has_failed(job: Import) -> bool:
    """Whether taking it back stopped before its end, for the import's `problem`; it can be asked for again."""
    return bool((job.undo or {}).get("has_failed"))


def _take_try(job: Import) -> bool:
    """Count a try before it is made: one that kills its process counts, too. False: it was tried too often."""
    undo = job.undo = {**(job.undo or {})}
    undo["tries"] = undo.get("tries", 0) + 1
    if undo["tries"] <= job_model.MAX_TRIES:
        Import.objects.filter(pk=job.pk).update(undo=undo)
        return True
    problem = job.problem or job_model.no_answer(job_model.MAX_TRIES)
    Import.objects.filter(pk=job.pk).update(undo=undo | {"has_failed": True}, wish="", problem=problem)
    return False


def _note_failure(pk: int, error: Exception) -> None:
    """Keep why it failed: for good when the right is gone (meanwhile), or after the last try."""
    undo: dict[str, Any] = Import.objects.values_list("undo", flat=True).get(pk=pk) or {}
    is_over = isinstance(error, RejectedError) or undo["tries"] >= job_model.MAX_TRIES
    Import.objects.filter(pk=pk).update(
        undo=undo | {"has_failed": is_over},
        wish="" if is_over else Import.Wish.UNDO,
        problem=job_model.reason_of(error, undo["tries"]),
    )


def _run(job: Import, by: Any) -> None:
    undo: dict[str, Any] = job.undo or {}
    if by is None and undo["by"] is not None:
        raise NotAllowedError(Problem(Code.NOT_ALLOWED, _("Who asked for it is no user any more.")))
    _require(job, by)
    log = traces.of_log()

    def note(removed: int) -> None:
        undo["activities"] += removed
        undo["tries"] = 0 if removed else undo["tries"]
        Import.objects.filter(pk=job.pk).update(undo=undo, progressed_at=timezone.now())

    log.remove(job, by, note)
    source = Source(Channel.IMPORT, undo["by"], job.pk, undo["reason"])
    kept = Counter[str]()
    for part in _parts(job):
        with transaction.atomic():
            # nobody records or changes anybody between the look and the deletion
            deletion.lock_for_removal(part)
            touched = _touched(part, _arrival(job))
            untouched = [pk for pk in part if pk not in touched]
            if untouched:
                outcomes = deletion.delete(untouched, by, source)
                undo["people"] += sum(outcome.status is deletion.Status.DELETED for outcome in outcomes)
                undo["tries"] = 0
            kept.update(touched.values())
            Import.objects.filter(pk=job.pk).update(undo=undo, progressed_at=timezone.now())
    undo["kept"] = dict(kept)
    count, people = (undo[name] - undo.get("noted", {}).get(name, 0) for name in COUNTED)
    undo["noted"] = {name: undo[name] for name in COUNTED}
    with transaction.atomic():
        Import.objects.filter(pk=job.pk).update(undo=undo, wish="", problem="")
        audit.note(by, job, "import_undone", count=count, people=people, reason=undo["reason"])


def _wrong_state() -> Problem:
    return Problem(Code.WRONG_STATE, _("Pause or cancel the import first."))


def _problem(job: Import) -> Problem | None:
    """Why the import cannot be taken back."""
    if job.is_running or job.wish:
        return _wrong_state()
    if job.state in (State.UPLOADED, State.CHECKED):
        return Problem(Code.NOTHING_RECORDED, _("There is nothing to take back: this import recorded nothing."))
    if job.first_id is None:
        return Problem(Code.NOTHING_RECORDED, _("It is not known what this import recorded: it was made long ago."))
    return None


def _check(job: Import, by: Any) -> None:
    _require(job, by)
    problem = _problem(job)
    if problem is not None:
        raise RejectedError(problem)


def _require(job: Import, by: Any) -> None:
    import_jobs.require_for(job, by)
    permissions.require(by, RIGHT)
    if job.created:
        permissions.require(by, DELETE)


def _arrival(job: Import) -> Arrival:
    ended_at: datetime = job.finished_at or job.progressed_at or job.created_at
    return Arrival(job.pk, job.first_id or 0, job.last_id or 0, ended_at)


def _parts(job: Import) -> Iterator[Sequence[int]]:
    """Whom the import created, some at a time, without those who are gone already."""
    after = 0
    while some := traces.of_log().created(job, after, PART, is_live=True):
        yield sorted(created.person_id for created in some)
        after = some[-1].activity_id


def _touched(person_ids: Sequence[int], arrival: Arrival) -> dict[int, str]:
    """The people who stay, each with the table whose rows are why."""
    found: dict[int, str] = {}
    for owned in personal_data.tables():
        left = [pk for pk in person_ids if pk not in found]
        found |= dict.fromkeys(owned.touched(left, arrival) if left else (), owned.table)
    return found
