"""Signatures of calls: each kind checks that the sender has the secret, and that a call is not an old one sent again.

Kinds are the members of `InboundWebhook.Signature`; a test walks them.
"""

import hmac
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from activities.inbound.paths import value_at
from activities.models import InboundWebhook
from activities.sources.authentication import KeyRejectedError
from activities.sources.sealing import unseal_secret
from people.core.codes import Code
from people.core.errors import Problem
from people.core.messages import sentence as _

TOLERANCE = timedelta(minutes=5)  # Stripe's, and what Zoom's guide advises
MAX_HEADER = 2_000
MAX_PARTS = 20
MAX_TOKEN = 200
SHA256_HEADER = "x-hub-signature-256"
_TIMESTAMP = re.compile(r"[0-9]{9,13}")
Kind = InboundWebhook.Signature
Headers = Mapping[str, str]


def check_signature(webhook: InboundWebhook, headers: Headers, body: bytes, now: datetime) -> None:
    """Raise `KeyRejectedError` (`bad_signature`) unless the call is signed as its webhook wants."""
    check = CHECKS[Kind(webhook.signature)]
    if check is not None:
        check(webhook, headers, body, now)


def zoom_answer(webhook: InboundWebhook, content: Any) -> dict[str, str] | None:
    """The answer to Zoom's check of the address (`endpoint.url_validation`); None for any other call."""
    if webhook.signature != Kind.ZOOM or value_at(content, ["event"]) != "endpoint.url_validation":
        return None
    token = value_at(content, ["payload", "plainToken"])
    if not isinstance(token, str) or not 0 < len(token) <= MAX_TOKEN:
        return None
    return {"plainToken": token, "encryptedToken": _sign(webhook, token.encode("utf-8", "replace"))}


def _check_sha256(webhook: InboundWebhook, headers: Headers, body: bytes, now: datetime) -> None:
    name = webhook.signature_header.lower() or SHA256_HEADER
    signature = headers.get(name, "").strip().lower().removeprefix("sha256=")
    _require(_is_same(signature, _sign(webhook, body)))


def _check_zoom(webhook: InboundWebhook, headers: Headers, body: bytes, now: datetime) -> None:
    timestamp = headers.get("x-zm-request-timestamp", "").strip()
    _require_recent(timestamp, now)
    signature = headers.get("x-zm-signature", "").strip().lower()
    _require(signature.startswith("v0="))
    _require(_is_same(signature.removeprefix("v0="), _sign(webhook, b"v0:%s:%s" % (timestamp.encode(), body))))


def _check_stripe(webhook: InboundWebhook, headers: Headers, body: bytes, now: datetime) -> None:
    header = headers.get("stripe-signature", "")
    parts = [part.strip().partition("=") for part in header[:MAX_HEADER].split(",")[:MAX_PARTS]]
    timestamp = next((value for name, _equals, value in parts if name == "t"), "")
    _require_recent(timestamp, now)
    expected = _sign(webhook, b"%s.%s" % (timestamp.encode(), body))
    _require(any(_is_same(value, expected) for name, _equals, value in parts if name == "v1"))


CHECKS: Mapping[InboundWebhook.Signature, Callable[[InboundWebhook, Headers, bytes, datetime], None] | None] = {
    Kind.NONE: None,
    Kind.SHA256: _check_sha256,
    Kind.STRIPE: _check_stripe,
    Kind.ZOOM: _check_zoom,
}


def _sign(webhook: InboundWebhook, message: bytes) -> str:
    """HMAC-SHA256 in hex. A webhook that wants signatures and has no secret takes no call."""
    _require(webhook.secret is not None)
    assert webhook.secret is not None
    return hmac.new(unseal_secret(webhook.secret_key_name, webhook.secret), message, sha256).hexdigest()


def _is_same(signature: str, expected: str) -> bool:
    return signature.isascii() and hmac.compare_digest(signature.lower(), expected)


def _require_recent(timestamp: str, now: datetime) -> None:
    _require(_TIMESTAMP.fullmatch(timestamp) is not None)
    seconds = int(timestamp) / (1_000 if len(timestamp) == 13 else 1)
    if abs(now.timestamp() - seconds) > TOLERANCE.total_seconds():
        message = _("The call was signed more than five minutes before or after it came.")
        raise KeyRejectedError(Problem(Code.BAD_SIGNATURE, message))


def _require(is_right: bool) -> None:
    if not is_right:
        raise KeyRejectedError(Problem(Code.BAD_SIGNATURE, _("The signature of the call is missing or wrong.")))
