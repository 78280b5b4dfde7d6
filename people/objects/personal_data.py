"""Object records as personal data: a merge moves them to the winner, an erase deletes them with their history."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from people.core import personal_data
from people.core.personal_data import Merging, PersonRows
from people.core.source import Source
from people.models import ObjectChange, ObjectRecord, PersonMerge
from people.objects.erasing import erase_objects, objects_of_people, texts_of_records
from people.objects.identity import doubles, preview


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
            merge=_merge_records,
            undo=_undo_records,
            merge_notes=_merge_notes,
            export=_export_records,
        ),
        PersonRows(
            "object_change",
            ("person_id", "former_person_id"),
            _("changes of object records"),
            erase=personal_data.leave_rows_unchanged,  # with the records
            count=_count_changes,
            count_moved=personal_data.count_rows("object_change", "person_id"),
            merge=_merge_changes,
            undo=_undo_changes,
            export=_export_changes,
            touched=personal_data.no_touched_people,  # the records are
        ),
    )


def _merge_records(merging: Merging) -> dict[str, Any]:
    """Give the losers' records to the winner; of those that meet then, the one that was changed last stays."""
    moved = _move_rows("object_record", merging)
    replaced = doubles.settle_records([pk for pk, _person_id in moved], _source_of(merging))
    return {"moved": moved, "replaced": replaced}


def _undo_records(merging: Merging, merge_data: dict[str, Any] | None) -> None:
    """Give the records of the merge back, and restore those that were replaced and meet no other any more."""
    record_ids = _move_rows_back("object_record", merging, merge_data)
    with connection.cursor() as cursor:
        cursor.execute(
            """update object_change c set person_id = r.person_id from object_record r
            where r.id = any(%s) and c.record_id = r.id and c.replaced_by_id is not null and c.person_id = %s""",
            [record_ids, merging.winner_id],
        )
    doubles.settle_records(record_ids, _source_of(merging))


def _source_of(merging: Merging) -> Source:
    return replace(merging.source, origin_id=merging.merge_id, is_merge=True)


def _merge_changes(merging: Merging) -> dict[str, Any]:
    return {"moved": _move_rows("object_change", merging)}


def _undo_changes(merging: Merging, merge_data: dict[str, Any] | None) -> None:
    _move_rows_back("object_change", merging, merge_data)


def _move_rows(table: str, merging: Merging) -> list[list[int]]:
    """Give the losers' rows to the winner; [row, loser] of each. Links keep the values that they were written with."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""with moved as (select id, person_id from {table} where person_id = any(%s) for update)
            update {table} r set person_id = %s from moved where moved.id = r.id
            returning r.id, moved.person_id""",
            [merging.loser_ids, merging.winner_id],
        )
        return [list(row) for row in cursor.fetchall()]


def _move_rows_back(table: str, merging: Merging, merge_data: dict[str, Any] | None) -> list[int]:
    """Move each row of the merge back, unless it belongs to another person by now; return their ids."""
    moved = (merge_data or {}).get("moved", ())
    with connection.cursor() as cursor:
        cursor.execute(
            f"""update {table} r set person_id = m.person_id
            from unnest(%s::bigint[], %s::int[]) as m (id, person_id) where m.id = r.id and r.person_id = %s
            returning r.id""",
            [[pk for pk, _person_id in moved], [person_id for _pk, person_id in moved], merging.winner_id],
        )
        return [pk for (pk,) in cursor.fetchall()]


class RecordsOfMerge(NamedTuple):
    """The numbers of records that a merge gave to the winner, and that others replaced by it."""

    moved: int
    replaced: int


def records_of_merge(person_merge: PersonMerge) -> RecordsOfMerge:
    """The numbers of a merge that can be undone."""
    kept = person_merge.kept.get("object_record") or {}
    return RecordsOfMerge(len(kept.get("moved", ())), int(kept.get("replaced", 0)))


def _merge_notes(winner_id: int, loser_ids: Sequence[int]) -> Iterator[str]:
    """The sentence on the page of a merge about records with the same dedupe values."""
    if number := preview.count_meeting(winner_id, loser_ids):
        yield ngettext(
            "%(number)s record has the same dedupe values as another one then. Of each, the one changed last stays; "
            "the other is kept in its history.",
            "%(number)s records have the same dedupe values as others then. Of each, the one changed last stays; "
            "the others are kept in its history.",
            number,
        ) % {"number": number}


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
