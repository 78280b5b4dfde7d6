"""Makers of events that wait in the inbox, at any time and of any visitor."""

import itertools
import json
from datetime import timedelta

from django.utils import timezone

from activities.models import Sighting, WaitingEvent
from activities.visitors import partitions
from tests.activities.visitors.factories import make_site

_numbers = itertools.count(1)


def make_sighting(source=None, name="Deposit Check", name_key="depositcheck", **values):
    partitions.forget_partitions()
    return Sighting.objects.create(
        source=source or make_site(), kind=values.pop("kind", "event"), name=name, name_key=name_key, **values
    )


def make_event(sighting, visitor, association=None, *, minutes=0, name="Deposit Check", **properties):
    """An event that came so many minutes from now, with its owner at that moment."""
    raw = json.dumps({"name": name, "properties": properties or {"check": "1"}, "library": ""})
    moment = timezone.now() + timedelta(minutes=minutes)
    event = WaitingEvent.objects.create(
        sighting=sighting,
        visitor_id=visitor.pk,
        association_id=association and association.pk,
        message_id=f"w-{next(_numbers)}",
        received_at=moment,
        occurred_at=moment,
        raw=raw,
    )
    sighting.kept, sighting.kept_bytes = sighting.kept + 1, sighting.kept_bytes + len(raw)
    sighting.save(update_fields=["kept", "kept_bytes"])
    return event


def numbers(replay):
    """The numbers of events of a replay: (recorded, refused)."""
    return replay.recorded, replay.refused
