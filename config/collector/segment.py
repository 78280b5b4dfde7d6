"""The addresses of Segment's API: the calls of its clients, and the settings that its browser clients fetch."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from activities.intake.keeping import KeptRequest, readable_sent_at, without_key
from activities.segment import browser_settings
from activities.segment.messages import read_messages
from activities.segment.wire import METRICS, PATHS, Envelope, parse_envelope
from activities.sources.authentication import Sender
from config.collector.calls import (
    LIMITS,
    SMALL_LIMITS,
    SUCCESS,
    Intake,
    authenticate_sender,
    authorization_header,
    commit_and_acknowledge,
    key_of_basic,
)
from config.collector.clients import client_of
from config.collector.http import HttpError, Reply, Request
from people.core.errors import RejectedError

_CALL = re.compile(r"(?:/beacon)?/v1/([a-z]{1,10})/?")
_SETTINGS = re.compile(r"/v1/projects/([\w-]{1,200})/settings")
_SOURCE = re.compile(r"/sourceConfig/?")


def is_segment_path(path: str) -> bool:
    call = _CALL.fullmatch(path)
    return bool((call and call[1] in PATHS) or _SETTINGS.fullmatch(path) or _SOURCE.fullmatch(path))


async def serve_segment(intake: Intake, request: Request, reply: Reply, path: str) -> None:
    """Take a call, or answer with settings."""
    if match := _SETTINGS.fullmatch(path):
        await _send_settings(intake, request, reply, match[1], browser_settings.segment_settings)
    elif _SOURCE.fullmatch(path):
        key = _key_of_header(request) or request.query.get("writeKey", "")
        await _send_settings(intake, request, reply, key, browser_settings.rudderstack_source)
    elif request.method != "POST":
        raise HttpError(405, "method_not_allowed", headers={"Allow": "POST"}, ends=True)
    else:
        match = _CALL.fullmatch(path)
        assert match is not None
        await _take_call(intake, request, reply, match[1])


async def _take_call(intake: Intake, request: Request, reply: Reply, call: str) -> None:
    """Take one call. Without a key in its head the body has to be read to find one, so it has to be a small one."""
    received, query_key = timezone.now(), request.query.get("writeKey", "")
    key = _key_of_header(request)
    request.limits = LIMITS if key or query_key else SMALL_LIMITS
    size = request.size
    sender: Sender | None = None
    if key or query_key:
        sender = await authenticate_sender(intake, request, key or query_key, size, is_in_address=not key)
        size = request.size  # again, by the limits of its source
    body = await request.body()
    if call == METRICS:
        await reply.json(200, SUCCESS)
        return
    try:
        envelope = parse_envelope(call, body, is_to_check=sender is not None and sender.is_server)
    except RejectedError as refusal:
        raise HttpError(400, refusal.code, str(refusal)) from None
    if sender is None:
        sender = await authenticate_sender(intake, request, envelope.write_key, size or len(body))
    if sender.is_server:
        await intake.keep(_kept(request, sender, received, call, body, envelope))
        await reply.json(200, SUCCESS)
        return
    if envelope.sent_at is None:
        envelope.sent_at = request.headers.get("sentat")
    types = await intake.known.current_types(envelope.event_names(), sender.source.pk)
    items = read_messages(envelope, client_of(request, sender, received), types)
    await commit_and_acknowledge(intake, reply, sender, size or len(body), items)


def _kept(
    request: Request, sender: Sender, received: datetime, call: str, body: bytes, envelope: Envelope
) -> KeptRequest:
    """The request of a program, which is kept as it came: what its events become is found out later."""
    return KeptRequest(
        source_id=sender.source.pk,
        received_at=received,
        call=call,
        sent_at=readable_sent_at(request.headers.get("sentat")),
        opts_out=client_of(request, sender, received).opts_out,
        events=len(envelope.messages),
        size=request.size or len(body),
        body=without_key(body),
    )


def _key_of_header(request: Request) -> str:
    """The user of Basic authentication; empty where there is none."""
    scheme, value = authorization_header(request)
    return key_of_basic(value) if scheme == "basic" else ""


async def _send_settings(intake: Intake, request: Request, reply: Reply, text: str, describe: Any) -> None:
    if request.method not in ("GET", "HEAD"):
        raise HttpError(405, "method_not_allowed", headers={"Allow": "GET"}, ends=True)
    key = (await intake.known.find_key(text)).key
    if key is None or not (key.is_live and key.source.is_on and key.source.is_browser):
        raise HttpError(404, "not_found", "There is no such web site.")
    value: Mapping[str, Any] = describe(key, urlsplit(settings.COLLECTOR_URL))
    await reply.json(200, value, {"Cache-Control": "public, max-age=300"})
