"""Undoes an import: removes its activities, and deletes the people it created who are untouched since.

Values of existing people that it changed stay: they are listed for a decision by the user. The people can be
restored like all deleted ones. External ids are released, so that the corrected file can be imported. What else a
file can hold is undone by its target (`ImportTarget.undo`).
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
from people.core.personal_data import ImportArrival
from people.core.source import Channel, Source
from people.files.imports import jobs as import_jobs
from people.files.imports import traces
from people.files.imports.targets import TARGETS
from people.files.imports.traces import TracedChange
from people.files.imports.undoing import UndoneRecords
from people.files.models import Import
from people.models import Person
from people.persons import deletion
from people.rights import DELETE_PERSON, TAKE_BACK_IMPORT

RIGHT = TAKE_BACK_IMPORT
DELETE = DELETE_PERSON
PART = 2_000  # people a transaction: recordings and changes are blocked meanwhile
SHOWN = 200  # changed values
SHOWN_PEOPLE = 20
MAX_REASON = 200
# numbers of removed rows, of deleted records of objects, and of those that got their former values back
COUNTED = ("activities", "people", "records", "records_put_back")
State = Import.State
logger = logging.getLogger(__name__)

audit.register_actions(
    {
        "import_undone": (
            3,
            gettext_lazy("Undid an import: %(count)s activities removed, %(people)s people deleted (%(reason)s)"),
        ),
        "import_of_records_undone": (
            3,
            gettext_lazy("Undid an import: %(records)s records deleted, %(put_back)s put back (%(reason)s)"),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class ImportUndoPreview:
    """Preview of the undo of an import.

    `kept` counts the people created by the import who stay, by the table whose rows are the reason; some of them are
    `kept_people`. `changed` is the number of changed values of existing people, which stay; some are `changes`.
    `records` are those of objects.
    """

    activities: int
    people: int
    kept: Mapping[str, int]
    kept_people: Sequence[tuple[Person, str]]
    changed: int
    changes: Sequence[TracedChange]
    records: UndoneRecords

    @property
    def does_nothing(self) -> bool:
        return not (self.activities or self.people or self.records.deleted or self.records.put_back)


def may_undo_import(job: Import, by: Any) -> bool:
    """Return True if `by` has the right to undo imports and `job` can be undone."""
    return (by is None or all(map(by.has_perm, _rights(job)))) and _problem(job) is None


def preview_import_undo(job: Import, by: Any) -> ImportUndoPreview:
    """Preview of `request_import_undo`; nothing is changed. Raises `RejectedError` and `NotAllowedError`."""
    _check(job, by)
    log = traces.log_traces()
    people, kept_counts, reasons_by_id = 0, Counter[str](), dict[int, str]()
    for part in _parts(job):
        touched = _touched(part, _arrival(job))
        people += len(part) - len(touched)
        kept_counts.update(touched.values())
        reasons_by_id |= dict(list(touched.items())[: SHOWN_PEOPLE - len(reasons_by_id)])
    people_by_id = Person.objects.in_bulk(reasons_by_id)
    changed, changes = log.changes(job, SHOWN)
    return ImportUndoPreview(
        log.recorded(job),
        people,
        kept_counts,
        [(people_by_id[pk], table) for pk, table in reasons_by_id.items() if pk in people_by_id],
        changed,
        changes,
        TARGETS[job.kind].preview_undo(job),
    )


@transaction.atomic
def request_import_undo(job: Import, reason: str, by: Any, *, queue: bool = True) -> None:
    """Request the undo of the import, with a `kept_reason`; the job is queued in the same transaction if `queue`.

    Safe to repeat: a later call undoes the rest. Raises `RejectedError` for imports that are running or recorded
    nothing, and `NotAllowedError`.
    """
    _check(job, by)
    if not reason.strip():
        raise RejectedError(Problem(Code.MISSING_VALUE, _("Give a reason for the audit log."), ("reason",)))
    earlier = Import.objects.select_for_update().values_list("undo", flat=True).get(pk=job.pk) or {}
    removed = {name: earlier.get(name, 0) for name in COUNTED}
    undo: dict[str, Any] = {
        "reason": reason.strip()[:MAX_REASON],
        "by": by.pk if by is not None else None,
        "at": timezone.now().isoformat(),
        **removed,  # the totals over all calls
        "noted": earlier.get("noted", {}),  # the part that is in the log of edits already
        "kept": {},
        "records_kept": {},
    }
    # the import cannot be resumed from here on
    changed = Import.objects.filter(pk=job.pk, state=job.state, wish="").update(
        state=State.TAKEN_BACK, wish=Import.Wish.UNDO, undo=undo, problem=""
    )
    if not changed:
        raise RejectedError(_wrong_state())
    job.refresh_from_db()
    if queue:
        jobs.defer_job("people.take_back_import", import_id=job.pk)


def run_import_undo(pk: int) -> None:
    """Undo the rest of an import with a requested undo; does nothing if another process is working on it."""
    with locks.try_session_lock(locks.LockSpace.IMPORT, pk) as is_mine:
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


def interrupted_undo_ids() -> list[int]:
    """Ids of imports with a requested undo that no process is working on: it was killed."""
    import_ids = []
    for pk in Import.objects.filter(wish=Import.Wish.UNDO).values_list("pk", flat=True):
        with locks.try_session_lock(locks.LockSpace.IMPORT, pk) as is_mine:
            if is_mine:
                import_ids.append(pk)
    return import_ids


def kept_reasons(counts_by_table: Mapping[str, int]) -> list[tuple[Any, int]]:
    """The reasons why people stay, as text, with their numbers; from the tables of `Preview.kept`."""
    return [
        (kept_reason(table), number) for table, number in sorted(counts_by_table.items(), key=lambda pair: -pair[1])
    ]


def kept_reason(table: str) -> Any:
    """The reason why a person with rows in `table` stays, as text."""
    labels = {owned.table: owned.label for owned in personal_data.registered_tables()}
    return _("changes made since") if table == "person" else labels.get(table, table)


def has_failed(job: Import) -> bool:
    """Return True if the undo ended early because of the import's `problem`; it can be requested again."""
    return bool((job.undo or {}).get("has_failed"))


def _take_try(job: Import) -> bool:
    """Count a try beforehand: a try that kills its process counts, too. Return False after too many tries."""
    undo = job.undo = {**(job.undo or {})}
    undo["tries"] = undo.get("tries", 0) + 1
    if undo["tries"] <= job_model.MAX_TRIES:
        Import.objects.filter(pk=job.pk).update(undo=undo)
        return True
    problem = job.problem or job_model.lost_worker_reason(job_model.MAX_TRIES)
    Import.objects.filter(pk=job.pk).update(undo=undo | {"has_failed": True}, wish="", problem=problem)
    return False


def _note_failure(pk: int, error: Exception) -> None:
    """Store the error; the undo has failed if it was rejected (a right revoked meanwhile), or at the last try."""
    undo: dict[str, Any] = Import.objects.values_list("undo", flat=True).get(pk=pk) or {}
    is_over = isinstance(error, RejectedError) or undo["tries"] >= job_model.MAX_TRIES
    Import.objects.filter(pk=pk).update(
        undo=undo | {"has_failed": is_over},
        wish="" if is_over else Import.Wish.UNDO,
        problem=job_model.failure_reason(error, undo["tries"]),
    )


def _run(job: Import, by: Any) -> None:
    # a neighbouring version that requested the undo counted fewer things
    undo: dict[str, Any] = {**dict.fromkeys(COUNTED, 0), **(job.undo or {})}
    if by is None and undo["by"] is not None:
        raise NotAllowedError(Problem(Code.NOT_ALLOWED, _("Whoever asked for it is no longer a user.")))
    _require(job, by)
    log = traces.log_traces()

    def note(removed: int) -> None:
        undo["activities"] += removed
        undo["tries"] = 0 if removed else undo["tries"]
        Import.objects.filter(pk=job.pk).update(undo=undo, progressed_at=timezone.now())

    log.remove(job, by, note)
    is_backfill = not import_jobs.import_plan(job).starts_campaigns
    source = Source(Channel.IMPORT, undo["by"], job.pk, undo["reason"], is_backfill=is_backfill)
    kept_counts = Counter[str]()
    for part in _parts(job):
        with transaction.atomic():
            # no recording or change happens between the check and the deletion
            deletion.lock_people(part)
            touched = _touched(part, _arrival(job))
            untouched = [pk for pk in part if pk not in touched]
            if untouched:
                outcomes = deletion.delete_people(untouched, by, source)
                undo["people"] += sum(outcome.status is deletion.DeletionStatus.DELETED for outcome in outcomes)
                undo["tries"] = 0
            kept_counts.update(touched.values())
            Import.objects.filter(pk=job.pk).update(undo=undo, progressed_at=timezone.now())
    undo["kept"] = dict(kept_counts)
    _undo_records(job, undo, source)
    count, people, records, put_back = (undo[name] - undo.get("noted", {}).get(name, 0) for name in COUNTED)
    undo["noted"] = {name: undo[name] for name in COUNTED}
    with transaction.atomic():
        Import.objects.filter(pk=job.pk).update(undo=undo, wish="", problem="")
        if records or put_back:
            done = {"records": records, "put_back": put_back}
            audit.write_audit_entry(by, job, "import_of_records_undone", reason=undo["reason"], **done)
        else:
            audit.write_audit_entry(by, job, "import_undone", count=count, people=people, reason=undo["reason"])


def _undo_records(job: Import, undo: dict[str, Any], source: Source) -> None:
    """Undo what the target of the file made of its rows besides activities and people; counted in `undo`."""
    undo["records_kept"] = {}  # of this call

    def note(undone: UndoneRecords) -> None:
        undo["records"] += undone.deleted
        undo["records_put_back"] += undone.put_back
        undo["records_kept"] = dict(Counter(undo["records_kept"]) + Counter(undone.kept))
        undo["tries"] = 0 if undone.deleted or undone.put_back else undo["tries"]
        Import.objects.filter(pk=job.pk).update(undo=undo, progressed_at=timezone.now())

    TARGETS[job.kind].undo(job, source, note)


def _wrong_state() -> Problem:
    return Problem(Code.WRONG_STATE, _("Pause or cancel the import first."))


def _problem(job: Import) -> Problem | None:
    """The problem that prevents an undo of the import, if any."""
    if job.is_running or job.wish:
        return _wrong_state()
    if job.state in (State.UPLOADED, State.CHECKED):
        return Problem(Code.NOTHING_RECORDED, _("There is nothing to undo: this import recorded nothing."))
    if job.first_id is None:
        return Problem(Code.NOTHING_RECORDED, _("This import is too old: what it recorded is no longer known."))
    return None


def _check(job: Import, by: Any) -> None:
    _require(job, by)
    problem = _problem(job)
    if problem is not None:
        raise RejectedError(problem)


def _require(job: Import, by: Any) -> None:
    import_jobs.require_import_rights(job, by)
    for right in _rights(job):
        permissions.require_permission(by, right)


def _rights(job: Import) -> tuple[str, ...]:
    return (RIGHT, *((DELETE,) if job.created else ()), *TARGETS[job.kind].undo_rights(job))


def _arrival(job: Import) -> ImportArrival:
    ended_at: datetime = job.finished_at or job.progressed_at or job.created_at
    return ImportArrival(job.pk, job.first_id or 0, job.last_id or 0, ended_at)


def _parts(job: Import) -> Iterator[Sequence[int]]:
    """Yield the live people created by the import in parts of PART."""
    after = 0
    while rows := traces.log_traces().created(job, after, PART, is_live=True):
        yield sorted(created.person_id for created in rows)
        after = rows[-1].activity_id


def _touched(person_ids: Sequence[int], arrival: ImportArrival) -> dict[int, str]:
    """Map each person who stays to the table whose rows are the reason."""
    tables_by_id: dict[int, str] = {}
    for owned in personal_data.registered_tables():
        remaining = [pk for pk in person_ids if pk not in tables_by_id]
        tables_by_id |= dict.fromkeys(owned.touched(remaining, arrival) if remaining else (), owned.table)
    return tables_by_id
