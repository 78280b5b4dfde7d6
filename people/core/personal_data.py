"""Everything that belongs to a person, wherever it lies: the registry by which merge, erase and export know it.

Each app registers its own tables when it starts and says for each what merging, erasing and exporting a
person means there. A test finds every column of the database that holds a person's id, and fails when it is
not registered here. Functions run inside the verb's transaction, while nobody else records or changes people.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connection
from django.utils.functional import Promise

from people.core.source import Source


@dataclass(frozen=True, slots=True)
class Merging:
    """A merge, or its undoing: each loser with everybody who had been merged into it before (itself included).

    `changes` are the values that the merge gave the winner: field: [before, after], typed as in JSON.
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
    """People to forget: the person with everybody merged into it, and texts that name nobody else.

    `texts` (e-mail addresses, phone numbers, values of unique fields; lower case) are for what holds no id:
    refused rows, replies, files.
    """

    person_ids: Sequence[int]
    texts: Sequence[str]
    source: Source


@dataclass(frozen=True, slots=True)
class Arrival:
    """The import that created people: its number, the ids between which the log has what it recorded, and its end."""

    import_id: int
    first_id: int
    last_id: int
    ended_at: datetime


def nothing(*_what: Any) -> None:
    """Rows stay as they are."""


def nobody(_person_ids: Sequence[int], _arrival: Arrival) -> set[int]:
    """Rows that say nothing of what somebody did with a person."""
    return set()


@dataclass(frozen=True, slots=True)
class PersonalData:
    """One table that holds ids or texts of people.

    `merge` moves what the losers have to the winner and returns, as JSON, what `undo` needs to put it back: without
    them rows stay as they are, and whoever reads them follows merges. `erase` leaves no row of the people, `export`
    gives each row as JSON (none where rows say nothing that is the person's own), `count` says how many rows an
    erase takes. `keeps_ids` names the columns in which an id, and nothing else of the person, outlives an erase.
    `touched` says who of the people has rows that did not come with the import that created them: these people stay
    when it is taken back.
    """

    table: str
    columns: tuple[str, ...]
    label: str | Promise
    _: KW_ONLY
    erase: Callable[[Erasing], None]
    count: Callable[[Sequence[int]], int] = field(default=lambda _person_ids: 0)
    merge: Callable[[Merging], Any] = nothing
    undo: Callable[[Merging, Any], None] = nothing
    export: Callable[[Sequence[int]], Iterable[Mapping[str, Any]]] = field(default=lambda _person_ids: ())
    texts: Callable[[Sequence[int]], Iterable[str]] = field(default=lambda _person_ids: ())
    touched: Callable[[Sequence[int], Arrival], set[int]] = field(default=nobody)
    keeps_ids: tuple[str, ...] = ()


class RowsOf(PersonalData):
    """A table whose rows each belong to the person in its first column, and go when one of the columns names them."""

    def __init__(self, table: str, columns: tuple[str, ...], label: str | Promise, **decided: Any) -> None:
        ready = {
            "erase": delete_rows(table, *columns),
            "count": count_rows(table, columns[0]),
            "touched": touched_by_rows(table, columns[0]),
        }
        super().__init__(table, columns, label, **ready | decided)


class IdArray(PersonalData):
    """A table with an array of ids, out of which the people are taken."""

    def __init__(self, table: str, column: str, label: str | Promise, **decided: Any) -> None:
        ready = {"erase": take_out_of(table, column), "count": count_arrays(table, column)}
        super().__init__(table, (column,), label, **ready | decided)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedFiles:
    """Files under DATA_DIR in which people can be named; `erase` deletes or rewrites those that name them."""

    label: str | Promise
    paths: Callable[[], Iterable[Path]]
    erase: Callable[[Erasing], None]


_tables: dict[str, PersonalData] = {}
_files: list[OwnedFiles] = []


def register(*owned: PersonalData) -> None:
    """Make tables known; a later registration of the same table takes the place of the earlier one."""
    for one in owned:
        _tables[one.table] = one


def register_files(files: OwnedFiles) -> None:
    """Make a kind of files known."""
    _files.append(files)


def tables() -> Sequence[PersonalData]:
    """Every registered table, in the order of registration."""
    return list(_tables.values())


def unregistered() -> set[tuple[str, str]]:
    """(table, column) of what seems to hold ids of people, by its name or by a foreign key, and is not known here."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
            where c.relkind in ('r', 'p') and c.relnamespace = current_schema()::regnamespace
              and not c.relispartition and a.attnum > 0 and not a.attisdropped
              and (a.attname ~ '(person|people|lead|winner|loser|member)_?ids?$' or exists (
                  select from pg_constraint k where k.conrelid = c.oid and k.contype = 'f'
                  and k.confrelid = 'person'::regclass and a.attnum = any(k.conkey)))"""
        )
        found = set(cursor.fetchall())
    return found - {(one.table, column) for one in tables() for column in one.columns}


def files() -> Sequence[OwnedFiles]:
    return list(_files)


def as_stored(texts: Sequence[str]) -> list[str]:
    """The texts as they stand in columns, and as they stand in JSON that is written in ASCII."""
    return sorted({*texts, *(json.dumps(text)[1:-1].lower() for text in texts)})


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


def touched_by_rows(table: str, column: str, brought: str = "false") -> Callable[[Sequence[int], Arrival], set[int]]:
    """A `touched` of those whom rows name in `column`, but for rows that came with the import: `brought` in SQL."""

    def touched(person_ids: Sequence[int], arrival: Arrival) -> set[int]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"select distinct {column} from {table} where {column} = any(%(ids)s) and ({brought}) is not true",
                {"ids": list(person_ids), **asdict(arrival)},
            )
            return {pk for (pk,) in cursor.fetchall()}

    return touched


def take_out_of(table: str, column: str) -> Callable[[Erasing], None]:
    """An `erase` that takes the people out of the arrays in `column`, which keep their order."""

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
