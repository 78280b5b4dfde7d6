"""The use of each source by day (UTC): quotas, last seen, counts and metrics."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any, Protocol

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from activities.models import EventSource, SourceDay
from people.core import metrics
from people.core.db import prepared

EVENTS = metrics.register_counter("source_events", "Received events, by event source and outcome.", "source", "outcome")
BYTES = metrics.register_counter("source_bytes", "Bytes that event sources sent.", "source")
SHOWN_DAYS = 30
SEEN_EVERY = timedelta(seconds=5)  # the precision of the time at which a source was last seen


def bytes_today(source: EventSource) -> int:
    row = SourceDay.objects.filter(source=source, day=timezone.now().astimezone(UTC).date()).values_list("size").first()
    return row[0] if row else 0


@dataclass(slots=True)
class Use:
    """The use of one source by some requests, to be counted together."""

    requests: int = 0
    size: int = 0
    accepted: int = 0
    rejected: int = 0
    new_visitors: int = 0


class SentRequest(Protocol):
    """A request of a source; `size`: the bytes sent."""

    source_id: int
    size: int


def uses_by_source(requests: Iterable[SentRequest]) -> dict[int, Use]:
    """Return the numbers and sizes of requests by source; what became of their events is not counted yet."""
    uses: dict[int, Use] = {}
    for request in requests:
        use = uses.setdefault(request.source_id, Use())
        use.requests += 1
        use.size += request.size
    return uses


# parameters: see `use_values` and `seen_values`
COUNT_SQL = """insert into source_day as d (source_id, day, requests, size, accepted, rejected, new_visitors)
    select w.source_id, (now() at time zone 'utc')::date, requests, size, accepted, rejected, new_visitors
    from unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::int[])
        as w (source_id, requests, size, accepted, rejected, new_visitors) order by w.source_id
    on conflict (source_id, day) do update set requests = d.requests + excluded.requests,
        size = d.size + excluded.size, accepted = d.accepted + excluded.accepted,
        rejected = d.rejected + excluded.rejected, new_visitors = d.new_visitors + excluded.new_visitors"""
SEEN_SQL = """update event_source set last_seen_at = now() where id in (
    select id from event_source where id = any(%s::bigint[])
        and (last_seen_at is null or last_seen_at < %s::timestamptz)
    order by id for no key update skip locked)"""


def note_uses(uses: Mapping[int, Use]) -> None:
    """Count the requests of several sources: the last statements of a transaction, in one order, so none deadlocks."""
    if not uses:
        return
    with prepared.prepared_cursor() as cursor:
        cursor.execute(COUNT_SQL, use_values(uses))
        cursor.execute(SEEN_SQL, seen_values(uses))
    transaction.on_commit(lambda: measure_uses(uses))


def use_values(uses: Mapping[int, Use]) -> list[Any]:
    """The parameters of `COUNT_SQL`."""
    ids = sorted(uses)
    return [ids, *([getattr(uses[pk], name) for pk in ids] for name in Use.__slots__)]


def seen_values(uses: Mapping[int, Use]) -> list[Any]:
    """The parameters of `SEEN_SQL`."""
    return [[pk for pk in sorted(uses) if uses[pk].requests], timezone.now() - SEEN_EVERY]


def measure_uses(uses: Mapping[int, Use]) -> None:
    """Add the uses to the metrics."""
    for pk, use in uses.items():
        BYTES.add(pk, number=use.size)
        for outcome, number in (("accepted", use.accepted), ("rejected", use.rejected)):
            if number:
                EVENTS.add(pk, outcome, number=number)


def last_days(source: EventSource, days: int = SHOWN_DAYS) -> Sequence[SourceDay]:
    """The days on which the source sent something, the latest first."""
    since = timezone.now().astimezone(UTC).date() - timedelta(days=days - 1)
    return list(SourceDay.objects.filter(source=source, day__gte=since).order_by("-day"))


def usage_totals(source_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The requests, bytes and events of the sources since their creation, by source id."""
    names = ("requests", "size", "accepted", "rejected")
    rows: Any = (
        SourceDay.objects.filter(source__in=source_ids)
        .values("source")
        .annotate(**{f"all_{name}": Sum(name) for name in names})
    )
    return {row["source"]: {name: row[f"all_{name}"] for name in names} for row in rows}
