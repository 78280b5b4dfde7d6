"""The definition of a mapping, read and checked, and the activities that it makes of a call."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from activities.inbound.paths import is_path, path_label, split_at_each, value_at
from activities.inbox.mapping import fitting_value
from activities.inbox.names import plain_number
from activities.models import ActivityType, ApprovedField
from activities.recording.rows import NewActivity, PersonLookup
from activities.recording.schema import Schema, schema_of_version
from activities.segment.times import parse_sent_moment
from people import lookup as people_lookup
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value, refuse_if
from people.core.messages import sentence as _
from people.datatypes import exact_json
from people.datatypes.canonical import plain_decimal

MAX_ITEMS = 500  # activities of one call
MAX_CONSTANT = 2_000
MAX_WORDS = 50  # values of the calls that a mapping takes
MAX_FIELDS = 200
MAX_ID_DIGITS = 30
PARTS = frozenset({"when", "person", "occurred_at", "primary", "attributes"})
IN_HUNDREDTHS = frozenset({"integer", "float", "currency"})  # data types whose values may be sent in cents


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of one value: a place in the call, or a constant. `is_hundredths`: it counts cents."""

    path: tuple[Any, ...] = ()
    constant: str = ""
    is_hundredths: bool = False


@dataclass(frozen=True, slots=True)
class CallMapping:
    """A definition that was read. `occurred_at`: None for the moment at which the call came."""

    when_path: tuple[Any, ...] = ()
    when_values: tuple[str, ...] = ()
    person: Origin | None = None
    person_field: str = "email"
    creates_people: bool = False
    occurred_at: Origin | None = None
    primary: Origin | None = None
    attributes: Mapping[str, Origin] = field(default_factory=dict)

    def origins(self) -> Iterator[Origin]:
        yield from (origin for origin in (self.person, self.occurred_at, self.primary) if origin is not None)
        yield from self.attributes.values()

    def takes(self, content: Any) -> bool:
        """True where the calls of this mapping look like this one."""
        if not self.when_path:
            return True
        value = value_at(content, self.when_path)
        return value is not None and _plain_text(value) in self.when_values

    def list_path(self) -> tuple[Any, ...] | None:
        """The list whose entries become an activity each; None where the call is one activity."""
        lists = (split_at_each(origin.path)[0] for origin in self.origins() if origin.path)
        return next((path for path in lists if path is not None), None)


@dataclass(frozen=True, slots=True)
class MappedRow:
    """One activity of a call, and why it cannot be one."""

    row: NewActivity
    problems: tuple[Problem, ...] = ()


# --- Reading a definition --------------------------------------------------------------------------------------


def parse_definition(value: Any) -> CallMapping:
    """Read a definition. Raises `RejectedError` with every problem, each with its path."""
    problems: list[Problem] = []
    if not isinstance(value, dict):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("an object"), value, "definition"))
    problems += [
        Problem(Code.UNKNOWN_MEMBER, _("Unknown. Known are %(known)s.") % {"known": ", ".join(sorted(PARTS))}, (name,))
        for name in sorted(value.keys() - PARTS)[:20]
    ]
    when_path, when_values = _read_when(value.get("when"), problems)
    person = value.get("person") or {}
    person_field, creates = _read_lookup(person, problems)
    attributes = value.get("attributes") or {}
    if not isinstance(attributes, dict) or len(attributes) > MAX_FIELDS:
        problems.append(bad_value(Code.WRONG_TYPE, _("an object with at most 200 members"), attributes, "attributes"))
        attributes = {}
    origins = {name: _read_origin(origin, ("attributes", name), problems) for name, origin in attributes.items()}
    mapping = CallMapping(
        when_path=when_path,
        when_values=when_values,
        person=_read_origin(_without(person, "field", "create"), ("person",), problems),
        person_field=person_field,
        creates_people=creates,
        occurred_at=_read_origin(value.get("occurred_at"), ("occurred_at",), problems),
        primary=_read_origin(value.get("primary"), ("primary",), problems),
        attributes={name: origin for name, origin in origins.items() if origin is not None},
    )
    lists = {path for origin in mapping.origins() if (path := split_at_each(origin.path)[0]) is not None}
    if len(lists) > 1:
        message = _("All values of the entries of a list have to come from one list.")
        problems.append(Problem(Code.WRONG_TYPE, message, ("attributes",)))
    refuse_if(problems)
    return mapping


def _read_when(value: Any, problems: list[Problem]) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    if value is None:
        return (), ()
    words: Any = value.get("values") if isinstance(value, dict) else None
    path: Any = value.get("path") if isinstance(value, dict) else None
    if not is_path(path) or split_at_each(path)[0] is not None:
        problems.append(bad_value(Code.WRONG_TYPE, _("the place of a value, as a list of steps"), path, "when", "path"))
        return (), ()
    is_list = isinstance(words, list) and 0 < len(words) <= MAX_WORDS
    if not is_list or not all(isinstance(word, str) and 0 < len(word) <= MAX_CONSTANT for word in words or ()):
        problems.append(bad_value(Code.WRONG_TYPE, _("1 to 50 texts"), words, "when", "values"))
        return (), ()
    return tuple(path), tuple(words or ())


def _read_lookup(person: Any, problems: list[Problem]) -> tuple[str, bool]:
    name = person.get("field", "email") if isinstance(person, dict) else "email"
    create = person.get("create", False) if isinstance(person, dict) else False
    fields = people_lookup.lookup_fields()
    if name not in fields:
        problems.append(bad_value(Code.UNKNOWN_LOOKUP_FIELD, ", ".join(fields), name, "person", "field"))
        name = "email"
    if type(create) is not bool:
        problems.append(bad_value(Code.WRONG_TYPE, _("true or false"), create, "person", "create"))
    return name, create is True


def _without(value: Any, *names: str) -> Any:
    return {name: member for name, member in value.items() if name not in names} if isinstance(value, dict) else value


def _read_origin(value: Any, place: tuple[str, ...], problems: list[Problem]) -> Origin | None:
    if value is None or value == {}:
        return None
    members = value if isinstance(value, dict) else {}
    path: Any
    path, constant, hundredths = (members.get(name) for name in ("path", "constant", "hundredths"))
    is_known = not members.keys() - {"path", "constant", "hundredths"} and isinstance(hundredths, bool | None)
    if is_known and constant is None and is_path(path):
        return Origin(tuple(path), "", hundredths is True)
    if is_known and path is None and isinstance(constant, str) and 0 < len(constant) <= MAX_CONSTANT:
        return Origin((), constant, hundredths is True)
    expected = _('{"path": […]} or {"constant": "…"}')
    problems.append(bad_value(Code.WRONG_TYPE, expected, value, *place))
    return None


def problems_with_type(mapping: CallMapping, activity_type: ActivityType | None) -> list[Problem]:
    """The problems that keep the mapping from recording the type: no approved type, no person, unknown fields."""
    if activity_type is None:
        return [Problem(Code.MISSING_VALUE, _("Choose the activity type."), ("activity_type",))]
    if activity_type.live_id is None or activity_type.is_standard or activity_type.retired_at is not None:
        message = _("The activity type takes no activities: it has to be one of your own, approved and not retired.")
        return [Problem(Code.UNAPPROVED_TYPE, message, ("activity_type",))]
    problems = []
    if mapping.person is None:
        problems.append(Problem(Code.MISSING_VALUE, _("Choose the value that names the person."), ("person",)))
    schema = schema_of_version(activity_type.live_id)
    if schema.primary is not None and mapping.primary is None:
        message = _("Choose the value of “%(field)s”.") % {"field": schema.primary.name}
        problems.append(Problem(Code.MISSING_VALUE, message, ("primary",)))
    return [*problems, *unknown_fields(mapping, activity_type)]


def unknown_fields(mapping: CallMapping, activity_type: ActivityType | None) -> list[Problem]:
    """A problem for each field that the approved type does not have, or not any more; none without such a type."""
    if activity_type is None or activity_type.live_id is None:
        return []
    schema = schema_of_version(activity_type.live_id)
    names = [name for name in mapping.attributes if schema.type_of(name) is None]
    removed = ApprovedField.objects.filter(activity_type=activity_type, api_name__in=names) if names else ()
    removed_names = {approved.api_name for approved in removed}
    gone = _("the field %(name)s was removed from the activity type")
    none = _("the activity type has no field %(name)s")
    return [
        Problem(Code.UNKNOWN_FIELD, (gone if name in removed_names else none) % {"name": name}, ("attributes", name))
        for name in names
    ]


# --- Mapping a call --------------------------------------------------------------------------------------------


def map_call(mapping: CallMapping, schema: Schema, content: Any, received_at: Any, row_key: str) -> Sequence[MappedRow]:
    """The activities of a call, in order; one with problems where the call as a whole cannot be mapped."""
    path = mapping.list_path()
    if path is None:
        return [_map_item(mapping, schema, content, None, received_at, f"{row_key}:0")]
    items = value_at(content, path)
    if not isinstance(items, list):
        problem = bad_value(Code.WRONG_TYPE, _("a list at %(place)s") % {"place": path_label(path)}, items, "call")
        return [_unmapped_row(schema, received_at, row_key, problem)]
    if len(items) > MAX_ITEMS:
        message = _("at most 500 activities of one call; the list has %(count)s entries") % {"count": len(items)}
        return [_unmapped_row(schema, received_at, row_key, Problem(Code.TOO_MANY_ROWS, message, ("call",)))]
    return [
        _map_item(mapping, schema, content, item, received_at, f"{row_key}:{number}")
        for number, item in enumerate(items)
    ]


def _unmapped_row(schema: Schema, received_at: Any, row_key: str, problem: Problem) -> MappedRow:
    row = NewActivity(None, schema.type_id, received_at.isoformat(), None, (), f"{row_key}:0")
    return MappedRow(row, (problem,))


def _map_item(
    mapping: CallMapping, schema: Schema, content: Any, item: Any, received_at: Any, external_id: str
) -> MappedRow:
    problems: list[Problem] = []
    types = {info.api_name: info.data_type for info in schema.fields}

    def value_of(origin: Origin | None, api_name: str) -> Any:
        value = None if origin is None else _value(origin, content, item)
        data_type = types.get(api_name, "")
        if origin is not None and origin.is_hundredths and data_type in IN_HUNDREDTHS:
            value = _hundredth(value)
        return fitting_value(value, data_type)

    row = NewActivity(
        person=_person(mapping, content, item, problems),
        activity_type=schema.type_id,
        occurred_at=_moment(mapping.occurred_at, content, item, received_at, problems),
        primary_value=value_of(mapping.primary, schema.primary.api_name if schema.primary else ""),
        attributes=[(name, value_of(origin, name)) for name, origin in mapping.attributes.items()],
        external_id=external_id,
    )
    return MappedRow(row, tuple(problems))


def _value(origin: Origin, content: Any, item: Any) -> Any:
    """The value; a list or an object as JSON text."""
    if not origin.path:
        return origin.constant
    path, rest = split_at_each(origin.path)
    value = value_at(content, rest) if path is None else value_at(item, rest)
    return exact_json.dump_exact_json(value, plain_number).decode() if isinstance(value, dict | list) else value


def _person(mapping: CallMapping, content: Any, item: Any, problems: list[Problem]) -> Any:
    origin = mapping.person
    value = None if origin is None else _value(origin, content, item)
    if type(value) is int and len(str(value)) <= MAX_ID_DIGITS:
        value = str(value)
    if isinstance(value, str) and value.strip():
        return PersonLookup(value.strip(), mapping.person_field, mapping.creates_people)
    problems.append(_missing(origin, "person"))
    return None


def _moment(origin: Origin | None, content: Any, item: Any, received_at: Any, problems: list[Problem]) -> str:
    if origin is None:
        return str(received_at.isoformat())
    try:
        moment = parse_sent_moment(_value(origin, content, item), "occurred_at")
    except RejectedError as refusal:
        problems += refusal.problems
        return str(received_at.isoformat())
    if moment is None:
        problems.append(_missing(origin, "occurred_at"))
        return str(received_at.isoformat())
    return moment.isoformat()


def _missing(origin: Origin | None, name: str) -> Problem:
    place = path_label(origin.path) if origin is not None and origin.path else "—"
    return Problem(Code.MISSING_VALUE, _("the call has no value at %(place)s") % {"place": place}, (name,))


def _hundredth(value: Any) -> Any:
    """A number of cents as a number of whole units; anything else unchanged, for the field to refuse."""
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal() and len(value) <= MAX_ID_DIGITS:
        value = int(value)
    if type(value) is int and abs(value) < 10**MAX_ID_DIGITS:
        return Decimal(value).scaleb(-2)
    return value


def _plain_text(value: Any) -> str:
    """A value as the texts of `when` are compared."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return plain_decimal(value) if value.is_finite() and abs(value.adjusted()) < 40 else ""
    if isinstance(value, int):
        return str(value) if abs(value) < 10**MAX_ID_DIGITS else ""
    return value if isinstance(value, str) else ""
