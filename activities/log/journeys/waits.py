"""The report on the time to the next activity: from one of a type to the next of another, of the same person.

It begins with a person's first activity in the period and ends with the next one, at a later moment, whenever that was:
the same type twice is the time until it was repeated. Times are exact, in microseconds; a share of the people is within
a time that one of them took (nearest rank), never one between two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from activities.log import reports, rollup
from activities.log.columns import journeys as columns
from activities.log.columns.journeys import BUCKETS, QUANTILES
from activities.log.journeys.question import JourneyQuestion

NEVER = -1  # in the place of a bucket: the people who did not do it
_END = date(9999, 12, 30)  # of the rollup: the next activity is searched in all that follows


@dataclass(frozen=True, slots=True)
class WaitTimes:
    """The people who began, those who continued by bucket, and the time within which each share of these did."""

    started: int
    buckets: Sequence[int]  # as BUCKETS
    within: Mapping[int, int]  # microseconds by QUANTILES; empty if no person continued

    @property
    def finished(self) -> int:
        return sum(self.buckets)


def wait_times(question: JourneyQuestion) -> WaitTimes:
    """The times to the next activity. Raises `RejectedError`."""
    reports.check_scope(question.scope)

    def by_sql() -> list[Any]:
        expressions, parameters = _expressions(question)
        return reports.scope_rows(f"with {expressions} {columns.wait_figures_sql('/')}", question.scope, parameters)

    rows = reports.exact_answer(
        question.types,
        question.scope,
        lambda index, period: columns.wait_figures(index, period, question.first_type, question.then, question.only),
        by_sql,
    )
    figures = {(kind, place): number for kind, place, number in rows}
    within = {share: figures.get(("within", share)) for share in QUANTILES}
    return WaitTimes(
        figures["started", 0],
        [figures.get(("bucket", place), 0) for place in range(1, len(BUCKETS) + 1)],
        {share: wait for share, wait in within.items() if wait is not None},
    )


def people_who_waited(question: JourneyQuestion, bucket: int) -> list[tuple[int, Any, Any]]:
    """(person id, first moment, next moment) of the people of a bucket of BUCKETS, or of those who NEVER did.

    The latest `MOST_PEOPLE` of them. Raises `RejectedError`.
    """
    reports.check_scope(question.scope)
    bounds = None if bucket == NEVER else bucket_bounds(bucket)

    def by_sql() -> list[Any]:
        expressions, parameters = _expressions(question)
        sql = f"""with {expressions} select person, moment, following from waits
            where {columns.in_bucket_sql(bounds)} order by 2 desc, 1 limit {reports.MOST_PEOPLE}"""
        return reports.scope_rows(sql, question.scope, parameters)

    return reports.exact_answer(
        question.types,
        question.scope,
        lambda index, period: columns.people_who_waited(
            index, period, (question.first_type, question.then, question.only), bounds, reports.MOST_PEOPLE
        ),
        by_sql,
    )


def bucket_bounds(bucket: int) -> tuple[int, int | None]:
    """The shortest time of a bucket and of the next one, in seconds."""
    return bucket, next((start for start in BUCKETS if start > bucket), None)


def count_activities_to_read(question: JourneyQuestion) -> int:
    """The most activities that the report reads."""
    scope = question.scope
    reports.check_scope(scope)
    return rollup.activity_count([question.first_type.pk], scope.first, scope.last) + rollup.activity_count(
        [question.then.pk], scope.first, _END
    )


def _expressions(question: JourneyQuestion) -> tuple[str, dict[str, Any]]:
    """The expression waits (person, moment, following, wait), a row for each person who began, and its parameters."""
    field = question.field
    narrowed = f"and {reports.value_of_field(field, '%(field)s')} is not distinct from %(value)s" if field else ""
    expressions = f"""starts as materialized (select a.person_id, min(a.occurred_at) as moment from activity a
            join person p on p.id = a.person_id and p.state = 'live'
            where {reports.WITHIN_SCOPE} {narrowed} group by 1),
        nexts as materialized (select a.person_id, min(a.occurred_at) as following from activity a
            join starts s on s.person_id = a.person_id and a.occurred_at > s.moment
            where a.activity_type_id = %(then)s and a.occurred_at >= {reports.FIRST_MOMENT} and {reports.OF_SCOPE}
            group by 1),
        waits as materialized (select s.person_id as person, s.moment, n.following,
            (extract(epoch from n.following - s.moment) * 1000000)::bigint as wait
            from starts s left join nexts n on n.person_id = s.person_id)"""
    return expressions, {
        "type": question.first_type.pk,
        "then": question.then.pk,
        "field": field.api_name if field else None,
        "value": question.value,
        "seconds": [seconds * columns.SECOND for seconds in BUCKETS],
    }
