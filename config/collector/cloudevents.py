"""The address of CloudEvents."""

from django.utils import timezone

from activities.cloudevents.reading import read_events
from activities.cloudevents.wire import BATCH, STRUCTURED, is_supported, parse_events
from config.collector.calls import LIMITS, Intake, acknowledge, authenticate, authorization, key_of_basic
from config.collector.clients import client_of
from config.collector.http import HttpError, Reply, Request
from people.core.codes import Code
from people.core.errors import RejectedError

PATH = "/v1/cloudevents"


def is_cloudevents_path(path: str) -> bool:
    return path.rstrip("/") == PATH


async def serve_cloudevents(intake: Intake, request: Request, reply: Reply) -> None:
    """Take one event or a batch of them. The key is in the head, so nothing of a stranger's body is read."""
    received = timezone.now()
    request.limits = LIMITS
    sender = await authenticate(intake, request, _key_of(*authorization(request)), request.size)
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
    await acknowledge(intake, reply, sender, size or len(body), items)


def _key_of(scheme: str, value: str) -> str:
    """The key: a bearer token, or the user of Basic authentication."""
    return key_of_basic(value) if scheme == "basic" else value if scheme == "bearer" else ""
