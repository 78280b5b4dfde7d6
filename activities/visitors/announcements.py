"""Announces to other rooms whose acts a visitor's earlier ones are, in the transaction that decides it.

A room that keeps rows of visitors itself subscribes, at start.
"""

from collections.abc import Callable

from activities.models import Association

Subscriber = Callable[[Association], None]
_given: list[Subscriber] = []
_taken_back: list[Subscriber] = []


def subscribe_to_owners(given: Subscriber, taken_back: Subscriber) -> None:
    """Register `given` for an association that gets what its visitor did, and `taken_back` for an undone one."""
    if given not in _given:
        _given.append(given)
        _taken_back.append(taken_back)


def announce_owner(association: Association) -> None:
    """The acts of the visitor that belong to nobody are this association's."""
    for subscriber in _given:
        subscriber(association)


def announce_undo(association: Association) -> None:
    """The acts of this association belong to nobody any more."""
    for subscriber in _taken_back:
        subscriber(association)
