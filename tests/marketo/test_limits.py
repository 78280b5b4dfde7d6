"""Limits on calls, statistics, and what the log of requests may not contain."""

import threading
import time

import pytest
from django.db import connection
from django.test import Client

from config.access.clients import editing as client_editing
from config.marketo.models import RecentCall, Usage
from config.marketo.wire import throttling as marketo_throttling
from config.marketo.wire import usage
from people.core import counters
from tests.activities.recording.test_races import InThread
from tests.marketo.conftest import Dialect, code, result

TYPES = "/rest/v1/activities/types.json"


def test_usage_and_errors_of_today_and_of_the_week(dialect, credentials):
    (day,) = result(dialect.get("/rest/v1/stats/usage.json"))
    assert (day["total"], day["users"]) == (0, [])
    for _call in range(3):
        dialect.get(TYPES)
    dialect.post(TYPES)  # 605, counted as an error only
    dialect.get("/rest/v1/nothing.json")
    dialect.get("/rest/v1/lead/999999.json")
    (day,) = result(dialect.get("/rest/v1/stats/usage.json"))
    assert (day["date"], day["total"]) == (usage.usage_day().isoformat(), 5)  # the first call for statistics, too
    assert day["users"] == [{"userId": client_editing.client_scope(credentials.client_id), "count": 5}]
    week = result(dialect.get("/rest/v1/stats/usage/last7days.json"))
    assert len(week) == 7 and week[-1]["total"] == 6 and week[0]["total"] == 0
    (day,) = result(dialect.get("/rest/v1/stats/errors.json"))
    assert {row["errorCode"]: row["count"] for row in day["errors"]} == {"605": 1, "610": 1, "1004": 1}
    assert day["total"] == 3
    assert len(result(dialect.get("/rest/v1/stats/errors/last7days.json"))) == 7


@pytest.mark.django_db
def test_processes_add_up_and_old_days_go(monkeypatch):
    usage.count_call(7)
    usage.flush_usage()
    usage._process.cache_clear()  # as in another process
    usage.count_call(7)
    usage.count_call(7, "1003")
    assert list(usage.calls_by_day(1).values()) == [{7: 3}]
    assert Usage.objects.filter(error_code="").count() == 2
    Usage.objects.update(day="2020-01-01")
    monkeypatch.setattr(usage, "_purged_on", None)
    usage.count_call(7)
    usage.flush_usage()
    assert [row.count for row in Usage.objects.all()] == [1]


@pytest.mark.django_db
def test_counts_that_cannot_be_written_now_are_kept(monkeypatch):
    from django.db import DatabaseError

    def fail(_counted):
        raise DatabaseError

    usage.count_call(7)
    with monkeypatch.context() as patch:
        patch.setattr(usage, "_add", fail)
        usage.flush_usage()
    assert list(usage.calls_by_day(1).values()) == [{7: 1}]


def test_more_calls_than_the_rate_are_refused_until_time_has_passed(dialect, settings):
    settings.DIALECT_RATE_LIMIT, settings.DIALECT_RATE_SECONDS = 3, 20
    for _call in range(3):
        assert result(dialect.get(TYPES))
    refused = dialect.get(TYPES).json()
    assert refused["errors"] == [{"code": "606", "message": "Max rate limit '3' exceeded with in '20' secs"}]
    assert code(dialect.post(TYPES)) == "605"
    RecentCall.objects.order_by("pk").first().delete()  # the oldest is no longer within the window
    assert result(dialect.get(TYPES))
    assert code(dialect.get(TYPES)) == "606"


def test_a_quota_ends_the_day(dialect, settings):
    settings.DIALECT_DAILY_QUOTA = 2
    assert result(dialect.get(TYPES)) and result(dialect.get(TYPES))
    assert dialect.get(TYPES).json()["errors"] == [{"code": "607", "message": "Daily quota '2' reached"}]


@pytest.mark.django_db(transaction=True)
def test_more_calls_at_once_than_allowed_are_refused(settings, credentials):
    settings.DIALECT_CONCURRENCY_LIMIT = 2
    token = client_editing.client_token(credentials.client).text
    inside, may_end = threading.Semaphore(0), threading.Event()

    def stay():
        with marketo_throttling.admitted_call():
            inside.release()
            may_end.wait(10)

    calls = [InThread(stay), InThread(stay)]
    assert inside.acquire(timeout=10) and inside.acquire(timeout=10)
    dialect = Dialect(Client(), token)
    assert dialect.get(TYPES).json()["errors"] == [{"code": "615", "message": "Concurrent access limit '2' reached"}]
    may_end.set()
    for call in calls:
        call.result()
    assert result(dialect.get(TYPES))
    with connection.cursor() as cursor:
        cursor.execute("""select count(*) from pg_locks where locktype = 'advisory' and objsubid <= 2
            and database = (select oid from pg_database where datname = current_database())""")
        assert cursor.fetchone() == (0,)


@pytest.mark.django_db(transaction=True)
def test_the_flusher_writes_by_itself(settings):
    settings.MEASURED_EVERY_SECONDS = 0.05
    usage.count_call(7)
    for _wait in range(100):
        if Usage.objects.exists():
            break
        time.sleep(0.05)
    counters.stop_flusher()
    assert Usage.objects.get().count == 1
