"""Counts of undefined events by name and day (UTC), and of those with each property: neither values nor names.

A property stands there as a digest of its name: anything may be in a name, also a person's address.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from hashlib import blake2b

import orjson
from django.utils import timezone

from activities.models import SightingDay
from people.core.db import prepared

KEPT_DAYS = 30
MAX_PROPERTIES = 50  # of one event, and of one name and day: those that most events have


@dataclass(slots=True)
class DayCounts:
    """Numbers of events, and of those with each property, by its digest."""

    events: int = 0
    properties: Counter[str] = field(default_factory=Counter)


def property_digests(names: Iterable[str]) -> list[str]:
    """The digests of the first names of properties, each once."""
    first = dict.fromkeys(name for name, _place in zip(names, range(MAX_PROPERTIES), strict=False))
    return [blake2b(name.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest() for name in first]


def add_to_day(tallies: Mapping[int, DayCounts]) -> None:
    """Add to today's counts, by the id of the sighting, whose rows the caller has locked until the transaction ends."""
    if not tallies:
        return
    keys = sorted(tallies)
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            """insert into sighting_day as d (sighting_id, day, count, properties)
            select w.id, %s::date, w.count, w.properties::jsonb
            from unnest(%s::bigint[], %s::bigint[], %s::text[]) as w (id, count, properties)
            on conflict (sighting_id, day) do update set count = d.count + excluded.count, properties = (
                select coalesce(jsonb_object_agg(most.key, most.number), '{}') from (
                    select e.key, sum(e.value::bigint) as number from (
                        select * from jsonb_each_text(d.properties)
                        union all select * from jsonb_each_text(excluded.properties)
                    ) e group by e.key order by number desc, e.key limit %s
                ) most
            )""",
            [
                timezone.now().astimezone(UTC).date(),
                keys,
                [tallies[key].events for key in keys],
                [_top(tallies[key].properties) for key in keys],
                MAX_PROPERTIES,
            ],
        )


def counts_by_day(sighting_ids: Collection[int]) -> dict[int, list[int]]:
    """The numbers of events of each of the last `KEPT_DAYS` days (UTC), the oldest first, by sighting; none without."""
    first = timezone.now().astimezone(UTC).date() - timedelta(days=KEPT_DAYS - 1)
    days = SightingDay.objects.filter(sighting__in=sighting_ids, day__gte=first)
    counts: dict[int, list[int]] = {}
    for pk, day, count in days.values_list("sighting_id", "day", "count"):
        number = (day - first).days
        if number < KEPT_DAYS:  # a clock may be ahead
            counts.setdefault(pk, [0] * KEPT_DAYS)[number] = count
    return counts


def forget_old_days() -> int:
    """Delete counts older than `KEPT_DAYS`; return the number of rows."""
    last = timezone.now().astimezone(UTC).date() - timedelta(days=KEPT_DAYS)
    return SightingDay.objects.filter(day__lt=last).delete()[0]


def _top(properties: Counter[str]) -> str:
    return orjson.dumps(dict(properties.most_common(MAX_PROPERTIES))).decode()
