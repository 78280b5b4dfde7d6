"""Identifying rows that change nothing, which programs send at every sign-in: settled together.

Such a row names the owner of its visitor, by evidence that is no stronger, with values that the person has. A row whose
visitor or person an earlier row of the batch may change is not among them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection, transaction

from activities.models import EventSource, VisitorActivity
from activities.visitors import ownership
from activities.visitors.claims import Identity, accepted_values, parse_identity
from people import lookup as people_lookup
from people.core.errors import RejectedError
from people.datatypes.canonical import ExactDecoder
from people.datatypes.keys import key_of
from people.datatypes.parsing import BadValueError
from people.fields.catalog import FieldInfo, field_catalogue, person_value
from people.models import Person

Key = tuple[datetime, int]  # of a row: received_at, id
_DECODER = ExactDecoder()


class _Row(NamedTuple):
    """An identifying row, with the present association of its visitor, if there is one."""

    id: int
    source_id: int
    visitor_id: int
    identity: str
    association_id: int | None
    owner_id: int | None
    evidence: int | None
    is_free: bool  # the visitor has no owner and is no bot


class Settled(NamedTuple):
    """Ids of rows that were settled, and of those that change something and wait for no other row of the batch.

    `new`: programs' values of the people whom such rows name and who are not there yet.
    """

    unchanged: Collection[int]
    changing: Collection[int]
    new: Sequence[tuple[EventSource, Identity]] = ()


class _NamedRow(NamedTuple):
    """A row with its identity, and the people whom it may be about."""

    row: _Row
    identity: Identity | None
    person_ids: frozenset[int]


@transaction.atomic
def settle_unchanged(keys: Sequence[Key]) -> Settled:
    """Mark the rows that change nothing as decided. A few statements, whatever the number of rows.

    A row that is neither unchanged nor changing waits for one before it: it is looked at again once that is decided.
    """
    ownership.share_lock_of_people()
    rows = _read(keys)
    sources = {source.pk: source for source in EventSource.objects.filter(pk__in={row.source_id for row in rows})}
    entries = _people_named(rows, sources)
    people = Person.objects.live().in_bulk({pk for entry in entries for pk in entry.person_ids})
    fields = field_catalogue()
    unchanged: dict[int, _Row] = {}
    changing: list[_NamedRow] = []
    touched: set[Any] = set()
    for entry in entries:
        row = entry.row
        about = {("visitor", row.visitor_id), row.owner_id, *entry.person_ids} - {None}
        source, person = sources.get(row.source_id), people.get(row.owner_id or 0)
        waits = not touched.isdisjoint(about)
        if (
            not waits
            and entry.identity is not None
            and source is not None
            and person is not None
            and _is_confirmed(entry, entry.identity)
            and has_values(person, entry.identity, source, fields)
        ):
            unchanged[row.id] = row
            continue
        touched |= about
        if not waits:
            changing.append(entry)
    if unchanged:
        _settle(keys, unchanged)
    return Settled(unchanged.keys(), [entry.row.id for entry in changing], _new_people(changing, sources))


def _new_people(
    changing: Iterable[_NamedRow], sources: Mapping[int, EventSource]
) -> Sequence[tuple[EventSource, Identity]]:
    """Programs' values of people who are not there, about visitors without an owner."""
    return [
        (source, entry.identity)
        for entry in changing
        if entry.identity is not None
        and entry.row.is_free
        and not entry.person_ids
        and (source := sources.get(entry.row.source_id)) is not None
        and not source.is_browser
    ]


def _read(keys: Sequence[Key]) -> list[_Row]:
    moments = [received_at for received_at, _pk in keys]
    with connection.cursor() as cursor:
        cursor.execute(
            """select v.id, v.source_id, v.visitor_id, v.identity::text, a.id, a.person_id, a.evidence,
                w.state = 'free' and not v.is_bot
            from visitor_activity v join visitor w on w.id = v.visitor_id
            left join association a on a.visitor_id = v.visitor_id and a.to_at is null and a.undone_at is null
                and w.state = 'owned' and not v.is_bot
            where v.received_at between %s and %s and v.id = any(%s) and v.identity_state = 0
            order by v.id for update of v skip locked""",
            [min(moments), max(moments), [pk for _received, pk in keys]],
        )
        return [_Row._make(values) for values in cursor.fetchall()]


def _people_named(rows: Iterable[_Row], sources: Mapping[int, EventSource]) -> list[_NamedRow]:
    """Each row with the live people who have its user id or its address."""
    parsed = [(row, _parsed(row)) for row in rows]
    values_by_field: dict[str, set[str]] = {"email": set()}
    for row, identity in parsed:
        field = _user_id_field(sources, row)
        if identity is not None and identity.user_id and field:
            values_by_field.setdefault(field, set()).add(identity.user_id)
        if identity is not None and identity.email:
            values_by_field["email"].add(identity.email)
    ids_by_field = {
        field: people_lookup.person_ids_by_field(field, values) for field, values in values_by_field.items() if values
    }
    entries = []
    for row, identity in parsed:
        ids: set[int] = set()
        if identity is not None:
            field = _user_id_field(sources, row)
            ids.update(ids_by_field.get(field, {}).get(key_of(identity.user_id), ()))
            ids.update(ids_by_field.get("email", {}).get(key_of(identity.email), ()))
        entries.append(_NamedRow(row, identity, frozenset(ids)))
    return entries


def _user_id_field(sources: Mapping[int, EventSource], row: _Row) -> str:
    source = sources.get(row.source_id)
    return source.user_id_field if source is not None else ""


def _parsed(row: _Row) -> Identity | None:
    try:
        return parse_identity(_DECODER.decode(row.identity))
    except RejectedError:
        return None


def _is_confirmed(entry: _NamedRow, identity: Identity) -> bool:
    """True where the row is about its visitor's owner alone, by no stronger evidence."""
    row = entry.row
    is_owner = entry.person_ids == {row.owner_id} and not identity.previous
    return is_owner and row.evidence is not None and identity.evidence >= row.evidence


def has_values(person: Person, identity: Identity, source: EventSource, fields: Mapping[str, FieldInfo]) -> bool:
    """True where the person has all that the row would set; a page's values of a known person set nothing."""
    user_ids = fields.get(source.user_id_field)
    if identity.user_id and user_ids is not None:
        own = person_value(person, user_ids)
        if own is None or key_of(str(own)) != key_of(identity.user_id):
            return False
    if source.is_browser:
        return True
    values, left_out = accepted_values(identity, source, fields)
    values.pop(source.user_id_field, None)
    try:
        parsed = {name: fields[name].data_type.parse(value, UTC) for name, value in values.items()}
    except BadValueError:
        return False
    return not left_out and all(person_value(person, fields[name]) == value for name, value in parsed.items())


def _settle(keys: Sequence[Key], unchanged: Mapping[int, _Row]) -> None:
    """Note that the rows are decided; what they record belongs to the present owner, and to the present.

    Of their identity the evidence is kept.
    """
    moments = [received_at for received_at, pk in keys if pk in unchanged]
    with connection.cursor() as cursor:
        cursor.execute(
            """update visitor_activity v set identity_state = %s,
                identity = jsonb_build_object('evidence', v.identity -> 'evidence'),
                association_id = case when v.activity_id is null and v.activity_type_id is not null
                    and v.refusal is null then g.association_id else v.association_id end,
                is_past = v.is_past and (v.activity_id is not null or v.activity_type_id is null
                    or v.refusal is not null)
            from unnest(%s::bigint[], %s::bigint[]) as g (id, association_id)
            where v.received_at between %s and %s and v.id = g.id and v.identity_state = 0""",
            [
                VisitorActivity.Identity.DONE,
                list(unchanged),
                [row.association_id for row in unchanged.values()],
                min(moments),
                max(moments),
            ],
        )
