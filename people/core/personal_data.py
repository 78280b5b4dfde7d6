"""Registry of all personal data, in every app, for merging, erasing and exporting people.

Each app registers its own tables when it starts, with the functions that merge, erase and export a person's
rows. A test finds every column of the database that holds a person's id, and fails if it is not registered
here. The functions run inside the verb's transaction, while no other transaction records or changes people.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.models import Model
from django.utils.functional import Promise

from people.core.source import Source

MIN_CUT = 5  # characters of an address that are still a trace of a person


@dataclass(frozen=True, slots=True)
class Merging:
    """A merge, or its undo: each loser with all people merged into it before (itself included).

    `changes` are the values of the winner that the merge changed: field: [before, after], typed as in JSON.
    """

    winner_id: int
    families: Mapping[int, Sequence[int]]
    source: Source
    merge_id: int = 0
    changes: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @property
    def loser_ids(self) -> list[int]:
        return list(self.families)


@dataclass(frozen=True, slots=True)
class Erasing:
    """People to erase: the person with all people merged into it, and texts that identify no other person.

    `texts` (e-mail addresses, phone numbers, values of unique fields; lower case) are for data without an id:
    rejected rows, replies, files. An `erase` adds to `last_steps` what has to be done when all else is erased: whatever
    locks rows that other transactions cannot wait for until then.
    """

    person_ids: Sequence[int]
    texts: Sequence[str]
    source: Source
    last_steps: list[Callable[[], None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ImportArrival:
    """The import that created people: its number, the range of its ids in the log, and its end."""

    import_id: int
    first_id: int
    last_id: int
    ended_at: datetime


def leave_rows_unchanged(*_what: Any) -> None:
    """Leave the rows unchanged."""


def no_touched_people(_person_ids: Sequence[int], _arrival: ImportArrival) -> set[int]:
    """A `touched` for rows that are no sign of use of a person: an empty set."""
    return set()


@dataclass(frozen=True, slots=True)
class PersonalData:
    """One table that holds ids or texts of people.

    `merge` moves the losers' rows to the winner and returns, as JSON, the data for `undo`. Without them rows stay
    unchanged, and their readers follow merges. `erase` deletes all rows of the people. `export` yields each row as
    JSON (none where rows hold nothing of the person's own). `count` returns the number of rows that an erase deletes,
    `count_moved` of those that a merge moves (the same number where it is None). `merge_notes`, of the winner and the
    losers of a merge to come, yields sentences about what else becomes of the rows.
    `keeps_ids` names the columns in which an id, and nothing else of the person, remains after an erase.
    `touched` returns the people with rows that did not come with the import that created them: these people stay
    when the import is undone. `stands_for_person`: ids of the table lead to a person, as those of a browser do, so that
    every column with such ids has to be registered, too.
    """

    table: str
    columns: tuple[str, ...]
    label: str | Promise
    _: KW_ONLY
    erase: Callable[[Erasing], None]
    count: Callable[[Sequence[int]], int] = field(default=lambda _person_ids: 0)
    count_moved: Callable[[Sequence[int]], int] | None = None
    merge: Callable[[Merging], Any] = leave_rows_unchanged
    undo: Callable[[Merging, Any], None] = leave_rows_unchanged
    merge_notes: Callable[[int, Sequence[int]], Iterable[str]] = field(default=lambda _winner_id, _loser_ids: ())
    export: Callable[[Sequence[int]], Iterable[Mapping[str, Any]]] = field(default=lambda _person_ids: ())
    texts: Callable[[Sequence[int]], Iterable[str]] = field(default=lambda _person_ids: ())
    touched: Callable[[Sequence[int], ImportArrival], set[int]] = field(default=no_touched_people)
    keeps_ids: tuple[str, ...] = ()
    stands_for_person: bool = False


class PersonRows(PersonalData):
    """A table with rows of the person in its first column; an erase deletes rows with the person in any column."""

    def __init__(self, table: str, columns: tuple[str, ...], label: str | Promise, **functions: Any) -> None:
        defaults = {
            "erase": delete_rows(table, *columns),
            "count": count_rows(table, columns[0]),
            "touched": touched_by_rows(table, columns[0]),
        }
        super().__init__(table, columns, label, **defaults | functions)


class IdArray(PersonalData):
    """A table with an array of ids; an erase removes the people from it."""

    def __init__(self, table: str, column: str, label: str | Promise, **functions: Any) -> None:
        defaults = {"erase": remove_from_arrays(table, column), "count": count_arrays(table, column)}
        super().__init__(table, (column,), label, **defaults | functions)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedFiles:
    """Files under DATA_DIR that can contain people; `erase` deletes or rewrites the files with erased people."""

    label: str | Promise
    paths: Callable[[], Iterable[Path]]
    erase: Callable[[Erasing], None]


_tables: dict[str, PersonalData] = {}
_files: list[OwnedFiles] = []


def register_personal_tables(*owned_tables: PersonalData) -> None:
    """Register tables; a later registration of the same table replaces the earlier one."""
    for table in owned_tables:
        _tables[table.table] = table


def register_personal_files(owned_files: OwnedFiles) -> None:
    """Register a kind of files."""
    _files.append(owned_files)


def registered_tables() -> Sequence[PersonalData]:
    """Every registered table, in the order of registration."""
    return list(_tables.values())


def unregistered_columns() -> set[tuple[str, str]]:
    """(table, column) of columns that look like ids of people, by name or foreign key, and are not registered.

    So do ids of whatever stands for a person, such as a browser.
    """
    standing = ["person", *(table.table for table in registered_tables() if table.stands_for_person)]
    names = "|".join(["people", "lead", "winner", "loser", "member", *standing])
    with connection.cursor() as cursor:
        cursor.execute(
            """select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
            where c.relkind in ('r', 'p') and c.relnamespace = current_schema()::regnamespace
              and not c.relispartition and a.attnum > 0 and not a.attisdropped
              and (a.attname ~ %s or exists (
                  select from pg_constraint k where k.conrelid = c.oid and k.contype = 'f'
                  and k.confrelid = any(%s::regclass[]) and a.attnum = any(k.conkey)))""",
            [f"({names})_?ids?$", standing],
        )
        columns = set(cursor.fetchall())
    return columns - {(table.table, column) for table in registered_tables() for column in table.columns}


def registered_files() -> Sequence[OwnedFiles]:
    return list(_files)


def stored_text_forms(texts: Sequence[str]) -> list[str]:
    """The texts as stored in columns, and as escaped in ASCII-only JSON."""
    return sorted({*texts, *(json.dumps(text)[1:-1].lower() for text in texts)})


def has_cut_text(value: str, texts: Sequence[str]) -> bool:
    """True if a value that was shortened with "…" was cut within one of the texts (lower case): its beginning is left.

    Fewer than `MIN_CUT` characters identify no person. The work is linear in the value for each text.
    """
    parts = value.lower().split("…")[:-1]
    return any(_ends_within(part, text) for text in texts if len(text) > MIN_CUT for part in parts)


def _ends_within(part: str, text: str) -> bool:
    at = part.find(text[:MIN_CUT], max(0, len(part) - len(text)))
    while at >= 0:
        if text.startswith(part[at:]):
            return True
        at = part.find(text[:MIN_CUT], at + 1)
    return False


def delete_rows(table: str, *columns: str) -> Callable[[Erasing], None]:
    """An `erase` that deletes the rows whose `columns` name one of the people."""

    def erase(erasing: Erasing) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"delete from {table} where {_any(columns)}", {"ids": list(erasing.person_ids)})

    return erase


def count_rows(table: str, *columns: str) -> Callable[[Sequence[int]], int]:
    """A `count` of the rows whose `columns` name one of the people."""

    def count(person_ids: Sequence[int]) -> int:
        with connection.cursor() as cursor:
            cursor.execute(f"select count(*) from {table} where {_any(columns)}", {"ids": list(person_ids)})
            (number,) = cursor.fetchone()
            return int(number)

    return count


def moved_rows(model: type[Model]) -> dict[str, Callable[..., Any]]:
    """The `merge` and `undo` of a table whose rows move to the winner; an undo moves back those of each loser.

    `model` has `person_id`. The data for the undo: {"id of the loser": [ids of rows]}, or None.
    """

    def merge(merging: Merging) -> Mapping[str, Sequence[int]] | None:
        moved: dict[str, list[int]] = {}
        rows = model._default_manager.filter(person_id__in=merging.loser_ids)
        for pk, person_id in rows.values_list("pk", "person_id"):
            moved.setdefault(str(person_id), []).append(pk)
        rows.update(person_id=merging.winner_id)
        return moved or None

    def undo(merging: Merging, moved: Mapping[str, Sequence[int]] | None) -> None:
        for loser_id, ids in (moved or {}).items():
            rows = model._default_manager.filter(pk__in=ids, person_id=merging.winner_id)
            rows.update(person_id=int(loser_id))

    return {"merge": merge, "undo": undo}


def touched_by_rows(
    table: str, column: str, brought: str = "false"
) -> Callable[[Sequence[int], ImportArrival], set[int]]:
    """A `touched` for people in `column`, except in rows that came with the import (`brought`, a condition in SQL)."""

    def touched(person_ids: Sequence[int], arrival: ImportArrival) -> set[int]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"select distinct {column} from {table} where {column} = any(%(ids)s) and ({brought}) is not true",
                {"ids": list(person_ids), **asdict(arrival)},
            )
            return {pk for (pk,) in cursor.fetchall()}

    return touched


def remove_from_arrays(table: str, column: str) -> Callable[[Erasing], None]:
    """An `erase` that removes the people from the arrays in `column`, which keep their order."""

    def erase(erasing: Erasing) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                f"""update {table} set {column} = array(
                    select id from unnest({column}) with ordinality as p (id, place)
                    where id <> all(%(ids)s) order by place)
                where {column} && %(ids)s::int[]""",
                {"ids": list(erasing.person_ids)},
            )

    return erase


def count_arrays(table: str, column: str) -> Callable[[Sequence[int]], int]:
    """A `count` of the rows whose array in `column` names one of the people."""

    def count(person_ids: Sequence[int]) -> int:
        with connection.cursor() as cursor:
            cursor.execute(f"select count(*) from {table} where {column} && %s::int[]", [list(person_ids)])
            (number,) = cursor.fetchone()
            return int(number)

    return count


def _any(columns: Sequence[str]) -> str:
    return " or ".join(f"{column} = any(%(ids)s)" for column in columns)
