"""Acts as they are read from a request, and what the live page has of them."""

import json
import time
from datetime import UTC, datetime

import pytest

from activities.models import EventSource, SourceKey
from activities.sources.authentication import KeyRejectedError, Sender, check_key
from activities.tracking import munchkin_wire, wire
from activities.tracking.addresses import masked_contact
from activities.tracking.agents import parse_agent
from activities.tracking.live_types import CONSENT_WITHDRAWN, load_live_types
from activities.tracking.pixel import read_view
from activities.tracking.reading import Client
from activities.tracking.seen import describe_event, seen_events
from activities.tracking.submissions import Submission
from people.core.errors import serialize_problem

pytestmark = pytest.mark.django_db
SITE = "https://www.example.com"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
TOKEN = "a" * 32
SECRET = "s3cret"


def client(setting=EventSource.Consent.GRANTED, opts_out=False):
    source = EventSource(pk=1, name="Shop", kind="browser", origins=[SITE], consent=setting)
    return Client(Sender(source, SourceKey(source=source), SITE), NOW, parse_agent("Firefox/1"), opts_out=opts_out)


def read(*acts, consent="unknown", **values):
    sent = int(time.time() * 1000)
    hits = [{"id": f"message-{place}", "at": sent, "url": f"{SITE}/a", **act} for place, act in enumerate(acts)]
    return wire.read_batch(wire.Batch(sent, TOKEN, consent, hits), client(**values), load_live_types())


def shown(*items):
    """All that the live page keeps of items."""
    events = seen_events([Submission(1, 0, list(items))])
    return [(event.title, event.problem and serialize_problem(event.problem, str)) for event in events]


def test_no_secret_of_an_address_reaches_the_live_page():
    bad, good = f"https://example.com:port/?token={SECRET}", f"{SITE}/?token={SECRET}"
    signed = f"https://ann:{SECRET}@example.com:port/"
    items = [
        *read(*({"type": kind, "url": url} for kind in ("page", "scroll", "identify") for url in (bad, good, signed))),
        *read(*({"type": "link", "data": {"href": href}} for href in (bad, good, signed, f"/a?token={SECRET}"))),
        *(read_view(url, TOKEN, client(), load_live_types()) for url in (bad, good)),
        *(
            munchkin_wire.read_event(
                "clickLink",
                {"_mchHo": "www.example.com", "_mchQp": f"token={SECRET}", "_mchHr": href},
                "",
                client(),
                load_live_types(),
            )
            for href in (bad, good, f"https://[/?token={SECRET}")
        ),
    ]
    assert sum(bool(item.problems) for item in items) > 8 and any(title for title, _problem in shown(*items))
    assert SECRET not in json.dumps(shown(*items))
    site = EventSource(kind="browser", origins=[SITE])
    for source in (site, EventSource(kind="server")):
        with pytest.raises(KeyRejectedError) as refusal:
            check_key(SourceKey(source=source), None, f"https://evil.example/?token={SECRET}", 0, lambda *_all: True)
        assert SECRET not in str(vars(refusal.value)) and "https://evil.example" in refusal.value.problems[0].got


def test_what_is_not_kept_leaves_no_address_but_of_a_check():
    page, check = {"type": "page"}, {"type": "page", "data": {"check": "n1"}}
    for items in (
        read(page, check, consent="denied"),
        read(page, check, opts_out=True),
        read(page, check, setting=EventSource.Consent.DENIED),
    ):
        assert [title for title, _problem in shown(*items)] == ["", f"{SITE}/a"]
        assert all(item.hits == [] and item.not_kept for item in items)


def test_under_a_signal_only_withdrawals_are_kept_and_only_of_known_visitors():
    def said(state, **purposes):
        return {"type": "consent", "data": {"state": state, "purposes": purposes}}

    for consent, opts_out, is_told in (("granted", True, False), ("denied", False, False), ("granted", False, True)):
        agreed, mixed, withdrawn = read(
            said("granted"),
            said("granted", analytics=True, ads=False),
            said("denied"),
            consent=consent,
            opts_out=opts_out,
        )
        assert len(agreed.hits) == int(is_told) and len(mixed.hits) == 1 + int(is_told)
        assert bool(agreed.not_kept) is not is_told
        kept = [hit for hit in (*mixed.hits, *withdrawn.hits) if hit.type_id == CONSENT_WITHDRAWN]
        assert len(kept) == 2 and all(hit.is_of_known is not is_told for hit in kept)


def test_munchkin_s_clock_out_of_range_counts_as_the_time_of_arrival_and_its_answer_is_heard():
    values = {"_mchHo": "www.example.com", "_mchTk": "_mch-x-1", "_mchRu": "/"}

    def act(asking=None, **more):
        return munchkin_wire.read_event("visitWebPage", values | more, "q", asking or client(), load_live_types())

    for clock in ("999999999999999", "x", "", "٣"):
        (hit,) = act(_mchNc=clock).hits
        assert hit.occurred_at == hit.client_at == NOW, clock
    asks = client(EventSource.Consent.DENIED)
    for answer, is_kept in (("", False), ("unknown", False), ("denied", False), ("maybe", False), ("granted", True)):
        assert bool(act(asks, _caConsent=answer).hits) is is_kept, answer
    assert not act(_caConsent="denied").hits


def test_the_live_page_masks_whom_a_link_reaches_and_a_wrong_address():
    for href, shown in (
        ("mailto:ada@example.com?subject=x", "mailto:a…@example.com"),
        ("tel:+34911222333", "tel:+3…"),
        ("https://example.com/a", "https://example.com/a"),
    ):
        assert describe_event({"type": "link", "data": {"href": href}})[1] == shown
    for wrong, shown in (("ada lovelace@@example.com", "a…@example.com"), ("secret words", "se…")):
        assert masked_contact(wrong) == shown
