"""Results of Segment's messages: people, activities of their types, and names for the inbox."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from activities.models import Activity, Association, RefusedActivity, Sighting, VisitorActivity
from activities.recording import replay as recording_replay
from activities.recording.quarantine import storing
from activities.segment.times import message_times
from activities.segment.wire import parse_envelope
from activities.sources.authentication import Sender
from activities.sources.recent import recent_events
from activities.tracking.committing import commit_submissions
from activities.tracking.submissions import Submission
from activities.types.definition import ActivityFieldSpec
from config.collector import writer
from people.core.errors import RejectedError
from people.definitions import lifecycle
from people.models import Person, PersonMerge
from people.persons import merge
from people.privacy import erasure
from tests.activities.segment.senders import make_program, make_site, message, minutes_ago, read, send
from tests.activities.visitors.factories import dispatch
from tests.factories import MARKETO, approved_type, make_person

pytestmark = pytest.mark.django_db
FIELDS = (
    ActivityFieldSpec("product", "Product", is_primary=True),
    ActivityFieldSpec("orderId", "Order ID"),
    ActivityFieldSpec("revenue", "Revenue", "currency"),
    ActivityFieldSpec("isGift", "Is Gift", "boolean"),
    ActivityFieldSpec("cartSize", "Cart Size", "integer"),
)


def log(person):
    rows = Activity.objects.filter(person_id=person.pk, activity_type_id__gte=100_001).order_by("pk")
    return [(row.primary_value, row.attributes, row.is_backfill) for row in rows]


def test_a_program_makes_people_and_activities_and_nothing_is_kept_twice():
    program = make_program()
    assert program.user_id_field == "userId"
    approved_type("Order Completed", "orderCompleted", FIELDS)
    ann = {"userId": "u-1", "anonymousId": None}
    batch = (
        message(
            "identify",
            traits={"email": "ann@example.com", "name": "Ann Lee", "plan": "gold", "company": {"name": "Acme"}},
            **ann,
        ),
        message(
            "track",
            "order_completed",
            {"product": "Car", "order_id": 17, "cart": {"size": "3"}, "is gift": "yes"},
            **ann,
        ),
        message("page", "", {"url": "https://www.example.com/a?utm_source=x", "title": "A"}, **ann),
        message("track", "Order Completed", {"Product": "Bus", "revenue": 12.5, "coupon": "X1"}, userId=7),
    )
    items = send(program, *batch)
    assert [item.problems for item in items] == [(), (), (), ()]
    dispatch()
    person = Person.objects.get(email="ann@example.com")
    assert (person.first_name, person.last_name, person.company, person.fields) == (
        "Ann",
        "Lee",
        "Acme",
        {"userId": "u-1"},
    )
    attributes = {"orderId": "17", "cartSize": 3, "isGift": True}
    assert log(person) == [("Car", attributes, False)], "what follows the first identify is live"
    visit = Activity.objects.get(person_id=person.pk, activity_type_id=1)
    assert visit.primary_value == "www.example.com/a" and visit.attributes["utm_source"] == "x"
    other = Person.objects.get(fields={"userId": "7"})
    assert log(other) == [("Bus", {"revenue": 12.5}, False)]
    # undefined traits and properties are noted with samples
    noted = {(row.kind, row.name): (row.count, [sample[2] for sample in row.samples]) for row in Sighting.objects.all()}
    assert noted == {("trait", "plan"): (1, ["gold"]), ("property", "coupon"): (1, ["X1"])}

    # an honest retry: another sentAt, the same messages
    later = timezone.now() + timedelta(seconds=40)
    assert not any(item.problems for item in send(program, *batch, received=later))
    changed = {**batch[1], "properties": {"product": "Ship"}}
    (item,) = send(program, changed)
    assert item.problems[0].code == "external_id_reused"
    (item,) = send(make_program("Other"), changed)
    assert not item.problems, "message ids are the source's own"
    dispatch()
    assert len(log(person)) == 2 and Sighting.objects.get(kind="trait").count == 1
    # a known person is changed by a program
    send(program, message("identify", traits={"title": "CEO", "unsubscribed": False, "personScore": 9}, **ann))
    dispatch()
    person.refresh_from_db()
    assert person.title == "CEO" and person.person_score is None


def test_the_user_id_of_a_person_who_was_merged_is_the_winners():
    program = make_program()
    approved_type("Order Completed", "orderCompleted", FIELDS)
    send(program, *[message("identify", userId=pk, traits={"email": f"{pk}@example.com"}) for pk in ("u-1", "u-2")])
    dispatch()
    winner, loser = (Person.objects.get(fields={"userId": pk}) for pk in ("u-1", "u-2"))
    merge.merge_people(winner.pk, [loser.pk], None, MARKETO)
    send(program, message("identify", userId="u-2", anonymousId=None, traits={"title": "CEO"}))
    send(program, message("track", "Order Completed", {"product": "Car"}, userId="u-2", anonymousId=None))
    dispatch()
    winner.refresh_from_db()
    assert Person.objects.live().count() == 1 and log(winner) == [("Car", {}, False)]
    assert winner.title == "CEO" and winner.fields == {"userId": "u-1"}
    merge.undo_merge(PersonMerge.objects.get().pk, None, MARKETO)
    assert Person.objects.live().filter(fields={"userId": "u-2"}).exists()


def test_a_page_claims_and_a_program_knows():
    site, program = make_site(user_id_field="", creates_people=True), make_program()
    bob = make_person(email="bob@example.com", title="Owner")
    approved_type("Order Completed", "orderCompleted", FIELDS)
    order = {"product": "Car"}
    (track, claim) = (
        message("track", "Order Completed", order, anonymousId="a-1"),
        message("identify", anonymousId="a-1", userId="u-9", traits={"email": "bob@example.com", "title": "Boss"}),
    )
    send(site, track, claim)
    dispatch()
    bob.refresh_from_db()
    assert bob.title == "Owner", "a claim changes no known person"
    assert log(bob) == [("Car", {}, True)]
    # a page's user id without a browser is no program's user id
    send(site, message("track", "Order Completed", order, userId="u-9"))
    send(program, message("track", "Order Completed", {"product": "Bus"}, userId="u-9"))
    dispatch()
    known = Person.objects.get(fields={"userId": "u-9"})
    assert log(known) == [("Bus", {}, False)]
    # owners of the browser: an alias and an identify of a program
    send(site, message("track", "Order Completed", {"product": "Kite"}, anonymousId="a-2"))
    send(program, message("alias", previousId="a-2", userId="u-9"))
    dispatch()
    assert log(known) == [("Bus", {}, False), ("Kite", {}, True)]
    # two known people stay two
    send(program, message("alias", previousId="u-9", userId="u-10"), message("alias", previousId="u-10", userId="u-9"))
    dispatch()
    assert Person.objects.filter(pk=known.pk, state="live").exists()
    # a user id that is another person's address
    send(program, message("identify", userId="bob@example.com", traits={"email": "eve@example.com"}))
    dispatch()
    assert Person.objects.get(email="eve@example.com").fields == {"userId": "bob@example.com"}


def test_a_signature_proves_the_user_id_and_nothing_beside_it(monkeypatch):
    monkeypatch.setattr(
        Sender, "is_signed", lambda _sender, value, signature: (value, signature) == ("user_id:u-1", "s")
    )
    site = make_site(user_id_field=make_program().user_id_field)
    approved_type("Order Completed", "orderCompleted", FIELDS)
    victim = make_person(email="victim@example.com")
    eve = make_person(email="eve@example.com", **{"userId": "u-1"})
    signed = {"userId": "u-1", "context": {"signature": "s", "traits": {"email": victim.email}}}
    send(
        site,
        message("identify", anonymousId="a-1", traits={"email": victim.email}, **signed),
        message("track", "Order Completed", {"product": "Car"}, anonymousId="a-1", **signed),
        message("track", "Order Completed", {"product": "Bus"}, **signed),
        message("track", "Order Completed", {"product": "Fake"}, userId="u-1"),
        message("track", "Order Completed", {"product": "Kite"}, anonymousId="a-2"),
        message("alias", previousId="a-2", **signed),
    )
    evidence = VisitorActivity.objects.exclude(identity=None).order_by("id").values_list("identity", flat=True)
    assert not any("email" in identity for identity in evidence)
    server, claim = int(Association.Evidence.SERVER), int(Association.Evidence.CLAIM)
    assert [identity["evidence"] for identity in evidence] == [server, server, claim]
    dispatch()
    assert not log(victim)
    assert [row[0] for row in log(eve)] == ["Car", "Bus", "Kite"], "a bare user id of a page is no signed one"


def test_history_and_events_that_are_not_for_us():
    program = make_program()
    approved_type("Order Completed", "orderCompleted", FIELDS)
    old = "2025-01-02T03:04:05.678901Z"
    us = "Custom Activities"
    send(
        program,
        message(
            "track",
            "Order Completed",
            {"product": "Old"},
            userId="1a",
            timestamp=old,
            integrations={us: {"backfill": True}},
        ),
        message("track", "Order Completed", {"product": "No"}, userId="1a", integrations={us: False}),
        message("track", "Order Completed", {"product": "All"}, userId="1a", integrations={"All": False}),
        message("track", "Order Completed", {"product": "Ours"}, userId="1a", integrations={"All": False, us: True}),
        message(
            "track",
            "Order Completed",
            {"product": "C"},
            userId="1a",
            context={"consent": {"categoryPreferences": {"Necessary": True, "Ads": False}}},
        ),
        message(
            "track",
            "Order Completed",
            {"product": "Yes"},
            userId="1a",
            timestamp=minutes_ago(0),
            context={"consent": {"categoryPreferences": {"Necessary": True, "Ads": True}}},
        ),
    )
    dispatch()
    rows = Activity.objects.filter(activity_type_id__gte=100_001).order_by("occurred_at")
    assert [(row.primary_value, row.is_backfill) for row in rows] == [("Old", True), ("Ours", False), ("Yes", False)]
    assert rows[0].occurred_at == datetime.fromisoformat(old)


def bad_messages():
    """(what is odd, the message, code of the problem or None): ordinary input."""
    deep = value = {}
    for _level in range(300):
        value["a"] = value = {}
    ok = {"product": "Car"}
    name = "Order Completed"
    return [
        ("null ids", message("track", name, ok, userId=None, anonymousId=None), "missing_value"),
        ("blank ids", message("track", name, ok, userId=" ", anonymousId=""), "missing_value"),
        ("the word null", message("track", name, ok, userId="null"), "missing_value"),
        ("an id that is a list", message("track", name, ok, userId=["u-1"]), "wrong_type"),
        ("a long id", message("track", name, ok, userId="u" * 256), "too_long"),
        ("NUL in an id", message("track", name, ok, userId="u\0-1"), None),
        ("300 levels", message("track", name, deep, userId="u-1"), "too_deep"),
        ("10,000 keys", message("track", name, {f"k{n}": 1 for n in range(10_000)}, userId="u-1"), "too_large"),
        ("2,000 keys", message("track", name, {**ok, **{f"k{n}": 1 for n in range(2_000)}}, userId="u-1"), None),
        ("33 KB", message("track", name, {"product": "x" * 33_000}, userId="u-1"), "too_large"),
        (
            "__proto__",
            message("track", name, {**ok, "__proto__": {"admin": True}, "constructor": 1}, userId="u-1"),
            None,
        ),
        ("a lone surrogate", message("track", name, {"product": "\ud800"}, userId="u-1"), "wrong_type"),
        ("no name", message("track", None, ok, userId="u-1"), "missing_value"),
        ("a name that is a number", message("track", 7, ok, userId="u-1"), "missing_value"),
        ("a long name", message("track", "x" * 256, ok, userId="u-1"), "too_long"),
        ("properties that are a list", message("track", name, [1], userId="u-1"), "missing_value"),
        ("a wrong value", message("track", name, {**ok, "revenue": "much"}, userId="u-1"), "wrong_type"),
        ("no type", message(type=..., event=name, userId="u-1"), "unknown_type"),
        ("another type", message("charge", userId="u-1"), "unknown_type"),
        ("no object", 7, "wrong_type"),
        ("an id of a message that is none", message("track", name, ok, userId="u-1", messageId=7), "wrong_type"),
        ("a long id of a message", message("track", name, ok, userId="u-1", messageId="m" * 300), "wrong_type"),
        ("no id of a message", message("track", name, ok, userId="u-1", messageId=...), None),
        ("a bad time", message("track", name, ok, userId="u-1", timestamp="yesterday"), "wrong_type"),
        ("a time to come", message("track", name, ok, userId="u-1", timestamp="2099-01-01"), "out_of_range"),
        ("1e400", message("track", name, {**ok, "revenue": 10**400}, userId="u-1"), "out_of_range"),
        ("a group without id", message("group", userId="u-1"), "missing_value"),
        ("an alias without ids", message("alias", userId="u-1"), "missing_value"),
        ("an alias of itself", message("alias", userId="u-1", previousId="u-1"), None),
        ("a page without address", message("page", userId="u-1", name="Home"), None),
        ("a page of another scheme", message("page", None, {"url": "javascript:alert(1)"}, userId="u-1"), "bad_url"),
        ("context that is text", message("track", name, ok, userId="u-1", context="web", integrations=[1]), None),
    ]


def test_odd_input_has_a_clear_error_and_costs_no_other():
    program = make_program()
    approved_type("Order Completed", "orderCompleted", FIELDS)
    cases = bad_messages()
    items = send(
        program,
        *(odd for _what, odd, _code in cases),
        message("track", "Order Completed", {"product": "Z"}, userId="z"),
    )
    for (what, _odd, code), item in zip(cases, items, strict=False):
        assert (item.problems[0].code if item.problems else None) == code, (what, item.problems)
    assert not items[-1].problems
    dispatch()
    assert log(Person.objects.get(fields={"userId": "z"})) == [("Z", {}, False)]
    kept = RefusedActivity.objects.filter(event_source=program)
    assert kept.count() >= 15 and kept.filter(code="wrong_type", activity_type__api_name="orderCompleted").exists()


def test_a_request_is_bounded_before_its_messages_are_read():
    program = make_program()
    items = send(program, *[0] * 3_000, *[{"type": "track"}] * 9)
    assert len(items) == 2_501 and [item.problems[0].code for item in items[-2:]] == ["wrong_type", "too_many_rows"]
    assert storing.load_row(RefusedActivity.objects.get(code="too_many_rows").raw)["attributes"] == [["messages", 509]]
    assert writer._weight(Submission(program.pk, 0, items)) == 2_501, "items without hits are work, too"
    deep = []
    for _level in range(40):
        deep = [deep]
    for name, value, code in (("context", {"x": "y" * 33_000}, "too_large"), ("integrations", {"x": deep}, "too_deep")):
        with pytest.raises(RejectedError) as refusal:
            parse_envelope("batch", json.dumps({"batch": [], name: value}).encode())
        assert refusal.value.code == code
    # a message's own members come first
    own = message("track", "No", userId="u-1", integrations={"All": True}, context={"ip": "1.2.3.4"})
    (item,) = send(
        program, own, integrations={"All": False}, context={"consent": {"categoryPreferences": {"Ads": False}}}
    )
    assert item.not_kept is not None and not item.hits, "the consent is of the batch"
    (item,) = send(program, own, integrations={"All": False})
    assert item.hits


def test_a_rejected_event_that_is_mended_is_the_same_message():
    program = make_program()
    order = approved_type("Order Completed", "orderCompleted", FIELDS)
    bad = message("track", "Order Completed", {"product": "Car", "revenue": "much"}, userId="u-1")
    send(program, bad, bad)
    row = RefusedActivity.objects.get()
    recording_replay.correct_rows([row.pk], "revenue", "5", None)
    assert recording_replay.replay_rows([row.pk], None).recorded == 1
    send(program, {**bad, "properties": {"product": "Car", "revenue": 5}})
    dispatch()
    assert Activity.objects.filter(activity_type_id=order.pk).count() == 1


def test_what_is_refused_is_kept_with_all_that_can_be_read():
    program = make_program()
    at, early = "2026-11-20T10:00:00+00:00", "2026-11-19T10:00:00Z"
    who = {"userId": "u-1", "timestamp": at, "messageId": " caf\u0065\u0301 "}
    send(
        program,
        message("identify", **{**who, "timestamp": "soon"}, traits={"title": "CEO"}),
        message("charge", **{**who, "messageId": "m-2"}, properties={"a": 1}),
        message("alias", **{**who, "messageId": "m-3"}),
        message("track", "x" * 256, {"a": 1}, **who, originalTimestamp=early),
        message("track", "Order", {"a": 1}, **{**who, "userId": ["u"]}),
        message("page", None, {"url": "javascript:1"}, **who, name="Home"),
        message(
            "identify", **{**who, "timestamp": "soon"}, context={"consent": {"categoryPreferences": {"Ads": False}}}
        ),
    )
    rows = [storing.load_row(row.raw) for row in RefusedActivity.objects.order_by("pk")]
    ids = {(row["activity_type"] or dict(row["attributes"])["type"])[:20]: row for row in rows}
    assert set(ids) == {"identify", "charge", "alias", "x" * 20, "Order", "Viewed Home Page"} and len(rows) == 6
    own = f"e{program.pk}:caf\u00e9"
    person = {"value": "u-1", "field": "userId", "create": True}
    assert ids["identify"]["external_id"] == own and ids["charge"]["external_id"] == f"e{program.pk}:m-2"
    assert dict(ids["identify"]["attributes"])["traits"] == {"title": "CEO"}
    assert dict(ids["charge"]["attributes"])["properties"] == {"a": 1}
    assert [ids[name]["occurred_at"] for name in ("identify", "alias")] == ["soon", at]
    long = ids["x" * 20]
    assert (long["person"], long["external_id"], long["attributes"]) == (person, own, [["a", 1]])
    assert datetime.fromisoformat(long["occurred_at"]) == datetime.fromisoformat(early)
    assert ids["Order"]["person"] is None and ids["Order"]["occurred_at"] == at
    # the same id, written in another way, is the same message
    approved_type("Order Completed", "orderCompleted", FIELDS)
    order = message("track", "Order Completed", {"product": "Car"}, **who)
    assert [item.hits[0].message_id for item in read(program, order)] == ["caf\u00e9"]


def test_a_type_that_was_retired_meanwhile_costs_no_other_event_its_outcome():
    program = make_program()
    order = approved_type("Order Completed", "orderCompleted", FIELDS)
    items = read(
        program,
        message("track", "Order Completed", {"Product": "Car", "order_id": 7}, userId="u-1"),
        message("track", "Typo", {}, userId="u-2"),
        message("track", "Typo", {}, userId="u-3"),
    )
    lifecycle.retire_definition(order, None)
    submission = Submission(program.pk, 0, items)
    commit_submissions([submission])
    assert len(submission.outcomes) == 3 and submission.outcomes[0].problems[0].code == "retired_type"
    row = storing.load_row(RefusedActivity.objects.get(code="retired_type").raw)
    assert (row["primary_value"], row["attributes"]) == ("Car", [["orderId", "7"]])
    assert Sighting.objects.get().kept == 2
    events = recent_events(program.pk)
    assert [event.outcome for event in reversed(events)] == ["refused", "waiting", "waiting"]


def test_nothing_is_noted_of_a_visitor_whose_person_was_erased():
    program = make_program()
    approved_type("Order Completed", "orderCompleted", FIELDS)
    send(program, message("identify", userId="u-1", traits={"email": "ann@example.com"}))
    dispatch()
    erasure.erase_people([Person.objects.get(email="ann@example.com").pk], None, MARKETO)
    bad = {"product": "Car", "revenue": "much"}
    for user, number in (("u-1", 0), ("u-2", 2)):
        items = send(
            program,
            message("identify", userId=user, traits={"plan": "gold"}),
            message("track", "Order Completed", {"product": "Car", "coupon": "X1"}, userId=user),
            message("track", "Order Completed", bad, userId=user),
            message("group", userId=user),
        )
        assert sum(bool(item.problems) for item in items) == number == RefusedActivity.objects.count()
        assert Sighting.objects.count() == number
    titles = [event.title for event in recent_events(program.pk) if event.outcome == "dropped"]
    assert len(titles) == 4 and not any(titles)


RECEIVED = datetime(2026, 11, 30, 12, tzinfo=UTC)
TIMES = [  # timestamp, sentAt, of a program: seconds before the arrival
    ("2026-11-30T11:59:50Z", "2026-11-30T12:00:00Z", True, 10),
    (1_796_039_990, None, True, 10),
    (1_796_039_990_000, None, True, 10),
    ("1796039990000000", None, True, 10),
    ("2026-11-30T13:59:50Z", "2026-11-30T14:00:00Z", True, 10),
    ("2026-11-30T13:59:50+02:00", "nonsense", True, 10),
    ("2020-01-01T00:00:00Z", "2026-11-30T14:00:00Z", True, 218_203_200),
    (None, "2026-11-30T11:00:00Z", True, 0),
    ("2026-11-30T12:00:30Z", None, True, -30),
    ("2026-11-30T13:59:50Z", "2026-11-30T14:00:00Z", False, 10),
    ("2030-11-30T13:59:50Z", None, False, 0),
    ("2020-01-01T00:00:00Z", "2026-11-30T12:00:00Z", False, 86_400),
]


def test_when_a_message_happened():
    for at, sent, is_server, seconds in TIMES:
        for name, own, batch in (("timestamp", sent, None), ("originalTimestamp", None, sent)):
            moment = message_times({name: at, "sentAt": own}, batch, RECEIVED, is_server)
            assert (RECEIVED - moment.occurred_at).total_seconds() == seconds, (at, sent, is_server)
