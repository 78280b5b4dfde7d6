"""Messages that are read quickly have the outcomes and rows of those that are read carefully: the model."""

import json
import os
from datetime import timedelta
from functools import partial
from random import Random

import pytest
from django.db import connection, transaction
from django.utils import timezone

from activities.inbox import editing
from activities.intake.keeping import KeptRequest, keep_requests
from activities.intake.processing import process_intake
from activities.models import EventSource, Sighting, SourceKey
from activities.segment.messages import read_carefully, read_messages
from activities.segment.quick_tracks import QuickReader
from activities.segment.wire import parse_envelope
from activities.sources.authentication import Sender
from activities.tracking.agents import Agent
from activities.tracking.committing import commit_submissions
from activities.tracking.live_types import load_live_types
from activities.tracking.reading import Client
from activities.tracking.submissions import Submission
from activities.types.definition import ActivityFieldSpec
from people.definitions import lifecycle
from tests.activities.segment.random_messages import FIELDS, random_batch
from tests.activities.segment.senders import make_program, message, send
from tests.activities.visitors.factories import dispatch
from tests.factories import approved_type, make_person

pytestmark = pytest.mark.django_db
SPECS = (
    ActivityFieldSpec("product", "Product", is_primary=True),
    ActivityFieldSpec("orderId", "Order ID"),
    ActivityFieldSpec("revenue", "Revenue", "currency"),
    ActivityFieldSpec("isGift", "Is Gift", "boolean"),
    ActivityFieldSpec("cartSize", "Cart Size", "integer"),
    ActivityFieldSpec("bought", "Bought", "datetime"),
    ActivityFieldSpec("boughtOn", "Bought On", "date"),
)
MANY = 20 if os.environ.get("LONG_TESTS") else 1
# all that is kept, without what is new at each run: numbers, and moments of receiving
_ROWS = {
    "visitors": "select encode(token_hash, 'hex'), state from visitor order by 1",
    "hits": """select a.source_id, message_id,
        encode(v.token_hash, 'hex'), a.activity_type_id, a.version, a.occurred_at, a.client_at, a.primary_value,
        a.attributes::text, a.identity::text, a.is_bot, a.is_backfill, a.association_id is null, a.refusal::text
        from visitor_activity a join visitor v on v.id = a.visitor_id order by a.received_at, a.id""",
    "keys": "select source_id, message_id, sent_day, digest from message_key order by 1, 2, 3",
    "waiting": """select s.name_key, e.occurred_at, e.client_at, e.raw, e.is_bot
        from waiting_event e join sighting s on s.id = e.sighting_id order by e.id""",
    "names": """select kind, scope, name_key, name, state, count, kept, kept_bytes, libraries, jsonb_array_length(samples)
        from sighting order by 1, 2, 3""",
    "name days": """select s.kind, s.name_key, d.count, d.properties
        from sighting_day d join sighting s on s.id = d.sighting_id order by 1, 2""",
    "quality": "select activity_type_id, library, events, unknown, wrong from quality_day order by 1, 2",
    "recent": "select kind, title, outcome, problem, is_bot from recent_event order by number",
    "use": "select requests, size, accepted, rejected, new_visitors from source_day",
    "refused": """select activity_type_id, key, raw, problems::text, times from refused_activity order by id""",
    "log": """select activity_type_id, version, occurred_at, primary_value, attributes::text, flags
        from activity where activity_type_id > 100000 order by id""",
    "people": "select email, fields from person order by id",
}


@pytest.fixture
def program():
    """A program whose names are mapped, ignored, blocked and unknown; one of its people is known."""
    made = make_program()
    approved_type("Order Completed", "orderCompleted", SPECS)
    mapped = approved_type("Send Parcel", "parcelDeposit", SPECS[:3])
    make_person(email="ann@example.com")
    send(
        made,
        *(
            message("track", name, {"a": 1}, userId="u-0")
            for name in ("Mapped Event", "Ignored Event", "Blocked Event")
        ),
    )
    rows = {row.name: row for row in Sighting.objects.filter(kind=Sighting.Kind.EVENT)}
    editing.map_to_type(rows["Mapped Event"], mapped, None, {"mapped": "orderId", "@event": "product"})
    editing.ignore_name(rows["Ignored Event"], None)
    editing.block_name(rows["Blocked Event"], None)
    send(made, message("identify", traits={"email": "ann@example.com"}, userId="u-1"))
    dispatch()
    return made


def client_of(program: EventSource, received) -> Client:
    return Client(Sender(program, SourceKey(source=program), None), received, Agent(""))


def parsed(batch):
    body = json.dumps(batch).encode()
    return parse_envelope("batch", body), len(body)


def carefully(envelope, client, types):
    return [read_carefully(raw, place, envelope, client, types) for place, raw in enumerate(envelope.messages)]


def plain(**more):
    values = {"event": "Order Completed", "properties": {"product": "Car"}, "userId": "u-1"}
    return message(**{**values, **more})


@pytest.mark.parametrize("seed", range(3 * MANY))
def test_an_item_is_the_same_however_it_is_read(program, seed):
    EventSource.objects.filter(pk=program.pk).update(user_id_field=("userId", "", "userId")[seed % 3])
    program.refresh_from_db()
    random, ids, quick_ones = Random(seed), [], 0
    received, types = timezone.now(), load_live_types()
    client = client_of(program, received)
    for _number in range(100):
        envelope, _size = parsed(random_batch(random, received, ids))
        reader = QuickReader(envelope, client, types, lambda raw: read_carefully(raw, 0, envelope, client, types).row)  # noqa: B023
        for raw, item in zip(envelope.messages, carefully(envelope, client, types), strict=True):
            quick = reader.read(raw) if reader.is_usable else None
            if quick is not None:
                quick.read_row()
                quick.later_row = None
                assert quick == item, f"seed {seed}: {raw}"
                quick_ones += 1
    assert quick_ones > 300, "the test is of something"


@pytest.mark.parametrize("seed", range(4 * MANY))
def test_batches_leave_the_same_rows_however_they_are_read(program, seed):
    random, ids, received = Random(100 + seed), [], timezone.now()
    batches = [random_batch(random, received, ids) for _number in range(6)]
    groups = [batches[:1], batches[1:3], batches[3:]]  # each is one commit
    results = []
    for commit_group in (partial(commit, read=read_messages), keep_and_process, partial(commit, read=carefully)):
        with transaction.atomic():
            outcomes = [commit_group(program, group, received) for group in groups]
            dispatch()
            results.append(rows() | {"outcomes": outcomes})
            transaction.set_rollback(True)
    quick, by_intake, careful = results
    assert len(careful["hits"]) > 20 and len(careful["log"]) > 5
    by_intake["outcomes"] = careful["outcomes"]  # they are not known when a request is acknowledged
    for table, expected in careful.items():
        assert quick[table] == expected, f"seed {seed}: {table}"
        assert by_intake[table] == expected, f"seed {seed}, by the intake: {table}"


def keep_and_process(program, batches, received):
    """The batches through the intake, in one pass."""
    texts = [json.dumps(batch).encode() for batch in batches]
    keep_requests([KeptRequest(program.pk, received, "batch", "", False, 1, len(text), text) for text in texts])
    assert process_intake() == len(batches)


def commit(program, batches, received, read):
    """Statuses and problems of the batches' events, committed together."""
    types, client, submissions = load_live_types(), client_of(program, received), []
    for batch in batches:
        envelope, size = parsed(batch)
        submissions.append(Submission(program.pk, size, read(envelope, client, types)))
    commit_submissions(submissions)
    return [
        [(item.id, [(problem.code, problem.path) for problem in item.problems]) for item in submission.items]
        + [outcome.status for outcome in submission.outcomes]
        for submission in submissions
    ]


def rows():
    with connection.cursor() as cursor:
        found = {}
        for table, statement in _ROWS.items():
            cursor.execute(statement)
            found[table] = cursor.fetchall()
        return found


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"integrations": {}, "anonymousId": None, "channel": "server", "_metadata": {"nodeVersion": "22.1.0"}},
        {"anonymousId": "a-1", "context": {"library": {"name": "node"}, "os": {"name": "Linux"}}, "integrations": None},
        {
            "context": {},
            "properties": {"product": "Bus", "order_id": 17, "revenue": None, "Is Gift": "yes", "coupon": "X"},
        },
        {"event": "order_completed", "userId": 7},
        {"properties": {"product": "Bus", "bought": "2026-11-20T10:00:00Z", "boughtOn": "2026-11-20", "cartSize": "3"}},
    ],
)
def test_what_servers_send_is_read_quickly(program, more):
    program.refresh_from_db()
    received, types = timezone.now(), load_live_types()
    client = client_of(program, received)
    envelope, _size = parsed({"batch": [plain(**more)], "sentAt": (received - timedelta(seconds=1)).isoformat()})
    reader = QuickReader(envelope, client, types, lambda raw: None)
    item = reader.read(envelope.messages[0])
    assert item is not None and item.hits and not item.problems
    assert {"coupon"} >= {seen.name for seen in item.seen} and set(FIELDS) >= {spec.api_name for spec in SPECS[1:]}


def test_an_event_of_a_type_that_is_retired_meanwhile_is_kept_for_review(program):
    kept = approved_type("Parcel Sent", "parcelSent", SPECS)
    received = timezone.now()
    envelope, size = parsed({"batch": [plain(event="Parcel Sent")]})
    (item,) = read_messages(envelope, client_of(program, received), load_live_types())
    assert item.row is None and item.has_row, "read quickly"
    lifecycle.retire_definition(kept, None)
    commit_submissions([Submission(program.pk, size, [item])])
    assert [problem.code for problem in item.problems] == ["retired_type"]
    assert rows()["refused"][-1][0] == kept.pk and item.row.primary_value == "Car"
