"""The SQL of recording: a fixed number of statements, whatever the number of rows."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple, final

from django.db import connection

from activities.models import ActivityFlag
from activities.recording import notify
from people.core.db import locks, prepared
from people.core.source import Source
from people.datatypes.canonical import moment_text

Key = tuple[int, int, str]  # person, type, external id


@final
@dataclass(slots=True, eq=False)
class ReadyRow:
    """A row that will be written, in the form in which it is stored; `occurred_at` as PostgreSQL reads it."""

    person_id: int
    type_id: int
    version: int
    occurred_at: str
    primary_value: str | None
    attributes: str
    external_id: str | None
    activity_id: int = 0
    place: int = 0  # in the batch

    @property
    def key(self) -> Key:
        return self.person_id, self.type_id, self.external_id  # type: ignore[return-value]

    @property
    def digest(self) -> bytes:
        """The digest of the content that must not differ when an external id is sent again."""
        at = self.occurred_at  # in UTC; hardly ever with a fraction
        moment = moment_text(datetime.fromisoformat(at)) if at[19] == "." else f"{at[:19]}Z"
        return blake2b(f"{moment}\0{self.primary_value}\0{self.attributes}".encode(), digest_size=16).digest()


class TypeState(NamedTuple):
    """The state of a type that decides whether its activities can be recorded now."""

    api_name: str
    is_standard: bool
    live_id: int | None
    retired_at: datetime | None
    is_deleted: bool

    @property
    def is_retired(self) -> bool:
        return self.retired_at is not None


def ids_of_types(names: Collection[str]) -> dict[Any, int]:
    """The ids of the types that have these API names, by name."""
    with prepared.prepared_cursor() as cursor:
        cursor.execute("select api_name, id from activity_type where api_name = any(%s::text[])", [list(names)])
        return dict(cursor.fetchall())


def states_of_types(ids: Collection[int]) -> dict[int, TypeState]:
    """The states of the types, by id."""
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            """select id, api_name, is_standard, live_id, retired_at, deleted_at is not null
            from activity_type where id = any(%s::int[])""",
            [list(ids)],
        )
        return {row[0]: TypeState(*row[1:]) for row in cursor.fetchall()}


def ids_of_versions(versions: Collection[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """The ids of the approved versions, by (type, number)."""
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            """select v.activity_type_id, v.number, v.id from activity_version v
            join unnest(%s::int[], %s::int[]) as w (type_id, number)
                on w.type_id = v.activity_type_id and w.number = v.number""",
            [[type_id for type_id, _number in versions], [number for _type_id, number in versions]],
        )
        return {(type_id, number): pk for type_id, number, pk in cursor.fetchall()}


def new_ids(number: int) -> tuple[list[int], datetime]:
    """Ascending ids, taken under the lock that `reader.high_water_mark` looks for, and the moment of taking them.

    The moment is by the database's clock, the same for every process: a web host that is hours behind would record
    on a day that is closed.
    """
    with prepared.prepared_cursor() as cursor:
        notice = f", {notify.NOTIFY_SQL}" if notify.is_notify_due() else ""
        # no id may be taken before the lock is held: the outer rows, and so the ids, are made of the inner one
        cursor.execute(
            f"""with held as materialized (
                select pg_advisory_xact_lock_shared(%s::bigint | case when is_called then last_value else 0 end){notice}
                from activity_id_seq
            )
            select string_agg(nextval('activity_id_seq')::text, ' '), max(clock_timestamp())
            from held, generate_series(1, %s::int)""",
            [locks.lock_key(locks.LockSpace.HIGH_WATER), number],
        )
        ids, recorded_at = cursor.fetchone()
        return sorted(map(int, ids.split())), recorded_at


def find_stored_keys(rows: Sequence[ReadyRow]) -> dict[Key, tuple[int, bytes]]:
    """Activity id and digest by key, for the keys of the rows that are stored."""
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            """select k.person_id, k.activity_type_id, k.external_id, k.activity_id, k.digest
            from unnest(%s::int[], %s::int[], %s::text[]) as w (person_id, activity_type_id, external_id)
            join activity_key k using (person_id, activity_type_id, external_id)""",
            _keys(rows),
        )
        return {(person, type_id, key): (pk, digest) for person, type_id, key, pk, digest in cursor.fetchall()}


def insert_keys(rows: Sequence[ReadyRow]) -> set[Key]:
    """Insert the keys that are not stored yet; waits for a concurrent transaction that inserts one of them."""
    rows = sorted(rows, key=lambda row: row.key)  # one order in all transactions: no deadlock
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            """insert into activity_key (person_id, activity_type_id, external_id, activity_id, digest)
            select * from unnest(%s::int[], %s::int[], %s::text[], %s::bigint[], %s::bytea[])
            on conflict do nothing returning person_id, activity_type_id, external_id""",
            [
                *_keys(rows),
                text_array([str(row.activity_id) for row in rows]),
                text_array([f"\\x{row.digest.hex()}" for row in rows]),
            ],
        )
        return set(cursor.fetchall())


def _keys(rows: Sequence[ReadyRow]) -> list[str]:
    """Person, type and external id of the rows, an array each."""
    return [
        text_array([str(row.person_id) for row in rows]),
        text_array([str(row.type_id) for row in rows]),
        text_array([row.external_id or "" for row in rows]),
    ]


def text_array(texts: Sequence[str]) -> str:
    """An array as PostgreSQL reads it. The driver, which writes element by element, takes ten times as long."""
    whole = '","'.join(texts)
    if "\\" in whole or whole.count('"') > 2 * (len(texts) - 1):
        whole = '","'.join([text.replace("\\", "\\\\").replace('"', '\\"') for text in texts])
    return f'{{"{whole}"}}' if texts else "{}"


COPY = """copy activity (id, person_id, activity_type_id, version, occurred_at, recorded_at,
    primary_value, attributes, door, user_id, origin_id, flags) from stdin"""
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_SPECIAL = re.compile(r"[\\\t\n\r]")


def source_columns(source: Source) -> str:
    """The last columns of COPY, which are the same for every row of a source."""
    user = source.user_id if source.user_id is not None else r"\N"
    origin = source.origin_id if source.origin_id is not None else r"\N"
    flags = ActivityFlag.BACKFILL if source.is_backfill else 0
    return f"{int(source.channel)}\t{user}\t{origin}\t{int(flags)}\n"


def copy_activities(rows: Sequence[ReadyRow], source: Source, moment: datetime) -> None:
    """Write the rows, recorded at `moment`."""
    recorded_at = moment.isoformat()
    tail = source_columns(source)
    lines = [
        f"{row.activity_id}\t{row.person_id}\t{row.type_id}\t{row.version}\t{row.occurred_at}\t{recorded_at}"
        f"\t{escape_for_copy(row.primary_value)}\t{escape_for_copy(row.attributes)}\t{tail}"
        for row in rows
    ]
    with connection.cursor() as cursor, cursor.copy(COPY) as copying:
        copying.write("".join(lines))


def escape_for_copy(text: str | None) -> str:
    if text is None:
        return r"\N"
    # hardly any text has one of them, and searching is quicker than translating
    return text.translate(_ESCAPES) if _SPECIAL.search(text) else text
