"""CloudEvents in their three modes: what they become, and hostile ones, each of which costs no other."""

import base64
import json
from datetime import UTC, datetime

import pytest
from django.utils import timezone

from activities.cloudevents.reading import message_id, read_events
from activities.cloudevents.wire import BATCH, STRUCTURED, is_supported, parse_events
from activities.models import Activity, RefusedActivity, SourceKey, Visitor, WaitingEvent
from activities.sources.authentication import Sender
from activities.tracking.agents import parse_agent
from activities.tracking.committing import commit_submissions
from activities.tracking.live_types import load_live_types
from activities.tracking.reading import Client
from activities.tracking.submissions import Submission
from people.core.errors import RejectedError
from people.models import PersonKey
from tests.activities.segment.senders import make_program
from tests.activities.visitors.factories import dispatch
from tests.factories import approved_type

pytestmark = pytest.mark.django_db

AT = "2026-11-20T10:00:00Z"


def event(number, **more):
    """A structured event; members given as `...` are left out."""
    values = {"specversion": "1.0", "id": f"{number}", "source": "/shop", "type": "Deposit Check", "time": AT}
    values |= {"subject": "u-1", "data": {"check": f"c-{number}"}, **more}
    return {name: value for name, value in values.items() if value is not ...}


def read(source, body, content_type=STRUCTURED, **headers):
    names = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert is_supported(content_type, names)
    client = Client(Sender(source, SourceKey(source=source), None), timezone.now(), parse_agent("curl/8"))
    return read_events(parse_events(content_type, names, text), client, load_live_types())


def send(source, body, content_type=STRUCTURED, **headers):
    items = read(source, body, content_type, **headers)
    commit_submissions([Submission(source.pk, 0, items)])
    return items


def test_the_three_modes_are_one_event():
    source = make_program()
    approved_type()
    first = event(1, datacontenttype="application/json")
    assert not send(source, first)[0].problems
    binary = {f"ce-{name}": value for name, value in first.items() if name not in ("data", "datacontenttype")}
    send(source, first["data"], "application/json; charset=utf-8", **binary)
    packed = base64.b64encode(b'{"check": "c-1"}').decode()
    batch = [
        first,
        event(1, data=..., data_base64=packed),
        event(2),
        event(2, id="3 /shop"),
        event(2, source="/shop/3"),
    ]
    items = send(source, batch, BATCH)
    assert [bool(item.problems) for item in items] == [False] * 5
    dispatch()
    rows = Activity.objects.filter(activity_type_id__gte=100_001)
    assert sorted(rows.values_list("primary_value", flat=True)) == ["c-1", "c-2", "c-2", "c-2"]
    assert set(rows.values_list("occurred_at", flat=True)) == {datetime(2026, 11, 20, 10, tzinfo=UTC)}
    assert PersonKey.objects.get().value == "u-1" and rows.values("person_id").distinct().count() == 1
    # the same id and source with other content; headers are percent-encoded
    assert send(source, event(1, data={"check": "other"}))[0].problems[0].code == "external_id_reused"
    send(source, b"", "", **(binary | {"ce-type": "Caf%C3%A9%20Visited", "ce-id": '"quoted"', "ce-subject": "u%202"}))
    waiting = WaitingEvent.objects.select_related("sighting").get()
    assert waiting.sighting.name == "Café Visited" and waiting.message_id == message_id("/shop", "quoted")
    assert waiting.sighting.libraries == {"/shop": 1}, "who sent it"


def test_whose_event_it_is_and_what_data_can_be():
    source = make_program()
    approved_type()
    items = send(
        source,
        [
            event(1, subject=..., userid="u-1"),
            event(2, subject=..., anonymousid="a-1"),
            event(3, subject=..., data={"userId": "u-1", "check": "3"}),
            event(4, subject=..., data={"anonymousId": "a-1", "check": "4"}),
            event(5, type="Text Sent", data="text"),
            event(6, type="List Sent", data=[1, {"a": 2}]),
            event(7, type="Bytes Sent", datacontenttype="image/png", data=..., data_base64="AAAA"),
            event(8, type="Nothing Sent", data=...),
        ],
        BATCH,
    )
    assert [item.problems for item in items] == [()] * 8
    assert not items[2].seen, "what says whose it is is no property"
    assert Visitor.objects.count() == 2
    raw = {
        row.sighting.name: json.loads(row.raw)["properties"] for row in WaitingEvent.objects.select_related("sighting")
    }
    assert raw == {
        "Text Sent": {"data": "text"},
        "List Sent": {"data": [1, {"a": 2}]},
        "Bytes Sent": {"data": "AAAA"},
        "Nothing Sent": {},
    }


def test_bad_events_cost_no_other():
    source = make_program()
    approved_type()
    deep = json.loads("[" * 300 + "]" * 300)
    bad = {
        "specversion": [event(1, specversion="0.3"), event(2, specversion=...), event(3, specversion=1.0)],
        "id": [event(4, id=...), event(5, id=""), event(6, id=7), event(7, id=None), event(8, id="x" * 3_000)],
        "source": [event(9, source=...), event(10, source="a b"), event(11, source="\n"), event(12, source={})],
        "type": [event(13, type=...), event(14, type=7), event(15, type="x" * 300), event(16, type=" ")],
        "time": [event(17, time=1_700_000_000)],
        "timestamp": [event(18, time="yesterday"), event(19, time="9999-01-01T00:00:00Z")],
        "subject": [event(20, subject=...), event(21, subject=" ", data=["userId"])],
        "userId": [event(22, subject={"a": 1}), event(23, subject=True), event(24, subject="null")],
        "data_base64": [
            event(25, data_base64="AAAA"),
            event(26, data=..., data_base64="%"),
            event(27, data=..., data_base64=7),
        ],
        "": [event(28, data=deep), event(29, data="x" * 40_000), 7, None, [], "text"],
    }
    events = [wrong for group in bad.values() for wrong in group]
    hostile = event(30, **{"__proto__": {"a": 1}, "\ud800": "\0"}, data={"check": "ok", "x" * 500: "\0\ud800"})
    items = send(source, [*events, hostile, event(31)], BATCH)
    paths = [item.problems[0].path[:1] for item in items if item.problems]
    assert paths == [(name,) if name else () for name, group in bad.items() for _wrong in group]
    assert len(items) - len(paths) == 2
    kept = RefusedActivity.objects.count()
    assert kept == len([wrong for wrong in events if isinstance(wrong, dict)]), "each that can be read is kept"

    for body in (b"{", b"7", b"[]", b"\xff", b"[" * 100_000):
        with pytest.raises(RejectedError):
            parse_events(STRUCTURED, {}, body)
    with pytest.raises(RejectedError):
        parse_events(BATCH, {}, b"{}")
    many = read(source, [7] * 2_600, BATCH)
    assert len(many) == 2_501 and many[-1].problems[0].code == "too_many_rows"
    assert not is_supported("application/cloudevents+avro", {"ce-id": "1"}) and not is_supported("text/plain", {})


def test_ids_are_apart():
    pairs = [("a", "b c"), ("a/b", "c"), ("a", "b"), ("a" * 300, "b"), ("a", "b" * 300)]
    assert len({message_id(source, own) for source, own in pairs}) == len(pairs)
    assert all(len(message_id(source, own)) <= 200 for source, own in pairs)
