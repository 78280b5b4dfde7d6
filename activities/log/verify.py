"""Verifies that nothing of the log is missing or altered.

Each row has a digest. For a day (UTC, by recorded at) the digests of its present rows and of its removed rows, each
with its entry, always add up to the same sum: rows leave only together with an entry, and the entry of a row moved by
a merge has its new digest. The sum is stored once the day is over, with the digest of all days until then: a chain,
in which no day can be missing. A copy of its head kept elsewhere (every backup has one) reveals a rewritten chain.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256

from django.db import connection, transaction

from activities.log import key_sums
from activities.log.digest import digest_sql
from activities.models import ActivityDay
from people.core.db import citus, locks

# by then every transaction that recorded on the day has ended
SETTLED_AFTER = timedelta(hours=1)
SHOWN_IDS = 20


@dataclass(frozen=True, slots=True)
class DayFault:
    """A day that does not add up: the stored count, and the present one."""

    day: date
    expected_count: int
    count: int
    is_altered: bool
    missing_ids: tuple[int, ...] = ()

    fault: str = ""  # of the day itself, and not of its rows

    def __str__(self) -> str:
        if self.fault:
            return f"{self.day}: {self.fault}"
        if self.count != self.expected_count:
            message = f"{self.count:,} of {self.expected_count:,} activities are accounted for"
        else:
            message = "the content of activities is not what was recorded"
        return f"{self.day}: {message}"


def close_days(now: datetime | None = None) -> int:
    """Store the sums of finished days that have none yet; return the number of days."""
    last = ((now or _now()) - SETTLED_AFTER).astimezone(UTC).date()
    closed_days = set(ActivityDay.objects.values_list("day", flat=True))
    days = [day for day in _days(last) if day not in closed_days]
    for day in days:
        count, total = _settled_sum(day)
        ActivityDay.objects.bulk_create([ActivityDay(day=day, count=count, digest=total)], ignore_conflicts=True)
    if days:
        key_sums.store_key_sums(days[-1])
    _chain_days()
    return len(days)


def _now() -> datetime:
    """The present moment by the database's clock, which also determines the days."""
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        return cursor.fetchone()[0]


@transaction.atomic
def _chain_days() -> None:
    """Compute the links of the newest days, which have none yet."""
    locks.acquire_exclusive([locks.lock_key(locks.LockSpace.DAYS)])
    linked = ActivityDay.objects.filter(chain__isnull=False).order_by("-day").first()
    previous = linked.chain if linked else ""
    unlinked = ActivityDay.objects.order_by("day")
    # a day that lost its link amid others is not repaired, so that it is reported
    for closed in unlinked.filter(day__gt=linked.day) if linked else unlinked:
        previous = closed.chain = _link(previous or "", closed)
        closed.save(update_fields=["chain"])


def _link(previous: str, closed: ActivityDay) -> str:
    return sha256(f"{previous} {closed.day} {closed.count} {closed.digest:f}".encode()).hexdigest()


def chain_head() -> tuple[date, str] | None:
    """The newest closed day and the digest of all days until then, to be kept elsewhere and compared."""
    newest = ActivityDay.objects.filter(chain__isnull=False).order_by("-day").first()
    return None if newest is None or newest.chain is None else (newest.day, newest.chain)


def chain_faults() -> list[DayFault]:
    """Missing and rewritten days, rows from before the first day, and faults of keys."""
    findings: list[DayFault] = []
    previous, last = "", None
    for closed in ActivityDay.objects.order_by("day").iterator():
        if last is not None and closed.day != last + timedelta(days=1):
            fault = f"the days from here until {closed.day - timedelta(days=1)} were closed, and are not there any more"
            findings.append(DayFault(last + timedelta(days=1), 0, 0, True, fault=fault))
        link = _link(previous, closed)
        if closed.chain is not None and closed.chain != link:
            fault = "what was written down of this day or of one before it was altered or removed"
            findings.append(DayFault(closed.day, 0, 0, True, fault=fault))
        # continue from the stored link: one fault is reported once
        previous, last = closed.chain or link, closed.day
    findings += [DayFault(day, 0, 0, True, fault=fault) for day, fault in key_sums.find_key_faults()]
    return _rows_before() + findings


def _rows_before() -> list[DayFault]:
    first = ActivityDay.objects.order_by("day").values_list("day", flat=True).first()
    if first is None:
        return []
    with connection.cursor() as cursor:
        start = datetime.combine(first, time(), UTC)
        cursor.execute(
            """select (select min(recorded_at) from activity where recorded_at < %(start)s),
            (select min(recorded_at) from activity_removal where recorded_at < %(start)s)""",
            {"start": start},
        )
        moments = [moment for moment in cursor.fetchone() if moment is not None]
    if not moments:
        return []
    day = min(moments).astimezone(UTC).date()
    return [DayFault(day, 0, 0, True, fault=f"there are rows of before {first}, the first closed day")]


def compare_head(noted_head: str) -> DayFault | None:
    """The difference to `noted_head`, a head noted as "2026-11-20 5f…"; None when the chain still leads there.

    Raises ValueError for text that is no head.
    """
    day_text, _blank, chain = noted_head.strip().partition(" ")
    day = date.fromisoformat(day_text)
    if len(chain) != 64:
        raise ValueError(noted_head)
    stored_chain = ActivityDay.objects.filter(day=day).values_list("chain", flat=True).first()
    if stored_chain == chain:
        return None
    return DayFault(
        day, 0, 0, True, fault="is not what was noted elsewhere: this day or one before it was written anew"
    )


def _days(before: date) -> Iterator[date]:
    """Days up to `before`: after the last closed day, else from the first day with an activity."""
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


def verify_log(since: date | None = None) -> list[DayFault]:
    """Compare every closed day (from `since` on) with the present rows; return the days that do not add up.

    Without `since`, verify the chain of days, too.
    """
    findings = chain_faults() if since is None else []
    days = ActivityDay.objects.order_by("day")
    for closed in days if since is None else days.filter(day__gte=since):
        count, total = _settled_sum(closed.day)
        if (count, total) != (closed.count, closed.digest):
            findings.append(DayFault(closed.day, closed.count, count, total != closed.digest))
    return findings


def _settled_sum(day: date) -> tuple[int, Decimal]:
    """The `_sum`; on a cluster, where a merge is visible on one worker before another, read until two agree."""
    total = _sum(day)
    while citus.is_distributed() and total != (total := _sum(day)):
        continue
    return total


def _sum(day: date) -> tuple[int, Decimal]:
    """(count, digest) of the rows recorded on `day`, present and removed."""
    start = datetime.combine(day, time(), UTC)
    bounds = {"start": start, "end": start + timedelta(days=1)}
    with connection.cursor() as cursor:
        # one statement, one snapshot: a row that is removed in between counts once. The people's ids have a
        # cluster do this part by part, where it has a snapshot of each.
        cursor.execute(
            f"""select coalesce(sum(count), 0), coalesce(sum(digest), 0) from (
                select a.person_id, 1 as count, {digest_sql()} as digest from activity a
                where a.recorded_at >= %(start)s and a.recorded_at < %(end)s
                union all
                select r.person_id, case when r.replacement_digest is null then 1 else 0 end,
                    r.digest - coalesce(r.replacement_digest, 0) from activity_removal r
                where r.recorded_at >= %(start)s and r.recorded_at < %(end)s) parts""",
            bounds,
        )
        count, total = cursor.fetchone()
    return int(count), total
