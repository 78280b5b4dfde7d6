"""Object records as personal data: a merge moves them to the winner, an erase deletes them with their history."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from people.core import personal_data
from people.core.personal_data import Merging, PersonRows
from people.models import ObjectChange, ObjectRecord
from people.objects.erasing import erase_objects, objects_of_people, texts_of_records


def register_object_data() -> None:
    """Register the tables; called when the app starts."""
    personal_data.register_personal_tables(
        PersonRows(
            "object_record",
            ("person_id",),
            _("object records"),
            erase=erase_objects,
            count=_count_records,
            count_moved=personal_data.count_rows("object_record", "person_id"),
            texts=texts_of_records,
            merge=_move_rows("object_record"),
            undo=_move_rows_back("object_record"),
            export=_export_records,
        ),
        PersonRows(
            "object_change",
            ("person_id", "former_person_id"),
            _("changes of object records"),
            erase=personal_data.leave_rows_unchanged,  # with the records
            count=_count_changes,
            count_moved=personal_data.count_rows("object_change", "person_id"),
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
    """An `undo` that moves each row of the merge back, unless it belongs to another person by now."""

    def undo(merging: Merging, merge_data: dict[str, Any] | None) -> None:
        moved = (merge_data or {}).get("moved", ())
        with connection.cursor() as cursor:
            cursor.execute(
                f"""update {table} r set person_id = m.person_id
                from unnest(%s::bigint[], %s::int[]) as m (id, person_id) where m.id = r.id and r.person_id = %s""",
                [[pk for pk, _person_id in moved], [person_id for _pk, person_id in moved], merging.winner_id],
            )

    return undo


def _count_records(person_ids: Sequence[int]) -> int:
    return len(objects_of_people(person_ids).record_ids)


def _count_changes(person_ids: Sequence[int]) -> int:
    return _changes_of(person_ids).count()


def _changes_of(person_ids: Sequence[int]) -> QuerySet[ObjectChange]:
    """The changes that an erasure deletes, and those by which a record went from one of the people to another."""
    record_ids = objects_of_people(person_ids).record_ids
    return ObjectChange.objects.filter(
        Q(record_id__in=record_ids) | Q(person_id__in=person_ids) | Q(former_person_id__in=person_ids)
    )


def _export_records(person_ids: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    """All that an erasure deletes: records that wait for one of the people, too."""
    rows = ObjectRecord.objects.filter(pk__in=objects_of_people(person_ids).record_ids)
    for record in rows.select_related("object_type").order_by("pk").iterator(chunk_size=1_000):
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
    """All that an erasure deletes; of a change by which a record went to another person, the old values alone."""
    own = set(person_ids)
    for change in _changes_of(person_ids).order_by("pk").iterator(chunk_size=1_000):
        is_gone = change.former_person_id in own and change.person_id not in own
        yield {
            "person_id": change.former_person_id if is_gone else change.person_id,
            "record_id": change.record_id,
            "kind": change.get_kind_display(),
            "changes": {name: [old, None if is_gone else new] for name, (old, new) in change.changes.items()},
            "changed_at": change.changed_at,
        }
