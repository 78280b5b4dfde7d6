"""Lead fields over the Marketo API: describe, describe2 and the schema (§3)."""

from typing import Any

from django.http import HttpResponse

from config.marketo.resources.lead_names import ID_FIELD, LeadNames
from config.marketo.wire import paging
from config.marketo.wire.endpoint import Call
from config.marketo.wire.responses import MarketoError, printable_text, row_errors, success_reply
from people.core.codes import Code
from people.core.errors import NotAllowedError, Problem, RejectedError, bad_value, quoted_value
from people.datatypes.parsing import MAX_LINK, MAX_STRING, MAX_TEXT_BYTES, is_blank
from people.fields import editing as field_editing
from people.fields.catalog import FieldInfo
from people.models import PersonField
from people.rights import ADD_PERSONFIELD, CHANGE_PERSONFIELD, VIEW_PERSON, VIEW_PERSONFIELD

# §3: names of the product's data types in describe.json, where they differ
DATA_TYPES = {"link": "url"}
LENGTHS = {"string": MAX_STRING, "email": MAX_STRING, "phone": MAX_STRING, "link": MAX_LINK, "text": MAX_TEXT_BYTES}
# §3: data types that a program can create, by Marketo's name
CREATABLE = {
    word: {"url": "link"}.get(word, word)
    for word in (
        "boolean",
        "currency",
        "date",
        "datetime",
        "email",
        "float",
        "integer",
        "percent",
        "phone",
        "score",
        "string",
        "url",
        "text",
    )
}
MEMBERS = {"label": "displayName", "description": "description", "is_hidden": "isHidden"}
ID_ROW = {"id": ID_FIELD, "displayName": "Id", "dataType": "integer", "rest": {"name": "id", "readOnly": True}}


def describe_leads(call: Call) -> HttpResponse:
    call.require(VIEW_PERSON)
    names = LeadNames()
    return success_reply([ID_ROW, *(_described_row(info, names) for info in names.fields.values())])


def _described_row(info: FieldInfo, names: LeadNames) -> dict[str, Any]:
    return {
        "id": names.number(info),
        "displayName": info.label,
        **_type_members(info),
        "rest": {"name": names.rest_names[info.api_name], "readOnly": info.is_read_only},
    }


def _type_members(info: FieldInfo) -> dict[str, Any]:
    name = info.data_type.name
    return {"dataType": DATA_TYPES.get(name, name)} | ({"length": LENGTHS[name]} if name in LENGTHS else {})


def describe_leads2(call: Call) -> HttpResponse:
    call.require(VIEW_PERSON)
    names = LeadNames()
    searchable = ["email", "id", *(names.rest_names[name] for name, info in names.fields.items() if info.is_unique)]
    described = [
        {
            "name": names.rest_names[info.api_name],
            "displayName": info.label,
            **_type_members(info),
            "updateable": not info.is_read_only,
            "crmManaged": False,
        }
        for info in names.fields.values()
    ]
    id_row = {"name": "id", "displayName": "Id", "dataType": "integer", "updateable": False, "crmManaged": False}
    row = {"name": "API Lead", "searchableFields": [[name] for name in searchable], "fields": [id_row, *described]}
    return success_reply([row])


def lead_schema(call: Call) -> HttpResponse:
    """Return a page of all fields with their properties."""
    call.require(VIEW_PERSONFIELD)
    names, size, after = LeadNames(), call.parameters.batch_size(), paging.page_start_id(call)
    infos = sorted((info for info in names.fields.values() if names.number(info) > after), key=names.number)
    page, has_more = infos[:size], len(infos) > size
    stored = {row.api_name: row for row in PersonField.objects.filter(api_name__in=[info.api_name for info in page])}
    rows = [_schema_row(stored.get(info.api_name) or _unsaved_field(info), names) for info in page]
    token = str(names.number(page[-1])) if has_more else None
    return success_reply(rows, nextPageToken=token, moreResult=has_more)


def _unsaved_field(info: FieldInfo) -> PersonField:
    """Return an unsaved row of one of Marketo's standard fields that no person has a value of yet."""
    return PersonField(
        api_name=info.api_name, label=info.label, data_type=info.data_type.name, is_read_only=info.is_read_only
    )


def lead_field_schema(call: Call, name: str) -> HttpResponse:
    call.require(VIEW_PERSONFIELD)
    names = LeadNames()
    return success_reply([_schema_row(find_lead_field(name, names), names)])


def create_lead_fields(call: Call) -> HttpResponse:
    """Add fields; each is created or skipped separately. `isUnique` is an extension: no two leads may share a value."""
    call.require(ADD_PERSONFIELD)
    return success_reply([_create_field(row, call) for row in call.parameters.rows("fields")])


def _create_field(row: Any, call: Call) -> dict[str, Any]:
    data = row if isinstance(row, dict) else {}
    name, data_type = data.get("name"), data.get("dataType")
    try:
        if is_blank(name):
            raise RejectedError(Problem(Code.MISSING_VALUE, "", ("api_name",)))
        if not isinstance(name, str):
            raise RejectedError(bad_value(Code.BAD_NAME, "a name", name, "api_name"))
        if not isinstance(data_type, str) or data_type not in CREATABLE:
            raise RejectedError(bad_value(Code.UNKNOWN_DATA_TYPE, ", ".join(CREATABLE), data_type, "data_type"))
        field = field_editing.create_person_field(
            data.get("displayName"),
            CREATABLE[data_type],
            call.user,
            api_name=name,
            description=data.get("description"),
            is_hidden=data.get("isHidden") is True,
            is_unique=data.get("isUnique") is True,
            is_api_created=True,
        )
    except RejectedError as refusal:
        return _skipped_row(data, refusal)
    return {"name": field.api_name, "status": "created"}


def update_lead_field(call: Call, name: str) -> HttpResponse:
    """Change a field's display name, description or visibility; its name and data type are fixed."""
    call.require(CHANGE_PERSONFIELD)
    names = LeadNames()
    field = find_lead_field(name, names)
    (row, *more) = call.parameters.rows("fields")
    if more or not isinstance(row, dict):
        raise MarketoError("1003", "Invalid data: exactly one field is expected")
    fixed = {"name": name, "dataType": _type_members(names.fields[field.api_name])["dataType"]}
    for member in fixed.keys() & row.keys():
        if row[member] != fixed[member]:
            raise MarketoError("1003", f"Invalid data for '{member}': it cannot change")
    if field.pk is None:
        names.create([field.api_name], call.user)
        field = find_lead_field(name, LeadNames())
    changes = {attribute: row[member_name] for attribute, member_name in MEMBERS.items() if member_name in row}
    if "is_hidden" in changes:
        changes["is_hidden"] = changes["is_hidden"] is True
    try:
        field_editing.change_person_field(field, call.user, **changes)
    except RejectedError as refusal:
        return success_reply([_skipped_row(row, refusal)])
    return success_reply([{"name": name, "status": "updated"}])


def _skipped_row(row: dict[str, Any], refusal: RejectedError) -> dict[str, Any]:
    if isinstance(refusal, NotAllowedError):
        raise refusal
    name = {"name": printable_text(row["name"])} if isinstance(row.get("name"), str) else {}
    words = MEMBERS | {"api_name": "name", "data_type": "dataType"}
    return name | {"status": "skipped", "reasons": row_errors(refusal.problems, words)}


def find_lead_field(name: str, names: LeadNames) -> PersonField:
    """Return the field with this name in the Marketo API. Raises 1006."""
    api_name = names.api_names.get(name)
    if api_name is None:
        raise MarketoError("1006", f"Field '{quoted_value(name)}' not found")
    info = names.fields[api_name]
    return PersonField.objects.get(pk=info.id) if info.id else _unsaved_field(info)


def _schema_row(row: PersonField, names: LeadNames) -> dict[str, Any]:
    """Return a field's properties. [I] §3: HTML encoding and sensitivity are not stored and have Marketo's defaults."""
    info = names.fields[row.api_name]
    return {
        "displayName": row.label,
        "name": names.rest_names[row.api_name],
        "description": row.description or None,
        **_type_members(info),
        "isHidden": row.is_hidden,
        "isHtmlEncodingInEmail": True,
        "isSensitive": False,
        "isCustom": names.is_custom(info),
        "isApiCreated": row.is_api_created,
    }
