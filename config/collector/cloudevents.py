"""The address of CloudEvents: events, and the handshake by which a service requests permission to send them."""

import re

from django.utils import timezone

from activities.cloudevents.reading import read_events
from activities.cloudevents.wire import BATCH, STRUCTURED, is_supported, parse_events
from config.collector.calls import (
    LIMITS,
    Intake,
    authenticate_sender,
    authorization_header,
    commit_and_acknowledge,
    key_of_basic,
)
from config.collector.clients import client_of
from config.collector.http import HttpError, Reply, Request
from people.core.codes import Code
from people.core.errors import RejectedError

PATH = "/v1/cloudevents"
REQUEST_ORIGIN = "webhook-request-origin"
_DNS_NAME = re.compile(r"[A-Za-z0-9_*-]+(?:\.[A-Za-z0-9_-]+)*")
MAX_DNS_NAME = 253


def is_cloudevents_path(path: str) -> bool:
    return path.rstrip("/") == PATH


def is_handshake(request: Request) -> bool:
    """True for the validation request of a service that delivers CloudEvents; a browser's preflight is none."""
    return request.method == "OPTIONS" and REQUEST_ORIGIN in request.headers


async def answer_handshake(intake: Intake, request: Request, reply: Reply) -> None:
    """Agree to what the service of the header will send, at any rate, if it has a key that works.

    By section 4 of "HTTP 1.1 Web Hooks for Event Delivery" 1.0 of CloudEvents; nothing else happens, and the
    address of WebHook-Request-Callback is not called. Raises `HttpError`: 400 for a header that is no DNS name, else
    what an event with this key would be answered with.
    """
    origin = request.headers[REQUEST_ORIGIN].strip()
    if len(origin) > MAX_DNS_NAME or not _DNS_NAME.fullmatch(origin):
        raise HttpError(400, Code.BAD_HEADER, "Expected the DNS name of the sender in WebHook-Request-Origin.")
    await authenticate_sender(intake, request, _key_of(*authorization_header(request)), 0)
    agreed = {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*", "Allow": "OPTIONS, POST"}
    await reply.send(200, headers=agreed)


async def serve_cloudevents(intake: Intake, request: Request, reply: Reply) -> None:
    """Take one event or a batch of them. The key is in the head, so nothing of a stranger's body is read."""
    received = timezone.now()
    request.limits = LIMITS
    sender = await authenticate_sender(intake, request, _key_of(*authorization_header(request)), request.size)
    size, content_type = request.size, request.headers.get("content-type", "")
    if not is_supported(content_type, request.headers):
        message = f"Expected {STRUCTURED}, {BATCH}, or an event whose attributes are ce- headers."
        raise HttpError(415, Code.UNKNOWN_FORMAT, message, ends=True)
    body = await request.body()
    try:
        sent = parse_events(content_type, request.headers, body)
    except RejectedError as refusal:
        raise HttpError(400, refusal.code, str(refusal)) from None
    types = await intake.known.current_types(sent.names(), sender.source.pk)
    items = read_events(sent, client_of(request, sender, received), types)
    await commit_and_acknowledge(intake, reply, sender, size or len(body), items)


def _key_of(scheme: str, value: str) -> str:
    """The key: a bearer token, or the user of Basic authentication."""
    return key_of_basic(value) if scheme == "basic" else value if scheme == "bearer" else ""
