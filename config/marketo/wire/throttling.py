"""Marketo's limits on calls (§A5): optional settings, off by default.

They apply to the whole installation with any number of server processes, so their state is in the database.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import DatabaseError, connection, transaction

from config.marketo.wire import usage
from config.marketo.wire.responses import MarketoError
from people.core.db import locks


@contextmanager
def admitted_call() -> Iterator[None]:
    """Admit one call for its duration. Raises 607 (quota), 606 (rate), 615 (concurrency)."""
    _check_quota()
    _check_rate()
    slot = _take_slot()
    try:
        yield
    finally:
        if slot is not None:
            _free_slot(slot)


def _check_quota() -> None:
    quota = settings.DIALECT_DAILY_QUOTA
    if quota is None:
        return
    (today,) = usage.calls_by_day(days=1).values()
    if sum(today.values()) >= quota:
        raise MarketoError("607", f"Daily quota '{quota}' reached")


def _check_rate() -> None:
    limit, seconds = settings.DIALECT_RATE_LIMIT, settings.DIALECT_RATE_SECONDS
    if limit is None:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        locks.acquire_exclusive(
            [locks.lock_key(locks.LockSpace.LIMITS)]
        )  # one after the other: no process counts while another is adding
        cursor.execute(
            """with old as (
                delete from dialect_recent_call
                where called_at <= clock_timestamp() - make_interval(secs => %(seconds)s)
            ), recent as (
                select count(*) as calls from dialect_recent_call
                where called_at > clock_timestamp() - make_interval(secs => %(seconds)s)
            )
            insert into dialect_recent_call (called_at)
            select clock_timestamp() from recent where calls < %(limit)s returning 1""",
            {"seconds": seconds, "limit": limit},
        )
        if cursor.fetchone() is None:
            raise MarketoError("606", f"Max rate limit '{limit}' exceeded with in '{seconds}' secs")  # sic


def _take_slot() -> int | None:
    """Take a session lock; the database frees it if a server process dies during the call."""
    limit = settings.DIALECT_CONCURRENCY_LIMIT
    if limit is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "select %s | slot from generate_series(1, %s) as slot where pg_try_advisory_lock(%s | slot) limit 1",
            [locks.lock_key(locks.LockSpace.LIMITS), limit, locks.lock_key(locks.LockSpace.LIMITS)],
        )
        row = cursor.fetchone()
    if row is None:
        raise MarketoError("615", f"Concurrent access limit '{limit}' reached")
    return row[0]


def _free_slot(slot: int) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock(%s)", [slot])
    except DatabaseError:
        connection.close()  # this frees it as well
