"""Events whose name no activity type has: they wait in the inbox, as was decided about their name."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from activities.inbox.days import MAX_PROPERTIES
from activities.inbox.mapping import Decision
from activities.inbox.sightings import Kind, Seen, seen_values
from activities.models import Sighting
from activities.recording.quarantine.storing import dump_row
from activities.tracking.reading import ReceivedEvent
from activities.visitors.hits import Hit, Waiting
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.messages import sentence as _


def seen_event(source_id: int, name: str, library: str, properties: Mapping[str, Any]) -> Seen:
    """The name of an event, with the names of its first properties."""
    names = tuple(key for key, value in islice(properties.items(), MAX_PROPERTIES) if value is not None)
    return Seen(source_id, Kind.EVENT, name, 0, library, properties=names)


def seen_properties(source_id: int, type_id: int, library: str, unknown: Mapping[str, Any]) -> list[Seen]:
    """The properties of an event that no field of its type takes, by path."""
    return seen_values(Seen(source_id, Kind.PROPERTY, "", type_id, library), unknown)


def refuse_if_blocked(item: ReceivedEvent, seen: Seen, decision: Decision) -> None:
    """Raise `RejectedError` (`not_allowed`) for a name that is blocked; the event is counted, and nothing kept."""
    if decision.state == Sighting.State.BLOCKED:
        item.seen, item.is_blocked = [seen], True
        raise RejectedError(Problem(Code.NOT_ALLOWED, _("events of this name are blocked"), ("event",)))


def keep_waiting(
    item: ReceivedEvent, seen: Seen, decision: Decision, hit: Hit, properties: Mapping[str, Any]
) -> list[Hit]:
    """The hit, which waits until a type takes events of its name; none where they are only counted."""
    item.seen, item.not_kept = [seen], _why_waiting(decision)
    if decision.state == Sighting.State.IGNORED:
        return []
    hit.waiting = Waiting(dump_row({"name": seen.name, "properties": properties, "library": seen.library}))
    return [hit]


def _why_waiting(decision: Decision) -> Problem:
    if decision.state == Sighting.State.IGNORED:
        return Problem(Code.UNKNOWN_TYPE, _("Events of this name are ignored: they are only counted."))
    return Problem(Code.UNKNOWN_TYPE, _("No activity type has this name: the inbox keeps its newest events."))
