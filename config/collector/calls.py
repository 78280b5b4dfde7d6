"""Calls of programs, in Segment's form or as CloudEvents: the key, the limits of a body, and the commit."""

import binascii
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Protocol

from activities.intake.keeping import KeptRequest
from activities.segment.wire import MAX_BODY, MAX_BROWSER_BODY
from activities.sources.authentication import Sender
from activities.tracking.reading import ReceivedEvent
from activities.tracking.submissions import Submission
from config.collector.http import HttpError, Limits, Reply, Request
from config.collector.known import KnownState
from people.core.codes import Code

# SDKs give an event up at any 4xx; 400 is what Segment answers. Batches of like events shrink to a fiftieth
LIMITS = Limits(MAX_BODY, 100, 400)
SMALL_LIMITS = Limits(MAX_BROWSER_BODY, 100, 400)  # of what any sender can send, or what is read to find its key
KEY_STATUS = {Code.SOURCE_OFF: 401}  # the key does not work: Segment has no other answer for it
SUCCESS = {"success": True}
ALLOWED_HEADERS = "Authorization, Content-Type, Content-Encoding, AnonymousId, SentAt"


class Intake(Protocol):
    """The collector's functions for every call."""

    known: KnownState

    async def sender(
        self, request: Request, key: str, size: int, *, is_in_address: bool, statuses: Mapping[Code, int]
    ) -> Sender:
        """The sender with this key. Raises `HttpError`."""

    async def commit(self, submission: Submission) -> None:
        """Wait for the commit. Raises `HttpError`."""

    async def keep(self, request: KeptRequest) -> None:
        """Wait until the request of a program is kept. Raises `HttpError`."""


async def authenticate_sender(
    intake: Intake, request: Request, key: str, size: int, *, is_in_address: bool = False
) -> Sender:
    """The sender; from here on the body has the limits of its kind of source. Raises `HttpError`."""
    sender = await intake.sender(request, key, size, is_in_address=is_in_address, statuses=KEY_STATUS)
    request.limits = SMALL_LIMITS if sender.source.is_browser else LIMITS
    return sender


async def commit_and_acknowledge(
    intake: Intake, reply: Reply, sender: Sender, size: int, items: Sequence[ReceivedEvent]
) -> None:
    """Answer once everything is committed: what is wrong with one event is no error of the request."""
    await intake.commit(Submission(sender.source.pk, size, list(items)))
    await reply.json(200, SUCCESS)


def key_of_basic(value: str) -> str:
    """The user of Basic authentication, with or without the colon. Raises `HttpError` (401)."""
    try:
        return b64decode(value.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        raise HttpError(401, Code.UNKNOWN_WRITE_KEY, "There is no such write key.", ends=True) from None


def authorization_header(request: Request) -> tuple[str, str]:
    """The scheme in lower case and the value of the header; empty where there is none."""
    scheme, _blank, value = request.headers.get("authorization", "").partition(" ")
    return scheme.lower(), value.strip()


def cors_headers(request: Request) -> dict[str, str]:
    """The CORS headers: any origin may read the answers, which are empty; a preflight has no key.

    Each request is checked for the origins of its key.
    """
    origin = request.headers.get("origin")
    if origin is None:
        return {}
    headers = {"Vary": "Origin", "Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": "Retry-After"}
    if request.method == "OPTIONS":
        headers["Access-Control-Allow-Methods"] = "GET, POST"
        headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
        headers["Access-Control-Max-Age"] = "86400"
    return headers
