"""Object records as personal data: a merge moves them to the winner, an erase deletes them with their history."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from people.core import personal_data
from people.core.personal_data import Erasing, Merging, PersonRows
from people.models import ObjectChange, ObjectRecord


def register_object_data() -> None:
    """Register the tables; called when the app starts."""
    personal_data.register_personal_tables(
        PersonRows(
            "object_record",
            ("person_id",),
            _("object records"),
            erase=_erase_records,
            merge=_move_rows("object_record"),
            undo=_move_rows_back("object_record"),
            export=_export_records,
        ),
        PersonRows(
            "object_change",
            ("person_id", "former_person_id"),
            _("changes of object records"),
            erase=_erase_changes,
            merge=_move_rows("object_change"),
            undo=_move_rows_back("object_change"),
            export=_export_changes,
            touched=personal_data.no_touched_people,  # the records are
        ),
    )


def _move_rows(table: str) -> Any:
    """A `merge` that gives the losers' rows to the winner; links keep the values that they were written with."""

    def merge(merging: Merging) -> dict[str, Any]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"""with moved as (select id, person_id from {table} where person_id = any(%s) for update)
                update {table} r set person_id = %s from moved where moved.id = r.id
                returning r.id, moved.person_id""",
                [merging.loser_ids, merging.winner_id],
            )
            return {"moved": [list(row) for row in cursor.fetchall()]}

    return merge


def _move_rows_back(table: str) -> Any:
    """An `undo` that moves each row of the merge back, unless it belongs to somebody else by now."""

    def undo(merging: Merging, merge_data: dict[str, Any] | None) -> None:
        moved = (merge_data or {}).get("moved", ())
        with connection.cursor() as cursor:
            cursor.execute(
                f"""update {table} r set person_id = m.person_id
                from unnest(%s::bigint[], %s::int[]) as m (id, person_id) where m.id = r.id and r.person_id = %s""",
                [[pk for pk, _person_id in moved], [person_id for _pk, person_id in moved], merging.winner_id],
            )

    return undo


_RECORDS = """select id from object_record where person_id = any(%(ids)s)
    or (person_id is null and person_key = any(%(texts)s))"""


def _erase_records(erasing: Erasing) -> None:
    """Delete the people's records, those that wait for their addresses included; links to them lead nowhere."""
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = {
            "ids": list(erasing.person_ids),
            "texts": [text.lower() for text in erasing.texts],
        }
        cursor.execute(f"update object_record set linked_id = null where linked_id in ({_RECORDS})", parameters)
        cursor.execute(f"delete from object_record where id in ({_RECORDS})", parameters)


def _erase_changes(erasing: Erasing) -> None:
    """Delete the history of the people's records, and what links to them in the history of other people's records."""
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = {
            "ids": list(erasing.person_ids),
            "texts": [text.lower() for text in erasing.texts],
        }
        cursor.execute(
            f"delete from object_change where person_id = any(%(ids)s) or record_id in ({_RECORDS})", parameters
        )
        cursor.execute(
            """update object_change c set former_person_id = null, changes = c.changes - f.api_name
            from approved_object_field f
            where c.former_person_id = any(%(ids)s) and f.object_type_id = c.object_type_id and f.link_to = 'person'""",
            parameters,
        )


def _export_records(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    rows = ObjectRecord.objects.filter(person_id__in=person_ids).select_related("object_type").order_by("pk")
    for record in rows.iterator(chunk_size=1_000):
        yield {
            "person_id": record.person_id,
            "object_type": record.object_type.api_name,
            "id": record.pk,
            "values": record.fields,
            "created_at": record.created_at,
            "updated_at": record.updated_at,
            "deleted_at": record.deleted_at,
        }


def _export_changes(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    rows = ObjectChange.objects.filter(person_id__in=person_ids).order_by("pk")
    for change in rows.iterator(chunk_size=1_000):
        yield {
            "person_id": change.person_id,
            "record_id": change.record_id,
            "kind": change.get_kind_display(),
            "changes": change.changes,
            "changed_at": change.changed_at,
        }
