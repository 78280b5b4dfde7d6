"""The script's own wire format, version 1: a batch of hits as JSON."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from activities.inbox.decisions import decision_of
from activities.inbox.mapping import NO_DECISION, PRIMARY_VALUE, check_event
from activities.inbox.names import MAX_NAME, clean_name, name_key
from activities.inbox.sightings import Kind, Seen
from activities.models import Association
from activities.recording.rows import NewActivity
from activities.tracking import clock
from activities.tracking.addresses import bad_address, masked_contact, parse_address
from activities.tracking.live_types import CONSENT_GIVEN, CONSENT_WITHDRAWN, LiveTypes
from activities.tracking.reading import Client, EventContext, Reader, ReceivedEvent, storable_text
from activities.tracking.seen import describe_event
from activities.tracking.undefined import keep_waiting, refuse_if_blocked, seen_event, seen_properties
from activities.visitors.hits import Hit
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value
from people.core.messages import sentence as _
from people.datatypes import exact_json
from people.datatypes.parsing import MAX_STRING, BadValueError, parse_email

MAX_HITS = 20
MAX_DEPTH = 6  # of a hit
MAX_FIELDS = 50
MAX_PURPOSES = 10
MAX_FIELD_VALUE = 2_000
TOKEN = re.compile(r"[0-9a-f]{32}")
MESSAGE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{7,63}")
CONSENTS = ("unknown", "granted", "denied")
Evidence = Association.Evidence
# signed before the value, so that a signed address proves no user ID: no address contains a colon
SIGNED_AS = {"email": "", "user_id": "user_id:"}


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of a browser, with its envelope checked."""

    sent: int
    visitor: str | None
    consent: str
    hits: list[Any]

    def type_names(self) -> list[str]:
        """The names of the custom types of the hits, as far as they are readable."""
        data = [hit.get("data") for hit in self.hits if isinstance(hit, dict) and hit.get("type") == "track"]
        return [name for values in data if isinstance(values, dict) and isinstance(name := values.get("type"), str)]


def parse_batch(body: bytes) -> Batch:
    """The envelope of a batch. Raises `RejectedError` (`invalid_json`, `too_many_rows`, …): nothing of it is kept."""
    try:
        value = exact_json.load_exact_json(body)
    except exact_json.InvalidJSONError:
        raise RejectedError(Problem(Code.INVALID_JSON, _("the body is not JSON"))) from None
    if not isinstance(value, dict):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("an object"), value))
    if value.get("v") != 1:
        raise RejectedError(bad_value(Code.UNKNOWN_VERSION, "1", value.get("v"), "v"))
    hits, visitor = value.get("hits"), value.get("visitor")
    sent: Any = value.get("sent")
    if not isinstance(hits, list):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("a list"), hits, "hits"))
    if len(hits) > MAX_HITS:
        raise RejectedError(Problem(Code.TOO_MANY_ROWS, _("at most 20 hits in one batch"), ("hits",)))
    if not clock.is_epoch_ms(sent):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("milliseconds since 1970"), sent, "sent"))
    if visitor is not None and not (isinstance(visitor, str) and TOKEN.fullmatch(visitor)):
        raise RejectedError(bad_value(Code.BAD_TOKEN, _("32 lower-case hex digits"), visitor, "visitor"))
    if value.get("consent") not in CONSENTS:
        raise RejectedError(bad_value(Code.UNKNOWN_WORD, ", ".join(CONSENTS), value.get("consent"), "consent"))
    return Batch(sent, visitor, value["consent"], hits)


def read_batch(batch: Batch, client: Client, types: LiveTypes) -> list[ReceivedEvent]:
    """The items of a batch, in order; a problem of one item is reported with that item and affects no other."""
    reader = Reader(client, types, batch.visitor, batch.sent)
    not_kept = why_not_kept(client, batch.consent)
    return [_item(raw, place, reader, not_kept) for place, raw in enumerate(batch.hits)]


def why_not_kept(client: Client, consent: str) -> Problem | None:
    """The reason why events are not stored under the source's consent mode; None if they are.

    The browser's signal is evaluated here because the script may be an old one.
    """
    if client.is_refused_by_signal:
        return Problem(Code.NOT_ALLOWED, _("The browser asks not to be tracked (GPC or DNT)."))
    if consent == "granted" or (consent == "unknown" and client.source.consent == client.source.Consent.GRANTED):
        return None
    return Problem(Code.NOT_ALLOWED, _("The visitor hasn't consented."))


def _item(raw: Any, place: int, reader: Reader, not_kept: Problem | None) -> ReceivedEvent:
    message_id = raw.get("id") if isinstance(raw, dict) else None
    item = ReceivedEvent(
        message_id if isinstance(message_id, str) and MESSAGE_ID.fullmatch(message_id) else f"#{place}"
    )
    item.visitor = reader.visitor
    item.kind, item.title, item.check = describe_event(raw)
    try:
        context = _event_context(raw)
        read = KINDS.get(raw["type"])
        if read is None:
            raise RejectedError(bad_value(Code.UNKNOWN_TYPE, ", ".join(KINDS), raw["type"], "type"))
        if not_kept is None or raw["type"] == "consent":
            item.hits = read(context, raw.get("data") or {}, reader, item)
        if not_kept is not None:
            item.hits = _withdrawals(item.hits)
            item.not_kept = None if item.hits else not_kept
    except RejectedError as refusal:
        item.problems = tuple(refusal.problems)
    return item


def _withdrawals(hits: list[Hit]) -> list[Hit]:
    """The hits that withdraw a consent: those of known visitors are stored even if nothing else may be."""
    kept = [hit for hit in hits if hit.type_id == CONSENT_WITHDRAWN]
    for hit in kept:
        hit.is_of_known = True
    return kept


def _event_context(raw: Any) -> EventContext:
    if not isinstance(raw, dict):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("an object"), raw))
    if exact_json.is_deep(raw, MAX_DEPTH):
        raise RejectedError(Problem(Code.TOO_DEEP, _("lists and objects are nested too deeply")))
    message_id, data = raw.get("id"), raw.get("data")
    if not (isinstance(message_id, str) and MESSAGE_ID.fullmatch(message_id)):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("a UUID"), message_id, "id"))
    if not clock.is_epoch_ms(raw.get("at")):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("milliseconds since 1970"), raw.get("at"), "at"))
    if not isinstance(raw.get("type"), str):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("text"), raw.get("type"), "type"))
    if data is not None and not isinstance(data, dict):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("an object"), data, "data"))
    title = raw.get("title")
    return EventContext(
        message_id,
        raw["at"],
        {name: value for name, value in raw.items() if name != "id"},
        parse_address(raw.get("url")),
        parse_address(raw.get("referrer")),
        storable_text(title) if isinstance(title, str) else "",
    )


# --- Kinds of hits -------------------------------------------------------------------------------------------


def _page(context: EventContext, _data: Mapping[str, Any], reader: Reader, _item: ReceivedEvent) -> list[Hit]:
    return [reader.page_hit(context)]


def _link(context: EventContext, data: Mapping[str, Any], reader: Reader, _item: ReceivedEvent) -> list[Hit]:
    link = parse_address(data.get("href"))
    if link is None:
        expected = _("an address with http, https, mailto or tel")
        raise RejectedError(bad_address(expected, data.get("href"), "data", "href"))
    return [reader.link_hit(context, link)]


def _form(context: EventContext, data: Mapping[str, Any], reader: Reader, _item: ReceivedEvent) -> list[Hit]:
    form, fields = data.get("form"), _fields(data.get("fields"))
    if not isinstance(form, str) or not form.strip():
        raise RejectedError(bad_value(Code.MISSING_VALUE, _("the name of the form"), form, "data", "form"))
    email = next((value for name, value in fields.items() if name.lower() in ("email", "e-mail")), "")
    identity = None
    if email and (address := _email_or_none(email)):
        identity = _identity(Evidence.FORM, email=address, fields=fields)
    return [reader.form_hit(context, form, fields.items(), identity)]


def _track(context: EventContext, data: Mapping[str, Any], reader: Reader, item: ReceivedEvent) -> list[Hit]:
    """A hit of the type with this name, or one that waits in the inbox until a type takes events of the name.

    Properties that no field of the type takes are left out, and noted in the inbox, as those of programs are.
    """
    name, attributes = data.get("type"), data.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("an object"), attributes, "data", "attributes"))
    hit, primary, types = reader.hit(context), data.get("primary"), reader.types
    row = NewActivity(None, name, hit.occurred_at, primary, list(attributes.items()), context.message_id)
    if not isinstance(name, str) or not name_key(name) or len(name) > MAX_NAME:
        item.row = row
        expected = _("the name of an activity type, at most %(most)s characters") % {"most": MAX_NAME}
        raise RejectedError(bad_value(Code.UNKNOWN_TYPE, expected, name, "activity_type"))
    properties = attributes if primary is None else {PRIMARY_VALUE: primary, **attributes}
    seen = seen_event(reader.client.source.pk, clean_name(name), "", properties)
    decision = decision_of(types.decisions, seen.source_id, name_key(name))
    refuse_if_blocked(item, seen, decision)
    schema = types.find_event(name, decision) or (types.find(name) if decision.state == NO_DECISION.state else None)
    if schema is None:
        return keep_waiting(item, seen, decision, hit, properties)
    item.type_id, item.row = schema.type_id, row
    checked, mapped = check_event(schema, name, properties, decision.fields)
    row.activity_type, row.primary_value, row.attributes = schema.type_id, mapped.primary, mapped.attributes
    if checked.problems:
        raise RejectedError(*checked.problems.shown_problems())
    item.seen = seen_properties(seen.source_id, schema.type_id, "", mapped.unknown)
    return [reader.hit(context, schema.type_id, schema.number, checked.primary_value, checked.attributes)]


def _identify(context: EventContext, data: Mapping[str, Any], reader: Reader, item: ReceivedEvent) -> list[Hit]:
    """The visitor's identity. A signature proves the one value that it signs, and none of the others.

    Fields are found by their API names without case and punctuation; other names are noted in the inbox, as traits.
    """
    sent = {name: value for name in ("email", "user_id") if (value := data.get(name)) not in (None, "")}
    if "email" in sent and _email_or_none(sent["email"]) is None:
        email = sent["email"]
        shown = masked_contact(email) if isinstance(email, str) else email  # the live page quotes it
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("an email address"), shown, "data", "email"))
    if "user_id" in sent and not _is_user_id(sent["user_id"]):
        expected = _("text, at most 255 characters")
        raise RejectedError(bad_value(Code.WRONG_TYPE, expected, sent["user_id"], "data", "user_id"))
    if not sent:
        raise RejectedError(Problem(Code.MISSING_VALUE, _("an email address or a user ID is missing"), ("data",)))
    signature, sender = data.get("signature"), reader.client.sender
    signed = sent if isinstance(signature, str) else {}
    proven = {
        name: value
        for name, value in signed.items()
        if sender.is_signed(f"{SIGNED_AS[name]}{value}", signature)  # type: ignore[arg-type]
    }
    identifiers = {name: storable_text(value.strip()) for name, value in (proven or sent).items()}
    evidence = Evidence.SERVER if proven else Evidence.CLAIM
    fields: dict[str, str] = {}
    for name, value in _fields(data.get("fields")).items():
        if (api_name := reader.types.person_fields.get(name_key(name))) is not None:
            fields.setdefault(api_name, value)
        else:
            item.seen.append(Seen(reader.client.source.pk, Kind.TRAIT, clean_name(name), sample=value))
    return [reader.hit(context, identity=_identity(evidence, fields=fields, **identifiers))]


def _is_user_id(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= MAX_STRING and value.isprintable()


def _consent(context: EventContext, data: Mapping[str, Any], reader: Reader, _item: ReceivedEvent) -> list[Hit]:
    """One activity per purpose: the visitor's answer at that moment."""
    state, purposes = data.get("state"), data.get("purposes") or {}
    if state not in ("granted", "denied"):
        raise RejectedError(bad_value(Code.UNKNOWN_WORD, "granted, denied", state, "data", "state"))
    if not isinstance(purposes, dict) or len(purposes) > MAX_PURPOSES:
        raise RejectedError(
            bad_value(Code.WRONG_TYPE, _("an object, at most 10 members"), purposes, "data", "purposes")
        )
    hits = []
    for place, (purpose, is_given) in enumerate((purposes or {"tracking": state == "granted"}).items()):
        type_id = CONSENT_GIVEN if is_given is True and state == "granted" else CONSENT_WITHDRAWN
        values = {"source": reader.client.source.name, "url": context.page.url if context.page else ""}
        hit = reader.standard_hit(context, type_id, purpose, values)
        hit.message_id = context.message_id if place == 0 else f"{context.message_id}:{place}"
        hits.append(hit)
    return hits


KINDS: Mapping[str, Callable[[EventContext, Mapping[str, Any], Reader, ReceivedEvent], list[Hit]]] = {
    "page": _page,
    "link": _link,
    "form": _form,
    "track": _track,
    "identify": _identify,
    "consent": _consent,
}


def _identity(evidence: Evidence, *, fields: Mapping[str, str], email: str = "", user_id: str = "") -> dict[str, Any]:
    identifiers = {"email": email, "user_id": user_id}
    return {
        "evidence": int(evidence),
        **{key: value for key, value in identifiers.items() if value},
        "fields": dict(fields),
    }


def _fields(value: Any) -> dict[str, str]:
    """The fields of a form or a person as text; blank ones and those that are no text or number are left out."""
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > MAX_FIELDS:
        raise RejectedError(bad_value(Code.WRONG_TYPE, _("an object, at most 50 members"), value, "data", "fields"))
    texts = {
        storable_text(name)[:MAX_STRING]: storable_text(str(item).lower() if isinstance(item, bool) else str(item))[
            :MAX_FIELD_VALUE
        ]
        for name, item in value.items()
        if item is not None and not isinstance(item, dict | list)
    }
    return {name: text for name, text in texts.items() if name and text.strip()}


def _email_or_none(value: Any) -> str | None:
    try:
        return parse_email(value, None) if isinstance(value, str) and value.strip() else None  # type: ignore[arg-type]
    except BadValueError:
        return None
