"""Owners of replayed events, the order in which rows are locked, and the rows that a replay leaves."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from activities.inbox import editing, replay
from activities.models import Activity, ActivityType, Association, InboxReplay, Visitor, VisitorActivity, WaitingEvent
from activities.replays import running
from activities.visitors import undoing
from people.core import job_model
from tests.activities.inbox.factories import make_event, make_sighting, numbers
from tests.activities.visitors.factories import dispatch, make_hit, make_site, make_visitor, own, row_of, says
from tests.factories import approved_type, make_person

pytestmark = pytest.mark.django_db
HOUR = 60


def owner_of(event):
    """(association, is about the past) of the row of a replayed event."""
    return VisitorActivity.objects.values_list("association_id", "is_past").get(message_id=event.message_id)


def test_events_get_their_owner_and_nobody_elses():
    site, ann, bob = make_site(), make_person(email="ann@x.com"), make_person(email="bob@x.com")
    check, sighting = approved_type(), make_sighting(site)
    visitor, doubted, burnt, free = (make_visitor(site) for _number in range(4))
    anns, bobs = own(visitor, ann.pk, site), own(visitor, bob.pk, site)
    own(doubted, ann.pk, site)
    mistaken = own(doubted, bob.pk, site)
    known = own(burnt, ann.pk, site)
    before = make_event(sighting, visitor, minutes=-HOUR)
    of_ann, of_bob = make_event(sighting, visitor, anns), make_event(sighting, visitor, bobs, minutes=HOUR)
    shared, of_free = make_event(sighting, visitor, minutes=HOUR), make_event(sighting, free)
    undone = make_event(sighting, doubted, mistaken, minutes=HOUR)
    dropped, not_dropped = make_event(sighting, burnt, minutes=-HOUR), make_event(sighting, burnt, known)
    undoing.undo_association(mistaken.pk, None)
    # rows of a replay are received later: the clock of a test stands still
    Association.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    Visitor.objects.filter(pk=burnt.pk).update(state=Visitor.State.BURNT)
    with CaptureQueriesContext(connection) as queries:
        result = replay.start_replay(sighting, None)
    assert numbers(result) == (7, 0), "what is dropped is not counted"
    assert not WaitingEvent.objects.exists() and not VisitorActivity.objects.filter(message_id=dropped.message_id)
    sighting.refresh_from_db()
    assert (sighting.kept, sighting.kept_bytes) == (0, 0)
    owners = {event: owner_of(event) for event in (before, of_ann, of_bob, shared, of_free, undone, not_dropped)}
    assert owners == {
        before: (anns.pk, True),
        of_ann: (anns.pk, True),
        of_bob: (bobs.pk, True),
        shared: (None, False),
        of_free: (None, False),
        undone: (None, False),
        not_dropped: (known.pk, True),
    }
    # the order of the house: no deadlock with an erase, an import or the collector
    wanted = ("pg_advisory_xact_lock_shared", "for share", "FOR UPDATE SKIP LOCKED", 'UPDATE "sighting"')
    statements = [query["sql"] for query in queries if "inbox_replay" not in query["sql"]]  # its own row is held first
    order = [lock for sql in statements for lock in wanted if lock in sql]
    assert order[:4] == list(wanted)
    dispatch()
    recorded = Activity.objects.filter(activity_type_id=check.pk)
    assert sorted(recorded.values_list("person_id", flat=True)) == [ann.pk] * 3 + [bob.pk]


def test_what_follows_a_form_are_not_events_that_were_replayed_after_it():
    site, ann, bob = make_site(), make_person(email="ann@x.com"), make_person(email="bob@x.com")
    check, sighting, visitor = approved_type(), make_sighting(site), make_visitor(site)
    anns = own(visitor, ann.pk, site)
    event = make_event(sighting, visitor, anns, minutes=-HOUR)
    make_hit(visitor, site, said=says(Association.Evidence.SERVER, bob.email))
    later = make_hit(visitor, site)
    replay.start_replay(sighting, None)
    dispatch()
    assert owner_of(event) == (anns.pk, True)
    assert Activity.objects.get(activity_type_id=check.pk).person_id == ann.pk
    assert row_of(later).association_id != anns.pk


def test_a_type_that_is_retired_meanwhile_takes_no_more_events(monkeypatch):
    check = approved_type()
    sighting = make_sighting()
    visitor = make_visitor(sighting.source)
    for _number in range(3):
        make_event(sighting, visitor)
    read = replay.schema_of_version

    def read_and_retire(version_id):
        ActivityType.objects.filter(pk=check.pk).update(retired_at=timezone.now())
        return read(version_id)

    monkeypatch.setattr(replay, "BATCH", 1)
    monkeypatch.setattr(replay, "schema_of_version", read_and_retire)
    started = replay.start_replay(sighting, None)
    replay.run_replay(started.pk)
    started.refresh_from_db()
    assert numbers(started) == (1, 0) and sighting.events.count() == 2
    assert started.state == "failed" and "No approved activity type takes events of this name" in started.fault


def waiting_events(number):
    approved_type()
    sighting = make_sighting()
    visitor = own(make_visitor(sighting.source), make_person().pk, sighting.source).visitor
    for _number in range(number):
        make_event(sighting, visitor, minutes=-HOUR)
    return sighting


def test_more_than_one_part_is_a_job_that_goes_on_where_it_was_killed(monkeypatch):
    monkeypatch.setattr(replay, "BATCH", 2)
    sighting = waiting_events(5)
    entries = LogEntry.objects.count()
    started = replay.start_replay(sighting, None)
    assert started.is_running and (started.total, started.progress) == (5, 0), "the request does none of it"
    assert replay.start_replay(sighting, None) == started, "one at a time"
    make_event(sighting, Visitor.objects.get(), minutes=-HOUR)  # it comes after the start
    assert running.process_part(replay.REPLAYS, started.pk)  # and then the worker is killed
    started.refresh_from_db()
    assert (started.progress, started.recorded, started.percent) == (2, 2, 40)
    replay.run_replay(started.pk)
    replay.run_replay(started.pk)  # its task was queued twice
    started.refresh_from_db()
    assert (started.state, started.progress, numbers(started)) == ("done", 5, (5, 0))
    assert VisitorActivity.objects.count() == 5 and sighting.events.count() == 1
    assert LogEntry.objects.count() == entries + 1
    assert numbers(replay.start_replay(sighting, None)) == (1, 0)
    for _number in range(running.KEPT + 2):
        replay.start_replay(sighting, None)
    assert InboxReplay.objects.count() <= running.KEPT + 1


def test_a_part_that_fails_each_time_ends_the_replay_with_the_reason(monkeypatch):
    def fail(*_arguments):
        raise ArithmeticError

    sighting = waiting_events(2)
    monkeypatch.setattr(replay, "_insert", fail)
    started = replay.start_replay(sighting, None)
    assert started.is_running and started.tries == 1, "one try in the request, the others are of the job"
    replay.run_replay(started.pk)
    started.refresh_from_db()
    assert (started.state, started.tries, started.progress) == ("failed", job_model.MAX_TRIES, 0)
    assert f"Tried {job_model.MAX_TRIES} times" in started.fault and sighting.events.count() == 2
    monkeypatch.undo()
    assert numbers(replay.start_replay(sighting, None)) == (2, 0), "the name is free again"


def test_a_name_is_forgotten_with_its_replays():
    sighting = waiting_events(1)
    replay.start_replay(sighting, None)
    assert editing.forget_name(sighting, None) == 0 and not InboxReplay.objects.exists()
