"""Compares the column index with the log: rows and the sum of their ids, by type and month, in one snapshot."""

from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from activities.log.columns import bitmaps, files, session
from activities.log.columns.files import DamagedFileError
from activities.log.columns.relation import NotHeldError, View, pin


@dataclass(frozen=True, slots=True)
class Finding:
    """A type whose files say something else than the log, or cannot be compared with it now."""

    type_id: int
    says: str

    def __str__(self) -> str:
        return f"type {self.type_id}: {self.says}"


def verify() -> tuple[int, list[Finding]]:
    """How many types agree, and what does not. Raises `NotHeldError` where there is nothing to compare."""
    pinned = pin()
    if pinned is None:
        raise NotHeldError("there is no column index on this node")
    is_nested = connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if not is_nested:
            cursor.execute("set transaction isolation level repeatable read, read only")

        def rows(sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
            cursor.execute(sql, parameters)
            return cursor.fetchall()

        view = View(pinned, rows)
        found = [finding for type_id in pinned.types for finding in _of_type(view, type_id)]
    return len(pinned.types) - len({finding.type_id for finding in found}), found


def _of_type(view: View, type_id: int) -> list[Finding]:
    try:
        for file in view.entry(type_id).files:
            files.intact(file)
        held, logged = _held(view, type_id), _logged(view, type_id)
        by_bitmaps, by_rows = _days(view, type_id), _people_of_files(view, type_id)
    except (NotHeldError, DamagedFileError, session.Error) as error:
        return [Finding(type_id, f"cannot be compared: {error}")]
    wrong = [day for day in {*held, *logged} if held.get(day) != logged.get(day)]
    says = [f"{len(wrong)} days differ from the log, the first is day {min(wrong)} since 1970"] if wrong else []
    says += ["people by day differ from the rows"] if by_bitmaps != by_rows else []
    return [Finding(type_id, said) for said in says]


def _held(view: View, type_id: int) -> dict[int, tuple[int, int]]:
    relation = view.relation(type_id, ())
    found = session.session().rows(
        f"select {bitmaps.day_sql('occurred_at')}, count(*), sum(id) from ({relation.sql}) group by 1",
        relation.parameters,
    )
    return {day: (number, int(total)) for day, number, total in found}


def _logged(view: View, type_id: int) -> dict[int, tuple[int, int]]:
    found = view.rows(
        """select floor(extract(epoch from occurred_at) / 86400)::int, count(*), sum(id)
        from activity where activity_type_id = %s group by 1""",
        (type_id,),
    )
    return {day: (number, int(total)) for day, number, total in found}


def _days(view: View, type_id: int) -> dict[int, int]:
    entry = view.entry(type_id)
    found: dict[int, int] = {}
    months = []
    for file in entry.months:
        stored = bitmaps.load(files.intact(file))
        whole = stored.pop(bitmaps.WHOLE)
        if whole != bitmaps.union(stored.values()):
            raise DamagedFileError(f"{file.name} says other people of the month than of its days")
        months.append(whole)
        found.update({day: len(people) for day, people in stored.items()})
    if bitmaps.union(bitmaps.load(files.intact(entry.ever)).values()) != bitmaps.union(months):
        raise DamagedFileError(f"{entry.ever.name} says other people than the months")
    return found


def _people_of_files(view: View, type_id: int) -> dict[int, int]:
    held = session.paths([files.intact(file) for file in view.entry(type_id).segments])
    found = session.session().rows(
        f"select {bitmaps.day_sql('occurred_at')}, count(distinct person) from read_parquet({held}) group by 1"
    )
    return dict(found)
