"""CloudEvents, read: each is a `track` of the program that sent it, by the same rules, and costs no other.

`type` is the name of the event, `source` and `id` together are the id of the message, `subject` or the extension
attribute `userid` is the user's id, `anonymousid` the visitor's. Where none of them is there, the members `userId` and
`anonymousId` of the data count.
"""

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from activities.cloudevents.wire import Events, decode_data, media_type
from activities.inbox.names import MAX_NAME
from activities.segment.messages import item_beyond, read_messages
from activities.segment.people import MAX_ID, clean_id
from activities.segment.refused import readable_who, refused_event
from activities.segment.wire import MAX_DEPTH, MAX_MESSAGE, Envelope
from activities.sources.recent import MAX_TITLE
from activities.tracking.reading import Client, ReceivedEvent, storable_text
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value
from people.core.messages import sentence as _
from people.datatypes import exact_json
from people.datatypes.parsing import is_blank

VERSION = "1.0"
MAX_SOURCE = 2_000
_SPACES = re.compile(r"\s")
_IDS = {"userId": ("subject", "userid"), "anonymousId": ("anonymousid",)}  # attributes by the member of a message


def read_events(sent: Events, client: Client, types: Any) -> list[ReceivedEvent]:
    """The items of a request, in order. `types`: `LiveTypes`."""
    items = [_item(event, place, client, types) for place, event in enumerate(sent.events)]
    return [*items, item_beyond(len(items), sent.beyond)] if sent.beyond else items


def _item(event: Any, place: int, client: Client, types: Any) -> ReceivedEvent:
    try:
        message = message_of(event)
    except RejectedError as refusal:
        item = ReceivedEvent(f"#{place}", problems=tuple(refusal.problems), kind="track")
        if isinstance(event, dict):
            item.title = _title(event)
            item.visitor = readable_who(_ids(event), {}, client.sender).visitor_or_none
            item.row = _refused_row(event, client)
        return item
    return read_messages(Envelope([message]), client, types)[0]


def message_of(event: Any) -> dict[str, Any]:
    """The event as a message of Segment's `track`. Raises `RejectedError` for what the specification does not allow."""
    if not isinstance(event, dict):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("an object"), event))
    if exact_json.is_deep(event, MAX_DEPTH):
        raise RejectedError(Problem(Code.TOO_DEEP, _("lists and objects are nested too deeply")))
    if len(exact_json.dump_exact_json(event, str)) > MAX_MESSAGE:
        raise RejectedError(Problem(Code.TOO_LARGE, _("at most 32 KB in one message")))
    if event.get("specversion") != VERSION:
        raise RejectedError(bad_value(Code.UNKNOWN_VERSION, VERSION, event.get("specversion"), "specversion"))
    name, source = _text(event, "type", MAX_NAME), _text(event, "source", MAX_SOURCE)
    if _SPACES.search(source):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("a web address, or a path"), source, "source"))
    time = event.get("time")
    if not (time is None or isinstance(time, str)):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("a date and time like 2026-11-20T10:00:00Z"), time, "time"))
    ids, properties = _ids(event), _properties(event)
    if not ids:
        ids = {member: properties.pop(member) for member in _IDS if not is_blank(properties.get(member))}
    if not ids:
        text = _("neither subject, userid nor anonymousid says whose event it is")
        raise RejectedError(Problem(Code.MISSING_VALUE, text, ("subject",)))
    return {
        "type": "track",
        "event": name,
        "messageId": message_id(source, _text(event, "id", MAX_SOURCE)),
        "timestamp": time,
        "properties": properties,
        "context": {"library": {"name": source}},
        **ids,
    }


def message_id(source: str, event_id: str) -> str:
    """One id of what is only together unique. A source has no blanks, so no two pairs have the same text."""
    text = clean_id(f"ce:{source} {event_id}")
    return text if len(text) <= MAX_ID else f"ce:{blake2b(text.encode(), digest_size=20).hexdigest()}"


def _text(event: Mapping[str, Any], name: str, limit: int) -> str:
    value = event.get(name)
    if is_blank(value):
        raise RejectedError(bad_value(Code.MISSING_VALUE, _("text"), value, name))
    if not isinstance(value, str):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("text"), value, name))
    if len(value) > limit:
        expected = _("text, at most %(limit)s characters") % {"limit": limit}
        raise RejectedError(bad_value(Code.TOO_LONG, expected, value, name))
    return value


def _ids(event: Mapping[str, Any]) -> dict[str, Any]:
    """The ids in the attributes, under the names of the members of a message."""
    ids = {
        member: next((event[name] for name in names if not is_blank(event.get(name))), None)
        for member, names in _IDS.items()
    }
    return {member: value for member, value in ids.items() if value is not None}


def _properties(event: Mapping[str, Any]) -> dict[str, Any]:
    """The data as properties; data that is no object is one property with this name. Raises `RejectedError`."""
    data = event.get("data")
    encoded = event.get("data_base64")
    if encoded is not None:
        if data is not None or not isinstance(encoded, str):
            raise RejectedError(bad_value(Code.WRONG_TYPE, _("either data or data_base64"), encoded, "data_base64"))
        kind = event.get("datacontenttype")
        data = decode_data(encoded, media_type(kind) if isinstance(kind, str) else "")
    if isinstance(data, dict):
        return dict(data)
    return {} if data is None else {"data": data}


def _title(event: Mapping[str, Any]) -> str:
    name = event.get("type")
    return storable_text(name)[:MAX_TITLE] if isinstance(name, str) else ""


def _refused_row(event: Mapping[str, Any], client: Client) -> Any:
    """The row for the quarantine: all attributes and the data, as they were sent, in place of an event's properties."""
    time = event.get("time")
    at = client.received if is_blank(time) else time
    try:
        own_id = message_id(_text(event, "source", MAX_SOURCE), _text(event, "id", MAX_SOURCE))
    except RejectedError:
        own_id = ""
    name = event.get("type")
    who = readable_who(_ids(event), {}, client.sender)
    return refused_event(client.source, who, name if isinstance(name, str) else None, at, event, own_id)
