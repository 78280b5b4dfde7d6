"""Tables derived from the log: activities per type and day, and the values of short text fields.

Both tables are filled by reading the log up to its high-water mark, so that every activity is counted exactly
once; days from which rows were removed are counted again. Both can be deleted and rebuilt.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from activities.log import intervals
from activities.log.bots import IS_BOT_SQL
from activities.log.reader import high_water_mark
from activities.models import Activity, ApprovedField, DailyCount, LogPosition, SeenValue
from activities.types import standard as standard_types
from activities.types import standard_shapes
from people.core import installation, words
from people.core.db.value_sql import day_start_sql

NAME = "rollup"
CHUNK = 200_000  # ids a transaction: some hundred milliseconds
SUGGESTED = ("string", "link")  # data types whose values are worth suggesting, and no address of a person
# of standard types the primary field alone, and these by the type's number
SUGGESTED_OF_STANDARD = {standard_types.VISIT_WEB_PAGE: ("url", "page_title")}
VALUES_PER_FIELD = 500
IS_BOT = IS_BOT_SQL.format("")
_COUNTED = {False: "count", True: "count - bots"}  # by whether bots are left out
BOTS = "rollup of bots"  # its moment: the last recount of the days of types that mark bots
_COUNTS_BOTS = "0024_count_of_bots"
UPGRADE_LASTS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CountDifference:
    """A day whose stored count differs from the log."""

    activity_type_id: int
    day: date
    stored: int
    in_log: int
    stored_bots: int
    bots_in_log: int


def catch_up_rollup() -> int:
    """Read the log to its high-water mark; return the number of ids read.

    Concurrent runs are harmless: the second one waits, and then finds nothing to do.
    """
    position = LogPosition.objects.get_or_create(name=NAME)[0]
    if position.last_id and position.time_zone != installation.current_installation().time_zone:
        return rebuild_rollup()
    start = position.last_id
    mark = high_water_mark()
    while position.last_id < mark:
        position = _advance(mark)
    _queue_bots()
    _recount()
    LogPosition.objects.filter(name=NAME).update(read_at=timezone.now())
    return position.last_id - start


def rebuild_rollup() -> int:
    """Delete both tables' rows and read the whole log again; return the number of ids read."""
    with transaction.atomic():
        LogPosition.objects.get_or_create(name=NAME)
        LogPosition.objects.select_for_update().get(name=NAME)
        DailyCount.objects.all().delete()
        SeenValue.objects.all().delete()
        LogPosition.objects.filter(name=NAME).update(last_id=0, time_zone=installation.current_installation().time_zone)
    return catch_up_rollup()


def rollup_differences() -> list[CountDifference]:
    """Days whose count differs from the log up to the rollup's position; empty when all counts are right."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""with p as (select last_id, time_zone from log_position where name = %s),
            in_log as (select a.activity_type_id as type, (a.occurred_at at time zone p.time_zone)::date as day,
                     count(*), count(*) filter (where {IS_BOT}) as bots
                     from activity a, p where a.id <= p.last_id group by 1, 2)
            select coalesce(d.activity_type_id, in_log.type), coalesce(d.day, in_log.day),
                   coalesce(d.count, 0), coalesce(in_log.count, 0), coalesce(d.bots, 0), coalesce(in_log.bots, 0)
            from daily_count d full join in_log on in_log.type = d.activity_type_id and in_log.day = d.day
            where (d.count, d.bots) is distinct from (in_log.count, in_log.bots) order by 1, 2""",
            [NAME],
        )
        return [CountDifference(*row) for row in cursor.fetchall()]


def rollup_read_at() -> datetime | None:
    """The moment of the last reading of the log; None before the first."""
    return LogPosition.objects.filter(name=NAME).values_list("read_at", flat=True).first()


def rollup_position() -> int:
    """The id of the last activity that was counted; 0 before the first."""
    return LogPosition.objects.filter(name=NAME).values_list("last_id", flat=True).first() or 0


def daily_counts(type_ids: Sequence[int], first: date, last: date, *, without_bots: bool = False) -> dict[date, int]:
    """The number of activities of the types for each day from `first` to `last` that has any, in their order."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select day, sum({_COUNTED[without_bots]})::bigint from daily_count
            where activity_type_id = any(%s) and day between %s and %s group by day
            having sum({_COUNTED[without_bots]}) > 0 order by day""",
            [list(type_ids), first, last],
        )
        return dict(cursor.fetchall())


def daily_counts_by_type(first: date, last: date, *, without_bots: bool = False) -> dict[int, list[int]]:
    """The number of activities of each day from `first` to `last`, by type id; types without any are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select activity_type_id, day - %(first)s::date, sum({_COUNTED[without_bots]})::bigint from daily_count
            where day between %(first)s and %(last)s group by 1, 2""",
            {"first": first, "last": last},
        )
        counts = defaultdict[int, list[int]](lambda: [0] * ((last - first).days + 1))
        for type_id, number, count in cursor.fetchall():
            counts[type_id][number] = count
    return dict(counts)


def activity_count(type_ids: Sequence[int], first: date, last: date, *, without_bots: bool = False) -> int:
    """The number of activities of the types from day `first` to `last`."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select coalesce(sum({_COUNTED[without_bots]}), 0)::bigint from daily_count
            where activity_type_id = any(%s) and day between %s and %s""",
            [list(type_ids), first, last],
        )
        return int(cursor.fetchone()[0])


def count_with_before(
    type_ids: Sequence[int], first: date, last: date, *, without_bots: bool = False
) -> tuple[int, int]:
    """The number of activities of the types from day `first` to `last`, and of as many days before."""
    counted = f"coalesce(sum({_COUNTED[without_bots]})"
    length = last - first + timedelta(1)
    before = first - length if first - date.min >= length else date.min
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select {counted} filter (where day >= %(first)s), 0)::bigint,
                {counted} filter (where day < %(first)s), 0)::bigint
            from daily_count where activity_type_id = any(%(types)s) and day between %(before)s and %(last)s""",
            {"types": list(type_ids), "first": first, "last": last, "before": before},
        )
        now, before = cursor.fetchone()
        return int(now), int(before)


# the first day of the interval in which a day lies; a week begins %(week)s days after Monday
_STARTS = {
    "day": "day",
    "week": "day - (extract(isodow from day)::int + 6 - %(week)s) %% 7",
    **{interval: f"date_trunc('{interval}', day)::date" for interval in ("month", "quarter", "year")},
}


def interval_counts(
    type_ids: Sequence[int], first: date, last: date, interval: str, *, without_bots: bool = False
) -> list[tuple[date, int]]:
    """(first day, count) of each interval of the period, also without any; the outer ones may be cut by the period."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select {_STARTS[interval]}, sum({_COUNTED[without_bots]})::bigint from daily_count
            where activity_type_id = any(%(types)s) and day between %(first)s and %(last)s group by 1""",
            {
                "types": list(type_ids),
                "first": first,
                "last": last,
                "week": installation.current_installation().week_starts_on,
            },
        )
        counts = dict(cursor.fetchall())
    return [(start, counts.get(start, 0)) for start in intervals.interval_starts(first, last, interval)]


@dataclass(frozen=True, slots=True)
class ActivitySpan:
    """All activities of some types: their number, and the days of the first and the last."""

    total: int
    first: date | None
    last: date | None


def activity_span(type_ids: Sequence[int], *, without_bots: bool = False) -> ActivitySpan:
    """The span of the types over the whole rollup."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select coalesce(sum({_COUNTED[without_bots]}), 0)::bigint, min(day), max(day) from daily_count
            where activity_type_id = any(%s) and {_COUNTED[without_bots]} > 0""",
            [list(type_ids)],
        )
        return ActivitySpan(*cursor.fetchone())


def last_occurrences(type_ids: Sequence[int]) -> dict[int, datetime]:
    """The moment of each type's latest activity, from the log itself: one index scan for each type."""
    if not type_ids:
        return {}
    with connection.cursor() as cursor:
        branch = """(select activity_type_id, occurred_at from activity where activity_type_id = %s
            order by occurred_at desc limit 1)"""
        cursor.execute(" union all ".join([branch] * len(type_ids)), list(type_ids))
        return dict(cursor.fetchall())


def suggest_values(activity_type_id: int, field: str, beginning: str = "", limit: int = 10) -> list[str]:
    """Values of the field (API name) whose text contains `beginning`, the most frequent first.

    Case and accents are ignored; values that begin with it are first. For text fields only; never complete.
    """
    query = words.fold_text(beginning.strip())
    values = (
        SeenValue.objects.filter(activity_type_id=activity_type_id, field=field)
        .order_by("-times", "-last_seen_at", "value")
        .values_list("value", flat=True)
    )
    keyed = [(words.fold_text(value), value) for value in values]
    first = [value for key, value in keyed if key.startswith(query)]
    other = [value for key, value in keyed if query in key and not key.startswith(query)]
    return [*first, *other][:limit]


def has_suggestions(data_type: str, activity_type: str, field: str) -> bool:
    """Return whether values of a field are suggested; the type and the field by their API names."""
    of_standard = {standard_shapes.TYPES[pk].api_name: names for pk, names in SUGGESTED_OF_STANDARD.items()}
    return data_type in SUGGESTED or field in of_standard.get(activity_type, ())


def forget_values(activity: Activity) -> None:
    """Count the values of an activity that left the log once less; what nothing else had is proposed no more."""
    of_standard = Q(api_name__in=SUGGESTED_OF_STANDARD.get(activity.activity_type_id, ()))
    fields = ApprovedField.objects.filter(
        Q(data_type__in=SUGGESTED) | of_standard, activity_type_id=activity.activity_type_id
    )
    texts = {
        field.api_name: activity.primary_value if field.is_primary else activity.attributes.get(field.api_name)
        for field in fields
    }
    for field, value in texts.items():
        seen = SeenValue.objects.filter(activity_type_id=activity.activity_type_id, field=field, value=value)
        seen.update(times=F("times") - 1)
        seen.filter(times__lt=1).delete()


@transaction.atomic
def _advance(mark: int) -> LogPosition:
    position = LogPosition.objects.select_for_update().get(name=NAME)
    upto = min(mark, position.last_id + CHUNK)
    if upto <= position.last_id:
        return position
    position.time_zone = position.time_zone or installation.current_installation().time_zone
    with connection.cursor() as cursor:
        cursor.execute(
            f"""insert into daily_count (activity_type_id, day, count, bots)
            select activity_type_id, (occurred_at at time zone %s)::date, count(*), count(*) filter (where {IS_BOT})
            from activity where id > %s and id <= %s group by 1, 2
            on conflict (activity_type_id, day) do update
            set count = daily_count.count + excluded.count, bots = daily_count.bots + excluded.bots""",
            [position.time_zone, position.last_id, upto],
        )
        _note_values(cursor, position.last_id, upto)
    position.last_id = upto
    position.save(update_fields=["last_id", "time_zone"])
    return position


def _note_values(cursor: Any, after: int, upto: int) -> None:
    """Add the values of the ids after `after` up to `upto`, and keep the most frequent values of each field.

    Not the names of deleted people.
    """
    cursor.execute(
        """with seen as (
            select a.activity_type_id as type, f.api_name as field, a.occurred_at,
                   case when f.is_primary then a.primary_value else a.attributes ->> f.api_name end as value
            from activity a join approved_field f on f.activity_type_id = a.activity_type_id
            where a.id > %(after)s and a.id <= %(upto)s and f.activity_type_id <> %(deleted)s
              and (f.data_type = any(%(types)s) and (f.is_primary or f.activity_type_id >= 100000)
                or exists (select 1 from unnest(%(standard)s::int[], %(names)s::text[]) s (type, name)
                    where s.type = f.activity_type_id and s.name = f.api_name))),
        counted as (
            select type, field, value, count(*) as times, max(occurred_at) as last_seen_at,
                   row_number() over (partition by type, field order by count(*) desc, max(occurred_at) desc) as place
            from seen where value is not null and length(value) <= 255 group by 1, 2, 3)
        insert into seen_value (activity_type_id, field, value, times, last_seen_at)
        select type, field, value, times, last_seen_at from counted where place <= %(cap)s
        on conflict (activity_type_id, field, value) do update set times = seen_value.times + excluded.times,
            last_seen_at = greatest(seen_value.last_seen_at, excluded.last_seen_at)""",
        {
            "after": after,
            "upto": upto,
            "types": list(SUGGESTED),
            "standard": [pk for pk, names in SUGGESTED_OF_STANDARD.items() for _name in names],
            "names": [name for names in SUGGESTED_OF_STANDARD.values() for name in names],
            "deleted": standard_types.DELETE_PERSON,
            "cap": VALUES_PER_FIELD,
        },
    )
    cursor.execute(
        """delete from seen_value s using (
            select activity_type_id, field, value, row_number() over (
                partition by activity_type_id, field order by times desc, last_seen_at desc) as place
            from seen_value) r
        where r.place > %s and (s.activity_type_id, s.field, s.value) = (r.activity_type_id, r.field, r.value)""",
        [VALUES_PER_FIELD],
    )


@transaction.atomic
def _queue_bots() -> None:
    """Queue the days of types that mark bots for a recount: at the first run, and a day after the migration.

    A process of the version before, which may run beside this one until then, stores days without bots and takes what
    is queued.
    """
    values: dict[str, Any] = {"name": BOTS, "migration": _COUNTS_BOTS, "lasts": UPGRADE_LASTS}
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into log_position (name, last_id, time_zone, read_at)
            select %(name)s, 0, '', clock_timestamp() from django_migrations m
                left join log_position p on p.name = %(name)s
            where m.app = 'activities' and m.name = %(migration)s and (p.name is null
                or (p.read_at < m.applied + %(lasts)s and clock_timestamp() >= m.applied + %(lasts)s))
            on conflict (name) do update set read_at = excluded.read_at""",
            values,
        )
        if cursor.rowcount:
            cursor.execute(
                """insert into day_to_recount (person_id, activity_type_id, day, transaction_id)
                select 0, d.activity_type_id, d.day, pg_current_xact_id() from daily_count d join approved_field f
                    on f.activity_type_id = d.activity_type_id and f.api_name = %s and f.data_type = 'boolean'
                on conflict do nothing""",
                [standard_shapes.IS_BOT],
            )


@transaction.atomic
def _recount() -> None:
    """Count the days from which rows left the log again, up to the position."""
    position = LogPosition.objects.select_for_update().get(name=NAME)
    with connection.cursor() as cursor:
        cursor.execute("delete from day_to_recount returning activity_type_id, day")
        days_left = sorted(set(cursor.fetchall()))
        if not days_left:
            return
        touched = sorted({(pk, day + timedelta(days=n)) for pk, day in days_left for n in (-1, 0, 1)})
        values: dict[str, list[int] | list[date] | int | str] = {
            "types": [pk for pk, _day in touched],
            "days": [day for _pk, day in touched],
            "last": position.last_id,
            "zone": position.time_zone,
        }
        cursor.execute(
            """delete from daily_count d using unnest(%(types)s::int[], %(days)s::date[]) as t (type, day)
            where d.activity_type_id = t.type and d.day = t.day""",
            values,
        )
        cursor.execute(
            f"""insert into daily_count (activity_type_id, day, count, bots)
            select t.type, t.day, count(*), count(*) filter (where {IS_BOT})
            from unnest(%(types)s::int[], %(days)s::date[]) as t (type, day) join activity a
              on a.activity_type_id = t.type and a.id <= %(last)s
              and a.occurred_at >= {day_start_sql("t.day", "%(zone)s")}
              and a.occurred_at < {day_start_sql("t.day + 1", "%(zone)s")}
            group by 1, 2""",
            values,
        )
