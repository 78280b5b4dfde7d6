"""Compares the column index with the log: rows and the sum of their ids, by type and month, in one snapshot."""

from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from pyroaring import BitMap

from activities.log.columns import bitmaps, files, session
from activities.log.columns.files import DamagedFileError
from activities.log.columns.relation import IndexView, NotHeldError, pin_manifest

PEOPLE_AT_ONCE = 100_000  # ids that are compared by one statement


@dataclass(frozen=True, slots=True)
class IndexMismatch:
    """A type whose files differ from the log, or cannot be compared with it now; without a type, the file of people."""

    type_id: int | None
    problem: str

    def __str__(self) -> str:
        return f"{'people' if self.type_id is None else f'type {self.type_id}'}: {self.problem}"


def verify_index() -> tuple[int, list[IndexMismatch]]:
    """The number of types that agree with the log, and the differences. Raises `NotHeldError` without an index."""
    pinned = pin_manifest()
    if pinned is None:
        raise NotHeldError("there is no column index on this node")
    is_nested = connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if not is_nested:
            cursor.execute("set transaction isolation level repeatable read, read only")

        def rows(sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
            cursor.execute(sql, parameters)
            return cursor.fetchall()

        view = IndexView(pinned, rows)
        mismatches = [finding for type_id in pinned.types for finding in _of_type(view, type_id)]
        people_mismatches = _of_people(view)
    return len(pinned.types) - len({finding.type_id for finding in mismatches}), mismatches + people_mismatches


def _of_people(view: IndexView) -> list[IndexMismatch]:
    if view.pinned.people is None:
        return []
    try:
        stored, mark = view.people()
    except (NotHeldError, DamagedFileError) as error:
        return [IndexMismatch(None, f"cannot be compared: {error}")]
    number = 0
    for first in range(0, mark + 1, PEOPLE_AT_ONCE):
        last = min(first + PEOPLE_AT_ONCE - 1, mark)
        ((ids,),) = view.rows("select array_agg(id) from person where id between %s and %s", (first, last))
        number += len((stored & BitMap(range(first, last + 1))) ^ BitMap(ids or ()))
    return [IndexMismatch(None, f"{number} differ from the table")] if number else []


def _of_type(view: IndexView, type_id: int) -> list[IndexMismatch]:
    try:
        for file in view.entry(type_id).files:
            files.intact_path(file)
        indexed, logged = _held(view, type_id), _logged(view, type_id)
        by_bitmaps, by_rows = _days(view, type_id), _people_of_files(view, type_id)
    except (NotHeldError, DamagedFileError, session.Error) as error:
        return [IndexMismatch(type_id, f"cannot be compared: {error}")]
    wrong = [day for day in {*indexed, *logged} if indexed.get(day) != logged.get(day)]
    texts = [f"{len(wrong)} days differ from the log, the first is day {min(wrong)} since 1970"] if wrong else []
    texts += ["people by day differ from the rows"] if by_bitmaps != by_rows else []
    return [IndexMismatch(type_id, text) for text in texts]


def _held(view: IndexView, type_id: int) -> dict[int, tuple[int, int]]:
    relation = view.relation(type_id, ())
    rows = session.duck_session().rows(
        f"select {bitmaps.day_sql('occurred_at')}, count(*), sum(id) from ({relation.sql}) group by 1",
        relation.parameters,
    )
    return {day: (number, int(total)) for day, number, total in rows}


def _logged(view: IndexView, type_id: int) -> dict[int, tuple[int, int]]:
    rows = view.rows(
        """select floor(extract(epoch from occurred_at) / 86400)::int, count(*), sum(id)
        from activity where activity_type_id = %s group by 1""",
        (type_id,),
    )
    return {day: (number, int(total)) for day, number, total in rows}


def _days(view: IndexView, type_id: int) -> dict[int, int]:
    entry = view.entry(type_id)
    people_by_day: dict[int, int] = {}
    months = []
    for file in entry.months:
        stored = bitmaps.load_days(files.intact_path(file))
        whole = stored.pop(bitmaps.WHOLE)
        if whole != bitmaps.union_of(stored.values()):
            raise DamagedFileError(f"{file.name} says other people of the month than of its days")
        months.append(whole)
        people_by_day.update({day: len(people) for day, people in stored.items()})
    if bitmaps.union_of(bitmaps.load_days(files.intact_path(entry.ever)).values()) != bitmaps.union_of(months):
        raise DamagedFileError(f"{entry.ever.name} says other people than the months")
    return people_by_day


def _people_of_files(view: IndexView, type_id: int) -> dict[int, int]:
    segment_paths = session.path_list([files.intact_path(file) for file in view.entry(type_id).segments])
    rows = session.duck_session().rows(
        f"select {bitmaps.day_sql('occurred_at')}, count(distinct person) from read_parquet({segment_paths}) group by 1"
    )
    return dict(rows)
