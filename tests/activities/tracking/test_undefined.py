"""Acts of a web page whose name no type has: they wait in the inbox like those of programs."""

import json

import pytest

from activities.inbox import proposals
from activities.inbox.mapping import check_event
from activities.inbox.shapes import shapes_of
from activities.models import Sighting, SourceKey
from activities.recording.quarantine.storing import load_row
from activities.recording.schema import schema_of_version
from activities.sources.authentication import Sender
from activities.sources.recent import Outcome
from activities.tracking import wire
from activities.tracking.agents import parse_agent
from activities.tracking.live_types import load_live_types
from activities.tracking.reading import Client
from activities.tracking.seen import seen_events
from activities.tracking.submissions import Submission
from activities.visitors.hits import HitOutcome, HitStatus
from tests.activities.inbox.factories import make_sighting
from tests.activities.tracking.test_wire import NOW, SITE, TOKEN, read
from tests.activities.visitors.factories import make_site
from tests.factories import approved_type

pytestmark = pytest.mark.django_db


def track(name="Deposit Check", **data):
    return {"type": "track", "data": {"type": name, **data}}


def decided(state, **values):
    """The item of an act whose name was decided about, of the source of `read`."""
    source = make_site(f"Shop {state}")
    make_sighting(source, state=state, **values)
    act = {
        "id": "message-1",
        "at": 0,
        "url": SITE,
        **track(primary="No. 1", attributes={"amount": "12.5", "b": "Leon"}),
    }
    by = Client(Sender(source, SourceKey(source=source), SITE), NOW, parse_agent("Firefox/1"))
    (item,) = wire.read_batch(wire.Batch(0, TOKEN, "granted", [act]), by, load_live_types())
    return item


def test_it_waits_with_its_primary_value_and_becomes_a_type_that_takes_both():
    (item,) = read(track(primary="Savings", attributes={"amount": "12.50", "is new": "yes"}))
    assert not item.problems and item.row is None and str(item.not_kept).count("inbox")
    assert (item.seen[0].kind, item.seen[0].name, item.seen[0].source_id) == ("event", "Deposit Check", 1)
    (hit,) = item.hits
    content = load_row(hit.waiting.raw)
    assert content["properties"] == {"@primary": "Savings", "amount": "12.50", "is new": "yes"}
    proposal = proposals.propose_type("Deposit Check", shapes_of([content["properties"]]))
    assert [field.path for field in proposal.fields] == ["@primary", "amount", "is new"]
    assert proposal.fields[0].name == "Primary"
    schema = schema_of_version(approved_type().live_id)
    checked, mapped = check_event(schema, content["name"], content["properties"], {})
    assert not checked.problems and checked.primary_value == "Savings"
    assert json.loads(checked.attributes) == {"amount": 12.5} and list(mapped.unknown) == ["is new"]


def test_a_property_of_the_primary_fields_name_comes_before_what_was_sent_as_primary():
    schema = schema_of_version(approved_type().live_id)
    for fields, wanted in (({}, "named"), ({"@primary": "check"}, "sent")):
        checked, _mapped = check_event(schema, "Deposit Check", {"@primary": "sent", "check": "named"}, fields)
        assert checked.primary_value == wanted


@pytest.mark.parametrize("name", [None, 7, "", "   ", "n" * 256, ["a"]])
def test_a_name_that_cannot_be_one_is_refused_and_kept_for_correction(name):
    (item,) = read(track(name, primary="x"))
    assert [problem.code for problem in item.problems] == ["unknown_type"] and not item.hits
    assert item.row is not None and item.row.primary_value == "x"


def test_what_was_decided_about_a_name_holds_for_web_pages_too():
    assert decided(Sighting.State.IGNORED).hits == []
    blocked = decided(Sighting.State.BLOCKED)
    assert (
        blocked.is_blocked and blocked.row is None and [problem.code for problem in blocked.problems] == ["not_allowed"]
    )
    check = approved_type("Cheque Paid In", "chequePaidIn")
    mapped = decided(Sighting.State.MAPPED, activity_type=check, fields={"b": "branch"})
    (hit,) = mapped.hits
    assert (hit.type_id, hit.primary_value, hit.waiting) == (check.pk, "No. 1", None)
    assert load_live_types().find("Deposit Check") is None


def test_fields_of_a_person_are_found_by_name_and_others_noted():
    fields = {"firstName": "Ann", "last_name": "Ng", "Favourite Colour": "red", "first_name": "Anna"}
    (item,) = read({"type": "identify", "data": {"email": "ann@example.com", "fields": fields}})
    assert item.hits[0].identity["fields"] == {"first_name": "Ann", "last_name": "Ng"}
    assert [(seen.kind, seen.name, seen.sample) for seen in item.seen] == [("trait", "Favourite Colour", "red")]


def test_the_live_page_says_of_an_event_without_a_type_what_became_of_it():
    def shown(status):
        (item,) = read(track(primary="Savings"))
        item.hits[0].waiting.sighting_id = 1
        submission = Submission(1, 0, [item])
        submission.outcomes = [HitOutcome(status)]
        (event,) = seen_events([submission])
        return event.outcome, str(event.problem.message)

    said = "No activity type has this name: the inbox keeps its newest events."
    assert shown(HitStatus.KEPT) == (Outcome.WAITING, said)
    assert shown(HitStatus.REPEATED) == (Outcome.REPEATED, said), "it may have been recorded, or given up, since"
    assert shown(HitStatus.DROPPED) == (Outcome.DROPPED, "Without a visitor that may be kept, nothing is.")
