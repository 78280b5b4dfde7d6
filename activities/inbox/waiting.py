"""The events that wait under a name: what they hold, their shapes, and the type that would take them now."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import F, Func, IntegerField

from activities.inbox.mapping import Decision, by_unique_key, choose_type, event_types
from activities.inbox.names import flatten_properties
from activities.inbox.shapes import PropertyShape, shape_of, shapes_of
from activities.inbox.sightings import samples_of
from activities.models import ActivityType, Sighting, WaitingEvent
from people.datatypes.canonical import ExactDecoder

LOOKED_AT, LOOKED_AT_BYTES = 1_000, 4_000_000  # of the events from whose properties data types are inferred
SHOWN = 5
_DECODER = ExactDecoder()


def content_of(event: WaitingEvent) -> Mapping[str, Any]:
    """Name, properties and library of an event as they were sent."""
    value: dict[str, Any] = _DECODER.decode(event.raw)
    return value


def newest_events(sighting: Sighting, number: int = SHOWN) -> list[WaitingEvent]:
    """The events that came last, the latest first; many may have happened long before."""
    return list(sighting.events.order_by("-pk")[:number])


def waiting_shapes(sighting: Sighting) -> Sequence[PropertyShape]:
    """The properties of the newest events that wait; of a property or trait its own samples."""
    if sighting.kind != Sighting.Kind.EVENT:
        values = [value for _visitor_id, _at, value in samples_of(sighting)]
        return [shape_of(sighting.name, values, len(values))] if values else []
    return shapes_of(flatten_properties(content_of(event)["properties"]) for event in _looked_at(sighting))


def _looked_at(sighting: Sighting) -> Iterable[WaitingEvent]:
    """The newest events, as many as may be read for one page: their sizes are read first."""
    size = Func(F("raw"), function="octet_length", output_field=IntegerField())
    sizes = sighting.events.order_by("-pk").values_list("pk", size)[:LOOKED_AT]
    wanted: list[int] = []
    total = 0
    for pk, own in sizes:
        total += own
        if wanted and total > LOOKED_AT_BYTES:
            break
        wanted.append(pk)
    return sighting.events.filter(pk__in=wanted).order_by("-pk").iterator()


def type_for(sighting: Sighting) -> ActivityType | None:
    """The approved type that takes events of this name now: the one that was decided, else the one with the name."""
    if sighting.kind != Sighting.Kind.EVENT or not sighting.name_key:
        return None
    types = {row.pk: row for row in event_types().select_related("live")}
    # by the approved names, as a draft may have others
    named = [(name, pk) for pk, row in types.items() if row.live for name in (row.live.name, row.api_name)]
    decision = Decision(sighting.state, sighting.activity_type_id)
    pk = choose_type(sighting.name_key, decision, by_unique_key(named), {pk: pk for pk in types})
    return types.get(pk) if pk is not None else None
