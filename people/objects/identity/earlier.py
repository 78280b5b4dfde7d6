"""Records with the same dedupe values that an earlier version left: merges did not compare records then.

They are found by the comparison of `doubles`, and settled as a merge settles them: the one changed last stays.
"""

from collections.abc import Iterator

from django.db import connection, transaction

from people.core.db import locks
from people.core.source import Source
from people.objects.identity import doubles

GROUPS_AT_ONCE = 200  # in one transaction


def count_earlier_doubles() -> int:
    """The number of records that others would replace; reads all records of types with a link in their key."""
    number = 0
    for key in doubles.linked_keys():
        with connection.cursor() as cursor:
            cursor.execute(
                f"select coalesce(sum(number - 1), 0) from ({_same(key, 'count(*) as number')}) as met",
                {"type": key.type_id},
            )
            number += int(cursor.fetchone()[0])
    return number


def settle_earlier_doubles(source: Source) -> Iterator[int]:
    """Let the record that was changed last stay; yield how many were replaced, after each transaction."""
    for key in doubles.linked_keys():
        groups = _groups(key)
        for start in range(0, len(groups), GROUPS_AT_ONCE):
            ids = [pk for group in groups[start : start + GROUPS_AT_ONCE] for pk in group]
            with transaction.atomic():
                locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
                locks.acquire_shared([locks.lock_key(locks.LockSpace.OBJECT_TYPE, key.type_id)])
                doubles.lock_records(key, ids, ())
                replaced = doubles.settle_records(ids, source)
            yield replaced


def _groups(key: doubles.LinkedKey) -> list[list[int]]:
    with connection.cursor() as cursor:
        cursor.execute(_same(key, "array_agg(r.id order by r.id) as ids"), {"type": key.type_id})
        return [ids for (ids,) in cursor.fetchall()]


def _same(key: doubles.LinkedKey, what: str) -> str:
    return f"""select {what} from object_record r where r.object_type_id = %(type)s and r.deleted_at is null
        group by {", ".join(key.columns())} having count(*) > 1"""
