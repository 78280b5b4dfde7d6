"""To prove that nothing of the log is missing or altered.

Each row has a digest. Of a day (UTC, by recorded at) the digests of its rows that are there and of those that
were removed, each with its entry, always add up to the same: rows leave only together with an entry, and a row
that a merge moves has its new digest in its entry. The sum is written down once the day is over.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from activities.log.digest import digest
from activities.models import ActivityDay
from people.core.db import citus

# by then every transaction that recorded on the day has ended
SETTLED_AFTER = timedelta(hours=1)
SHOWN_IDS = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """A day that does not add up: what was written down, and what is there now."""

    day: date
    expected_count: int
    count: int
    is_altered: bool
    missing_ids: tuple[int, ...] = ()

    def __str__(self) -> str:
        if self.count != self.expected_count:
            what = f"{self.count:,} of {self.expected_count:,} activities are accounted for"
        else:
            what = "the content of activities is not what was recorded"
        return f"{self.day}: {what}"


def close_days(now: datetime | None = None) -> int:
    """Write down the sums of the days that are over and have none yet; return how many."""
    last = ((now or timezone.now()) - SETTLED_AFTER).astimezone(UTC).date()
    known = set(ActivityDay.objects.values_list("day", flat=True))
    days = [day for day in _days(last) if day not in known]
    for day in days:
        count, total = _settled_sum(day)
        ActivityDay.objects.bulk_create([ActivityDay(day=day, count=count, digest=total)], ignore_conflicts=True)
    return len(days)


def _days(before: date) -> Iterator[date]:
    """From the first day on which something was recorded; after the last closed one when there is one."""
    closed = ActivityDay.objects.order_by("-day").first()
    if closed is not None:
        start = closed.day + timedelta(days=1)
    else:
        with connection.cursor() as cursor:
            cursor.execute(
                """select least((select min(recorded_at) from activity),
                (select min(recorded_at) from activity_removal))"""
            )
            (first,) = cursor.fetchone()
        start = first.astimezone(UTC).date() if first else before
    while start < before:
        yield start
        start += timedelta(days=1)


def verify(since: date | None = None) -> list[Finding]:
    """Compare every closed day (from `since` on) with what is there now; the days that do not add up."""
    found = []
    days = ActivityDay.objects.order_by("day")
    for closed in days if since is None else days.filter(day__gte=since):
        count, total = _settled_sum(closed.day)
        if (count, total) != (closed.count, closed.digest):
            found.append(Finding(closed.day, closed.count, count, total != closed.digest))
    return found


def _settled_sum(day: date) -> tuple[int, Decimal]:
    """Like `_sum`; on a cluster, which sees a merge on one worker before the other, until two in a row agree."""
    found = _sum(day)
    while citus.is_distributed() and found != (found := _sum(day)):
        continue
    return found


def _sum(day: date) -> tuple[int, Decimal]:
    """(count, digest) of the rows recorded on `day`: those that are there, and those that were removed."""
    start = datetime.combine(day, time(), UTC)
    bounds = {"start": start, "end": start + timedelta(days=1)}
    with connection.cursor() as cursor:
        # one statement, one snapshot: a row that is removed in between counts once. The people's ids have a
        # cluster do this part by part, where it has a snapshot of each.
        cursor.execute(
            f"""select coalesce(sum(count), 0), coalesce(sum(digest), 0) from (
                select a.person_id, 1 as count, {digest()} as digest from activity a
                where a.recorded_at >= %(start)s and a.recorded_at < %(end)s
                union all
                select r.person_id, case when r.replacement_digest is null then 1 else 0 end,
                    r.digest - coalesce(r.replacement_digest, 0) from activity_removal r
                where r.recorded_at >= %(start)s and r.recorded_at < %(end)s) parts""",
            bounds,
        )
        count, total = cursor.fetchone()
    return int(count), total
