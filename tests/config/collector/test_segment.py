"""Segment's API as its clients meet it: keys, answers, limits, and the settings of browsers."""

import base64
import gzip
import http.client
import json
import time
from contextlib import suppress

import pytest

from activities.models import Activity, EventSource, Sighting, VisitorActivity, WaitingEvent
from activities.sources import editing
from activities.visitors import partitions
from tests.activities.intake.processing import process_all
from tests.activities.segment.senders import message
from tests.config.collector.pages import SITE
from tests.factories import approved_type
from tests.server import running_collector

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sources():
    partitions.forget_partitions()
    program = editing.create_source("Shop back end", "server", None)
    return program, editing.create_source("Shop", "browser", None, origins=[SITE])


class Client:
    def __init__(self, port, key):
        self.port, self.key = port, key

    def post(self, path, value, *, key=None, method="POST", **headers):
        """Status and JSON of the answer; `key` False: no header."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        if key is not False:
            sent["Authorization"] = "Basic " + base64.b64encode((key or f"{self.key}:").encode()).decode()
        body = value if isinstance(value, bytes | type(None)) else json.dumps(value).encode()
        connection.request(method, path, body, sent)
        reply = connection.getresponse()
        self.headers, text = reply.headers, reply.read()
        connection.close()
        return reply.status, json.loads(text) if text else None


def check_cloudevents(client, site):
    """The three modes at the address of CloudEvents, and what is no CloudEvent."""
    path, ok = "/v1/cloudevents", (200, {"success": True})
    event = {"specversion": "1.0", "id": "1", "source": "/a", "type": "Ce", "subject": "u-1", "data": {"a": 1}}
    structured, batch = "application/cloudevents+json", "application/cloudevents-batch+json; charset=utf-8"
    assert client.post(path, event, Content_Type=structured) == ok
    packed = gzip.compress(json.dumps([event, {**event, "id": "2"}, 7]).encode())
    assert client.post(path, packed, Content_Type=batch, Content_Encoding="gzip") == ok
    binary = {f"ce_{name}": value for name, value in event.items() if name != "data"}
    assert client.post(path, {"a": 1}, Content_Type="application/json", **binary) == ok
    bearer = {"Authorization": f"Bearer {client.key}", "key": False}
    assert client.post(path, {**event, "id": "3"}, Content_Type=structured, **bearer) == ok
    assert Sighting.objects.get(name="Ce").kept == 3
    assert client.post(path, event, Content_Type="application/json")[0] == 415
    assert client.post(path, event, Content_Type="application/cloudevents+avro")[0] == 415
    assert client.post(path, b"{", Content_Type=structured)[0] == 400
    assert client.post(path, event, Content_Type=structured, key=False)[0] == 401
    assert client.post(f"{path}?writeKey={client.key}", event, Content_Type=structured, key=False)[0] == 401
    assert client.post(path, event, Content_Type=structured, Origin=SITE)[0] == 403, "a secret key in a page"
    assert client.post(path, event, Content_Type=structured, key=f"{site.write_key}:", Origin=SITE) == ok
    assert client.post(path, None, method="GET")[0] == 405
    check_handshake(client, site, path)
    with suppress(ConnectionError):
        assert client.post(path, b" " * 600_000, Content_Type=structured)[0] == 400


def check_handshake(client, site, path):
    """The handshake of Azure Event Grid: it needs the key as events do, and agrees to nothing without."""
    allowed = ("WebHook-Allowed-Origin", "WebHook-Allowed-Rate")

    def ask(**more):
        status = client.post(path, None, method="OPTIONS", **more)[0]
        return status, *(client.headers[name] for name in allowed)

    azure = {"WebHook_Request_Origin": "eventgrid.azure.net", "WebHook_Request_Rate": "120"}
    assert ask(**azure) == (200, "eventgrid.azure.net", "*") and "POST" in client.headers["Allow"]
    assert ask(key=False, Authorization=f"Bearer {client.key}", **azure)[0] == 200
    assert ask(key=False, **azure) == (401, None, None) == ask(key="cas_unknown:", **azure)
    assert ask(key=f"{site.write_key}:", **azure)[0] == 403, "a page's key belongs to its origins"
    for wrong in ("", "a b", "x" * 300, "<script>", "https://a.example/"):
        assert ask(WebHook_Request_Origin=wrong) == (400, None, None)
    assert ask(key=False, Origin=SITE, Access_Control_Request_Method="POST") == (204, None, None)
    assert client.headers["Access-Control-Allow-Origin"] == SITE, "a browser's preflight is answered as before"


def changed_status(call, seconds=30):
    """The first status that is not 200."""
    until = time.monotonic() + seconds
    while (status := call()) == 200 and time.monotonic() < until:
        time.sleep(0.1)
    return status


def test_calls_keys_and_answers(sources):
    program, site = sources
    approved_type()
    ok = (200, {"success": True})
    track = lambda **more: message("track", "Deposit Check", {"check": "1"}, userId="u-1", **more)  # noqa: E731
    with running_collector() as collector:
        client = Client(collector.port, program.write_key)
        for path in ("/v1/track", "/v1/t", "/_a/v1/track", "/v1/track/"):
            assert client.post(path, track(type=...)) == ok
        for path in ("/v1/batch", "/v1/b", "/v1/import"):
            assert client.post(path, {"batch": [track(), track()]}) == ok
        assert client.post("/v1/batch", {"batch": [track()]}, Content_Type="application/x-www-form-urlencoded") == ok
        packed = gzip.compress(json.dumps({"batch": [track()] * 100}).encode())
        assert client.post("/v1/batch", packed, Content_Encoding="gzip", Content_Type="text/plain") == ok
        assert client.post("/v1/batch", {"batch": [track()]}, key=program.write_key) == ok, "without the colon"
        assert client.post("/v1/batch", {"batch": [track()], "writeKey": program.write_key}, key=False) == ok
        bearer = {"Authorization": "Bearer token"}
        assert client.post("/v1/batch", {"batch": [track()], "writeKey": program.write_key}, key=False, **bearer) == ok
        assert client.post("/v1/batch", {"batch": [{"type": "nothing"}, 7, track()]}) == ok
        assert client.post("/v1/batch", {"batch": []}) == ok and client.post("/v1/m", {"series": []}) == ok
        for call in ("identify", "page", "screen", "group", "alias"):
            assert client.post(f"/v1/{call}", message(userId="u-1", previousId="x", groupId="g", type=...)) == ok
        process_all()
        recorded = VisitorActivity.objects.filter(activity_type_id__gte=100_001).count()
        assert recorded == 16, "each message once: 100 in a batch were the same"

        for body in (b"{", b"[]", b"7", b'{"batch": 7}', b"[" * 100_000, b"\xff"):
            assert client.post("/v1/batch", body)[0] == 400, body[:20]
        # answered before the whole body is sent: a client may see the answer, or that the connection is closed
        with suppress(ConnectionError):
            assert client.post("/v1/batch", b'{"batch": []' + b" " * 600_000 + b"}")[0] == 400
        assert client.post("/v1/batch", gzip.compress(b" " * 2_000_000), Content_Encoding="gzip")[0] == 400
        bomb = gzip.compress(b'{"batch":[' + b"0," * 200_000 + b"0]}")
        assert len(bomb) < 1_000 and client.post("/v1/batch", bomb, Content_Encoding="gzip")[0] == 400
        large = {"batch": [], "context": {}, "writeKey": site.write_key, "padding": "x" * 140_000}
        for key in (f"{site.write_key}:", False):
            assert client.post("/v1/batch", large, key=key, Origin=SITE)[0] == 400, "a page sends little"
        assert client.post("/v1/batch", large) == ok, "a program more"
        assert client.post("/v1/track", track(), key="nobody:")[0] == 401
        assert client.post("/v1/track", track(), key=False)[0] == 401
        assert client.post("/v1/track", track(), Authorization="Basic ###", key=False)[0] == 401
        assert client.post("/v1/track", track(), Origin=SITE)[0] == 403, "a secret key in a page"
        assert client.post("/v1/track", track(), key=f"{site.write_key}:")[0] == 403, "a page's key in a program"
        assert client.post("/v1/track", None, method="GET")[0] == 405
        assert client.post("/v1/nothing", {})[0] in (404, 405)
        # undefined events wait
        assert client.post("/v1/track", message("track", "Typo", userId="u-1")) == ok and process_all()
        assert Sighting.objects.get(kind="event", name="Typo").kept == 1
        assert WaitingEvent.objects.filter(sighting__name="Typo").count() == 1

        check_cloudevents(client, site)

        # browsers
        page = message("page", None, {"url": f"{SITE}/a"}, anonymousId="a-1", type=...)
        assert client.post("/v1/p", page, method="OPTIONS", key=False, Origin=SITE)[0] == 204
        assert "authorization" in client.headers["Access-Control-Allow-Headers"].lower()
        assert {"anonymousid", "sentat"} <= {
            name.strip().lower() for name in client.headers["Access-Control-Allow-Headers"].split(",")
        }
        assert client.post("/v1/p", page, key=f"{site.write_key}:", Origin=SITE, Content_Type="text/plain") == ok
        assert client.headers["Access-Control-Allow-Origin"] == SITE
        beacon = f"/beacon/v1/batch?writeKey={site.write_key}"
        assert client.post(beacon, {"batch": [{**page, "type": "page"}]}, key=False, Origin=SITE) == ok
        assert VisitorActivity.objects.filter(activity_type_id=1).count() == 1
        status, own = client.post(f"/v1/projects/{site.write_key}/settings", None, method="GET", key=False)
        assert status == 200 and own["integrations"]["Segment.io"]["apiKey"] == site.write_key
        status, own = client.post("/sourceConfig/?p=npm&v=3", None, method="GET", key=f"{site.write_key}:")
        assert status == 200 and own["source"]["writeKey"] == site.write_key
        named = {own["source"]["id"], own["source"]["name"]}
        assert named == {"source"}, "nothing of the installation's own, which any visitor could read"
        assert client.post(f"/v1/projects/{program.write_key}/settings", None, method="GET", key=False)[0] == 404

        EventSource.objects.filter(pk=program.key.source_id).update(bytes_a_day=1)
        EventSource.objects.filter(pk=site.key.source_id).update(is_on=False)
        # a key is read again after some seconds
        assert changed_status(lambda: client.post("/v1/track", track())[0]) == 429
        assert int(client.headers["Retry-After"]) > 0
        assert changed_status(lambda: client.post("/v1/p", page, key=f"{site.write_key}:", Origin=SITE)[0]) == 401
    assert not Activity.objects.filter(activity_type_id__gte=100_001).exists(), "the dispatcher moves them"
