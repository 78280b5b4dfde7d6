"""Names of custom objects, their fields and links in the Marketo API (§7)."""

from collections.abc import Iterable
from typing import Any

from config.marketo.resources.lead_names import LeadNames
from config.marketo.wire.responses import MarketoError
from people.core.errors import quoted_value
from people.definitions import checks
from people.models import ObjectType
from people.models.object_types import PERSON
from people.objects import definition
from people.objects.outcomes import RecordKey
from people.objects.schema import ObjectSchema

GUID, LEAD = "marketoGUID", "lead"
# fields that every record has: name: (display name, data type, length)
SYSTEM_FIELDS: dict[str, tuple[str, str, int | None]] = {
    "createdAt": ("Created At", "datetime", None),
    GUID: ("Marketo GUID", "string", 36),
    "updatedAt": ("Updated At", "datetime", None),
}
_OWN_KEYS = frozenset({RecordKey.ID, RecordKey.GUID})


def find_type(api_name: str) -> ObjectType:
    """The object type with this API name, a draft included. Raises 1013."""
    types = ObjectType.objects.existing().with_versions()
    object_type = types.filter(api_name=api_name).first() if checks.API_NAME.fullmatch(api_name) else None
    if object_type is None:
        raise _unknown(api_name)
    return object_type


def approved_type(api_name: str) -> ObjectType:
    """The approved object type with this API name, a retired one included. Raises 1013."""
    object_type = find_type(api_name)
    if object_type.live_id is None:
        raise _unknown(api_name)
    return object_type


def _unknown(api_name: str) -> MarketoError:
    return MarketoError("1013", f"Object not found: '{quoted_value(api_name)}'")


def dedupe_names(schema: ObjectSchema) -> list[str]:
    return [field.api_name for field in schema.dedupe]


def record_member(name: str) -> str:
    """The product's name of a member of a row. One that is called like an id of the product stays unknown."""
    if name == GUID:
        return str(RecordKey.GUID)
    return f" {name}" if name in _OWN_KEYS else name  # no field has a name with a blank


def related_to(link_to: str, link_by: str) -> dict[str, Any]:
    """The target of a link: `{"name": "lead", "field": "id"}`."""
    return {"name": LEAD if link_to == PERSON else link_to, "field": key_name(link_to, link_by)}


def key_name(link_to: str, link_by: str) -> str:
    """The name of what a link names its target by."""
    if link_to == PERSON:
        return LeadNames.of_standard(link_by)
    return GUID if link_by == definition.GUID else link_by


def object_type_named(name: str) -> str:
    """The target of `relatedTo.name`: `PERSON`, or the API name of an object type."""
    return PERSON if name.lower() == LEAD else name


def key_named(link_to: str, name: str, keys: Iterable[str]) -> str:
    """The key among `keys` that `relatedTo.field` names, in any case; an unknown name is returned unchanged."""
    by_name = {key_name(link_to, key).lower(): key for key in keys}
    return by_name.get(name.lower(), name)
