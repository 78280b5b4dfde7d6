"""What happened to people, told to the apps above: same transaction, whole batches.

`people` knows nobody above it. It announces; `activities` subscribes and records the standard activities,
`smartlists` may subscribe to keep what it derives. A subscriber that raises undoes the change with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from people.core.source import Source


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of one person got another value (canonical JSON values; None is no value)."""

    person_id: int
    field: str
    old: Any
    new: Any
    is_score: bool = False


@dataclass(frozen=True, slots=True)
class Created:
    person_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class Changed:
    """Values that changed: every one leaves an entry of its own, whatever the channel."""

    changes: Sequence[FieldChange]


@dataclass(frozen=True, slots=True)
class JoinedList:
    static_list_id: int
    static_list_name: str
    person_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class LeftList:
    static_list_id: int
    static_list_name: str
    person_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class Merged:
    winner_id: int
    loser_ids: Sequence[int]
    fields: Sequence[str] = field(default=())


@dataclass(frozen=True, slots=True)
class Deleted:
    names: Sequence[tuple[int, str]]  # (person id, name as it was)


Announcement = Created | Changed | JoinedList | LeftList | Merged | Deleted
Subscriber = Callable[[Announcement, Source], None]

_subscribers: list[Subscriber] = []


def subscribe(subscriber: Subscriber) -> None:
    """Call `subscriber`, in the announcing transaction, for every announcement from now on."""
    if subscriber not in _subscribers:
        _subscribers.append(subscriber)


def announce(announcement: Announcement, source: Source) -> None:
    """Tell every subscriber; call it inside the transaction that made the change."""
    for subscriber in _subscribers:
        subscriber(announcement, source)
