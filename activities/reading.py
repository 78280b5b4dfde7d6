"""To read the log: in the order it was written, each activity exactly once; and a person's timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from activities.models import Activity
from people.locks import KEY_BITS, Space

MAX_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Position:
    """How far a reader has come: everything up to `last_id` was delivered.

    Of what was recorded up to `issued_at_mark`, only activities that occurred at `since` or later are
    delivered; whatever is recorded after it is delivered whenever it occurred, so that a poller misses no
    back-dated row.
    """

    since: datetime | None
    issued_at_mark: int
    last_id: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    activities: Sequence[Activity]
    position: Position  # where to go on
    has_more: bool


def high_water_mark() -> int:
    """The greatest id up to which every activity that will ever be there is visible now.

    A recorder reads the sequence, takes a shared lock on that value and only then takes ids; so any id
    still uncommitted is greater than some held value, or than the sequence value read first here. Needs READ
    COMMITTED, two statements in this order, on the primary.
    """
    with connection.cursor() as cursor:
        cursor.execute("select case when is_called then last_value else 0 end from activity_id_seq")
        (mark,) = cursor.fetchone()
        cursor.execute(
            """select min(((classid::bigint & ((1 << 24) - 1)) << 32) | objid::bigint) from pg_locks
            where locktype = 'advisory' and objsubid = 1 and classid::bigint >> %s = %s and granted
              and database = (select oid from pg_database where datname = current_database())""",
            [KEY_BITS - 32, Space.HIGH_WATER],
        )
        (held,) = cursor.fetchone()
    return mark if held is None else min(mark, held)


def start(since: datetime | None = None) -> Position:
    """Where a reader begins who wants what occurred at `since` or later, and all that comes in from now on."""
    return Position(since, high_water_mark())


def read(
    position: Position, type_ids: Sequence[int], person_ids: Sequence[int] | None = None, limit: int = 300
) -> Page:
    """Up to `limit` activities of the types after `position`, ascending by id; three statements.

    `person_ids` narrows to these people. `has_more` says that the next page has something now.
    """
    mark = high_water_mark()
    rows = _after(position, mark, type_ids, person_ids, limit + 1)
    has_more = len(rows) > limit
    rows = rows[:limit]
    last_id = rows[-1].pk if has_more else max(mark, position.last_id)
    return Page(rows, Position(position.since, position.issued_at_mark, last_id), has_more)


def _after(
    position: Position, mark: int, type_ids: Sequence[int], person_ids: Sequence[int] | None, limit: int
) -> list[Activity]:
    """One index range a type, merged: the planner cannot merge them for `= any(types) order by id`."""
    wanted = "and a.person_id = any(%(people)s)" if person_ids is not None else ""
    sql = f"""
        select r.* from unnest(%(types)s::int[]) as t (id), lateral (
            select a.* from activity a
            where a.activity_type_id = t.id and a.id > %(last)s and a.id <= %(mark)s
              and (a.id > %(issued)s or %(since)s::timestamptz is null or a.occurred_at >= %(since)s) {wanted}
            order by a.id limit %(limit)s) r
        order by r.id limit %(limit)s"""
    parameters = {
        "types": list(set(type_ids)),
        "last": position.last_id,
        "mark": mark,
        "issued": position.issued_at_mark,
        "since": position.since,
        "people": list(person_ids or ()),
        "limit": limit,
    }
    return list(Activity.objects.raw(sql, parameters))


def timeline(
    person_id: int,
    *,
    type_ids: Sequence[int] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: tuple[datetime, int] | None = None,
    limit: int = 50,
) -> list[Activity]:
    """One person's activities, newest first; one statement.

    `since` is included, `until` is not. `before` is (occurred_at, id) of the last one seen: keyset paging.
    """
    activities = Activity.objects.of_person(person_id).newest_first()
    if type_ids is not None:
        activities = activities.filter(activity_type_id__in=type_ids)
    if since is not None:
        activities = activities.filter(occurred_at__gte=since)
    if until is not None:
        activities = activities.filter(occurred_at__lt=until)
    if before is not None:
        activities = activities.extra(where=["(occurred_at, id) < (%s, %s)"], params=list(before))
    return list(activities[:limit])
