"""Equal events that arrived one after another, as one row of the live page, with what their result means."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from activities.models import ActivityType, RecentEvent
from activities.sources.recent import REFUSED_REQUEST

Outcome = RecentEvent.Outcome
MEANINGS = {
    Outcome.KEPT: _("Stored. It is on a timeline as soon as its visitor or user ID is known to be a person."),
    Outcome.WAITING: _(
        "No activity type takes this name. It waits in the inbox until you create a type or choose one."
    ),
    Outcome.REPEATED: _("This message ID came before, so the event counts once. A new event needs an ID of its own."),
    Outcome.REFUSED: _("Its values don’t fit. Correct it among the rejected activities, or mend the sender."),
    Outcome.DROPPED: _("Acknowledged, and not stored."),
}
REFUSED_REQUEST_MEANING = _("Nothing of the request was read. Compare the key and its origins with the settings.")


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Events that look alike, the newest first. `meaning`: empty where it is that of a row above."""

    events: Sequence[RecentEvent]
    meaning: Any = ""
    type_id: int | None = None

    @property
    def newest(self) -> RecentEvent:
        return self.events[0]

    @property
    def since(self) -> datetime:
        return self.events[-1].received_at

    @property
    def is_request(self) -> bool:
        """True for requests that were refused as a whole."""
        return self.newest.kind == REFUSED_REQUEST


def group_arrivals(events: Iterable[RecentEvent]) -> list[Arrivals]:
    """Group consecutive events with the same kind, title, result and reason."""
    groups = [list(group) for _look, group in groupby(events, key=_look_of)]
    types = _types_by_title({group[0].title for group in groups if group[0].kind == "track"})
    explained: set[Any] = set()
    rows = []
    for group in groups:
        meaning = _meaning_of(group[0])
        rows.append(Arrivals(group, "" if meaning in explained else meaning, types.get(group[0].title)))
        explained.add(meaning)
    return rows


def _look_of(event: RecentEvent) -> tuple[Any, ...]:
    return event.kind, event.title, event.outcome, event.reason, event.is_bot


def _meaning_of(event: RecentEvent) -> Any:
    return REFUSED_REQUEST_MEANING if event.kind == REFUSED_REQUEST else MEANINGS[Outcome(event.outcome)]


def _types_by_title(titles: set[str]) -> dict[str, int]:
    """The ids of types by the name or API name that events have as their title."""
    if not titles:
        return {}
    named = ActivityType.objects.filter(Q(live__name__in=titles) | Q(api_name__in=titles), live__isnull=False)
    return {text: pk for pk, *texts in named.values_list("pk", "live__name", "api_name") for text in texts}
