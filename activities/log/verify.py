"""Verifies that nothing of the log is missing or altered.

Each row has a digest. Of a day (UTC, by recorded at) the digests of its rows that are there and of those that
were removed, each with its entry, always add up to the same: rows leave only together with an entry, and a row
that a merge moves has its new digest in its entry. The sum is written down once the day is over, with the digest of
all days until then: a chain, in which no day can be missing. Who keeps its head elsewhere (every backup does) can tell
whether the whole of it was written anew.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256

from django.db import connection, transaction

from activities.log import key_sums
from activities.log.digest import digest
from activities.models import ActivityDay
from people.core.db import citus, locks

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

    fault: str = ""  # of the day itself, and not of its rows

    def __str__(self) -> str:
        if self.fault:
            return f"{self.day}: {self.fault}"
        if self.count != self.expected_count:
            what = f"{self.count:,} of {self.expected_count:,} activities are accounted for"
        else:
            what = "the content of activities is not what was recorded"
        return f"{self.day}: {what}"


def close_days(now: datetime | None = None) -> int:
    """Write down the sums of the days that are over and have none yet; return how many."""
    last = ((now or _now()) - SETTLED_AFTER).astimezone(UTC).date()
    known = set(ActivityDay.objects.values_list("day", flat=True))
    days = [day for day in _days(last) if day not in known]
    for day in days:
        count, total = _settled_sum(day)
        ActivityDay.objects.bulk_create([ActivityDay(day=day, count=count, digest=total)], ignore_conflicts=True)
    if days:
        key_sums.write_down(days[-1])
    _chain_days()
    return len(days)


def _now() -> datetime:
    """By the clock that days are told by, the database's."""
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        return cursor.fetchone()[0]


@transaction.atomic
def _chain_days() -> None:
    """Give the newest days, which have no link yet, theirs."""
    locks.take([locks.key(locks.Space.DAYS)])
    linked = ActivityDay.objects.filter(chain__isnull=False).order_by("-day").first()
    previous = linked.chain if linked else ""
    unlinked = ActivityDay.objects.order_by("day")
    # a day that lost its link amid others is left to be found
    for closed in unlinked.filter(day__gt=linked.day) if linked else unlinked:
        previous = closed.chain = _link(previous or "", closed)
        closed.save(update_fields=["chain"])


def _link(previous: str, closed: ActivityDay) -> str:
    return sha256(f"{previous} {closed.day} {closed.count} {closed.digest:f}".encode()).hexdigest()


def head() -> tuple[date, str] | None:
    """The newest closed day and the digest of all days until then: to be kept elsewhere, and compared."""
    newest = ActivityDay.objects.filter(chain__isnull=False).order_by("-day").first()
    return None if newest is None or newest.chain is None else (newest.day, newest.chain)


def chain_faults() -> list[Finding]:
    """Days that are missing between or before the others, or were written anew; rows of before the first day; keys."""
    found: list[Finding] = []
    previous, last = "", None
    for closed in ActivityDay.objects.order_by("day").iterator():
        if last is not None and closed.day != last + timedelta(days=1):
            fault = f"the days from here until {closed.day - timedelta(days=1)} were closed, and are not there any more"
            found.append(Finding(last + timedelta(days=1), 0, 0, True, fault=fault))
        link = _link(previous, closed)
        if closed.chain is not None and closed.chain != link:
            fault = "what was written down of this day or of one before it was altered or removed"
            found.append(Finding(closed.day, 0, 0, True, fault=fault))
        # from here on as it is written: one fault is told once
        previous, last = closed.chain or link, closed.day
    found += [Finding(day, 0, 0, True, fault=fault) for day, fault in key_sums.faults()]
    return _rows_before() + found


def _rows_before() -> list[Finding]:
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
    return [Finding(day, 0, 0, True, fault=f"there are rows of before {first}, the first closed day")]


def differs(kept: str) -> Finding | None:
    """What is wrong with `kept`, a head that was noted as "2026-11-20 5f…"; None when the chain still leads there.

    Raises ValueError for text that is no head.
    """
    day_text, _blank, chain = kept.strip().partition(" ")
    day = date.fromisoformat(day_text)
    if len(chain) != 64:
        raise ValueError(kept)
    found = ActivityDay.objects.filter(day=day).values_list("chain", flat=True).first()
    if found == chain:
        return None
    return Finding(day, 0, 0, True, fault="is not what was noted elsewhere: this day or one before it was written anew")


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
    """Compare every closed day (from `since` on) with what is there now; the days that do not add up.

    Without `since` the chain over the days, too.
    """
    found = chain_faults() if since is None else []
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
