"""The secret addresses of webhooks: any JSON or form is taken, and answered once it is committed."""

from typing import Any, Protocol

from django.utils import timezone

from activities.inbound.reading import MAX_BODY, ReceivedCall, make_call, parse_body
from activities.inbound.signatures import check_signature, zoom_answer
from activities.models import EventSource, InboundWebhook
from activities.sources.authentication import KeyRejectedError
from activities.tracking.senders import KnownKey
from config.client_address import network_of
from config.collector.http import HttpError, Limits, Reply, Request
from config.collector.known import KnownState
from config.collector.windows import CallWindows
from people.core.codes import Code
from people.core.errors import RejectedError

PREFIX = "/w/"
LIMITS = Limits(MAX_BODY, 50)
RECEIVED = {"received": True}
MAX_WRONG = 60  # calls with a wrong signature in a minute of one network
_STATUS = {Code.KEY_EXPIRED: 401, Code.SOURCE_OFF: 403, Code.UNKNOWN_WRITE_KEY: 404, Code.BAD_SIGNATURE: 401}


class CallIntake(Protocol):
    """The collector's functions for every call of a webhook."""

    known: KnownState
    call_windows: CallWindows  # of each webhook
    wrong_calls: CallWindows  # with a wrong signature, of each webhook and network

    async def commit_call(self, call: ReceivedCall) -> None:
        """Wait for the commit. Raises `HttpError`."""


async def take_call(intake: CallIntake, request: Request, reply: Reply, text: str) -> None:
    """Keep a call. Its signature is checked before anything of it is kept; GET and HEAD only confirm the address."""
    request.limits = LIMITS
    if request.method not in ("POST", "PUT", "GET", "HEAD"):
        raise HttpError(405, "method_not_allowed", headers={"Allow": "POST"}, ends=True)
    known = await intake.known.find_key(text)
    webhook = _webhook(intake, known, 0 if request.method in ("GET", "HEAD") else request.size)
    if request.method in ("GET", "HEAD"):
        await reply.json(200, {"ready": True})
        return
    if webhook.signature == InboundWebhook.Signature.NONE:
        _count(intake, webhook)
        body = await request.body()
    else:  # calls with a wrong signature use up no calls of the sender
        caller = webhook.source_id, network_of(request.address)
        _refuse_many(intake.wrong_calls.seconds_left(caller, MAX_WRONG))
        body = await request.body()
        try:
            check_signature(webhook, request.headers, body, timezone.now())
        except KeyRejectedError as refusal:
            intake.wrong_calls.seconds_to_wait(caller, MAX_WRONG)
            raise _refused(intake, known, refusal) from None
        _count(intake, webhook)
    call, answer = _read(webhook, request, body)
    await intake.commit_call(call)
    await reply.json(200, answer)


def _count(intake: CallIntake, webhook: InboundWebhook) -> None:
    """Count a call of the webhook. Raises `HttpError` (429)."""
    _refuse_many(intake.call_windows.seconds_to_wait(webhook.source_id, webhook.calls_a_minute))


def _refuse_many(wait: int) -> None:
    if wait:
        message = "This webhook has sent as many calls as it may in a minute."
        raise HttpError(429, Code.TOO_MANY_CALLS, message, {"Retry-After": str(wait)}, ends=True)


def _webhook(intake: CallIntake, known: KnownKey, size: int) -> InboundWebhook:
    """The settings of the webhook with this key. Raises `HttpError`."""
    try:
        source = known.webhook_sender(size).source
    except KeyRejectedError as refusal:
        raise _refused(intake, known, refusal) from None
    return settings_of(source)


def settings_of(source: EventSource) -> InboundWebhook:
    """The settings that were read with the key; those of a bare event source are the usual ones."""
    try:
        return source.inbound_webhook
    except InboundWebhook.DoesNotExist:
        return InboundWebhook(source=source)


def _read(webhook: InboundWebhook, request: Request, body: bytes) -> tuple[ReceivedCall, Any]:
    """The call, and what is answered once it is kept. Raises `HttpError`."""
    try:
        content, text = parse_body(body, request.headers.get("content-type", ""))
    except RejectedError as refusal:
        raise HttpError(400, refusal.code, str(refusal)) from None
    call = make_call(webhook, request.headers, content, text, request.size or len(body))
    answer = zoom_answer(webhook, content)
    call.is_handshake = answer is not None
    return call, answer or RECEIVED


def _refused(intake: CallIntake, known: KnownKey, refusal: KeyRejectedError) -> HttpError:
    intake.known.note_refusal(known, refusal, "")
    if refusal.code == Code.QUOTA_REACHED:
        return HttpError(429, refusal.code, str(refusal), {"Retry-After": "3600"}, ends=True)
    return HttpError(_STATUS.get(Code(refusal.code), 401), refusal.code, str(refusal), ends=True)
