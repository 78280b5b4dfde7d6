"""Reads of object types and their records, for pages, APIs and rules."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import (
    BooleanField,
    Count,
    ExpressionWrapper,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import MD5, Cast

from people.datatypes.keys import MAX_BIG_ID
from people.models import ObjectChange, ObjectRecord, ObjectType, Person
from people.objects import links
from people.objects.identity import siblings
from people.objects.identity.replacement import ends_of_chains
from people.objects.schema import ObjectSchema, RecordField, live_schema

PAGE = 50
MOST_COUNTED = 1_000  # records of one type in the list of types; more are shown as "1,000+"
_NUMBER = RawSQL(
    """(select count(*) from (select 1 from object_record r
    where r.object_type_id = object_type.id and r.deleted_at is null limit %s) counted)""",
    [MOST_COUNTED + 1],
    output_field=IntegerField(),
)


@dataclass(frozen=True, slots=True)
class TypeOfPerson:
    """An object type with the number of a person's records of it."""

    object_type: ObjectType
    records: int


def with_figures(types: QuerySet[ObjectType]) -> QuerySet[Any]:
    """`types`, each with `number` of records up to `MOST_COUNTED` + 1, and `changed_at` of the one changed last."""
    changed = ObjectRecord.objects.filter(object_type=OuterRef("pk")).order_by("-updated_at", "-id")
    return types.annotate(number=_NUMBER, changed_at=Subquery(changed.values("updated_at")[:1]))


def record_that_stays(object_type: ObjectType, pk: int) -> ObjectRecord | None:
    """The record with the id; for the id of a replaced one, the record that stays; None if it is deleted or unknown."""
    records = ObjectRecord.objects.existing().filter(object_type=object_type)
    pk = min(pk, MAX_BIG_ID)
    return records.filter(pk=pk).first() or records.filter(pk=ends_of_chains(object_type.pk, [pk])[pk]).first()


def types_of_person(person_id: int) -> list[TypeOfPerson]:
    """The object types of which the person has records, as shown on pages, by name."""
    counts = dict(
        ObjectRecord.objects.existing()
        .of_person(person_id)
        .order_by()
        .values_list("object_type_id")
        .annotate(number=Count("pk"))
    )
    types = ObjectType.objects.approved().filter(pk__in=counts, is_shown_on_person=True).select_related("live")
    return sorted((TypeOfPerson(row, counts[row.pk]) for row in types), key=lambda row: str(row.object_type).lower())


def records_of_person(
    person_id: int, object_type_id: int, before_id: int | None = None, limit: int = PAGE
) -> list[ObjectRecord]:
    """A page of the person's records of one type, the newest first; `before_id`: the last one of the page before."""
    rows = ObjectRecord.objects.existing().of_person(person_id).filter(object_type=object_type_id)
    if before_id is not None:
        rows = rows.filter(pk__lt=before_id)
    return list(rows.order_by("-pk")[:limit])


def history_of_record(record_id: int, before_id: int | None = None, limit: int = PAGE) -> list[ObjectChange]:
    """A page of the changes of a record, the newest first, with those by which others gave way to it."""
    gave_way = Q(replaced_by_id=record_id, kind=ObjectChange.Kind.REMOVED)
    rows = ObjectChange.objects.filter(Q(record_id=record_id) | gave_way)
    if before_id is not None:
        rows = rows.filter(pk__lt=before_id)
    name = ObjectRecord.objects.filter(pk=OuterRef("record_id")).values("name")
    rows = rows.annotate(record_name=Subquery(name))
    return list(rows.select_related("user").order_by("-pk")[:limit])


def changes_of_person(
    person_id: int,
    object_type_ids: Collection[int],
    *,
    before: tuple[datetime, int] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    containing: str | None = None,
    limit: int = PAGE,
) -> list[ObjectChange]:
    """A page of the changes of a person's records of these types, the newest first; one index scan.

    `before` is the moment and the id of the last one of the page before; `until` is exclusive. `containing`: changes
    with the text in a value or its field's API name, ignoring case. Each has `record_name`, the record's name now.
    """
    name = ObjectRecord.objects.filter(pk=OuterRef("record_id")).values("name")
    rows = ObjectChange.objects.filter(person_id=person_id, object_type_id__in=object_type_ids)
    rows = rows.annotate(record_name=Subquery(name))
    if before is not None:
        rows = rows.extra(where=["(object_change.changed_at, object_change.id) < (%s, %s)"], params=list(before))
    if since is not None:
        rows = rows.filter(changed_at__gte=since)
    if until is not None:
        rows = rows.filter(changed_at__lt=until)
    if containing:
        rows = rows.annotate(text=Cast("changes", TextField())).filter(text__icontains=containing)
    return list(rows.order_by("-changed_at", "-pk")[:limit])


def timeline_types(person_id: int, among: int = 1_000) -> dict[int, ObjectType]:
    """The object types whose changes are shown on timelines, by id, the newest first.

    `is_present` of each: whether it is among the person's latest changes of records.
    """
    latest = ObjectChange.objects.filter(person_id=person_id).order_by("-changed_at", "-pk")
    is_present = Q(pk__in=latest.values("object_type_id")[:among])
    rows = ObjectType.objects.approved().filter(is_shown_on_person=True).select_related("live").order_by("-id")
    return {row.pk: row for row in rows.annotate(is_present=ExpressionWrapper(is_present, BooleanField()))}


def linked_records(record: ObjectRecord, limit: int = PAGE) -> list[ObjectRecord]:
    """The records of other types that are not deleted that link to this one, the newest first."""
    rows = ObjectRecord.objects.existing().filter(linked=record, object_type__deleted_at__isnull=True)
    rows = rows.select_related("object_type__live")
    return list(rows.order_by("-pk")[:limit])


def records_by_keys(schema: ObjectSchema, rows: Sequence[Mapping[str, Any]]) -> dict[int, ObjectRecord]:
    """The record of each of `rows` with canonical dedupe values, by place."""
    ids = siblings.ids_by_dedupe_values(schema, dict(enumerate(rows)))
    found = ObjectRecord.objects.existing().in_bulk(ids.values())
    return {place: found[pk] for place, pk in ids.items() if pk in found}


def records_by_link(schema: ObjectSchema, link: RecordField, values: Collection[Any]) -> QuerySet[ObjectRecord]:
    """The records whose `link` is one of the canonical `values`, or goes to the person or record that one names."""
    is_person = link == schema.person_link
    named = links.find_people(link, values) if is_person else links.find_records(schema, values)
    side = "person" if is_person else "linked"
    ids = [target for target in named.values() if isinstance(target, int)]
    keys = {links.link_key(value) for value in values}
    written = Q(key_hash__in=[MD5(Value(key)) for key in keys], **{f"{side}_key__in": keys})
    if not is_person:
        written &= Q(linked__isnull=True)  # as the index
    rows = ObjectRecord.objects.existing().filter(object_type=schema.type_id).alias(key_hash=MD5(f"{side}_key"))
    return rows.filter(written | Q(**{f"{side}_id__in": ids}))


def shown_values(record: ObjectRecord, schema: ObjectSchema | None = None) -> dict[str, Any]:
    """The canonical values of a record in the fields of the live version; those without value are left out."""
    return (schema or live_schema(record.object_type_id)).canonical(record.fields)


def waiting_records(object_type: ObjectType) -> QuerySet[ObjectRecord]:
    """Records with a link that has no match yet."""
    return ObjectRecord.objects.waiting().filter(object_type=object_type)


def people_of(records: Sequence[ObjectRecord]) -> dict[int, Person]:
    """The people of the records, by id; also those who are deleted."""
    return Person.objects.in_bulk({record.person_id for record in records if record.person_id})
