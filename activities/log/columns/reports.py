"""Reports from the column index, with the same figures as the statements of `activities/log/reports.py`.

Rows are grouped here; the shown value of each group is read from the log by the id of one of its rows, as recorded.
"""

import logging
import math
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeVar

from activities.log.columns import files, session
from activities.log.columns.among import PeopleCondition, people_condition
from activities.log.columns.fields import AMOUNT_SCALE, StoredField
from activities.log.columns.files import DamagedFileError
from activities.log.columns.manifest import Manifest
from activities.log.columns.relation import IndexView, NotHeldError, RowRelation, Rows
from activities.models import ActivityType, ApprovedField
from people.core.db.value_sql import day_start_sql, is_compared_as_text

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)

MOST_NOT_LIVE = 100_000  # people who are not live, sent to a query
MOST_BUCKETS = 4_000_000  # intervals by which a trend groups
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# sums of numbers: integers in units of the last decimal place, as sums of doubles are inexact
_PLACES = {"integer": 0, "currency": AMOUNT_SCALE}


class TooSlowError(Exception):
    """The time limit of the report has passed."""


@dataclass(frozen=True, slots=True)
class Period:
    """The starts of the days of a report and of the day after it, in microseconds since 1970; only `people`, if any."""

    first: date
    day_starts: Sequence[int]
    people: PeopleCondition | None

    @property
    def where(self) -> str:
        """SQL of DuckDB over a relation; `people_parameters` are its values."""
        return f"occurred_at >= {self.day_starts[0]} and occurred_at < {self.day_starts[-1]} {self.of_people}"

    @property
    def of_people(self) -> str:
        """The condition on people alone, after others; `people_parameters` are its values."""
        return "" if self.people is None else f"and {self.people.sql}"

    def day_of(self, since_start: int) -> date:
        """The day of a moment, in microseconds since the start of the period."""
        number = bisect_right(self.day_starts, self.day_starts[0] + since_start) - 1
        return self.first + timedelta(days=number)

    @property
    def people_parameters(self) -> list[Any]:
        return [] if self.people is None else self.people.parameters


@dataclass(slots=True)
class ColumnReports:
    """Reports over the generation of `view`, in the snapshot that its statements run in."""

    view: IndexView
    deadline: float
    bot_fields: Mapping[int, int]  # by type: the field that marks bots, for types whose bots are left out

    def top_people(
        self,
        activity_type: ActivityType,
        period: Period,
        most: int,
        only: tuple[ApprovedField, str | None] | None = None,
    ) -> list[tuple[int, int, datetime]]:
        """(person id, count, latest moment) of the live people with most activities; `only`: of a value of a field."""
        if only is not None and not is_compared_as_text(only[0].data_type):
            raise NotHeldError("value")  # the text of a number or moment is not in the columns
        field_ids = [only[0].pk] if only else []
        rows = self.relation(activity_type.pk, field_ids, field_ids)
        narrowed = (
            f"and {self.view.stored_field(activity_type.pk, only[0].pk).grouped} is not distinct from ?" if only else ""
        )
        people = self.query(
            f"""select person, count(*), max(occurred_at) from ({rows.sql}) where {period.where}
            and person not in (select unnest(?::INTEGER[])) {narrowed}
            group by 1 order by 2 desc, 3 desc, 1 limit {int(most)}""",
            [*rows.parameters, *period.people_parameters, self.not_live(), *([only[1]] if only else [])],
        )
        return [(person, count, moment_of(latest)) for person, count, latest in people]

    def breakdown(
        self,
        activity_type: ActivityType,
        field: ApprovedField,
        total_of: ApprovedField | None,
        period: Period,
        most: int,
    ) -> list[tuple[str | None, int, int, Decimal | None]]:
        """(value, activities, people, sum) of the most frequent values."""
        grouped = self.view.stored_field(activity_type.pk, field.pk)
        summed = self.view.stored_field(activity_type.pk, total_of.pk) if total_of else None
        if summed is not None and summed.data_type not in _PLACES:
            raise NotHeldError("float")
        rows = self.relation(activity_type.pk, [field.pk, *([summed.id] if summed else [])], [field.pk])
        amount = summed.column if summed else "null::BIGINT"
        groups = self.query(
            f"""select sum(number)::BIGINT, count(*), sum(total), min(id) from (
                select {grouped.grouped} as value, count(*) as number, sum({amount}) as total, min(id) as id
                from ({rows.sql}) where {period.where} group by 1, person)
            group by value order by 1 desc, value nulls last limit {int(most)}""",
            [*rows.parameters, *period.people_parameters],
        )
        values = self.values(grouped, [group[3] for group in groups])
        places = _PLACES[summed.data_type] if summed else 0
        return [
            (values[row], number, people, None if total is None else Decimal(total).scaleb(-places))
            for number, people, total, row in groups
        ]

    def trend(self, activity_type: ActivityType, period: Period) -> list[tuple[date, int]]:
        """The number of activities of each day that has any."""
        rows = self.relation(activity_type.pk, ())
        width = _bucket_width(period)
        counts: dict[date, int] = {}
        for bucket, number in self.query(
            f"""select (occurred_at - {period.day_starts[0]}) // {width}, count(*) from ({rows.sql})
            where {period.where} group by 1""",
            [*rows.parameters, *period.people_parameters],
        ):
            day = period.day_of(bucket * width)
            counts[day] = counts.get(day, 0) + number
        return sorted(counts.items())

    def value_trend(
        self, activity_type: ActivityType, field: ApprovedField, period: Period, most: int
    ) -> list[tuple[date, int | None, str | None, int]]:
        """(day, rank, value, number) of the most frequent values; the rest has neither rank nor value."""
        grouped = self.view.stored_field(activity_type.pk, field.pk)
        rows = self.relation(activity_type.pk, [field.pk], [field.pk])
        width = _bucket_width(period)
        groups = self.query(
            f"""with counts as materialized (
                select (occurred_at - {period.day_starts[0]}) // {width} as bucket, {grouped.grouped} as value,
                    count(*) as number, min(id) as id from ({rows.sql}) where {period.where} group by 1, 2),
            ranks as materialized (
                select value, min(id) as id, row_number() over (
                    order by sum(number) desc, value nulls last) as rank
                from counts group by value order by rank limit {int(most)})
            select bucket, rank, ranks.id, sum(number)::BIGINT from counts
            left join ranks on counts.value is not distinct from ranks.value group by 1, 2, 3""",
            [*rows.parameters, *period.people_parameters],
        )
        values = self.values(grouped, {row for _bucket, rank, row, _number in groups if rank is not None})
        counts: dict[tuple[date, int | None, str | None], int] = {}
        for bucket, rank, row, number in groups:
            day = period.day_of(bucket * width)
            key = (day, rank, values[row] if rank is not None else None)
            counts[key] = counts.get(key, 0) + number
        ordered = sorted(counts.items(), key=lambda group: (group[0][0], group[0][1] is None, group[0][1] or 0))
        return [(*key, number) for key, number in ordered]

    def funnel(self, types: Sequence[ActivityType], period: Period) -> list[tuple[int, int, int, int | None]]:
        """(step, 0, live people who reached it, median of the time since the step before in microseconds)."""
        steps, parameters = self.steps(types, period)
        return self.query(f"with {steps} {funnel_figures_sql(len(types))}", parameters)

    def people_at_step(self, types: Sequence[ActivityType], period: Period, most: int) -> list[tuple[int, datetime]]:
        """(person id, moment) of the people who reached the last step, the latest `most` of them."""
        steps, parameters = self.steps(types, period)
        sql = f"with {steps} select person, moment from s{len(types) - 1} order by 2 desc, 1 limit {int(most)}"
        return [(person, moment_of(moment)) for person, moment in self.query(sql, parameters)]

    def steps(
        self, types: Sequence[ActivityType], period: Period, first_step: tuple[str, list[Any]] | None = None
    ) -> tuple[str, list[Any]]:
        """Expressions s0, s1 … of the people who reached each step, the moment, that of the step before; parameters.

        `first_step` is another expression s0, which ranks people, and its parameters.
        """
        first, parameters = first_step or self._first_step(types[0], period)
        steps = [first]
        for number, activity_type in enumerate(types[1:], 1):
            rows = self.relation(activity_type.pk, ())
            parameters = [*parameters, *rows.parameters, *period.people_parameters]
            steps.append(
                f"""s{number} as materialized (
                select person, min(occurred_at) as moment, b.moment as before, b.rank
                from ({rows.sql}) rows join s{number - 1} b using (person)
                where {period.where} and occurred_at > b.moment group by 1, 3, 4)"""
            )
        return ", ".join(steps), parameters

    def _first_step(self, activity_type: ActivityType, period: Period) -> tuple[str, list[Any]]:
        rows = self.relation(activity_type.pk, ())
        sql = f"""s0 as materialized (select person, min(occurred_at) as moment, 0 as rank from ({rows.sql}) rows
            where {period.where} and person not in (select unnest(?::INTEGER[])) group by 1)"""
        return sql, [*rows.parameters, *period.people_parameters, self.not_live()]

    def relation(self, type_id: int, field_ids: Sequence[int], as_stored: Sequence[int] = ()) -> RowRelation:
        """The rows of a type with the columns of these fields; without those of bots if the type is in `bot_fields`."""
        if (bot_field := self.bot_fields.get(type_id)) is None:
            return self.view.relation(type_id, field_ids, as_stored)
        rows = self.view.relation(type_id, [*field_ids, bot_field], as_stored)
        column = self.view.stored_field(type_id, bot_field).column
        return replace(rows, sql=f"select * from ({rows.sql}) where {column} is distinct from 1")

    def query(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        """The rows of a query of DuckDB. Raises `TooSlowError`."""
        return list(session.duck_session().rows(sql, parameters, self._pulse))

    def _pulse(self) -> None:
        if time.monotonic() > self.deadline:
            raise TooSlowError
        self.view.rows(session.PULSE, ())

    def not_live(self) -> list[int]:
        """The ids of people who are not live. Raises `NotHeldError` if they are many."""
        people = self.view.rows(f"select id from person where state <> 'live' limit {MOST_NOT_LIVE + 1}", ())
        if len(people) > MOST_NOT_LIVE:
            raise NotHeldError("people")
        return [person for (person,) in people]

    def values(self, field: StoredField, ids: Sequence[int] | set[int]) -> dict[int, str | None]:
        """The value of a field in these rows of the log, as recorded, by the id of the row."""
        rows = self.view.rows(f"select id, {field.raw} from activity where id = any(%s)", (list(ids),))
        return {row[0]: row[1] for row in rows}


def funnel_figures_sql(steps: int) -> str:
    """SQL over the expressions of a funnel for (step, rank, people, median of the time since the step before)."""
    return " union all ".join(
        f"select {step}, rank, count(*), {'quantile_disc(moment - before, 0.5)' if step else 'null::BIGINT'}"
        f" from s{step} group by rank"
        for step in range(steps)
    )


def moment_of(microseconds: int) -> datetime:
    """The moment of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


def day_starts(first: date, last: date, zone: str, rows: Rows) -> list[int]:
    """The starts of the days from `first` to the one after `last` in a zone, in microseconds since 1970."""
    sql = f"""select (extract(epoch from {day_start_sql("day", "%s")}) * 1000000)::bigint
        from generate_series(%s::timestamp, %s::timestamp, '1 day') day order by day"""
    return [start for (start,) in rows(sql, (zone, first, last + timedelta(days=1)))]


def report_from_columns(
    pinned: Manifest,
    types: Sequence[ActivityType],
    period: tuple[date, date, str, Sequence[int] | None],
    seconds: float,
    rows: Rows,
    answer: Callable[[ColumnReports, Period], Answer],
    bot_fields: Mapping[int, int],
) -> Answer | None:
    """The result of `answer`, or None if the index cannot give it exactly.

    `pinned` was read before the snapshot in which `rows` runs statements; `period`: the first and the last day, their
    zone, and the people, or None for all. `bot_fields`: of the types whose rows of bots are left out. Raises
    `TooSlowError` after `seconds`.
    """
    if any(activity_type.pk not in pinned.types for activity_type in types):
        return None
    first, last, zone, people = period
    try:
        reports = ColumnReports(IndexView(pinned, rows), time.monotonic() + seconds, bot_fields)
        reports.view.entry(types[0].pk)  # first of all: an unusable generation raises here
        named = None if people is None else people_condition(people)
        return answer(reports, Period(first, day_starts(first, last, zone, rows), named))
    except NotHeldError:
        return None
    except (DamagedFileError, session.Error, OSError) as error:
        if isinstance(error, DamagedFileError):
            files.require_new_check(pinned.files)
        logger.warning("the column index could not answer a report, and SQL does: %s", str(error).partition("\n")[0])
        return None


def _bucket_width(period: Period) -> int:
    """The widest interval, in microseconds, of which every day of the period is a multiple.

    Days are 23 to 25 hours long; usually an hour, half an hour or less where the clocks change by that much. Raises
    `NotHeldError` if the period has more than `MOST_BUCKETS` of them.
    """
    width = math.gcd(*(end - start for start, end in pairwise(period.day_starts)))
    if (period.day_starts[-1] - period.day_starts[0]) // width > MOST_BUCKETS:
        raise NotHeldError("days")
    return width
