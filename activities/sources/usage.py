"""The use of each source by day (UTC): quotas, last seen, counts and metrics."""

from collections.abc import Sequence
from datetime import UTC, timedelta
from typing import Any

from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from activities.models import EventSource, SourceDay
from people.core import metrics

EVENTS = metrics.register_counter(
    "source_events", "Events that came in, by event source and what became of them.", "source", "outcome"
)
BYTES = metrics.register_counter("source_bytes", "Bytes that event sources sent.", "source")
SHOWN_DAYS = 30


def has_room(source: EventSource, size: int) -> bool:
    """True if the source may send `size` bytes more today."""
    row = SourceDay.objects.filter(source=source, day=timezone.now().astimezone(UTC).date()).values_list("size").first()
    return (row[0] if row else 0) + size <= source.bytes_a_day


def note_use(source_id: int, *, size: int, accepted: int, rejected: int = 0) -> None:
    """Count one request of a source, in the transaction that stores what it brought."""
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into source_day as d (source_id, day, requests, size, accepted, rejected)
            values (%s, (now() at time zone 'utc')::date, 1, %s, %s, %s)
            on conflict (source_id, day) do update set requests = d.requests + 1, size = d.size + excluded.size,
                accepted = d.accepted + excluded.accepted, rejected = d.rejected + excluded.rejected""",
            [source_id, size, accepted, rejected],
        )
    EventSource.objects.filter(pk=source_id).update(last_seen_at=timezone.now())
    BYTES.add(source_id, number=size)
    for outcome, number in (("accepted", accepted), ("rejected", rejected)):
        if number:
            EVENTS.add(source_id, outcome, number=number)


def last_days(source: EventSource, days: int = SHOWN_DAYS) -> Sequence[SourceDay]:
    """The days on which the source sent something, the latest first."""
    since = timezone.now().astimezone(UTC).date() - timedelta(days=days - 1)
    return list(SourceDay.objects.filter(source=source, day__gte=since).order_by("-day"))


def totals(source_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Requests, bytes and events of the sources since they exist, by their ids."""
    names = ("requests", "size", "accepted", "rejected")
    rows: Any = (
        SourceDay.objects.filter(source__in=source_ids)
        .values("source")
        .annotate(**{f"all_{name}": Sum(name) for name in names})
    )
    return {row["source"]: {name: row[f"all_{name}"] for name in names} for row in rows}
