import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from drf_spectacular.generators import SchemaGenerator

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
METHODS = ("get", "post", "put", "patch", "delete")


class Command(BaseCommand):
    help = "Write a Postman collection of the native API, made from its OpenAPI document."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        document = SchemaGenerator().get_schema(request=None, public=True)
        collection = _collection(document)
        options["file"].write_text(json.dumps(collection, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        self.stdout.write(f"{sum(len(folder['item']) for folder in collection['item'])} requests written.")


def _collection(document: dict[str, Any]) -> dict[str, Any]:
    folders: dict[str, list[dict[str, Any]]] = {}
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method in operations:
                folders.setdefault(operations[method]["tags"][0], []).append(
                    _item(path, method, operations[method], document["components"]["schemas"])
                )
    return {
        "info": {"name": document["info"]["title"], "schema": SCHEMA},
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]},
        "variable": [{"key": "host", "value": "http://127.0.0.1:8000"}, {"key": "token", "value": ""}],
        "item": [{"name": name, "item": items} for name, items in folders.items()],
    }


def _item(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    parts = [part.replace("{", ":").replace("}", "") for part in path.strip("/").split("/")]
    parameters = operation.get("parameters", ())
    url = {
        "raw": "{{host}}/" + "/".join(parts),
        "host": ["{{host}}"],
        "path": parts,
        "query": [{"key": item["name"], "value": "", "disabled": True} for item in parameters if item["in"] == "query"],
        "variable": [{"key": item["name"], "value": ""} for item in parameters if item["in"] == "path"],
    }
    request: dict[str, Any] = {"method": method.upper(), "url": url, "description": operation.get("description", "")}
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        request["header"] = [{"key": "Content-Type", "value": media_type}]
        request["body"] = {"mode": "raw", "raw": json.dumps(_example(content["schema"], schemas), indent=2)}
        break
    return {"name": operation.get("summary", operation["operationId"]), "request": request}


def _example(schema: dict[str, Any], schemas: dict[str, Any], depth: int = 0) -> Any:
    """A value of the shape that `schema` describes; its own example where it has one."""
    if reference := schema.get("$ref"):
        return _example(schemas[reference.rpartition("/")[2]], schemas, depth + 1) if depth < 8 else {}
    if examples := schema.get("examples"):
        return examples[0]
    for name in ("const", "default", "example"):
        if name in schema:
            return schema[name]
    if "enum" in schema:
        return schema["enum"][0]
    for name in ("oneOf", "anyOf", "allOf"):
        if name in schema:
            return _example(schema[name][0], schemas, depth + 1)
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "array":
        return [_example(schema.get("items", {}), schemas, depth + 1)]
    if kind == "object" or "properties" in schema:
        names = schema.get("required") or list(schema.get("properties", {}))[:3]
        return {name: _example(schema["properties"][name], schemas, depth + 1) for name in names}
    return {"integer": 1, "number": 1.5, "boolean": True, "string": "text"}.get(str(kind))
