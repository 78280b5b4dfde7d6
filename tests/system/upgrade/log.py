"""The log as the version before left it, and whether an upgrade changed any of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Noted:
    """`rows`: of each activity by its id a checksum of its columns, and its digest as the version before makes it."""

    columns: Sequence[str]
    rows: Mapping[int, tuple[str, Any]]
    keys: str


def note_log() -> Noted:
    """The present columns of the log, and each row."""
    from activities.log.digest import COLUMNS

    rows = _select(
        """select column_name from information_schema.columns
        where table_schema = current_schema() and table_name = 'activity' order by ordinal_position"""
    )
    columns = [name for (name,) in rows]
    return Noted(columns, _rows(columns, [name for name in COLUMNS if name in columns]), _keys())


def faults_since(noted: Noted) -> str:
    """The changes of the log by an upgrade, as text; empty where it changed nothing."""
    from activities.log.digest import COLUMNS
    from activities.log.verify import verify_log

    present = _rows(noted.columns, COLUMNS)
    missing = [pk for pk in noted.rows if pk not in present]
    altered = [pk for pk, row in noted.rows.items() if pk in present and row != present[pk]]
    faults = [
        f"{len(missing)} of {len(noted.rows)} activities are missing" if missing else "",
        f"{len(altered)} are altered, like {altered[:5]}" if altered else "",
        "" if noted.rows else "the version before recorded nothing",
        "" if noted.keys == _keys() else "the external ids are others",
        *(str(fault) for fault in verify_log()),
    ]
    return "; ".join(filter(None, faults))


def _rows(columns: Sequence[str], of_digest: Sequence[str]) -> dict[int, tuple[str, Any]]:
    values, digest = (", ".join(f"a.{name}" for name in names) for names in (columns, of_digest))
    rows = _select(f"select a.id, md5(row({values})::text), activity_digest({digest}) from activity a")
    return {pk: (checksum, digest) for pk, checksum, digest in rows}


def _keys() -> str:
    rows = _select(
        """select md5(string_agg(k::text, ',' order by k::text)) from (
            select person_id, activity_type_id, external_id, activity_id, digest from activity_key) as k"""
    )
    return str(rows[0][0])


def _select(sql: str) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()
