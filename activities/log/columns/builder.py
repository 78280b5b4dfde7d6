"""Builds the column index of this node: the log as Parquet files and bitmaps.

The order of reads makes it exact: first the last change, then the high-water mark, then rows up to the mark. A person
who changes while rows are read has a later change than the one read first, so later evaluations ignore that person's
rows in files. The files are on disk before the generation is inserted into the database, and the manifest is written
after that: an evaluation whose snapshot contains the generation sees everything that was read for it.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from pyroaring import BitMap

from activities.log.columns import all_people, bitmaps, fields, files, manifest, segments, session, source
from activities.log.columns.fields import StoredColumn
from activities.log.columns.files import DamagedFileError, IndexFile
from activities.log.columns.manifest import Manifest, TypeColumns
from activities.log.columns.session import DuckSession
from activities.log.columns.source import LogMark
from people.core import disk
from people.core.db import citus

log = logging.getLogger(__name__)

BUILD_INTERVAL = 5.0  # seconds between two builds
LONGEST_PAUSE = 600.0  # seconds, after builds that failed one after another
FEWEST_ROWS = 200_000  # rows of a type: with fewer SQL is fast enough
CHUNK = 1_000_000  # rows read by one statement
MOST_LATE = 8  # segments not merged yet, and their share of the type's rows
LATE_SHARE = 0.05
MOST_CHANGED = 20_000  # changed people of a type; with more it is rebuilt
STEADY, DAILY = timedelta(minutes=1), timedelta(days=1)  # the interval between generations while no type changes
AGAIN = 3_600.0  # seconds until a type that could not be built is tried again
GRACE = 60.0  # seconds, besides those of the longest evaluation, for which replaced files are kept


Copy = Callable[[Path, int, Sequence[StoredColumn]], None]  # a function that appends rows of a type to a file
_failed: dict[int, float] = {}  # types that this process failed to build, and the time of the failure


class IndexBusyError(Exception):
    """Another process of this node builds or drops the index."""


@dataclass(frozen=True, slots=True)
class BuildResult:
    """The outcome of a build: rows written, changed types, the present generation."""

    rows: int
    types: tuple[int, ...]
    manifest: Manifest


def build_index(mark: int | None = None, anew: bool = False) -> BuildResult:
    """Bring the index up to the high-water mark; `mark` is another end, for transactions that hold it back.

    With `anew` nothing of the existing index is used. Raises `IndexBusyError`, `RejectedError` (`no_space`) where the
    disk has only its reserve left, `OSError`, `duckdb.Error`.
    """
    with files.index_lock() as is_mine:
        if not is_mine:
            raise IndexBusyError("another process builds the column index")
        disk.require_room(files.prepare_index_folder())
        return _Build(mark, anew).run()


def drop_index() -> bool:
    """Remove the index of this node; return whether there was one. Raises `IndexBusyError`."""
    with files.index_lock(seconds=600) as is_mine:
        if not is_mine:
            raise IndexBusyError("another process builds the column index: stop it first")
        place = files.index_folder()
        was_there = (place / manifest.NAME).exists()
        # the manifest first: files outside it are not used
        left = [
            place / manifest.NAME,
            *(path for path in place.iterdir() if path.is_file() and path.name != files.LOCK),
        ]
        left += [path for name in (files.STAGING, files.TEMPORARY) for path in (place / name).glob("*")]
        for path in left:
            path.unlink(missing_ok=True)
    return was_there


def build_continuously(is_over: Callable[[], bool], every: float = BUILD_INTERVAL) -> None:
    """Build repeatedly until `is_over`; errors are logged and stored, and the build is tried again, ever later."""
    failures = 0
    while not is_over():
        try:
            _build_or_drop()
            files.store_problem("")
            failures = 0
        except IndexBusyError:
            pass
        except Exception as error:  # any error: `manage.py run` stops all processes when this one ends
            failures += 1
            problem = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
            log.warning("the column index was not built: %s", problem)
            files.store_problem(problem)
            connection.close()
        until = time.monotonic() + min(every * 2 ** min(failures, 10), LONGEST_PAUSE)
        while not is_over() and time.monotonic() < until:
            time.sleep(0.2)


def _build_or_drop() -> None:
    if settings.COLUMN_INDEX and not citus.is_distributed():
        build_index()
    elif (files.index_folder() / manifest.NAME).exists():
        drop_index()


class _Build:
    """One build: its inputs and the files written so far."""

    def __init__(self, mark: int | None, anew: bool) -> None:
        self.session: DuckSession = session.duck_session()
        self.before = manifest.current_manifest()
        self.server = source.server_identity()
        _remove_unnamed_files(self.before)
        self.base = None if anew else self._usable(self.before)
        self.position = self._reached(source.read_log_mark(), mark)
        self.types: dict[int, TypeColumns] = {}
        self.left_out: dict[int, str] = {}
        self.touched: list[int] = []
        self.rows = 0
        self.top = self.base.top if self.base else 0

    def run(self) -> BuildResult:
        changed: Mapping[int, Sequence[int]] = {}
        recorded: set[int] = set()
        if self.base:
            changed = source.changed_people(self.base.change, self.position.change)
            recorded = source.types_after(self.base.mark, self.position.mark)
        types_before = self.base.types if self.base else {}
        for type_id in sorted({*source.big_types(FEWEST_ROWS), *types_before}):
            self._type(type_id, types_before.get(type_id), changed.get(type_id, ()), type_id in recorded)
        if self.base and not self._is_worth_it(self.base):
            return BuildResult(0, (), self.base)
        self.people = all_people.people_file(self.base.people if self.base else None)
        return self._publish()

    def _usable(self, before: Manifest | None) -> Manifest | None:
        """The previous manifest, if it describes this database in its present state."""
        if before is None or before.server != self.server or not source.is_published(before.token):
            return None
        return before

    def _reached(self, position: LogMark, mark: int | None) -> LogMark:
        """The position of the log, or `mark`. A recorder that takes its lock late may seem to set the mark back."""
        upto = position.mark if mark is None else mark
        if self.base is None:
            return LogMark(position.change, upto)
        return LogMark(max(position.change, self.base.change), max(upto, self.base.mark))

    def _type(self, type_id: int, old: TypeColumns | None, changed: Sequence[int], is_recorded: bool) -> None:
        # read after the mark: no row recorded until then has other fields
        now = tuple(fields.stored_fields_of_type(type_id))
        if time.monotonic() < _failed.get(type_id, 0):
            self.left_out[type_id] = self.base.left_out.get(type_id, "") if self.base else ""
            return
        try:
            if old is not None and (old.fields != now or len(changed) > MOST_CHANGED or not _is_whole(old)):
                old = None
            if old is None:
                entry = self._anew(type_id, now)
            elif changed or is_recorded:
                entry = self._updated(type_id, old, BitMap(changed))
            else:
                self.types[type_id] = old
                return
        except (DamagedFileError, session.Error, DatabaseError) as error:
            if connection.in_atomic_block or not connection.is_usable():
                raise
            self.left_out[type_id] = str(error).partition("\n")[0][:300]
            _failed[type_id] = time.monotonic() + AGAIN
            log.warning("activity type %s is not in the column index: %s", type_id, self.left_out[type_id])
            return
        if entry is not None:
            self.types[type_id] = entry
        if entry is not None or (self.base and type_id in self.base.types):
            self.touched.append(type_id)

    def _anew(self, type_id: int, now: tuple[fields.StoredField, ...]) -> TypeColumns | None:
        """The files of the whole type, read in the order of ids."""
        late: list[IndexFile] = []
        after, upto = 0, self.position.mark
        while (last := source.last_id_of_type(type_id, after, upto, CHUNK)) is not None:
            late += self._segment(type_id, now, [partial(source.copy_rows, after=after, upto=last)])
            after = last
        if not late:
            return None
        segment_files = segments.merge_segments(self.session, late)
        for file in late:
            (files.index_folder() / file.name).unlink()
        return self._entry(
            now,
            segment_files,
            self._months({}, segments.people_by_day(self.session, segment_files), BitMap()),
            self._unfit(segment_files, now),
        )

    def _updated(self, type_id: int, old: TypeColumns, changed_people: BitMap) -> TypeColumns | None:
        """The files of the type without the people who changed, with their present rows and the new rows."""
        assert self.base
        copies: list[Copy] = [partial(source.copy_rows, after=self.base.mark, upto=self.position.mark)]
        if changed_people:
            copies.append(partial(source.copy_rows_of_people, people=list(changed_people), upto=self.base.mark))
        new = self._segment(type_id, old.fields, copies)
        old_files = list(old.segments)
        if changed_people:
            rewritten = [segments.segment_without(self.session, file, changed_people) for file in old_files]
            old_files = [file for file in rewritten if file is not None]
        segment_files = [*old_files, *new]
        if not segment_files:
            return None
        months = self._months(
            {file.part: file for file in old.months}, segments.people_by_day(self.session, new), changed_people
        )
        unfit = old.unfit | self._unfit(new, old.fields)
        late = [file for file in segment_files if not file.part]
        if len(late) > MOST_LATE or sum(file.rows for file in late) > LATE_SHARE * sum(
            file.rows for file in segment_files
        ):
            segment_files = segments.merge_segments(self.session, segment_files)
            for file in new:
                (files.index_folder() / file.name).unlink()
        return self._entry(old.fields, segment_files, months, unfit)

    def _segment(self, type_id: int, of: tuple[fields.StoredField, ...], copies: Sequence[Copy]) -> list[IndexFile]:
        """The rows that `copies` read from PostgreSQL, as one segment or none."""
        columns = fields.stored_columns(of, as_stored=of)
        disk.require_room(files.index_folder())
        staged = files.index_folder() / files.STAGING / files.new_file_name(str(type_id), "csv")
        try:
            staged.touch(mode=0o600)
            for copy in copies:
                copy(staged, type_id, columns)
            segment = segments.segment_from_csv(self.session, staged, columns) if staged.stat().st_size else None
        finally:
            staged.unlink(missing_ok=True)
        if segment is None:
            return []
        self.rows += segment.rows
        self.top = max(self.top, segments.greatest_person_id(self.session, [segment]))
        return [segment]

    def _unfit(self, of: Sequence[IndexFile], stored_fields: tuple[fields.StoredField, ...]) -> frozenset[int]:
        return frozenset().union(*(segments.unfit_fields(self.session, file, stored_fields) for file in of))

    def _months(
        self, old: Mapping[str, IndexFile], days: Mapping[int, BitMap], changed_people: BitMap
    ) -> dict[str, tuple[IndexFile, BitMap]]:
        """The files of people by day, each with the people of its month: without those who changed, with `days`."""
        added: dict[str, dict[int, BitMap]] = {}
        for day, people in days.items():
            added.setdefault(bitmaps.month_of(day), {})[day] = people
        files_by_month: dict[str, tuple[IndexFile, BitMap]] = {}
        for month in sorted({*old, *added}):
            stored = bitmaps.load_days(files.intact_path(old[month])) if month in old else {}
            month_people = stored.pop(bitmaps.WHOLE, BitMap())
            leaves = month_people.intersect(changed_people)
            if month not in added and not leaves:
                files_by_month[month] = (old[month], month_people)
                continue
            for day, people in stored.items():
                stored[day] = people - changed_people if leaves else people
            for day, people in added.get(month, {}).items():
                stored[day] = stored[day] | people if day in stored else people
            stored = {day: people for day, people in stored.items() if people}
            if stored:
                content = bitmaps.dump_days(stored)
                name = files.new_file_name("days", "people")
                files_by_month[month] = (files.write_file(name, content, part=month), bitmaps.union_of(stored.values()))
        return files_by_month

    def _entry(
        self,
        of: tuple[fields.StoredField, ...],
        segment_files: Sequence[IndexFile],
        months: Mapping[str, tuple[IndexFile, BitMap]],
        unfit: frozenset[int],
    ) -> TypeColumns:
        ever_people = bitmaps.union_of(people for _file, people in months.values())
        ever = files.write_file(files.new_file_name("ever", "people"), bitmaps.dump_days({0: ever_people}))
        return TypeColumns(of, tuple(segment_files), tuple(file for file, _people in months.values()), ever, unfit)

    def _is_worth_it(self, base: Manifest) -> bool:
        """Return True if a new generation differs enough from `base` to be published."""
        age = timezone.now() - datetime.fromisoformat(base.built_at)
        if self.touched or self.left_out != base.left_out or age > DAILY:
            return True
        has_moved = (self.position.mark, self.position.change) != (base.mark, base.change)
        return age > STEADY and (has_moved or all_people.is_behind(base.people))

    def _publish(self) -> BuildResult:
        files.sync_folder(files.index_folder())
        token, node = uuid4(), self.before.node if self.before else uuid4()
        with transaction.atomic():
            source.publish_generation(token, node)
        new_manifest = Manifest(
            token,
            node,
            self.server,
            self.position.mark,
            self.position.change,
            self.top,
            timezone.now().isoformat(),
            self.types,
            self.left_out,
            self.people,
        )
        retired, over = self._retired(new_manifest)
        new_manifest = manifest.with_retired(new_manifest, retired)
        manifest.publish_manifest(new_manifest)
        for name in over:
            (files.index_folder() / name).unlink(missing_ok=True)
        return BuildResult(self.rows, tuple(self.touched), new_manifest)

    def _retired(self, new_manifest: Manifest) -> tuple[list[tuple[str, float]], list[str]]:
        """The replaced files that evaluations may still use, each with the time of its replacement; and unused ones."""
        if self.before is None:
            return [], []
        now = time.time()
        used = {file.name for file in new_manifest.files}
        retired_at = dict(self.before.retired)
        retired_at.update({file.name: now for file in self.before.files if file.name not in used})
        seconds_kept = settings.SMART_LIST_TIMEOUT_SECONDS + GRACE
        waiting = [(name, since) for name, since in retired_at.items() if now - since < seconds_kept]
        return waiting, [name for name, since in retired_at.items() if now - since >= seconds_kept]


def _is_whole(entry: TypeColumns) -> bool:
    try:
        for file in entry.files:
            files.intact_path(file)
    except DamagedFileError as error:
        log.warning("the column index is damaged, and built anew where it is: %s", error)
        return False
    return True


def _remove_unnamed_files(before: Manifest | None) -> None:
    """Remove files of an unfinished build: no manifest names them."""
    named = set() if before is None else {*(file.name for file in before.files), *dict(before.retired)}
    for path in files.index_folder().iterdir():
        if path.suffix in {".parquet", ".people"} and path.name not in named:
            path.unlink()
