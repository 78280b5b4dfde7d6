"""The addresses of Segment's API: the calls of its clients, and the settings that its browser clients ask for."""

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from activities.segment import browser_settings
from activities.segment.messages import read_messages
from activities.segment.wire import MAX_BODY, MAX_BROWSER_BODY, METRICS, PATHS, parse_envelope
from activities.sources.authentication import Sender
from activities.tracking.submissions import Submission
from config.collector.clients import client_of
from config.collector.http import HttpError, Limits, Request
from people.core.codes import Code
from people.core.errors import RejectedError

if TYPE_CHECKING:
    from config.collector.application import Collector, Reply

# SDKs give an event up at any 4xx; 400 is what Segment answers. Batches of like events shrink to a fiftieth
LIMITS = Limits(MAX_BODY, 100, 400)
BROWSER_LIMITS = Limits(MAX_BROWSER_BODY, 100, 400)  # anybody can send with the key of a page
KEY_STATUS = {Code.SOURCE_OFF: 401}  # the key does not work: Segment has no other answer for it
SUCCESS = {"success": True}
_CALL = re.compile(r"(?:/beacon)?/v1/([a-z]{1,10})/?")
_SETTINGS = re.compile(r"/v1/projects/([\w-]{1,200})/settings")
_SOURCE = re.compile(r"/sourceConfig/?")
ALLOWED_HEADERS = "Authorization, Content-Type, Content-Encoding, AnonymousId, SentAt"


def is_segment_path(path: str) -> bool:
    call = _CALL.fullmatch(path)
    return bool((call and call[1] in PATHS) or _SETTINGS.fullmatch(path) or _SOURCE.fullmatch(path))


def cors_headers(request: Request) -> dict[str, str]:
    """Any origin may read the answers, which say nothing; whether its key takes events from there is checked at each
    request. A preflight has no key."""
    origin = request.headers.get("origin")
    if origin is None:
        return {}
    headers = {"Vary": "Origin", "Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": "Retry-After"}
    if request.method == "OPTIONS":
        headers["Access-Control-Allow-Methods"] = "GET, POST"
        headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
        headers["Access-Control-Max-Age"] = "86400"
    return headers


async def serve_segment(collector: "Collector", request: Request, reply: "Reply", path: str) -> None:
    """Take a call, or answer with settings."""
    if match := _SETTINGS.fullmatch(path):
        await _send_settings(collector, request, reply, match[1], browser_settings.segment_settings)
    elif _SOURCE.fullmatch(path):
        key = _key_of_header(request) or request.query.get("writeKey", "")
        await _send_settings(collector, request, reply, key, browser_settings.rudderstack_source)
    elif request.method != "POST":
        raise HttpError(405, "method_not_allowed", headers={"Allow": "POST"}, ends=True)
    else:
        match = _CALL.fullmatch(path)
        assert match is not None
        await _take_call(collector, request, reply, match[1])


async def _take_call(collector: "Collector", request: Request, reply: "Reply", call: str) -> None:
    """Acknowledge once everything is committed: what is wrong with one event is no error of the request."""
    request.limits = LIMITS
    received, size = timezone.now(), request.size
    key, query_key = _key_of_header(request), request.query.get("writeKey", "")
    sender: Sender | None = None
    if key or query_key:
        sender = await _sender(collector, request, key or query_key, size, is_in_address=not key)
        _limit(request, sender)
        size = request.size
    body = await request.body()
    if call == METRICS:
        await reply.json(200, SUCCESS)
        return
    try:
        envelope = parse_envelope(call, body)
    except RejectedError as refusal:
        raise HttpError(400, refusal.code, str(refusal)) from None
    if sender is None:
        sender = await _sender(collector, request, envelope.write_key, size or len(body))
        _limit(request, sender)
        if len(body) > request.limits.size:
            raise request.limits.error(ends=False)
    if envelope.sent_at is None:
        envelope.sent_at = request.headers.get("sentat")
    types = await collector.known.current_types(envelope.event_names(), sender.source.pk)
    items = read_messages(envelope, client_of(request, sender, received), types)
    await collector.commit(Submission(sender.source.pk, size or len(body), items))
    await reply.json(200, SUCCESS)


async def _sender(
    collector: "Collector", request: Request, key: str, size: int, *, is_in_address: bool = False
) -> Sender:
    return await collector.sender(request, key, size, is_in_address=is_in_address, statuses=KEY_STATUS)


def _limit(request: Request, sender: Sender) -> None:
    if sender.source.is_browser:
        request.limits = BROWSER_LIMITS


def _key_of_header(request: Request) -> str:
    """The user of Basic authentication, with or without the colon; empty where there is none."""
    scheme, _blank, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return b64decode(value.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        raise HttpError(401, Code.UNKNOWN_WRITE_KEY, "There is no such write key.", ends=True) from None


async def _send_settings(collector: "Collector", request: Request, reply: "Reply", text: str, describe: Any) -> None:
    if request.method not in ("GET", "HEAD"):
        raise HttpError(405, "method_not_allowed", headers={"Allow": "GET"}, ends=True)
    key = (await collector.known.find_key(text)).key
    if key is None or not (key.is_live and key.source.is_on and key.source.is_browser):
        raise HttpError(404, "not_found", "There is no such web site.")
    value: Mapping[str, Any] = describe(key, urlsplit(settings.COLLECTOR_URL))
    await reply.json(200, value, {"Cache-Control": "public, max-age=300"})
