"""Munchkin's wire format: one event per request, all of it in the query string."""

from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import urlsplit

from activities.sources.addresses import parse_munchkin_id
from activities.tracking import clock
from activities.tracking.addresses import bad_address, parse_address
from activities.tracking.live_types import LiveTypes
from activities.tracking.reading import Client, EventContext, Reader, ReceivedEvent
from activities.tracking.wire import CONSENTS, why_not_kept
from people.core.errors import RejectedError
from people.core.messages import sentence as _

VISIT, CLICK = "visitWebPage", "clickLink"
ACTS = (VISIT, CLICK)
CONSENT = "_caConsent"  # the visitor's answer, for which Munchkin itself has no parameter
MAX_TOKEN = 255


def munchkin_account(values: Mapping[str, str]) -> str:
    """The Munchkin ID of a request's account; empty if there is none."""
    return parse_munchkin_id(values.get("_mchId", ""))


def read_event(name: str, values: Mapping[str, str], query: str, client: Client, types: LiveTypes) -> ReceivedEvent:
    """The single item of a request; the same `query` again is the same event."""
    token = values.get("_mchTk", "").strip()
    received_ms = int(client.received.timestamp() * 1000)
    at = _client_time(values.get("_mchNc", ""), received_ms)
    item = ReceivedEvent(f"mch-{sha256(query.encode('utf-8', 'replace')).hexdigest()[:40]}")
    reader = Reader(client, types, token if 0 < len(token) <= MAX_TOKEN else None, sent=at)
    content = {"name": name, **{key: value for key, value in values.items() if key.startswith("_mch")}}
    page = parse_address(_page_address(values))
    context = EventContext(item.id, at, content, page, parse_address(values.get("_mchRe")))
    item.kind, item.title = ("page" if name == VISIT else "link"), page.url if page else ""
    consent = values.get(CONSENT, "")
    item.not_kept = why_not_kept(client, consent if consent in CONSENTS else "unknown")
    if item.not_kept:
        return item
    try:
        if name == VISIT:
            item.hits = [reader.page_hit(context)]
        else:
            href = values.get("_mchHr") or values.get("_mchLr") or ""
            link = parse_address(href if urlsplit(href).scheme else f"{_site(values)}{href}" if href else "")
            if link is None:
                expected = _("an address with http, https, mailto or tel")
                raise RejectedError(bad_address(expected, href, "_mchHr"))
            item.hits = [reader.link_hit(context, link)]
    except ValueError:
        item.problems = (bad_address(_("a web address"), values.get("_mchHr", ""), "_mchHr"),)
    except RejectedError as refusal:
        item.problems = tuple(refusal.problems)
    return item


def _client_time(text: str, received_ms: int) -> int:
    """The client's clock in ms; the time of arrival if the request has no valid one."""
    at = int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None
    return at if at is not None and clock.is_epoch_ms(at) else received_ms


def _site(values: Mapping[str, str]) -> str:
    protocol = values.get("_mchPc", "https:").rstrip(":") or "https"
    port = values.get("_mchPo", "")
    return f"{protocol}://{values.get('_mchHo', '')}" + (f":{port}" if port else "")


def _page_address(values: Mapping[str, str]) -> str:
    query = values.get("_mchQp", "").replace("__-__", "&").lstrip("?")
    path = values.get("_mchRu", "") or "/"
    path = path if path.startswith("/") else f"/{path}"
    fragment = values.get("_mchHa", "").lstrip("#")
    return _site(values) + path + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")
