"""Partitions by day (UTC) of visitors' activities and of message ids.

They are created ahead, at night and when a collector starts, so that hits need not wait for one.
"""

import logging
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from time import monotonic

from django.conf import settings
from django.db import DatabaseError, connection, transaction

logger = logging.getLogger(__name__)

DAYS_AHEAD = 7
MADE_AT_ONCE = 10
EDGE_DAYS = 2  # for which a message may be sent again, and its day get out of range meanwhile
OTHER_DAY = date(1, 1, 1)  # of message ids whose own time is out of range
RETRY_SECONDS = 60.0  # after a failure, the pause before partitions that can wait are tried again
DAYS, MESSAGES = "make_day_partitions", "make_message_partitions"
_made: set[tuple[str, date]] = set()
_failed_at: dict[str, float] = {}


def first_message_day(today: date) -> date:
    """The first day whose message ids are stored."""
    return today - timedelta(settings.MESSAGE_ID_DAYS + EDGE_DAYS)


def sent_day(client_at: datetime | None, today: date) -> date:
    """The day of the sender's own time, under which its message id is stored; `OTHER_DAY` for clocks far off."""
    day = _day_of(client_at)
    return day if first_message_day(today) <= day < today + timedelta(DAYS_AHEAD) else OTHER_DAY


def earlier_day(client_at: datetime | None, today: date) -> date | None:
    """The other day under which the message id may have been stored, when it was sent first; None for none.

    A day gets into the known ones, or out of them, between two tries.
    """
    day, first, end = _day_of(client_at), first_message_day(today), today + timedelta(DAYS_AHEAD)
    if first - timedelta(EDGE_DAYS) <= day < first:
        return day
    return OTHER_DAY if end - timedelta(EDGE_DAYS) <= day < end else None


def known_days(today: date) -> tuple[date, date]:
    """The first and the end (exclusive) of the days that are `sent_day` of a message as they are, and that have no
    `earlier_day`."""
    return first_message_day(today), today + timedelta(DAYS_AHEAD) - timedelta(EDGE_DAYS)


def ensure_partitions(days: Collection[date], today: date) -> set[date]:
    """Create today's partitions and those of message ids of `days`, where they are missing.

    Returns the members of `days` that cannot be created now. Raises `DatabaseError` without today's. The next days'
    partitions are created, too, if tomorrow's is missing; a failure of theirs delays nothing.
    """
    if (DAYS, today) not in _made:
        _make(DAYS, today, today)
    if (DAYS, today + timedelta(1)) not in _made:
        _try(DAYS, today + timedelta(1), today + timedelta(DAYS_AHEAD))
    unmade_days = [
        day for day in set(days) - {OTHER_DAY, today} if not _made.intersection({(DAYS, day), (MESSAGES, day)})
    ]
    return {day for day in _missing(unmade_days) if not _try(MESSAGES, day, day)} if unmade_days else set()


def make_days(today: date) -> None:
    """Create the partitions from yesterday to a week ahead, and those of all stored message ids."""
    last = today + timedelta(DAYS_AHEAD)
    _make(DAYS, today - timedelta(1), last)
    first = first_message_day(today)
    while first <= last:  # in short transactions
        _make(MESSAGES, first, min(last, first + timedelta(MADE_AT_ONCE - 1)))
        first += timedelta(MADE_AT_ONCE)


def forget_partitions() -> None:
    """Clear the cache of existing partitions: retention has dropped some, or the database has changed."""
    _made.clear()
    _failed_at.clear()


def _day_of(client_at: datetime | None) -> date:
    return OTHER_DAY if client_at is None else client_at.astimezone(UTC).date()


def _missing(days: Collection[date]) -> list[date]:
    """The days without a partition of message ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select day, to_regclass('message_key_' || to_char(day, 'YYYYMMDD')) is null
            from unnest(%s::date[]) as day order by day""",
            [list(days)],
        )
        rows = cursor.fetchall()
    there = {(MESSAGES, day) for day, is_missing in rows if not is_missing}
    transaction.on_commit(lambda: _made.update(there))
    return [day for day, is_missing in rows if is_missing]


def _try(function: str, first: date, last: date) -> bool:
    """Create partitions; False if that fails, or failed a moment ago. Raises `DatabaseError` without a connection."""
    if monotonic() - _failed_at.get(function, -RETRY_SECONDS) < RETRY_SECONDS:
        return False
    try:
        _make(function, first, last)
    except DatabaseError as error:
        if connection.connection is None or connection.connection.closed:
            raise
        logger.warning("no partition for %s: %s", first, str(error).partition("\n")[0])
        _failed_at[function] = monotonic()
        return False
    return True


def _make(function: str, first: date, last: date) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"select {function}(%s, %s)", [first, last])
    days = {(function, first + timedelta(number)) for number in range((last - first).days + 1)}
    transaction.on_commit(lambda: _made.update(days))
