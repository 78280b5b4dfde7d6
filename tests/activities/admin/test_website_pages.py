"""Adding a web site, installing its script, checking it and looking at what arrives."""

import re

import pytest
from django.contrib.auth import get_user_model

from activities.models import EventSource
from activities.sources import editing, recent
from activities.sources.recent import SeenEvent
from people.core.errors import Problem
from tests.activities.segment.senders import message, send
from tests.factories import approved_type

pytestmark = pytest.mark.django_db
LIST = "/admin/activities/eventsource/"
ANSWERS = {"name": "Shop", "address": "shop.example.com/start", "consent": "denied"}


@pytest.fixture
def staff(client):
    client.force_login(get_user_model().objects.create_superuser("vera", password="x"))
    return client


@pytest.fixture
def site():
    return editing.create_source("Shop", "browser", None, origins=["https://shop.example.com"]).key.source


def test_a_web_site_is_added_in_three_steps(staff):
    assert "What applies" not in staff.get(f"{LIST}website/").text
    second = staff.post(f"{LIST}website/", {**ANSWERS, "go": "2"})
    assert "What applies" in second.text and 'value="shop.example.com/start"' in second.text
    first = staff.post(f"{LIST}website/", {**ANSWERS, "go": "1"})
    assert 'value="Shop"' in first.text and not EventSource.objects.exists()
    third = staff.post(f"{LIST}website/", {**ANSWERS, "go": "save"})
    source = EventSource.objects.get()
    assert (source.name, source.consent, source.origins) == ("Shop", "denied", ["https://shop.example.com"])
    key = source.keys.get()
    assert "no-store" in third["Cache-Control"] and f"{key.lookup}.js" in third.text
    assert re.search(r"<code[^>]*>[0-9a-f]{64}</code>", third.text)  # the identity secret, only here
    assert not re.search(r"<code[^>]*>[0-9a-f]{64}</code>", staff.get(f"{LIST}{source.pk}/install/").text)


def test_what_is_wrong_leads_back_to_its_step_and_nothing_is_made(staff, site):
    for answers, field in (
        ({**ANSWERS, "name": " "}, "name"),
        ({**ANSWERS, "address": "no address"}, "address"),
        ({**ANSWERS, "name": "shop"}, "name"),  # taken
        ({}, "name"),
        ({**ANSWERS, "name": "x" * 256}, "name"),
        ({**ANSWERS, "consent": "maybe"}, "consent"),  # not offered by the page
    ):
        reply = staff.post(f"{LIST}website/", {**answers, "go": "save"})
        assert reply.context["step"] == (2 if field == "consent" else 1), answers
        assert len(reply.context["form"].errors[field]) == 1, answers
    assert EventSource.objects.count() == 1


def test_the_check_waits_until_its_visit_arrives_and_says_why_it_was_not_kept(staff, site):
    page = staff.get(f"{LIST}{site.pk}/install/")
    nonce = page.context["nonce"]
    assert f"https://shop.example.com/?_ca_check={nonce}" in page.text
    address = f"{LIST}{site.pk}/check/{nonce}/"
    waiting = staff.get(f"{address}?tries=3")
    assert "tries=4" in waiting.text and "hx-get" in waiting.text
    given_up = staff.get(f"{address}?tries=150")
    assert "hx-get" not in given_up.text and "five minutes" in given_up.text
    refusal = Problem("origin_refused", "Not from <b>here</b>.")
    assert "rejected just now" not in waiting.text
    whole = SeenEvent(site.pk, recent.REFUSED_REQUEST, "https://other.example", recent.Outcome.REFUSED, refusal)
    recent.note_recent_events([whole])
    assert "rejected just now" in (told := staff.get(address).text) and "https://other.example" in told
    recent.note_recent_events([SeenEvent(site.pk, "page", "/", recent.Outcome.REFUSED, refusal, nonce)])
    refused = staff.get(address).text
    assert "Not from &lt;b&gt;here" in refused and "hx-get" not in refused
    recent.note_recent_events(
        [SeenEvent(site.pk, "page", "https://shop.example.com/", recent.Outcome.KEPT, None, nonce)]
    )
    assert "It works" in staff.get(address).text


def test_the_live_page_shows_the_last_events_of_every_source(staff, site):
    assert "Nothing has arrived yet" in staff.get(f"{LIST}{site.pk}/live/").text
    event = SeenEvent(site.pk, "link", "https://evil.example/<script>", recent.Outcome.DROPPED, is_bot=True)
    recent.note_recent_events([event])
    page = staff.get(f"{LIST}{site.pk}/live/").text
    fragment = staff.get(f"{LIST}{site.pk}/live/", headers={"HX-Request": "true"}).text
    assert "&lt;script&gt;" in fragment and "<html" not in fragment and "<html" in page and "Link click" in page
    program = editing.create_source("Till", "server", None).key.source
    for page in ("install", "check/abc"):
        assert staff.get(f"{LIST}{program.pk}/{page}/").status_code == 404
    assert staff.get(f"{LIST}{site.pk}/connect/").status_code == 404
    assert f"{program.pk}/live/" in staff.get(f"{LIST}{program.pk}/change/").text
    assert f"{program.pk}/connect/" in staff.get(f"{LIST}{program.pk}/live/").text
    connect = staff.get(f"{LIST}{program.pk}/connect/").text
    assert "/v1/track" in connect and "YOUR_KEY" in connect and "@segment/analytics-node" in connect
    send(program, message("track", "Till <b>", userId="u-1"), message("track", "", userId="u-1"), {"type": "odd"})
    rows = staff.get(f"{LIST}{program.pk}/live/", headers={"HX-Request": "true"}).text
    assert "Till &lt;b&gt;" in rows and "In the inbox" in rows and "Rejected" in rows and "?q=Till" in rows
    assert f"{site.pk}/live/" in staff.get(f"{LIST}{site.pk}/change/").text
    editing.end_key(site, site.keys.get().pk, None)
    assert "No key of this web site works" in staff.get(f"{LIST}{site.pk}/install/").text


def test_equal_arrivals_are_one_row_that_says_what_to_do(staff, site):
    check = approved_type()
    refusal = Problem("origin_refused", "Not from here.")
    outcomes = recent.Outcome
    same = [SeenEvent(site.pk, "track", check.live.name, outcomes.KEPT, visitor_id=7)] * 30
    waiting = [SeenEvent(site.pk, "track", "Typo", outcomes.WAITING)] * 2
    refused = SeenEvent(site.pk, "track", "Typo", outcomes.REFUSED, refusal)
    whole = SeenEvent(site.pk, recent.REFUSED_REQUEST, "https://other.example", outcomes.REFUSED, refusal)
    recent.note_recent_events([*same, *waiting, refused, same[0], whole])
    page = staff.get(f"{LIST}{site.pk}/live/")
    rows = page.context["rows"]
    assert [(row.newest.outcome, len(row.events)) for row in rows] == [
        ("refused", 1),
        ("kept", 1),
        ("refused", 1),
        ("waiting", 2),
        ("kept", 30),
    ]
    assert [bool(row.meaning) for row in rows] == [True, True, True, True, False], "each result is explained once"
    assert [row.type_id for row in rows] == [None, check.pk, None, None, check.pk]
    assert "30 times" in page.text and page.text.count("/visitor/7/change/") == 31
    assert f"/activitytype/{check.pk}/change/" in page.text and "?q=Typo" in page.text
    assert "/refusedactivity/" in page.text and f"/eventsource/{site.pk}/change/" in page.text
