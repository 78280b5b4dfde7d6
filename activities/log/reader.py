"""Readers of the log: in the order of recording, each activity exactly once; and a person's timeline."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import connection, transaction
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

from activities.log import page_sql
from activities.models import Activity, ActivityFlag
from activities.querysets import ActivityQuerySet
from people.core.db import citus, locks, prepared
from people.core.db.locks import KEY_BITS, LockSpace
from people.core.db.moments import load_moments_quickly
from people.core.db.sequences import last_value_sql
from people.datatypes.canonical import ExactDecoder

MAX_PAGE = 1_000
AHEAD = timedelta(minutes=10)  # activities further ahead of their recording are in the index `activity_ahead`
# `recorded_at` grows with the id, except for differing clocks of servers and for the duration of a transaction.
DISORDER = timedelta(hours=1)
# a new token searches at most this many ids for the first that qualifies; a page skips the rest
PASSED_OVER = 10_000
TIMELINE = 50  # activities of a page
# `search_activities` reads this many ids at once at first, and this long for one page
SEARCH_SPAN, SEARCH_SECONDS = 50_000, 1.0


@dataclass(frozen=True, slots=True)
class ReadPosition:
    """The position of a reader: everything up to `last_id` was delivered.

    Of the activities recorded up to `issued_at_mark`, only those that occurred at `since` or later are delivered.
    Activities recorded later are delivered whenever they occurred, so that a poller misses no back-dated row.
    """

    since: datetime | None
    issued_at_mark: int
    last_id: int = 0


@dataclass(frozen=True, slots=True)
class ActivityCondition:
    """A condition of a reader besides types and people: SQL about `a`, an activity, and its parameters."""

    sql: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


class ActivityRow(NamedTuple):
    """An activity as readers of the log return it: the columns of the model, without the cost of models."""

    id: int
    person_id: int
    activity_type_id: int
    version: int
    occurred_at: datetime
    recorded_at: datetime
    primary_value: str | None
    channel: int
    user_id: int | None
    origin_id: int | None
    original_person_id: int | None
    flags: int
    attributes: dict[str, Any]

    @property
    def pk(self) -> int:
        return self.id

    @property
    def is_backfill(self) -> bool:
        return bool(self.flags & ActivityFlag.BACKFILL)


Row = TypeVar("Row", ActivityRow, Activity)


@dataclass(frozen=True, slots=True)
class ActivityPage(Generic[Row]):
    activities: Sequence[Row]
    position: ReadPosition  # the start of the next page
    has_more: bool


NEWEST = last_value_sql("activity_id_seq")
HELD = f"""select min(((classid::bigint & ((1 << 24) - 1)) << 32) | objid::bigint) from pg_locks
    where locktype = 'advisory' and objsubid = 1 and classid::bigint >> {KEY_BITS - 32} = {LockSpace.HIGH_WATER:d}
      and granted and database = (select oid from pg_database where datname = current_database())"""


def high_water_mark() -> int:
    """The greatest id up to which no activity can appear any more: all are visible now.

    A recorder reads the sequence, takes a shared lock on that value and only then takes ids; so any id
    still uncommitted is greater than some held value, or than the sequence value read first here. Needs READ
    COMMITTED, two statements in this order, on the primary.

    On a cluster a worker holds a lock of its own until its part of a transaction is visible, also after the
    coordinator has committed; so the workers are queried last. There one function does all three.
    """
    if not citus.is_distributed():
        return _mark_here()
    with connection.cursor() as cursor:
        cursor.execute("select high_water_of_cluster()")
        (mark,) = cursor.fetchone()
    return mark


def _mark_here() -> int:
    with prepared.prepared_cursor() as cursor:
        cursor.execute(NEWEST)
        (mark,) = cursor.fetchone()
        cursor.execute(HELD)
        (lowest_lock,) = cursor.fetchone()
    return mark if lowest_lock is None else min(mark, lowest_lock)


def start_position(since: datetime | None = None) -> ReadPosition:
    """The start position for activities that occurred at `since` or later, and all recorded from now on."""
    mark = _mark_here()  # a worker's lock may be held for moving rows, far below the newest ids: irrelevant here
    return ReadPosition(since, mark, 0 if since is None else _first_id(since, mark) - 1)


def _first_id(since: datetime, mark: int) -> int:
    """An id below which nothing occurred at `since` or later; two statements, some 30 index probes and a short scan.

    Any row that was recorded before since - AHEAD - DISORDER proves that all rows before it were recorded
    before since - AHEAD, and so occurred before since, unless `activity_ahead` has them. A binary search over
    the ids finds a late one of these rows, not necessarily the last one. Rows after it that occurred before since
    are skipped here, once, so that the first page need not do it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select first_activity_id(%s, %s::timestamptz, %s::timestamptz)", [mark, since, since - AHEAD - DISORDER]
        )
        (first_id,) = cursor.fetchone()
        if citus.is_distributed():  # rows below the coordinator's mark may be invisible still
            return first_id
        cursor.execute(
            """select id from (
                select id, occurred_at from activity where id >= %s and id <= %s order by id limit %s) as passed
            where occurred_at >= %s order by id limit 1""",
            [first_id, mark, PASSED_OVER, since],
        )
        row = cursor.fetchone()
    return first_id if row is None else row[0]


def read_activities(
    position: ReadPosition,
    type_ids: Sequence[int],
    person_ids: Sequence[int] | None = None,
    limit: int = 300,
    conditions: Sequence[ActivityCondition] = (),
) -> ActivityPage[ActivityRow]:
    """Up to `limit` activities of the types after `position`, ascending by id; three statements.

    `person_ids` narrows to these people (a few hundred at most), `conditions` to activities that meet all of them.
    `has_more`: the next page is not empty now.
    """
    with _without_merges():
        mark = high_water_mark()
        rows = _after(position, mark, type_ids, person_ids, limit + 1, conditions)
    has_more = len(rows) > limit
    rows = rows[:limit]
    last_id = rows[-1].pk if has_more else max(mark, position.last_id)
    return ActivityPage(rows, ReadPosition(position.since, position.issued_at_mark, last_id), has_more)


@contextmanager
def _without_merges() -> Iterator[None]:
    """Lock merges out while rows are read: on a cluster moved rows may leave one worker before they reach another."""
    if not citus.is_distributed():
        yield
        return
    with transaction.atomic():
        locks.acquire_shared([locks.lock_key(LockSpace.PEOPLE)])
        yield


def static_list_condition(static_list_id: int) -> ActivityCondition:
    """The condition for activities of people who are on the static list now."""
    return ActivityCondition(
        "a.person_id in (select person_id from static_list_member where static_list_id = %(list)s)",
        {"list": static_list_id},
    )


def search_activities(position: ReadPosition, rows: ActivityQuerySet, limit: int = 300) -> ActivityPage[Activity]:
    """Like `read_activities`, for any filter on the log: up to `limit` of `rows` after `position`, ascending by id.

    Searches for a second at most. So a page may be short, even empty, while more pages follow.
    """
    activities: list[Activity] = []
    last, span, start = position.last_id, SEARCH_SPAN, monotonic()
    with _without_merges():
        mark = high_water_mark()
        while last < mark and len(activities) <= limit and (now := monotonic()) < start + SEARCH_SECONDS:
            upper = min(mark, last + span)
            activities += rows.filter(pk__gt=last, pk__lte=upper).order_by("pk")[: limit + 1 - len(activities)]
            last, span = upper, span * 4 if monotonic() - now < SEARCH_SECONDS / 10 else span
    if len(activities) > limit:
        return ActivityPage(activities[:limit], replace(position, last_id=activities[limit - 1].pk), True)
    return ActivityPage(activities, replace(position, last_id=max(last, position.last_id)), last < mark)


def _after(
    position: ReadPosition,
    mark: int,
    type_ids: Sequence[int],
    person_ids: Sequence[int] | None,
    limit: int,
    conditions: Sequence[ActivityCondition],
) -> list[ActivityRow]:
    types = sorted({int(type_id) for type_id in type_ids})
    parameters: dict[str, Any] = {
        "types": types,
        "last": position.last_id,
        "mark": mark,
        "issued": min(position.issued_at_mark, mark),
        "since": position.since,
        "people": list(person_ids or ()),
        "limit": limit,
        "passed": 2 * limit,
    }
    for condition in conditions:
        parameters.update(condition.parameters)
    of_ranges = [
        (" and ".join([ids, *(condition.sql for condition in conditions)]), is_since)
        for ids, is_since in _ranges(position, mark)
    ]
    sql = page_sql.of_types(_ROW, types, of_ranges) if person_ids is None else page_sql.of_people(_ROW, of_ranges)
    with connection.cursor() as cursor:
        load_moments_quickly(cursor)
        cursor.execute(sql, parameters)
        return [ActivityRow._make((*row[:-1], _scan(row[-1], 0)[0])) for row in cursor.fetchall()]


_COLUMN_OF = {field.attname: field.column for field in Activity._meta.concrete_fields}
_COLUMNS = ", ".join(f"a.{_COLUMN_OF[name]}" for name in ActivityRow._fields)
_ROW = f"select {_COLUMNS} from activity a"
_scan = ExactDecoder().scan_once  # without the search for spaces around a value: jsonb has none there


def _ranges(position: ReadPosition, mark: int) -> list[tuple[str, bool]]:
    """SQL of the ids still to be read; True with those from before the token, which must have occurred late enough."""
    if position.since is None:
        return [("a.id > %(last)s and a.id <= %(mark)s", False)]
    ranges = []
    if position.last_id < position.issued_at_mark:
        ranges.append(("a.id > %(last)s and a.id <= %(issued)s", True))
    if mark > position.issued_at_mark:
        ranges.append(("a.id > greatest(%(last)s, %(issued)s) and a.id <= %(mark)s", False))
    return ranges or [("false", False)]


def person_timeline(person_id: int, *, limit: int = TIMELINE, **narrowed: Any) -> list[Activity]:
    """One person's activities, newest first; one statement, narrowed by the arguments of `_timeline`."""
    return list(_timeline(person_id, **narrowed)[:limit])


def _timeline(
    person_id: int,
    *,
    type_ids: Sequence[int] | None = None,
    containing: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: tuple[datetime, int] | None = None,
) -> ActivityQuerySet[Activity]:
    """`containing` ignores case. `since` is included, `until` not. `before`: (occurred_at, id) of the last one seen."""
    activities = Activity.objects.of_person(person_id).newest_first()
    if type_ids is not None:
        activities = activities.filter(activity_type_id__in=type_ids)
    if containing is not None:
        activities = activities.with_value_containing(containing)
    if since is not None:
        activities = activities.filter(occurred_at__gte=since)
    if until is not None:
        activities = activities.filter(occurred_at__lt=until)
    if before is not None:
        activities = activities.filter(RawSQL("(occurred_at, id) < (%s, %s)", before, BooleanField()))
    return activities


def timeline_with_types(
    person_id: int, *, limit: int = TIMELINE, among: int = 1_000, **narrowed: Any
) -> tuple[Sequence[Activity], set[int]]:
    """The `person_timeline`, and the ids of the types of the person's `among` latest activities.

    One statement; two where the timeline is empty.
    """
    newest = Activity.objects.of_person(person_id).newest_first().values("activity_type_id")[:among]
    sql, parameters = newest.query.sql_with_params()
    types = f"(select array_agg(distinct activity_type_id) from ({sql}) latest)"
    rows: Any = _timeline(person_id, **narrowed).annotate(types_there=RawSQL(types, parameters))  # once for all rows
    activities = list(rows[:limit])
    if activities:
        return activities, set(activities[0].types_there)
    with connection.cursor() as cursor:
        cursor.execute(f"select {types}", parameters)
        return [], set(cursor.fetchone()[0] or ())


@dataclass(frozen=True, slots=True)
class TypeCount:
    """The number of a person's activities of a type, and the moment of the latest."""

    type_id: int
    count: int
    last: datetime


def count_by_type(person_id: int, among: int) -> list[TypeCount]:
    """Counts by type of the person's `among` latest activities, the most frequent first; one index scan."""
    newest = Activity.objects.of_person(person_id).newest_first().values("activity_type_id", "occurred_at")[:among]
    sql, parameters = newest.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select activity_type_id, count(*), max(occurred_at) from ({sql}) latest
            group by activity_type_id order by 2 desc, 1""",
            parameters,
        )
        return [TypeCount(*row) for row in cursor.fetchall()]


def latest_of_type(type_id: int, limit: int) -> list[Activity]:
    """The latest activities of a type by occurrence, the newest first; one index scan."""
    return list(Activity.objects.filter(activity_type_id=type_id).order_by("-occurred_at")[:limit])


@dataclass(frozen=True, slots=True)
class PersonActivityCount:
    """The number of a type's activities of one person, and the moment of the latest."""

    person_id: int
    count: int
    last: datetime


def people_of_type(
    type_id: int, since: datetime | None, until: datetime, among: int
) -> tuple[list[PersonActivityCount], bool]:
    """The people of the type's `among` latest activities before `until`, the latest first; one index scan.

    `since` is included. True: there are more activities than that in the period.
    """
    bound = "" if since is None else "and occurred_at >= %(since)s"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select person_id, count(*), max(occurred_at) from (
                select person_id, occurred_at from activity
                where activity_type_id = %(type)s {bound} and occurred_at < %(until)s
                order by occurred_at desc limit %(among)s) latest
            group by person_id order by 3 desc, 1""",
            {"type": type_id, "since": since, "until": until, "among": among + 1},
        )
        people = [PersonActivityCount(*row) for row in cursor.fetchall()]
    return people, sum(person.count for person in people) > among


def top_primary_values(type_id: int, among: int, limit: int = 8) -> list[tuple[str, int]]:
    """The most frequent primary values among the type's `among` activities recorded last, with their counts."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select primary_value, count(*) from (
                select primary_value from activity where activity_type_id = %s order by id desc limit %s) recorded
            where primary_value is not null group by 1 order by 2 desc, 1 limit %s""",
            [type_id, among, limit],
        )
        return cursor.fetchall()
