"""CloudEvents in a request: structured, as a batch, or binary, with attributes as headers and the data as the body."""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from activities.segment.wire import MAX_MESSAGES
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value
from people.core.messages import sentence as _
from people.datatypes import exact_json

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
PREFIX = "ce-"
MAX_ATTRIBUTES = 50  # of a binary event


@dataclass(frozen=True, slots=True)
class Events:
    """The events of one request. `beyond`: the number of those that were more than a batch may have."""

    events: list[Any]
    beyond: int = 0

    def names(self) -> list[str]:
        """The types of the events, as far as they can be read."""
        return [name for event in self.events if isinstance(event, dict) and isinstance(name := event.get("type"), str)]


def is_supported(content_type: str, headers: Mapping[str, str]) -> bool:
    """True where the head of a request announces CloudEvents in a form that is read here."""
    kind = media_type(content_type)
    return kind in (STRUCTURED, BATCH) or (not kind.startswith("application/cloudevents") and "ce-id" in headers)


def parse_events(content_type: str, headers: Mapping[str, str], body: bytes) -> Events:
    """The events of a request that `is_supported`; `headers` by their names in lower case.

    Raises `RejectedError` (`invalid_json`, `wrong_type`): nothing of it is kept.
    """
    kind = media_type(content_type)
    if kind == BATCH:
        events = _json(body)
        if not isinstance(events, list):
            raise RejectedError(bad_value(Code.WRONG_TYPE, _("a list"), events))
        return Events(events[:MAX_MESSAGES], max(0, len(events) - MAX_MESSAGES))
    if kind == STRUCTURED:
        event = _json(body)
        if not isinstance(event, dict):
            raise RejectedError(bad_value(Code.WRONG_TYPE, _("an object"), event))
        return Events([event])
    return Events([_binary_event(kind, headers, body)])


def media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def is_json(kind: str) -> bool:
    """True for the media types whose data is JSON; data without a type is JSON, too."""
    return not kind or kind.endswith(("/json", "+json"))


def decode_data(text: str, kind: str) -> Any:
    """The value of `data_base64`: parsed where its type is JSON, else as it was sent. Raises `RejectedError`."""
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("base64"), text, "data_base64")) from None
    return _json(data) if is_json(kind) else text


def _json(body: bytes) -> Any:
    try:
        return exact_json.load_exact_json(body)
    except exact_json.InvalidJSONError:
        raise RejectedError(Problem(Code.INVALID_JSON, _("the body is not JSON"))) from None


def _binary_event(kind: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The event in its structured form, so that both forms of one event are the same."""
    names = [name for name in headers if name.startswith(PREFIX)][:MAX_ATTRIBUTES]
    event: dict[str, Any] = {name.removeprefix(PREFIX): _header_text(headers[name]) for name in names}
    event.pop("data", None)
    if kind:
        event["datacontenttype"] = kind
    if body and is_json(kind):
        event["data"] = _json(body)
    elif body:
        try:
            event["data"] = body.decode()
        except UnicodeDecodeError:
            event["data_base64"] = b64encode(body).decode()
    return event


def _header_text(value: str) -> str:
    """The text of an attribute: quotes around it are dropped, and percent-encoding is UTF-8."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return unquote(value, errors="replace")
