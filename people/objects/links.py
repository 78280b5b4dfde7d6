"""Links of records to people and to other records.

A link is resolved when it is written, and stays. One that names nobody yet waits, and is joined when the person or
record appears. Whoever writes a link and whoever makes the one that it names take the same lock of the value first, so
that none of them misses the other.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from people import events
from people import lookup as people_lookup
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem
from people.core.messages import sentence as _
from people.core.source import Source
from people.datatypes.canonical import canonical_text
from people.datatypes.keys import MAX_BIG_ID, MAX_ID, key_of
from people.fields.catalog import STANDARD
from people.models import ApprovedObjectField, ObjectChange, ObjectRecord, Person, PersonKey
from people.models.object_types import PERSON
from people.objects import record_sql
from people.objects.definition import EMAIL, GUID, ID
from people.objects.schema import ObjectSchema, RecordField, hash_of_keys

BUCKETS = 1024  # of locks: a large batch cannot fill the server's lock table
Target = int | Problem | None  # the id that a value names, why it names none, or None while it waits


def link_key(value: Any) -> str:
    """The value of a link as compared."""
    return key_of(canonical_text(value))


def lock_links(schema: ObjectSchema, values: Collection[Mapping[str, Any]]) -> None:
    """Lock the values of links that may wait, and those by which links of other types may wait for these records."""
    names: set[tuple[str, str, str]] = set()
    for field in (schema.person_link, schema.object_link):
        if field is not None and may_wait(field):
            names |= {
                (field.link_to, field.link_by, link_key(row[field.api_name]))
                for row in values
                if row.get(field.api_name) is not None
            }
    if len(schema.dedupe) == 1:
        (field,) = schema.dedupe
        names |= {
            (schema.api_name, field.api_name, link_key(row[field.api_name]))
            for row in values
            if row.get(field.api_name) is not None
        }
    _lock(names)


def may_wait(field: RecordField) -> bool:
    """Return True if values of this link can name somebody who appears later: ids are not known before."""
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


def join_records(schema: ObjectSchema, records: Sequence[ObjectRecord]) -> None:
    """Give records of other types that wait for one of these `records` their link; the caller holds the locks."""
    if len(schema.dedupe) != 1 or not records:
        return
    (field,) = schema.dedupe
    waiting_types = list(
        ApprovedObjectField.objects.filter(link_to=schema.api_name, link_by=field.api_name).values_list(
            "object_type_id", flat=True
        )
    )
    if not waiting_types:
        return
    keys = {link_key(field.from_json(record.fields[field.api_name])): record.pk for record in records}
    with connection.cursor() as cursor:
        cursor.execute(
            """update object_record r set linked_id = v.id
            from unnest(%s::text[], %s::bigint[]) as v (key, id)
            where r.object_type_id = any(%s) and r.linked_id is null and r.linked_key is not null
              and md5(r.linked_key) = md5(v.key) and r.linked_key = v.key""",
            [list(keys), list(keys.values()), waiting_types],
        )


def join_people(announcement: events.Announcement, source: Source) -> None:
    """Give records that wait for somebody their person, once that person appears: a subscriber to events."""
    person_ids = _appeared(announcement)
    if not person_ids:
        return
    links = ApprovedObjectField.objects.filter(link_to=PERSON, object_type__deleted_at__isnull=True).exclude(link_by=ID)
    types_by_key: dict[str, list[int]] = defaultdict(list)
    for type_id, link_by in links.values_list("object_type_id", "link_by"):
        types_by_key[link_by].append(type_id)
    keys_by_name = {name: _keys_of_people(name, person_ids) for name in types_by_key}
    _lock((PERSON, name, key) for name, keys in keys_by_name.items() for key in keys)
    for name, keys in keys_by_name.items():
        matches = people_lookup.person_ids_by_field(name, keys)
        only = {key: ids[0] for key, ids in matches.items() if len(ids) == 1}
        if only:
            _join(types_by_key[name], only, source)


@transaction.atomic
def _join(type_ids: Sequence[int], people: Mapping[str, int], source: Source) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """update object_record r set person_id = v.id, revision = r.revision + 1, updated_at = now()
            from unnest(%s::text[], %s::int[]) as v (key, id)
            where r.object_type_id = any(%s) and r.person_id is null and r.person_key is not null
              and md5(r.person_key) = md5(v.key) and r.person_key = v.key
            returning r.id""",
            [list(people), list(people.values()), list(type_ids)],
        )
        joined_ids = [pk for (pk,) in cursor.fetchall()]
    joined = ObjectRecord.objects.existing().filter(pk__in=joined_ids).order_by("pk")
    record_sql.write_changes([record_sql.PendingChange(record, ObjectChange.Kind.JOINED) for record in joined], source)


def _appeared(announcement: events.Announcement) -> list[int]:
    """The people whom a value may name from now on."""
    if isinstance(announcement, events.PeopleCreated | events.PeopleRestored):
        return list(announcement.person_ids)
    if isinstance(announcement, events.MergeUndone):
        return list(announcement.loser_ids)
    if isinstance(announcement, events.PeopleChanged):
        changes = [change for change in announcement.changes if change.field == EMAIL or change.field not in STANDARD]
        return sorted({change.person_id for change in changes if change.new is not None})
    return []


def _keys_of_people(name: str, person_ids: Sequence[int]) -> set[str]:
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


def _lock(names: Iterable[tuple[str, str, str]]) -> None:
    numbers = {locks.lock_number(*name) % BUCKETS for name in names}
    locks.acquire_exclusive(locks.lock_key(locks.LockSpace.OBJECT_LINK, number) for number in numbers)
