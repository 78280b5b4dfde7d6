"""Custom activity types over the Marketo API: their life cycle (§2.7, §2.8)."""

from typing import Any

from django.db import transaction
from django.http import HttpResponse

from activities.models import ActivityField, ActivityType, ActivityVersion
from activities.rights import VIEW_ACTIVITYTYPE
from activities.types.definition import ACTIVITY_TYPES, ActivityFieldSpec, TypeNames
from config.marketo.wire.endpoint import Call
from config.marketo.wire.parameters import text_member
from config.marketo.wire.responses import MarketoError, missing_parameter, success_reply, utc_timestamp
from people.core.errors import quoted_value
from people.definitions import checks, drafts, lifecycle

STATUS = {
    ActivityType.State.DRAFT: "draft",
    ActivityType.State.APPROVED: "approved",
    ActivityType.State.APPROVED_WITH_DRAFT: "approved with draft",
    ActivityType.State.RETIRED: "approved",
    ActivityType.State.DELETED: "deleted",
}
NAMES = {"name": "name", "description": "description", "triggerName": "trigger_name", "filterName": "filter_name"}


def list_types(call: Call) -> HttpResponse:
    call.require(VIEW_ACTIVITYTYPE)
    types = ActivityType.objects.custom().existing().with_versions()
    return success_reply([_row(activity_type, activity_type.live_or_draft) for activity_type in types])


def describe_type(call: Call, api_name: str) -> HttpResponse:
    """Return the approved version, or the draft if requested or if there is no other ([I] §2.8)."""
    call.require(VIEW_ACTIVITYTYPE)
    activity_type = _find(api_name)
    wants_draft = call.parameters.flag("draft")
    return success_reply([_full_row(activity_type, activity_type.draft if wants_draft else None)])


def create_type(call: Call) -> HttpResponse:
    body = call.parameters.json_object
    primary = body.get("primaryAttribute")
    if not isinstance(primary, dict):
        raise missing_parameter("primaryAttribute")
    names = TypeNames(
        text_member(body, "apiName"), **{attribute: text_member(body, member) for member, attribute in NAMES.items()}
    )
    created = lifecycle.create_definition(ACTIVITY_TYPES, names, [_field(primary, is_primary=True)], call.user)
    return success_reply([_full_row(_find(created.api_name))])


@transaction.atomic
def update_type(call: Call, api_name: str) -> HttpResponse:
    """Change the given members, also of a partial primaryAttribute: all of them or none."""
    body, activity_type = call.parameters.json_object, _find(api_name)
    changes = {attribute: text_member(body, member) for member, attribute in NAMES.items() if member in body}
    drafts.edit_draft_names(activity_type, call.user, None, **changes)
    primary = body.get("primaryAttribute")
    if isinstance(primary, dict):
        _update_primary(_find(api_name), primary, call.user)
    return success_reply([_full_row(_find(api_name), draft=True)])


def _update_primary(activity_type: ActivityType, primary: dict[str, Any], by: Any) -> None:
    version = activity_type.draft or activity_type.live
    current = version.fields.get(is_primary=True)  # type: ignore[union-attr]
    drafts.change_draft_fields(activity_type, {current.api_name: _changes(primary, rename=True)}, by)


def approve_type(call: Call, api_name: str) -> HttpResponse:
    lifecycle.approve_draft(_find(api_name), call.user)
    return success_reply([_full_row(_find(api_name))])


def discard_type_draft(call: Call, api_name: str) -> HttpResponse:
    lifecycle.discard_draft(_find(api_name), call.user)
    return success_reply([_full_row(_find(api_name))])


def delete_type(call: Call, api_name: str) -> HttpResponse:
    activity_type = _find(api_name)
    reply = {**_full_row(activity_type), "status": "deleted"}
    lifecycle.delete_definition(activity_type, call.user)
    return success_reply([reply])


def create_attributes(call: Call, api_name: str) -> HttpResponse:
    fields = [_field(attribute) for attribute in _attributes(call)]
    drafts.add_draft_fields(_find(api_name), fields, call.user)
    return success_reply([_full_row(_find(api_name), draft=True)])


def update_attributes(call: Call, api_name: str) -> HttpResponse:
    changes = {text_member(attribute, "apiName"): _changes(attribute) for attribute in _attributes(call)}
    drafts.change_draft_fields(_find(api_name), changes, call.user)
    return success_reply([_full_row(_find(api_name), draft=True)])


def delete_attributes(call: Call, api_name: str) -> HttpResponse:
    names = [text_member(attribute, "apiName") for attribute in _attributes(call)]
    drafts.remove_draft_fields(_find(api_name), names, call.user)
    return success_reply([_full_row(_find(api_name), draft=True)])


def _find(api_name: str) -> ActivityType:
    types = ActivityType.objects.custom().existing().with_versions()
    activity_type = types.filter(api_name=api_name).first() if checks.API_NAME.fullmatch(api_name) else None
    if activity_type is None:
        raise MarketoError("1013", f"Object not found: '{quoted_value(api_name)}'")
    return activity_type


def _attributes(call: Call) -> list[dict[str, Any]]:
    attributes = call.parameters.json_object.get("attributes")
    if not isinstance(attributes, list) or not attributes or not all(isinstance(entry, dict) for entry in attributes):
        raise missing_parameter("attributes")
    return attributes


def _field(attribute: dict[str, Any], is_primary: bool = False) -> ActivityFieldSpec:
    # [I] §2.7: the data type defaults to string for the primary field only
    data_type = text_member(attribute, "dataType") or ("string" if is_primary else "")
    if not data_type:
        raise missing_parameter("dataType")
    return ActivityFieldSpec(
        text_member(attribute, "apiName"),
        text_member(attribute, "name"),
        data_type,
        text_member(attribute, "description"),
        is_primary or attribute.get("isPrimary") is True,
    )


def _changes(attribute: dict[str, Any], rename: bool = False) -> dict[str, Any]:
    members = {"name": "name", "description": "description", "dataType": "data_type"}
    if rename:
        members["apiName"] = "api_name"
    changes: dict[str, Any] = {
        name: text_member(attribute, member) for member, name in members.items() if member in attribute
    }
    if isinstance(attribute.get("isPrimary"), bool) and not rename:
        changes["is_primary"] = attribute["isPrimary"]
    return changes


def _row(activity_type: ActivityType, version: ActivityVersion | None) -> dict[str, Any]:
    assert version is not None  # every existing type has a live version or a draft
    return {
        "id": activity_type.pk,
        "apiName": activity_type.api_name,
        "name": version.name,
        "description": version.description,
        "triggerName": version.trigger_name,
        "filterName": version.filter_name,
        "createdAt": utc_timestamp(activity_type.created_at),
        "updatedAt": utc_timestamp(max(activity_type.updated_at, version.updated_at)),
        "status": STATUS[activity_type.state],
    }


def _full_row(activity_type: ActivityType, draft: ActivityVersion | bool | None = None) -> dict[str, Any]:
    version = activity_type.draft if draft else None
    version = version or activity_type.live_or_draft
    row = _row(activity_type, version)
    fields = list(version.fields.all())
    primary = next((field for field in fields if field.is_primary), None)
    if primary is not None:
        row["primaryAttribute"] = _attribute_row(primary)
    secondary = [_attribute_row(field) for field in fields if not field.is_primary]
    return row | ({"attributes": secondary} if secondary else {})


def _attribute_row(field: ActivityField) -> dict[str, str]:
    return {
        "apiName": field.api_name,
        "name": field.name,
        "description": field.description,
        "dataType": field.data_type,
    }
