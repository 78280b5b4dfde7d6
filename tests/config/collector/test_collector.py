"""The collector as a browser meets it: a process on the test's database."""

import gzip
import hmac
import json
import socket
import time
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from activities.models import EventSource, RefusedActivity, SourceDay, Visitor, VisitorActivity, WaitingEvent
from activities.sources import editing, recent
from activities.tracking.script import files
from activities.visitors import partitions
from tests.config.collector.pages import SITE, Browser, new_batch, new_hit
from tests.factories import approved_type
from tests.server import running_collector

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site():
    partitions.forget_partitions()
    return editing.create_source("Shop", "browser", None, origins=[SITE], munchkin_id="123-ABC-456")


@pytest.fixture
def server(site, tmp_path):
    with running_collector(COLLECTOR_SECONDS="5", COLLECTOR_CONNECTIONS="60") as running:
        yield running


def test_what_a_page_sends_is_committed_when_it_is_answered_and_each_fault_is_named(site, server):
    check = approved_type()
    ann = Browser(server.port, site.write_key)
    page, link = new_hit(), new_hit("link", {"href": "https://other.example/a?token=x&b=1", "text": "Go"})
    assert ann.send(page, link) == 200 and json.loads(ann.body) == {"accepted": 2, "refused": []}
    assert ann.headers["Access-Control-Allow-Origin"] == SITE and "Origin" in ann.headers["Vary"]
    assert ann.headers["Access-Control-Allow-Credentials"] is None
    rows = {row.message_id: row for row in VisitorActivity.objects.all()}
    assert set(rows) == {page["id"], link["id"]}
    visit = rows[page["id"]]
    assert (visit.activity_type_id, visit.primary_value) == (1, "www.example.com/pricing")
    assert visit.attributes["utm_source"] == "mail" and visit.attributes["page_title"] == "Pricing"
    assert visit.attributes["client_ip_address"] == "127.0.0.0" and visit.attributes["platform"] == "Linux"
    assert rows[link["id"]].attributes["url"] == "https://other.example/a?b=1", "secrets are cut out"

    # the same beacon again, the same id with other content, and one bad hit beside a good one
    script = new_hit("link", {"href": "javascript:alert(1)"})
    unknown = new_hit("track", {"type": "noSuchType", "primary": "x"})
    bad = new_hit("track", {"type": check.api_name, "primary": "No. 1", "attributes": {"amount": "much"}})
    good = new_hit("track", {"type": "Deposit Check", "primary": "No. 2", "attributes": {"amount": "12.50"}})
    changed = {**page, "title": "Other"}
    assert ann.send(page, changed, script, unknown, bad, good, 7, new_hit(at="now"), new_hit("scroll")) == 200
    codes = {**ann.refused}
    assert codes[page["id"]] == "external_id_reused" and codes[script["id"]] == "bad_url"
    assert codes[bad["id"]] == "wrong_type" and codes["#6"] == "wrong_type"
    assert len(codes) == 6 and not {good["id"], unknown["id"]} & codes.keys()
    assert VisitorActivity.objects.count() == 3
    kept = RefusedActivity.objects.order_by("pk")
    assert {row.code for row in kept} == {"wrong_type"} and {row.event_source for row in kept} == {site.key.source}
    assert WaitingEvent.objects.get().sighting.name == "noSuchType"
    use = SourceDay.objects.get()
    assert (use.requests, use.new_visitors, use.accepted, use.rejected) == (2, 1, 5, 6)

    # the people: a claim stays a claim
    claim, forged = (
        new_hit("identify", {"email": "ann@example.com", "signature": signature}) for signature in (None, "0" * 64)
    )
    proof = new_hit(
        "identify", {"email": "ann@example.com", "user_id": "boss", "signature": signed(site, "ann@example.com")}
    )
    by_id, by_other_value = (
        new_hit("identify", {"user_id": "u-7", "signature": signed(site, f"{label}u-7")}) for label in ("user_id:", "")
    )
    form = new_hit("form", {"form": "Contact", "fields": {"email": "ann@example.com", "message": "Hi"}})
    assert ann.send(claim, forged, proof, form, by_id, by_other_value) == 200 and not ann.refused
    said = dict(VisitorActivity.objects.exclude(identity=None).values_list("message_id", "identity"))
    assert said[claim["id"]] == said[forged["id"]] == {"evidence": 4, "email": "ann@example.com", "fields": {}}
    assert said[proof["id"]] == {"evidence": 1, "email": "ann@example.com", "fields": {}}, (
        "only what is signed is proven"
    )
    assert said[form["id"]]["evidence"] == 2
    assert said[by_id["id"]] == {"evidence": 1, "user_id": "u-7", "fields": {}}
    assert said[by_other_value["id"]]["evidence"] == 4, "a signature of an email address proves no user ID"
    # programs are marked, and are no people
    robot = Browser(server.port, site.write_key, agent="Googlebot/2.1 (+http://www.google.com/bot.html)")
    assert robot.send(new_hit(), {**claim, "id": str(uuid.uuid4())}) == 200
    row = VisitorActivity.objects.order_by("-id")[0]
    assert row.is_bot and row.attributes["bot_pattern"] and row.identity is None


def test_the_live_page_has_each_act_with_what_became_of_it(site, server):
    ann = Browser(server.port, site.write_key)
    checked = new_hit(data={"check": "n" * 24})
    bad = new_hit("link", {"href": "javascript:alert(1)", "text": "x"})
    assert ann.send(checked, bad) == 200
    assert ann.send(checked) == 200
    assert ann.send(new_hit(), consent="denied") == 200
    assert Browser(server.port, site.write_key, origin="https://evil.example").send(new_hit()) == 403
    source_id = site.key.source.pk
    wait_until(lambda: recent.last_refused_request(source_id, timedelta(minutes=1)))
    shown = [(event.kind, event.outcome, event.title) for event in recent.recent_events(source_id)[::-1]]
    page = f"{SITE}/pricing?utm_source=mail"
    assert shown == [
        ("page", "kept", page),
        ("link", "refused", ""),
        ("page", "repeated", page),
        ("page", "dropped", ""),
        ("request", "refused", "https://evil.example"),
    ]
    found = recent.find_checked_event(source_id, "n" * 24)
    assert found.outcome == "repeated" and all(event.reason for event in recent.recent_events(source_id)[:2])


def signed(site, value):
    return hmac.new(site.identity_secret.encode(), value.encode(), "sha256").hexdigest()


def test_what_is_refused_as_a_whole(site, server):
    program = editing.create_source("ERP", "server", None)
    ann = Browser(server.port, site.write_key)
    body = json.dumps(new_batch(new_hit(), visitor="a" * 32))
    path = f"/_a/e?k={site.write_key}"

    def post(body=body, path=path, **headers):
        status = ann.ask("POST", path, body, **headers)
        ann.close()
        return status, (ann.code if status >= 400 else None)

    assert post() == (204, None)
    assert post(Origin="https://evil.example") == (403, "origin_refused")
    assert ann.headers["Access-Control-Allow-Origin"] is None
    assert post(Origin=None) == (403, "origin_refused"), "a program with a browser's key"
    assert post(path="/_a/e?k=cab_" + "x" * 24) == (401, "unknown_write_key")
    assert post(path="/_a/e") == (401, "unknown_write_key")
    assert post(path=f"/_a/e?k={program.write_key}", Origin=None) == (403, "origin_refused"), (
        "secrets stay out of addresses"
    )
    assert post(body="a" * 65_537) == (413, "too_large")
    assert post(body=iter([b"a" * 40_000] * 2)) == (413, "too_large"), "in chunks"
    assert post(body=gzip.compress(b" " * 60_000), Content_Encoding="gzip") == (413, "too_large"), "inflates too far"
    assert post(body=gzip.compress(body.encode()), Content_Encoding="gzip") == (204, None)
    assert post(body=gzip.compress(body.encode())[:-9], Content_Encoding="gzip") == (400, "bad_gzip")
    assert post(body=body, Content_Encoding="br") == (415, "unknown_encoding")
    assert post(body="{") == (400, "invalid_json")
    assert post(body="[" * 30_000) == (400, "invalid_json")
    for wrong, code in (
        ({"v": 2}, "unknown_version"),
        ({"sent": "now"}, "wrong_type"),
        ({"visitor": "Ann"}, "bad_token"),
        ({"consent": "maybe"}, "unknown_word"),
        ({"hits": [new_hit() for _number in range(21)]}, "too_many_rows"),
        ({"hits": {}}, "wrong_type"),
    ):
        assert post(body=json.dumps(json.loads(body) | wrong)) == (400, code), wrong
    huge = body.replace('"at": ', '"at": ' + "9" * 20_000)
    assert post(body=huge) == (204, None), "what is wrong with one hit costs no batch"
    deep = new_hit(data=json.loads("[" * 50 + "]" * 50))
    assert ann.send(deep, json.loads(body)["hits"][0], visitor="a" * 32) == 200 and ann.refused == {
        deep["id"]: "too_deep"
    }
    ann.close()
    assert ann.ask("GET", path) == 405 and ann.ask("POST", "/_a/unknown") in (404, 405)
    ann.close()
    assert ann.ask("OPTIONS", path, Access_Control_Request_Method="POST") == 204
    assert ann.headers["Access-Control-Max-Age"] == "86400" and ann.headers["Access-Control-Allow-Origin"] == SITE
    assert VisitorActivity.objects.count() == 1, "the same hit came twice"

    # quotas
    EventSource.objects.filter(pk=site.key.source.pk).update(bytes_a_day=10)
    wait_until(lambda: post() == (429, "quota_reached"))
    assert int(ann.headers["Retry-After"]) > 0
    EventSource.objects.filter(pk=site.key.source.pk).update(bytes_a_day=10**9)
    wait_until(lambda: post() == (204, None))
    # a key that ends works no longer than a few seconds, and the new one at once
    issued = editing.rotate_key(site.key.source, None, timezone.timedelta())
    assert Browser(server.port, issued.write_key).send(new_hit()) == 200
    wait_until(lambda: post() == (401, "key_expired"))


def wait_until(holds, seconds=10):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_consent_signals_and_clocks(site, server):
    ann = Browser(server.port, site.write_key)
    now = int(time.time() * 1000)
    day, years = 86_400_000, 2 * 365 * 86_400_000
    late = new_hit(at=now - 3_600_000)
    ahead, behind, retried = new_hit(at=now + years), new_hit(at=now - years), new_hit(at=now - 2 * day)
    assert ann.send(late, sent=now) == 200 and ann.send(ahead, sent=now + years + 60_000) == 200
    assert ann.send(behind, sent=now - years) == 200 and ann.send(retried, sent=now) == 200
    assert ann.send(behind, sent=now - years + 5_000) == 200 and not ann.refused, (
        "a retry is the same whatever the clock says"
    )
    rows = {row.message_id: row for row in VisitorActivity.objects.all()}
    before = {key: (timezone.now() - row.occurred_at).total_seconds() for key, row in rows.items()}
    for hit, seconds in ((late, 3_600), (ahead, 60), (behind, 0), (retried, 86_400)):
        assert seconds - 1 <= before[hit["id"]] < seconds + 60, hit
    assert rows[ahead["id"]].client_at.timestamp() * 1000 == ahead["at"], "the client's time stays"
    count = VisitorActivity.objects.count()
    for headers in ({"Sec_GPC": "1"}, {"DNT": "1"}):
        assert (
            ann.ask(
                "POST", f"/_a/e?k={site.write_key}", json.dumps(new_batch(new_hit(), visitor=ann.visitor)), **headers
            )
            == 204
        )
    assert ann.send(new_hit(), consent="denied") == 200 and ann.send(new_hit(), visitor=None) == 200
    assert VisitorActivity.objects.count() == count, "acknowledged, and not kept"
    answer = new_hit("consent", {"state": "granted", "purposes": {"analytics": True, "marketing": False}})
    assert ann.send(answer, consent="granted") == 200 and not ann.refused
    said = VisitorActivity.objects.order_by("id")[count:]
    assert [(row.activity_type_id, row.primary_value) for row in said] == [(90_003, "analytics"), (90_004, "marketing")]


def test_munchkin_pixel_and_cookie(site, server):
    ann = Browser(server.port, site.write_key)
    token = "_mch-example.com-1700000000000-12345"
    query = f"_mchNc={int(time.time() * 1000)}&_mchTk={token}&_mchId=123-abc-456&_mchHo=www.example.com&_mchPc=https:&_mchRu=/a&_mchQp=b=1__-__c=2"
    for _twice in range(2):
        assert ann.ask("POST", f"/webevents/visitWebPage?{query}") == 200
    assert ann.ask("GET", f"/webevents/clickLink?{query}&_mchHr=/next") == 200
    rows = list(VisitorActivity.objects.order_by("id"))
    assert [(row.activity_type_id, row.primary_value) for row in rows] == [
        (1, "www.example.com/a"),
        (3, "https://www.example.com/next"),
    ]
    assert rows[0].attributes["url"] == "https://www.example.com/a?b=1&c=2"
    assert ann.ask("GET", "/webevents/visitWebPage?_mchId=999-XYZ-999") == 401

    image = Browser(server.port, site.write_key, origin=None)
    assert (
        image.ask("GET", f"/_a/p.gif?k={site.write_key}&u={SITE}/p", Referer=f"{SITE}/p", Cookie=f"_ca={'c' * 32}")
        == 200
    )
    assert image.body.startswith(b"GIF89a") and VisitorActivity.objects.count() == 3
    assert image.ask("GET", f"/_a/id?k={site.write_key}", Referer=SITE) == 204
    assert image.headers["Set-Cookie"].startswith("_ca=") and "HttpOnly" not in image.headers["Set-Cookie"]
    assert image.ask("GET", f"/_a/id?k={site.write_key}", Referer=SITE, Sec_GPC="1") == 204
    assert image.headers["Set-Cookie"] is None
    assert Visitor.objects.count() == 2


def test_slow_clients_and_bounds_of_a_head(site, server):
    head = f"POST /_a/e?k={site.write_key} HTTP/1.1\r\nHost: x\r\nOrigin: {SITE}\r\nContent-Length: 500\r\n".encode()
    ann = Browser(server.port, site.write_key)
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _number in range(80)]
    try:
        for number, client in enumerate(slow):
            client.sendall(head + (b"\r\nabc" if number % 2 else b""))
        started = time.monotonic()
        assert ann.send(new_hit()) == 200 and time.monotonic() - started < 5, "of too many connections the oldest goes"
        for client in slow[-2:]:
            client.settimeout(20)
            assert client.recv(100).startswith(b"HTTP/1.1 408")
    finally:
        for client in slow:
            client.close()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(head + b"X: " + b"a" * 40_000)
        assert client.recv(100).startswith(b"HTTP/1.1 431")
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:  # half a body behind a request
        client.sendall(b"GET /_a/healthz HTTP/1.1\r\nHost: x\r\n\r\n" + head + b"\r\nabc")
        reply = b"".join(iter(lambda: client.recv(65_536), b""))
        assert reply.startswith(b"HTTP/1.1 200") and b"HTTP/1.1 408" in reply
    # a head in one piece, more requests than answers, and answers that are not taken
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"GET /_a/healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 431")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n" * 1_000)
        assert b"HTTP/1.1 429" in b"".join(iter(lambda: client.recv(65_536), b""))
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.settimeout(20)
        client.connect(("127.0.0.1", server.port))
        with pytest.raises(OSError, match=r"reset|Broken"):
            while True:  # until the buffers are full, and then the seconds are over
                client.sendall(f"GET /_a/s/{site.write_key}.js HTTP/1.1\r\n\r\n".encode())
                time.sleep(0.001)


def test_scripts_are_sent_compressed_to_who_accepts_it_each_form_with_a_tag_of_its_own(site, server):
    page = Browser(server.port, site.write_key)
    version = files.current_version()
    for path in (f"/_a/s/{site.write_key}.js", "/_a/munchkin/123-ABC-456.js", f"/_a/s/{version}/s.js"):
        tags = set()
        for accepted in ("gzip, deflate, br", "GZIP;q=0.5", None, "br", "gzip;q=0, br", "gzip; q=0.0"):
            assert page.ask("GET", path, Accept_Encoding=accepted or "identity") == 200, path
            is_packed = accepted is not None and "q=0," not in accepted and "q=0.0" not in accepted and accepted != "br"
            assert page.headers["Content-Encoding"] == ("gzip" if is_packed else None), accepted
            assert "Accept-Encoding" in page.headers["Vary"]
            text = gzip.decompress(page.body) if is_packed else page.body
            assert b"customActivities" in text and (len(page.body) < 6_300 or not is_packed)
            if tag := page.headers["ETag"]:
                tags.add((is_packed, tag))
                assert page.ask("GET", path, Accept_Encoding=accepted or "identity", If_None_Match=tag) == 304
                assert page.headers["ETag"] == tag and page.headers["Content-Encoding"] is None and not page.body
        assert len(tags) == len(dict(tags)) == (0 if version in path else 2), tags
