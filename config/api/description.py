"""Parts of the OpenAPI document besides its operations: server, tags, examples, descriptions of parameters."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from activities.rights import VIEW_ACTIVITY

Json = dict[str, Any]

TAGS = {
    "activity types": "Kinds of activities, with their drafts, versions and approval.",
    "activities": "What people did: recording, reading, validating.",
    "quarantine": "Rejected activities, kept to be corrected and retried.",
    "imports": "Files to be imported, with their progress.",
    "exports": "Files to download, written in the background.",
    "people": "People: creating, changing, merging, deleting.",
    "person fields": "The fields of people: standard ones and your own.",
    "object types": "Kinds of objects, with their drafts, versions and approval.",
    "objects": "Facts about people that can change: a car and its colour.",
    "static lists": "Lists whose members are added by hand or by a program.",
    "smart lists": "Lists whose members are determined by rules.",
    "smart campaigns": "Automations: triggers, an audience and steps.",
    "reports": "Saved reports, and the figures of every chart.",
    "event sources": "Web sites and programs that send events, with their write keys.",
    "forms": "Forms that people fill in, and what they sent.",
    "links": "Tracked links: short addresses, who clicked them, and personal links.",
    "inbox": "Events, properties and traits that came in and that nobody has defined.",
    "inbound webhooks": "Secret addresses that other products call, and what their calls become.",
    "visitors": "Browsers that web sites know, and the people they belong to.",
    "webhooks": "External URLs that campaigns call.",
    "api clients": "Programs that may request tokens, with their permissions.",
    "oauth": "Tokens for programs.",
    "me": "The authenticated user and their permissions.",
}
# descriptions of filters, by suffix
LOOKUPS = {
    "": "equals this value",
    "not": "does not equal this value; those without a value match, too",
    "in": "equals one of these values",
    "gt": "is greater (later) than this value",
    "gte": "is greater (later) than this value, or equal",
    "lt": "is less (earlier) than this value",
    "lte": "is less (earlier) than this value, or equal",
    "startswith": "begins with this text",
    "endswith": "ends with this text",
    "contains": "contains this text",
    "isempty": "has no value (true) or has one (false)",
}
SINGULARS = {
    "activities": "activity",
    "api clients": "API client",
    "explain": "person",
    "people": "person",
    "quarantine": "rejected activity",
}
PARAMETERS = {
    "page_size": "The maximum number of objects on a page.",
    "fields": "The members to return, besides the id; all by default.",
}
RULES = {"filters": [{"kind": "person_field", "field": "country", "operator": "is", "values": ["Spain"]}]}
# examples by the name of the member
VALUES: Mapping[str, Any] = {
    "email": "ann@example.com",
    "name": "Webinar guests",
    "description": "Came to a webinar this year",
    "api_name": "attendWebinar",
    "activity_type": "attendWebinar",
    "occurred_at": "2026-11-20T10:00:00Z",
    "primary_value": "Autumn webinar",
    "person": {"email": "ann@example.com"},
    "country": "Spain",
    "first_name": "Ann",
    "last_name": "Ng",
    "zone": "Europe/Madrid",
    "url": "https://example.com/hook",
    "rules": RULES,
    "filter": RULES["filters"][0],
    "salutation": "Ms",
    "middle_name": "Lee",
    "title": "Buyer",
    "kind": "people",
    "filter_name": "Attended webinar",
    "trigger_name": "Attends webinar",
    "choice": "gold",
    "method": "POST",
    "body": '{"id": "{{person.id}}"}',
    "every_minutes": 60,
    "reason": "Asked for by the customer",
    "part": "occurred_at",
    "value": "2026-11-20T10:00:00Z",
    "lookup_field": "email",
    "columns": {"email": "E-mail"},
    "definition": {"triggers": [{"type": "attendWebinar"}], "steps": []},
    "rights": [VIEW_ACTIVITY],
    "attributes": {"minutes": 45},
    "fields": {"plan": "gold"},
    "label": "Plan",
}
SHOWN_MEMBERS = 6  # in the example of a body without required members


def add_surroundings(document: Json, request: Any) -> None:
    """Add the server, the tags of the operations, examples of bodies, and missing descriptions of parameters."""
    document["servers"] = server_addresses(request)
    document["info"]["license"] = {"name": "MIT", "identifier": "MIT"}
    used = {tag for _path, operation in iterate_operations(document) for tag in operation.get("tags", ())}
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items() if name in used]
    schemas = document["components"]["schemas"]
    for path, operation in iterate_operations(document):
        for parameter in operation.get("parameters", ()):
            parameter["description"] = parameter.get("description") or _parameter_description(parameter, path)
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body and "$ref" in body.get("schema", {}) and "examples" not in body:
            body["example"] = example_value(body["schema"], schemas)


def server_addresses(request: Any) -> list[Json]:
    """The `servers` of the document: SITE_URL, else the address of the request, else a relative one."""
    base = settings.SITE_URL or (request.build_absolute_uri("/").rstrip("/") if request is not None else "")
    return [{"url": base or "/", "description": "This installation."}]


def iterate_operations(document: Json) -> Iterator[tuple[str, Json]]:
    """Path and operation of every method in the document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield path, operation


def _parameter_description(parameter: Json, path: str) -> str:
    name = parameter["name"]
    if parameter["in"] == "path":
        before = re.search(rf"([a-z-]+)/\{{{name}\}}", path)
        kind = before[1].replace("-", " ") if before else name.replace("_", " ")
        return f"The {'API name or ' if parameter['schema'].get('type') == 'string' else ''}id of the {singular(kind)}."
    if name in PARAMETERS:
        return PARAMETERS[name]
    field, _separator, suffix = name.rpartition("__") if name.rpartition("__")[2] in LOOKUPS else (name, "", "")
    return f"Only objects whose `{field.replace('__', '.')}` {LOOKUPS[suffix]}."


def singular(kind: str) -> str:
    """The noun for one object of a tag or of a part of an address."""
    return SINGULARS.get(kind) or kind.removesuffix("s")


def plural(tag: str) -> str:
    """The noun for the objects of a tag."""
    return {"api clients": "API clients", "quarantine": "rejected activities"}.get(tag, tag)


def with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiouA" else f"a {noun}"


def example_value(schema: Json, schemas: Mapping[str, Json], name: str = "") -> Any:
    """A valid value of the schema: its own example, one by the member's name, else the simplest."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if schema.get("examples") or "example" in schema:
        return schema["example"] if "example" in schema else schema["examples"][0]
    for keyword in ("const", "default"):
        if keyword in schema:
            return schema[keyword]
    if "enum" in schema:
        return schema["enum"][0]
    if name in VALUES and _has_type(VALUES[name], schema):
        return VALUES[name]
    for choice in ("oneOf", "anyOf", "allOf"):
        if choice in schema:
            return example_value(schema[choice][0], schemas, name)
    return _simplest_value(schema, schemas, name)


def _simplest_value(schema: Json, schemas: Mapping[str, Json], name: str) -> Any:
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        members = schema.get("properties", {})
        # without "text", an alternative of "rules"
        writable = [member for member in members if not members[member].get("readOnly") and member != "text"]
        names = schema.get("required") or writable[:SHOWN_MEMBERS]
        return {member: example_value(members[member], schemas, member) for member in names}
    if kind == "array":
        return [example_value(schema["items"], schemas, name.removesuffix("s"))]
    if kind in {"integer", "number"}:
        return max(schema.get("minimum", 1), 1)
    if kind == "boolean":
        return True
    formats = {
        "date": "2026-11-20",
        "date-time": "2026-11-20T10:00:00Z",
        "email": "ann@example.com",
        "uuid": "6f1c4a52-8a0e-4c53-9b7e-2f6a1d3c5e70",
    }
    return formats.get(schema.get("format", ""), name or "text")


_KINDS = {"object": dict, "array": list, "string": str, "integer": int, "number": int | float, "boolean": bool}


def _has_type(value: Any, schema: Json) -> bool:
    """True when the type of the value is one of the schema's types."""
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return not kinds or any(isinstance(value, _KINDS[kind]) for kind in kinds if kind in _KINDS)
