"""The OpenAPI document: every operation with its right, its faults and its headers."""

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
from people.rest.viewsets import Strict
from smartlists.rules import json_schema as rules_schema

FAULTS = {
    "400": "A query parameter, a header or the JSON itself cannot be understood.",
    "401": "There is no token, or it is unknown, revoked or over.",
    "403": "The right for it is missing; `errors[].expected` names it.",
    "404": "There is no such thing.",
    "406": "Only JSON is answered.",
    "409": "It conflicts with how things stand, or a request with the same Idempotency-Key is under way.",
    "410": "The reply that this Idempotency-Key had was erased with a person.",
    "412": "It is not in the state that If-Match names any more.",
    "413": "The body is too large.",
    "414": "The address is too long.",
    "415": "The body is no JSON.",
    "422": "The body does not fit; `errors` says where.",
    "503": "It would take too long; ask for less.",
    "429": "The calls of this minute are used up; Retry-After says for how long.",
}
OF_READING = ("400", "401", "403", "404", "406", "414", "429", "503")
OF_WRITING = tuple(FAULTS)
SUMMARIES = {"list": "List {}", "retrieve": "Get one of the {}"}
# names that generated clients have for themselves, or that say too little on their own
COMPONENTS = {
    "ApiClient": "ApiClientDetails",
    "Field": "ActivityField",
    "FieldGiven": "ActivityFieldGiven",
    "List": "StaticList",
    "ListGiven": "StaticListGiven",
    "Type": "ActivityType",
    "TypeGiven": "ActivityTypeGiven",
}
METHODS = ("get", "post", "put", "patch", "delete")
EDITING = {"partial_update", "update", "destroy", "set_fields"}

PROBLEM = {
    "type": "object",
    "description": "What is wrong (RFC 9457).",
    "required": ["type", "title", "status", "code", "detail", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "A page about the code."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "A stable word for programs."},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/Fault"}},
    },
    "example": {
        "type": "/api/docs/problems/wrong_type",
        "title": "Something in the body does not fit",
        "status": 422,
        "code": "wrong_type",
        "detail": "expected an amount like 1250.50, got 'twelve'",
        "errors": [
            {
                "code": "wrong_type",
                "message": "expected an amount like 1250.50, got 'twelve'",
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
        "path": {"type": "string", "description": "Where in the body: a JSON pointer."},
        "parameter": {"type": "string", "description": "Which query parameter or header."},
        "expected": {"type": "string"},
        "got": {"type": "string"},
    },
}
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[!-~]{1,200}$"},
    OpenApiParameter.HEADER,
    description="The same request with the same key does nothing twice and gets the first reply, for 24 hours.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    {"type": "string", "pattern": '^"[!#-~]{1,80}"$'},
    OpenApiParameter.HEADER,
    description="The ETag you read: 412 when it has changed since.",
)


class Operation(AutoSchema):
    """One operation, described from the view's own tables."""

    def get_description(self) -> str:  # type: ignore[override]  # drf-spectacular takes less than DRF
        text = super().get_description()
        right = getattr(self.view, "rights", {}).get(self._action())
        return f"{text}\n\nNeeds the right `{right}`." if right else text

    def get_summary(self) -> str | None:
        tag = self.get_tags()[0]
        if self._action() in SUMMARIES:
            return SUMMARIES[self._action()].format(tag)
        return re.split(r"[.;?]\s|[.;?]$", super().get_description().partition("\n")[0])[0] or None

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
        name = super()._get_serializer_name(serializer, direction, bypass_extensions).replace("Shown", "")
        return COMPONENTS.get(name, name)

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        for status in OF_READING if self.method == "GET" else OF_WRITING:
            bodies.setdefault(status, {"description": FAULTS[status], "content": content})
        if self._action() == "retrieve":
            bodies.setdefault("304", {"description": "It is as If-None-Match says."})
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
                "fields", schema, OpenApiParameter.QUERY, explode=False, style="form", description="Only these."
            )


class StrictFilters(OpenApiFilterExtension):
    target_class = "config.api.filters.StrictFilterBackend"
    priority = 1

    def get_schema_operation_parameters(self, auto_schema: Any, *args: Any, **kwargs: Any) -> list[dict[str, Any]]:
        filterset = getattr(auto_schema.view, "filterset_class", None)
        return [_parameter(name, one) for name, one in filterset.base_filters.items()] if filterset else []


def _parameter(name: str, one: Any) -> dict[str, Any]:
    is_list = one.schema.get("type") == "array"
    more = {"explode": False, "style": "form"} if is_list else {}
    description = {"description": one.description} if one.description else {}
    return {"name": name, "in": "query", "schema": one.schema, **more, **description}


class Bearer(OpenApiAuthenticationExtension):
    target_class = "config.api.authentication.BearerAuthentication"
    name = ["oauth2", "bearer"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[str]]]:
        right = getattr(auto_schema.view, "rights", {}).get(auto_schema._action())
        return [{"oauth2": [right] if right else []}, {"bearer": []}]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        scopes = {right: right for right in client_editing.known_rights()}
        flow = {"tokenUrl": "/api/v1/oauth/token", "scopes": scopes}
        return [
            {"type": "oauth2", "description": "Client credentials.", "flows": {"clientCredentials": flow}},
            {"type": "http", "scheme": "bearer", "description": "A token as it is, personal ones included."},
        ]


def describe_whole(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Add what belongs to the document as a whole."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"], schemas["Fault"] = PROBLEM, FAULT
    schemas.update(_rules())
    schemas.update(openapi.typed_schemas())
    for schema in schemas.values():
        if schema.get("description") in _INHERITED:
            del schema["description"]
    _require_files(result)
    _name_types(result)
    _allow_sparse(result)
    _require_ids(result)
    description.describe_surroundings(result, request)
    _put_in_order(result)
    return result


# what classes say of themselves, not of what they describe
_INHERITED = frozenset(inspect.getdoc(kind) for kind in (Strict, Serializer))


def _name_types(document: dict[str, Any]) -> None:
    """The activity types there are, where a parameter takes them."""
    names = list(ActivityType.objects.existing().values_list("api_name", flat=True))
    for parameter in document["paths"]["/api/v1/activities"]["get"]["parameters"]:
        if parameter["name"] == "activity_type" and names:
            parameter["schema"] = {**parameter["schema"], "items": {"type": "string", "enum": names}}


def _allow_sparse(document: dict[str, Any]) -> None:
    """What `?fields=` can leave out is not required in replies; the id, which it cannot, is."""
    schemas = document["components"]["schemas"]
    for path in document["paths"].values():
        if any(parameter["name"] == "fields" for parameter in path.get("get", {}).get("parameters", ())):
            shown = path["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            page = schemas[_component(shown)]
            items = page.get("properties", {}).get("results", {}).get("items")
            thing = schemas[_component(items or shown)]
            thing["required"] = [name for name in ("id",) if name in thing["properties"]]
            if not thing["required"]:
                del thing["required"]


def _require_ids(document: dict[str, Any]) -> None:
    """The id of a thing that is shown is in every reply, also where a model's serializer calls it read-only."""
    for schema in document["components"]["schemas"].values():
        known = schema.get("properties", {}).get("id", {})
        if known.get("readOnly") and "id" not in schema.get("required", ()):
            schema["required"] = ["id", *schema.get("required", ())]


def _require_files(document: dict[str, Any]) -> None:
    """A file to import cannot be left out, as a JSON body whose members all have defaults can."""
    for operations in document["paths"].values():
        for operation in operations.values():
            body = operation.get("requestBody")
            if body is not None and "application/json" not in body["content"]:
                body["required"] = True


def _put_in_order(document: dict[str, Any]) -> None:
    """The same document byte for byte from every process: the framework has the methods of a path in a set."""
    for path, operations in document["paths"].items():
        document["paths"][path] = dict(sorted(operations.items(), key=lambda one: METHODS.index(one[0])))


def _component(reference: dict[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]


def _rules() -> dict[str, Any]:
    """The JSON Schema of rules, its parts as components of the document."""
    whole = json.loads(json.dumps(rules_schema.document()).replace('"#/$defs/', '"#/components/schemas/Rules.'))
    parts = whole.pop("$defs")
    whole.pop("$schema")
    return {"Rules": whole, **{f"Rules.{name}": part for name, part in parts.items()}}
