"""The events that wait under a name: what they hold, their shapes, and the type that would take them now."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import F, Func, IntegerField

from activities.inbox.names import flatten, name_key
from activities.inbox.shapes import Shape, shape_of, shapes_of
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
    return list(sighting.events.order_by("-pk")[:number])


def shapes(sighting: Sighting) -> Sequence[Shape]:
    """The properties of the newest events that wait; of a property or trait its own samples."""
    if sighting.kind != Sighting.Kind.EVENT:
        return [shape_of(sighting.name, sighting.samples, len(sighting.samples))] if sighting.samples else []
    return shapes_of(flatten(content_of(event)["properties"]) for event in _looked_at(sighting))


def _looked_at(sighting: Sighting) -> Iterable[WaitingEvent]:
    """The newest events, as many as may be read for one page: their sizes are asked first."""
    size = Func(F("raw"), function="octet_length", output_field=IntegerField())
    sizes = sighting.events.order_by("-pk").values_list("pk", size)[:LOOKED_AT]
    wanted, total = [], 0
    for pk, own in sizes:
        total += own
        if wanted and total > LOOKED_AT_BYTES:
            break
        wanted.append(pk)
    return sighting.events.filter(pk__in=wanted).order_by("-pk").iterator()


def type_for(sighting: Sighting) -> ActivityType | None:
    """The approved type that takes events of this name now: the one that was decided, else the one with the name."""
    types = ActivityType.objects.filter(live__isnull=False, retired_at=None, deleted_at=None, is_standard=False)
    types = types.select_related("live")
    if sighting.state == Sighting.State.MAPPED:
        return types.filter(pk=sighting.activity_type_id).first() if sighting.activity_type_id else None
    if sighting.state != Sighting.State.NEW or sighting.kind != Sighting.Kind.EVENT:
        return None
    keys = {known: {name_key(known.api_name), name_key(str(known))} for known in types}
    matching = [known for known, own in keys.items() if sighting.name_key in own]
    return matching[0] if len(matching) == 1 else None


def names_waiting_for(activity_type: ActivityType) -> list[Sighting]:
    """The names with waiting events that this approved type takes."""
    names = Sighting.objects.filter(kind=Sighting.Kind.EVENT, kept__gt=0).select_related("source")
    return [sighting for sighting in names.order_by("-kept")[:1_000] if type_for(sighting) == activity_type]
