"""Custom object types over the Marketo API: lists, descriptions and their life cycle (§7.1, §7.3)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.http import HttpResponse

from config.marketo.resources.lead_fields import DATA_TYPES, LENGTHS
from config.marketo.resources.object_names import (
    GUID,
    LEAD,
    SYSTEM_FIELDS,
    approved_type,
    find_type,
    key_name,
    key_named,
    object_type_named,
    related_to,
)
from config.marketo.wire.endpoint import Call
from config.marketo.wire.parameters import text_member
from config.marketo.wire.responses import MarketoError, invalid_value, missing_parameter, success_reply, utc_timestamp
from people.core import references
from people.core.codes import Code
from people.core.errors import RejectedError, quoted_value
from people.definitions import drafts, lifecycle
from people.fields import catalog
from people.models import ObjectField, ObjectType, ObjectVersion
from people.models.object_types import PERSON
from people.objects import definition, records
from people.objects.definition import OBJECT_TYPES, ObjectFieldSpec, ObjectNames

VIEW, ADD = OBJECT_TYPES.right("view"), OBJECT_TYPES.right("add")
STATES = {
    ObjectType.State.DRAFT: "draft",
    ObjectType.State.APPROVED: "approved",
    ObjectType.State.APPROVED_WITH_DRAFT: "approvedWithDraft",
    ObjectType.State.RETIRED: "approved",
}
ACTIONS = ("createOrUpdate", "createOnly", "updateOnly")
# §7.3: what addField takes; `link` is a relationship
FIELD_TYPES = (
    "string",
    "boolean",
    "integer",
    "float",
    "link",
    "email",
    "currency",
    "date",
    "datetime",
    "phone",
    "text",
)
OWN_TYPES = {"url": "link"}  # by Marketo's name
NAMES = {"displayName": "name", "pluralName": "plural_name", "description": "description"}
DISCARD_FAILED: Mapping[str, str] = dict.fromkeys((Code.NEVER_APPROVED, Code.NO_DRAFT), "1048")
UNKNOWN_FIELD: Mapping[str, str] = {Code.UNKNOWN_FIELD: "1006"}


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
    """The members of a type besides its API name and fields. [I] §7.1: the relationships' type is `child`.

    One that was never approved has no id field and no moments (§7.3).
    """
    is_new = object_type.live_id is None
    fields = list(version.fields.all())
    dedupe = [field.api_name for field in fields if field.is_dedupe]
    links = [field for field in fields if field.link_to]
    searchable = [dedupe, *([] if is_new else [[GUID]])]
    searchable += [[link.api_name] for link in links if [link.api_name] != dedupe]
    return {
        "displayName": version.name,
        "description": version.description,
        "createdAt": None if is_new else utc_timestamp(object_type.created_at),
        "updatedAt": None if is_new else utc_timestamp(max(object_type.updated_at, version.updated_at)),
        "idField": None if is_new else GUID,
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


def list_types(call: Call) -> HttpResponse:
    """Return all types with their fields: the approved version, or the draft if there is no other."""
    call.require(VIEW)
    types, names = ObjectType.objects.existing().with_versions().order_by("pk"), call.parameters.values("names")
    if names:
        types = types.filter(api_name__in=names)
    state = _state(call)
    return success_reply([_type_row(row, row.live_or_draft) for row in types if state in ("", STATES[row.state])])


def describe_type(call: Call, api_name: str) -> HttpResponse:
    """Return a version of a type: by `state` the approved one or the draft; 1013 if there is none."""
    call.require(VIEW)
    object_type, state = find_type(api_name), _state(call)
    versions = {"draft": object_type.draft, "approved": object_type.live, "approvedWithDraft": object_type.live}
    version = versions[state] if state else object_type.live_or_draft
    if version is None or (state == "approvedWithDraft" and object_type.draft is None):
        raise MarketoError("1013", f"Object not found: '{quoted_value(api_name)}' in the state {state}")
    return success_reply([_type_row(object_type, version)])


def _state(call: Call) -> str:
    state = call.parameters.text("state")
    if state and state not in STATES.values():
        raise invalid_value(state, "State")
    return state


def _type_row(object_type: ObjectType, version: ObjectVersion | None) -> dict[str, Any]:
    assert version is not None  # every existing type has a live version or a draft
    return {
        "apiName": object_type.api_name,
        "pluralName": version.plural_name,
        "state": STATES[ObjectType.State(object_type.state)],
        "version": "draft" if version.number is None else "approved",
        **version_members(object_type, version),
        "fields": field_rows(version),
    }


@transaction.atomic
def sync_type(call: Call) -> HttpResponse:
    """Create a type with a draft without fields, or change the names in a draft."""
    call.require(definition.EDIT)
    body = call.parameters.json_object
    action = text_member(body, "action") or ACTIONS[0]
    if action not in ACTIONS:
        raise MarketoError("1003", f"Invalid data for 'action': '{quoted_value(action)}'")
    if action != "updateOnly":
        call.require(ADD)
    api_name = _needed(body, "apiName")
    is_shown = body.get("showInLeadDetail")
    if not isinstance(is_shown, bool | None):
        raise invalid_value(is_shown, "Boolean")
    exists = ObjectType.objects.existing().filter(api_name=api_name).exists()
    if action == "createOnly" or (action == "createOrUpdate" and not exists):
        object_type = _create(body, api_name, call.user)
        is_shown = is_shown is True
    else:
        object_type = find_type(api_name)
        changes = {attribute: text_member(body, member) for member, attribute in NAMES.items() if member in body}
        if changes:
            drafts.edit_draft_names(object_type, call.user, None, **changes)
    if is_shown is not None:
        definition.show_on_person(object_type, call.user, is_shown)
    return success_reply([])


def _create(body: dict[str, Any], api_name: str, by: Any) -> ObjectType:
    """Create a type. [I] §7.3: without a plural name it is the display name with an s."""
    name = _needed(body, "displayName")
    plural = text_member(body, "pluralName") or f"{name}s"
    names = ObjectNames(api_name, name, plural, text_member(body, "description"))
    return lifecycle.create_definition(OBJECT_TYPES, names, [], by, unfinished=True)


def approve_type(call: Call, api_name: str) -> HttpResponse:
    call.require(definition.APPROVE)
    lifecycle.approve_draft(find_type(api_name), call.user)
    return success_reply([])


def discard_type_draft(call: Call, api_name: str) -> HttpResponse:
    call.require(definition.EDIT)
    with _refusals(DISCARD_FAILED):
        lifecycle.discard_draft(find_type(api_name), call.user)
    return success_reply([])


def delete_type(call: Call, api_name: str) -> HttpResponse:
    call.require(definition.DELETE)
    lifecycle.delete_definition(find_type(api_name), call.user)
    return success_reply([])


def add_fields(call: Call, api_name: str) -> HttpResponse:
    """Add fields to the draft: all of them or none."""
    call.require(definition.EDIT)
    rows = _field_bodies(call)
    drafts.add_draft_fields(find_type(api_name), [_field_spec(row) for row in rows], call.user, unfinished=True)
    return success_reply([])


def delete_fields(call: Call, api_name: str) -> HttpResponse:
    """Remove fields from the draft: all of them or none."""
    call.require(definition.EDIT)
    names = [_needed(row, "name") for row in _field_bodies(call)]
    with _refusals(UNKNOWN_FIELD):
        drafts.remove_draft_fields(find_type(api_name), names, call.user, unfinished=True)
    return success_reply([])


def update_field(call: Call, api_name: str, name: str) -> HttpResponse:
    """Change the given members of a field in the draft."""
    call.require(definition.EDIT)
    changes = {name: _field_changes(call.parameters.json_object)}
    with _refusals(UNKNOWN_FIELD):
        drafts.change_draft_fields(find_type(api_name), changes, call.user, unfinished=True)
    return success_reply([])


def _field_bodies(call: Call) -> list[dict[str, Any]]:
    rows = call.parameters.rows("fields")
    if not all(isinstance(row, dict) for row in rows):
        raise MarketoError("1003", "Invalid data: a field is a JSON object")
    return rows


def _field_spec(row: dict[str, Any]) -> ObjectFieldSpec:
    for member in ("name", "displayName", "dataType"):
        _needed(row, member)
    return ObjectFieldSpec(**_field_changes(row))


def _field_changes(row: dict[str, Any]) -> dict[str, Any]:
    """The given members of a field as attributes of its spec. A link has the data type of what it links by."""
    members = {"name": "api_name", "displayName": "name", "description": "description"}
    changes: dict[str, Any] = {attribute: text_member(row, name) for name, attribute in members.items() if name in row}
    if "isDedupeField" in row:
        if not isinstance(row["isDedupeField"], bool):
            raise invalid_value(row["isDedupeField"], "Boolean")
        changes["is_dedupe"] = row["isDedupeField"]
    related, data_type = row.get("relatedTo"), text_member(row, "dataType")
    if related:
        return changes | _link(related)
    if data_type == "link":
        raise missing_parameter("relatedTo")
    if data_type:
        changes |= {"data_type": OWN_TYPES.get(data_type, data_type), "link_to": "", "link_by": ""}
    return changes


def _link(related: Any) -> dict[str, str]:
    if not isinstance(related, dict):
        raise MarketoError("1003", "Invalid data for 'relatedTo': a JSON object is expected")
    link_to = object_type_named(_needed(related, "name"))
    keys = definition.link_keys(link_to)
    link_by = key_named(link_to, _needed(related, "field"), keys)
    return {"link_to": link_to, "link_by": link_by, "data_type": keys.get(link_by, "string")}


def list_field_types(call: Call) -> HttpResponse:
    call.require(VIEW)
    return success_reply(list(FIELD_TYPES))


def list_linkable_objects(call: Call) -> HttpResponse:
    """Return what a link can go to, with the fields that can name it."""
    call.require(VIEW)
    labels = {name: info.label for name, info in catalog.field_catalogue().items()} | {definition.ID: "Id"}
    lead = [
        {"name": _linkable_name(key_name(PERSON, by)), "displayName": labels[by], "dataType": data_type}
        for by, data_type in definition.link_keys(PERSON).items()
    ]
    types = ObjectType.objects.recordable().with_versions().order_by("pk")
    return success_reply([{"name": LEAD, "displayName": "Lead", "fields": lead}, *map(_linkable_row, types)])


def _linkable_name(name: str) -> str:
    return "Id" if name == definition.ID else name  # as the service spells it here


def _linkable_row(object_type: ObjectType) -> dict[str, Any]:
    assert object_type.live is not None
    dedupe = [field for field in object_type.live.fields.all() if field.is_dedupe]
    label, data_type, _length = SYSTEM_FIELDS[GUID]
    fields = [{"name": GUID, "displayName": label, "dataType": data_type}]
    if len(dedupe) == 1:  # §7.3: a link names one value
        (field,) = dedupe
        fields.append({"name": field.api_name, "displayName": field.name, "dataType": field.data_type})
    return {"name": object_type.api_name, "displayName": object_type.live.name, "fields": fields}


def list_dependent_assets(call: Call, api_name: str) -> HttpResponse:
    """Return the lists, campaigns and types that use a type or its fields."""
    call.require(VIEW)
    object_type = find_type(api_name)
    assets: dict[tuple[str, Any], dict[str, Any]] = {}
    for used in lifecycle.deletion_blockers(object_type):
        for use in references.uses_of(used):
            asset = {"assetType": use.kind.title(), "assetId": use.user.pk, "assetName": use.name, "usedFields": []}
            row = assets.setdefault((use.kind, use.user.pk), asset)
            if used != object_type:
                row["usedFields"].append(used.api_name)
    return success_reply(list(assets.values()))


def _needed(body: dict[str, Any], member: str) -> str:
    """Return a required member of a JSON object. Raises 1002."""
    text = text_member(body, member).strip()
    if not text:
        raise missing_parameter(member)
    return text


@contextmanager
def _refusals(codes: Mapping[str, str]) -> Iterator[None]:
    """Refuse the request with these codes, by the code of the first problem; others as everywhere."""
    try:
        yield
    except RejectedError as refusal:
        if refusal.code in codes:
            raise MarketoError(codes[refusal.code], str(refusal)) from None
        raise
