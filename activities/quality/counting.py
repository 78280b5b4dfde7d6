"""Counts events by type, source and library, and those that brought unknown properties or wrong values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, timedelta

from django.utils import timezone

from activities.models import QualityDay
from people.core.db import prepared
from people.core.errors import quoted_value

MAX_LIBRARIES, MAX_LIBRARY = 20, 100  # of one type, source and day; more are counted together
OTHER_LIBRARIES = "…"
KEPT_DAYS = 90
Key = tuple[int, int, str]  # type, source, library


@dataclass(slots=True)
class EventCounts:
    """Numbers of events: all, those with properties that no field takes, and those rejected for their values."""

    events: int = 0
    unknown: int = 0
    wrong: int = 0


def add_counts(counts_by_key: Mapping[Key, EventCounts]) -> None:
    """Add counts to today's (UTC), late in the caller's transaction: the rows stay locked until it ends, in one order
    in all transactions."""
    if counts_by_key:
        today = timezone.now().astimezone(UTC).date()
        _add(_within_limit(counts_by_key, today), today)


def forget_old_days() -> int:
    """Delete counts older than `KEPT_DAYS`; return the number of rows."""
    last = timezone.now().astimezone(UTC).date() - timedelta(days=KEPT_DAYS)
    return QualityDay.objects.filter(day__lt=last).delete()[0]


def _within_limit(counts_by_key: Mapping[Key, EventCounts], today: date) -> dict[Key, EventCounts]:
    """The same with names of libraries as they are stored, and without those that are beyond the limit today."""
    libraries_today: dict[tuple[int, int], set[str]] = {key[:2]: set() for key in counts_by_key}
    rows = QualityDay.objects.filter(
        day=today,
        activity_type_id__in={key[0] for key in counts_by_key},
        source_id__in={key[1] for key in counts_by_key},
    )
    for type_id, source_id, library in rows.values_list("activity_type_id", "source_id", "library"):
        libraries_today.get((type_id, source_id), set()).add(library)
    result: dict[Key, EventCounts] = {}
    for (type_id, source_id, library), counts in counts_by_key.items():
        name, libraries = quoted_value(library, MAX_LIBRARY) if library else "", libraries_today[type_id, source_id]
        if name not in libraries and len(libraries) >= MAX_LIBRARIES:
            name = OTHER_LIBRARIES
        libraries.add(name)
        total = result.setdefault((type_id, source_id, name), EventCounts())
        total.events += counts.events
        total.unknown += counts.unknown
        total.wrong += counts.wrong
    return result


def _add(counts_by_key: Mapping[Key, EventCounts], today: date) -> None:
    keys = sorted(counts_by_key)
    columns = [[key[place] for key in keys] for place in range(3)]
    columns += [[getattr(counts_by_key[key], name) for key in keys] for name in EventCounts.__slots__]
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            """insert into quality_day as q (day, activity_type_id, source_id, library, events, unknown, wrong)
            select %s::date, w.* from unnest(%s::int[], %s::bigint[], %s::text[], %s::bigint[], %s::bigint[],
                %s::bigint[]) as w (activity_type_id, source_id, library, events, unknown, wrong)
            where exists (select 1 from activity_type t where t.id = w.activity_type_id)
            order by 2, 3, 4
            on conflict (activity_type_id, source_id, day, library) do update set
                events = q.events + excluded.events, unknown = q.unknown + excluded.unknown,
                wrong = q.wrong + excluded.wrong""",
            [today, *columns],
        )
