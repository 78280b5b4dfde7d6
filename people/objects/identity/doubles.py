"""Records of one type that name the same person or record in their dedupe values: one of them stays.

Dedupe values with a link can become those of another record though no value changes: people are merged, or a person
for whom a link waits turns out to be known by another address. The record that was added or changed last stays. The
others are deleted as replaced by it: their values are in its history. They are restored when the two no longer meet,
which is when a merge is undone. What a user deleted takes no part in this.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Q

from people.core.db import locks
from people.core.source import Source
from people.models import ApprovedObjectField, ObjectChange, ObjectRecord
from people.models.object_types import PERSON
from people.objects.writing import record_sql

TRIES = 5  # to lock records whose links another transaction changes at the same moment
BUCKETS = 1024  # of locks: a large batch cannot fill the server's lock table
Kind = ObjectChange.Kind
# a record that takes part: not deleted, or replaced by one that a user has not deleted since, or that has moved away
TAKES_PART = """(r.deleted_at is null or exists (
    select from object_record s where s.id = r.replaced_by_id and (s.deleted_at is null or s.replaced_by_id is not null
        or (s.person_id, s.linked_id) is distinct from (r.person_id, r.linked_id))))"""


@dataclass(frozen=True, slots=True)
class LinkedKey:
    """The dedupe fields of a type, of which one or two are links."""

    type_id: int
    has_person: bool
    has_record: bool
    others: Sequence[str]  # the dedupe fields that are no links

    @property
    def target(self) -> str:
        """The column of the targets that are locked: the rest of the key distinguishes those of one person."""
        return "person_id" if self.has_person else "linked_id"

    def columns(self, person: str = "r.person_id", linked: str = "r.linked_id") -> list[str]:
        """SQL for the dedupe values of the records `r` of the type; `person` and `linked` are that for their ids."""
        columns = [f"lower(normalize(trim(r.fields->>'{name}')))" for name in self.others]
        if self.has_person:
            columns.append(f"coalesce({person}::text, ' ' || r.person_key)")
        if self.has_record:
            columns.append(f"coalesce(({linked})::text, ' ' || r.linked_key)")
        return columns

    def near(self) -> str:
        """SQL for the records `r` that can meet those of the arrays `people` and `records`; by indexes."""
        if not self.has_person:
            return "r.linked_id = any(%(records)s)"
        of_people = "r.person_id = any(%(people)s)"
        return (
            f"({of_people} or r.person_id is null and r.linked_id = any(%(records)s))" if self.has_record else of_people
        )


class Member(NamedTuple):
    """One of the records with the same dedupe values."""

    pk: int
    is_live: bool
    replaced_by_id: int | None
    is_taken: bool  # if not live: another record than these has its dedupe values by now


@dataclass(slots=True)
class Settled:
    """The changes to records with the same dedupe values."""

    replaced: dict[int, int] = field(default_factory=dict)  # record: the one that stays
    moved: dict[int, int] = field(default_factory=dict)  # replaced before: the one that stays now
    restored: set[int] = field(default_factory=set)


def linked_keys(type_ids: Collection[int] | None = None) -> list[LinkedKey]:
    """The keys of those of the types, or of all, whose dedupe values have a link. They are fixed by the approval."""
    rows = ApprovedObjectField.objects.filter(is_dedupe=True, object_type__deleted_at__isnull=True)
    if type_ids is not None:
        rows = rows.filter(object_type__in=type_ids)
    fields: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for type_id, name, link_to in rows.order_by("pk").values_list("object_type", "api_name", "link_to"):
        fields[type_id].append((name, link_to))
    return [
        LinkedKey(
            type_id,
            any(link_to == PERSON for _name, link_to in named),
            any(link_to not in ("", PERSON) for _name, link_to in named),
            sorted(name for name, link_to in named if not link_to),
        )
        for type_id, named in sorted(fields.items())
        if any(link_to for _name, link_to in named)
    ]


def lock_targets(type_id: int, people: Iterable[int], records: Iterable[int]) -> None:
    """Lock the people and records that dedupe values of the type name, before its records are read.

    Taken after the locks of the values that name them, and before rows of records.
    """
    names = [("person", pk) for pk in people] + [("record", pk) for pk in records]
    numbers = {locks.lock_number(str(type_id), side, str(pk)) % BUCKETS for side, pk in names}
    locks.acquire_exclusive(locks.lock_key(locks.LockSpace.OBJECT_TARGET, number) for number in numbers)


def lock_records(key: LinkedKey, record_ids: Collection[int], named_ids: Collection[int]) -> None:
    """Lock the targets of records whose links or dedupe values are about to change, then the rows that can meet.

    `named_ids`: the targets that the records will have, in the column `key.target`. Those that they have are read
    without a lock: where they have changed by the time they are locked, all locks are given back and taken anew.
    """
    for tries_left in reversed(range(TRIES)):
        start = transaction.savepoint()
        targets = _targets_of(key, record_ids) | set(named_ids)
        lock_targets(key.type_id, *((targets, ()) if key.has_person else ((), targets)))
        with connection.cursor() as cursor:
            cursor.execute(
                f"""select from object_record where id = any(%s) or object_type_id = %s and {key.target} = any(%s)
                    and (deleted_at is null or replaced_by_id is not null) order by id for no key update""",
                [list(record_ids), key.type_id, list(targets)],
            )
        if not tries_left or _targets_of(key, record_ids) <= targets:
            transaction.savepoint_commit(start)
            return
        transaction.savepoint_rollback(start)


def _targets_of(key: LinkedKey, record_ids: Collection[int]) -> set[int]:
    """The targets of these records, and of those that they replaced."""
    rows = ObjectRecord.objects.filter(Q(pk__in=record_ids) | Q(replaced_by_id__in=record_ids))
    return {target for target in rows.values_list(key.target, flat=True) if target is not None}


def settle_records(record_ids: Collection[int], source: Source) -> int:
    """Let one of the records stay where records meet one of these; return how many were replaced.

    The caller has locked these records and, before them, the targets of their links. Changes are written as back-fill:
    no campaign starts.
    """
    number, pending = 0, set(record_ids)
    while pending:
        types = dict(ObjectRecord.objects.filter(pk__in=pending).values_list("pk", "object_type"))
        relinked: set[int] = set()
        for key in linked_keys(set(types.values())):
            settled = _settle(key, [pk for pk, type_id in types.items() if type_id == key.type_id])
            relinked |= _write(settled, replace(source, is_backfill=True))
            number += len(settled.replaced)
        pending = relinked
    return number


def _settle(key: LinkedKey, record_ids: Sequence[int]) -> Settled:
    """The changes to the records of one type that have, or had, the same dedupe values as one of these."""
    targets = ObjectRecord.objects.filter(pk__in=record_ids).values_list("person_id", "linked_id", "replaced_by_id")
    former = ObjectRecord.objects.filter(replaced_by_id__in=record_ids)
    rows = [*targets, *former.values_list("person_id", "linked_id", "replaced_by_id")]
    people = sorted({person_id for person_id, _linked, _by in rows if person_id is not None and key.has_person})
    records = sorted({linked_id for _person, linked_id, _by in rows if linked_id is not None and key.has_record})
    lock_targets(key.type_id, people, () if key.has_person else records)
    meant = "r.id = any(%(ids)s) or coalesce(r.replaced_by_id = any(%(ids)s), false)"
    return decide_groups(groups_of(key, key.near(), meant, ids=list(record_ids), people=people, records=records))


def groups_of(
    key: LinkedKey, near: str, meant: str, person: str = "r.person_id", linked: str = "r.linked_id", **values: Any
) -> list[list[Member]]:
    """The records `near` with the same dedupe values, those of each group the newest first, if one is `meant`.

    `near`, `meant`, `person` and `linked` are SQL for a record `r` with the `values`; see `LinkedKey.columns`.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""with near as materialized (
                select r.id, r.deleted_at is null as is_live, r.replaced_by_id, r.dedupe_hash,
                    row({", ".join(key.columns(person, linked))})::text as key, {meant} as is_meant
                from object_record r where r.object_type_id = %(type)s and {near} and {TAKES_PART}),
            met as (select *, count(*) over same as number, bool_or(is_meant) over same as is_group_meant,
                bool_or(not is_live) over same as has_replaced from near window same as (partition by key))
            select key, id, is_live, replaced_by_id,
                exists (select from object_record o where o.object_type_id = %(type)s and o.deleted_at is null
                    and o.dedupe_hash = met.dedupe_hash and o.id <> all(select id from near where key = met.key))
            from met where is_group_meant and (number > 1 or has_replaced)
            order by key, (select max(c.id) from object_change c where c.record_id = met.id and c.kind in (1, 2)) desc
                nulls last, id desc""",
            {**values, "type": key.type_id},
        )
        members = cursor.fetchall()
    groups: dict[str, list[Member]] = defaultdict(list)
    for name, *member in members:
        groups[name].append(Member(*member))
    return list(groups.values())


def decide_groups(groups: Iterable[Sequence[Member]]) -> Settled:
    """The changes to the records of `groups`, which have the newest first."""
    settled = Settled()
    for group in groups:
        stays = next((pk for pk, is_live, _by, is_taken in group if is_live or not is_taken), None)
        for pk, is_live, replaced_by, _is_taken in group:
            if pk == stays:
                if not is_live:
                    settled.restored.add(pk)
            elif is_live and stays is not None:
                settled.replaced[pk] = stays
            elif stays is not None and replaced_by != stays:
                settled.moved[pk] = stays
    return settled


def _write(settled: Settled, source: Source) -> set[int]:
    """Replace and restore records; return those of other types whose link goes to another record now."""
    by_record = {**settled.replaced, **settled.moved}
    ids = sorted({*by_record, *settled.restored})
    if not ids:
        return set()
    rows = ObjectRecord.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    records = {record.pk: record for record in rows}
    before = {pk: record.replaced_by_id for pk, record in records.items()}
    for pk, record in records.items():
        record.replaced_by_id = by_record.get(pk)
    record_sql.set_replaced(list(records.values()))
    gone = [records[pk] for pk in sorted(settled.replaced)]
    back = [records[pk] for pk in sorted(settled.restored)]
    if gone:
        record_sql.mark_deleted(gone, is_deleted=True)
    if back:
        record_sql.mark_deleted(back, is_deleted=False)
    pending = [
        record_sql.PendingChange(record, Kind.REMOVED, _values(record), replaced_by_id=record.replaced_by_id)
        for record in gone
    ]
    pending += [record_sql.PendingChange(record, Kind.RESTORED, replaced_by_id=before[record.pk]) for record in back]
    record_sql.write_changes(pending, source)
    return _relink(records.values(), before)


def _values(record: ObjectRecord) -> Mapping[str, Sequence[Any]]:
    """The change of a record's values that takes them all away."""
    return {name: [value, None] for name, value in record.fields.items()}


def _relink(records: Collection[ObjectRecord], before: Mapping[int, int | None]) -> set[int]:
    """Let links to replaced records go to those that stay, and links that name a restored record go back to it.

    `before`: by which each record was replaced. Returns the linking records whose link changed.
    """
    named = [
        (former, key, record.replaced_by_id or record.pk)
        for record in records
        if (former := before[record.pk]) is not None
        for key in keys_of_record(record)
    ]
    replaced = [
        (record.pk, record.replaced_by_id) for record in records if record.replaced_by_id and not before[record.pk]
    ]
    _lock_linking([*named, *replaced])
    with connection.cursor() as cursor:
        cursor.execute(
            """update object_record r set linked_id = m.stays
            from unnest(%s::bigint[], %s::text[], %s::bigint[]) as m (former, key, stays)
            where r.linked_id = m.former and r.linked_key = m.key and m.former <> m.stays returning r.id""",
            [list(column) for column in zip(*named, strict=True)] or [[], [], []],
        )
        relinked = {pk for (pk,) in cursor.fetchall()}
        cursor.execute(
            """update object_record r set linked_id = m.stays
            from unnest(%s::bigint[], %s::bigint[]) as m (former, stays)
            where r.linked_id = m.former returning r.id""",
            [list(column) for column in zip(*replaced, strict=True)] or [[], []],
        )
        return relinked | {pk for (pk,) in cursor.fetchall()}


def _lock_linking(moves: Iterable[tuple[Any, ...]]) -> None:
    """Lock the records of other types whose link may go from the first id of a move to the last, and their targets."""
    stays: dict[int, set[int]] = defaultdict(set)
    for move in moves:
        stays[move[0]].add(move[-1])
    linking: dict[int, dict[int, int]] = defaultdict(dict)  # type: record: the record that it links to
    rows = ObjectRecord.objects.filter(linked_id__in=stays).values_list("object_type", "pk", "linked_id")
    for type_id, pk, linked_id in rows:
        linking[type_id][pk] = linked_id or 0
    keys = {key.type_id: key for key in linked_keys(linking)} if linking else {}
    for type_id, former in sorted(linking.items()):
        key = keys.get(type_id)
        if key is not None and key.has_record:
            targets = {target for linked_id in former.values() for target in stays[linked_id]}
            lock_records(key, former, () if key.has_person else targets)
        else:
            list(ObjectRecord.objects.filter(pk__in=former).order_by("pk").select_for_update(no_key=True))


def keys_of_record(record: ObjectRecord) -> list[str]:
    """The keys by which links name a record: its id, its guid, and its only dedupe value, which is a link itself."""
    return [str(record.pk), str(record.guid), *(key for key in (record.person_key, record.linked_key) if key)]
