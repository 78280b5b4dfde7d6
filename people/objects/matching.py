"""Finds the existing records that rows name, and locks what they name against other transactions."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, tzinfo
from typing import Any

from django.db.models import QuerySet

from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, bad_value
from people.core.messages import sentence as _
from people.datatypes.keys import MAX_BIG_ID
from people.datatypes.parsing import BadValueError, is_blank
from people.models import ObjectRecord
from people.objects import links
from people.objects.identity import siblings
from people.objects.outcomes import RecordKey
from people.objects.schema import ObjectSchema, RecordField, writable_schema

BUCKETS = 4096  # of locks of dedupe values: a large batch cannot fill the server's lock table


def lock_type(type_id: int, rows: Sequence[Mapping[str, Any]], key: RecordKey, zone: tzinfo = UTC) -> ObjectSchema:
    """Lock people, the values of links to them, and the type, and read its live version.

    The type is locked alone where dedupe values may change. Rows have raw values; moments without a zone are of `zone`.
    """
    locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
    schema = writable_schema(type_id)  # links and dedupe fields are the same in all approved versions
    if (link := schema.person_link) is not None:
        links.lock_people_named(schema, _values_of(link, rows, zone))
    type_lock = [locks.lock_key(locks.LockSpace.OBJECT_TYPE, type_id)]
    dedupe = {field.api_name for field in schema.dedupe}
    moves_keys = key is not RecordKey.DEDUPE and any(dedupe & row.keys() for row in rows)
    (locks.acquire_exclusive if moves_keys else locks.acquire_shared)(type_lock)
    return writable_schema(type_id)


def _values_of(link: RecordField, rows: Sequence[Mapping[str, Any]], zone: tzinfo) -> Iterator[Any]:
    """The canonical values of a link in rows of raw values; bad ones are left out, and refused later."""
    for row in rows:
        if not is_blank(raw := row.get(link.api_name)):
            with suppress(BadValueError):
                yield link.data_type.parse(raw, zone)


def lock_values(schema: ObjectSchema, values: Sequence[Mapping[str, Any]], hashes: Collection[bytes]) -> None:
    """Lock the dedupe values, of which `hashes` are given, and links to records of rows, before any record."""
    lock_keys(schema.type_id, hashes)
    links.lock_links(schema, values)


def lock_keys(type_id: int, hashes: Iterable[bytes]) -> None:
    """Lock dedupe values, so that no other transaction makes a record with them."""
    numbers = {locks.lock_number(str(type_id), digest.hex()) % BUCKETS for digest in hashes}
    locks.acquire_exclusive(locks.lock_key(locks.LockSpace.OBJECT_KEY, number) for number in numbers)


def find_records(
    schema: ObjectSchema,
    rows: Sequence[Mapping[str, Any]],
    key: RecordKey,
    values: Mapping[int, Mapping[str, Any]],
    hashes: Mapping[int, bytes],
) -> dict[int, ObjectRecord]:
    """The existing records that the rows with `values` (place: canonical values) name, locked; by place.

    `hashes` are those of the dedupe values, where the rows name their records by these.
    """
    existing = ObjectRecord.objects.existing().filter(object_type=schema.type_id)
    records = existing.order_by("pk").select_for_update(no_key=True)
    if key is RecordKey.DEDUPE:
        if schema.links_in_key:
            named = siblings.ids_by_dedupe_values(schema, values, locks_targets=True)
            found = {record.pk: record for record in records.filter(pk__in=named.values())}
            return {place: found[pk] for place, pk in named.items() if pk in found}
        by_hash = {bytes(record.dedupe_hash): record for record in _with_hashes(records, hashes.values())}
        return {place: by_hash[digest] for place, digest in hashes.items() if digest in by_hash}
    name, parse = ("pk", parse_record_id) if key is RecordKey.ID else ("guid", links.parse_guid)
    ids = {place: parse(rows[place][key]) for place in values}
    if schema.links_in_key:
        named_ids = existing.filter(**{f"{name}__in": set(ids.values())}).values_list("pk", flat=True)
        siblings.lock_moving(schema, named_ids, values.values())
    by_id = {getattr(record, name): record for record in records.filter(**{f"{name}__in": set(ids.values())})}
    return {place: by_id[record_id] for place, record_id in ids.items() if record_id in by_id}


def _with_hashes(records: QuerySet[ObjectRecord], hashes: Iterable[bytes]) -> QuerySet[ObjectRecord]:
    """Those with one of the hashes, given as one text: hundreds of parameters take longer than the search."""
    condition = "dedupe_hash = any(array(select decode(h, 'hex') from string_to_table(%s, ' ') as h))"
    return records.extra(where=[condition], params=[" ".join({digest.hex() for digest in hashes})])


def parse_record_id(raw: Any) -> int | None:
    """A record's id, from a number or exactly its digits; None for anything else."""
    if isinstance(raw, str):
        return int(raw) if raw.isascii() and raw.isdigit() and len(raw) <= 19 and 0 < int(raw) <= MAX_BIG_ID else None
    return raw if type(raw) is int and 0 < raw <= MAX_BIG_ID else None


def key_problems(row: Mapping[str, Any], key: RecordKey) -> list[Problem]:
    """The problem of the id by which a row names its record, or of one that is not expected."""
    if key is RecordKey.DEDUPE:
        if RecordKey.ID not in row and RecordKey.GUID not in row:
            return []
        return [
            Problem(Code.UNEXPECTED_ID, _("an id can only be given to update by id"), (name,))
            for name in (RecordKey.ID, RecordKey.GUID)
            if name in row
        ]
    raw = row.get(key)
    if is_blank(raw):
        return [Problem(Code.MISSING_VALUE, _("the id is missing"), (str(key),))]
    if (parse_record_id if key is RecordKey.ID else links.parse_guid)(raw) is None:
        return [bad_value(Code.WRONG_TYPE, _("the id of a record"), raw, str(key))]
    return []
