"""Hits are appended once, for every visitor, and nothing of them is lost or doubled."""

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from activities.models import Association, SourceDay, Visitor, VisitorActivity
from activities.sources import editing
from activities.visitors import partitions
from activities.visitors.hits import Hit, HitStatus, append_hits
from activities.visitors.tokens import token_hash
from tests.factories import make_person

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
Status = HitStatus


@pytest.fixture
def source(db):
    partitions.forget_partitions()
    return editing.create_source("Shop", "browser", None, origins=["https://www.example.com"]).key.source


def hit(source, message_id, token="a" * 32, **more):
    today = timezone.now().astimezone(UTC).date()
    values = {"type_id": 1, "version": 1, "primary_value": "www.example.com/", "sent_day": today, "digest": b"d" * 16}
    visitor = (source.site_group, token_hash(token)) if token else None
    return Hit(
        **{"source_id": source.pk, "visitor": visitor, "message_id": message_id, "occurred_at": NOW} | values | more
    )


def statuses(*hits):
    return [outcome.status for outcome in append_hits(hits)]


@pytest.mark.django_db
def test_a_message_is_kept_once_and_its_id_means_one_content(source):
    first = hit(source, "m1")
    other = replace(first, digest=b"e" * 16)
    assert statuses(first, first, other) == [Status.KEPT, Status.REPEATED, Status.REFUSED]
    assert statuses(first, other, hit(source, "m2")) == [Status.REPEATED, Status.REFUSED, Status.KEPT]
    old = timezone.now().date() - timedelta(days=80)
    assert (
        statuses(hit(source, "m1", sent_day=old), hit(source, "m1", sent_day=partitions.OTHER_DAY)) == [Status.KEPT] * 2
    )
    # in the order in which they came, whatever the ids are
    statuses(*(hit(source, message_id) for message_id in ("z", "m9", "m10", "a")))
    kept = VisitorActivity.objects.order_by("id").values_list("message_id", flat=True)
    assert list(kept)[-4:] == ["z", "m9", "m10", "a"]
    elsewhere = editing.create_source("Blog", "browser", None, origins=["https://blog.example.com"]).key.source
    assert statuses(hit(elsewhere, "m1")) == [Status.KEPT], "ids are a source's own"
    assert VisitorActivity.objects.count() == 9
    assert Visitor.objects.count() == 1, "sources of a group share their visitors"
    assert SourceDay.objects.get(source=source).new_visitors == 1


@pytest.mark.django_db
def test_the_state_of_a_visitor_decides_what_becomes_of_its_hits(source):
    append_hits([hit(source, f"first-{token}", token * 32) for token in "abcd"])
    owned, shared, burnt, _free = (
        Visitor.objects.get(site_group="main", token_hash=token_hash(token * 32)) for token in "abcd"
    )
    ann = make_person()
    association = Association.objects.create(visitor=owned, person_id=ann.pk, evidence=2, from_at=NOW)
    for visitor, state in ((owned, "owned"), (shared, "shared"), (burnt, "burnt")):
        Visitor.objects.filter(pk=visitor.pk).update(state=state)
    claim = {"evidence": 4, "email": "ann@example.com", "fields": {}}
    assert statuses(
        *(hit(source, f"second-{token}", token * 32) for token in "abcd"),
        hit(source, "nobody", None),
        hit(source, "who", "d" * 32, type_id=None, version=None, identity=claim),
        hit(source, "bot-who", "d" * 32, type_id=None, version=None, identity=claim, is_bot=True),
        hit(source, "bot-form", "d" * 32, identity=claim, is_bot=True),
    ) == [*[Status.KEPT] * 2, Status.DROPPED, Status.KEPT, Status.DROPPED, Status.KEPT, Status.DROPPED, Status.KEPT]
    rows = {row.message_id: row for row in VisitorActivity.objects.all()}
    assert rows["second-a"].association_id == association.pk and rows["second-b"].association_id is None
    assert "second-c" not in rows and rows["second-d"].association_id is None
    assert (rows["who"].identity, rows["who"].identity_state) == (claim, VisitorActivity.Identity.WAITING)
    assert rows["bot-form"].identity is None and rows["bot-form"].is_bot, "a program is nobody"


@pytest.mark.django_db
def test_an_act_of_known_visitors_makes_no_visitor(source):
    withdrawal = hit(source, "m1", is_of_known=True)
    assert statuses(withdrawal) == [Status.DROPPED] and not Visitor.objects.exists()
    assert statuses(hit(source, "m2"), withdrawal) == [Status.KEPT] * 2


@pytest.mark.django_db
def test_a_source_brings_so_many_new_visitors_a_day(source, settings):
    settings.TRACKING_NEW_VISITORS_A_DAY = 2
    hits = [hit(source, f"m{number}", f"{number:032x}") for number in range(4)]
    outcomes = append_hits(hits)
    assert sorted(outcome.status for outcome in outcomes) == [Status.KEPT] * 2 + [Status.REFUSED] * 2
    above, known = (
        [hit for hit, outcome in zip(hits, outcomes, strict=True) if outcome.status is status]
        for status in (Status.REFUSED, Status.KEPT)
    )
    assert {outcome.problems[0].code for outcome in append_hits(above)} == {"quota_reached"}
    assert statuses(*(replace(hit, message_id=f"{hit.message_id}-2") for hit in known)) == [Status.KEPT] * 2
    assert Visitor.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_visitor_that_is_being_associated_keeps_nobody_waiting(source):
    append_hits([hit(source, "m1"), hit(source, "m2", "b" * 32)])
    locked, done = threading.Event(), threading.Event()

    def associate():
        with transaction.atomic():
            list(Visitor.objects.select_for_update().filter(token_hash=token_hash("a" * 32)))
            locked.set()
            done.wait(20)
        connection.close()

    thread = threading.Thread(target=associate)
    thread.start()
    assert locked.wait(20)
    try:
        waiting = hit(source, "m3")
        assert statuses(waiting, hit(source, "m4", "b" * 32)) == [Status.BUSY, Status.KEPT]
    finally:
        done.set()
        thread.join()
    assert statuses(waiting) == [Status.KEPT]


def test_days_that_a_clock_cannot_mean_share_one():
    today = date(2026, 11, 29)
    moments = {0: today, -91: today - timedelta(91), 730: partitions.OTHER_DAY, -730: partitions.OTHER_DAY}
    for days, expected in moments.items():
        assert partitions.sent_day(NOW + timedelta(days), today) == expected
    assert partitions.sent_day(None, today) == partitions.OTHER_DAY
