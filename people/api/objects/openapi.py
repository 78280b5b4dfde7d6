"""A JSON Schema of the values of each approved object type, for generated clients and the completion of editors."""

from typing import Any

from people.datatypes import json_schema
from people.models import ObjectField, ObjectType

NAME = "ObjectValues"


def object_type_schemas() -> dict[str, dict[str, Any]]:
    """Components by name: one per approved type, and `ObjectValues`, any of them."""
    types = ObjectType.objects.approved().with_versions().order_by("pk")
    typed = {f"{NAME}.{object_type.api_name}": _schema(object_type) for object_type in types}
    references = [{"$ref": f"#/components/schemas/{name}"} for name in typed]
    whole = {"type": "object", "description": "Values by API name of their fields.", "additionalProperties": True}
    return {**typed, NAME: {**whole, "anyOf": references} if references else whole}


def _schema(object_type: ObjectType) -> dict[str, Any]:
    assert object_type.live is not None  # approved() has a live version
    return {
        "type": "object",
        "title": object_type.live.name,
        "description": object_type.live.description,
        "additionalProperties": False,
        "properties": {field.api_name: _value(field) for field in object_type.live.fields.all()},
    }


def _value(field: ObjectField) -> dict[str, Any]:
    described = {"description": field.description} if field.description else {}
    typed = json_schema.data_type_schema(field.data_type)
    if field.is_dedupe:
        return {**typed, "title": field.name, **described}
    return {"title": field.name, **described, "anyOf": [typed, {"type": "null"}]}
