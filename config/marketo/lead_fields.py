"""What can be known of a lead: describe, describe2 and the schema of its fields (§3)."""

from typing import Any

from django.http import HttpResponse

from config.marketo import paging
from config.marketo.dispatch import Call
from config.marketo.envelope import Failure, success
from config.marketo.names import Names
from config.marketo.parameters import MAX_BATCH
from people import datatypes
from people.fields import FieldInfo
from people.models import PersonField
from people.problems import show

# §3: words of describe.json for our data types, where they differ
DATA_TYPES = {"link": "url"}
LENGTHS = {
    "string": datatypes.MAX_STRING, "email": datatypes.MAX_STRING, "phone": datatypes.MAX_STRING,
    "link": datatypes.MAX_LINK, "text": datatypes.MAX_TEXT_BYTES,
}  # fmt: skip
ID_FIELD = 1_000_000  # the id is no row of `person_field`; no field has this number
ID_ROW = {"id": ID_FIELD, "displayName": "Id", "dataType": "integer", "rest": {"name": "id", "readOnly": True}}


def describe(call: Call) -> HttpResponse:
    call.require("people.view_person")
    names = Names()
    return success([ID_ROW, *(_described(info, names) for info in names.fields.values())])


def _described(info: FieldInfo, names: Names) -> dict[str, Any]:
    return {
        "id": info.id,
        "displayName": info.label,
        **_type(info),
        "rest": {"name": names.rest[info.api_name], "readOnly": info.is_read_only},
    }


def _type(info: FieldInfo) -> dict[str, Any]:
    name = info.data_type.name
    return {"dataType": DATA_TYPES.get(name, name)} | ({"length": LENGTHS[name]} if name in LENGTHS else {})


def describe2(call: Call) -> HttpResponse:
    call.require("people.view_person")
    names = Names()
    searchable = ["email", "id", *(names.rest[name] for name, info in names.fields.items() if info.is_unique)]
    described = [
        {
            "name": names.rest[info.api_name],
            "displayName": info.label,
            **_type(info),
            "updateable": not info.is_read_only,
            "crmManaged": False,
        }
        for info in names.fields.values()
    ]
    id_row = {"name": "id", "displayName": "Id", "dataType": "integer", "updateable": False, "crmManaged": False}
    row = {"name": "API Lead", "searchableFields": [[name] for name in searchable], "fields": [id_row, *described]}
    return success([row])


def schema(call: Call) -> HttpResponse:
    """Every field with what is kept about it, a page at a time."""
    call.require("people.view_personfield")
    rows = list(PersonField.objects.filter(pk__gt=paging.after(call)).order_by("pk")[: MAX_BATCH + 1])
    size = call.parameters.batch_size()
    page, names = rows[:size], Names()
    has_more = len(rows) > size
    token = str(page[-1].pk) if has_more else None
    return success([_schema(row, names) for row in page], nextPageToken=token, moreResult=has_more)


def schema_of(call: Call, name: str) -> HttpResponse:
    call.require("people.view_personfield")
    names = Names()
    return success([_schema(find(name, names), names)])


def find(name: str, names: Names) -> PersonField:
    """The field that the dialect calls `name`. Raises 1006."""
    ours = names.ours.get(name)
    if ours is None:
        raise Failure("1006", f"Field '{show(name)}' not found")
    return PersonField.objects.get(pk=names.fields[ours].id)


def _schema(row: PersonField, names: Names) -> dict[str, Any]:
    """[I] §3: neither HTML encoding nor sensitivity is kept here, so both have Marketo's usual value."""
    info = names.fields[row.api_name]
    return {
        "displayName": row.label,
        "name": names.rest[row.api_name],
        "description": row.description or None,
        **_type(info),
        "isHidden": row.is_hidden,
        "isHtmlEncodingInEmail": True,
        "isSensitive": False,
        "isCustom": not row.is_standard,
        "isApiCreated": row.is_api_created,
    }
