"""The activity type that is proposed for an undefined event, and the existing types that it may be instead."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from activities.inbox.mapping import EVENT_NAME, PRIMARY_VALUE
from activities.inbox.names import name_key, shown_name
from activities.inbox.shapes import PropertyShape
from activities.models import ActivityType, Sighting
from activities.types import name_proposals
from activities.types.definition import ACTIVITY_TYPES
from people.datatypes.registry import CHOICES_FOR_ACTIVITIES

MOST_EVENTS = 0.95  # the share of the events that a primary field has to be in
MAX_PROPOSED = 20
_PRIMARY = ("name", "title", "product", "productname", "plan", "planname", "form", "formname", "id", "url")
_OFFERED = frozenset(name for name, _label in CHOICES_FOR_ACTIVITIES)


@dataclass(frozen=True, slots=True)
class ProposedField:
    """A field for the wizard. `path`: of the property that it takes, or `EVENT_NAME`."""

    path: str
    name: str
    api_name: str
    data_type: str


@dataclass(frozen=True, slots=True)
class ProposedType:
    """`fields`: the first one is primary. `left_out`: the paths of the properties beyond as many fields as proposed."""

    name: str
    fields: tuple[ProposedField, ...]
    left_out: tuple[str, ...] = ()


def propose_type(name: str, shapes: Sequence[PropertyShape]) -> ProposedType:
    """The type for events of this name, with fields for the properties that came most often.

    Without a property for the primary value, the name of the event itself is the primary value.
    """
    primary = _primary(shapes)
    limit = min(ACTIVITY_TYPES.field_limit() or MAX_PROPOSED, MAX_PROPOSED)
    fields: dict[str, ProposedField] = {}
    if primary is None:
        fields["event"] = ProposedField(EVENT_NAME, "Event", "event", "string")
    else:
        field = _field(primary)
        fields[field.api_name.lower()] = field
    for shape in shapes:
        field = _field(shape)
        if shape is not primary and field.api_name and len(fields) <= limit:
            fields.setdefault(field.api_name.lower(), field)
    taken = {field.path for field in fields.values()}
    left_out = tuple(shape.path for shape in shapes if shape.path not in taken)
    return ProposedType(shown_name(name), tuple(fields.values()), left_out)


def propose_field(
    path: str, shape: PropertyShape | None, choices: Sequence[tuple[str, Any]] = CHOICES_FOR_ACTIVITIES
) -> ProposedField:
    """The field for one property; text where it has no values yet. `choices`: the data types that there are."""
    return _field(shape or PropertyShape(path, 0, 0, "string", "string", 1.0, (), ()), {name for name, _ in choices})


def propose_fields(proposal: ProposedType) -> dict[str, str]:
    """The API names of the proposal's fields by the path of their property."""
    return {field.path: field.api_name for field in proposal.fields}


def similar_types(sighting: Sighting) -> list[ActivityType]:
    """Types of the team that may mean the same, the most similar first: "Order Completed" and "Complete Order"."""
    types = list(ActivityType.objects.existing().filter(is_standard=False).select_related("live", "draft"))
    wanted = _stems(sighting.name)
    same = [activity_type for activity_type in types if wanted and _stems(str(activity_type)) == wanted]
    close = name_proposals.similar_names(shown_name(sighting.name), [str(activity_type) for activity_type in types])
    return [*same, *(known for known in types if str(known) in close and known not in same)][:3]


def _primary(shapes: Sequence[PropertyShape]) -> PropertyShape | None:
    usual = [
        shape for shape in shapes if shape.presence >= MOST_EVENTS and shape.data_type in ("string", "link", "email")
    ]
    by_key = {name_key(shape.path): shape for shape in reversed(usual)}
    sent = next((shape for shape in shapes if shape.path == PRIMARY_VALUE and shape.presence >= MOST_EVENTS), None)
    if sent is not None:
        return sent
    return next((by_key[key] for key in _PRIMARY if key in by_key), usual[0] if usual else None)


def _field(shape: PropertyShape, offered: Set[str] = _OFFERED) -> ProposedField:
    name = shown_name(shape.path)
    data_type = shape.data_type if shape.data_type in offered else "string"
    api_name = name_proposals.propose_api_name(name)
    if api_name and not api_name[0].isalpha():
        api_name = f"p{api_name}"
    return ProposedField(shape.path, name, api_name, data_type)


def _stems(name: str) -> frozenset[str]:
    """The words of a name without the endings of English verbs, in no order."""
    words = [word.lower() for word in shown_name(name).split()]
    return frozenset(_stem(word) for word in words)


def _stem(word: str) -> str:
    for ending in ("ed", "es", "e", "s"):
        if len(word) > len(ending) + 2 and word.endswith(ending):
            return word.removesuffix(ending)
    return word
