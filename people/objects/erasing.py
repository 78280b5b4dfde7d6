"""Erasure of people from objects: the records and history that it deletes, and the values of others' that it clears.

Deleted are the records of the people, with their history: those linked to them, those that wait for one of their
addresses or keys, and those identified by a link to one of these people or records. Records of others that link, or
linked, to the erased ones stay without that value, in their history, too.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from people import lookup as people_lookup
from people.core import personal_data
from people.core.personal_data import Erasing
from people.datatypes.keys import key_of
from people.datatypes.registry import BY_NAME
from people.models import ApprovedObjectField, ObjectChange, ObjectRecord
from people.models.object_types import PERSON
from people.objects.definition import ID
from people.objects.links import keys_of_people, link_key

AT_ONCE = 2_000  # changes or records in memory


@dataclass(slots=True)
class PeopleObjects:
    """The records that an erasure deletes, and other records with the values that it takes out of them."""

    record_ids: set[int] = field(default_factory=set)
    # the keys, as compared, that links name the people or records by: link field: keys
    keys: Mapping[int, set[str]] = field(default_factory=dict)
    # other records: link field: ids
    cleared: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))


def objects_of_people(person_ids: Sequence[int], texts: Iterable[str] = ()) -> PeopleObjects:
    """The objects of these people; `texts` are further addresses and keys of theirs, in lower case."""
    links = list(ApprovedObjectField.objects.exclude(link_to="").select_related("object_type").order_by("pk"))
    keys: dict[int, set[str]] = defaultdict(set)
    known = {key_of(text) for table in personal_data.registered_tables() for text in table.texts(person_ids)}
    known |= set(texts)
    for link in links:
        if link.link_to == PERSON:
            keys[link.pk] |= _keys_of_link(link, person_ids, known)
    found = PeopleObjects(keys=keys)
    new = _ids("person_id = any(%s)", [list(person_ids)])
    for link in links:
        if link.link_to == PERSON:
            new |= _waiting_or_cleared(found, link, "person")
    while new:
        found.record_ids |= new
        named = _names_of(new)
        previous, new = new, set()
        for link in links:
            if link.link_to in named:
                keys[link.pk] |= named[link.link_to]
                linking = _ids("linked_id = any(%s) and object_type_id = %s", [list(previous), link.object_type_id])
                if link.is_dedupe:
                    new |= linking
                else:
                    found.cleared[link.pk] |= linking
                new |= _waiting_or_cleared(found, link, "linked")
        new -= found.record_ids
    for ids in found.cleared.values():
        ids -= found.record_ids
    return found


def texts_of_records(person_ids: Sequence[int]) -> set[str]:
    """The addresses by which records name these people, also those that they no longer have."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select distinct r.person_key from object_record r
            join approved_object_field f on f.object_type_id = r.object_type_id
                and f.link_to = 'person' and f.link_by = 'email'
            where r.person_id = any(%s) and r.person_key is not null""",
            [list(person_ids)],
        )
        return {key for (key,) in cursor.fetchall()}


def erase_objects(erasing: Erasing) -> None:
    """Delete the objects of the people and their history, and take what names them out of other records."""
    found = objects_of_people(erasing.person_ids, erasing.texts)
    people, records = list(erasing.person_ids), list(found.record_ids)
    with connection.cursor() as cursor:
        # the trigger `object_change_is_kept` refuses all else
        cursor.execute("select set_config('people.erasing', 'on', true)")
        cursor.execute("delete from object_change where person_id = any(%s) or record_id = any(%s)", [people, records])
        cursor.execute(
            """update object_change set former_person_id = null, changes = '{}', link_keys = null
            where former_person_id = any(%s)""",
            [people],
        )
        _clear_history(found)
        _clear_records(found)
        cursor.execute("update object_record set linked_id = null where linked_id = any(%s)", [records])
        cursor.execute("update object_record set replaced_by_id = null where replaced_by_id = any(%s)", [records])
        cursor.execute("delete from object_record where id = any(%s)", [records])
        cursor.execute("select set_config('people.erasing', '', true)")


def _keys_of_link(link: ApprovedObjectField, person_ids: Sequence[int], known: set[str]) -> set[str]:
    """The keys by which a link names these people alone."""
    if link.link_by == ID:
        return {str(pk) for pk in person_ids}
    keys = known | keys_of_people(link.link_by, person_ids)
    own = set(person_ids)
    others = people_lookup.person_ids_by_field(link.link_by, keys)
    return {key for key in keys if own.issuperset(others.get(key, ()))}


def _waiting_or_cleared(found: PeopleObjects, link: ApprovedObjectField, side: str) -> set[int]:
    """The records with one of the keys in a link that wait, or are identified by it; note the others as cleared."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select r.id, r.{side}_id is null or %s from unnest(%s::text[]) as v (key)
            join object_record r on r.object_type_id = %s and md5(r.{side}_key) = md5(v.key) and r.{side}_key = v.key
            where r.{side}_key is not null{" and r.linked_id is null" if side == "linked" else ""}""",
            [link.is_dedupe, list(found.keys[link.pk]), link.object_type_id],
        )
        rows = cursor.fetchall()
    # a record that only waits for another person's record stays, without the value
    is_deleted = (lambda own: own) if side == "person" else (lambda _own: link.is_dedupe)
    found.cleared[link.pk] |= {pk for pk, own in rows if not is_deleted(own)}
    return {pk for pk, own in rows if is_deleted(own)}


def _names_of(record_ids: set[int]) -> dict[str, set[str]]:
    """The keys by which links may name these records, by the API name of their type."""
    dedupe: dict[int, list[ApprovedObjectField]] = defaultdict(list)
    for row in ApprovedObjectField.objects.filter(is_dedupe=True).order_by("pk"):
        dedupe[row.object_type_id].append(row)
    named: dict[str, set[str]] = defaultdict(set)
    rows = ObjectRecord.objects.filter(pk__in=record_ids).select_related("object_type")
    for record in rows.iterator(chunk_size=AT_ONCE):
        keys = named[record.object_type.api_name]
        keys |= {str(record.pk), str(record.guid)}
        if len(fields := dedupe[record.object_type_id]) == 1:
            keys.add(_stored_key(fields[0], record.fields[fields[0].api_name]))
    return named


def _clear_history(found: PeopleObjects) -> None:
    """Take the values that name the people or their records out of the history of others."""
    links = [link for link in ApprovedObjectField.objects.filter(pk__in=found.keys) if found.keys[link.pk]]
    for link in links:
        keys, last_id = found.keys[link.pk], 0
        rows = ObjectChange.objects.filter(object_type_id=link.object_type_id, link_keys__overlap=sorted(keys))
        while changes := list(rows.filter(pk__gt=last_id).order_by("pk")[:AT_ONCE]):
            last_id = changes[-1].pk
            named = [
                change.pk
                for change in changes
                if any(
                    value is not None and _stored_key(link, value) in keys
                    for value in change.changes.get(link.api_name, ())
                )
            ]
            with connection.cursor() as cursor:
                # the keys of the other link stay
                cursor.execute(
                    """update object_change set changes = changes - %s,
                        link_keys = array(select key from unnest(link_keys) as key where key <> all(%s))
                    where id = any(%s)""",
                    [link.api_name, sorted(keys), named],
                )


def _clear_records(found: PeopleObjects) -> None:
    """Take the values that name the people or their records out of other records, which keep their person."""
    for link in ApprovedObjectField.objects.filter(pk__in=found.cleared):
        columns = "person_key = null" if link.link_to == PERSON else "linked_key = null, linked_id = null"
        with connection.cursor() as cursor:
            cursor.execute(
                f"""update object_record set {columns}, fields = fields - %s,
                    revision = revision + 1, updated_at = now()
                where id = any(%s)""",
                [link.api_name, list(found.cleared[link.pk])],
            )


def _ids(condition: str, parameters: Sequence[Any]) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(f"select id from object_record where {condition}", parameters)
        return {pk for (pk,) in cursor.fetchall()}


def _stored_key(link: ApprovedObjectField, stored: Any) -> str:
    """The key of a stored value of a field."""
    return link_key(BY_NAME[link.data_type].from_json(stored))
