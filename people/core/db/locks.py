"""Advisory locks; all but those of `try_session_lock(s)` end with the transaction.

PostgreSQL's advisory keys are 64 bits for the whole database, so the top byte is the space of a key.
Order, to avoid deadlocks: PEOPLE, then TYPE (ascending), then LOOKUP (ascending), then rows of people, then those of
objects (OBJECT_TYPE, OBJECT_KEY, OBJECT_LINK, OBJECT_TARGET), then rows of objects.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum, unique
from hashlib import blake2b

from django.db import connection

from people.core.db import prepared


@unique
class LockSpace(IntEnum):
    PEOPLE = 1  # shared by recorders and changers; exclusive for delete, erase and merge
    TYPE = 2  # shared by a type's recorders; exclusive for approve, retire, delete; 0: naming of types, one at a time
    HIGH_WATER = 3  # carries the sequence value a recorder read before it took ids
    LOOKUP = 4  # one value of one lookup field: two upserts create one person; no link waits for who is there
    SMART_LISTS = 5  # changes of the rules of any list, so that no two of them close a cycle together
    REMOVING = 6  # removal of rows from the log by retention or correction: one at a time
    DAYS = 7  # linking of the closed days of the log: one at a time
    IMPORT = 16  # one run of an import or export; held by the session, not the transaction
    EXPORT = 17
    LIMITS = 18  # the count of API calls, where the installation limits them
    DISPATCHER = 20  # the one process that dispatches smart campaigns; held by the session
    DELIVERY = 21  # one lane of one webhook during its deliveries; held by the session
    CHANGES = 22  # removal of rows from the log, from its first DELETE on: taken last of all, by a trigger
    ADDRESSES = 23  # email addresses of users: given to one at a time
    OBJECT_TYPE = 24  # shared by writers of a type's records; exclusive for approve, retire, delete; 0: naming
    OBJECT_KEY = 25  # the dedupe values of one record, so that two upserts create one
    OBJECT_LINK = 26  # one value of a link to a record: of the one that waits, and of the one that appears
    OBJECT_TARGET = 30  # targets of links in dedupe values: no two records of a type have the same
    OBJECT_CHANGES = 27  # carries the sequence value a writer of changes of records read before it took ids
    MIGRATION = 29  # the one process that migrates the database; held by the session
    FORM_CONTENT = 28  # the content of a submission without an id, sent one way: two at once are one; after PEOPLE
    INTAKE = 31  # the kept requests of one event source, which one process at a time works on; held by the session
    IDEMPOTENCY = 19  # one Idempotency-Key of one caller; only ever tried, never waited for


KEY_BITS = 56


def lock_key(space: LockSpace, number: int = 0) -> int:
    """The 64-bit key of `number` (0 ≤ number < 2**56) in `space`."""
    return (space << KEY_BITS) | number


def acquire_shared(keys: Iterable[int]) -> None:
    """Take shared locks, in the order above, until the transaction ends; waits for exclusive holders."""
    _take("pg_advisory_xact_lock_shared", keys)


def acquire_exclusive(keys: Iterable[int]) -> None:
    """Take exclusive locks, in the order above, until the transaction ends; waits for every other holder."""
    _take("pg_advisory_xact_lock", keys)


@contextmanager
def try_session_lock(space: LockSpace, number: int) -> Iterator[bool]:
    """Try the session lock of a key; yields True if it was free. It ends with the block, connection or process."""
    with try_session_locks(space, [number]) as mine:
        yield number in mine


@contextmanager
def try_session_locks(space: LockSpace, numbers: Sequence[int]) -> Iterator[set[int]]:
    """Try the session locks of several keys; yields the numbers of those that were free, and frees them afterwards."""
    first = lock_key(space)
    with connection.cursor() as cursor:
        cursor.execute(
            "select n from unnest(%s::bigint[]) as n where pg_try_advisory_lock(%s + n)", [list(numbers), first]
        )
        mine = {number for (number,) in cursor.fetchall()}
    try:
        yield mine
    finally:
        if mine and connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(%s + n) from unnest(%s::bigint[]) as n", [first, list(mine)])


def lock_number(*parts: str) -> int:
    """A 56-bit number for a text key; two texts rarely share one, and then they merely wait for each other."""
    return int.from_bytes(blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=7).digest(), "big")


def _take(function: str, keys: Iterable[int]) -> None:
    ordered = sorted(set(keys))
    if ordered:
        with prepared.prepared_cursor() as cursor:
            # unnest keeps the array's order, so locks are taken in ascending order; as text it is sent fastest
            array = f"{{{','.join(map(str, ordered))}}}"
            cursor.execute(f"select {function}(k) from unnest(%s::bigint[]) as k", [array])
