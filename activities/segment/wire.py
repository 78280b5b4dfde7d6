"""The envelope of Segment's calls: one message, or a batch of them, with any content type."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4, uuid5

import orjson

from activities.tracking.reading import storable_text
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value
from people.core.messages import sentence as _
from people.datatypes import exact_json

MAX_BODY = 512 * 1024  # Segment's 500 KB
MAX_BROWSER_BODY = 128 * 1024  # four messages of the largest size; browsers send a few small ones
MAX_MESSAGE = 32 * 1024
MAX_MESSAGES = 2_500
MAX_DEPTH = 30  # of one message
MAX_KEY = 200
CALLS = {
    **{name: name for name in ("identify", "track", "page", "screen", "group", "alias")},
    **{"i": "identify", "t": "track", "p": "page", "s": "screen", "g": "group", "a": "alias"},
}
BATCHES = frozenset({"batch", "b", "import"})
METRICS = "m"  # of analytics.js about itself
PATHS = frozenset({*CALLS, *BATCHES, METRICS})


@dataclass(slots=True)
class Envelope:
    """The messages of one request with what holds for each of them. `sent_at`: as the client wrote it.

    `beyond`: the number of messages that were more than a batch may have. `key`: of a request that may be read again.
    """

    messages: list[Any]
    write_key: str = ""
    sent_at: Any = None
    context: Mapping[str, Any] = field(default_factory=dict)
    integrations: Mapping[str, Any] = field(default_factory=dict)
    beyond: int = 0
    key: UUID | None = None

    def id_of_message(self, place: int) -> str:
        """The id of a message without one, by its place: the same whenever the request is read."""
        return str(uuid4() if self.key is None else uuid5(self.key, str(place)))

    def event_names(self) -> list[str]:
        """The names of events that may be activity types, as far as they can be read."""
        return [
            name
            for message in self.messages
            if isinstance(message, dict) and isinstance(name := message.get("event"), str)
        ]


def parse_envelope(call: str, body: bytes, *, is_to_check: bool = False) -> Envelope:
    """The messages of a call's body, those that a batch may have.

    `is_to_check`: only to see whether it is one; numbers may have lost digits, for three quarters of the time.

    Raises `RejectedError` (`invalid_json`, `wrong_type`, `too_deep`, `too_large`): nothing of it is kept.
    """
    try:
        value = _load_quickly(body) if is_to_check else exact_json.load_exact_json(body)
    except exact_json.InvalidJSONError:
        raise RejectedError(Problem(Code.INVALID_JSON, _("the body is not JSON"))) from None
    if not isinstance(value, dict):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("an object"), value))
    key = value.get("writeKey")
    write_key = key if isinstance(key, str) and len(key) <= MAX_KEY else ""
    if call in CALLS:
        return Envelope([{**value, "type": CALLS[call]}], write_key, value.get("sentAt"))
    messages = value.get("batch")
    if not isinstance(messages, list):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("a list"), messages, "batch"))
    context, integrations = (_shared(value, name) for name in ("context", "integrations"))
    beyond = max(0, len(messages) - MAX_MESSAGES)
    return Envelope(messages[:MAX_MESSAGES], write_key, value.get("sentAt"), context, integrations, beyond)


def _load_quickly(body: bytes) -> Any:
    """The content of a body, with numbers that are not exact. Raises `InvalidJSONError`."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:  # also of what is read exactly: a lone surrogate, a deep nest
        return exact_json.load_exact_json(body)


def library_text(library: Any) -> str:
    """The name and version of the library that a message's context names, as one text."""
    if not isinstance(library, dict):
        return ""
    return _joined(tuple(part for part in (library.get("name"), library.get("version")) if isinstance(part, str)))


@lru_cache(maxsize=256)
def _joined(parts: tuple[str, ...]) -> str:
    return str(storable_text("/".join(parts)))


def _shared(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The member of a batch that applies to all its messages, bounded as one message is."""
    member = value.get(name)
    if not isinstance(member, dict):
        return {}
    if exact_json.is_deep(member, MAX_DEPTH):
        raise RejectedError(Problem(Code.TOO_DEEP, _("lists and objects are nested too deeply"), (name,)))
    if len(exact_json.dump_exact_json(member, str)) > MAX_MESSAGE:
        raise RejectedError(Problem(Code.TOO_LARGE, _("at most 32 KB for all messages of a batch"), (name,)))
    return member
