"""Custom object types over the Marketo API: lists and descriptions (§7.1)."""

from typing import Any

from django.http import HttpResponse

from config.marketo.resources.lead_fields import DATA_TYPES, LENGTHS
from config.marketo.resources.object_names import GUID, SYSTEM_FIELDS, approved_type, related_to
from config.marketo.wire.endpoint import Call
from config.marketo.wire.responses import success_reply, utc_timestamp
from people.models import ObjectField, ObjectType, ObjectVersion
from people.objects import records


def list_objects(call: Call) -> HttpResponse:
    """Return the approved types, or those of `names`, without their fields."""
    call.require(records.VIEW)
    types, names = ObjectType.objects.approved().with_versions().order_by("pk"), call.parameters.values("names")
    if names:
        types = types.filter(api_name__in=names)
    return success_reply([_object_row(object_type) for object_type in types])


def describe_object(call: Call, api_name: str) -> HttpResponse:
    """Return the approved version of a type with its fields."""
    call.require(records.VIEW)
    object_type = approved_type(api_name)
    return success_reply([_object_row(object_type, with_fields=True)])


def _object_row(object_type: ObjectType, *, with_fields: bool = False) -> dict[str, Any]:
    live = object_type.live
    assert live is not None  # it is approved
    row = {"name": object_type.api_name, **version_members(object_type, live)}
    return row | ({"fields": field_rows(live)} if with_fields else {})


def version_members(object_type: ObjectType, version: ObjectVersion) -> dict[str, Any]:
    """The members of a type besides its API name and fields. [I] §7.1: the relationships' type is `child`."""
    fields = list(version.fields.all())
    dedupe = [field.api_name for field in fields if field.is_dedupe]
    links = [field for field in fields if field.link_to]
    searchable = [dedupe, [GUID], *([link.api_name] for link in links if [link.api_name] != dedupe)]
    return {
        "displayName": version.name,
        "description": version.description,
        "createdAt": utc_timestamp(object_type.created_at),
        "updatedAt": utc_timestamp(max(object_type.updated_at, version.updated_at)),
        "idField": GUID,
        "dedupeFields": dedupe,
        "searchableFields": searchable,
        "relationships": [
            {"field": link.api_name, "type": "child", "relatedTo": related_to(link.link_to, link.link_by)}
            for link in links
        ],
    }


def field_rows(version: ObjectVersion) -> list[dict[str, Any]]:
    """The fields that every record has, and those of the version."""
    system = [
        _field_row(name, label, data_type, length, is_updateable=False)
        for name, (label, data_type, length) in SYSTEM_FIELDS.items()
    ]
    return [*system, *(_own_field_row(field) for field in version.fields.all())]


def _own_field_row(field: ObjectField) -> dict[str, Any]:
    name = field.data_type
    row = _field_row(field.api_name, field.name, DATA_TYPES.get(name, name), LENGTHS.get(name), is_updateable=True)
    return row | ({"description": field.description} if field.description else {})


def _field_row(name: str, label: str, data_type: str, length: int | None, *, is_updateable: bool) -> dict[str, Any]:
    return {
        "name": name,
        "displayName": label,
        "dataType": data_type,
        **({"length": length} if length is not None else {}),
        "updateable": is_updateable,
        "crmManaged": False,
    }
