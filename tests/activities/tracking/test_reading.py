"""Kept parts of addresses, agents and clocks. Nothing here uses the database."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.tracking import clock
from activities.tracking.addresses import campaign_values, kept_ip_address, parse_address, search_values
from activities.tracking.agents import parse_agent

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.0 Mobile/15E148 Safari/604.1"
)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://Example.com", "https://example.com/"),
        ("https://example.com:8443/a?b=1#c", "https://example.com:8443/a?b=1#c"),
        ("https://ann:secret@example.com/a", "https://example.com/a"),
        ("https://example.com/?token=x&b=1&access_token=y&Reset-Password=z", "https://example.com/?b=1"),
        (
            "https://example.com/?u=ann%40example.com&EMAIL=x&code=9&promo_code=NEW",
            "https://example.com/?promo_code=NEW",
        ),
        ("https://example.com/#access_token=abc&state=1", "https://example.com/#state=1"),
        ("https://example.com/#/pricing?id_token=abc", "https://example.com/#/pricing"),
        ("https://example.com/shop;jsessionid=1A2B/cart", "https://example.com/shop/cart"),
        ("https://example.com/a b\n", "https://example.com/a%20b"),
        ("https://[2001:db8::1]/a", "https://[2001:db8::1]/a"),
        ("mailto:sales@example.com?body=x", "mailto:sales@example.com"),
        ("tel:+34600000000", "tel:+34600000000"),
    ],
)
def test_an_address_is_kept_without_its_secrets(text, kept):
    assert parse_address(text).url == kept


@pytest.mark.parametrize(
    "text",
    [
        *(
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            " java\tscript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
        ),
        *("https://", "https:///a", "https://[::1", "https://a:b", "//example.com/a", "/a", "", "mailto:", None, 7),
        "https://example.com/" + "a" * 20_000,
    ],
)
def test_what_is_no_address_of_the_web_is_none(text):
    assert parse_address(text) is None


def test_campaigns_clicks_and_searches():
    landing = parse_address("https://example.com/?utm_source=mail&utm_term=a+b&fbclid=F&gclid=G&utm_id=7")
    assert campaign_values(landing) == {
        "utm_source": "mail",
        "utm_term": "a b",
        "click_id": "G",
        "click_id_type": "gclid",
    }
    found = search_values(parse_address("https://www.google.co.uk/search?q=blue+cars"))
    assert found == {"search_engine": "Google", "search_query": "blue cars"}
    assert search_values(parse_address("https://www.bing.com/")) == {"search_engine": "Bing"}
    assert search_values(parse_address("https://example.com/google?q=x")) == search_values(None) == {}


def test_network_addresses_lose_their_end(settings):
    pairs = {"203.0.113.77": "203.0.113.0", "2001:db8:1:2:3::4": "2001:db8:1::", "::ffff:10.1.2.3": "10.1.2.0", "x": ""}
    assert {text: kept_ip_address(text) for text in pairs} == pairs
    settings.TRACKING_IP_ADDRESSES = "whole"
    assert kept_ip_address("203.0.113.77") == "203.0.113.77"
    settings.TRACKING_IP_ADDRESSES = "none"
    assert kept_ip_address("203.0.113.77") == ""


def test_agents_are_told_apart():
    phone = parse_agent(IPHONE)
    assert (phone.device, phone.platform, phone.browser, phone.is_bot) == ("iPhone", "iOS", "Mobile Safari", False)
    cubot = parse_agent(
        "Mozilla/5.0 (Linux; Android 10; CUBOT_NOTE_20) AppleWebKit/537.36 Chrome/90.0 Mobile Safari/537.36"
    )
    assert not cubot.is_bot, "a phone"
    for header in (
        "",
        "   ",
        "curl/8.5.0",
        "Mozilla/5.0 (compatible; Googlebot/2.1)",
        "Mozilla/5.0 HeadlessChrome/120.0",
    ):
        robot = parse_agent(header)
        assert robot.is_bot and robot.bot_pattern and robot.values()["is_bot"] is True, header


@pytest.mark.parametrize(
    ("sent", "at", "age"),
    [
        (0, -5_000, 5),
        (0, 5_000, 0),  # after it was sent: a clock that was set meanwhile
        (0, -86_400_000 * 3, 86_400),
        (86_400_000 * 730, 86_400_000 * 730 - 60_000, 60),
        (-86_400_000 * 730, -86_400_000 * 730 - 60_000, 60),
    ],
)
def test_a_moment_is_as_long_ago_as_the_client_says_whatever_its_clock_shows(sent, at, age):
    base = int(NOW.timestamp() * 1000)
    assert clock.corrected_moment(NOW, base + sent, base + at) == NOW - timedelta(seconds=age)


def test_only_whole_milliseconds_of_possible_years_are_moments():
    assert clock.is_epoch_ms(0) and clock.is_epoch_ms(-1)
    assert not any(map(clock.is_epoch_ms, (True, 1.5, "1", None, 10**30, -(10**15), 10**13)))
