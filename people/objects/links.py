"""Links of records to people and to other records.

A link is resolved when it is written, and stays. One without a match yet waits, and is joined when the person or
record appears; that of a deleted record is resolved when the record is restored. The writer of a link and the writer
of its target take the same lock of the value first, so that none of them misses the other: that of the
value of a person's field (`people.lookup.value_locks`), or that of the dedupe value of a record (OBJECT_LINK).
Records that are joined are locked in one order: types that others link to first, then by id. Locks of records are
`for no key update`: a foreign key leads from linking records to them.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from people import events
from people import lookup as people_lookup
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem
from people.core.messages import sentence as _
from people.core.source import Source
from people.datatypes.canonical import canonical_text
from people.datatypes.keys import MAX_BIG_ID, MAX_ID, key_of
from people.models import ApprovedObjectField, ObjectChange, ObjectRecord, Person, PersonKey
from people.models.object_types import PERSON
from people.objects.definition import EMAIL, GUID, ID
from people.objects.identity import doubles
from people.objects.schema import ObjectSchema, RecordField, hash_of_keys
from people.objects.writing import record_sql
from people.objects.writing.rows import RecordRow

BUCKETS = 1024  # of locks: a large batch cannot fill the server's lock table
JOINED_AT_ONCE = 5_000  # records in memory
# the records that wait, of the types, for the keys; with the id of each key
_WAITING = """from unnest(%s::int[], %s::text[], %s::bigint[]) as v (type_id, key, id)
    join object_record r on r.object_type_id = v.type_id and md5(r.{side}_key) = md5(v.key) and r.{side}_key = v.key
    where r.{side}_id is null and r.{side}_key is not null and r.deleted_at is null"""
Target = int | Problem | None  # the id that a value names, why it names none, or None while it waits


@lru_cache(maxsize=4_096, typed=True)  # a batch needs each several times; 1, 1.0 and True differ
def link_key(value: Any) -> str:
    """The value of a link as compared."""
    return key_of(canonical_text(value))


def lock_people_named(schema: ObjectSchema, values: Iterable[Any]) -> None:
    """Lock values of the link to a person that may wait (raw or canonical ones), before the type and its records."""
    link = schema.person_link
    if link is not None and may_wait(link):
        locks.acquire_exclusive(people_lookup.value_locks((link.link_by, link_key(value)) for value in values))


def lock_links(schema: ObjectSchema, values: Sequence[Mapping[str, Any]]) -> None:
    """Lock the values of links to records that may wait, and those by which links may wait for these records."""
    numbers = set()
    for type_name, field in _lockable(schema):
        by = field.link_by if type_name != schema.api_name else field.api_name
        named = {value for row in values if (value := row.get(field.api_name)) is not None}
        numbers |= {locks.lock_number(type_name, by, link_key(value)) % BUCKETS for value in named}
    locks.acquire_exclusive(locks.lock_key(locks.LockSpace.OBJECT_LINK, number) for number in numbers)


def _lockable(schema: ObjectSchema) -> list[tuple[str, RecordField]]:
    """The object type that values of a field name records of, with the field: another type, or its own."""
    fields = [(schema.api_name, field) for field in schema.dedupe] if len(schema.dedupe) == 1 else []
    link = schema.object_link
    if link is not None and may_wait(link):
        fields.append((link.link_to, link))
    return fields


def may_wait(field: RecordField) -> bool:
    """Return True if values of this link can name a person who appears later: ids are not known before."""
    return field.link_by not in (ID, GUID)


def find_people(field: RecordField, values: Collection[Any]) -> dict[str, Target]:
    """The person that each of `values` of a link names, by its `link_key`."""
    if field.link_by == ID:
        known = people_lookup.person_ids_by_id({value for value in values if 0 < value <= MAX_ID})
        unknown = Problem(Code.UNKNOWN_PERSON, _("there is no such person"), (field.api_name,))
        return {link_key(value): known.get(value, unknown) for value in values}
    keys = {link_key(value) for value in values}
    matches = people_lookup.person_ids_by_field(field.link_by, keys)
    return {key: _only(matches.get(key, []), field) for key in keys}


def find_records(schema: ObjectSchema, values: Collection[Any]) -> dict[str, Target]:
    """The record that each of `values` of the link to another type names, by its `link_key`."""
    field = schema.object_link
    assert field is not None
    rows = ObjectRecord.objects.existing().filter(object_type=schema.linked_type_id)
    unknown = Problem(Code.UNKNOWN_RECORD, _("there is no such record"), (field.api_name,))
    if field.link_by == ID:
        ids = [value for value in values if 0 < value <= MAX_BIG_ID]
        known = {str(pk): pk for pk in rows.filter(pk__in=ids).values_list("pk", flat=True)}
        return {link_key(value): known.get(link_key(value), unknown) for value in values}
    if field.link_by == GUID:
        guids = {guid for value in values if (guid := parse_guid(value)) is not None}
        known = {str(guid): pk for guid, pk in rows.filter(guid__in=guids).values_list("guid", "pk")}
        return {link_key(value): known.get(str(parse_guid(value)), unknown) for value in values}
    hashes = {key: hash_of_keys([key]) for key in map(link_key, values)}
    ids_by_hash = {
        bytes(stored): pk
        for stored, pk in rows.filter(dedupe_hash__in=hashes.values()).values_list("dedupe_hash", "pk")
    }
    return {key: ids_by_hash.get(digest) for key, digest in hashes.items()}


def parse_guid(value: Any) -> UUID | None:
    """The id that programs may use for a record, from text; None for any other text."""
    try:
        return UUID(str(value)) if len(str(value)) <= 45 else None
    except ValueError:
        return None


def resolve_waiting(schema: ObjectSchema, records: Sequence[ObjectRecord]) -> None:
    """Set the links of `records` that wait and have a match by now; the caller holds the locks and writes them."""
    if (link := schema.person_link) is not None:
        waiting = [record for record in records if record.person_key is not None and record.person_id is None]
        people = find_people(link, {link.from_json(record.fields[link.api_name]) for record in waiting})
        for record in waiting:
            named = people.get(record.person_key or "")
            record.person_id = None if isinstance(named, Problem) else named
    if (link := schema.object_link) is not None:
        waiting = [record for record in records if record.linked_key is not None and record.linked_id is None]
        linked = find_records(schema, {link.from_json(record.fields[link.api_name]) for record in waiting})
        for record in waiting:
            named = linked.get(record.linked_key or "")
            record.linked_id = None if isinstance(named, Problem) else named


def join_records(schema: ObjectSchema, records: Sequence[RecordRow], source: Source) -> None:
    """Give records of other types that wait for one of these `records` their link; the caller holds the locks.

    `records` are those that their dedupe values name from now on: new ones, restored ones, and those with new values.
    """
    if len(schema.dedupe) != 1 or not records:
        return
    (field,) = schema.dedupe
    types = [link.type_id for link in _approved_links() if (link.to, link.by) == (schema.api_name, field.api_name)]
    if not types:
        return
    ids = {link_key(field.from_json(record.fields[field.api_name])): record.pk for record in records}
    waits = [(type_id, key, pk) for type_id in types for key, pk in ids.items()]
    _join("linked", types, waits, source)


def join_people(announcement: events.Announcement, source: Source) -> None:
    """Give waiting records their person, once that person appears: a subscriber to events.

    The writer of the people holds the locks of the values, or that of all people alone.
    """
    newly_matchable_ids = _newly_matchable_ids(announcement)
    if newly_matchable_ids is None:
        return
    links = _approved_links()
    types_by_name: dict[str, list[int]] = defaultdict(list)
    for link in links:
        if link.to == PERSON and link.by != ID:
            types_by_name[link.by].append(link.type_id)
    waits = []
    for name, type_ids in types_by_name.items():
        if person_ids := newly_matchable_ids(name):
            matches = people_lookup.person_ids_by_field(name, keys_of_people(name, person_ids))
            only = {key: ids[0] for key, ids in matches.items() if len(ids) == 1}
            waits += [(type_id, key, pk) for type_id in type_ids for key, pk in only.items()]
    _join("person", [link.type_id for link in links], waits, source)


class _ApprovedLink(NamedTuple):
    """An approved link of an object type that is not deleted: to a person, or to records of another type."""

    type_id: int
    type_name: str
    to: str
    by: str


def _approved_links() -> list[_ApprovedLink]:
    """All approved links; those of a type that others link to come before those of the others."""
    rows = ApprovedObjectField.objects.exclude(link_to="").filter(object_type__deleted_at__isnull=True).order_by("pk")
    links = [
        _ApprovedLink(*row) for row in rows.values_list("object_type", "object_type__api_name", "link_to", "link_by")
    ]
    linked_type = {link.type_name: link.to for link in links if link.to != PERSON}

    def depth(name: str) -> int:  # links never go in a circle
        return 1 + depth(linked_type[name]) if name in linked_type else 0

    return sorted(links, key=lambda link: (depth(link.type_name), link.type_id))


def _join(side: str, types: Sequence[int], waits: Sequence[tuple[int, str, int]], source: Source) -> None:
    """Set the link of the records of type `waits[0]` that wait for key `waits[1]` to the id `waits[2]`.

    `side` is "person" or "linked"; `types` is the order in which records are locked, those of a type with links in its
    dedupe values after the targets of these. Writes their changes.
    """
    if not waits:
        return
    waiting = _waiting(side, waits)
    keys = {key.type_id: key for key in doubles.linked_keys(waiting)} if waiting else {}
    joined_ids: list[int] = []
    for type_id in dict.fromkeys(type_id for type_id in types if type_id in waiting):
        if key := keys.get(type_id):
            is_target = key.target == f"{side}_id"
            doubles.lock_records(key, waiting[type_id], waiting[type_id].values() if is_target else ())
        joined_ids += _set_links(side, [wait for wait in waits if wait[0] == type_id])
    joined_ids.sort()
    kind = ObjectChange.Kind.JOINED if side == "person" else ObjectChange.Kind.LINKED
    for start in range(0, len(joined_ids), JOINED_AT_ONCE):
        joined = ObjectRecord.objects.filter(pk__in=joined_ids[start : start + JOINED_AT_ONCE]).order_by("pk")
        record_sql.write_changes([record_sql.PendingChange(record, kind) for record in joined], source)
    if keys:
        doubles.settle_records(joined_ids, source)


def _waiting(side: str, waits: Sequence[tuple[int, str, int]]) -> dict[int, dict[int, int]]:
    """By type, the records that wait, with the id that each gets; no other comes to wait: the values are locked."""
    found: dict[int, dict[int, int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(f"select r.object_type_id, r.id, v.id {_WAITING.format(side=side)}", _columns(waits))
        for type_id, pk, named in cursor.fetchall():
            found[type_id][pk] = named
    return found


def _set_links(side: str, waits: Sequence[tuple[int, str, int]]) -> list[int]:
    """Set the links of the records of one type that wait; return the ids of the records."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""with waiting as materialized (
                select r.id, v.id as named {_WAITING.format(side=side)} order by r.id for no key update of r)
            update object_record r set {side}_id = w.named, revision = r.revision + 1, updated_at = now()
            from waiting w where r.id = w.id returning r.id""",
            _columns(waits),
        )
        return [pk for (pk,) in cursor.fetchall()]


def _columns(waits: Sequence[tuple[int, str, int]]) -> list[list[Any]]:
    return [list(column) for column in zip(*waits, strict=True)]


def _newly_matchable_ids(announcement: events.Announcement) -> Callable[[str], list[int]] | None:
    """A function from a field's API name to the people whom its values may name from now on; None if there are none."""
    if isinstance(announcement, events.PeopleUpserted):
        created, changes = announcement.created_ids, announcement.changes
        if not created and not changes:
            return None
        return lambda name: sorted(
            {*created, *(change.person_id for change in changes if change.field == name and change.new is not None)}
        )
    if isinstance(announcement, events.PeopleRestored):
        return lambda _name: list(announcement.person_ids)
    if isinstance(announcement, events.MergeUndone):
        # the winner, too, has former values again
        return lambda _name: [announcement.winner_id, *announcement.loser_ids]
    return None


def keys_of_people(name: str, person_ids: Sequence[int]) -> set[str]:
    """The keys by which `name`, "email" or a unique person field, names these people."""
    if name == EMAIL:
        emails = Person.objects.filter(pk__in=person_ids, email__isnull=False).values_list("email", flat=True)
        return {key_of(email) for email in emails}
    rows = PersonKey.objects.filter(field__api_name=name, person__in=person_ids)
    return set(rows.values_list("value", flat=True))


def _only(ids: Sequence[int], field: RecordField) -> Target:
    if len(ids) > 1:
        message = _("%(count)s people have this value; the record was not linked to any of them") % {"count": len(ids)}
        return Problem(Code.AMBIGUOUS_PERSON, message, (field.api_name,))
    return ids[0] if ids else None
