"""A fixed catalogue of types in several versions and of person fields, and quick ways to fill it with people."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from django.db import connection

from activities.models import ActivityType
from activities.types.definition import ACTIVITY_TYPES, ActivityFieldSpec, TypeNames
from people.core import installation
from people.core.models import Installation
from people.core.source import Channel
from people.datatypes.registry import BY_NAME
from people.definitions import drafts, lifecycle
from people.fields import catalog
from people.models import ObjectChange, ObjectRecord, ObjectType, Person, PersonField, StaticList, StaticListMember
from people.objects.definition import OBJECT_TYPES, ObjectFieldSpec, ObjectNames
from smartlists.models import SmartList
from tests.smartlists.oracle import Happening, Record, World

STANDARD_PERSON_FIELDS = (
    "email",
    "country",
    "annual_revenue",
    "number_of_employees",
    "website",
    "date_of_birth",
    "unsubscribed",
    "unsubscribed_reason",
    "person_score",
    "created_at",
)
PERSON_FIELDS: Mapping[str, str] = {
    **{name: catalog.STANDARD[name][1] for name in STANDARD_PERSON_FIELDS},
    **{f"my_{data_type}": data_type for data_type in BY_NAME},
}

Shape = dict[str, str]  # field: data type; the first is the primary one
# every version of a type, oldest first: fields come, go, and come back
VERSIONS: Mapping[str, Sequence[Shape]] = {
    "depositCheck": (
        {"check": "string", "amount": "currency", "branch": "string", "pages": "integer", "is_bot": "boolean"},
        {
            "check": "string",
            "amount": "currency",
            "rate": "float",
            "is_foreign": "boolean",
            "is_bot": "boolean",
            "cleared_at": "datetime",
        },
        {"check": "string", "amount": "currency", "branch": "string", "deposited_on": "date", "is_foreign": "boolean"},
    ),
    "rateFilm": (
        {"stars": "integer", "film": "string", "seen_at": "datetime"},
        {"stars": "integer", "note": "text", "score": "float", "seen_on": "date"},
    ),
    "bookVisit": (
        {"day": "date", "page": "link", "writer": "email", "line": "phone"},
        {"day": "date", "is_first": "boolean", "price": "currency"},
    ),
    "sign_up": ({"is_sure": "boolean", "through": "string"},),
    "weigh": ({"weight": "float", "at": "datetime"}, {"weight": "float"}),
    "call": ({"called_at": "datetime", "cost": "currency"},),
}
# standard types with a filter of their own
CONSENT_VERSIONS: Mapping[str, Sequence[Shape]] = {
    "consentGiven": ({"purpose": "string"},),
    "consentWithdrawn": ({"purpose": "string"},),
}
NAMES = {
    "depositCheck": ("Deposit Check", "Deposited Check"),
    "rateFilm": ("Rate Film", "Rated Film"),
    "bookVisit": ("Book Visit", "Booked Visit"),
    "sign_up": ("Sign Up", "Signed Up"),
    "weigh": ("Weigh", "Weighed"),
    "call": ("Call", "Called"),
}
# as VERSIONS; the first field identifies records, and the second links to a person
OBJECT_VERSIONS: Mapping[str, Sequence[Shape]] = {
    "car": (
        {"plate": "string", "owner": "email", "colour": "string", "price": "currency", "seats": "integer"},
        {
            "plate": "string",
            "owner": "email",
            "colour": "string",
            "price": "currency",
            "inspected_on": "date",
            "sold_at": "datetime",
            "is_electric": "boolean",
            "weight": "float",
        },
    ),
    "policy": ({"number": "string", "holder": "email", "ends_on": "date", "note": "text"},),
}
OBJECT_FIELDS: Mapping[str, Shape] = {
    name: {field: data_type for shape in shapes for field, data_type in shape.items()}
    for name, shapes in OBJECT_VERSIONS.items()
}
ACTIVITY_FIELDS: Mapping[str, Shape] = {
    name: {field: data_type for shape in shapes for field, data_type in shape.items()}
    for name, shapes in VERSIONS.items()
}


def field_label(api_name: str) -> str:
    return api_name.replace("_", " ").title()


def make_catalogue() -> None:
    """Create the person fields and the types, every version approved in its turn."""
    for api_name, data_type in PERSON_FIELDS.items():
        if api_name not in catalog.STANDARD:
            PersonField.objects.create(api_name=api_name, label=field_label(api_name), data_type=data_type)
    for api_name, shapes in VERSIONS.items():
        name, filter_name = NAMES[api_name]
        activity_type = lifecycle.create_definition(
            ACTIVITY_TYPES, TypeNames(api_name, name, filter_name, f"{name} now"), _specs(shapes[0]), None
        )
        lifecycle.approve_draft(activity_type, None)
        for shape in shapes[1:]:
            activity_type = ActivityType.objects.get(pk=activity_type.pk)
            drafts.set_draft_fields(activity_type, _specs(shape), None)
            lifecycle.approve_draft(activity_type, None)

    for api_name, shapes in OBJECT_VERSIONS.items():
        names = ObjectNames(api_name, api_name.title(), f"{api_name.title()}s")
        object_type = lifecycle.create_definition(OBJECT_TYPES, names, _object_specs(shapes[0]), None)
        lifecycle.approve_draft(object_type, None)
        for shape in shapes[1:]:
            object_type = ObjectType.objects.get(pk=object_type.pk)
            drafts.set_draft_fields(object_type, _object_specs(shape), None)
            lifecycle.approve_draft(object_type, None)


def _object_specs(shape: Shape) -> list[ObjectFieldSpec]:
    link = {"link_to": "person", "link_by": "email"}
    return [
        ObjectFieldSpec(name, field_label(name), data_type, is_dedupe=position == 0, **(link if position == 1 else {}))
        for position, (name, data_type) in enumerate(shape.items())
    ]


def _specs(shape: Shape) -> list[ActivityFieldSpec]:
    return [
        ActivityFieldSpec(api_name, field_label(api_name), data_type, is_primary=position == 0)
        for position, (api_name, data_type) in enumerate(shape.items())
    ]


def set_clock(zone: str, week_starts_on: int) -> None:
    Installation.objects.update_or_create(pk=1, defaults={"time_zone": zone, "week_starts_on": week_starts_on})
    installation.clear_installation_cache()


def insert_people(people: Sequence[Mapping[str, Any]], states: Sequence[str]) -> list[int]:
    """Write people as they are, past the verbs; returns their ids."""
    rows = []
    for values, state in zip(people, states, strict=True):
        custom = {
            name: BY_NAME[PERSON_FIELDS[name]].as_json(value)
            for name, value in values.items()
            if name not in catalog.STANDARD
        }
        standard = {name: value for name, value in values.items() if name in catalog.STANDARD}
        rows.append(Person(state=state, fields=custom, **standard))
    return [person.pk for person in Person.objects.bulk_create(rows)]


def insert_happenings(rows: Sequence[tuple[int, str, int, datetime, datetime, Mapping[str, Any]]]) -> list[int]:
    """Write activities (person, type, version from 1, occurred at, recorded at, values) as `recording` would,
    also of versions that are live no more; returns their ids, ascending."""
    types = dict(ActivityType.objects.values_list("api_name", "pk"))
    with connection.cursor() as cursor:
        cursor.execute("select nextval('activity_id_seq') from generate_series(1, %s)", [len(rows)])
        ids = sorted(pk for (pk,) in cursor.fetchall())
        with cursor.copy(
            """copy activity (id, person_id, activity_type_id, version, occurred_at, recorded_at,
            primary_value, attributes, door, flags) from stdin"""
        ) as copy:
            for pk, (person, name, version, occurred_at, recorded_at, values) in zip(ids, rows, strict=True):
                shape = {**VERSIONS, **CONSENT_VERSIONS}[name][version - 1]
                primary, *rest = shape
                attributes = ", ".join(
                    f'"{field}": {BY_NAME[shape[field]].to_json(values[field])}' for field in rest if field in values
                )
                text = BY_NAME[shape[primary]].to_text(values[primary])
                copy.write_row(
                    (
                        pk,
                        person,
                        types[name],
                        version,
                        occurred_at,
                        recorded_at,
                        text,
                        f"{{{attributes}}}",
                        int(Channel.API),
                        int(values.get("@backfill", False)),
                    )
                )
    return ids


def insert_records(rows: Sequence[Record]) -> list[Record]:
    """Write records and their changes as they are, past the verbs; returns them with their ids."""
    types = dict(ObjectType.objects.values_list("api_name", "pk"))
    saved = ObjectRecord.objects.bulk_create(
        ObjectRecord(
            guid=uuid4(),
            object_type_id=types[row.type],
            version=1,
            person_id=row.person,
            dedupe_hash=uuid4().bytes,
            name="a record",
            fields=_stored(row.type, row.values),
            created_at=row.created_at,
            updated_at=row.updated_at,
            deleted_at=row.updated_at if row.is_deleted else None,
        )
        for row in rows
    )
    with_ids = [replace(row, id=record.pk) for row, record in zip(rows, saved, strict=True)]
    ObjectChange.objects.bulk_create(_addition(row, types[row.type]) for row in with_ids)
    for row in with_ids:
        ObjectChange.objects.bulk_create(
            ObjectChange(
                record_id=row.id,
                object_type_id=types[row.type],
                person_id=row.person,
                kind=ObjectChange.Kind.CHANGED,
                changes={
                    name: [
                        BY_NAME[OBJECT_FIELDS[row.type][name]].as_json(value) if value is not None else None
                        for value in pair
                    ]
                    for name, pair in changed.items()
                },
                revision=2,
                version=1,
                changed_at=moment,
                channel=Channel.API,
            )
            for moment, changed in row.changes
        )
    return with_ids


def _addition(row: Record, type_id: int) -> ObjectChange:
    """That a record was added: no change of its values, whatever its content."""
    values = {name: [None, value] for name, value in _stored(row.type, row.values).items()}
    return ObjectChange(
        record_id=row.id,
        object_type_id=type_id,
        person_id=row.person,
        kind=ObjectChange.Kind.ADDED,
        changes=values,
        revision=1,
        version=1,
        changed_at=row.created_at,
        channel=Channel.API,
    )


def _stored(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {field: BY_NAME[OBJECT_FIELDS[name][field]].as_json(value) for field, value in values.items()}


def insert_static_list(number: int, members: Sequence[int]) -> int:
    static_list = StaticList.objects.create(name=f"List {number}")
    StaticListMember.objects.bulk_create(
        StaticListMember(static_list=static_list, person_id=person, channel=Channel.API) for person in members
    )
    return static_list.pk


def insert_smart_list(number: int, rules: Mapping[str, Any]) -> int:
    return SmartList.objects.create(name=f"Smart {number}", rules=rules).pk


__all__ = ["ACTIVITY_FIELDS", "NAMES", "PERSON_FIELDS", "UTC", "VERSIONS", "Happening", "World"]
