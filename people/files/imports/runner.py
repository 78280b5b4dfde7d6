"""The work of an import: batch by batch, each with its place in the file in one transaction.

Whatever kills the process, the rows before `Import.position` are recorded and counted, those after it are
not; a run continues from there. Two runs of one import never overlap.
"""

import gc
import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import IO, Any

from django.conf import settings
from django.db import transaction
from django.db.models import BigIntegerField, Count, F, Func, Q, Sum, TextField
from django.db.models.functions import Cast, Coalesce, Greatest, Least, Length
from django.utils import timezone, translation

from people.core import installation, notifications
from people.core.db import locks
from people.core.db.outages import is_outage
from people.core.errors import Problem, RejectedError, serialize_problem
from people.core.job_model import JobLostError
from people.core.messages import pack_sentences, storable_text
from people.core.messages import sentence as _
from people.core.permissions import user_source
from people.core.source import Channel
from people.files.imports import jobs as import_jobs
from people.files.imports import reader as import_reader
from people.files.imports import traces
from people.files.imports.plan import BatchResults, ExternalId, ImportStatus, RowResult
from people.files.imports.reader import ImportBatch, ImportReader
from people.files.imports.repeats import SeenRows
from people.files.imports.targets import TARGETS, ImportTarget
from people.files.models import Import, ImportFailure
from people.files.tabular import BadFileError, FileLine, FileShape

MAX_KEY = 255
SWITCH = 0.0005  # seconds after which a thread yields to another one
MAX_RAW = 262_144  # characters of a refused row that are kept
ROW_BYTES = 200  # approximate overhead of the database for a refused row
IMPORTS_A_DAY = 8  # of one user, whose refused rows are kept in full
DAY = timedelta(days=1)

logger = logging.getLogger(__name__)
State = Import.State
STOPPED = {
    (State.IMPORTING, Import.Wish.PAUSE): State.PAUSED,
    (State.IMPORTING, Import.Wish.CANCEL): State.CANCELLED,
    (State.CHECKING, Import.Wish.CANCEL): State.UPLOADED,
}


def run_import(pk: int, file: IO[bytes] | None = None, track: Callable[[int], None] = lambda rows: None) -> None:
    """Check or import, by the state of import `pk`, from its position to the end; return early on a wish to stop.

    `file`: a file that is not stored here. Does nothing when another process has claimed the import. Faults of the
    file end in the state FAILED; a lost database raises, and a later run continues.
    """
    with Import.claimed(pk) as job:
        if job is None:
            return
        try:
            with translation.override(_language(job)), _tuned_interpreter():
                # the rights may have been revoked since the plan was made or the job queued
                import_jobs.require_import_rights(job, job.user, import_jobs.import_plan(job))
                if file is not None:
                    _ImportRun(job, track).through(file)
                else:
                    with import_jobs.open_import(job) as stored_file:
                        _ImportRun(job, track).through(stored_file)
        except JobLostError:
            _settle(job)
        except RejectedError as error:  # a right that was taken away, or a type that was retired meanwhile
            _fail(job, str(error))
        except (BadFileError, OSError) as error:
            _fail(job, getattr(error, "strerror", None) or str(error))
        except Exception as error:
            if is_outage(error):
                raise
            logger.exception("import %s", pk)
            _fail(job, _("an unexpected error; the server's log has the details"))


@contextmanager
def _tuned_interpreter() -> Iterator[None]:
    """Tune the interpreter for two threads that work on many rows."""
    collecting, switching = gc.get_threshold(), sys.getswitchinterval()
    # rows are many small objects without cycles: the search for cycles takes a third of the time
    gc.set_threshold(20_000, 50, 100)
    # with the default interval the server would wait for the thread of its connection
    sys.setswitchinterval(SWITCH)
    try:
        yield
    finally:
        gc.set_threshold(*collecting)
        sys.setswitchinterval(switching)


def _language(job: Import) -> str:
    """The language of the reasons in the report: the user's; English for the Marketo API and commands."""
    if job.channel != Channel.ADMIN:
        return "en"
    return getattr(job.user, "language", "") or installation.current_installation().language


def _fail(job: Import, problem: str) -> None:
    job.fail(pack_sentences((problem,), storable_text), wish="")


class _ImportRun:
    """One run over one file."""

    def __init__(self, job: Import, track: Callable[[int], None]) -> None:
        self.job = job
        self.track = track
        self.is_check = job.state == State.CHECKING
        plan = import_jobs.import_plan(job)
        # files of Marketo's clients have no guards against formulas; not part of the stored plan, which an earlier
        # version could not read
        is_plain = job.channel == Channel.MARKETO
        self.plan = replace(plan, keep_apostrophes=True) if is_plain else plan
        self.target: ImportTarget = TARGETS[job.kind]
        self.source = user_source(Channel.IMPORT, job.user, origin_id=job.pk, is_backfill=not plan.starts_campaigns)
        self.reading = ImportReader(self.target, self.plan, FileShape.from_json(job.shape))
        self.has_keys = self.target.has_external_ids and self.plan.external_id != ExternalId.COLUMN
        self.room = min(settings.IMPORT_REFUSED_BYTES_KEPT - _bytes_kept(self.job), _room_of_user(self.job))
        self.seen = SeenRows() if self.is_check or self.reading.is_hashed else None

    def through(self, file: IO[bytes]) -> None:
        done = 0
        last = self.reading.shape.rows_to_header
        if not self.is_check:
            mark = traces.log_traces().mark()
            Import.objects.filter(pk=self.job.pk).update(first_id=Least("first_id", mark + 1))
        with import_reader.read_ahead(self.reading.batches(file)) as batches:
            for batch in batches:
                # the bounds of batches may differ from those of the previous run
                old = max(0, min(batch.size, self.job.position - done))
                done += batch.size
                if numbers := batch.row_numbers():
                    last = numbers[-1]
                self._batch(batch, old)
                self.track(batch.size)
        last, left_out = max(last, self.reading.last_row), self.reading.left_out
        blank_rows = max(0, last - self.reading.shape.rows_to_header - done - left_out)
        shape = replace(self.reading.shape, blank_rows=blank_rows, rows_left_out=left_out).as_json()
        if self.job.finish(bytes_done=self.job.size, wish="", shape=shape) and not self.is_check:
            pk = self.job.pk
            details = {"number": pk, "file": self.job.name}
            notifications.notify_users([self.job.user_id], "import_done", "admin:people_import_change", pk, **details)

    def _batch(self, batch: ImportBatch, old: int) -> None:
        """Record a batch without its first `old` rows, which a previous run has recorded."""
        with transaction.atomic():
            # equal rows before the position count for the keys of those after it
            keys = self._keys(batch)
            if keys is not None:
                self.target.keyed(batch.rows, keys)
                keys = keys[len(batch.lines) - len(batch.after(old).lines) :]
            batch = batch.after(old)
            if not batch.size:
                return
            # in the order of locks: an erase holds this one and may wait for our rows
            locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
            results = self._record(batch)
            not_kept = self._keep_refused(batch, results, keys)
            self._advance(batch, results, not_kept)

    def _keys(self, batch: ImportBatch) -> Sequence[str | None] | None:
        """The keys of the batch's rows: their keys from an earlier refusal, or else keys of their content."""
        if batch.contents is None or batch.keys is None or self.seen is None:
            return batch.reported
        before = self.seen.before_batch(batch.contents)
        keys = batch.keys
        if before:
            get = before.get
            keys = [import_reader.content_key(digest, get(digest, 0) + number) for digest, number in batch.contents]
        if batch.reported is None:
            return keys
        return [reported_key or key for reported_key, key in zip(batch.reported, keys, strict=True)]

    def _record(self, batch: ImportBatch) -> BatchResults:
        reported = batch.reported or ()
        reported_keys = {key for key in reported if key}
        settled = self.target.settled(reported_keys) if reported_keys else set()
        if settled:
            results = self._record_but(batch.rows, {place for place, key in enumerate(reported) if key in settled})
        elif batch.lines:
            results = self.target.record(batch.rows, self.plan, self.source, dry_run=self.is_check)
        else:
            results = BatchResults((), {})
        if self.is_check and not self.reading.is_hashed:
            self._find_repeats(batch.rows, results)
        if reported_keys and not self.is_check:
            self.target.settle(
                {
                    key: results[place].new_id
                    for place, key in enumerate(reported)
                    if key and key not in settled and results[place].status is not ImportStatus.REFUSED
                }
            )
        return results

    def _record_but(self, rows: Sequence[Any], settled: set[int]) -> BatchResults:
        """Record the rows except those that were recorded elsewhere."""
        places = [place for place in range(len(rows)) if place not in settled]
        fresh = [rows[place] for place in places]
        results = (
            self.target.record(fresh, self.plan, self.source, dry_run=self.is_check) if fresh else BatchResults((), {})
        )
        ids: list[int | None] = [None] * len(rows)
        for place, new_id in zip(places, results.ids, strict=True):
            ids[place] = new_id
        others = {places[place]: result for place, result in results.others.items()}
        return BatchResults(ids, others | dict.fromkeys(settled, RowResult(ImportStatus.REPEATED)), results.created)

    def _find_repeats(self, rows: Sequence[Any], results: BatchResults) -> None:
        """Mark repeated rows of a check: it stores no rows, so earlier keys are remembered here."""
        keys = self.target.identities(rows, self.plan)
        for place in keys.keys() & results.others.keys():
            del keys[place]
        assert self.seen is not None
        for place, is_same in self.seen.before(keys) if keys else ():
            results.others[place] = self.target.repeated_row_result(is_same, self.plan)

    def _keep_refused(self, batch: ImportBatch, results: BatchResults, keys: Sequence[str | None] | None) -> int:
        """Store refused rows for the report, and parsed ones for a replay; both have the same keys.

        Returns the number of parsed rows that there is no room for.
        """
        failures = [self._failure(line, (problem,), None) for line, problem in batch.faults]
        keyed_rows, refused = [], []
        for place, result in sorted(results.others.items()):
            if result.status is ImportStatus.REFUSED:
                line = batch.lines[place]
                key = keys[place] if keys else None
                key = key or (f"import:{self.job.pk}:{line.number}" if self.has_keys else None)
                keyed_rows.append((batch.rows[place], key))
                refused.append(result)
                failures.append(self._failure(line, result.problems, key))
        fitting = self._fitting(failures)
        ImportFailure.objects.bulk_create(fitting, batch_size=1000)
        if not keyed_rows or self.is_check:
            return 0
        if len(fitting) == len(failures):
            rows = (
                self.target.keyed(*zip(*keyed_rows, strict=True))
                if self.has_keys
                else [row for row, _key in keyed_rows]
            )
            return self.target.keep(rows, refused, self.plan, self.source)
        return len(keyed_rows) if self.target.keeps_refused else 0

    def _fitting(self, failures: list[ImportFailure]) -> list[ImportFailure]:
        """The refused rows for which there is room; the others are only counted.

        A file of 1 MB may have millions of refused rows, and each takes more room than the row.
        """
        fitting = []
        for failure in failures:
            self.room -= ROW_BYTES + len(failure.raw) + len(json.dumps(failure.problems))
            if self.room < 0:
                break
            fitting.append(failure)
        return fitting

    def _failure(self, line: FileLine, problems: Sequence[Problem], key: str | None) -> ImportFailure:
        return ImportFailure(
            of_id=self.job.pk,
            row=line.number,
            raw=_as_text(line.raw),
            key=storable_text(key or "")[:MAX_KEY],
            problems=[serialize_problem(problem, storable_text) for problem in problems],
        )

    def _advance(self, batch: ImportBatch, results: BatchResults, not_kept: int) -> None:
        counts = Counter(result.status for result in results.others.values())
        counts[ImportStatus.ADDED] += len(batch.lines) - len(results.others)
        counts[ImportStatus.REFUSED] += len(batch.faults)
        changes: dict[str, Any] = {str(status): F(str(status)) + number for status, number in counts.items() if number}
        new = counts[ImportStatus.ADDED] if self.target.rows_are_people else self._new(results)
        if new:
            changes["created"] = F("created") + new
        if not_kept:
            changes["not_kept"] = F("not_kept") + not_kept
        if not self.is_check:
            # at least the ids recorded by this transaction
            changes["last_id"] = Greatest("last_id", traces.log_traces().mark())
        has_no_wish = Q(wish="")
        self.job.beat(has_no_wish, position=F("position") + batch.size, bytes_done=batch.bytes_done, **changes)

    def _new(self, results: BatchResults) -> int:
        """The number of people created for the rows. A check creates none: people of earlier rows are left out here."""
        if not self.is_check or not results.created:
            return len(results.created)
        assert self.seen is not None
        keys = {place: (f"person\0{field}\0{value}", "") for place, (field, value) in enumerate(results.created)}
        return len(keys) - len(self.seen.before(keys))


def _settle(job: Import) -> None:
    """Set the state wished for while the job ran; do nothing where the claim is lost."""
    wish = Import.objects.filter(pk=job.pk).values_list("wish", flat=True).first()
    after = STOPPED.get((State(job.state), Import.Wish(wish or "")))
    if after:
        job.leave(after, wish="")


def _bytes_kept(job: Import) -> int:
    """The approximate size of the refused rows stored by earlier runs."""
    totals = job.failures.aggregate(
        rows=Count("row"), texts=Coalesce(Sum(Length("raw") + Length(Cast("problems", TextField()))), 0)
    )
    return totals["rows"] * ROW_BYTES + totals["texts"]


def _room_of_user(job: Import) -> int:
    """The bytes that the refused rows of this import may take beside those of the user's others of 24 hours."""
    others = Import.objects.filter(user=job.user_id, created_at__gte=timezone.now() - DAY).exclude(pk=job.pk)
    size = Func("raw", function="pg_column_size") + Func("problems", function="pg_column_size")
    totals = ImportFailure.objects.filter(of__in=others).aggregate(
        rows=Count("row"), texts=Coalesce(Sum(size, output_field=BigIntegerField()), 0)
    )
    return IMPORTS_A_DAY * settings.IMPORT_REFUSED_BYTES_KEPT - totals["rows"] * ROW_BYTES - totals["texts"]


def _as_text(raw: Any) -> str:
    text = json.dumps(raw, default=str)
    return text if len(text) <= MAX_RAW else json.dumps(text[: MAX_RAW - 100])
