"""Events of people and of their objects, published to the apps above: in the same transaction, in whole batches.

`people` imports no app above it. It publishes; `activities` subscribes and records the standard activities,
`smartlists` may subscribe to maintain derived data. A subscriber that raises rolls the change back with it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from people.core.source import Source


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A new value of one field of one person (canonical JSON values; None is no value)."""

    person_id: int
    field: str
    old: Any
    new: Any
    is_score: bool = False


@dataclass(frozen=True, slots=True)
class PeopleCreated:
    person_ids: Sequence[int]
    # those of them with an objection to email from before their erasure, and its time
    unsubscribed: Mapping[int, datetime | None] = field(default_factory=dict)
    came_at: Mapping[int, datetime] = field(default_factory=dict)  # of those who came before they were brought in


@dataclass(frozen=True, slots=True)
class PeopleChanged:
    """Changed values. Each is recorded as an entry of its own, in every channel."""

    changes: Sequence[FieldChange]


@dataclass(frozen=True, slots=True)
class PeopleUpserted:
    """All that one batch created and changed: published once, after `PeopleCreated` and `PeopleChanged`.

    For subscribers that lock rows of both in one order.
    """

    created_ids: Sequence[int]
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
class PeopleMerged:
    winner_id: int
    loser_ids: Sequence[int]
    fields: Sequence[str] = field(default=())


@dataclass(frozen=True, slots=True)
class MergeUndone:
    """The people are apart again, with their own values and rows."""

    winner_id: int
    loser_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class PeopleDeleted:
    names: Sequence[tuple[int, str]]  # (person id, name as it was)


@dataclass(frozen=True, slots=True)
class PeopleRestored:
    """Deleted people are live again."""

    person_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class RecordChange:
    """One change of one object record: a row of `object_change`, with the same columns.

    `kind` is one of `ObjectChange.Kind`: added, changed, removed, restored, joined (given the person whom its link
    waited for) or linked (given the record that its other link waited for). `changes` has [old, new] of each changed
    field, as JSON values; None is no value.
    """

    id: int
    record_id: int
    person_id: int | None
    former_person_id: int | None
    kind: int
    changes: Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class ObjectsChanged:
    """Changes of records of one object type, in the order of their ids."""

    object_type_id: int
    object_type: str  # its API name
    changes: Sequence[RecordChange]


Announcement = (
    PeopleCreated
    | PeopleChanged
    | PeopleUpserted
    | JoinedList
    | LeftList
    | PeopleMerged
    | MergeUndone
    | PeopleDeleted
    | PeopleRestored
    | ObjectsChanged
)
Subscriber = Callable[[Announcement, Source], None]

_subscribers: list[Subscriber] = []


def subscribe_to_events(subscriber: Subscriber) -> None:
    """Call `subscriber`, in the publishing transaction, for every announcement from now on."""
    if subscriber not in _subscribers:
        _subscribers.append(subscriber)


def publish_event(announcement: Announcement, source: Source) -> None:
    """Call every subscriber. Must run inside the transaction that made the change."""
    for subscriber in _subscribers:
        subscriber(announcement, source)
