"""Copies of an approved activity type: the rows that the product wrote for a definition, inserted again with new ids.

Creating and approving a type takes 31 statements, and most tests need one. Each process does it by the product once for
each definition; `make` of tests acts without a user, so that the entries of the audit are the system's.
"""

import json
from collections.abc import Callable, Hashable
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import connection

from activities.models import ActivityType
from people.core import audit

Rows = dict[str, list[dict[str, Any]]]

# by table, which rows belong to a type; those of approved_field are written by a trigger
ROWS = {
    "activity_type": "id = %(type)s",
    "activity_version": "activity_type_id = %(type)s",
    "activity_field": "version_id in (select id from activity_version where activity_type_id = %(type)s)",
    "activity_type_name": "activity_type_id = %(type)s",
    "django_admin_log": "content_type_id = %(content_type)s and object_id = %(type)s::text",
}
APPROVAL = ("number", "approved_at")  # columns of a version that are set once its fields are there
TIMES = ("created_at", "updated_at", "action_time")

_written: dict[Hashable, Rows] = {}


def approved_type(definition: Hashable, make: Callable[[], ActivityType]) -> ActivityType:
    """An approved type of this definition, which `make` has the product create."""
    if definition not in _written:
        made = make()
        _written[definition] = _rows_of(made.pk)
        return made
    return ActivityType.objects.get(pk=_insert(_written[definition]))


def _rows_of(type_id: int) -> Rows:
    keys = {"type": type_id, "content_type": _content_type()}
    rows: Rows = {}
    with connection.cursor() as cursor:
        for table, condition in ROWS.items():
            cursor.execute(f"select to_jsonb(r) from {table} r where {condition} order by id", keys)
            rows[table] = [json.loads(row) if isinstance(row, str) else row for (row,) in cursor.fetchall()]
    return rows


def _insert(rows: Rows) -> int:
    """Insert the rows with new ids. Returns the id of the type."""
    with connection.cursor() as cursor:
        numbers = ", ".join(
            f"array(select nextval(pg_get_serial_sequence('{table}', 'id')) from generate_series(1, {len(copied)}))"
            for table, copied in rows.items()
        )
        cursor.execute(f"select {numbers}, transaction_timestamp()")
        *ids, now = cursor.fetchone()
        (type_id,), (version_id,), *_others = ids
        replaced = {
            **dict.fromkeys(TIMES, now.isoformat()),
            **dict.fromkeys(APPROVAL, None),
            "activity_type_id": type_id,
            "version_id": version_id,
            "live_id": None,
            "object_id": str(type_id),
            "content_type_id": _content_type(),
            "user_id": audit.system_user_id(),
        }
        statements, values = [], []
        for (table, copied), new_ids in zip(rows.items(), ids, strict=True):
            new = [
                {name: replaced.get(name, value) for name, value in row.items()} | {"id": new_id}
                for row, new_id in zip(copied, new_ids, strict=True)
            ]
            statements.append(f"insert into {table} select * from jsonb_populate_recordset(null::{table}, %s)")
            values.append(json.dumps(new))
        number = rows["activity_version"][0]["number"]
        statements.append("update activity_version set number = %s, approved_at = now() where id = %s")
        statements.append("update activity_type set live_id = %s where id = %s")
        cursor.execute("; ".join(statements), [*values, number, version_id, version_id, type_id])
    return type_id


def _content_type() -> int:
    return ContentType.objects.get_for_model(ActivityType).pk
