"""From an event's name and properties to the values of a type: for new and waiting events alike."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

from django.db.models import QuerySet

from activities.inbox.names import flatten_properties, name_key
from activities.models import ActivityType, Sighting
from activities.recording.schema import CheckedValues, Schema
from people.datatypes.canonical import plain_decimal

EVENT_NAME = "@event"  # in place of a property's path: the name of the event itself
PRIMARY_VALUE = "@primary"  # the path of a primary value that was sent as such, under no name of its own
_OF_NAME = frozenset({"event", "eventname"})  # a primary field so called has it where no property does
_TEXTS = frozenset({"string", "text", "phone", "email", "link"})
BOOLEAN_WORDS = {"yes": True, "y": True, "on": True, "no": False, "n": False, "off": False}
MAX_BITS = 1_000  # of a number that is written out
State = Sighting.State
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Decision:
    """The state of a name of a source, and the type and fields that take it."""

    state: str = State.NEW
    type_id: int | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


NO_DECISION = Decision()


def event_types() -> QuerySet[ActivityType]:
    """The types that events can become: the team's own that take activities now."""
    return ActivityType.objects.filter(live__isnull=False, retired_at=None, deleted_at=None, is_standard=False)


def by_unique_key(named: Iterable[tuple[str, T]]) -> dict[str, T]:
    """The targets by `name_key` of their names; keys of several targets are left out."""
    targets: dict[str, T] = {}
    ambiguous = set()
    for name, target in named:
        if targets.setdefault(name_key(name), target) != target:
            ambiguous.add(name_key(name))
    return {key: target for key, target in targets.items() if key not in ambiguous}


def choose_type(key: str, decision: Decision, by_key: Mapping[str, T], by_id: Mapping[int, T]) -> T | None:
    """The type that takes events of a name, for new and waiting events: the one of the decision, else the
    only one whose name compares alike; none for a name that is ignored or blocked."""
    if decision.state == State.MAPPED:
        return None if decision.type_id is None else by_id.get(decision.type_id)
    return by_key.get(key) if decision.state == State.NEW else None


@dataclass(frozen=True, slots=True)
class MappedValues:
    """Values by a type's fields. `unknown`: the properties that no field takes, by path."""

    primary: Any
    attributes: list[tuple[str, Any]]
    unknown: Mapping[str, Any]


def map_values(schema: Schema, name: str, properties: Mapping[str, Any], fields: Mapping[str, str]) -> MappedValues:
    """The values of an event by the fields of a type.

    A field takes the property that `fields` maps to it, else the one with its API name, else the one whose name is the
    same without case, blanks and punctuation; the primary field else takes what was sent as the primary value. Of
    several properties for one field the first by this order is taken.
    """
    flat = flatten_properties(properties)
    taken, types = paths_of_fields(schema, flat, fields), _fields_of(schema).types
    values = {
        api_name: fitting_value(name if path == EVENT_NAME else flat[path], types[api_name])
        for api_name, path in taken.items()
    }
    used = set(taken.values())
    unknown = {path: value for path, value in flat.items() if path not in used}
    return MappedValues(values.pop(_fields_of(schema).primary, None), list(values.items()), unknown)


def paths_of_fields(schema: Schema, paths: Collection[str], fields: Mapping[str, str]) -> dict[str, str]:
    """The path whose value each field takes, by API name; fields without a value are not there. See `map_values`."""
    targets = _fields_of(schema)
    taken: dict[str, str] = {}
    for path, api_name in fields.items():
        if (path in paths or path == EVENT_NAME) and api_name in targets.types:
            taken.setdefault(api_name, path)
    for path in paths:
        if path in targets.types and path not in fields:
            taken.setdefault(path, path)
    for path in paths:
        if path not in fields and (known := targets.by_key.get(name_key(path))) is not None:
            taken.setdefault(known, path)
    if targets.primary not in taken and PRIMARY_VALUE in paths and PRIMARY_VALUE not in taken.values():
        taken[targets.primary] = PRIMARY_VALUE
    if targets.primary not in taken and name_key(targets.primary) in _OF_NAME:
        taken[targets.primary] = EVENT_NAME
    return taken


def check_event(
    schema: Schema, name: str, properties: Mapping[str, Any], fields: Mapping[str, str]
) -> tuple[CheckedValues, MappedValues]:
    """The checked values of an event of a type, and what they were checked from."""
    mapped = map_values(schema, name, properties, fields)
    return schema.check(mapped.primary, mapped.attributes), mapped


@dataclass(frozen=True, slots=True)
class _Targets:
    """`types`: data types by API name; `by_key`: API names by how they, and the fields' names, compare."""

    primary: str
    types: Mapping[str, str]
    by_key: Mapping[str, str]


@lru_cache(maxsize=1024)
def _fields_of(schema: Schema) -> _Targets:
    types = {field.api_name: field.data_type for field in schema.fields}
    by_key = {name_key(field.name): field.api_name for field in schema.fields}
    by_key |= {name_key(field.api_name): field.api_name for field in schema.fields}
    return _Targets(schema.primary.api_name if schema.primary else "", types, by_key)


def fitting_value(value: Any, data_type: str) -> Any:
    """The value in the form that the data type takes; what it does not take in any form stays as it is."""
    if data_type in _TEXTS and isinstance(value, bool):
        return "true" if value else "false"
    if data_type in _TEXTS and isinstance(value, Decimal):
        return plain_decimal(value)
    if data_type in _TEXTS and isinstance(value, int) and value.bit_length() < MAX_BITS:
        return str(value)
    if data_type == "boolean" and isinstance(value, str):
        return BOOLEAN_WORDS.get(value.strip().lower(), value)
    return value
