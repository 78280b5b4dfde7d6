"""The addresses of webhooks over HTTP: what is kept before it is answered, and what is refused."""

import gzip
import hmac
import http.client
import json
import time
from hashlib import sha256

import pytest

from activities.inbound import editing
from activities.models import EventSource, InboundCall
from activities.sources import editing as source_editing
from tests.config.collector.pages import SITE
from tests.server import running_collector

pytestmark = pytest.mark.django_db(transaction=True)


def key_of(issued):
    return issued.write_key


def call(port, key, content, method="POST", **headers):
    """Status and JSON of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    sent = {"Content-Type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
    body = content if isinstance(content, bytes | type(None)) else json.dumps(content).encode()
    try:
        connection.request(method, f"/_a/w/{key}", body, sent)
        reply = connection.getresponse()
        text = reply.read()
    finally:
        connection.close()
    return reply.status, json.loads(text) if text else None


def announced_status(port, key, size):
    """The status of a call whose body is announced and not sent."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("POST", f"/_a/w/{key}")
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def zoom_headers(content, at=None):
    stamp = str(int(at or time.time()))
    message = f"v0:{stamp}:{json.dumps(content)}".encode()
    return {"x_zm_request_timestamp": stamp, "x_zm_signature": f"v0={hmac.new(b'token', message, sha256).hexdigest()}"}


def test_what_is_answered_is_kept_and_nothing_else():
    bank = key_of(editing.create_webhook("Bank", "other", None, calls_a_minute=30))
    zoom = key_of(editing.create_webhook("Webinars", "zoom", None, secret="token", calls_a_minute=50))
    program = source_editing.create_source("Shop", "server", None).write_key
    site = source_editing.create_source("Site", "browser", None, origins=[SITE]).write_key
    received = (200, {"received": True})
    with running_collector(TRUST_PROXY="1") as server:
        port = server.port
        assert call(port, bank, {"n": 1}) == call(port, bank, {"n": 1}) == received, "a retry"
        assert call(port, bank, gzip.compress(b'{"n": 2}'), Content_Encoding="gzip") == received
        form = "application/x-www-form-urlencoded"
        assert call(port, bank, b"a=1&b=%00", "PUT", Content_Type=form) == received
        assert call(port, bank, None, "GET") == call(port, bank, None, "GET") == (200, {"ready": True})
        kept = list(InboundCall.objects.order_by("pk").values_list("body", flat=True))
        assert kept == ['{"n": 1}', '{"n": 2}', json.dumps({"a": "1", "b": "\0"})]
        # refused: nothing more is kept
        deep = b"[" * 300 + b"]" * 300
        statuses = [call(port, bank, body)[0] for body in (b"no", deep, b"[%s]" % b",".join([b"1"] * 6_000))]
        assert statuses == [400, 400, 400]
        assert announced_status(port, bank, 1024 * 1024) == 413, "before any of it is read"
        assert call(port, bank, gzip.compress(b" " * 500_000), Content_Encoding="gzip")[0] == 413
        for wrong in (bank[:-1] + ("a" if bank[-1] != "a" else "b"), program, site, "caw_", "x" * 500):
            assert call(port, wrong, {"n": 3})[0] == 404
        assert call(port, bank, {"n": 3}, "DELETE")[0] == 405
        batch = json.dumps({"batch": [], "writeKey": bank}).encode()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("POST", "/v1/batch", batch)
        assert connection.getresponse().status == 401, "the key of a webhook works nowhere else"
        connection.close()
        # signatures
        joined = {"event": "webinar.participant_joined"}
        assert call(port, zoom, joined)[0] == 401
        assert call(port, zoom, joined, **zoom_headers({}))[0] == 401
        assert call(port, zoom, joined, **zoom_headers(joined, time.time() - 400))[0] == 401
        assert call(port, zoom, joined, **zoom_headers(joined)) == received
        assert call(port, zoom, joined, **zoom_headers(joined)) == received, "sent again at once: a retry"
        check = {"event": "endpoint.url_validation", "payload": {"plainToken": "p"}}
        expected = {"plainToken": "p", "encryptedToken": hmac.new(b"token", b"p", sha256).hexdigest()}
        assert call(port, zoom, check, **zoom_headers(check)) == (200, expected)
        states = list(InboundCall.objects.order_by("pk").values_list("state", flat=True))
        assert states == ["new"] * 4 + ["handshake"]
        # calls with a wrong signature use up no calls of the sender, and are refused before the body soon
        wrong = [call(port, zoom, joined, X_Forwarded_For="192.0.2.1")[0] for _number in range(70)]
        assert set(wrong) == {401, 429} and wrong == sorted(wrong) and wrong.count(401) == 60
        assert call(port, zoom, joined, **zoom_headers(joined)) == received
        # too many in a minute
        flood = [call(port, bank, {"flood": number})[0] for number in range(40)]
        assert set(flood) == {200, 429} and flood == sorted(flood)
        source_editing.turn_off(EventSource.objects.get(name="Webinars"), None)
        until = time.monotonic() + 10
        while call(port, zoom, joined, **zoom_headers(joined))[0] == 200 and time.monotonic() < until:
            time.sleep(0.2)
        assert call(port, zoom, joined, **zoom_headers(joined))[0] == 403
