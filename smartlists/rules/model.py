"""The rules of a smart list: frozen dataclasses, and their JSON form, version 1.

`parsing.parse_rules` checks everything and reports every problem with its path; `load_rules` trusts the output of
`dump_rules`. Values are canonical text, whatever their type, so that equal rules are equal objects.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from activities.types.standard_shapes import IS_BOT
from people.core.kinds import Facet, Kinds
from smartlists.rules import logic as rule_logic

VERSION = 1
ALL, ANY, ADVANCED = "all", "any", "advanced"
# activities of bots, of types that mark them; rules of before have no word for it, and mean all
INCLUDE_BOTS, EXCLUDE_BOTS, ONLY_BOTS = "include", "exclude", "only"
BOTS = (INCLUDE_BOTS, EXCLUDE_BOTS, ONLY_BOTS)
GIVEN, WITHDRAWN, UNKNOWN = "given", "withdrawn", "unknown"
CONSENT_STATES = (GIVEN, WITHDRAWN, UNKNOWN)


@dataclass(frozen=True, slots=True)
class Constraint:
    """A condition on one value of the activity or object record that a filter matches."""

    field: str
    operator: str
    values: tuple[str, ...] = ()
    empty: str | None = None  # "include" or "exclude": overrides the treatment of a missing value


# no value is a human
_BOT_CONSTRAINTS: Mapping[str, tuple[Constraint, ...]] = {
    INCLUDE_BOTS: (),
    EXCLUDE_BOTS: (Constraint(IS_BOT, "is", ("false",), "include"),),
    ONLY_BOTS: (Constraint(IS_BOT, "is", ("true",)),),
}


def with_bots(constraints: tuple[Constraint, ...], bots: str) -> tuple[Constraint, ...]:
    """The constraints, and what `bots` means as one more."""
    return (*constraints, *_BOT_CONSTRAINTS[bots])


@dataclass(frozen=True, slots=True)
class Count:
    """A condition on the number of activities or records; without a count a filter requires at least one."""

    operator: str
    values: tuple[str, ...]

    @property
    def bounds(self) -> tuple[int, int | None]:
        """The smallest and the largest number of rows that pass; None is no bound."""
        first, last = int(self.values[0]), int(self.values[-1])
        return {"at least": (first, None), "at most": (0, first)}.get(self.operator, (first, last))


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A condition on an aggregate over one field of all matching activities or records."""

    function: str
    field: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PersonField:
    field: str
    operator: str
    values: tuple[str, ...] = ()
    empty: str | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    """A filter on activities; "did not" (`did` false) is the complement of the whole filter."""

    type: str
    did: bool = True
    constraints: tuple[Constraint, ...] = ()
    count: Count | None = None
    aggregate: Aggregate | None = None
    bots: str = INCLUDE_BOTS

    @property
    def row_constraints(self) -> tuple[Constraint, ...]:
        """The constraints on a row, including that on bots."""
        return with_bots(self.constraints, self.bots)


@dataclass(frozen=True, slots=True)
class Step:
    """One activity of a sequence, at most `within_days` times 24 h after the step before it."""

    type: str
    constraints: tuple[Constraint, ...] = ()
    within_days: int | None = None
    is_not: bool = False
    bots: str = INCLUDE_BOTS

    @property
    def row_constraints(self) -> tuple[Constraint, ...]:
        """The constraints on a row, including that on bots."""
        return with_bots(self.constraints, self.bots)


@dataclass(frozen=True, slots=True)
class Sequence:
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class StaticList:
    list: int
    member: bool = True


@dataclass(frozen=True, slots=True)
class SmartList:
    list: int
    member: bool = True


@dataclass(frozen=True, slots=True)
class Consent:
    """The consent of a person to a purpose: now, or at the end of the day `on`."""

    purpose: str
    state: str
    on: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A condition on the history of a record: a change of `field` (empty: of any), from and to any of the values.

    Without `operator` it may be at any time, else at a moment that satisfies the operator with `values`.
    """

    field: str = ""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    operator: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Object:
    """A filter on records of an object type; "has not" (`has` false) is the complement of the whole filter.

    Constraints and `changed` speak of the same record.
    """

    type: str
    has: bool = True
    constraints: tuple[Constraint, ...] = ()
    changed: Change | None = None
    count: Count | None = None
    aggregate: Aggregate | None = None


Filter = PersonField | Activity | Sequence | StaticList | SmartList | Consent | Object


@dataclass(frozen=True, slots=True)
class Rules:
    """The filters of a list and their combination; `logic` only where match is "advanced"."""

    match: str = ALL
    filters: tuple[Filter, ...] = ()
    logic: str = ""

    @property
    def expression(self) -> rule_logic.Expression | None:
        """The combination of the filters as an expression; None without filters."""
        if self.match == ADVANCED:
            return rule_logic.parse_logic(self.logic, len(self.filters))
        return rule_logic.join_filters("or" if self.match == ANY else "and", len(self.filters))


def load_rules(stored: Mapping[str, Any]) -> Rules:
    """Create rules from the output of `dump_rules`, without checks."""
    return Rules(stored["match"], tuple(_load_filter(item) for item in stored["filters"]), stored.get("logic", ""))


def dump_rules(rules: Rules) -> dict[str, Any]:
    """The JSON form; `parsing.parse_rules` and `load_rules` return equal rules."""
    form: dict[str, Any] = {"version": VERSION, "match": rules.match}
    if rules.match == ADVANCED:
        form["logic"] = rules.logic
    form["filters"] = [dump_filter(item) for item in rules.filters]
    return form


def dump_filter(item: Filter) -> dict[str, Any]:
    """The JSON form of one filter."""
    return {"kind": FILTERS.name_of(item), **_dump_part(item)}


FILTERS = Kinds(
    {
        "person_field": PersonField,
        "activity": Activity,
        "sequence": Sequence,
        "static_list": StaticList,
        "smart_list": SmartList,
        "consent": Consent,
        "object": Object,
    }
)
_NAMES = {"is_not": "not", "before": "from", "after": "to"}
_ATTRIBUTES = {name: attribute for attribute, name in _NAMES.items()}
_ALWAYS = frozenset({"did", "has", "member"})  # written even if they have their default value


def _dump_part(item: Any) -> dict[str, Any]:
    form: dict[str, Any] = {}
    for part in fields(item):
        value = getattr(item, part.name)
        if value != part.default or part.name in _ALWAYS:
            form[_NAMES.get(part.name, part.name)] = _dump_value(value)
    return form


def _dump_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_dump_value(part) for part in value]
    return value if isinstance(value, str | int) else _dump_part(value)


def _load_filter(form: Mapping[str, Any]) -> Filter:
    item: Filter = _create(
        FILTERS.classes[form["kind"]], {name: value for name, value in form.items() if name != "kind"}
    )
    return item


_PARTS: Mapping[str, type] = {
    "constraints": Constraint,
    "steps": Step,
    "changed": Change,
    "count": Count,
    "aggregate": Aggregate,
}


def _create(cls: type, form: Mapping[str, Any]) -> Any:
    return cls(**{_ATTRIBUTES.get(name, name): _part(name, value) for name, value in form.items()})


def _part(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_create(_PARTS[name], part) if isinstance(part, dict) else part for part in value)
    return _create(_PARTS[name], value) if isinstance(value, dict) else value


def activity_fields_of(item: Filter) -> Iterator[tuple[str, str]]:
    """Yield (activity type, field) for every activity field in a filter."""
    yield from ACTIVITY_FIELDS.of(item)(item)


def activity_types_of(item: Filter) -> Iterator[str]:
    """Yield the API names of the activity types in a filter."""
    yield from ACTIVITY_TYPES.of(item)(item)


def object_fields_of(item: "Object") -> Iterator[str]:
    """Yield every field of its object type that a filter names."""
    yield from (constraint.field for constraint in item.constraints)
    if item.changed and item.changed.field:
        yield item.changed.field
    if item.aggregate:
        yield item.aggregate.field


def object_types_of(item: Filter) -> Iterator[str]:
    """Yield the API names of the object types in a filter."""
    yield from OBJECT_TYPES.of(item)(item)


def _fields_of_activity(item: Activity) -> Iterator[tuple[str, str]]:
    yield from ((item.type, constraint.field) for constraint in item.row_constraints)
    if item.aggregate:
        yield item.type, item.aggregate.field


def _fields_of_sequence(item: Sequence) -> Iterator[tuple[str, str]]:
    for step in item.steps:
        yield from ((step.type, constraint.field) for constraint in step.row_constraints)


def _no_names(_item: Any) -> tuple[()]:
    return ()


ACTIVITY_FIELDS: Facet[Callable[[Any], Iterable[tuple[str, str]]]] = FILTERS.facet(
    "activity fields that it names",
    {
        "person_field": _no_names,
        "activity": _fields_of_activity,
        "sequence": _fields_of_sequence,
        "static_list": _no_names,
        "smart_list": _no_names,
        "consent": _no_names,
        "object": _no_names,
    },
)
ACTIVITY_TYPES: Facet[Callable[[Any], Iterable[str]]] = FILTERS.facet(
    "activity types that it names",
    {
        "person_field": _no_names,
        "activity": lambda item: (item.type,),
        "sequence": lambda item: (step.type for step in item.steps),
        "static_list": _no_names,
        "smart_list": _no_names,
        "consent": _no_names,
        "object": _no_names,
    },
)
OBJECT_TYPES: Facet[Callable[[Any], Iterable[str]]] = FILTERS.facet(
    "object types that it names",
    {
        "person_field": _no_names,
        "activity": _no_names,
        "sequence": _no_names,
        "static_list": _no_names,
        "smart_list": _no_names,
        "consent": _no_names,
        "object": lambda item: (item.type,),
    },
)
