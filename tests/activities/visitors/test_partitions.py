"""Partitions by day are made without making any process wait, and only by those who may."""

import time
from datetime import UTC, timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.db.utils import DatabaseError
from django.utils import timezone

from activities.sources import editing
from activities.tracking.committing import commit_submissions
from activities.tracking.reading import ReceivedEvent
from activities.tracking.submissions import Submission
from activities.visitors import partitions
from activities.visitors.hits import HitStatus, append_hits
from tests.activities.visitors.test_hits import hit
from tests.config.test_outages import other_connection

pytestmark = pytest.mark.django_db


@pytest.fixture
def today(db):
    partitions.forget_partitions()
    yield timezone.now().astimezone(UTC).date()
    partitions.forget_partitions()


def source():
    return editing.create_source("Shop", "browser", None, origins=["https://www.example.com"]).key.source


def days_of(table):
    with connection.cursor() as cursor:
        cursor.execute("select inhrelid::regclass::text from pg_inherits where inhparent = %s::regclass", [table])
        return {name.rpartition("_")[2] for (name,) in cursor.fetchall()} - {"other"}


def test_all_days_are_made_while_a_backup_and_a_collector_have_the_tables(today):
    with other_connection() as other:
        other.execute("begin")
        for mode in ("access share", "row exclusive"):
            other.execute(f"lock table visitor_activity, message_key in {mode} mode")
        partitions.make_days(today)
    first, last = partitions.first_message_day(today), today + timedelta(partitions.DAYS_AHEAD)
    assert {f"{first:%Y%m%d}", f"{today:%Y%m%d}", f"{last:%Y%m%d}"} <= days_of("message_key")
    assert {f"{today:%Y%m%d}", f"{last:%Y%m%d}"} <= days_of("visitor_activity")
    assert len(days_of("message_key")) >= (last - first).days + 1
    shop = source()
    assert [outcome.status for outcome in append_hits([hit(shop, "m1"), hit(shop, "m2", sent_day=first)])] == (
        [HitStatus.KEPT] * 2
    ), "the attached tables take rows, with their numbers"


def test_a_day_that_cannot_be_made_costs_only_what_is_of_it(today, monkeypatch):
    tried, make = [], partitions._make

    def fail(function, first, last):
        tried.append(function)
        if function == partitions.MESSAGES or first > today:
            raise OperationalError("canceling statement due to lock timeout")
        make(function, first, last)

    monkeypatch.setattr(partitions, "_make", fail)
    shop, old = source(), today - timedelta(40)
    with connection.cursor() as cursor:  # a test before, which commits, may have made all days
        cursor.execute(f"drop table if exists message_key_{old:%Y%m%d}")
    partitions.forget_partitions()
    good, bad = (
        Submission(shop.pk, 10, [ReceivedEvent(f"m-{day}", hits=[hit(shop, f"m-{day}", sent_day=day)])])
        for day in (today, old)
    )
    commit_submissions([bad, good])
    assert (good.is_unavailable, [outcome.status for outcome in good.outcomes]) == (False, [HitStatus.KEPT])
    assert bad.is_unavailable and bad.outcomes == [] and not bad.is_counted
    assert partitions.ensure_partitions({old}, today) == {old} and tried.count(partitions.MESSAGES) == 1, (
        "not each time"
    )
    monkeypatch.setattr(partitions, "_make", make)
    partitions.forget_partitions()
    commit_submissions([again := Submission(shop.pk, 10, bad.items)])
    assert [outcome.status for outcome in again.outcomes] == [HitStatus.KEPT]


def test_a_message_whose_day_gets_out_of_range_or_into_it_is_the_same(today):
    first, end = partitions.first_message_day(today), today + timedelta(partitions.DAYS_AHEAD)

    def days_when_sent_on(day, clock):
        moment = timezone.datetime(clock.year, clock.month, clock.day, 12, tzinfo=UTC)
        return partitions.sent_day(moment, day), partitions.earlier_day(moment, day)

    shop = source()
    for number, clock in enumerate((first, end)):
        kept, _earlier = days_when_sent_on(today, clock)
        again, earlier = days_when_sent_on(today + timedelta(1), clock)
        assert again != kept == earlier
        for day, other_day, status in ((kept, None, HitStatus.KEPT), (again, earlier, HitStatus.REPEATED)):
            message = hit(shop, f"m{number}", sent_day=day, earlier_day=other_day)
            assert [outcome.status for outcome in append_hits([message])] == [status], clock
    assert {partitions.earlier_day(timezone.now() + timedelta(days), today) for days in (0, -60, -300, 300)} == {None}


def test_functions_with_the_owner_s_rights_are_nobody_else_s():
    with connection.cursor() as cursor:
        cursor.execute(
            """select proname from pg_proc where prosecdef and has_function_privilege('public', oid, 'execute')
                and pronamespace = current_schema()::regnamespace"""
        )
        assert cursor.fetchall() == []
        cursor.execute("select rolsuper from pg_roles where rolname = current_user")
        if not cursor.fetchone()[0]:
            pytest.skip("the role of the tests cannot become another one")
        role = f"writer_{int(time.time() * 1000)}"
        cursor.execute(f"create role {role}")
        cursor.execute(f"grant execute on function drop_day_partitions(text, date) to {role}")
        cursor.execute(f"set local session authorization {role}")
        for statement in (
            "select drop_day_partitions('visitor_activity', current_date - 29)",
            "select make_day_partitions(current_date, current_date)",
        ):
            with pytest.raises(DatabaseError), transaction.atomic():
                cursor.execute(statement)
        cursor.execute("select drop_day_partitions('visitor_activity', current_date - 300)")
        cursor.execute("reset session authorization")
