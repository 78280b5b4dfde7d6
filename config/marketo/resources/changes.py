"""Changed fields of people (§2.4) and deleted people (§2.5)."""

from typing import Any

from django.http import HttpResponse

from activities.log.reader import ActivityCondition, ActivityRow
from activities.rights import VIEW_ACTIVITY
from activities.types import standard as standard_types
from config.marketo.resources.activities import activities_reply, activity_asset_id, activity_head, read_page
from config.marketo.resources.lead_names import LeadNames
from config.marketo.wire.endpoint import Call
from config.marketo.wire.responses import MarketoError

TYPES = (standard_types.NEW_PERSON, standard_types.CHANGE_DATA_VALUE)
# the primary value of a change is its field; that of a large import's summary lists several
CHANGED = """(a.activity_type_id <> %(change_type)s or string_to_array(a.primary_value, ', ') && %(changed)s)"""


def lead_changes(call: Call) -> HttpResponse:
    """§2.4: return new people and changes of the requested fields."""
    call.require(VIEW_ACTIVITY)
    names = LeadNames()
    fields = call.parameters.values("fields")
    if not fields:
        call.parameters.needed("fields")
    fields = [name for name in fields if name != "id"]  # it is in describe.json and never changes
    unknown = [name for name in fields if name not in names.api_names]
    if unknown:
        raise MarketoError("1006", f"Field '{unknown[0][:80]}' not found")
    changed = [names.api_names[name] for name in fields]
    parameters = {"change_type": standard_types.CHANGE_DATA_VALUE, "changed": changed}
    page = read_page(call, TYPES, [ActivityCondition(CHANGED, parameters)])
    return activities_reply(page, (_change_row(row, set(changed), names) for row in page.activities))


def _change_row(row: ActivityRow, fields: set[str], names: LeadNames) -> dict[str, Any]:
    attributes = row.attributes
    shown_attributes = {"Source Type": "source_type", "Reason": "reason", "Source": "source"}
    return activity_head(row) | {
        "fields": [_field_row(name, row, names) for name in (row.primary_value or "").split(", ") if name in fields],
        "attributes": [
            *(
                {"name": name, "value": attributes[api_name]}
                for name, api_name in shown_attributes.items()
                if api_name in attributes
            ),
            {"name": "Lead ID", "value": row.person_id},
        ],
    }


def _field_row(name: str, row: ActivityRow, names: LeadNames) -> dict[str, Any]:
    info = names.fields[name]
    return {
        "id": names.number(info),
        "name": names.rest_names[name],
        "newValue": row.attributes.get("new_value"),
        "oldValue": row.attributes.get("old_value"),
    }


def deleted_leads(call: Call) -> HttpResponse:
    """§2.5: return deleted people with their names at that time."""
    call.require(VIEW_ACTIVITY)
    page = read_page(call, (standard_types.DELETE_PERSON,), [])
    return activities_reply(
        page,
        (
            activity_head(row)
            | {
                "primaryAttributeValueId": activity_asset_id(row),
                "primaryAttributeValue": row.primary_value,
                "attributes": [],
            }
            for row in page.activities
        ),
    )
