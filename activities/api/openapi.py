"""A JSON Schema of each approved type, for generated clients and the completion of editors."""

from typing import Any

from activities.api.serializers import PERSON, PERSON_KEY
from activities.models import ActivityField, ActivityType
from people.datatypes import json_schema

NAME = "ActivityGiven"
ATTRIBUTES = "ActivityAttributes"
EXAMPLES: dict[str, Any] = {
    "string": "Check 17",
    "text": "A note",
    "email": "ann@example.com",
    "phone": "+34 600 123 456",
    "link": "https://example.com/a",
    "boolean": True,
    "integer": 42,
    "float": 3.5,
    "currency": 1250.5,
    "date": "2026-11-20",
    "datetime": "2026-11-20T10:00:00Z",
}


def activity_type_schemas() -> dict[str, dict[str, Any]]:
    """Components by name: one per recordable type, and `ActivityGiven`, the choice of them by `activity_type`."""
    types = list(ActivityType.objects.custom().recordable().with_versions())
    typed = {f"{NAME}.{activity_type.api_name}": _schema(activity_type) for activity_type in types}
    if not typed:
        return {"PersonKey": PERSON_KEY}
    references = {name.removeprefix(f"{NAME}."): f"#/components/schemas/{name}" for name in typed}
    whole = {
        "oneOf": [{"$ref": reference} for reference in references.values()],
        "discriminator": {"propertyName": "activity_type", "mapping": references},
    }
    attributes = {f"{ATTRIBUTES}.{row.api_name}": _attributes(row) for row in types}
    # a component stands before its references, for generators that read once
    return {"PersonKey": PERSON_KEY, **attributes, **typed, NAME: whole}


def _schema(activity_type: ActivityType) -> dict[str, Any]:
    version = activity_type.live
    assert version is not None  # recordable() has a live version
    fields = list(version.fields.all())
    primary = next(field for field in fields if field.is_primary)
    secondary = [field for field in fields if not field.is_primary]
    example = {
        "activity_type": activity_type.api_name,
        "person": {"email": "ann@example.com"},
        "occurred_at": EXAMPLES["datetime"],
        "primary_value": EXAMPLES[primary.data_type],
        "attributes": {field.api_name: EXAMPLES[field.data_type] for field in secondary},
    }
    return {
        "type": "object",
        "title": version.name,
        "description": version.description,
        "required": ["activity_type", "person", "occurred_at", "primary_value"],
        "additionalProperties": False,
        "properties": {
            "activity_type": {"type": "string", "const": activity_type.api_name},
            "person": PERSON,
            "occurred_at": {**json_schema.data_type_schema("datetime"), "description": "UTC if no zone is given."},
            "primary_value": _value(primary),
            "attributes": {"$ref": f"#/components/schemas/{ATTRIBUTES}.{activity_type.api_name}"},
            "external_id": {
                "type": ["string", "null"],
                "maxLength": 255,
                "description": "Your own id of the activity; it is recorded once, however often it is sent.",
            },
            "create_person": {"type": "boolean", "default": False},
        },
        "examples": [example],
    }


def _attributes(activity_type: ActivityType) -> dict[str, Any]:
    assert activity_type.live is not None  # recordable() has a live version
    secondary = [field for field in activity_type.live.fields.all() if not field.is_primary]
    return {
        "type": "object",
        "title": f"{activity_type.live.name}: attributes",
        "additionalProperties": False,
        "properties": {field.api_name: _value(field) for field in secondary},
    }


def _value(field: ActivityField) -> dict[str, Any]:
    described = {"description": field.description} if field.description else {}
    return json_schema.data_type_schema(field.data_type, title=field.name, **described)
