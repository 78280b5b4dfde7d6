"""Writes records and their changes, each in one statement for any number of rows."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.utils import timezone

from people import events
from people.core.source import Source
from people.datatypes.canonical import dump_changes, dump_json
from people.models import ObjectChange, ObjectRecord, ObjectType
from people.objects.writing.rows import RecordRow

Kind = ObjectChange.Kind
# written columns of a record with their types; JSON is given as its text
_COLUMNS = {
    "version": "smallint",
    "person_id": "int",
    "person_key": "text",
    "linked_id": "bigint",
    "linked_key": "text",
    "dedupe_hash": "bytea",
    "name": "text",
    "fields": "jsonb",
}


@dataclass(slots=True)
class PendingChange:
    """A change of a record that is not written yet; `record` has the values after it."""

    record: RecordRow
    kind: int
    changes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    former_person_id: int | None = None
    undoes_id: int | None = None
    link_keys: Sequence[str] | None = None  # of the values of links among `changes`
    replaced_by_id: int | None = None  # the record that stays, or stayed, of two that meet


def insert_records(records: Sequence[RecordRow], texts: Sequence[str]) -> None:
    """Insert new records and set their ids; `texts` has the JSON of their values."""
    table = _Table(
        {
            "object_type_id": ("int", [record.object_type_id for record in records]),
            "guid": ("uuid", [record.guid for record in records]),
            **_columns(records, texts),
        }
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"""insert into object_record ({", ".join(table.names)}, revision)
            select {", ".join(table.expressions)}, 1 from {table.sql} order by v.place returning guid, id""",
            table.parameters,
        )
        ids = dict(cursor.fetchall())
    for record in records:
        record.pk = ids[record.guid]


def update_records(records: Sequence[RecordRow], texts: Sequence[str]) -> None:
    """Write the values of existing records, locked by the caller, and count their revisions up; `texts` as above."""
    table = _Table({**_columns(records, texts), "id": ("bigint", [record.pk for record in records])})
    assignments = [
        f"{name} = {value}" for name, value in zip(table.names, table.expressions, strict=True) if name != "id"
    ]
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""update object_record r set {", ".join(assignments)}, revision = r.revision + 1, updated_at = %s
            from {table.sql} where r.id = v.id""",
            [now, *table.parameters],
        )
    for record in records:
        record.revision += 1
        record.updated_at = now


def free_keys(records: Sequence[RecordRow]) -> None:
    """Take the dedupe values from the records, locked by the caller, so that each can be given another's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update object_record set dedupe_hash = uuid_send(guid) where id = any(%s)",
            [[record.pk for record in records]],
        )


def mark_deleted(records: Sequence[ObjectRecord], is_deleted: bool) -> None:
    """Delete or restore the records, locked by the caller, with their links, and count their revisions up."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            """update object_record r set deleted_at = %s, updated_at = %s, revision = r.revision + 1,
                person_id = v.person_id, linked_id = v.linked_id
            from unnest(%s::bigint[], %s::int[], %s::bigint[]) as v (id, person_id, linked_id) where r.id = v.id""",
            [
                now if is_deleted else None,
                now,
                [record.pk for record in records],
                [record.person_id for record in records],
                [record.linked_id for record in records],
            ],
        )
    for record in records:
        record.revision += 1
        record.deleted_at, record.updated_at = now if is_deleted else None, now


def set_replaced(records: Sequence[ObjectRecord]) -> None:
    """Write by which record each of these, locked by the caller, is replaced."""
    with connection.cursor() as cursor:
        cursor.execute(
            """update object_record r set replaced_by_id = v.replaced_by_id
            from unnest(%s::bigint[], %s::bigint[]) as v (id, replaced_by_id) where r.id = v.id""",
            [[record.pk for record in records], [record.replaced_by_id for record in records]],
        )


def write_changes(pending: Sequence[PendingChange], source: Source) -> list[events.RecordChange]:
    """Write the changes, in this order, and publish them; in the transaction that makes them."""
    if not pending:
        return []
    table = _Table(_change_columns(pending))
    whom = [int(source.channel), source.user_id, source.origin_id, source.is_backfill]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""insert into object_change ({", ".join(table.names)}, channel, user_id, origin_id, is_backfill)
            select {", ".join(table.expressions)}, %s, %s, %s, %s
            from {table.sql} order by v.place returning id""",
            [*whom, *table.parameters],
        )
        ids = sorted(pk for (pk,) in cursor.fetchall())  # given in the order of the rows
    written = [
        events.RecordChange(
            pk, change.record.pk, change.record.person_id, change.former_person_id, int(change.kind), change.changes
        )
        for pk, change in zip(ids, pending, strict=True)
    ]
    _publish(zip((change.record for change in pending), written, strict=True), source)
    return written


def _change_columns(pending: Sequence[PendingChange]) -> dict[str, tuple[str, list[Any]]]:
    """The columns of changes: type and values."""
    records = [change.record for change in pending]
    return {
        "record_id": ("bigint", [record.pk for record in records]),
        "object_type_id": ("int", [record.object_type_id for record in records]),
        "person_id": ("int", [record.person_id for record in records]),
        "former_person_id": ("int", [change.former_person_id for change in pending]),
        "kind": ("smallint", [int(change.kind) for change in pending]),
        "changes": ("jsonb", [dump_changes(change.changes) for change in pending]),
        "revision": ("int", [record.revision for record in records]),
        "version": ("smallint", [record.version for record in records]),
        "undoes_id": ("bigint", [change.undoes_id for change in pending]),
        "replaced_by_id": ("bigint", [change.replaced_by_id for change in pending]),
        # without any, an empty array: where there is none, a trigger looks for the keys in each row
        "link_keys": ("text[]", [dump_json(change.link_keys or ()) for change in pending]),
    }


def _publish(changes: Iterable[tuple[RecordRow, events.RecordChange]], source: Source) -> None:
    by_type: dict[int, list[events.RecordChange]] = defaultdict(list)
    for record, change in changes:
        by_type[record.object_type_id].append(change)
    names = dict(ObjectType.objects.filter(pk__in=by_type).values_list("pk", "api_name"))
    for type_id, changes_of_type in by_type.items():
        events.publish_event(events.ObjectsChanged(type_id, names[type_id], changes_of_type), source)


def _columns(records: Sequence[RecordRow], texts: Sequence[str]) -> dict[str, tuple[str, Sequence[Any]]]:
    """The written columns of records: type and values."""
    return {
        name: (kind, texts if name == "fields" else [getattr(record, name) for record in records])
        for name, kind in _COLUMNS.items()
    }


class _Table:
    """Columns of values as one table `v` of a statement, numbered by `place`. Writing them out is fast.

    Each column is one parameter, of a form that is read without quotes to undo: an array of numbers, a JSON array of
    texts, or JSON texts with line feeds between them, which no JSON text has.
    """

    def __init__(self, columns: Mapping[str, tuple[str, Sequence[Any]]]) -> None:
        self.names = list(columns)
        self.expressions = [_EXPRESSIONS.get(kind, "v.{}").format(name) for name, (kind, _values) in columns.items()]
        self.parameters = [_WRITERS.get(kind, _as_array)(values) for kind, values in columns.values()]
        functions = ", ".join(_FUNCTIONS.get(kind, f"unnest(%s::{kind}[])") for kind, _values in columns.values())
        self.sql = f"rows from ({functions}) with ordinality as v ({', '.join(self.names)}, place)"


def _as_array(values: Sequence[Any]) -> str:
    return f"{{{','.join(['null' if value is None else str(value) for value in values])}}}"


def _as_lines(values: Sequence[str]) -> str:
    return "\n".join(values)


_FUNCTIONS = dict.fromkeys(("jsonb", "text[]"), "string_to_table(%s, E'\\n')")
_FUNCTIONS |= {"text": "json_array_elements_text(%s::json)", "bytea": "string_to_table(%s, E'\\n')"}
_EXPRESSIONS = {
    "jsonb": "v.{}::jsonb",
    "bytea": "decode(v.{}, 'hex')",
    "text[]": "array(select key from json_array_elements_text(v.{}::json) as key)",
}
_WRITERS: Mapping[str, Callable[[Sequence[Any]], str]] = {
    "jsonb": _as_lines,
    "text[]": _as_lines,
    "text": lambda values: json.dumps(values, ensure_ascii=False),
    "bytea": lambda values: _as_lines([bytes(value).hex() for value in values]),
}
