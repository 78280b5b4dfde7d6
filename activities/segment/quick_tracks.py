"""The commonest messages, read in less than a third of the time: a program's `track` of a known type, by a user id,
with flat properties whose values are in their commonest forms.

For such a message the result is exactly that of `messages.read_messages`; for any other it is None, and the message is
read there. What is the same for all messages of a request, or of an event's name, is worked out once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Any

from django.conf import settings

from activities.inbox.decisions import decision_of
from activities.inbox.mapping import EVENT_NAME, State, fitting_value, paths_of_fields
from activities.inbox.names import MAX_NAME, clean_name, name_key
from activities.recording.rows import NewActivity
from activities.recording.schema import MAX_ATTRIBUTES_BYTES, Schema
from activities.segment.people import MAX_ID, Who
from activities.segment.refused import SAID
from activities.segment.times import moment_of_server, read_sent
from activities.segment.wire import MAX_DEPTH, MAX_MESSAGE, Envelope, library_text
from activities.sources.recent import MAX_TITLE
from activities.tracking.reading import Client, ReceivedEvent, content_digest, storable_text
from activities.tracking.undefined import seen_properties
from activities.tracking.wire import why_not_kept
from activities.visitors.blocked_identifiers import is_blocked
from activities.visitors.hits import Hit, VisitorKey
from activities.visitors.partitions import earlier_day, known_days, sent_day
from people.datatypes import exact_json
from people.datatypes.fast import is_plain_text, parse_utc_moment
from people.datatypes.parsing import MAX_STRING

# members of a context that decide whose message it is, or whether it is kept
_OF_CONTEXT = frozenset({"consent", "ip", "signature", "traits", "userAgent"})
_SAID = frozenset(SAID)
_SCALARS = frozenset({str, int, bool, Decimal})
_SCALARS_AND_NONE = _SCALARS | {type(None)}
MAX_PROPERTIES = 64  # of an event whose layout is remembered
_NOTHING: Mapping[str, Any] = {}
ReadRow = Callable[[Any], NewActivity | None]


@dataclass(frozen=True, slots=True)
class _Layout:
    """The targets of the values of properties with certain names: the path of the primary value; (path, the JSON text
    before the value, the quick form of its data type, the data type) of the others in the order of the text; the paths
    that no field takes."""

    primary: str
    values: tuple[tuple[str, str, Callable[[Any], str | None], str], ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Event:
    """The common part of all events of one name: the type that takes them, and the mapped fields."""

    name: str
    title: str
    type_id: int
    version: int
    schema: Schema
    fields: tuple[tuple[str, str], ...]


class QuickReader:
    """Reads messages of one request. `read_row`: what the quarantine keeps of a message that is refused later."""

    def __init__(self, envelope: Envelope, client: Client, types: Any, read_row: ReadRow) -> None:
        source = client.source
        self._types, self._client, self._read_row = types, client, read_row
        self.is_usable = (
            client.sender.is_server
            and not envelope.integrations
            and _OF_CONTEXT.isdisjoint(envelope.context)
            and why_not_kept(client, "unknown") is None
        )
        self._library = envelope.context.get("library")
        self._received, self._sent = client.received, read_sent(envelope.sent_at)
        self._latest = client.received + timedelta(hours=settings.ACTIVITIES_MAX_HOURS_AHEAD)
        self._today = client.received.date()
        self._days = known_days(self._today)
        self._site_group, self._source_id, self._is_bot = source.site_group, source.pk, client.agent.is_bot
        self._events: dict[str, _Event | None] = {}
        self._people: dict[str | int, tuple[VisitorKey, dict[str, Any]] | None] = {}

    def read(self, raw: Any) -> ReceivedEvent | None:
        """The item of a message; None for one that has to be read carefully."""
        if type(raw) is not dict or raw.get("type") != "track" or not _is_plain(raw):
            return None
        event, who, at = self._event(raw.get("event")), self._who(raw), parse_utc_moment(raw.get("timestamp"))
        if event is None or who is None or at is None:
            return None
        occurred = moment_of_server(at, self._sent, self._received)
        values = _values(event, raw.get("properties"))
        if values is None or occurred > self._latest:
            return None
        message_id, (visitor, identity), context = raw["messageId"], who, raw.get("context") or _NOTHING
        library = library_text(context.get("library", self._library))
        primary, attributes, unknown = values
        hit = self._hit(message_id, visitor, at, occurred, content_digest(_said(raw)))
        hit.type_id, hit.version, hit.primary_value, hit.attributes = event.type_id, event.version, primary, attributes
        hit.identity = identity
        item = ReceivedEvent(message_id, [hit], kind="track", title=event.title, visitor=visitor)
        item.type_id, item.library, item.later_row = event.type_id, library, (self._read_row, raw)
        if unknown:
            item.seen = seen_properties(self._source_id, event.type_id, library, unknown)
        return item

    def _hit(self, message_id: str, visitor: VisitorKey, at: datetime, occurred: datetime, digest: bytes) -> Hit:
        first, end = self._days
        day = at.date()
        is_inside = first <= day < end
        return Hit(
            self._source_id,
            visitor,
            message_id,
            day if is_inside else sent_day(at, self._today),
            digest,
            occurred,
            at,
            is_bot=self._is_bot,
            earlier_day=None if is_inside else earlier_day(at, self._today),
            is_hint=True,
            is_from_server=True,
        )

    def _event(self, name: Any) -> _Event | None:
        """The type of an event; None for a name that needs a decision, or whose type is read carefully."""
        if type(name) is not str:
            return None
        if name not in self._events:
            self._events[name] = self._find_event(name)
        return self._events[name]

    def _find_event(self, name: str) -> _Event | None:
        if not name_key(name) or len(name) > MAX_NAME:
            return None
        cleaned = clean_name(name)
        decision = decision_of(self._types.decisions, self._source_id, name_key(cleaned))
        schema = None if decision.state == State.BLOCKED else self._types.find_event(cleaned, decision)
        if schema is None or not schema.takes_plain_primary:
            return None
        title = storable_text(name)[:MAX_TITLE]
        return _Event(cleaned, title, schema.type_id, schema.number, schema, tuple(decision.fields.items()))

    def _who(self, raw: Mapping[str, Any]) -> tuple[VisitorKey, dict[str, Any]] | None:
        """The visitor of a user id and the identity that the message claims; None where the ids are no plain ones."""
        user_id, anonymous_id = raw.get("userId"), raw.get("anonymousId")
        if type(user_id) is not str and type(user_id) is not int:
            return None
        if anonymous_id is not None and not _is_ignored_id(anonymous_id):
            return None
        if user_id not in self._people:
            self._people[user_id] = self._find_who(user_id)
        return self._people[user_id]

    def _find_who(self, user_id: str | int) -> tuple[VisitorKey, dict[str, Any]] | None:
        text = str(user_id) if type(user_id) is str or abs(user_id) < 2**63 else ""  # type: ignore[arg-type]
        if not _is_plain_id(text, MAX_STRING) or is_blocked(text):
            return None
        who = Who(self._client.sender, text, "", proves=True)
        identity = who.identity()
        return None if identity is None else (who.user_visitor, identity)


def _is_plain(raw: Mapping[str, Any]) -> bool:
    """True for a message of modest size with members of common forms only."""
    message_id, context = raw.get("messageId"), raw.get("context")
    if raw.get("integrations") or raw.get("sentAt") is not None or raw.get("originalTimestamp") is not None:
        return False
    if type(message_id) is not str or not _is_plain_id(message_id, MAX_ID):
        return False
    if context is not None and (type(context) is not dict or not _OF_CONTEXT.isdisjoint(context)):
        return False
    text = exact_json.dump_exact_json(raw, str)
    # with so few brackets nothing is nested too deeply; those in texts count, too
    return len(text) <= MAX_MESSAGE and text.count(b"{") + text.count(b"[") <= MAX_DEPTH


def _is_plain_id(text: str, limit: int) -> bool:
    """True for an id that is stored as it was sent."""
    return 0 < len(text) <= limit and text.isascii() and text.isprintable() and " " not in (text[0], text[-1])


def _is_ignored_id(value: Any) -> bool:
    """True for an anonymous id that a user id stands before, and that is no error."""
    return type(value) is str and len(value) <= MAX_STRING and value.isascii()


def _said(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if name in _SAID and value is not None}


def _values(event: _Event, properties: Any) -> tuple[str, str, Mapping[str, Any]] | None:
    """The primary value, the JSON text of the others, and what no field takes; None where one has a rarer form."""
    if type(properties) is not dict:
        return None
    kinds = {*map(type, properties.values())}
    if not kinds <= _SCALARS:
        if not kinds <= _SCALARS_AND_NONE:
            return None
        properties = {name: value for name, value in properties.items() if value is not None}
    if len(properties) > MAX_PROPERTIES:
        return None
    layout = _layout_of(event.schema, event.fields, tuple(properties))
    if layout is None:
        return None
    primary = event.name if layout.primary == EVENT_NAME else properties[layout.primary]
    if not is_plain_text(primary):
        return None
    parts = []
    for path, prefix, quick, data_type in layout.values:
        value = properties[path]
        text = quick(value)
        if text is None:
            if value == "":
                continue
            text = quick(fitting_value(value, data_type))
            if text is None:
                return None
        parts.append(prefix + text)
    attributes = "{" + ", ".join(parts) + "}"
    if len(attributes) * 4 > MAX_ATTRIBUTES_BYTES:
        return None
    return primary, attributes, {path: properties[path] for path in layout.unknown}


@lru_cache(maxsize=1024)
def _layout_of(schema: Schema, fields: tuple[tuple[str, str], ...], paths: tuple[str, ...]) -> _Layout | None:
    """The layout of properties with these names; None where no primary value is among them, or a name is cut."""
    if any(len(path) > MAX_NAME for path in paths):
        return None
    taken = paths_of_fields(schema, dict.fromkeys(paths), dict(fields))
    assert schema.primary is not None
    primary = taken.pop(schema.primary.api_name, None)
    if primary is None or EVENT_NAME in taken.values():
        return None
    used = {primary, *taken.values()}
    values = []
    for api_name, path in taken.items():
        (position, prefix, quick), data_type = schema.place_of(api_name), schema.type_of(api_name)
        assert data_type is not None
        values.append((position, (path, prefix, quick, data_type.name)))
    ordered = tuple(value for _position, value in sorted(values, key=itemgetter(0)))
    return _Layout(primary, ordered, tuple(path for path in paths if path not in used))
