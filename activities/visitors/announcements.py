"""Announces to other rooms whose acts a visitor's earlier ones are, in the transaction that decides it.

A room that keeps rows of visitors itself subscribes, at start. It changes at most 1,000 rows at once, and returns
whether there may be more: then it is called again, in another transaction.
"""

from collections.abc import Callable

from activities.models import Association

Subscriber = Callable[[Association], bool]
STEP = 1_000
_given: list[Subscriber] = []
_taken_back: list[Subscriber] = []


def subscribe_to_owners(given: Subscriber, taken_back: Subscriber) -> None:
    """Register `given` for an association that gets what its visitor did, and `taken_back` for an undone one."""
    if given not in _given:
        _given.append(given)
        _taken_back.append(taken_back)


def announce_owner(association: Association) -> bool:
    """Give this association the visitor's acts without an owner. True if there may be more of them."""
    return any(subscriber(association) for subscriber in _given)


def announce_undo(association: Association) -> bool:
    """Remove the owner of this association's acts. True if there may be more of them."""
    return any(subscriber(association) for subscriber in _taken_back)
