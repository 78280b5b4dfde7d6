"""Messages of Segment's clients, read: each becomes hits, names for the inbox, or a refusal, and costs no other."""

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from activities.inbox.decisions import decision_of
from activities.inbox.mapping import check_event
from activities.inbox.names import clean_name, name_key
from activities.inbox.sightings import Kind, Seen, seen_values
from activities.recording.rows import NewActivity
from activities.segment.people import Traits, Who, read_id, read_message_id, read_traits, read_who
from activities.segment.quick_tracks import QuickReader
from activities.segment.refused import SAID, readable_who, refused_event, refused_message, viewed_name
from activities.segment.times import MessageTimes, message_times
from activities.segment.wire import MAX_DEPTH, MAX_MESSAGE, Envelope, library_text
from activities.sources.recent import MAX_KIND, MAX_TITLE
from activities.tracking.addresses import kept_ip_address, parse_address
from activities.tracking.agents import Agent, parse_agent
from activities.tracking.reading import Client, EventContext, Reader, ReceivedEvent, content_digest, storable_text
from activities.tracking.undefined import keep_waiting, refuse_if_blocked, seen_event, seen_properties
from activities.tracking.wire import why_not_kept
from activities.visitors.hits import Hit
from activities.visitors.partitions import earlier_day, sent_day
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value
from people.core.messages import sentence as _
from people.datatypes import exact_json

OUR_NAME = "Custom Activities"  # in `integrations`
MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class Message:
    """One message whose common members are checked."""

    id: str
    raw: Mapping[str, Any]
    context: Mapping[str, Any]
    integrations: Mapping[str, Any]
    who: Who
    moment: MessageTimes

    @property
    def library(self) -> str:
        return library_text(self.context.get("library"))

    @property
    def is_backfill(self) -> bool:
        options = self.integrations.get(OUR_NAME)
        return isinstance(options, dict) and options.get("backfill") is True

    def content_for_digest(self) -> dict[str, Any]:
        """The members that the client sent, for the digest: none depends on the time of arrival."""
        return {name: self.raw[name] for name in SAID if self.raw.get(name) is not None}


@dataclass(frozen=True, slots=True)
class MessageReader(Reader):
    """Turns one message into hits, with its own time and visitor."""

    message: Message

    def hit(
        self,
        context: EventContext | None = None,
        type_id: int | None = None,
        version: int | None = None,
        primary_value: str | None = None,
        attributes: str = "{}",
        identity: dict[str, Any] | None = None,
    ) -> Hit:
        message, moment = self.message, self.message.moment
        today = self.client.received.date()
        return Hit(
            source_id=self.client.source.pk,
            visitor=message.who.visitor,
            message_id=message.id,
            sent_day=sent_day(moment.client_at, today),
            digest=content_digest(message.content_for_digest()),
            occurred_at=moment.occurred_at,
            client_at=moment.client_at,
            type_id=type_id,
            version=version,
            primary_value=primary_value,
            attributes=attributes,
            identity=identity,
            is_bot=self.client.agent.is_bot,
            earlier_day=earlier_day(moment.client_at, today),
            is_backfill=message.is_backfill,
            is_from_server=self.client.sender.is_server,
        )

    def with_hint(self, hit: Hit) -> Hit:
        """The hit with the message's identity of its visitor, kept while the visitor has no owner."""
        if self.message.who.proves:
            hit.identity, hit.is_hint = self.message.who.identity(), True
        return hit


def read_messages(envelope: Envelope, client: Client, types: Any) -> list[ReceivedEvent]:
    """The items of a request, in order. `types`: `LiveTypes`."""
    if client.sender.is_server:  # behind a program there is another client, or none
        client = replace(client, agent=Agent(""), ip_address="")
    quick = QuickReader(envelope, client, types, lambda raw: read_carefully(raw, 0, envelope, client, types).row)
    items = [
        (quick.read(raw) if quick.is_usable else None) or read_carefully(raw, place, envelope, client, types)
        for place, raw in enumerate(envelope.messages)
    ]
    return [*items, item_beyond(len(items), envelope.beyond)] if envelope.beyond else items


def item_beyond(place: int, beyond: int) -> ReceivedEvent:
    """The refusal of all messages beyond the limit together: of too many not even an item each is made."""
    number = [("messages", beyond)]
    problem = Problem(Code.TOO_MANY_ROWS, _("at most 2,500 messages in one batch"), ("batch",))
    item = ReceivedEvent(f"#{place}", problems=(problem,), row=NewActivity(None, None, None, None, number))
    item.kind, item.title = "batch", f"+{beyond}"
    return item


def read_carefully(raw: Any, place: int, envelope: Envelope, client: Client, types: Any) -> ReceivedEvent:
    """The item of any message. `client`: as it is for all of the request's messages; `place`: among these."""
    item = ReceivedEvent(f"#{place}")
    item.kind, item.title = _describe(raw)
    context, integrations = (
        _merged(_object(raw, name), shared)
        for name, shared in (("context", envelope.context), ("integrations", envelope.integrations))
    )
    item.not_kept = _why_not_kept(context, integrations, client)
    if item.not_kept is not None:  # nothing of it is read, or kept for review
        return item
    try:
        message = _message(raw, context, integrations, envelope, place, client)
        item.id, item.visitor = message.id, message.who.visitor
        item.hits = KINDS[raw["type"]](MessageReader(_client_of(message, client), types, None, 0, message), item)
    except RejectedError as refusal:
        item.problems, item.seen = tuple(refusal.problems), item.seen if item.is_blocked else []
        if item.row is None and not item.is_blocked:
            item.visitor = readable_who(raw, context, client.sender).visitor_or_none
            item.row = refused_message(raw, context, envelope.sent_at, client)
    return item


def _describe(raw: Any) -> tuple[str, str]:
    if not isinstance(raw, dict):
        return "", ""
    kind, name = raw.get("type"), raw.get("event") or raw.get("name")
    texts = (storable_text(value) if isinstance(value, str) else "" for value in (kind, name))
    return next(texts)[:MAX_KIND], next(texts)[:MAX_TITLE]


def _message(
    raw: Any,
    context: Mapping[str, Any],
    integrations: Mapping[str, Any],
    envelope: Envelope,
    place: int,
    client: Client,
) -> Message:
    """The message with its common members checked. Raises `RejectedError`."""
    if not isinstance(raw, dict):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("an object"), raw))
    if exact_json.is_deep(raw, MAX_DEPTH):
        raise RejectedError(Problem(Code.TOO_DEEP, _("lists and objects are nested too deeply")))
    if len(exact_json.dump_exact_json(raw, str)) > MAX_MESSAGE:
        raise RejectedError(Problem(Code.TOO_LARGE, _("at most 32 KB in one message")))
    if raw.get("type") not in KINDS if isinstance(raw.get("type"), str) else True:
        raise RejectedError(bad_value(Code.UNKNOWN_TYPE, ", ".join(KINDS), raw.get("type"), "type"))
    # without an id it is another message each time that it is sent: repeats cannot be recognised
    message_id = read_message_id(raw) or envelope.id_of_message(place)
    moment = message_times(raw, envelope.sent_at, client.received, client.sender.is_server)
    return Message(message_id, raw, context, integrations, read_who(raw, context, client.sender), moment)


def _merged(own: Mapping[str, Any], shared: Mapping[str, Any]) -> Mapping[str, Any]:
    """The members of a message before those of its batch, which are not copied for each message."""
    return ChainMap(own, shared) if own and shared else own or shared  # type: ignore[arg-type]


def _object(value: Any, name: str) -> Mapping[str, Any]:
    member = value.get(name) if type(value) is dict or isinstance(value, Mapping) else None
    return member if isinstance(member, dict) else {}


def _client_of(message: Message, client: Client) -> Client:
    """The client as a program's message describes it; where it does not, nothing is known of it."""
    agent, address = message.context.get("userAgent"), message.context.get("ip")
    if not client.sender.is_server or not (isinstance(agent, str) or isinstance(address, str)):
        return client
    return replace(
        client,
        agent=parse_agent(agent) if isinstance(agent, str) and agent.strip() else Agent(""),
        ip_address=kept_ip_address(address) if isinstance(address, str) else "",
    )


def _why_not_kept(context: Mapping[str, Any], integrations: Mapping[str, Any], client: Client) -> Problem | None:
    """The reason to acknowledge the message and not keep it: its own `integrations`, or the visitor's consent."""
    ours = integrations.get(OUR_NAME)
    if ours is False or (ours is None and integrations.get("All") is False):
        return Problem(Code.NOT_ALLOWED, _("The sender excludes this product."))
    consent = _object(context, "consent").get("categoryPreferences")
    state = "unknown"
    if isinstance(consent, dict) and consent:
        # a manager of consents always grants what is strictly necessary: one category that is not granted is a no
        state = "granted" if all(value is True for value in consent.values()) else "denied"
    return why_not_kept(client, state)


# --- Kinds of messages -----------------------------------------------------------------------------------------


def _track(reader: MessageReader, item: ReceivedEvent) -> list[Hit]:
    name = reader.message.raw.get("event")
    if not isinstance(name, str) or not name_key(name):
        raise RejectedError(bad_value(Code.MISSING_VALUE, _("the name of the event"), name, "event"))
    if len(name) > MAX_NAME:
        raise RejectedError(bad_value(Code.TOO_LONG, _("text, at most 255 characters"), name, "event"))
    return _event(reader, item, clean_name(name))


def _event(reader: MessageReader, item: ReceivedEvent, name: str) -> list[Hit]:
    """A hit of the type that has this name, or one that waits in the inbox until a type has."""
    message, types, source = reader.message, reader.types, reader.client.source
    properties = _object(message.raw, "properties")
    decision = decision_of(types.decisions, source.pk, name_key(name))
    seen = seen_event(source.pk, name, message.library, properties)
    refuse_if_blocked(item, seen, decision)
    schema = types.find_event(name, decision)
    if schema is None:
        return keep_waiting(item, seen, decision, reader.with_hint(reader.hit()), properties)
    item.type_id, item.library = schema.type_id, message.library
    checked, mapped = check_event(schema, name, properties, decision.fields)
    item.row = refused_event(source, message.who, name, message.moment.occurred_at, {}, message.id)
    item.row.activity_type = schema.type_id
    item.row.primary_value, item.row.attributes = mapped.primary, mapped.attributes
    if checked.problems:
        raise RejectedError(*checked.problems.shown_problems())
    item.seen = seen_properties(source.pk, schema.type_id, message.library, mapped.unknown)
    hit = reader.hit(None, schema.type_id, schema.number, checked.primary_value, checked.attributes)
    return [reader.with_hint(hit)]


def _page(reader: MessageReader, item: ReceivedEvent) -> list[Hit]:
    """A page with an address is a visit of it; without one it is an event of its name."""
    raw, context = reader.message.raw, reader.message.context
    properties, page = _object(raw, "properties"), _object(context, "page")
    url = properties.get("url") or page.get("url")
    if not isinstance(url, str) or not url:
        return _viewed(reader, item, "Page")
    title = properties.get("title") or page.get("title") or raw.get("name")
    visit = EventContext(
        reader.message.id,
        0,
        {"url": url},
        parse_address(url),
        parse_address(properties.get("referrer") or page.get("referrer")),
        storable_text(title) if isinstance(title, str) else "",
    )
    return [reader.with_hint(reader.page_hit(visit))]


def _viewed(reader: MessageReader, item: ReceivedEvent, what: str) -> list[Hit]:
    return _event(reader, item, clean_name(viewed_name(reader.message.raw, what)))


def _screen(reader: MessageReader, item: ReceivedEvent) -> list[Hit]:
    return _viewed(reader, item, "Screen")


def _identify(reader: MessageReader, item: ReceivedEvent) -> list[Hit]:
    given = reader.message.raw.get("traits")
    traits = read_traits(
        given if isinstance(given, dict) else reader.message.context.get("traits"), reader.types.person_fields
    )
    return _said_of_person(reader, item, traits)


def _group(reader: MessageReader, item: ReceivedEvent) -> list[Hit]:
    group_id = read_id(reader.message.raw, "groupId")
    if not group_id:
        raise RejectedError(bad_value(Code.MISSING_VALUE, _("the id of the group"), None, "groupId"))
    traits = read_traits(_object(reader.message.raw, "traits"), reader.types.person_fields, "company")
    own = reader.types.person_fields.get("groupid")
    fields = {**traits.fields, **({own: group_id} if own else {})}
    return _said_of_person(reader, item, Traits("", fields, traits.unknown))


def _said_of_person(reader: MessageReader, item: ReceivedEvent, traits: Traits) -> list[Hit]:
    """The hit that identifies a person, and for a program's user with a browser one that identifies that browser."""
    message, source = reader.message, reader.client.source
    item.seen = seen_values(Seen(source.pk, Kind.TRAIT, "", library=message.library), traits.unknown)
    who = message.who.with_email(traits.email)
    identity = who.identity(traits.fields)
    if identity is None:
        item.not_kept = Problem(
            Code.UNKNOWN_PERSON, _("This names nobody: neither a user ID nor an email address is there.")
        )
        return []
    hits = [reader.hit(identity=identity)]
    if who.user_id and who.anonymous_id and who.sender.is_server:
        hits.append(_about(reader, who, who.anonymous_id, identity))
    return hits


def _alias(reader: MessageReader, _item: ReceivedEvent) -> list[Hit]:
    """A hit that identifies the browser of an earlier id. Two known people stay two: an alias merges no people."""
    previous = read_id(reader.message.raw, "previousId")
    if not previous or not reader.message.who.user_id:
        missing = "userId" if previous else "previousId"
        raise RejectedError(bad_value(Code.MISSING_VALUE, _("an id"), reader.message.raw.get(missing), missing))
    who = reader.message.who.claimed()  # a signature does not cover the earlier id
    identity = who.identity()
    if identity is None:
        return []
    # two known people whom a program calls the same are proposed as duplicates
    return [_about(reader, who, previous, {**identity, "previous": previous} if who.sender.is_server else identity)]


def _about(reader: MessageReader, who: Who, anonymous_id: str, identity: Mapping[str, Any]) -> Hit:
    """A hit that identifies the browser with this anonymous id."""
    hit = reader.hit(identity={**identity, "fields": {}})
    hit.visitor, hit.message_id = replace(who, anonymous_id=anonymous_id).anonymous_visitor, f"{hit.message_id}:visitor"
    return hit


KINDS: Mapping[str, Callable[[MessageReader, ReceivedEvent], list[Hit]]] = {
    "track": _track,
    "page": _page,
    "screen": _screen,
    "identify": _identify,
    "group": _group,
    "alias": _alias,
}
