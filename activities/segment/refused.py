"""Rows of refused messages for the quarantine: recorded from there, each is the same message."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from activities.models import EventSource
from activities.recording.rows import NewActivity, PersonLookup
from activities.segment.people import Who, email_or_none, read_id, read_message_id, read_who
from activities.segment.times import MessageTimes, message_times
from activities.sources.authentication import Sender
from activities.tracking.reading import Client, storable_text
from people.core.errors import RejectedError

T = TypeVar("T")
# members set by the client once: none that a retry changes
SAID = (
    *("type", "event", "name", "category", "userId", "anonymousId", "groupId", "previousId"),
    *("timestamp", "originalTimestamp", "properties", "traits"),
)
EVENTS = ("track", "page", "screen")


def refused_event(
    source: EventSource, who: Who, name: str | None, at: datetime | Any, values: Mapping[str, Any], message_id: str
) -> NewActivity:
    """The row of an event; `message_id`: empty for none."""
    external_id = f"e{source.pk}:{message_id}" if message_id else None
    return NewActivity(_person(who, source), name, at, None, list(values.items()), external_id)


def refused_message(raw: Any, context: Mapping[str, Any], sent_at: Any, client: Client) -> NewActivity | None:
    """The row of a message with a bad member, with the others as far as they can be read; None for what is no object.

    Of other messages than events all members of the client are kept, in place of an event's properties.
    """
    if not isinstance(raw, dict):
        return None
    moment = _readable(
        lambda: message_times(raw, sent_at, client.received, client.sender.is_server),
        MessageTimes(client.received, None),
    )
    at = moment.occurred_at
    if moment.client_at is None:
        at = raw.get("originalTimestamp") or raw.get("timestamp") or at
    name, values = _described(raw)
    message_id = _readable(lambda: read_message_id(raw), "")
    return refused_event(client.source, readable_who(raw, context, client.sender), name, at, values, message_id)


def readable_who(raw: Any, context: Mapping[str, Any], sender: Sender) -> Who:
    """The ids of a message, as far as they can be read."""
    members = raw if isinstance(raw, dict) else {}
    ids = [_readable(lambda name=name: read_id(members, name), "") for name in ("userId", "anonymousId")]  # type: ignore[misc]
    return _readable(lambda: read_who(members, context, sender), Who(sender, ids[0], ids[1], proves=sender.is_server))


def viewed_name(raw: Mapping[str, Any], what: str) -> str:
    """Segment's own names for pages and screens as events: "Viewed Home Screen"."""
    properties = raw.get("properties")
    name = raw.get("name") or (properties.get("name") if isinstance(properties, dict) else None)
    middle = f" {storable_text(name).strip()}" if isinstance(name, str) and name.strip() else ""
    return f"Viewed{middle} {what}"


def _described(raw: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any]]:
    kind, event, properties = raw.get("type"), raw.get("event"), raw.get("properties")
    name = viewed_name(raw, str(kind).title()) if kind in ("page", "screen") else event
    if kind in EVENTS and isinstance(name, str) and (properties is None or isinstance(properties, dict)):
        return name, properties or {}
    return None, {member: raw[member] for member in SAID if raw.get(member) is not None}


def _person(who: Who, source: EventSource) -> PersonLookup | None:
    if who.proves and who.user_id and source.user_id_field:
        return PersonLookup(who.user_id, source.user_id_field, True)
    if who.proves and (email := who.email or email_or_none(who.user_id)):
        return PersonLookup(email, "email", True)
    return None


def _readable(read: Callable[[], T], otherwise: T) -> T:
    try:
        return read()
    except RejectedError:
        return otherwise
