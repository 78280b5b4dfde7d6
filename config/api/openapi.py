"""The OpenAPI document: every operation with its right, error responses and headers."""

import inspect
import json
import re
from collections.abc import Iterable
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiFilterExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework.serializers import Serializer

from activities.api import openapi
from activities.models import ActivityType
from config.access.clients import editing as client_editing
from config.api import description
from config.api.errors import CONTENT_TYPE
from people.api.objects.openapi import object_type_schemas
from people.core.permissions import all_rights
from people.rest.viewsets import StrictSerializer
from smartlists.rules import json_schema as rules_schema

FAULTS = {
    "400": "A query parameter or header is not valid, or the body is not valid JSON.",
    "401": "The token is missing, unknown, revoked or expired.",
    "403": "The required permission is missing; `errors[].expected` names it.",
    "404": "The object does not exist.",
    "406": "Responses are available as JSON only.",
    "409": "The request conflicts with the current state, or another with the same Idempotency-Key is still running.",
    "410": "The stored response for this Idempotency-Key was deleted when a person in it was erased.",
    "412": "The object has changed since the ETag given in If-Match.",
    "413": "The body is too large.",
    "414": "The URL is too long.",
    "415": "The body is not JSON, not UTF-8, or compressed.",
    "422": "The body is not valid; `errors` lists the problems.",
    "503": "The request would take too long; narrow it.",
    "429": "The limit of calls per minute is exceeded; Retry-After gives the seconds to wait.",
}
READING_STATUSES = ("400", "401", "403", "404", "406", "414", "429", "503")
WRITING_STATUSES = tuple(FAULTS)
SUMMARIES = {
    "list": lambda tag: f"List {description.plural(tag)}",
    "retrieve": lambda tag: f"Get {description.with_article(description.singular(tag))}",
}
# a name that generated clients reserve, and one published before the rename of its serializer
COMPONENTS = {"ApiClient": "ApiClientDetails", "PatchedStaticListGiven": "PatchedListGiven"}
METHODS = ("get", "post", "put", "patch", "delete")
EDITING = {"partial_update", "update", "destroy", "set_fields"}

PROBLEM = {
    "type": "object",
    "description": "What is wrong (RFC 9457).",
    "required": ["type", "title", "status", "code", "detail", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "The page that documents the code."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "A stable identifier for programs."},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/Fault"}},
        "kept": {
            "type": "boolean",
            "description": "False if a rejected activity was not kept to be corrected, as there is no room for it.",
        },
    },
    "example": {
        "type": "/api/docs/problems/wrong_type",
        "title": "Something in the body is not valid",
        "status": 422,
        "code": "wrong_type",
        "detail": "expected an amount like 1250.50, got “twelve”",
        "errors": [
            {
                "code": "wrong_type",
                "message": "expected an amount like 1250.50, got “twelve”",
                "path": "/attributes/amount",
                "expected": "an amount like 1250.50",
                "got": "twelve",
            }
        ],
    },
}
FAULT = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "string"},
        "message": {"type": "string"},
        "path": {"type": "string", "description": "The place in the body, as a JSON pointer."},
        "parameter": {"type": "string", "description": "The query parameter or header."},
        "expected": {"type": "string"},
        "got": {"type": "string"},
    },
}
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[!-~]{1,200}$"},
    OpenApiParameter.HEADER,
    description="A request repeated with this key within 24 hours has no further effect and gets the first response.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    {"type": "string", "pattern": '^"[!#-~]{1,80}"$'},
    OpenApiParameter.HEADER,
    description="The ETag of the object as last read; 412 if it has changed since.",
)


class OperationSchema(AutoSchema):
    """Schema of one operation, from the tables of its view."""

    def get_description(self) -> str:  # type: ignore[override]  # drf-spectacular takes less than DRF
        text = super().get_description()
        rights = [f"`{right}`" for right in all_rights(getattr(self.view, "rights", {}).get(self._action()))]
        word = "permission" if len(rights) == 1 else "permissions"
        return f"{text}\n\nRequires the {word} {' and '.join(rights)}." if rights else text

    def get_summary(self) -> str | None:
        tag = self.get_tags()[0]
        if self._action() in SUMMARIES:
            return SUMMARIES[self._action()](tag)
        return re.split(r"[.;:?]\s|[.;:?]$", super().get_description().partition("\n")[0])[0] or None

    def get_tags(self) -> list[str]:
        return [self._tokenize_path()[0].replace("-", " ")]

    def get_override_parameters(self) -> list[Any]:
        parameters: list[Any] = []
        if self.method in {"POST", "PATCH", "PUT", "DELETE"}:
            parameters.append(IDEMPOTENCY_KEY)
        if self._action() in EDITING:
            parameters.append(IF_MATCH)
        if self._action() in {"list", "retrieve", "whoami"} and self.method == "GET":
            parameters += self._sparse_fields()
        return parameters

    def _get_serializer_name(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> str:
        """The component's name; `PersonInputSerializer` is published as `PersonGiven`."""
        name = super()._get_serializer_name(serializer, direction, bypass_extensions)
        if name.endswith("Input"):
            name = f"{name.removesuffix('Input')}Given"
        return COMPONENTS.get(name, name)

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        statuses = READING_STATUSES if self.method == "GET" else WRITING_STATUSES
        if self._action() in getattr(self.view, "conflicting_reads", frozenset()):
            statuses = (*statuses, "409")
        for status in statuses:
            bodies.setdefault(status, {"description": FAULTS[status], "content": content})
        if self._action() == "retrieve":
            bodies.setdefault("304", {"description": "Not changed since the ETag given in If-None-Match."})
        return bodies

    def _action(self) -> str:
        return getattr(self.view, "action", None) or ""

    def _sparse_fields(self) -> Iterable[OpenApiParameter]:
        serializer = self.get_response_serializers()
        serializer = getattr(serializer, "child", serializer)
        serializer = serializer() if isinstance(serializer, type) else serializer
        names = list(getattr(serializer, "fields", ()))
        if names:
            schema = {"type": "array", "items": {"type": "string", "enum": names}, "minItems": 1}
            yield OpenApiParameter(
                "fields",
                schema,
                OpenApiParameter.QUERY,
                explode=False,
                style="form",
                description="The members to return; all by default.",
            )


class StrictFilterExtension(OpenApiFilterExtension):
    target_class = "config.api.filters.StrictFilterBackend"
    priority = 1

    def get_schema_operation_parameters(self, auto_schema: Any, *args: Any, **kwargs: Any) -> list[dict[str, Any]]:
        filterset = getattr(auto_schema.view, "filterset_class", None)
        return [_parameter(name, item) for name, item in filterset.base_filters.items()] if filterset else []


def _parameter(name: str, item: Any) -> dict[str, Any]:
    is_list = item.schema.get("type") == "array"
    style = {"explode": False, "style": "form"} if is_list else {}
    description = {"description": item.description} if item.description else {}
    return {"name": name, "in": "query", "schema": item.schema, **style, **description}


class BearerExtension(OpenApiAuthenticationExtension):
    target_class = "config.api.authentication.BearerAuthentication"
    name = ["oauth2", "bearer"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[str]]]:
        rights = all_rights(getattr(auto_schema.view, "rights", {}).get(auto_schema._action()))
        return [{"oauth2": list(rights)}, {"bearer": []}]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        scopes = {right: right for right in client_editing.grantable_rights()}
        flow = {"tokenUrl": "/api/v1/oauth/token", "scopes": scopes}
        return [
            {"type": "oauth2", "description": "Client credentials.", "flows": {"clientCredentials": flow}},
            {"type": "http", "scheme": "bearer", "description": "An access token or a personal token."},
        ]


def complete_document(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Postprocessing hook: add the common components, and correct the requirements of bodies and replies."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"], schemas["Fault"] = PROBLEM, FAULT
    schemas.update(_rules_schemas())
    schemas.update(openapi.activity_type_schemas())
    schemas.update(object_type_schemas())
    for schema in schemas.values():
        if schema.get("description") in _INHERITED:
            del schema["description"]
    _require_files(result)
    _name_types(result)
    _allow_sparse(result)
    _require_ids(result)
    description.add_surroundings(result, request)
    _sort_methods(result)
    return result


# docstrings of base classes, which do not describe a component
_INHERITED = frozenset(inspect.getdoc(kind) for kind in (StrictSerializer, Serializer))


def _name_types(document: dict[str, Any]) -> None:
    """List the existing activity types in the parameter `activity_type`."""
    names = list(ActivityType.objects.existing().values_list("api_name", flat=True))
    for parameter in document["paths"]["/api/v1/activities"]["get"]["parameters"]:
        if parameter["name"] == "activity_type" and names:
            parameter["schema"] = {**parameter["schema"], "items": {"type": "string", "enum": names}}


def _allow_sparse(document: dict[str, Any]) -> None:
    """Require only the id in replies that `?fields=` can restrict."""
    schemas = document["components"]["schemas"]
    for path in document["paths"].values():
        if any(parameter["name"] == "fields" for parameter in path.get("get", {}).get("parameters", ())):
            reply = path["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            page = schemas[_component(reply)]
            items = page.get("properties", {}).get("results", {}).get("items")
            thing = schemas[_component(items or reply)]
            thing["required"] = [name for name in ("id",) if name in thing["properties"]]
            if not thing["required"]:
                del thing["required"]


def _require_ids(document: dict[str, Any]) -> None:
    """Require the id in replies, also where a ModelSerializer makes it read-only and so optional."""
    for schema in document["components"]["schemas"].values():
        id_schema = schema.get("properties", {}).get("id", {})
        if id_schema.get("readOnly") and "id" not in schema.get("required", ()):
            schema["required"] = ["id", *schema.get("required", ())]


def _require_files(document: dict[str, Any]) -> None:
    """Require the body of uploads; a JSON body whose members all have defaults stays optional."""
    for operations in document["paths"].values():
        for operation in operations.values():
            body = operation.get("requestBody")
            if body is not None and "application/json" not in body["content"]:
                body["required"] = True


def _sort_methods(document: dict[str, Any]) -> None:
    """Make the document the same byte for byte in every process: the framework has the methods of a path in a set."""
    for path, operations in document["paths"].items():
        document["paths"][path] = dict(sorted(operations.items(), key=lambda item: METHODS.index(item[0])))


def _component(reference: dict[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]


def _rules_schemas() -> dict[str, Any]:
    """The JSON Schema of rules, with its definitions as components."""
    whole = json.loads(
        json.dumps(rules_schema.rules_json_schema()).replace('"#/$defs/', '"#/components/schemas/Rules.')
    )
    parts = whole.pop("$defs")
    whole.pop("$schema")
    return {"Rules": whole, **{f"Rules.{name}": part for name, part in parts.items()}}
