"""The partitions by day (UTC) of what visitors did and of the ids of messages, made when they are needed."""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction

DAYS_AHEAD = 7
MESSAGE_DAYS = 92  # message ids are unique for 90 days
OTHER_DAY = date(1, 1, 1)  # of message ids whose own time is out of range
_made: set[date] = set()


def sent_day(client_at: datetime | None, today: date) -> date:
    """The day of the sender's own time, under which its message id is stored; `OTHER_DAY` for clocks far off."""
    if client_at is None:
        return OTHER_DAY
    day = client_at.astimezone(UTC).date()
    return day if today - timedelta(MESSAGE_DAYS) <= day < today + timedelta(DAYS_AHEAD) else OTHER_DAY


def ensure_partitions(days: Collection[date], today: date) -> None:
    """Make the partitions from yesterday to a week ahead, and those of `days`, unless this process knows of them."""
    ahead = [today + timedelta(number) for number in (-1, *range(DAYS_AHEAD + 1))]
    if not _made.issuperset(ahead):
        _make(ahead[0], ahead[-1])
    for day in sorted(set(days) - _made - {*ahead, OTHER_DAY}):
        _make(day, day)


def forget_partitions() -> None:
    """Look again at the next write: retention dropped some, or the database is another one."""
    _made.clear()


def _make(first: date, last: date) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select make_day_partitions(%s, %s)", [first, last])
    days = {first + timedelta(number) for number in range((last - first).days + 1)}
    transaction.on_commit(lambda: _made.update(days))
