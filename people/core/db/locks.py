"""Advisory locks; all but those of `alone` end with the transaction.

PostgreSQL's advisory keys are 64 bits for the whole database, so the top byte says what a key is about.
Order, to be free of deadlocks: PEOPLE, then TYPE (ascending), then LOOKUP (ascending), then rows.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import IntEnum, unique
from hashlib import blake2b

from django.db import connection

from people.core.db import prepared


@unique
class Space(IntEnum):
    PEOPLE = 1  # recorders and changers share it; delete, erase and merge take it alone
    TYPE = 2  # recorders share a type's; approve, retire and delete take it alone; 0: who names types, one at a time
    HIGH_WATER = 3  # carries the sequence value a recorder read before it took ids
    LOOKUP = 4  # one value of one lookup field, so that two upserts create one person
    SMART_LISTS = 5  # who changes the rules of any list, so that no two close a circle together
    REMOVING = 6  # who takes rows out of the log by retention or correction: one at a time
    DAYS = 7  # who links the closed days of the log: one at a time
    IMPORT = 16  # one run of an import or export; held by the session, not the transaction
    EXPORT = 17
    LIMITS = 18  # how many API calls there are, where the installation limits them
    DISPATCHER = 20  # the one process that dispatches smart campaigns; held by the session
    DELIVERY = 21  # one lane of one webhook, while its deliveries go out; held by the session
    CHANGES = 22  # who takes rows out of the log, from its first DELETE on: taken last of all, by a trigger
    IDEMPOTENCY = 19  # one Idempotency-Key of one caller; only ever tried, never waited for


KEY_BITS = 56


def key(space: Space, number: int = 0) -> int:
    """The 64-bit key of `number` (0 ≤ number < 2**56) in `space`."""
    return (space << KEY_BITS) | number


def share(keys: Iterable[int]) -> None:
    """Take shared locks, in the order above, until the transaction ends; waits for exclusive holders."""
    _take("pg_advisory_xact_lock_shared", keys)


def take(keys: Iterable[int]) -> None:
    """Take exclusive locks, in the order above, until the transaction ends; waits for every other holder."""
    _take("pg_advisory_xact_lock", keys)


@contextmanager
def alone(space: Space, number: int) -> Iterator[bool]:
    """Whether nobody else is within such a block for this key; the lock goes with the connection and the process."""
    name = key(space, number)
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", [name])
        (is_mine,) = cursor.fetchone()
    try:
        yield is_mine
    finally:
        if is_mine and connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(%s)", [name])


def number_of(*parts: str) -> int:
    """A 56-bit number for a text key; two texts rarely share one, and then they merely wait for each other."""
    return int.from_bytes(blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=7).digest(), "big")


def _take(function: str, keys: Iterable[int]) -> None:
    ordered = sorted(set(keys))
    if ordered:
        with prepared.cursor() as cursor:
            # unnest keeps the array's order, so locks are taken in ascending order
            cursor.execute(f"select {function}(k) from unnest(%s::bigint[]) as k", [ordered])
