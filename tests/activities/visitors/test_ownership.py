"""Owners of a visitor: by evidence and interval; what moves into the log, and what its undo returns."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from activities.log import verify
from activities.models import (
    Activity,
    ActivityKey,
    ActivityRemoval,
    ActivityType,
    Association,
    Visitor,
    VisitorActivity,
)
from activities.recording import recorder
from activities.recording.rows import NewActivity
from activities.visitors import moving, ownership, retention, undoing
from people.core.errors import RejectedError
from people.core.source import SYSTEM, Channel
from people.definitions import lifecycle
from people.persons import deletion
from people.persons import merge as person_merge
from tests.activities.visitors.factories import (
    Evidence,
    dispatch,
    log_of,
    make_hit,
    make_site,
    make_visitor,
    own,
    row_of,
    visitor_state,
)
from tests.factories import approved_type, make_person

pytestmark = pytest.mark.django_db


def code_of(verb, *arguments, **options):
    with pytest.raises(RejectedError) as refusal:
        verb(*arguments, **options)
    return refusal.value.problems[0].code


def test_the_first_owner_gets_what_waited_and_the_second_what_comes():
    site, ann, bob = make_site(), make_person(), make_person()
    visitor = make_visitor(site)
    make_hit(visitor, site, "example.com/b", at="2026-11-20T10:00:00Z")
    make_hit(visitor, site, "example.com/a", at="2026-11-19T10:00:00Z")
    make_hit(visitor, site, "example.com/bot", is_bot=True)
    first = own(visitor, ann.pk, site, Evidence.FORM)
    assert log_of(ann.pk) == [("example.com/a", True), ("example.com/b", True)], "in order of their own time"
    assert own(visitor, ann.pk, site, Evidence.CLAIM).pk == first.pk, "the same person again changes nothing"
    make_hit(visitor, site, "example.com/live")
    dispatch()
    assert log_of(ann.pk)[-1] == ("example.com/live", False), "what comes from now on is live"
    row = Activity.objects.filter(person_id=ann.pk, activity_type_id=1).latest("pk")
    assert (row.channel, row.origin_id) == (Channel.EVENTS, site.pk)

    own(visitor, bob.pk, site, Evidence.SERVER)
    make_hit(visitor, site, "example.com/bobs")
    dispatch()
    assert log_of(bob.pk) == [("example.com/bobs", False)] and len(log_of(ann.pk)) == 3
    first.refresh_from_db()
    assert first.to_at is not None and visitor_state(visitor) == Visitor.State.OWNED


def test_weaker_evidence_displaces_nobody_and_stronger_is_kept():
    site, ann, bob = make_site(), make_person(), make_person()
    visitor = make_visitor(site)
    own(visitor, ann.pk, site, Evidence.EMAIL_TOKEN)
    assert code_of(own, visitor, bob.pk, site, Evidence.CLAIM) == "weaker_evidence"
    own(visitor, ann.pk, site, Evidence.SERVER)
    assert code_of(own, visitor, bob.pk, site, Evidence.FORM) == "weaker_evidence"
    assert Association.objects.get(visitor=visitor).evidence == Evidence.SERVER
    deletion.delete_people([ann.pk], None, SYSTEM)
    own(visitor, bob.pk, site, Evidence.CLAIM)
    assert Association.objects.get(visitor=visitor, to_at=None).person_id == bob.pk, "nobody defends a deleted person"
    assert code_of(own, visitor, ann.pk, site) == "unknown_person"
    assert (
        code_of(ownership.associate_visitor, 0, bob.pk, Evidence.SERVER, moving.event_source(site.pk))
        == "unknown_visitor"
    )


def test_more_than_three_owners_within_30_days_share_the_browser():
    site = make_site()
    visitor = make_visitor(site)
    people = [make_person() for _number in range(5)]
    intervals = [own(visitor, person.pk, site) for person in people[:4]]
    assert visitor_state(visitor) == Visitor.State.SHARED
    assert not Association.objects.filter(visitor=visitor, to_at=None).exists()
    waiting = make_hit(visitor, site)
    dispatch()
    assert row_of(waiting).association_id is None, "nobody's"
    again = own(visitor, people[0].pk, site)
    assert again.pk == intervals[0].pk and visitor_state(visitor) == Visitor.State.SHARED
    own(visitor, people[4].pk, site)
    assert row_of(waiting).association_id is None
    for interval in intervals[:2]:
        undoing.undo_association(interval.pk, None)
    assert visitor_state(visitor) == Visitor.State.FREE, "three stand, and none is open"


def test_undo_takes_the_rows_out_of_the_log_and_they_wait_again():
    site, ann, bob = make_site(), make_person(), make_person()
    visitor = make_visitor(site)
    keys = [make_hit(visitor, site, f"example.com/{number}") for number in range(3)]
    association = own(visitor, ann.pk, site)
    make_hit(visitor, site, "example.com/live")
    dispatch()
    assert verify.close_days(timezone.now() + timedelta(days=1, hours=2))
    undoing.undo_association(association.pk, None)
    assert verify.verify_log() == [], "a removal accounts for each row"
    assert log_of(ann.pk) == [] and not ActivityKey.objects.filter(person_id=ann.pk).exists()
    assert ActivityRemoval.objects.filter(person_id=ann.pk, reason="undo").count() == 4
    assert {row_of(key).activity_id for key in keys} == {None} and visitor_state(visitor) == Visitor.State.FREE
    assert code_of(undoing.undo_association, association.pk, None) == "association_undone"
    assert code_of(undoing.undo_association, 0, None) == "unknown_association"
    own(visitor, bob.pk, site)
    assert len(log_of(bob.pk)) == 4, "the right person gets them all"
    own(visitor, ann.pk, site)
    late = own(visitor, bob.pk, site)
    Association.objects.filter(pk=late.pk).update(created_at=timezone.now() - timedelta(days=31))
    assert code_of(undoing.undo_association, late.pk, None) == "too_late"


def test_a_row_outlives_the_retirement_of_its_type_but_nothing_new_is_recorded():
    approved_type()
    visits = ActivityType.objects.get(api_name="depositCheck")
    site, ann = make_site(), make_person()
    visitor = make_visitor(site)
    accepted = make_hit(visitor, site, "No. 1", type_id=visits.pk, amount="12.50")
    lifecycle.retire_definition(visits, None)
    late = make_hit(visitor, site, "No. 2", type_id=visits.pk)
    own(visitor, ann.pk, site)
    row = Activity.objects.get(person_id=ann.pk, activity_type_id=visits.pk)
    assert (row.primary_value, row.version, row.attributes["amount"]) == ("No. 1", 1, Decimal("12.5"))
    assert (row_of(accepted).activity_id, row_of(late).refusal) == (row.pk, "retired_type")
    assert moving.move_due_rows() == 0, "settled, not tried again"


def test_rows_of_a_deleted_person_wait_for_the_restoration():
    site, ann = make_site(), make_person()
    visitor = make_visitor(site)
    own(visitor, ann.pk, site)
    deletion.delete_people([ann.pk], None, SYSTEM)
    key = make_hit(visitor, site)
    dispatch()
    assert row_of(key).refusal == "person_deleted"
    deletion.restore_people([ann.pk], None, SYSTEM)
    dispatch()
    assert log_of(ann.pk) == [("example.com/", True)]


def test_a_merge_takes_the_browsers_along_and_its_undo_returns_them():
    site, ann, bob = make_site(), make_person(), make_person()
    visitor = make_visitor(site)
    own(visitor, bob.pk, site)
    merge = person_merge.merge_people(ann.pk, [bob.pk], None, SYSTEM)
    make_hit(visitor, site, "example.com/merged")
    dispatch()
    assert log_of(ann.pk) == [("example.com/merged", False)]
    assert Association.objects.get(visitor=visitor).person_id == ann.pk
    person_merge.undo_merge(merge.pk, None, SYSTEM)
    make_hit(visitor, site, "example.com/apart")
    dispatch()
    assert log_of(bob.pk) == [("example.com/apart", False)]


def test_more_rows_than_fit_a_transaction_are_swept(monkeypatch):
    monkeypatch.setattr(moving, "MAX_BATCH", 2)
    monkeypatch.setattr(moving, "STEP", 1)
    site, ann = make_site(), make_person()
    visitor = make_visitor(site)
    for number in range(5):
        make_hit(visitor, site, f"example.com/{number}")
    association = own(visitor, ann.pk, site)
    assert (len(log_of(ann.pk)), association.is_unfinished) == (1, True)
    dispatch()
    assert [page for page, _past in log_of(ann.pk)] == [f"example.com/{number}" for number in range(5)]
    monkeypatch.setattr("activities.log.retention.BATCH", 2)
    undoing.undo_association(association.pk, None)
    association.refresh_from_db()
    assert log_of(ann.pk) == [] and not association.is_unfinished


def test_rows_that_return_late_are_not_stranded(monkeypatch):
    monkeypatch.setattr("activities.log.retention.BATCH", 2)
    site, ann, bob = make_site(), make_person(), make_person()
    visitor = make_visitor(site)
    for number in range(5):
        make_hit(visitor, site, f"example.com/{number}")
    undone = own(visitor, ann.pk, site)
    monkeypatch.setattr(undoing, "_return_rows", lambda _pk: 0)  # as of a process that ended
    undoing.undo_association(undone.pk, None)
    monkeypatch.undo()
    monkeypatch.setattr("activities.log.retention.BATCH", 2)
    undoing.go_on_undoing()
    own(visitor, bob.pk, site)
    assert len(log_of(bob.pk)) == 2
    dispatch()
    assert len(log_of(bob.pk)) == 5 and not Association.objects.filter(is_unfinished=True).exists()


def test_message_ids_are_apart_from_external_ids_and_an_undo_removes_only_what_its_rows_added():
    site, ann = make_site(), make_person()
    approved_type()
    deposit = ActivityType.objects.get(api_name="depositCheck")
    visitor = make_visitor(site)
    keys = [make_hit(visitor, site, "No. 1", type_id=deposit.pk, at="2026-11-20T10:00:00Z") for _number in range(2)]
    message_id = row_of(keys[0]).message_id
    VisitorActivity.objects.filter(visitor_id=visitor.pk).update(message_id=message_id)
    (recorded,) = recorder.record_activities(
        [NewActivity(ann.pk, "depositCheck", "2026-11-20T10:00:00Z", "No. 1", (), message_id)], SYSTEM
    )
    association = own(visitor, ann.pk, site)
    first, second = (row_of(key) for key in keys)
    assert first.activity_id not in (None, recorded.activity_id), "an external id of a program is another one"
    assert (second.activity_id, second.refusal) == (None, "repeated")
    undoing.undo_association(association.pk, None)
    assert list(Activity.objects.filter(activity_type_id=deposit.pk).values_list("pk", flat=True)) == [
        recorded.activity_id
    ]


def test_a_row_that_fails_delays_no_other(monkeypatch, caplog):
    site, ann = make_site(), make_person()
    visitor = make_visitor(site)
    own(visitor, ann.pk, site)
    bad, good = make_hit(visitor, site, "example.com/bad"), make_hit(visitor, site, "example.com/good")
    record = recorder.record_activities

    def fail(rows, *arguments, **options):
        if any(row.primary_value == "example.com/bad" for row in rows):
            raise ValueError("unexpected")
        return record(rows, *arguments, **options)

    monkeypatch.setattr(recorder, "record_activities", fail)
    dispatch()
    assert log_of(ann.pk) == [("example.com/good", False)] and row_of(good).activity_id
    assert row_of(bad).refusal == "error" and "one by one" in caplog.text


def test_days_past_their_time_are_dropped_and_strangers_forgotten(settings):
    site = make_site()
    visitor, known = make_visitor(site), make_visitor(site)
    make_hit(visitor, site)
    own(known, make_person().pk, site)
    with connection.cursor() as cursor:
        cursor.execute("select make_day_partitions('2026-06-01', '2026-06-02')")
    assert retention.maintain_partitions() == 4, "two days of each table"
    with time_machine.travel(timezone.now() + timedelta(days=120), tick=False):
        retention.maintain_partitions()
    Visitor.objects.update(last_at=timezone.now() - timedelta(days=100))
    retention.maintain_partitions()
    assert list(Visitor.objects.all()) == [known]
