"""The records with the dedupe values of rows, also where a link names its person or record by another value.

A record keeps the value that its link was written with: an address that its person no longer has, for example. A
row that names the same person by another address means that record, and no new one.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from people.models import ObjectChange, ObjectRecord
from people.objects import links
from people.objects.definition import GUID, ID
from people.objects.identity.doubles import keys_of_record, linked_keys, lock_records, lock_targets
from people.objects.schema import ObjectSchema, RecordField, hash_of_keys


class NamedRecord(NamedTuple):
    """The dedupe values of a row: their keys, in the order of their hash, and the targets of links.

    The person and the record are None where no link in the key leads to one.
    """

    keys: tuple[str, ...]
    person_id: int | None
    linked_id: int | None


def ids_by_dedupe_values(
    schema: ObjectSchema, values: Mapping[int, Mapping[str, Any]], *, locks_targets: bool = False
) -> dict[int, int]:
    """The existing record that canonical `values` name, by place.

    With `locks_targets`, no other appears that the values name until the transaction ends; the caller has locked the
    values.
    """
    named = _resolve(schema, values)
    if locks_targets:
        lock_named(schema, named.values())
    hashes = {place: hash_of_keys(row.keys) for place, row in named.items()}
    by_hash = _by_hash(schema, hashes.values())
    ids = {place: by_hash[digest].pk for place, digest in hashes.items() if digest in by_hash}
    missing = {place: row for place, row in named.items() if place not in ids}
    if schema.links_in_key and missing:
        ids |= _replacing(schema, missing, hashes)
        ids |= named_alike(schema, {place: row for place, row in missing.items() if place not in ids})
    return ids


def named_by_record(schema: ObjectSchema, record: ObjectRecord) -> NamedRecord:
    """The dedupe values of a record with the targets of links."""
    return NamedRecord(tuple(schema.dedupe_keys(schema.canonical(record.fields))), record.person_id, record.linked_id)


def lock_named(schema: ObjectSchema, named: Iterable[NamedRecord]) -> None:
    """Lock the people and records that rows name, so that none of the type's records comes to name them meanwhile."""
    rows = list(named)
    people = {row.person_id for row in rows if row.person_id} if schema.is_person_in_key else ()
    # those of one person are distinguished by the rest of their values
    records = {row.linked_id for row in rows if row.linked_id} if not schema.is_person_in_key else ()
    lock_targets(schema.type_id, people, records)


def lock_moving(schema: ObjectSchema, record_ids: Iterable[int], rows: Iterable[Mapping[str, Any]]) -> None:
    """Lock the targets of records that rows give other dedupe values by id, and those of the new ones; then the rows.

    `rows` have canonical values; nothing is locked where none of them has a dedupe field.
    """
    dedupe = {field.api_name for field in schema.dedupe}
    moving = dict(enumerate(row for row in rows if dedupe & row.keys()))
    if not moving:
        return
    if schema.is_person_in_key:
        named = _targets(schema.person_link, moving, links.find_people)
    else:
        named = _targets(schema.object_link, moving, lambda _link, values: links.find_records(schema, values))
    (key,) = linked_keys([schema.type_id])
    lock_records(key, list(record_ids), named.values())


def identity_of(schema: ObjectSchema, row: NamedRecord) -> tuple[str | int, ...]:
    """The dedupe values of a record, with the ids that links lead to in place of their values."""
    identity: list[str | int] = list(row.keys)
    if schema.person_link and schema.is_person_in_key and row.person_id is not None:
        identity[schema.place_in_key(schema.person_link)] = row.person_id
    if schema.object_link and schema.is_record_in_key and row.linked_id is not None:
        identity[schema.place_in_key(schema.object_link)] = row.linked_id
    return tuple(identity)


def named_alike(schema: ObjectSchema, named: Mapping[int, NamedRecord]) -> dict[int, int]:
    """The existing record whose links lead where those of a row do, by other values, and that is alike otherwise."""
    person_keys = _person_keys(schema, {row.person_id for row in named.values() if row.person_id})
    record_keys = _linked_keys(schema, {row.linked_id for row in named.values() if row.linked_id})
    candidates = {
        place: [hash_of_keys(keys) for keys in _other_keys(schema, row, person_keys, record_keys) if keys != row.keys]
        for place, row in named.items()
    }
    found = _by_hash(schema, (digest for digests in candidates.values() for digest in digests))
    ids = {}
    for place, digests in candidates.items():
        row = named[place]
        for record in (found[digest] for digest in digests if digest in found):
            is_person = not schema.is_person_in_key or record.person_id == row.person_id
            if is_person and (not schema.is_record_in_key or record.linked_id == row.linked_id):
                ids[place] = record.pk
    return ids


def _resolve(schema: ObjectSchema, values: Mapping[int, Mapping[str, Any]]) -> dict[int, NamedRecord]:
    """The dedupe values of rows with the targets of links."""
    person_ids = _targets(schema.person_link, values, links.find_people)
    linked_ids = _targets(schema.object_link, values, lambda _link, named: links.find_records(schema, named))
    return {
        place: NamedRecord(tuple(schema.dedupe_keys(row)), person_ids.get(place), linked_ids.get(place))
        for place, row in values.items()
    }


def _targets(
    link: RecordField | None,
    values: Mapping[int, Mapping[str, Any]],
    find: Callable[[RecordField, Collection[Any]], Mapping[str, links.Target]],
) -> dict[int, int]:
    """The ids that a link of the key leads to, by place; none for another link."""
    if link is None or not link.is_dedupe:
        return {}
    link_values = {place: row[link.api_name] for place, row in values.items() if row.get(link.api_name) is not None}
    targets = find(link, set(link_values.values()))
    named = {place: targets.get(links.link_key(value)) for place, value in link_values.items()}
    return {place: target for place, target in named.items() if isinstance(target, int)}


def _by_hash(schema: ObjectSchema, hashes: Iterable[bytes]) -> dict[bytes, ObjectRecord]:
    wanted = set(hashes)
    if not wanted:
        return {}
    rows = ObjectRecord.objects.existing().filter(object_type=schema.type_id, dedupe_hash__in=wanted)
    return {bytes(record.dedupe_hash): record for record in rows.only("dedupe_hash", "person_id", "linked_id")}


def _replacing(schema: ObjectSchema, named: Mapping[int, NamedRecord], hashes: Mapping[int, bytes]) -> dict[int, int]:
    """The records that replaced those with the dedupe values, where the values lead to no other by now."""
    wanted = {hashes[place] for place in named}
    rows = ObjectRecord.objects.filter(
        object_type=schema.type_id, dedupe_hash__in=wanted, replaced_by_id__isnull=False, deleted_at__isnull=False
    )
    pairs = rows.order_by("pk").values_list("dedupe_hash", "replaced_by_id")
    stays = {bytes(digest): pk for digest, pk in pairs if pk is not None}
    records = {record.pk: record for record in ObjectRecord.objects.existing().filter(pk__in=stays.values())}
    ids = {}
    for place, row in named.items():
        record = records.get(stays.get(hashes[place], 0))
        if record is None:
            continue
        leads_there = row.person_id in (None, record.person_id) or not schema.is_person_in_key
        if leads_there and (row.linked_id in (None, record.linked_id) or not schema.is_record_in_key):
            ids[place] = record.pk
    return ids


def _other_keys(
    schema: ObjectSchema,
    row: NamedRecord,
    person_keys: Mapping[int, Collection[str]],
    record_keys: Mapping[int, Collection[str]],
) -> Iterator[tuple[str, ...]]:
    """The keys that the dedupe values of a record can have that is named by `row`."""
    choices = [{key} for key in row.keys]
    if schema.is_person_in_key and schema.person_link:
        choices[schema.place_in_key(schema.person_link)].update(person_keys.get(row.person_id or 0, ()))
    if schema.is_record_in_key and schema.object_link:
        choices[schema.place_in_key(schema.object_link)].update(record_keys.get(row.linked_id or 0, ()))
    return product(*choices)


def _person_keys(schema: ObjectSchema, person_ids: Collection[int]) -> dict[int, set[str]]:
    """The keys by which records of the type name these people."""
    if not person_ids or not schema.is_person_in_key:
        return {}
    rows = ObjectRecord.objects.existing().filter(object_type=schema.type_id, person_id__in=person_ids)
    keys: dict[int, set[str]] = defaultdict(set)
    for person_id, key in rows.values_list("person_id", "person_key").distinct():
        if person_id is not None and key is not None:
            keys[person_id].add(key)
    return keys


def _linked_keys(schema: ObjectSchema, record_ids: Collection[int]) -> dict[int, set[str]]:
    """The keys by which links may name these records, besides that of now: former ones, those of replaced records."""
    link = schema.object_link
    if not record_ids or not schema.is_record_in_key or link is None:
        return {}
    keys: dict[int, set[str]] = defaultdict(set)
    for record in ObjectRecord.objects.filter(replaced_by_id__in=record_ids):
        keys[record.replaced_by_id or 0].update(keys_of_record(record))
    if link.link_by not in (ID, GUID):
        changes = ObjectChange.objects.filter(record_id__in=record_ids, changes__has_key=link.link_by)
        for record_id, changed in changes.values_list("record_id", "changes"):
            former = (value for value in changed[link.link_by] if value is not None)
            keys[record_id] |= {links.link_key(link.from_json(value)) for value in former}
    return keys
