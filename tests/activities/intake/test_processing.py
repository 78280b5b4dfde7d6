"""The intake: what becomes of kept requests is what became of them directly, each once, in order, whatever fails."""

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from activities.intake import due, processing
from activities.intake.keeping import KeptRequest, keep_requests, without_key
from activities.intake.personal_data import forget_old_requests
from activities.intake.state import IntakeState, intake_state, retry_stuck_requests
from activities.models import IntakeRequest, RecentEvent, SourceDay, VisitorActivity
from activities.segment.wire import parse_envelope
from activities.tracking.live_types import load_live_types
from config.observability import probes
from config.operations.intake_check import check_intake
from people.core.errors import RejectedError
from people.core.source import SYSTEM
from people.models import Person
from people.privacy import erasure
from tests.activities.intake.processing import keep, kept, process_all
from tests.activities.segment.senders import make_program, message
from tests.activities.visitors.factories import dispatch
from tests.factories import approved_type, make_person

pytestmark = pytest.mark.django_db


def deposit(number, **more):
    return message("track", "Deposit Check", {"check": str(number)}, **{"userId": "u-1", **more})


def checks(source):
    rows = VisitorActivity.objects.filter(source_id=source.pk, activity_type_id__gte=100_001).order_by("pk")
    return list(rows.values_list("primary_value", flat=True))


def test_kept_requests_are_counted_at_once_and_their_events_when_processed():
    approved_type()
    source = make_program()
    received = timezone.now() - timedelta(seconds=40)
    keep(source, deposit(1), deposit(2), {"type": "odd"}, received=received)
    keep(source, deposit(3), call="track")
    day = SourceDay.objects.get(source=source)
    assert (day.requests, day.accepted, day.rejected) == (2, 0, 0) and day.size > 400
    state = intake_state()
    assert (state.requests, state.stuck, state.size) == (2, 0, day.size) and 40 <= state.oldest_seconds < 60
    assert checks(source) == []
    assert process_all() == 2 and not IntakeRequest.objects.exists()
    day.refresh_from_db()
    assert (day.requests, day.accepted, day.rejected) == (2, 3, 1)
    assert checks(source) == ["1", "2", "3"]
    first = RecentEvent.objects.filter(source_id=source.pk).order_by("number").first()
    assert first.received_at == received, "the live page has the time of arrival"
    assert intake_state() == IntakeState(0, 0, 0, None) and process_all() == 0


def test_the_time_of_arrival_decides_about_the_time_of_an_event():
    approved_type()
    source = make_program()
    received = timezone.now() - timedelta(minutes=30)
    sent, at = received + timedelta(minutes=5), received + timedelta(minutes=3)  # a clock that is five minutes fast
    keep(source, deposit(1, timestamp=at.isoformat()), received=received, sentAt=sent.isoformat())
    process_all()
    assert VisitorActivity.objects.get(primary_value="1").occurred_at == received - timedelta(minutes=2)


@pytest.mark.parametrize("depth", [*range(985, 1023, 4), 1021])
def test_what_was_acknowledged_is_read_however_deep_a_message_of_it_is(depth):
    approved_type()
    source = make_program()
    good = json.dumps([deposit(1), deposit(2)])[1:-1]
    deep = (
        '{"type":"track","event":"Deposit Check","userId":"u-1","properties":{"a":' + "[" * depth + "]" * depth + "}}"
    )
    body = f'{{"batch":[{good},{deep}]}}'.encode()
    try:
        parse_envelope("batch", body, is_to_check=True)
    except RejectedError:
        return  # the collector answers 400
    keep_requests([KeptRequest(source.pk, timezone.now(), "batch", "", False, 3, len(body), body)])
    process_all()
    assert not IntakeRequest.objects.exists() and checks(source) == ["1", "2"]
    assert SourceDay.objects.get(source=source).rejected == 1


def test_a_context_with_a_very_long_number_is_no_reason_to_keep_a_request_back():
    approved_type()
    source = make_program()
    body = ('{"context":{"n":0.' + "3" * 34_000 + '},"batch":[' + json.dumps(deposit(1)) + "]}").encode()
    parse_envelope("batch", body, is_to_check=True)
    keep_requests([KeptRequest(source.pk, timezone.now(), "batch", "", False, 1, len(body), body)])
    process_all()
    assert not IntakeRequest.objects.exists() and checks(source) == ["1"]


def test_repeats_are_known_in_one_request_and_in_later_ones():
    approved_type()
    source = make_program()
    one, two = deposit(1), deposit(2)
    keep(source, one, two, one)
    keep(source, two)
    process_all()
    keep(source, one)
    process_all()
    assert checks(source) == ["1", "2"]


def test_the_order_of_arrival_is_kept_and_sources_share_a_pass(monkeypatch):
    approved_type()
    monkeypatch.setattr(due, "EVENTS_AT_ONCE", 4)
    large, small = make_program("Large"), make_program("Small")
    for number in range(12):
        keep(large, deposit(number))
    keep(small, deposit(100))
    assert processing.process_intake() == 3, "two of four events, and the only one of the other source"
    assert (checks(large), checks(small)) == (["0", "1"], ["100"])
    assert process_all() == 10 and checks(large) == [str(number) for number in range(12)]
    keep(large, *[deposit(number) for number in range(20, 29)])
    assert processing.process_intake() == 1, "a request with more events is one by itself"


def test_a_request_that_raises_an_error_is_tried_again_and_then_stuck(monkeypatch):
    approved_type()
    source, other = make_program(), make_program("Other")
    keep(source, deposit(1))
    keep(source, deposit("poison"))
    keep(source, deposit(3))
    keep(other, deposit(4))
    read_request = processing.read_request

    def fail(row, *rest):
        if b"poison" in bytes(row.body):
            raise KeyError("ann@example.com")
        return read_request(row, *rest)

    monkeypatch.setattr(processing, "read_request", fail)
    assert process_all() == 4 and checks(source) == ["1", "3"] and checks(other) == ["4"]
    row = IntakeRequest.objects.get()
    assert row.tries == 1 and not row.is_stuck and row.try_at > timezone.now()
    assert "KeyError in fail" in row.error and "ann@" not in row.error
    for tries in range(2, due.MAX_TRIES + 1):
        IntakeRequest.objects.update(try_at=None)
        assert process_all() == 1
        row.refresh_from_db()
        assert row.tries == tries
    assert row.is_stuck and process_all() == 0
    assert (intake_state().stuck, intake_state().oldest) == (1, None)
    keep(source, deposit(5))
    assert process_all() == 1 and checks(source) == ["1", "3", "5"]
    monkeypatch.setattr(processing, "read_request", read_request)
    assert retry_stuck_requests() == 1 and process_all() == 1
    assert checks(source) == ["1", "3", "5", "poison"] and not IntakeRequest.objects.exists()


def test_stuck_requests_are_forgotten_and_others_never(settings):
    source = make_program()
    old = timezone.now() - timedelta(days=settings.QUARANTINE_DAYS + 1)
    keep(source, deposit(1), received=old)
    keep(source, deposit(2))
    assert forget_old_requests() == 0
    IntakeRequest.objects.update(is_stuck=True)
    assert forget_old_requests() == 1 and IntakeRequest.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ('{"writeKey": "u-1", "userId": "u-1"}', '{"writeKey": "", "userId": "u-1"}'),
        (r'{"a":[{"writeKey":"x"}],"write\u004bey" : "c\u005fs", "n": 1.10e2}', None),
        (r'{"writeKey":"a\"b\\","writeKey": "","writeKey":"c", "n":12345678901234567890123}', None),
        (
            r'{"t":"\"writeKey\": \"u-1\"","writeKey":7,"o":{"writeKey":"b"},"s":"}{[\\"}',
            r'{"t":"\"writeKey\": \"u-1\"","writeKey":7,"o":{"writeKey":"b"},"s":"}{[\\"}',
        ),
        ('{"name":"writeKey","other":"writeKey: \u00e9"}', '{"name":"writeKey","other":"writeKey: \u00e9"}'),
        ('{"n": 1e400, "batch": []}', '{"n": 1e400, "batch": []}'),
    ],
)
def test_of_a_body_the_write_key_alone_is_not_kept(body, kept):
    result = without_key(body.encode()).decode()
    if kept is not None:
        assert result == kept
    before, after = (json.loads(text, parse_float=str) for text in (body, result))
    assert after == {**before, **({"writeKey": ""} if isinstance(before.get("writeKey"), str) else {})}
    assert not any(secret in result for secret in ("c\\u005fs", '"a\\"b', '"c"'))


def test_a_request_that_is_kept_twice_is_one_and_its_messages_have_the_same_ids():
    approved_type()
    source = make_program()
    request = kept(source, deposit(1, messageId=...), deposit(2, messageId=...))
    keep_requests([request])
    keep_requests([request, kept(source, deposit(1, messageId=...))])
    assert IntakeRequest.objects.count() == 2
    row = IntakeRequest.objects.earliest("pk")
    ids = [[item.id for item in processing.read_request(row, source, load_live_types()).items] for _time in range(2)]
    assert ids[0] == ids[1] and len({*ids[0]}) == 2
    process_all()
    assert checks(source) == ["1", "2", "1"]


def test_an_erase_deletes_stuck_requests_and_drops_the_events_that_wait():
    approved_type()
    source = make_program()
    keep(source, message("identify", traits={"email": "ann@example.com"}, userId="u-1"))
    process_all()
    dispatch()
    ann = Person.objects.get(email="ann@example.com")
    keep(source, message("identify", traits={"email": "ANN@example.com"}, userId="u-2"))
    keep(source, message("identify", traits={"email": "bob@example.com"}, userId="u-3"))
    IntakeRequest.objects.update(is_stuck=True)
    keep(source, deposit(1), deposit(2, userId="u-4"))
    erasure.erase_people([ann.pk], None, SYSTEM)
    assert [b"bob@" in bytes(row.body) for row in IntakeRequest.objects.filter(is_stuck=True)] == [True]
    assert process_all() == 1 and checks(source) == ["2"], "the events of an erased user id are dropped"


def test_an_erase_deletes_what_waits_in_a_backlog_or_for_another_try():
    source = make_program()
    ann = Person.objects.create(email="ann@example.com")
    old = timezone.now() - timedelta(seconds=30)
    for received, try_at in (
        (old, None),
        (timezone.now(), timezone.now() + timedelta(minutes=1)),
        (timezone.now(), None),
    ):
        for email in ("ann@example.com", "bob@example.com"):
            keep(source, message("identify", traits={"email": email}, userId=email[:3]), received=received)
            IntakeRequest.objects.filter(pk=IntakeRequest.objects.latest("pk").pk).update(try_at=try_at)
    erasure.erase_people([ann.pk], None, SYSTEM)
    bodies = [bytes(row.body) for row in IntakeRequest.objects.order_by("pk")]
    assert [b"bob@" in body for body in bodies] == [True, True, False, True], "but for what came just now"


def test_the_command_shows_empties_and_retries(capsys):
    approved_type()
    source = make_program()
    keep(source, deposit(1))
    IntakeRequest.objects.update(is_stuck=True)
    keep(source, deposit(2))
    finding = check_intake()
    assert not finding.is_well and "1 could not be processed" in finding.state and "--retry" in finding.advice
    assert call_command("intake", state=True).startswith("2 requests wait")
    assert call_command("intake", once=True).startswith("1 requests wait") and checks(source) == ["2"]
    assert call_command("intake", retry=True).startswith("1 requests")
    assert call_command("intake", once=True).startswith("0 requests wait") and checks(source) == ["2", "1"]
    assert check_intake().is_well
    keep(source, deposit(3), received=timezone.now() - timedelta(minutes=2))
    assert not check_intake().is_well and "120 s" in check_intake().state
    values = probes.GAUGES["intake"][2]()
    assert (values["requests"], values["stuck"]) == (1, 0) and values["oldest_seconds"] > 100


def test_the_status_page_names_requests_that_are_stuck(admin_client):
    source = make_program()
    assert "Requests of programs to process" in admin_client.get("/admin/status/").text
    keep(source, deposit(1))
    IntakeRequest.objects.update(is_stuck=True)
    assert "1 could not be processed" in admin_client.get("/admin/status/").text


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("ann+news@example.com", "ann\\u002Bnews@example.com"),
        ("MÜLLER-x", "müller-x"),
        ("MÜLLER-x", "M\\u00DCLLER-x"),
        ("MÜLLER-x", "Mu\u0308ller-X"),
        ("org/slash-x", "org\\/slash-x"),
    ],
)
def test_an_erase_finds_a_text_however_it_is_written_in_a_request_that_waits(value, sent):
    source = make_program()
    ann = make_person(email=value) if "@" in value else make_person(userId=value)
    body = f'{{"batch":[{{"type":"track","event":"A","userId":"{sent}"}}]}}'.encode()
    other = body.replace(sent.encode(), b"somebody-else")
    received = timezone.now() - timedelta(minutes=1)
    keep_requests([KeptRequest(source.pk, received, "batch", "", False, 1, len(part), part) for part in (body, other)])
    erasure.erase_people([ann.pk], None, SYSTEM)
    assert [bytes(row.body) for row in IntakeRequest.objects.all()] == [other]
