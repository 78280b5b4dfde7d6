"""A visitor that is being associated holds up its own requests only, and what is rolled back counts nothing."""

import pytest
from django.db import transaction

from activities.inbox import decisions, rotation
from activities.intake.processing import process_intake
from activities.models import IntakeRequest, RefusedActivity, Visitor
from activities.recording import notify
from activities.recording.quarantine import room
from activities.sources import usage
from activities.tracking import committing
from people.core import metrics
from tests.activities.intake.processing import keep, process_all
from tests.activities.intake.test_processing import checks, deposit
from tests.activities.segment.senders import make_program, message, read
from tests.config.test_outages import other_connection
from tests.factories import approved_type

pytestmark = pytest.mark.django_db(transaction=True)


def rejected(number, **more):
    return message("track", "Deposit Check", {"check": "x" * 30_000, "n": number}, **{"userId": "u-2", **more})


def memory():
    """All that a process counts of its transactions."""
    rooms = {key: one.left for key, one in room._rooms.items()}
    metrics.flush_metrics()
    totals = metrics.metric_totals()
    counters = [dict(totals.get(one, {})) for one in (usage.EVENTS, usage.BYTES, committing.HITS)]
    waiting = {key: left for key, (left, _at) in rotation._rooms.items()}
    return dict(committing._quarantined), rooms, waiting, counters, notify._of_activities._last


def test_a_locked_visitor_holds_up_its_own_requests_only():
    approved_type()
    source, other = make_program(), make_program("Other")
    keep(source, deposit(0, userId="u-1"))
    process_all()
    locked = Visitor.objects.get()
    keep(source, deposit(1, userId="u-1"), deposit(2, userId="u-3"), rejected(0, messageId=...))
    for number in range(30):
        keep(source, rejected(number + 1))
    keep(source, deposit(4, userId="u-1"))
    keep(source, deposit(5, userId="u-3"))
    keep(other, deposit(6, userId="u-9"))
    with other_connection() as locker, locker.transaction():
        locker.execute("select from visitor where id = %s for update", [locked.pk])
        assert process_intake() == 32 and IntakeRequest.objects.count() == 2
        before = memory()
        for _pass in range(20):
            assert process_intake() == 0, "nothing is settled: the process waits"
        assert checks(source) == ["0", "2", "5"] and checks(other) == ["6"]
        assert RefusedActivity.objects.count() == 30
        after = memory()
        assert after[:3] == before[:3]
    assert process_all() == 2 and checks(source) == ["0", "2", "5", "1", "4"]
    assert RefusedActivity.objects.count() == 31


def test_what_is_rolled_back_counts_nothing_in_memory(monkeypatch):
    approved_type()
    monkeypatch.setattr(decisions, "MAX_KEPT", 2)
    source = make_program()
    # an identity makes a notification due
    send = [
        message("identify", userId="u-1"),
        *(message("track", "Typo", {"a": 1}, userId="u-1") for _number in range(9)),
    ]
    room.forget_rooms()
    commit(source, rejected(0), *send)
    notify._of_activities._last = 0.0
    before = memory()
    for _time in range(5):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            commit(source, rejected(1), *(again(one) for one in send))
            raise ZeroDivisionError
    assert memory() == before
    commit(source, rejected(2), *(again(one) for one in send))
    after = memory()
    assert all(one != another for one, another in zip(before, after, strict=True))


def again(one):
    return message(one["type"], one.get("event"), one.get("properties"), userId=one["userId"])


def commit(source, *messages):
    committing.commit_submissions([committing.Submission(source.pk, 100, read(source, *messages))])


def test_rows_of_one_transaction_share_the_room_before_it_is_committed(monkeypatch):
    approved_type()
    monkeypatch.setattr(committing, "QUARANTINED_A_DAY", 3)
    source = make_program()
    with transaction.atomic():
        for number in range(5):
            commit(source, rejected(number))
    assert RefusedActivity.objects.count() == 3
