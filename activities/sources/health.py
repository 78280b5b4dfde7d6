"""The health of event sources, for the doctor and the status page."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from activities.models import EventSource

SOON = timedelta(days=3)
NAMED = 5


@dataclass(frozen=True, slots=True)
class SourcesState:
    """Event sources in use. `ending` are the names of those without a key that works for three more days."""

    count: int
    last_seen_at: datetime | None
    ending: tuple[str, ...]


def current_state() -> SourcesState:
    sources = EventSource.objects.filter(is_on=True)
    lasting = sources.exclude(keys=None).filter(keys__expires_at=None)
    later = sources.filter(keys__expires_at__gt=timezone.now() + SOON)
    ending = sources.exclude(pk__in=lasting.values("pk")).exclude(pk__in=later.values("pk")).order_by("name")
    last = sources.order_by("-last_seen_at").exclude(last_seen_at=None).values_list("last_seen_at", flat=True).first()
    return SourcesState(sources.count(), last, tuple(ending.values_list("name", flat=True)[:NAMED]))


def health_summary() -> tuple[str, str]:
    """The state and the remedy, for the doctor; the remedy is empty if all is well."""
    state = current_state()
    seen = f"; the last event came {state.last_seen_at:%Y-%m-%d %H:%M} UTC" if state.last_seen_at else ""
    advice = f"create a new key for {', '.join(state.ending)}: none works in {SOON.days} days" if state.ending else ""
    return f"{state.count} turned on{seen}", advice
