"""Counts of received values that fitted their type, by source and library, and properties that no field takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta

from django.db.models import Sum
from django.utils import timezone

from activities.models import ActivityType, QualityDay, Sighting

DAYS = 30
MAX_SENDERS, MAX_PROPERTIES = 100, 50


@dataclass(frozen=True, slots=True)
class SenderQuality:
    """The events of one source's library. `unknown`: those with properties that no field takes; `wrong`: rejected."""

    source_id: int
    source: str
    library: str
    events: int
    unknown: int
    wrong: int

    @property
    def unknown_percent(self) -> float:
        return _percent(self.unknown, self.events)

    @property
    def wrong_percent(self) -> float:
        return _percent(self.wrong, self.events)


@dataclass(frozen=True, slots=True)
class TypeQuality:
    senders: Sequence[SenderQuality]
    properties: Sequence[Sighting]  # that no field takes, and that are not ignored

    @property
    def is_clean(self) -> bool:
        return not any(sender.unknown or sender.wrong for sender in self.senders)


def quality_of_type(activity_type: ActivityType, days: int = DAYS) -> TypeQuality:
    """The counts of each source for the type in the last days (UTC), those that sent most first. Two statements."""
    since = timezone.now().astimezone(UTC).date() - timedelta(days=days - 1)
    rows = QualityDay.objects.filter(activity_type=activity_type, day__gte=since)
    sums = rows.values("source_id", "source__name", "library").annotate(
        all_events=Sum("events"), all_unknown=Sum("unknown"), all_wrong=Sum("wrong")
    )
    senders = [
        SenderQuality(
            row["source_id"],
            row["source__name"],
            row["library"],
            row["all_events"],
            row["all_unknown"],
            row["all_wrong"],
        )
        for row in sums.order_by("-all_events", "source_id", "library")[:MAX_SENDERS]
    ]
    properties = Sighting.objects.filter(
        kind=Sighting.Kind.PROPERTY, scope=activity_type.pk, state=Sighting.State.NEW
    ).select_related("source")
    return TypeQuality(senders, list(properties.order_by("-count", "pk")[:MAX_PROPERTIES]))


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0
