"""Builds the column index of this node: what the log has, as files that DuckDB and bitmaps answer from.

The order of reads makes it exact. First the last change, then the high-water mark, then rows up to the mark. Whoever is
changed while rows are read is changed after the change that was read first, so whoever evaluates later leaves that
person's rows in files aside. The files are on disk before the generation is entered in the database, and the manifest
comes after that: an evaluation whose snapshot sees the generation sees all that was read for it.
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

from activities.log.columns import bitmaps, fields, files, manifest, segments, session, source
from activities.log.columns.fields import Column
from activities.log.columns.files import DamagedFileError, File
from activities.log.columns.manifest import Manifest, TypeColumns
from activities.log.columns.session import Session
from activities.log.columns.source import Position
from people.core.db import citus

log = logging.getLogger(__name__)

EVERY = 5.0  # seconds between two builds
FEWEST_ROWS = 200_000  # of a type: SQL is quick enough for less
CHUNK = 1_000_000  # rows that are read by one statement
MOST_LATE = 8  # segments that wait to be put with the others, and their share of the type's rows
LATE_SHARE = 0.05
MOST_CHANGED = 20_000  # people of a type: where more changed, it is built anew
STEADY, DAILY = timedelta(minutes=1), timedelta(days=1)  # a generation where no type changed
AGAIN = 3_600.0  # seconds until a type that could not be built is tried again
GRACE = 60.0  # seconds, besides those of the longest evaluation, that files are kept after they are used


Copy = Callable[[Path, int, Sequence[Column]], None]  # appends rows of a type to a file
_failed: dict[int, float] = {}  # types that this process could not build, and when


class BusyError(Exception):
    """Another process of this node builds or drops the index."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did: rows written, types that were changed, the generation now."""

    rows: int
    types: tuple[int, ...]
    manifest: Manifest


def build(mark: int | None = None, anew: bool = False) -> Built:
    """Bring the index up to the high-water mark; `mark` is another end, for transactions that hold it back.

    With `anew` nothing of what is there is used. Raises `BusyError`, `OSError`, `duckdb.Error`.
    """
    with files.alone() as is_mine:
        if not is_mine:
            raise BusyError("another process builds the column index")
        files.make_folder()
        return _Build(mark, anew).run()


def drop() -> bool:
    """Remove the index of this node; whether there was one. Raises `BusyError`."""
    with files.alone(seconds=600) as is_mine:
        if not is_mine:
            raise BusyError("another process builds the column index: stop it first")
        place = files.folder()
        was_there = (place / manifest.NAME).exists()
        # the manifest first: what is named nowhere is not used
        left = [
            place / manifest.NAME,
            *(path for path in place.iterdir() if path.is_file() and path.name != files.LOCK),
        ]
        left += [path for name in (files.STAGING, files.TEMPORARY) for path in (place / name).glob("*")]
        for path in left:
            path.unlink(missing_ok=True)
    return was_there


def keep_building(is_over: Callable[[], bool], every: float = EVERY) -> None:
    """Build again and again until told that it is over; what goes wrong is logged, and tried again."""
    while not is_over():
        try:
            _build_where_wanted()
        except BusyError:
            pass
        except Exception as error:  # whatever it is: who starts this process with others stops them all when it ends
            log.warning("the column index was not built: %s: %s", type(error).__name__, str(error).partition("\n")[0])
            connection.close()
        until = time.monotonic() + every
        while not is_over() and time.monotonic() < until:
            time.sleep(0.2)


def _build_where_wanted() -> None:
    if settings.COLUMN_INDEX and not citus.is_distributed():
        build()
    elif (files.folder() / manifest.NAME).exists():
        drop()


class _Build:
    """One build: what it goes by, and what it has written."""

    def __init__(self, mark: int | None, anew: bool) -> None:
        self.session: Session = session.session()
        self.before = manifest.current()
        self.server = source.server()
        _remove_strangers(self.before)
        self.base = None if anew else self._usable(self.before)
        self.position = self._reached(source.position(), mark)
        self.types: dict[int, TypeColumns] = {}
        self.left_out: dict[int, str] = {}
        self.touched: list[int] = []
        self.rows = 0
        self.top = self.base.top if self.base else 0

    def run(self) -> Built:
        changed: Mapping[int, Sequence[int]] = {}
        recorded: set[int] = set()
        if self.base:
            changed = source.changed(self.base.change, self.position.change)
            recorded = source.types_after(self.base.mark, self.position.mark)
        known = self.base.types if self.base else {}
        for type_id in sorted({*source.big_types(FEWEST_ROWS), *known}):
            self._type(type_id, known.get(type_id), changed.get(type_id, ()), type_id in recorded)
        if self.base and not self._is_worth_it(self.base):
            return Built(0, (), self.base)
        return self._publish()

    def _usable(self, before: Manifest | None) -> Manifest | None:
        """What was built before, if it was of this database as it is now."""
        if before is None or before.server != self.server or not source.is_published(before.token):
            return None
        return before

    def _reached(self, position: Position, mark: int | None) -> Position:
        """The log's position, or `mark`. A recorder that is slow to take its lock may seem to put the mark back."""
        upto = position.mark if mark is None else mark
        if self.base is None:
            return Position(position.change, upto)
        return Position(max(position.change, self.base.change), max(upto, self.base.mark))

    def _type(self, type_id: int, old: TypeColumns | None, changed: Sequence[int], is_recorded: bool) -> None:
        # read after the mark: whatever was recorded until then has no other fields
        now = tuple(fields.of_type(type_id))
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
        """The whole type, read in the order of ids."""
        late: list[File] = []
        after, upto = 0, self.position.mark
        while (last := source.last_of(type_id, after, upto, CHUNK)) is not None:
            late += self._segment(type_id, now, [partial(source.copy_rows, after=after, upto=last)])
            after = last
        if not late:
            return None
        made = segments.fold(self.session, late)
        for file in late:
            (files.folder() / file.name).unlink()
        return self._entry(
            now, made, self._months({}, segments.days(self.session, made), BitMap()), self._unfit(made, now)
        )

    def _updated(self, type_id: int, old: TypeColumns, gone: BitMap) -> TypeColumns | None:
        """What is there without the people who changed, and with their rows and the new ones."""
        assert self.base
        copies: list[Copy] = [partial(source.copy_rows, after=self.base.mark, upto=self.position.mark)]
        if gone:
            copies.append(partial(source.copy_rows_of, people=list(gone), upto=self.base.mark))
        new = self._segment(type_id, old.fields, copies)
        kept = list(old.segments)
        if gone:
            rewritten = [segments.without(self.session, file, gone) for file in kept]
            kept = [file for file in rewritten if file is not None]
        made = [*kept, *new]
        if not made:
            return None
        months = self._months({file.part: file for file in old.months}, segments.days(self.session, new), gone)
        unfit = old.unfit | self._unfit(new, old.fields)
        late = [file for file in made if not file.part]
        if len(late) > MOST_LATE or sum(file.rows for file in late) > LATE_SHARE * sum(file.rows for file in made):
            made = segments.fold(self.session, made)
            for file in new:
                (files.folder() / file.name).unlink()
        return self._entry(old.fields, made, months, unfit)

    def _segment(self, type_id: int, of: tuple[fields.StoredField, ...], copies: Sequence[Copy]) -> list[File]:
        """What `copies` have PostgreSQL send, as one segment or none."""
        wanted = fields.columns(of, as_stored=of)
        staged = files.folder() / files.STAGING / files.new_name(str(type_id), "csv")
        try:
            staged.touch(mode=0o600)
            for copy in copies:
                copy(staged, type_id, wanted)
            made = segments.of_csv(self.session, staged, wanted) if staged.stat().st_size else None
        finally:
            staged.unlink(missing_ok=True)
        if made is None:
            return []
        self.rows += made.rows
        self.top = max(self.top, segments.top(self.session, [made]))
        return [made]

    def _unfit(self, of: Sequence[File], known: tuple[fields.StoredField, ...]) -> frozenset[int]:
        return frozenset().union(*(segments.unfit(self.session, file, known) for file in of))

    def _months(
        self, old: Mapping[str, File], days: Mapping[int, BitMap], gone: BitMap
    ) -> dict[str, tuple[File, BitMap]]:
        """The files of people by day, each with the people of its month: without those who changed, with `days`."""
        added: dict[str, dict[int, BitMap]] = {}
        for day, people in days.items():
            added.setdefault(bitmaps.month_of(day), {})[day] = people
        found: dict[str, tuple[File, BitMap]] = {}
        for month in sorted({*old, *added}):
            stored = bitmaps.load(files.intact(old[month])) if month in old else {}
            everybody = stored.pop(bitmaps.WHOLE, BitMap())
            leaves = everybody.intersect(gone)
            if month not in added and not leaves:
                found[month] = (old[month], everybody)
                continue
            for day, people in stored.items():
                stored[day] = people - gone if leaves else people
            for day, people in added.get(month, {}).items():
                stored[day] = stored[day] | people if day in stored else people
            stored = {day: people for day, people in stored.items() if people}
            if stored:
                content = bitmaps.dump(stored)
                name = files.new_name("days", "people")
                found[month] = (files.write(name, content, part=month), bitmaps.union(stored.values()))
        return found

    def _entry(
        self,
        of: tuple[fields.StoredField, ...],
        made: Sequence[File],
        months: Mapping[str, tuple[File, BitMap]],
        unfit: frozenset[int],
    ) -> TypeColumns:
        everybody = bitmaps.union(people for _file, people in months.values())
        ever = files.write(files.new_name("ever", "people"), bitmaps.dump({0: everybody}))
        return TypeColumns(of, tuple(made), tuple(file for file, _people in months.values()), ever, unfit)

    def _is_worth_it(self, base: Manifest) -> bool:
        """Whether there is something to publish."""
        age = timezone.now() - datetime.fromisoformat(base.built_at)
        has_moved = (self.position.mark, self.position.change) != (base.mark, base.change)
        return bool(self.touched) or self.left_out != base.left_out or age > DAILY or (has_moved and age > STEADY)

    def _publish(self) -> Built:
        files.sync_folder(files.folder())
        token, node = uuid4(), self.before.node if self.before else uuid4()
        with transaction.atomic():
            source.publish(token, node)
        made = Manifest(
            token,
            node,
            self.server,
            self.position.mark,
            self.position.change,
            self.top,
            timezone.now().isoformat(),
            self.types,
            self.left_out,
        )
        retired, over = self._retired(made)
        made = manifest.with_retired(made, retired)
        manifest.publish(made)
        for name in over:
            (files.folder() / name).unlink(missing_ok=True)
        return Built(self.rows, tuple(self.touched), made)

    def _retired(self, made: Manifest) -> tuple[list[tuple[str, float]], list[str]]:
        """The files of before that evaluations may still use, each with the time since when it is of no use; and those
        that none can use any more."""
        if self.before is None:
            return [], []
        now = time.time()
        used = {file.name for file in made.files}
        known = dict(self.before.retired)
        known.update({file.name: now for file in self.before.files if file.name not in used})
        kept = settings.SMART_LIST_TIMEOUT_SECONDS + GRACE
        waiting = [(name, since) for name, since in known.items() if now - since < kept]
        return waiting, [name for name, since in known.items() if now - since >= kept]


def _is_whole(entry: TypeColumns) -> bool:
    try:
        for file in entry.files:
            files.intact(file)
    except DamagedFileError as error:
        log.warning("the column index is damaged, and built anew where it is: %s", error)
        return False
    return True


def _remove_strangers(before: Manifest | None) -> None:
    """Remove files that a build left which did not come to its end: no manifest names them."""
    named = set() if before is None else {*(file.name for file in before.files), *dict(before.retired)}
    for path in files.folder().iterdir():
        if path.suffix in {".parquet", ".people"} and path.name not in named:
            path.unlink()
