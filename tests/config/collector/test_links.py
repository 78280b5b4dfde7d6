"""The short addresses over HTTP: where they lead, what is kept, and what no request can change."""

import asyncio
import http.client
import time
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.utils import timezone

from activities.links import editing
from activities.links.clicks import ReceivedClick, keep_clicks
from activities.links.targets import target_of
from activities.links.tokens import new_token
from activities.models import LinkClick, LinkDay, VisitorActivity
from activities.tracking.agents import parse_agent
from config.collector import guesses, links, windows
from config.collector.writer import Writer
from tests.activities.links.factories import SALE, make_link
from tests.activities.visitors.factories import make_site, make_visitor
from tests.config.collector.pages import CHROME
from tests.config.collector.test_failures import elsewhere
from tests.config.test_outages import other_connection
from tests.factories import make_person
from tests.server import running_collector

pytestmark = pytest.mark.django_db(transaction=True)
TOKEN = "ab" * 16


def follow(port, path, method="GET", agent=CHROME, **headers):
    """(status, headers, text) of the answer; a redirect is not followed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    sent = {"User-Agent": agent, **{name.replace("_", "-"): text for name, text in headers.items()}}
    try:
        connection.request(method, path, headers={name: text for name, text in sent.items() if text is not None})
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read().decode()
    finally:
        connection.close()


def lead_to(port, path, **options):
    status, headers, _text = follow(port, path, **options)
    return status, headers["Location"]


def test_a_link_leads_where_its_row_says_and_its_clicks_are_kept():
    site, ann = make_site(), make_person()
    make_visitor(site, TOKEN)
    link = make_link(code="spring-sale", utm_source="leaflet")
    lost = make_link("Lost", "https://www.example.com/lost")
    target = "https://www.example.com/sale?size=xl&utm_source=leaflet#top"
    with running_collector(LINK_CLICKS_PER_ADDRESS="60") as server:
        port, path = server.port, "/l/spring-sale"
        status, headers, text = follow(port, path)
        assert (status, headers["Location"], text) == (302, target, "")
        assert headers["Cache-Control"] == "no-store" and "Set-Cookie" not in headers
        assert headers["Referrer-Policy"] and headers["X-Robots-Tag"] == "noindex"
        token = new_token(ann.pk, link.pk)
        # nothing of the request gets into the address, and whatever it carries, it leads on
        hostile = quote("https://evil.test/\r\nSet-Cookie: a=b")
        for query in (
            *(f"?p={token}", f"?p={token[:-1]}x", f"?p={new_token(ann.pk, lost.pk)}", "?p=", f"?url={hostile}"),
            *(f"?p={hostile}&next={hostile}&destination={hostile}", "?" + "&a=1" * 200, "?%ff%00", f"?p={'x' * 9_000}"),
        ):
            assert lead_to(port, f"{path}{query}", agent=f"{CHROME} {len(query)}") == (302, target), query
        for other in ("/l/SPRING-Sale", "/l/spring-sale/", "//evil.test/l/spring-sale", "/l//evil.test", "/l/%2e%2e/e"):
            assert follow(port, other)[0] in (302, 404)
            assert lead_to(port, other)[1] in (target, None)
        kept = list(LinkClick.objects.filter(is_signed=True).values_list("person_id", "state", "is_machine"))
        assert kept == [(ann.pk, "new", False)], "a forged token, or another link's, is nobody's"
        assert lead_to(port, f"{path}?k=cab_{'x' * 24}{'&a=1' * 200}", Origin="https://evil.test")[0] == 302
        # machines: apart, and a visitor's click is the visitor's
        before = LinkClick.objects.filter(is_machine=False).count()
        assert lead_to(port, path, method="HEAD") == (302, target)
        assert lead_to(port, path, agent="curl/8")[0] == lead_to(port, path, agent="")[0] == 302
        assert lead_to(port, path, Sec_Purpose="prefetch;prerender")[0] == 302
        assert lead_to(port, path, Sec_Fetch_Dest="image", Cookie=f"_ca={TOKEN}")[0] == 302
        assert LinkClick.objects.filter(is_machine=False).count() == before
        reasons = set(LinkClick.objects.filter(is_machine=True).values_list("reason", flat=True))
        assert reasons == {"HEAD", "user agent: curl", "user agent: no user agent", "prefetch", "no page"}
        assert not VisitorActivity.objects.exists()
        assert lead_to(port, path, Cookie=f"_ca={TOKEN}")[0] == 302
        visit = VisitorActivity.objects.get()
        assert (visit.activity_type_id, visit.primary_value, visit.source_id) == (3, SALE, site.pk)
        assert token not in str(list(VisitorActivity.objects.values()) + list(LinkClick.objects.values()))
        assert lead_to(port, path, Cookie=f"_ca={TOKEN}", Sec_GPC="1")[0] == 302
        assert VisitorActivity.objects.count() == 1
        assert follow(port, path, method="POST")[0] == 405
        day = LinkDay.objects.get(link=link)
        assert day.clicks + day.machines == LinkClick.objects.count()
        kept = LinkClick.objects.count()
        flood = {follow(port, path, agent=f"{CHROME} f{number}")[0] for number in range(90)}
        former, kept = kept, LinkClick.objects.count()
        assert flood == {302} and former < kept < former + 60, (
            "what is kept is bounded for each network; everybody is led on"
        )
        assert lead_to(port, f"{path}?p={new_token(make_person().pk, link.pk)}") == (302, target)
        assert LinkClick.objects.count() == kept + 1, "somebody's own link counts for them alone"


def test_a_link_that_leads_nowhere_says_so_in_the_readers_language():
    off = editing.turn_off(make_link(code="was-here"), None)
    over = make_link("Over", "https://www.example.com/b", expires_at=timezone.now() - timedelta(1))
    rest = make_link("Rest", SALE, expires_at=timezone.now() - timedelta(1), fallback="https://www.example.com/after")
    with running_collector() as server:
        port = server.port
        status, headers, text = follow(port, f"/l/{off.code}?p=secret", Accept_Language="es-MX,es;q=0.9")
        assert status == 410 and 'lang="es"' in text and "Este enlace" in text and "secret" not in text
        assert (
            headers["Referrer-Policy"] == "no-referrer" and "default-src 'none'" in headers["Content-Security-Policy"]
        )
        status, _headers, text = follow(port, f"/l/{over.code}", Accept_Language="en")
        assert status == 410 and "This link is over" in text
        assert lead_to(port, f"/l/{rest.code}") == (302, "https://www.example.com/after")
        status, _headers, text = follow(port, "/l/<script>alert(1)</script>")
        assert status == 404 and "alert" not in text
        assert not LinkClick.objects.filter(link__in=[off, over]).exists()
        # changes count within seconds
        editing.turn_on(off, None)
        deadline = time.monotonic() + 10
        while follow(port, "/l/was-here", method="HEAD")[0] != 302:
            assert time.monotonic() < deadline
            time.sleep(0.5)


def test_who_guesses_codes_learns_nothing_more_and_right_codes_lead_on():
    """Neighbours of a guesser keep the links that were followed from their network, and all that are their own."""
    ann = make_person()
    used, secret, own = (make_link(name, f"https://www.example.com/{name}") for name in ("used", "secret", "own"))
    with running_collector(TRUST_PROXY="1") as server:

        def status(code, address="2001:db8::1", query=""):
            return follow(server.port, f"/l/{code}{query}", X_Forwarded_For=address)[0]

        assert status(used.code) == 302
        assert {status(odd) for odd in ("favicon.ico", "apple-touch-icon.png", "<b>") for _n in range(15)} == {404}
        assert [status(f"guess-{number}") for number in range(31)] == [404] * 30 + [429]
        assert status(secret.code) == 429, "a right guess looks like a wrong one"
        assert status(secret.code, "2001:db8::ffff:2") == 429 and status("again", "2001:db8::3") == 429, "the same /64"
        assert status(used.code) == status(used.code, "2001:db8::4") == 302
        assert status(own.code, query=f"?p={new_token(ann.pk, own.pk)}") == 302
        # guesses with a token count for its person alone
        token = f"?p={new_token(ann.pk)}"
        assert [status(f"more-{number}", "192.0.2.1", token) for number in range(31)][-1] == 429
        assert status(secret.code, "192.0.2.1", token) == 429 and status(secret.code, "192.0.2.1") == 302
        assert status("wrong", "2001:db8:0:1::1") == 404 and status(secret.code, "192.0.2.2") == 302


def test_the_memory_for_callers_and_their_codes_is_bounded(monkeypatch):
    monkeypatch.setattr(windows, "MAX_WINDOWS", 50)
    monkeypatch.setattr(guesses, "MAX_RIGHT", 50)
    known = guesses.CodeGuesses()
    for number in range(500):
        known.note_wrong(f"192.0.2.{number}")
        known.note_right(f"192.0.2.{number}", "code")
        assert known.seconds_to_wait(f"198.51.100.{number}", "code") == 0
    assert len(known._wrong._windows) == len(known._right) == 50


def test_a_click_whose_commit_fails_late_is_kept_later(monkeypatch):
    """The page has answered by then: also where a second try is slow, and then fails."""
    monkeypatch.setattr(links, "CLICK_SECONDS", 0.05)
    monkeypatch.setattr(links, "AGAIN_SECONDS", 0.05)
    target = target_of(make_link())
    state = links.LinkState()

    async def scenario(locker):
        writer = Writer(asyncio.get_running_loop(), 100, keep_clicks)
        writer.start()
        again = asyncio.create_task(state.try_again(writer))
        clicks = [
            ReceivedClick(target, timezone.now(), f"browser {number}", parse_agent(CHROME)) for number in range(3)
        ]
        with locker.transaction():
            locker.execute("lock table link_click")
            assert await state.keep(writer, clicks[:2]) is False, "slow"
            assert await state.keep(writer, clicks[2:]) is False
            killed = 0
            while killed < 6:  # each group twice at once, and what is tried again at least once
                killed += await asyncio.to_thread(kill_waiting)
            await until(lambda: state.later or writer.waiting)
        await until(lambda: not state.later and LinkClick.objects.count() == 3)
        again.cancel()
        await asyncio.to_thread(writer.stop)

    with other_connection() as locker:
        asyncio.run(scenario(locker))
    assert LinkDay.objects.get().clicks == 3


def kill_waiting():
    """End the connections of this database that wait for a lock; return their number."""
    with other_connection() as other:
        rows = other.execute(
            """select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'"""
        )
        return len(rows.fetchall())


async def until(is_so):
    deadline = time.monotonic() + 30
    while not await asyncio.to_thread(asked, is_so):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def asked(question):
    try:
        return question()
    finally:
        connection.close()


def test_a_faulty_click_is_given_up_and_leads_on():
    state, target = links.LinkState(), target_of(make_link())

    async def scenario():
        writer = Writer(asyncio.get_running_loop(), 2, keep_clicks)
        writer.start()
        faulty = ReceivedClick(target, timezone.now(), "x", parse_agent(CHROME), reason="x" * 101)
        good = [ReceivedClick(target, timezone.now(), f"b{number}", parse_agent(CHROME)) for number in range(2)]
        assert await state.keep(writer, [faulty]) is False and not state.later
        assert await state.keep(writer, good) is True
        await asyncio.to_thread(writer.stop)
        assert await state.keep(writer, good) is False and list(state.later) == good, "the queue takes no more"

    asyncio.run(scenario())
    assert LinkClick.objects.count() == 2


def test_a_short_domain_of_its_own_has_the_code_behind_the_host():
    link = make_link()
    with running_collector(LINKS_URL="https://go.example.com", COLLECTOR_URL="https://track.example.com") as server:
        path = f"/{link.code}"
        assert lead_to(server.port, path, Host="go.example.com") == (302, SALE)
        assert follow(server.port, path, Host="track.example.com")[0] == 404
        assert follow(server.port, "/", Host="go.example.com")[0] == 404


def test_known_links_lead_on_while_the_database_is_away_and_their_clicks_are_kept_later():
    link, other = make_link(), make_link("Other", "https://www.example.com/o")
    name = connection.settings_dict["NAME"]
    with running_collector() as server:
        assert lead_to(server.port, f"/l/{link.code}", agent=f"{CHROME} 0") == (302, SALE)
        with other_connection() as keeper, elsewhere() as postgres:
            keep = [connection.connection.info.backend_pid, keeper.info.backend_pid]
            postgres.execute(f'alter database "{name}" allow_connections false')
            try:
                postgres.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> all(%s::int[])",
                    [name, keep],
                )
                for number in range(1, 6):
                    time.sleep(1)
                    started = time.monotonic()
                    assert lead_to(server.port, f"/l/{link.code}", agent=f"{CHROME} {number}") == (302, SALE)
                    assert time.monotonic() - started < 3
                status, _headers, text = follow(server.port, f"/l/{other.code}")
                assert status == 503 and "<html" in text, "nobody has followed it yet"
            finally:
                postgres.execute(f'alter database "{name}" allow_connections true')
        deadline = time.monotonic() + 30
        while LinkClick.objects.count() < 6:
            assert time.monotonic() < deadline, LinkClick.objects.count()
            time.sleep(0.2)
        assert LinkDay.objects.get(link=link).clicks == 6
