"""Signatures of products: right ones pass, and nothing else does."""

import hmac
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from activities.inbound.signatures import CHECKS, check_signature, zoom_answer
from activities.models import InboundWebhook
from activities.sources.sealing import seal_secret
from people.core.errors import RejectedError

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
BODY = b'{"event": "x"}'
KINDS = InboundWebhook.Signature


def webhook(kind, secret=b"s3cret"):
    name, sealed = seal_secret(secret)
    return InboundWebhook(source_id=1, signature=kind, secret=sealed, secret_key_name=name)


def signed(kind, body=BODY, secret=b"s3cret", at=NOW):
    """The headers of a call as the product signs it."""
    stamp = str(int(at.timestamp()))
    sign = lambda message: hmac.new(secret, message, sha256).hexdigest()  # noqa: E731
    if kind == KINDS.STRIPE:
        return {"stripe-signature": f"t={stamp},v1={'0' * 64},v1={sign(stamp.encode() + b'.' + body)},v0=old"}
    if kind == KINDS.ZOOM:
        signature = sign(b"v0:" + stamp.encode() + b":" + body)
        return {"x-zm-signature": f"v0={signature}", "x-zm-request-timestamp": stamp}
    return {"x-hub-signature-256": f"sha256={sign(body)}"}


def passes(hook, headers, body=BODY, now=NOW):
    try:
        check_signature(hook, headers, body, now)
    except RejectedError as refusal:
        return str(refusal.code) != "bad_signature"
    return True


@pytest.mark.parametrize("kind", [kind for kind, check in CHECKS.items() if check is not None])
def test_only_the_holder_of_the_secret_signs(kind):
    hook = webhook(kind)
    assert passes(hook, signed(kind))
    assert not passes(hook, {})
    assert not passes(hook, signed(kind, secret=b"other"))
    assert not passes(hook, signed(kind), BODY + b" ")
    assert not passes(hook, dict.fromkeys(signed(kind), "é" * 3))
    assert not passes(hook, dict.fromkeys(signed(kind), "t=1e9,v1=" + "a," * 10000))
    assert not passes(InboundWebhook(source_id=1, signature=kind), signed(kind)), "without a secret none passes"
    if kind != KINDS.SHA256:
        assert passes(hook, signed(kind, at=NOW - timedelta(minutes=4)))
        assert not passes(hook, signed(kind, at=NOW - timedelta(minutes=6))), "sent again later"
        assert not passes(hook, signed(kind, at=NOW + timedelta(minutes=6)))


def test_every_kind_has_its_check_and_none_needs_nothing():
    assert set(CHECKS) == set(KINDS)
    assert passes(InboundWebhook(source_id=1), {})


def test_zoom_is_told_that_the_secret_is_known():
    content = {"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}}
    expected = hmac.new(b"s3cret", b"abc", sha256).hexdigest()
    assert zoom_answer(webhook(KINDS.ZOOM), content) == {"plainToken": "abc", "encryptedToken": expected}
    assert zoom_answer(webhook(KINDS.STRIPE), content) is None
    for odd in ({}, {"plainToken": 7}, {"plainToken": "x" * 201}, []):
        assert zoom_answer(webhook(KINDS.ZOOM), {**content, "payload": odd}) is None
