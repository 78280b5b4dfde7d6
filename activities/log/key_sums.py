"""Detects lost or altered external ids: rows of `activity_key`, by which retries are recognized.

A key is deleted only when its person is erased or its activity is corrected, undone or withdrawn. Merges move it,
retention keeps it. Each closing of days adds up the keys of the activities up to the high-water mark; the sum of a
range of ids is stored with a day. Keys deleted since then are known by removal entries and erased people, not by key:
a range without erased people and removed activities is compared exactly, any other may lack as many keys as were
removed.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from django.db import connection

from activities.log import reader as log_reader
from activities.models import ActivityDay

# without the person, whom merges change
_SUMS = """select width_bucket(k.activity_id, %s::bigint[]), count(*), sum(('x' || substr(md5(
    k.activity_type_id || ' ' || k.activity_id || ' ' || encode(k.digest, 'hex') || ' ' || k.external_id
    ), 1, 16))::bit(64)::bigint::numeric) from activity_key k
    where k.activity_id > %s and k.activity_id <= %s group by 1"""
# an hour earlier than the closing: entries have the time at which their transaction began
_REMOVED = """select count(distinct r.activity_id) from activity_removal r
    left join person p on p.id = r.person_id left join person w on w.id = p.merged_into_id
    where r.activity_id > %(after)s and r.activity_id <= %(upto)s and (
        (r.reason not in ('merge', 'retention') and r.removed_at > %(closed_at)s - interval '1 hour')
        or (p.state = 'erased' and p.state_changed_at > %(closed_at)s - interval '1 hour')
        or (w.state = 'erased' and w.state_changed_at > %(closed_at)s - interval '1 hour'))"""


def store_key_sums(day: date) -> None:
    """Store with `day`, just closed, the sum of the keys of all activities after the previous range."""
    upto = log_reader.high_water_mark()
    last = ActivityDay.objects.filter(keys_upto__isnull=False).order_by("-keys_upto").first()
    after = last.keys_upto if last else 0
    if upto > (after or 0):
        count, digest = _sums([after or 0, upto]).get(1, (0, Decimal(0)))
        ActivityDay.objects.filter(day=day).update(keys_upto=upto, key_count=count, key_digest=digest)


def find_key_faults() -> list[tuple[date, str]]:
    """(day, message) of every range of keys that does not add up."""
    closed = list(ActivityDay.objects.filter(keys_upto__isnull=False).order_by("keys_upto"))
    bounds = [0, *(row.keys_upto or 0 for row in closed)]
    sums = _sums(bounds) if closed else {}
    key_faults = []
    for place, row in enumerate(closed):
        count, digest = sums.get(place + 1, (0, Decimal(0)))
        expected = row.key_count or 0
        if (count, digest) == (expected, row.key_digest):
            continue
        removed = _count_removed(bounds[place], bounds[place + 1], row)
        if count > expected or count < expected - removed:
            key_faults.append(
                (row.day, f"{count:,} of {expected:,} external ids are there, and {removed:,} activities left")
            )
        elif not removed:
            key_faults.append((row.day, "external ids are not what was written down"))
    return key_faults


def _sums(bounds: Sequence[int]) -> dict[int, tuple[int, Decimal]]:
    """(count, digest), by place, of the keys with bounds[place - 1] < activity id <= bounds[place]; one pass."""
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, [[bound + 1 for bound in bounds], bounds[0], bounds[-1]])
        return {place: (count, digest) for place, count, digest in cursor.fetchall()}


def _count_removed(after: int, upto: int, row: ActivityDay) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_REMOVED, {"after": after, "upto": upto, "closed_at": row.closed_at})
        return int(cursor.fetchone()[0])
