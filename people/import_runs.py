"""The work of an import: batch by batch, each with its place in the file in one transaction.

Whatever kills the process, the rows before `Import.position` are recorded and counted, those after it are
not; a run goes on from there. Two runs of one import never overlap.
"""

import gc
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from django.db import DatabaseError, transaction
from django.db.models import F
from django.db.models.functions import Greatest, Least
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from people import import_reading, importing, installation, locks, notices
from people.import_reading import Batch, Reading
from people.import_repeats import Seen
from people.importing import TARGETS, ExternalId, Plan, Result, Status, Target
from people.problems import Problem
from people.sources import Door, Source
from people.tabular import BadFile, Line, Shape
from people.transfers import Import, ImportFailure

MAX_KEY = 255
MAX_RAW = 262_144  # characters of a refused row that are kept

logger = logging.getLogger(__name__)
State = Import.State
DONE = {State.CHECKING: State.CHECKED, State.IMPORTING: State.COMPLETE}
STOPPED = {
    (State.IMPORTING, Import.Wish.PAUSE): State.PAUSED,
    (State.IMPORTING, Import.Wish.CANCEL): State.CANCELLED,
    (State.CHECKING, Import.Wish.CANCEL): State.UPLOADED,
}


class _Stopped(Exception):
    """Somebody wanted the job to stop, or took it over."""


def run(pk: int, file: IO[bytes] | None = None, track: Callable[[int], None] = lambda rows: None) -> None:
    """Do what import `pk` is in the state for, from where it stands to its end; return early when asked to stop.

    `file` when it is not kept by us. Does nothing when another process is at it. Faults of the file end in the
    state FAILED; a lost database raises, and a later run goes on.
    """
    with locks.alone(locks.Space.IMPORT, pk) as is_mine:
        job = Import.objects.filter(pk=pk, state__in=DONE).first()
        if not is_mine or job is None:
            return
        try:
            with translation.override(_language(job)), _few_collections():
                if file is not None:
                    _Run(job, track).through(file)
                else:
                    with importing.opened(job) as kept:
                        _Run(job, track).through(kept)
        except _Stopped:
            _settle(pk)
        except (BadFile, OSError) as error:
            _fail(job, str(error))
        except DatabaseError:
            raise
        except Exception:
            logger.exception("import %s", pk)
            _fail(job, _("an unexpected fault; the log of the server has the details"))


@contextmanager
def _few_collections() -> Iterator[None]:
    """Rows are many small objects without cycles: to look for cycles among them takes a third of the time."""
    before = gc.get_threshold()
    gc.set_threshold(20_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _language(job: Import) -> str:
    """Of the reasons in the report: that of who asked for it; the dialect and commands speak English."""
    if job.door != Door.ADMIN:
        return "en"
    return getattr(job.user, "language", "") or installation.current().language


def interrupted() -> list[int]:
    """Imports of ours that should be running and are not: their process was killed."""
    found = []
    for pk in Import.objects.filter(state__in=DONE).exclude(stored_as="").values_list("pk", flat=True):
        with locks.alone(locks.Space.IMPORT, pk) as is_mine:
            if is_mine:
                found.append(pk)
    return found


def _fail(job: Import, error: str) -> None:
    after = State.FAILED if job.state == State.IMPORTING else State.UPLOADED
    Import.objects.filter(pk=job.pk, state=job.state).update(
        state=after, error=error[:2000], finished_at=timezone.now(), wish=""
    )


class _Run:
    """One run over one file."""

    def __init__(self, job: Import, track: Callable[[int], None]) -> None:
        self.job = job
        self.track = track
        self.state = job.state
        self.is_check = job.state == State.CHECKING
        self.plan = Plan.from_json(job.plan)
        self.target: Target = TARGETS[job.kind]
        self.source = Source(Door.IMPORT, job.user_id, job.pk)
        self.reading = Reading(self.target, self.plan, Shape.from_json(job.shape))
        self.has_keys = self.target.has_external_ids and self.plan.external_id != ExternalId.COLUMN
        self.seen = Seen() if self.is_check or self.reading.is_hashed else None

    def through(self, file: IO[bytes]) -> None:
        done = 0
        with import_reading.ahead(self.reading.batches(file)) as batches:
            for batch in batches:
                # batches need not be cut where they were cut in the run before
                old = max(0, min(len(batch.lines), self.job.position - done))
                done += len(batch.lines)
                self._batch(batch, old)
                self.track(len(batch.lines))
        changed = Import.objects.filter(pk=self.job.pk, state=self.state).update(
            state=DONE[self.state], finished_at=timezone.now(), bytes_done=self.job.size, wish=""
        )
        if changed:
            self.job.refresh_from_db()
            if self.job.state == State.COMPLETE:
                pk = self.job.pk
                notices.tell([self.job.user_id], "import_done", "admin:people_import_change", pk, number=pk)

    def _batch(self, batch: Batch, old: int) -> None:
        """Record a batch but for its first `old` rows, which a run before has recorded."""
        with transaction.atomic():
            # equal rows before the place where it stopped count for those after it
            keys = self._keys(batch)
            rows, lines = batch.rows[old:], batch.lines[old:]
            if not rows:
                return
            if keys is not None:
                self.target.keyed(rows, keys[old:])
            # in the order of locks: whoever erases holds this one and may wait for our rows
            locks.share([locks.key(locks.Space.PEOPLE)])
            results = self._record(rows, batch.reported[old:] if batch.reported else [])
            self._keep_refused(rows, lines, results, keys[old:] if keys else [None] * len(rows))
            self._advance(results, batch.bytes_done)

    def _keys(self, batch: Batch) -> list[str | None] | None:
        """The keys of the batch's rows: those under which they were refused before, or else of their content."""
        if batch.contents is None or self.seen is None:
            return batch.reported
        before = self.seen.before_batch(batch.contents)
        keys = [
            content and f"row:{content[0]}:{before.get(content[0], 0) + content[1] + 1}" for content in batch.contents
        ]
        if batch.reported is None:
            return keys
        return [given or key for given, key in zip(batch.reported, keys, strict=True)]

    def _record(self, rows: Sequence[Any], reported: Sequence[str | None]) -> list[Result]:
        wanted = {key for key in reported if key}
        settled = self.target.settled(wanted) if wanted else set()
        results: list[Any] = [Result(Status.REFUSED, (row,)) if isinstance(row, Problem) else None for row in rows]
        for place, key in enumerate(reported):
            if key in settled:
                results[place] = Result(Status.REPEATED)
        places = [place for place, result in enumerate(results) if result is None]
        if places:
            fresh = [rows[place] for place in places]
            recorded = self.target.record(fresh, self.plan, self.source, dry_run=self.is_check)
            for place, result in zip(places, recorded, strict=True):
                results[place] = result
        if self.is_check and not self.reading.is_hashed:
            self._find_repeats(rows, results)
        if wanted and not self.is_check:
            self.target.settle({
                key: result.new_id
                for key, result in zip(reported, results, strict=True)
                if key and key not in settled and result.status is not Status.REFUSED
            })  # fmt: skip
        return results

    def _find_repeats(self, rows: Sequence[Any], results: list[Result]) -> None:
        """A check keeps nothing, so what came earlier in the file must be remembered here."""
        keys = {
            place: identity
            for place, row in enumerate(rows)
            if results[place].status is Status.ADDED and (identity := self.target.identity(row, self.plan))
        }
        assert self.seen is not None
        for place, is_same in self.seen.before(keys):
            results[place] = self.target.again(is_same, self.plan)

    def _keep_refused(
        self, rows: Sequence[Any], lines: Sequence[Line], results: Sequence[Result], keys: Sequence[str | None]
    ) -> None:
        """For the report; and for a replay those that the target understood, each under the same key in both."""
        failures, kept, refused = [], [], []
        for row, line, result, key in zip(rows, lines, results, keys, strict=True):
            if result.status is not Status.REFUSED:
                continue
            if isinstance(row, Problem):
                key = None
            else:
                key = key or (f"import:{self.job.pk}:{line.number}" if self.has_keys else None)
                kept.append((row, key))
                refused.append(result)
            failures.append(
                ImportFailure(
                    of_id=self.job.pk, row=line.number, raw=_as_text(line.raw), key=_storable(key or "")[:MAX_KEY],
                    problems=[_as_json(problem) for problem in result.problems],
                )
            )  # fmt: skip
        ImportFailure.objects.bulk_create(failures, batch_size=1000)
        if kept and not self.is_check:
            again = self.target.keyed(*zip(*kept, strict=True)) if self.has_keys else [row for row, _key in kept]
            self.target.keep(again, refused, self.plan, self.source)

    def _advance(self, results: Sequence[Result], bytes_done: int) -> None:
        counts = Counter(result.status for result in results)
        ids = [result.new_id for result in results if result.new_id is not None and not self.is_check]
        changes: dict[str, Any] = {str(status): F(str(status)) + number for status, number in counts.items()}
        if ids:
            changes |= {"first_id": Least("first_id", min(ids)), "last_id": Greatest("last_id", max(ids))}
        changed = Import.objects.filter(pk=self.job.pk, state=self.state, wish="").update(
            position=F("position") + len(results), bytes_done=bytes_done, progressed_at=timezone.now(), **changes
        )
        if not changed:
            raise _Stopped


def _settle(pk: int) -> None:
    """Give the job the state that was asked for while it ran."""
    for (state, wish), after in STOPPED.items():
        Import.objects.filter(pk=pk, state=state, wish=wish).update(state=after, wish="", finished_at=timezone.now())


def _as_text(raw: Any) -> str:
    text = json.dumps(raw, default=str)
    return text if len(text) <= MAX_RAW else json.dumps(text[: MAX_RAW - 100])


def _as_json(problem: Problem) -> dict[str, Any]:
    return {
        "code": problem.code, "message": _storable(str(problem.message)),
        "path": [part if isinstance(part, int) else _storable(part) for part in problem.path],
        "expected": _storable(problem.expected), "got": problem.got,
    }  # fmt: skip


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
