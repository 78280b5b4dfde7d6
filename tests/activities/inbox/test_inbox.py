"""Undefined events: counted, kept up to a cap, decided about, and replayed once."""

from decimal import Decimal

import pytest

from activities.inbox import decisions, editing, personal_data, proposals, replay, rotation, sightings, waiting
from activities.inbox.mapping import EVENT_NAME
from activities.inbox.names import flatten_properties, name_key, shown_name
from activities.inbox.shapes import MAX_ALL_VALUES, MAX_PATHS, MAX_VALUES, shape_of, shapes_of
from activities.models import Activity, Sighting, WaitingEvent
from activities.types.definition import ACTIVITY_TYPES, ActivityFieldSpec, TypeNames
from people.core.errors import RejectedError
from people.definitions import lifecycle
from people.models import Person
from people.privacy import erasure
from tests.activities.inbox.factories import numbers
from tests.activities.segment.senders import make_program, message, minutes_ago, send
from tests.activities.visitors.factories import dispatch
from tests.factories import MARKETO, approved_type, draft_type

pytestmark = pytest.mark.django_db


def test_from_a_first_event_to_a_type_with_its_history():
    program = make_program()
    sent = [
        message(
            "track",
            name,
            {"invoiceNumber": f"00{number}", "total": 12.5 + number, "paidOn": "2026-11-02", "paid": number > 1},
            userId=f"u-{number % 2}",
            timestamp=minutes_ago(500 - number),
        )
        for number, name in enumerate(("Invoice Paid", "invoice_paid", "Invoice Paid", "InvoicePaid"))
    ]
    items = send(program, *sent)
    assert not any(item.problems for item in items) and all(item.not_kept for item in items)
    send(program, *sent)  # an honest retry
    dispatch()
    (sighting,) = Sighting.objects.all()
    assert (sighting.name, sighting.count, sighting.kept, sighting.state) == ("Invoice Paid", 4, 4, "new")
    assert sighting.libraries == {"analytics-python/2.4.0": 4}
    people = {person.fields["userId"]: person.pk for person in Person.objects.all()}
    assert set(people) == {"u-0", "u-1"}, "who they are is known before what they did"
    with pytest.raises(RejectedError):
        replay.start_replay(sighting, None)

    shapes = {shape.path: shape.data_type for shape in waiting.waiting_shapes(sighting)}
    assert shapes == {"invoiceNumber": "string", "total": "currency", "paidOn": "date", "paid": "boolean"}
    proposal = proposals.propose_type(sighting.name, waiting.waiting_shapes(sighting))
    first, *others = proposal.fields
    assert (proposal.name, first.name, first.api_name) == ("Invoice Paid", "Invoice Number", "invoiceNumber")
    specs = [ActivityFieldSpec(first.api_name, first.name, first.data_type, is_primary=True)]
    specs += [ActivityFieldSpec(field.api_name, field.name, field.data_type) for field in others]
    names = TypeNames("paidInvoice", "Pay Invoice", "Paid Invoice", "Pays Invoice", "")
    created = lifecycle.create_definition(ACTIVITY_TYPES, names, specs, None)
    editing.map_to_type(sighting, created, None, proposals.propose_fields(proposal))
    send(program, message("track", "Invoice Paid", {"invoiceNumber": "005", "total": "much"}, userId="u-1"))
    sighting.refresh_from_db()
    assert sighting.kept == 5, "until it is approved, events wait"
    lifecycle.approve_draft(created, None)
    assert waiting.type_for(sighting) == created
    assert numbers(replay.start_replay(sighting, None)) == (4, 1)
    assert numbers(replay.start_replay(sighting, None)) == (0, 1)
    sighting.refresh_from_db()
    (left,) = sighting.events.all()
    assert sighting.kept == 1 and left.problems[0]["path"] == ["attributes", "total"]
    dispatch()
    rows = Activity.objects.filter(activity_type_id=created.pk).order_by("occurred_at")
    assert [row.primary_value for row in rows] == ["000", "001", "002", "003"] and all(row.is_backfill for row in rows)
    assert {row.person_id for row in rows} == set(people.values())
    assert [row.occurred_at.isoformat() for row in rows] == [entry["timestamp"] for entry in sent]
    # from now on they are recorded as they come; the retry of a replayed one is known
    send(program, message("track", "invoice paid", {"invoiceNumber": "006"}, userId="u-1"), sent[0])
    dispatch()
    rows = Activity.objects.filter(activity_type_id=created.pk).order_by("pk")
    assert [row.is_backfill for row in rows] == [True] * 4 + [False]


def test_decisions_and_caps(monkeypatch):
    program = make_program()
    event = lambda name, **more: message("track", name, {"n": 1}, userId="u-1", **more)  # noqa: E731
    send(program, event("Typo"), event("Noise"), event("Secret"))
    noise, secret = (Sighting.objects.get(name=name) for name in ("Noise", "Secret"))
    editing.ignore_name(noise, None)
    editing.block_name(secret, None)
    monkeypatch.setattr(decisions, "MAX_KEPT", 3)
    monkeypatch.setattr(rotation, "BURST", 0)
    for _request in range(3):
        (kept, ignored, blocked) = send(program, event("typo"), event("Noise"), event("Secret"))
    assert kept.not_kept and ignored.not_kept and blocked.problems[0].code == "not_allowed"
    counted = {row.name: (row.count, row.kept) for row in Sighting.objects.all()}
    assert counted == {"Typo": (4, 3), "Noise": (4, 1), "Secret": (4, 1)}
    assert WaitingEvent.objects.count() == 5
    editing.reopen_name(noise, None)
    send(program, event("Noise"))
    assert Sighting.objects.get(pk=noise.pk).kept == 2
    # names beyond a source's own number are counted together
    monkeypatch.setattr(sightings, "MAX_SELDOM", 0)
    monkeypatch.setitem(sightings.MAX_NAMES, Sighting.Kind.EVENT, 4)
    send(program, *(event(f"Random {number}") for number in range(5)))
    assert Sighting.objects.filter(name_key="").values_list("count", "kept").get() == (4, 0)
    assert Sighting.objects.filter(kind="event").count() == 5
    # an existing type is offered, and mapped
    check = approved_type("Deposit Check", "depositCheck")
    send(make_program("Bank"), event("Check Deposited"))
    deposited = Sighting.objects.get(name="Check Deposited")
    assert proposals.similar_types(deposited) == [check]
    with pytest.raises(RejectedError):
        editing.map_to_type(deposited, check, None, {"n": "nothing"})
    editing.map_to_type(deposited, check, None, {EVENT_NAME: "check", "n": "pages"})
    assert replay.start_replay(deposited, None).recorded == 1
    dispatch()
    row = Activity.objects.get(activity_type_id=check.pk)
    assert (row.primary_value, row.attributes) == ("Check Deposited", {"pages": 1})
    draft_type("Sign Up", "signUp")
    send(make_program("Forum"), event("Sign Up"))
    assert Sighting.objects.filter(name="Sign Up").exists(), "a draft takes nothing"


def test_made_up_names_keep_no_real_one_out_and_room_is_shared(monkeypatch):
    program = make_program()
    event = lambda name, **more: message("track", name, {"n": 1}, userId="u-1", **more)  # noqa: E731
    monkeypatch.setitem(sightings.MAX_NAMES, Sighting.Kind.EVENT, 4)
    monkeypatch.setattr(sightings, "MAX_SELDOM", 2)
    names = lambda: set(Sighting.objects.filter(kind="event").values_list("name", flat=True))  # noqa: E731
    send(program, event("Often"), event("Often"), event("Often"), event("Decided"), event("Once"))
    send(program, event("Twice"), event("Twice"))
    editing.ignore_name(Sighting.objects.get(name="Decided"), None)
    send(program, event("Real"))
    assert names() == {"Often", "Decided", "Twice", "Real"} and Sighting.objects.get(name="Real").kept == 1
    assert WaitingEvent.objects.filter(sighting__name="Once").count() == 0
    monkeypatch.setattr(sightings, "MAX_GIVEN_UP", 1)
    send(program, event("A"), event("B"))
    assert names() >= {"Often", "Decided", ""}, "at most so many for one commit; the others are counted together"
    # the events of one commit share the room of the name and of the source
    monkeypatch.setattr(sightings, "MAX_NAMES", dict.fromkeys(sightings.MAX_NAMES, 100))
    monkeypatch.setattr(decisions, "MAX_KEPT", 3)
    monkeypatch.setattr(rotation, "BURST", 0)
    items = send(program, *(event("Many") for _number in range(5)))
    many = Sighting.objects.get(name="Many")
    assert (many.count, many.kept, many.events.count()) == (5, 3, 3)
    assert [str(item.not_kept.message).startswith("The inbox has no room") for item in items] == [False] * 3 + [
        True
    ] * 2
    monkeypatch.setattr(
        sightings, "MAX_SOURCE_BYTES", many.kept_bytes // 3 + sum(Sighting.objects.values_list("kept_bytes", flat=True))
    )
    send(program, event("Full"), event("Full"))
    full = Sighting.objects.get(name="Full")
    assert (full.count, full.kept) == (2, 1)
    assert editing.forget_name(full, None) == 1 and not Sighting.objects.filter(name="Full").exists()
    send(program, event("Full"))
    assert Sighting.objects.get(name="Full").kept == 1


def test_what_comes_in_and_what_waited_finds_the_same_type():
    program = make_program()
    send(program, *(message("track", name, {"check": "1"}, userId="u-1") for name in ("Pay-Bill", "pay bill", "Noise")))
    noise, alike = Sighting.objects.order_by("name_key")
    editing.ignore_name(noise, None)
    bill, _second, _noise = (
        approved_type(*names)
        for names in (("Pay Bill", "billPaid"), ("Settle Bill", "payBill"), ("Loud Noise", "noise"))
    )
    for sighting, name in ((alike, "Pay Bill"), (noise, "Noise")):
        (item,) = send(program, message("track", name, {"check": "2"}, userId="u-1"))
        sighting.refresh_from_db()
        assert item.not_kept and waiting.type_for(sighting) is None, f"{name}: no type, or ignored until reopened"
    editing.reopen_name(noise, None)
    editing.map_to_type(alike, bill, None)
    for sighting, name in ((alike, "payBill"), (noise, "Noise")):
        (item,) = send(program, message("track", name, {"check": "3"}, userId="u-1"))
        sighting.refresh_from_db()
        taking = waiting.type_for(sighting)
        assert taking is not None and [hit.type_id for hit in item.hits] == [taking.pk]


def test_what_waits_is_personal_data(settings):
    program = make_program()
    for user, text in (("u-1", "own"), ("u-2", "ann@example.com")):
        send(
            program,
            message("identify", userId=user, traits={"email": f"{user}@example.com", "nick": text}),
            message("track", "Ticket Opened", {"text": text}, userId=user),
        )
    send(program, message("identify", userId="u-1", traits={"email": "ann@example.com"}))
    dispatch()
    ann = Person.objects.get(email="ann@example.com")
    assert len(list(personal_data._export_events([ann.pk]))) == 1
    erasure.erase_people([ann.pk], None, MARKETO)
    assert WaitingEvent.objects.count() == 0 and Sighting.objects.get(kind="event").kept == 0
    assert Sighting.objects.get(kind="trait").samples == []
    send(program, message("track", "Ticket Opened", {}, userId="u-1"))
    assert WaitingEvent.objects.count() == 0, "an erased user's id is nobody's any more"
    send(program, message("track", "Ticket Opened", {}, userId="u-3"))
    settings.INBOX_DAYS = -1
    assert personal_data.forget_old_events() == 1 and Sighting.objects.get(kind="event").kept == 0


def test_names_and_properties():
    assert {name_key(name) for name in ("Order Completed", "order_completed", "ORDER-completed", "orderCompleted")} == {
        "ordercompleted"
    }
    assert name_key("!!!") == "!!!" and name_key("ÉTÉ") == name_key("été") and name_key("注文 完了") == "注文完了"
    assert shown_name("order_completed") == "Order Completed" and shown_name("checkNumber") == "Check Number"
    assert flatten_properties(
        {"a": {"b": 1, "c": {"d": None, "e": [1, {"x": Decimal("2.50")}]}}, "a_b": 2, "__proto__": {"z": 1}}
    ) == {"a_b": 2, "a_c_e": '[1,{"x":2.5}]', "__proto___z": 1}


PLANTED = {
    "zip": (["02134", "10001"], "string"),
    "account": (["0012345678", "0098765432"], "string"),
    "order_id": ([17, 18], "string"),
    "accountNumber": ([12345678, 87654321], "string"),
    "serial": ([123456789, 987654321], "string"),
    "mixed": ([1, "two", 3], "string"),
    "signedUpOn": (["2026-11-29", "2026-01-02"], "date"),
    "started_at": (["2026-11-29T10:00:00Z", "2026-11-29 10:00:00+02:00", "2026-11-30"], "datetime"),
    "price": ([Decimal("19.99"), 20], "currency"),
    "orderTotal": (["19.99", "5"], "currency"),
    "share": ([Decimal("0.12345"), 1], "float"),
    "latitude": ([Decimal("48.85"), Decimal("2.35")], "float"),
    "description": (["x" * 300, "short"], "text"),
    "newsletter": (["yes", "No", "YES"], "boolean"),
    "active": ([True, False], "boolean"),
    "quantity": ([3, 12], "integer"),
    "pages": (["3", "12"], "integer"),
    "contact": (["ann@example.com", "bob@example.org"], "email"),
    "link": (["https://example.com/a", "http://example.com"], "link"),
    "mobile": (["+1 202 555 0143", "+4930123456"], "phone"),
    "tags": (['["a"]', "[]"], "string"),
    "title": (["Hello", "World"], "string"),
}


def test_inferred_types():
    assert {path: shape_of(path, values, 2).data_type for path, (values, _type) in PLANTED.items()} == {
        path: data_type for path, (_values, data_type) in PLANTED.items()
    }
    odd = shape_of("quantity", [*range(30), "n/a"], 40)
    assert (odd.data_type, odd.likely, odd.percent, odd.exceptions) == ("string", "integer", 96, ("n/a",))
    assert odd.is_certain and odd.presence_percent == 78


def test_the_work_for_one_page_is_bounded(monkeypatch):
    looked_at = []
    monkeypatch.setattr("activities.inbox.shapes._fitting_types", lambda _path, value: looked_at.append(value) or set())
    shapes = shapes_of({f"p{number}": number for number in range(MAX_PATHS + 100)} for _event in range(MAX_VALUES + 50))
    assert len(shapes) == MAX_PATHS and {shape.seen for shape in shapes} == {MAX_VALUES + 50}, "all are counted"
    assert len(looked_at) == MAX_ALL_VALUES
    looked_at.clear()
    shapes_of({"a": number} for number in range(MAX_VALUES + 50))
    assert len(looked_at) == MAX_VALUES
    nested = flatten_properties({"n" * 20_000: {f"m{number}": 1 for number in range(1_000)}})
    assert max(map(len, nested)) == 255
    # the newest events are read up to a number of bytes, one at least
    program = make_program()
    send(program, *(message("track", "Long", {"text": "x" * 1_000, "n": number}, userId="u-1") for number in range(3)))
    sighting = Sighting.objects.get(name="Long")
    for limit, events in ((4_000_000, 3), (2_500, 2), (10, 1)):
        monkeypatch.setattr(waiting, "LOOKED_AT_BYTES", limit)
        assert {shape.seen for shape in waiting.waiting_shapes(sighting)} == {events}


def test_a_name_whose_only_event_was_rejected_is_not_shown(admin_client):
    program = make_program()
    for name, count in (("Came", 1), ("", 0)):
        Sighting.objects.create(source=program, kind="event", name=name, name_key=name_key(name), count=count)
    page = admin_client.get("/admin/activities/sighting/")
    assert [row.name for row in page.context["cl"].result_list] == ["Came"]
    assert [row["name"] for row in admin_client.get("/api/v1/inbox").json()["results"]] == ["Came"]
