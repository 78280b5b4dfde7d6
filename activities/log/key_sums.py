"""Notices when used external ids vanish or change: rows of `activity_key`, which tell retries.

A key leaves only when its person is erased or its activity is corrected, undone or withdrawn; merges move it, retention
leaves it. With each closing of days the keys of the activities up to the high-water mark are added up, those of a
range of ids with a day. Rows that left since then are told by removal entries and erased people, not by key: a range
from which nobody was erased and nothing was taken out is compared exactly, another one may lack as many as left.
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
_LEFT = """select count(distinct r.activity_id) from activity_removal r
    left join person p on p.id = r.person_id left join person w on w.id = p.merged_into_id
    where r.activity_id > %(after)s and r.activity_id <= %(upto)s and (
        (r.reason not in ('merge', 'retention') and r.removed_at > %(closed_at)s - interval '1 hour')
        or (p.state = 'erased' and p.state_changed_at > %(closed_at)s - interval '1 hour')
        or (w.state = 'erased' and w.state_changed_at > %(closed_at)s - interval '1 hour'))"""


def write_down(day: date) -> None:
    """Keep with `day`, just closed, the sum of the keys of all activities since the range of the day before."""
    upto = log_reader.high_water_mark()
    last = ActivityDay.objects.filter(keys_upto__isnull=False).order_by("-keys_upto").first()
    after = last.keys_upto if last else 0
    if upto > (after or 0):
        count, digest = _sums([after or 0, upto]).get(1, (0, Decimal(0)))
        ActivityDay.objects.filter(day=day).update(keys_upto=upto, key_count=count, key_digest=digest)


def faults() -> list[tuple[date, str]]:
    """(day, what is wrong) of every range of keys that does not add up."""
    closed = list(ActivityDay.objects.filter(keys_upto__isnull=False).order_by("keys_upto"))
    bounds = [0, *(row.keys_upto or 0 for row in closed)]
    sums = _sums(bounds) if closed else {}
    found = []
    for place, row in enumerate(closed):
        count, digest = sums.get(place + 1, (0, Decimal(0)))
        expected = row.key_count or 0
        if (count, digest) == (expected, row.key_digest):
            continue
        left = _left(bounds[place], bounds[place + 1], row)
        if count > expected or count < expected - left:
            found.append((row.day, f"{count:,} of {expected:,} external ids are there, and {left:,} activities left"))
        elif not left:
            found.append((row.day, "external ids are not what was written down"))
    return found


def _sums(bounds: Sequence[int]) -> dict[int, tuple[int, Decimal]]:
    """(count, digest) by place of the keys with bounds[place - 1] < activity id <= bounds[place]; one pass."""
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, [[bound + 1 for bound in bounds], bounds[0], bounds[-1]])
        return {place: (count, digest) for place, count, digest in cursor.fetchall()}


def _left(after: int, upto: int, row: ActivityDay) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_LEFT, {"after": after, "upto": upto, "closed_at": row.closed_at})
        return int(cursor.fetchone()[0])
