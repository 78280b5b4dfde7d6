"""The rows of a type in one snapshot of the database: files, and the differences from them.

Files have the rows up to the generation's mark. The delta consists of rows after the mark and of rows of people who
changed since; these come from PostgreSQL, and the files' rows of such people are ignored. Both parts together contain
each row once: a row up to the mark of an unchanged person existed at the build, and still does.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyroaring import BitMap

from activities.log.columns import bitmaps, fields, files, manifest, source
from activities.log.columns.bitmaps import DayReader
from activities.log.columns.fields import StoredColumn, StoredField
from activities.log.columns.manifest import Manifest, TypeColumns
from activities.log.columns.session import path_list

MOST_DELTA = 20_000  # rows after the mark, or changed people; with more SQL answers
MOST_ROWS = 100_000  # rows of both together

Rows = Callable[[str, tuple[Any, ...]], Sequence[Sequence[Any]]]


class NotHeldError(Exception):
    """The files cannot give this answer exactly; `reason` is one of a few words, for counters."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def pin_manifest() -> Manifest | None:
    """The generation to use; pinned before the snapshot begins, so that the snapshot has all rows that it read."""
    return manifest.current_manifest()


@dataclass(frozen=True, slots=True)
class TypeDelta:
    """The rows of a type that a snapshot has and the files lack: a condition on `activity`, and changed people."""

    mark: int
    changed: BitMap

    @property
    def where(self) -> str:
        """SQL of PostgreSQL over `activity` for the rows that are added to those of the files or replace them."""
        if not self.changed:
            return f"id > {self.mark}"
        ids = ",".join(map(str, self.changed))
        return f"(id > {self.mark} or person_id = any('{{{ids}}}'::int[]))"


@dataclass(frozen=True, slots=True)
class RowRelation:
    """SQL of DuckDB for rows of a type, with its parameters, and an id that no person in them exceeds."""

    sql: str
    parameters: Sequence[Any]
    top: int


@dataclass(slots=True)
class IndexView:
    """The pinned generation in one snapshot, in which `rows` runs a statement of PostgreSQL."""

    pinned: Manifest
    rows: Rows
    deltas: dict[int, TypeDelta] = field(default_factory=dict)
    is_valid: bool | None = None

    def _require_valid(self) -> None:
        if self.is_valid is None:
            self.is_valid = self._check()
        if not self.is_valid:
            raise NotHeldError("generation")

    def people(self) -> tuple[BitMap, int]:
        """The ids of all people up to an id, and that id. Raises `NotHeldError`, `DamagedFileError`."""
        self._require_valid()
        if self.pinned.people is None:
            raise NotHeldError("people")
        return self.pinned.people.ids(), self.pinned.people.mark

    def entry(self, type_id: int) -> TypeColumns:
        """The files of a type. Raises `NotHeldError`."""
        self._require_valid()
        if type_id not in self.pinned.types:
            raise NotHeldError("type")
        return self.pinned.types[type_id]

    def _check(self) -> bool:
        """Return True if the snapshot contains the generation, and the rules of lower case are those of the build."""
        ((is_seen,),) = self.rows(
            f"""select exists (select from column_generation where token = %s
                and published_at > now() - interval '{source.TRUSTED}') and ({source.SERVER}) = %s""",
            (self.pinned.token, self.pinned.server),
        )
        return bool(is_seen)

    def delta(self, type_id: int) -> TypeDelta:
        """The rows that the snapshot has besides the files. Raises `NotHeldError` if they are many."""
        self.entry(type_id)
        if type_id not in self.deltas:
            ((number, changed),) = self.rows(
                """select (select count(*) from (select 1 from activity
                        where activity_type_id = %s and id > %s limit %s) as later),
                    array(select distinct person_id from activity_change
                        where activity_type_id = %s and id > %s limit %s)""",
                (type_id, self.pinned.mark, MOST_DELTA + 1, type_id, self.pinned.change, MOST_DELTA + 1),
            )
            if number > MOST_DELTA or len(changed) > MOST_DELTA:
                raise NotHeldError("lag")
            self.deltas[type_id] = TypeDelta(self.pinned.mark, BitMap(changed))
        return self.deltas[type_id]

    def stored_field(self, type_id: int, field_id: int) -> StoredField:
        """The field as stored in files. Raises `NotHeldError` if they cannot hold its values exactly."""
        entry = self.entry(type_id)
        for stored in entry.fields:
            if stored.id == field_id and field_id not in entry.unfit:
                return stored
        raise NotHeldError("field")

    def relation(self, type_id: int, field_ids: Iterable[int], as_stored: Iterable[int] = ()) -> RowRelation:
        """The rows of a type with the columns of these fields, and id, person, occurred_at, recorded_at and flags.

        `as_stored`: ids of those fields whose text is grouped in its own case. Raises `NotHeldError`,
        `DamagedFileError`.
        """
        entry = self.entry(type_id)
        stored_fields = {pk: self.stored_field(type_id, pk) for pk in sorted(set(field_ids))}
        columns = fields.stored_columns(
            stored_fields.values(), as_stored=[stored_fields[pk] for pk in sorted(set(as_stored))]
        )
        delta = self.delta(type_id)
        segment_paths = path_list([files.intact_path(file) for file in entry.segments])
        names = ", ".join(column.name for column in columns)
        sql, parameters = f"select {names} from read_parquet({segment_paths})", []
        if delta.changed:
            sql += " where person not in (select unnest(?::INTEGER[]))"
            parameters.append(list(delta.changed))
        later = self._later(type_id, columns, delta)
        top = self.pinned.top
        if later:
            by_column = list(zip(*later, strict=True))
            parts = (f"unnest(?::{column.storage.held}[]) as {column.name}" for column in columns)
            sql += f" union all select {', '.join(parts)}"
            parameters += map(list, by_column)
            top = max(top, *by_column[1])
        return RowRelation(sql, parameters, top)

    def _later(self, type_id: int, columns: Sequence[StoredColumn], delta: TypeDelta) -> Sequence[Sequence[Any]]:
        rows = self.rows(fields.rows_sql(type_id, columns, delta.where, MOST_ROWS + 1), ())
        if len(rows) > MOST_ROWS:
            raise NotHeldError("lag")
        for number, column in enumerate(columns):
            if column.storage.is_unfit and any(_is_unfit(row[number]) for row in rows):
                raise NotHeldError("field")
        return rows

    def touched_people(self, type_id: int) -> BitMap:
        """The people whose rows the snapshot has otherwise than the files: all others have theirs in the files.

        Raises `NotHeldError`.
        """
        delta = self.delta(type_id)
        later = self.rows(
            "select person_id from activity where activity_type_id = %s and id > %s", (type_id, self.pinned.mark)
        )
        return delta.changed | BitMap(person for (person,) in later)

    def day_reader(self, type_id: int) -> DayReader:
        """The people of each day (UTC), in the files. Raises `NotHeldError`, `DamagedFileError`."""
        return DayReader({file.part: files.intact_path(file) for file in self.entry(type_id).months})

    def by_day(self, type_id: int, whole: Sequence[tuple[int | None, int | None]]) -> BitMap:
        """The people with a row on one of the days (UTC, since 1970; [first, end), None is no bound), in the files.

        People who changed are left out. Raises `NotHeldError`, `DamagedFileError`.
        """
        entry = self.entry(type_id)
        delta = self.delta(type_id)
        if (None, None) in whole:
            people = bitmaps.union_of(bitmaps.load_days(files.intact_path(entry.ever)).values())
            return people - delta.changed
        parts = [part for file in entry.months for part in _of_month(files.intact_path(file), file.part, whole)]
        return bitmaps.union_of(parts) - delta.changed


def _of_month(path: Any, month: str, whole: Sequence[tuple[int | None, int | None]]) -> list[BitMap]:
    """The bitmaps in a month's file that cover the requested part of the month."""
    start, end = bitmaps.days_of(month)
    wanted_days: set[int] = set()
    for first, last in whole:
        low, high = start if first is None else max(first, start), end if last is None else min(last, end)
        if (low, high) == (start, end):
            return list(bitmaps.load_days(path, [bitmaps.WHOLE]).values())
        wanted_days.update(range(low, high))
    return list(bitmaps.load_days(path, wanted_days).values()) if wanted_days else []


def _is_unfit(value: Any) -> bool:
    return value is not None and (value == fields.UNFIT or value != value)
