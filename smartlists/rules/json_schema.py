"""The JSON Schema (2020-12) of the JSON form of rules, as far as it does not depend on names in the database.

It is for editors and programs. Only `rules.parsing` validates completely, as it has the fields, types and lists.
"""

from collections.abc import Callable
from typing import Any

from people.core.kinds import Facet
from people.datatypes.parsing import MAX_STRING
from smartlists.rules import logic, operators, parsing
from smartlists.rules import model as rules
from smartlists.rules.operators import COUNT_OPERATORS, OPERATORS, OperandShape
from smartlists.rules.vocabulary import COMMON, RECORD_MOMENTS

META_SCHEMA = "https://json-schema.org/draft/2020-12/schema"
TITLE = "Rules of a smart list"

Json = dict[str, Any]


def rules_json_schema() -> Json:
    """The schema as a JSON object, generated from the tables that the parser uses."""
    return {
        "$schema": META_SCHEMA,
        "title": TITLE,
        "description": "Version 1. Values are canonical text; JSON numbers and booleans are accepted and made so.",
        "type": "object",
        "properties": {
            "version": {"const": rules.VERSION, "default": rules.VERSION},
            "match": {"type": "string", "enum": list(parsing.MATCHES), "default": rules.ALL},
            "logic": {
                "description": "An expression over the numbers of the filters, such as “1 and (2 or not 3)”.",
                "type": "string",
                "maxLength": logic.MAX_LENGTH,
            },
            "filters": {"type": "array", "items": {"$ref": "#/$defs/filter"}, "maxItems": parsing.MAX_FILTERS},
        },
        "additionalProperties": False,
        "if": {"properties": {"match": {"const": rules.ADVANCED}}, "required": ["match"]},
        "then": {"required": ["logic"], "properties": {"logic": {"minLength": 1}}},
        "else": {"properties": {"logic": {"maxLength": 0}}},
        "$defs": {
            "filter": {"oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in rules.FILTERS.classes]},
            **{kind: schema() for kind, schema in FILTER_SCHEMAS.items()},
            **_parts(),
        },
    }


def _parts() -> Json:
    """The schemas of the parts of filters."""
    compared = {"$ref": "#/$defs/comparison"}
    return {
        "value": {"type": ["string", "number", "boolean"]},
        "comparison": {
            "properties": {
                "operator": {"type": "string", "enum": list(OPERATORS)},
                "values": {"type": "array", "items": {"$ref": "#/$defs/value"}, "maxItems": operators.MAX_VALUES},
            },
            "required": ["operator"],
            "allOf": [_values_of(shape) for shape in OperandShape],
        },
        "constraints": {
            "description": "All constraints apply to the same activity or record.",
            "type": "array",
            "items": {**_object(None, {"field": _name(special=True), "empty": _empty()}, ["field"], allOf=[compared])},
            "maxItems": parsing.MAX_CONSTRAINTS,
        },
        "count": _count(),
        "aggregate": _object(
            None,
            {"function": {"type": "string", "enum": list(parsing.AGGREGATES)}, "field": _name(special=True)},
            ["function", "field"],
            allOf=[compared],
        ),
        "step": _step(),
        "changed": _changed(),
    }


def _changed() -> Json:
    values = {"type": "array", "items": {"$ref": "#/$defs/value"}, "maxItems": operators.MAX_VALUES}
    return {
        "description": "A change of the record; without a field of any, without an operator at any time.",
        "type": "object",
        "properties": {
            "field": _name(),
            "from": values,
            "to": values,
            "operator": {"type": "string", "enum": sorted(operators.PERIODS)},
            "values": values,
        },
        "if": {"properties": {"operator": {"type": "string"}}, "required": ["operator"]},
        "then": {
            "properties": {"values": values},
            "required": ["values"],
            "allOf": [_values_of(shape) for shape in OperandShape],
        },
        "dependentRequired": {"values": ["operator"], "from": ["field"], "to": ["field"]},
        "additionalProperties": False,
    }


def _count() -> Json:
    compared = {"operator": {"type": "string", "enum": list(COUNT_OPERATORS)}, "values": _counts()}
    return {
        **_object(None, compared, ["operator", "values"]),
        "if": {"properties": {"operator": {"const": "between"}}, "required": ["operator"]},
        "then": {"properties": {"values": {"minItems": 2}}},
        "else": {"properties": {"values": {"maxItems": 1}}},
    }


def _step() -> Json:
    properties = {
        "type": _name(),
        "constraints": {"$ref": "#/$defs/constraints"},
        "within_days": {"type": "integer", "minimum": 1, "maximum": parsing.MAX_WITHIN_DAYS},
        "not": {"type": "boolean", "default": False},
        "bots": _bots(),
    }
    return _object(None, properties, ["type"])


def _object(kind: str | None, properties: Json, required: list[str], **more: Any) -> Json:
    """The schema of an object without further properties; with a constant `kind` for filters."""
    if kind is not None:
        properties = {"kind": {"type": "string", "const": kind}, **properties}
        required = ["kind", *required]
    # unevaluated instead of additional, as a comparison adds properties of its own
    return {"type": "object", "properties": properties, "required": required, "unevaluatedProperties": False, **more}


def _membership(kind: str) -> Json:
    return _object(
        kind, {"list": {"type": "integer", "minimum": 1}, "member": {"type": "boolean", "default": True}}, ["list"]
    )


def _name(special: bool = False) -> Json:
    common = "".join(f"|{name}" for name in (*COMMON, *RECORD_MOMENTS)) if special else ""
    return {"type": "string", "pattern": f"^([A-Za-z0-9_]+{common})$"}


def _empty() -> Json:
    """The schema of `empty`; aggregates do not have it, as they ignore rows without a value."""
    return {
        "description": "Whether rows without a value match, regardless of the operator.",
        "type": "string",
        "enum": list(parsing.EMPTY),
    }


def _bots() -> Json:
    return {
        "description": "Activities of bots; only for types that mark them. No value is a human.",
        "type": "string",
        "enum": list(rules.BOTS),
        "default": rules.INCLUDE_BOTS,
    }


def _counts() -> Json:
    number = {"anyOf": [{"type": "string", "pattern": "^[0-9]{1,10}$"}, {"type": "integer", "minimum": 0}]}
    return {"type": "array", "items": number, "minItems": 1, "maxItems": 2}


def _values_of(shape: OperandShape) -> Json:
    """The schema of the number of values for operators of one shape."""
    names = [operator.name for operator in OPERATORS.values() if operator.shape is shape]
    fewest, most = operators.HOW_MANY[shape]
    then: Json = {"properties": {"values": {"minItems": fewest, "maxItems": most}}}
    if fewest:
        then["required"] = ["values"]
    return {"if": {"properties": {"operator": {"enum": names}}, "required": ["operator"]}, "then": then}


def _person_field() -> Json:
    return _object(
        "person_field", {"field": _name(), "empty": _empty()}, ["field"], allOf=[{"$ref": "#/$defs/comparison"}]
    )


def _activity() -> Json:
    parts = {part: {"$ref": f"#/$defs/{part}"} for part in ("constraints", "count", "aggregate")}
    properties = {"did": {"type": "boolean", "default": True}, "type": _name(), "bots": _bots(), **parts}
    return _object("activity", properties, ["type"])


def _sequence() -> Json:
    steps = {"type": "array", "items": {"$ref": "#/$defs/step"}, "minItems": 2, "maxItems": parsing.MAX_STEPS}
    return _object("sequence", {"steps": steps}, ["steps"])


def _consent() -> Json:
    properties = {
        "purpose": {"type": "string", "minLength": 1, "maxLength": MAX_STRING},
        "state": {"type": "string", "enum": list(rules.CONSENT_STATES)},
        "on": {"description": "At the end of this day; without it now.", "type": "string", "format": "date"},
    }
    return _object("consent", properties, ["purpose", "state"])


def _object_filter() -> Json:
    parts = {part: {"$ref": f"#/$defs/{part}"} for part in ("constraints", "changed", "count")}
    functions = {"properties": {"function": {"enum": list(parsing.OBJECT_AGGREGATES)}}}
    aggregate = {"allOf": [{"$ref": "#/$defs/aggregate"}, functions]}
    properties = {"has": {"type": "boolean", "default": True}, "type": _name(), **parts, "aggregate": aggregate}
    return _object("object", properties, ["type"])


FILTER_SCHEMAS: Facet[Callable[[], Json]] = rules.FILTERS.facet(
    "JSON Schema",
    {
        "person_field": _person_field,
        "activity": _activity,
        "sequence": _sequence,
        "static_list": lambda: _membership("static_list"),
        "smart_list": lambda: _membership("smart_list"),
        "consent": _consent,
        "object": _object_filter,
    },
)
