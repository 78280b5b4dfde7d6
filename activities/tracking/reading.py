"""Reads one request of a web page into hits, in order, each accepted, dropped or refused."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import orjson
from django.conf import settings

from activities.inbox.sightings import Seen
from activities.models import EventSource
from activities.recording.rows import NewActivity
from activities.sources.authentication import Sender
from activities.tracking import clock
from activities.tracking.addresses import Address, bad_address, campaign_values, search_values
from activities.tracking.agents import Agent
from activities.tracking.live_types import CLICK_LINK, FILL_OUT_FORM, VISIT_WEB_PAGE, LiveTypes
from activities.types.standard_values import clip_values
from activities.visitors.hits import Hit, VisitorKey
from activities.visitors.partitions import earlier_day, sent_day
from activities.visitors.tokens import token_hash
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.messages import sentence as _
from people.datatypes import exact_json


@dataclass(frozen=True, slots=True)
class Client:
    """The sender of a request and its time of arrival. `opts_out`: the browser sent Sec-GPC or DNT."""

    sender: Sender
    received: datetime
    agent: Agent
    ip_address: str = ""
    opts_out: bool = False

    @property
    def source(self) -> EventSource:
        return self.sender.source

    @property
    def is_refused_by_signal(self) -> bool:
        return self.opts_out and settings.TRACKING_HONORS_GPC


@dataclass(slots=True)
class ReceivedEvent:
    """An event as received. Without hits and problems it is acknowledged and not stored (no consent, no visitor).

    `row`: what the quarantine keeps of a refused custom activity. `seen`: the undefined names that it brought, for the
    inbox. `is_blocked`: refused by a decision about its name, which is counted and nothing kept. `kind`, `title` and
    `check`: for the live page of its source. `not_kept`: why an acknowledged event has no hits. `visitor`: whose event
    it is, also where there are no hits. `type_id`, `library`: of a custom type's event, and the program that sent it.
    `later_row`: what makes `row`, and of what, where hardly any such event is refused.
    """

    id: str
    hits: list[Hit] = field(default_factory=list)
    problems: tuple[Problem, ...] = ()
    row: NewActivity | None = None
    kind: str = "page"
    title: str = ""
    check: str = ""
    not_kept: Problem | None = None
    seen: list[Seen] = field(default_factory=list)
    is_blocked: bool = False
    visitor: VisitorKey | None = None
    type_id: int | None = None
    library: str = ""
    later_row: "tuple[Callable[[Any], NewActivity | None], Any] | None" = None

    @property
    def has_row(self) -> bool:
        return self.row is not None or self.later_row is not None

    def read_row(self) -> NewActivity | None:
        """`row`, made by `later_row` where it was not made at once."""
        if self.row is None and self.later_row is not None:
            read, raw = self.later_row
            self.row = read(raw)
        return self.row


@dataclass(frozen=True, slots=True)
class EventContext:
    """The parts that each event of a visitor has. `content`: everything that the client sent about it, for a digest."""

    message_id: str
    at: int
    content: Mapping[str, Any]
    page: Address | None
    referrer: Address | None
    title: str = ""


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns the events of one request into hits. `sent`: the client's clock when it sent the request, in ms."""

    client: Client
    types: LiveTypes
    token: str | None
    sent: int

    @property
    def visitor(self) -> VisitorKey | None:
        return None if self.token is None else (self.client.source.site_group, token_hash(self.token))

    def standard_hit(
        self,
        context: EventContext,
        type_id: int,
        primary: str,
        values: Mapping[str, Any],
        identity: dict[str, Any] | None = None,
    ) -> Hit:
        """A hit of a standard type. Values that its fields do not accept are left out, long ones are clipped.

        Raises `RejectedError` for an invalid primary value.
        """
        schema = self.types.standard.get(type_id)
        if schema is None:
            raise RejectedError(Problem(Code.UNKNOWN_TYPE, _("this installation does not record this yet"), ("type",)))
        present = [(name, value) for name, value in values.items() if value not in ("", None) and schema.type_of(name)]
        primary, attributes = clip_values(
            type_id, storable_text(primary), [(name, storable_text(value)) for name, value in present]
        )
        checked = schema.check(primary, attributes)
        bad = {problem.path[1] for problem in checked.problems if problem.path[:1] == ("attributes",)}
        if bad:
            checked = schema.check(primary, [pair for pair in attributes if pair[0] not in bad])
        if checked.problems:
            raise RejectedError(*checked.problems.shown_problems())
        return self.hit(context, type_id, schema.number, checked.primary_value, checked.attributes, identity)

    def hit(
        self,
        context: EventContext,
        type_id: int | None = None,
        version: int | None = None,
        primary_value: str | None = None,
        attributes: str = "{}",
        identity: dict[str, Any] | None = None,
    ) -> Hit:
        client_at, today = clock.client_moment(context.at), self.client.received.astimezone(UTC).date()
        return Hit(
            source_id=self.client.source.pk,
            visitor=self.visitor,
            message_id=context.message_id,
            sent_day=sent_day(client_at, today),
            digest=content_digest(context.content),
            occurred_at=clock.corrected_moment(self.client.received, self.sent, context.at),
            client_at=client_at,
            type_id=type_id,
            version=version,
            primary_value=primary_value,
            attributes=attributes,
            identity=identity,
            is_bot=self.client.agent.is_bot,
            earlier_day=earlier_day(client_at, today),
        )

    def web_values(self, context: EventContext) -> dict[str, Any]:
        """Values of the page and the browser, by the API names of the standard types' fields."""
        values: dict[str, Any] = {"client_ip_address": self.client.ip_address, **self.client.agent.values()}
        if context.referrer is not None:
            values["referrer_url"] = context.referrer.url
        if context.page is not None:
            values |= {
                "query_parameters": context.page.query,
                "query": context.page.query,
                **campaign_values(context.page),
            }
        return values

    def page_hit(self, context: EventContext) -> Hit:
        """A page view. Raises `RejectedError` if its address is not a web address."""
        page = context.page
        if page is None or not page.host:
            raise RejectedError(bad_address(_("an address of a web page"), context.content.get("url"), "url"))
        values = self.web_values(context) | {
            "url": page.url,
            "page_path": page.path,
            "page_title": context.title,
            **search_values(context.referrer),
        }
        return self.standard_hit(context, VISIT_WEB_PAGE, f"{page.host}{page.path}", values)

    def link_hit(self, context: EventContext, link: Address) -> Hit:
        """A click on a link."""
        values = self.web_values(context) | {"url": link.url, "page_url": context.page.url if context.page else ""}
        return self.standard_hit(context, CLICK_LINK, link.url, values)

    def form_hit(
        self, context: EventContext, form: str, fields: Iterable[tuple[str, str]], identity: dict[str, Any] | None
    ) -> Hit:
        """A submitted form, with its fields as lines of text."""
        lines = "\n".join(f"{name}: {value}" for name, value in fields)
        values = self.web_values(context) | {"form_fields": lines, "url": context.page.url if context.page else ""}
        return self.standard_hit(context, FILL_OUT_FORM, form, values, identity)


def storable_text(value: Any) -> Any:
    """Text without NUL characters and lone surrogates, which PostgreSQL rejects; other values as they are."""
    if not isinstance(value, str) or (value.isascii() and "\0" not in value):
        return value
    return value.replace("\0", "").encode("utf-8", "replace").decode()


def content_digest(content: Mapping[str, Any]) -> bytes:
    """The digest of the content that a client sent, independent of the order of its keys."""
    return blake2b(exact_json.dump_exact_json(content, str, orjson.OPT_SORT_KEYS), digest_size=16).digest()
