"""The work of an import: batch by batch, each with its place in the file in one transaction.

Whatever kills the process, the rows before `Import.position` are recorded and counted, those after it are
not; a run goes on from there. Two runs of one import never overlap.
"""

import gc
import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import IO, Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Q, Sum, TextField
from django.db.models.functions import Cast, Coalesce, Greatest, Least, Length
from django.utils import translation

from people.core import installation, notifications
from people.core.db import locks
from people.core.db.outages import is_outage
from people.core.errors import NotAllowedError, Problem, stored
from people.core.job_model import JobLostError
from people.core.messages import packed, storable
from people.core.messages import sentence as _
from people.core.source import Channel, Source
from people.files.imports import jobs as import_jobs
from people.files.imports import reader as import_reader
from people.files.imports import traces
from people.files.imports.plan import ExternalId, Result, Results, Status
from people.files.imports.reader import Batch, Reading
from people.files.imports.repeats import Seen
from people.files.imports.targets import TARGETS, Target
from people.files.models import Import, ImportFailure
from people.files.tabular import BadFileError, Line, Shape

MAX_KEY = 255
SWITCH = 0.0005  # seconds after which a thread is asked to let another one go on
MAX_RAW = 262_144  # characters of a refused row that are kept
ROW_BYTES = 200  # of the database's own, about, for a refused row

logger = logging.getLogger(__name__)
State = Import.State
STOPPED = {
    (State.IMPORTING, Import.Wish.PAUSE): State.PAUSED,
    (State.IMPORTING, Import.Wish.CANCEL): State.CANCELLED,
    (State.CHECKING, Import.Wish.CANCEL): State.UPLOADED,
}


def run(pk: int, file: IO[bytes] | None = None, track: Callable[[int], None] = lambda rows: None) -> None:
    """Do what import `pk` is in the state for, from where it stands to its end; return early when asked to stop.

    `file` when it is not kept by us. Does nothing when another process is at it. Faults of the file end in the
    state FAILED; a lost database raises, and a later run goes on.
    """
    with Import.claimed(pk) as job:
        if job is None:
            return
        try:
            with translation.override(_language(job)), _in_step():
                # the rights may have been taken away since the file was planned or put in the queue
                import_jobs.require_for(job, job.user, import_jobs.plan_of(job))
                if file is not None:
                    _Run(job, track).through(file)
                else:
                    with import_jobs.opened(job) as kept:
                        _Run(job, track).through(kept)
        except JobLostError:
            _settle(job)
        except NotAllowedError as error:
            _fail(job, str(error))
        except (BadFileError, OSError) as error:
            _fail(job, getattr(error, "strerror", None) or str(error))
        except Exception as error:
            if is_outage(error):
                raise
            logger.exception("import %s", pk)
            _fail(job, _("an unexpected fault; the log of the server has the details"))


@contextmanager
def _in_step() -> Iterator[None]:
    """The interpreter as suits two threads that work on many rows."""
    collecting, switching = gc.get_threshold(), sys.getswitchinterval()
    # rows are many small objects without cycles: to look for cycles among them takes a third of the time
    gc.set_threshold(20_000, 50, 100)
    # the server would wait for the thread that talks to it until the other one lets it go on
    sys.setswitchinterval(SWITCH)
    try:
        yield
    finally:
        gc.set_threshold(*collecting)
        sys.setswitchinterval(switching)


def _language(job: Import) -> str:
    """Of the reasons in the report: that of who asked for it; the Marketo API and commands speak English."""
    if job.channel != Channel.ADMIN:
        return "en"
    return getattr(job.user, "language", "") or installation.current().language


def _fail(job: Import, problem: str) -> None:
    job.fail(packed((problem,), storable), wish="")


class _Run:
    """One run over one file."""

    def __init__(self, job: Import, track: Callable[[int], None]) -> None:
        self.job = job
        self.track = track
        self.is_check = job.state == State.CHECKING
        plan = import_jobs.plan_of(job)
        # files of Marketo's clients never passed a spreadsheet's guard; not part of the stored plan, which the version
        # before could not read
        is_plain = job.channel == Channel.MARKETO
        self.plan = replace(plan, keep_apostrophes=True) if is_plain else plan
        self.target: Target = TARGETS[job.kind]
        self.source = Source(Channel.IMPORT, job.user_id, job.pk)
        self.reading = Reading(self.target, self.plan, Shape.from_json(job.shape))
        self.has_keys = self.target.has_external_ids and self.plan.external_id != ExternalId.COLUMN
        self.room = settings.IMPORT_REFUSED_BYTES_KEPT - _bytes_kept(self.job)
        self.seen = Seen() if self.is_check or self.reading.is_hashed else None

    def through(self, file: IO[bytes]) -> None:
        done = 0
        if not self.is_check:
            mark = traces.of_log().mark()
            Import.objects.filter(pk=self.job.pk).update(first_id=Least("first_id", mark + 1))
        with import_reader.ahead(self.reading.batches(file)) as batches:
            for batch in batches:
                # batches need not be cut where they were cut in the run before
                old = max(0, min(batch.size, self.job.position - done))
                done += batch.size
                self._batch(batch, old)
                self.track(batch.size)
        if self.job.finish(bytes_done=self.job.size, wish="") and not self.is_check:
            pk = self.job.pk
            named = {"number": pk, "file": self.job.name}
            notifications.tell([self.job.user_id], "import_done", "admin:people_import_change", pk, **named)

    def _batch(self, batch: Batch, old: int) -> None:
        """Record a batch but for its first `old` rows, which a run before has recorded."""
        with transaction.atomic():
            # equal rows before the place where it stopped count for those after it
            keys = self._keys(batch)
            if keys is not None:
                self.target.keyed(batch.rows, keys)
                keys = keys[len(batch.lines) - len(batch.after(old).lines) :]
            batch = batch.after(old)
            if not batch.size:
                return
            # in the order of locks: whoever erases holds this one and may wait for our rows
            locks.share([locks.key(locks.Space.PEOPLE)])
            results = self._record(batch)
            self._keep_refused(batch, results, keys)
            self._advance(batch, results)

    def _keys(self, batch: Batch) -> Sequence[str | None] | None:
        """The keys of the batch's rows: those under which they were refused before, or else of their content."""
        if batch.contents is None or batch.keys is None or self.seen is None:
            return batch.reported
        before = self.seen.before_batch(batch.contents)
        keys = batch.keys
        if before:
            get = before.get
            keys = [import_reader.key_of(digest, get(digest, 0) + number) for digest, number in batch.contents]
        if batch.reported is None:
            return keys
        return [given or key for given, key in zip(batch.reported, keys, strict=True)]

    def _record(self, batch: Batch) -> Results:
        reported = batch.reported or ()
        wanted = {key for key in reported if key}
        settled = self.target.settled(wanted) if wanted else set()
        if settled:
            results = self._record_but(batch.rows, {place for place, key in enumerate(reported) if key in settled})
        elif batch.lines:
            results = self.target.record(batch.rows, self.plan, self.source, dry_run=self.is_check)
        else:
            results = Results((), {})
        if self.is_check and not self.reading.is_hashed:
            self._find_repeats(batch.rows, results)
        if wanted and not self.is_check:
            self.target.settle(
                {
                    key: results[place].new_id
                    for place, key in enumerate(reported)
                    if key and key not in settled and results[place].status is not Status.REFUSED
                }
            )
        return results

    def _record_but(self, rows: Sequence[Any], settled: set[int]) -> Results:
        """Record the rows but those that were recorded elsewhere."""
        places = [place for place in range(len(rows)) if place not in settled]
        fresh = [rows[place] for place in places]
        found = self.target.record(fresh, self.plan, self.source, dry_run=self.is_check) if fresh else Results((), {})
        ids: list[int | None] = [None] * len(rows)
        for place, new_id in zip(places, found.ids, strict=True):
            ids[place] = new_id
        others = {places[place]: result for place, result in found.others.items()}
        return Results(ids, others | dict.fromkeys(settled, Result(Status.REPEATED)), found.created)

    def _find_repeats(self, rows: Sequence[Any], results: Results) -> None:
        """A check keeps nothing, so what came earlier in the file must be remembered here."""
        keys = self.target.identities(rows, self.plan)
        for place in keys.keys() & results.others.keys():
            del keys[place]
        assert self.seen is not None
        for place, is_same in self.seen.before(keys) if keys else ():
            results.others[place] = self.target.again(is_same, self.plan)

    def _keep_refused(self, batch: Batch, results: Results, keys: Sequence[str | None] | None) -> None:
        """For the report; and for a replay those that the target understood, each under the same key in both."""
        failures = [self._failure(line, (problem,), None) for line, problem in batch.faults]
        kept, refused = [], []
        for place, result in sorted(results.others.items()):
            if result.status is Status.REFUSED:
                line = batch.lines[place]
                key = keys[place] if keys else None
                key = key or (f"import:{self.job.pk}:{line.number}" if self.has_keys else None)
                kept.append((batch.rows[place], key))
                refused.append(result)
                failures.append(self._failure(line, result.problems, key))
        fitting = self._fitting(failures)
        ImportFailure.objects.bulk_create(fitting, batch_size=1000)
        if kept and not self.is_check and len(fitting) == len(failures):
            again = self.target.keyed(*zip(*kept, strict=True)) if self.has_keys else [row for row, _key in kept]
            self.target.keep(again, refused, self.plan, self.source)

    def _fitting(self, failures: list[ImportFailure]) -> list[ImportFailure]:
        """Those of the refused rows for which there is room; all of the others are merely counted.

        A file of 1 MB may have millions of them, and what is kept of each is larger than the row.
        """
        found = []
        for failure in failures:
            self.room -= ROW_BYTES + len(failure.raw) + len(json.dumps(failure.problems))
            if self.room < 0:
                break
            found.append(failure)
        return found

    def _failure(self, line: Line, problems: Sequence[Problem], key: str | None) -> ImportFailure:
        return ImportFailure(
            of_id=self.job.pk,
            row=line.number,
            raw=_as_text(line.raw),
            key=storable(key or "")[:MAX_KEY],
            problems=[stored(problem, storable) for problem in problems],
        )

    def _advance(self, batch: Batch, results: Results) -> None:
        counts = Counter(result.status for result in results.others.values())
        counts[Status.ADDED] += len(batch.lines) - len(results.others)
        counts[Status.REFUSED] += len(batch.faults)
        changes: dict[str, Any] = {str(status): F(str(status)) + number for status, number in counts.items() if number}
        new = counts[Status.ADDED] if self.target.rows_are_people else self._new(results)
        if new:
            changes["created"] = F("created") + new
        if not self.is_check:
            # no lower than the ids of what this transaction has recorded
            changes["last_id"] = Greatest("last_id", traces.of_log().mark())
        nobody_wants_to_stop = Q(wish="")
        self.job.beat(nobody_wants_to_stop, position=F("position") + batch.size, bytes_done=batch.bytes_done, **changes)

    def _new(self, results: Results) -> int:
        """How many people the rows brought besides. A check creates nobody: it would count again who came before."""
        if not self.is_check or not results.created:
            return len(results.created)
        assert self.seen is not None
        named = {place: (f"person\0{field}\0{value}", "") for place, (field, value) in enumerate(results.created)}
        return len(named) - len(self.seen.before(named))


def _settle(job: Import) -> None:
    """Give the job the state that was asked for while it ran; nothing where it is not ours any more."""
    wish = Import.objects.filter(pk=job.pk).values_list("wish", flat=True).first()
    after = STOPPED.get((State(job.state), Import.Wish(wish or "")))
    if after:
        job.leave(after, wish="")


def _bytes_kept(job: Import) -> int:
    """What the refused rows of the runs before take, about."""
    kept = job.failures.aggregate(
        rows=Count("row"), texts=Coalesce(Sum(Length("raw") + Length(Cast("problems", TextField()))), 0)
    )
    return kept["rows"] * ROW_BYTES + kept["texts"]


def _as_text(raw: Any) -> str:
    text = json.dumps(raw, default=str)
    return text if len(text) <= MAX_RAW else json.dumps(text[: MAX_RAW - 100])
