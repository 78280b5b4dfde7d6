"""Senders and origins that a write key accepts."""

import hmac
from datetime import timedelta
from hashlib import sha256

import pytest
import time_machine
from django.utils import timezone, translation

from activities.models import EventSource, RecentEvent, SourceDay, SourceKey
from activities.sources import editing, usage
from activities.sources.authentication import KeyRejectedError, check_webhook_key
from activities.sources.origins import origin_of_address, parse_origin
from activities.sources.recent import REFUSED_REQUEST, SeenEvent, note_recent_events, recent_events
from people.core import metrics
from tests.activities.sources.senders import authenticate

pytestmark = pytest.mark.django_db
SITE = "https://www.example.com"


@pytest.fixture
def site(db):
    origins = [SITE, "https://*.example.org", "http://localhost:8000"]
    return editing.create_source("Shop", "browser", None, origins=origins)


@pytest.fixture
def program(db):
    return editing.create_source("ERP", "server", None)


def refused(*arguments, **more):
    with pytest.raises(KeyRejectedError) as refusal:
        authenticate(*arguments, **more)
    return refusal.value.code


@pytest.mark.parametrize(
    "headers",
    [
        (SITE, None),
        ("HTTPS://WWW.EXAMPLE.COM", None),
        (None, f"{SITE}/a?b=c#d"),
        ("https://a.b.example.org", "https://elsewhere.example"),
        ("http://localhost:8000", None),
    ],
)
def test_a_browser_key_works_from_its_origins(site, headers):
    sender = authenticate(site.write_key, *headers)
    assert sender.source == site.key.source and sender.origin and not sender.is_server


@pytest.mark.parametrize(
    "headers",
    [
        (None, None),
        ("", ""),
        ("null", f"{SITE}/a"),
        ("https://example.com", None),
        ("http://www.example.com", None),
        (f"{SITE}:8443", None),
        (f"{SITE}.evil.test", None),
        ("https://evilexample.org", None),
        ("https://example.org", None),
        ("https://*.example.org", None),
        ("https://evil.test", f"{SITE}/a"),
        (None, f"https://evil.test/{SITE}"),
        (None, "https://www.example.com@evil.test/"),
        ("http://localhost", None),
        ("https://[", None),
    ],
)
def test_a_browser_key_works_from_nowhere_else(site, headers):
    assert refused(site.write_key, *headers) == "origin_refused"


def test_a_server_key_is_refused_from_a_page(program):
    sender = authenticate(program.write_key)
    assert sender.is_server and sender.origin is None
    for sign in (
        {"referrer": f"{SITE}/a"},
        {"fetch_site": "cross-site"},
        {"fetch_site": "none"},
        {"is_in_address": True},
    ):
        assert refused(program.write_key, **sign) == "origin_refused", "as of an image or a link"
    for origin in (SITE, "null", "x"):
        assert refused(program.write_key, origin) == "origin_refused"


def test_a_browser_key_copied_into_a_program_stays_one(site):
    """A client that sets the header Origin itself is taken for a page, not a server."""
    assert not authenticate(site.write_key, SITE, fetch_site="cross-site", is_in_address=True).is_server


def test_unknown_ended_and_turned_off(program):
    for wrong in ("", "cab_" + "a" * 24, program.key.lookup, "x" * 10_000, program.write_key.upper()):
        assert refused(wrong) == "unknown_write_key"
    editing.turn_off(program.key.source, None)
    assert refused(program.write_key) == "source_off"
    editing.turn_on(program.key.source, None)
    editing.rotate_key(program.key.source, None, timedelta(hours=1))
    assert authenticate(program.write_key)
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        assert refused(program.write_key) == "key_expired"


def test_a_signature_proves_who_a_visitor_is(site, program):
    sender = authenticate(site.write_key, SITE)
    signature = hmac.new(site.identity_secret.encode(), b"ann@example.com", sha256).hexdigest()
    assert sender.is_signed("ann@example.com", signature) and sender.is_signed("ann@example.com", signature.upper())
    for value, wrong in (("bob@example.com", signature), ("ann@example.com", ""), ("ann@example.com", "ä")):
        assert not sender.is_signed(value, wrong)
    assert not authenticate(program.write_key).is_signed("ann@example.com", signature)


def test_signatures_of_every_working_key_hold_after_a_rotation(site, django_assert_num_queries):
    old = hmac.new(site.identity_secret.encode(), b"ann@example.com", sha256).hexdigest()
    rotated = editing.rotate_key(site.key.source, None, timedelta(hours=1))
    new = hmac.new(rotated.identity_secret.encode(), b"ann@example.com", sha256).hexdigest()
    senders = [authenticate(key, SITE) for key in (site.write_key, rotated.write_key)]
    with django_assert_num_queries(0):
        assert all(sender.is_signed("ann@example.com", signature) for sender in senders for signature in (old, new))
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        sender = authenticate(rotated.write_key, SITE)
        assert sender.is_signed("ann@example.com", new) and not sender.is_signed("ann@example.com", old)


def test_the_quota_is_of_the_day(program):
    source = program.key.source
    editing.change_source(source, None, bytes_a_day=100)
    usage.note_uses({source.pk: usage.Use(1, 60, 2, 1)})
    usage.note_uses({source.pk: usage.Use(1, 30, 1)})
    assert authenticate(program.write_key, size=10)
    assert refused(program.write_key, size=11) == "quota_reached"
    day = SourceDay.objects.get()
    assert (day.requests, day.size, day.accepted, day.rejected) == (2, 90, 3, 1)
    assert EventSource.objects.get(pk=source.pk).last_seen_at
    assert usage.usage_totals([source.pk]) == {source.pk: {"requests": 2, "size": 90, "accepted": 3, "rejected": 1}}
    assert usage.last_days(source) == [day]
    SourceDay.objects.update(day=day.day - timedelta(days=1))
    assert authenticate(program.write_key, size=100), "a new day"


def test_it_takes_four_statements_and_notes_a_use_once_a_minute(site, django_assert_num_queries):
    with django_assert_num_queries(5):
        authenticate(site.write_key, SITE)
    with django_assert_num_queries(4):
        authenticate(site.write_key, SITE)
    assert SourceKey.objects.get().last_used_at


def test_refusals_are_counted(site):
    before = counted("unknown_write_key")
    refused("nothing")
    assert counted("unknown_write_key") == before + 1


def counted(reason):
    metrics.flush_metrics()
    measures = {measure.name: values for measure, values in metrics.metric_totals().items()}
    return measures["source_refused_requests"].get((reason,), {}).get("", 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://Example.com/", "https://example.com"),
        ("http://example.com:80", "http://example.com"),
        ("https://example.com:8443", "https://example.com:8443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://[::1]:8000", "https://[::1]:8000"),
        ("https://*.example.com", "https://*.example.com"),
        ("https://*", None),
        ("https://*.com", None),
        ("https://*.com:8443", None),
        ("https://*.localhost", None),
        ("https://a.*.com", None),
        ("https://example.com?x", None),
        ("https://example.com/#", None),
        ("javascript:alert(1)", None),
        ("https://", None),
        ("https://" + "a" * 300, None),
        ("https://a\nb.com", None),
    ],
)
def test_an_origin_has_one_form(text, expected):
    assert parse_origin(text) == expected
    if expected:
        assert parse_origin(expected) == expected == origin_of_address(text)


def test_the_key_of_a_webhook_works_at_its_address_and_nowhere_else(program):
    webhook = editing.create_source("Bank", "webhook", None)
    assert refused(webhook.write_key) == "unknown_write_key"
    has_room = lambda _source, size: size < 10  # noqa: E731
    assert check_webhook_key(webhook.key, 1, has_room).source == webhook.key.source
    for key, size, code in (
        (program.key, 1, "unknown_write_key"),
        (None, 1, "unknown_write_key"),
        (webhook.key, 10, "quota_reached"),
    ):
        with pytest.raises(KeyRejectedError) as refusal:
            check_webhook_key(key, size, has_room)
        assert refusal.value.code == code


def test_the_live_page_shows_a_refusal_in_the_language_of_its_reader(program):
    with pytest.raises(KeyRejectedError) as refusal:
        authenticate(program.write_key, SITE)
    event = SeenEvent(
        program.key.source_id, REFUSED_REQUEST, SITE, RecentEvent.Outcome.REFUSED, refusal.value.problems[0]
    )
    note_recent_events([event])
    (row,) = recent_events(program.key.source_id)
    assert row.reason.startswith("This write key is secret")
    with translation.override("es"):
        assert row.reason.startswith("Esta clave de escritura es secreta"), row.reason
