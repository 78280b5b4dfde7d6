"""Rows that name replaced records by id or guid, as rows that name the records that stay."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from people.models import ObjectRecord
from people.objects import links
from people.objects.matching import parse_record_id
from people.objects.outcomes import RecordKey
from people.objects.schema import ObjectSchema


def rows_of_records_that_stay(
    schema: ObjectSchema, rows: Sequence[Mapping[str, Any]], key: RecordKey
) -> Sequence[Mapping[str, Any]]:
    """The rows, with the id or guid of each replaced record exchanged for that of the record that stays.

    All others are left as they are, among them those of records that were replaced by one that is deleted by now.
    """
    if key is RecordKey.DEDUPE or not schema.links_in_key:  # only links make records meet
        return rows
    name, parse = ("pk", parse_record_id) if key is RecordKey.ID else ("guid", links.parse_guid)
    named = [parse(row.get(key)) for row in rows]
    replaced = _replaced(schema.type_id).filter(**{f"{name}__in": {value for value in named if value is not None}})
    next_ids = {value: pk for value, pk in replaced.values_list(name, "replaced_by_id") if pk is not None}
    if not next_ids:
        return rows
    last_ids = ends_of_chains(schema.type_id, next_ids.values())
    staying = ObjectRecord.objects.existing().filter(object_type=schema.type_id, pk__in=last_ids.values())
    keys = dict(staying.values_list("pk", name))
    stays = {value: keys[last_ids[pk]] for value, pk in next_ids.items() if last_ids[pk] in keys}
    return [{**row, key: stays[value]} if value in stays else row for row, value in zip(rows, named, strict=True)]


def _replaced(type_id: int) -> Any:
    return ObjectRecord.objects.filter(object_type=type_id, deleted_at__isnull=False, replaced_by_id__isnull=False)


def ends_of_chains(type_id: int, ids: Iterable[int]) -> dict[int, int]:
    """For each id that of the last record of those by which it was replaced in turn; its own where none was."""
    following: dict[int, int] = {}
    pending = set(ids)
    ends = {pk: pk for pk in pending}
    while pending:
        pairs = _replaced(type_id).filter(pk__in=pending).values_list("pk", "replaced_by_id")
        found = {pk: other for pk, other in pairs if other is not None}
        following |= found
        pending = set(found.values()) - following.keys()
    for start in ends:
        seen = {start}
        while (other := following.get(ends[start])) is not None and other not in seen:
            seen.add(other)
            ends[start] = other
    return ends
