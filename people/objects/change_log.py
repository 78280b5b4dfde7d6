"""Reads the changes of records in the order of their ids: each once, whatever commits later with a smaller id.

The way of the activity log (`activities.log.reader`): a trigger takes a shared lock that carries the sequence's value
before ids are given, and a reader goes no further than the smallest of these values.
"""

from collections.abc import Sequence

from django.db import connection

from people.core.db.locks import KEY_BITS, LockSpace
from people.core.db.sequences import last_value_sql
from people.models import ObjectChange

NEWEST = last_value_sql("object_change_id_seq")
HELD = f"""select min(((classid::bigint & ((1 << 24) - 1)) << 32) | objid::bigint) from pg_locks
    where locktype = 'advisory' and objsubid = 1 and classid::bigint >> {KEY_BITS - 32} = {LockSpace.OBJECT_CHANGES:d}
      and granted and database = (select oid from pg_database where datname = current_database())"""


def high_water_mark() -> int:
    """The greatest id up to which no change can appear any more: all are visible now.

    Needs READ COMMITTED, and two statements in this order.
    """
    with connection.cursor() as cursor:
        cursor.execute(NEWEST)
        (newest,) = cursor.fetchone()
        cursor.execute(HELD)
        (held,) = cursor.fetchone()
    return int(newest if held is None else min(newest, held))


def read_changes(
    last_id: int, limit: int, object_type_ids: Sequence[int] | None = None
) -> tuple[list[ObjectChange], int]:
    """The next changes after id `last_id`, of some types or of all, in order, at most `limit`; and where to continue.

    Pass few types: each is read in the order of its ids from the index `object_change_log`.
    """
    mark = high_water_mark()
    rows = ObjectChange.objects.filter(pk__gt=last_id, pk__lte=mark).order_by("pk")
    if object_type_ids is not None:
        rows = rows.filter(object_type_id__in=object_type_ids)
    changes = list(rows[:limit])
    return changes, changes[-1].pk if len(changes) == limit else max(mark, last_id)


def changed_record_ids(
    last_id: int, upto_id: int, limit: int, object_type_ids: Sequence[int]
) -> tuple[Sequence[int], int]:
    """The records of the next changes of some types after id `last_id` up to `upto_id`, and where to continue.

    At most `limit` changes are read; `upto_id` is not beyond the high-water mark.
    """
    rows = ObjectChange.objects.filter(pk__gt=last_id, pk__lte=upto_id, object_type_id__in=object_type_ids)
    changes = list(rows.order_by("pk").values_list("pk", "record_id")[:limit])
    record_ids = sorted({record_id for _pk, record_id in changes})
    return record_ids, changes[-1][0] if len(changes) == limit else max(upto_id, last_id)
