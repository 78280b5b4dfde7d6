"""The retention report: people by the interval of their first activity, and who of them did something in later ones.

The first activity is the first ever, so that no person is new twice; who did it before the period is in no cohort.
Intervals are those of the calendar: period 0 is the interval of the first activity itself, and what happened in it
before that activity does not count. Periods that have not ended are reported as such; those that have not begun have no
figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from activities.log import intervals, reports, rollup
from activities.log.columns import journeys as columns
from activities.log.journeys.question import JourneyQuestion
from people.core.codes import Code
from people.core.errors import Problem, RejectedError

MOST_COHORTS = 100
MOST_LATER = 30  # periods after the first
_BEGINNING = date(1, 1, 1)  # of the rollup: first activities are searched in all of the log
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortQuestion(JourneyQuestion):
    """People whose first activity of `first_type` lies in the scope, by intervals, and their later ones of `then`.

    `interval` is day, week or month; `later` the number of intervals after the first.
    """

    interval: str
    later: int


@dataclass(frozen=True, slots=True)
class Cohort:
    """The people whose first activity lies in one interval, and how many of them returned in each period.

    `returned` ends with the last period that has begun; the first `complete` of them have ended. `is_cut`: the period
    of the report, or today, cuts the interval.
    """

    start: date
    people: int
    returned: Sequence[int]
    complete: int
    is_cut: bool


@dataclass(frozen=True, slots=True)
class CohortBounds:
    """The days at which the intervals of a question begin, and the next one after them; the number of cohorts."""

    days: Sequence[date]
    cohorts: int
    today: date

    @classmethod
    def of(cls, question: CohortQuestion) -> "CohortBounds":
        """Raise `RejectedError` (`out_of_range`) for too many cohorts or periods."""
        scope, interval = question.scope, question.interval
        reports.check_scope(scope)
        today = scope.today
        cohorts = len(list(intervals.interval_starts(scope.first, min(scope.last, today), interval)))
        if cohorts > MOST_COHORTS:
            message = _(
                "A retention report has at most %(count)s cohorts. Choose a longer interval or a shorter period."
            )
            raise RejectedError(Problem(Code.OUT_OF_RANGE, message % {"count": MOST_COHORTS}, ("interval",)))
        if not 0 <= question.later <= MOST_LATER:
            message = _("A retention report follows people over 0 to %(count)s periods.")
            raise RejectedError(Problem(Code.OUT_OF_RANGE, message % {"count": MOST_LATER}, ("periods",)))
        starts: list[date] = []
        for start in intervals.interval_starts(scope.first, today, interval):
            if len(starts) == cohorts + question.later:
                break
            starts.append(start)
        following = intervals.following_start(starts[-1], interval) if starts else scope.first
        return cls([*starts, following], cohorts, today)

    def cohort(self, number: int, people: int, returned: dict[int, int], question: CohortQuestion) -> Cohort:
        """Cohort `number` of its figures, by period."""
        end = self.days[number + 1]
        begun = min(question.later + 1, len(self.days) - 1 - number)
        complete = sum(self.days[number + later + 1] <= self.today for later in range(begun))
        last = min(question.scope.last, self.today - timedelta(days=1))
        is_cut = self.days[number] < question.scope.first or end > last + timedelta(days=1)
        return Cohort(self.days[number], people, [returned.get(later, 0) for later in range(begun)], complete, is_cut)


def retention_cohorts(question: CohortQuestion) -> list[Cohort]:
    """The cohorts of the period that have begun, the earliest first. Raises `RejectedError`."""
    bounds = CohortBounds.of(question)
    if not bounds.cohorts:
        return []

    def by_sql() -> list[Any]:
        ctes, parameters = _expressions(question, bounds)
        sql = f"""with {ctes} select cohort, null, count(*) from cohorts group by 1
            union all select cohort, later, count(*) from returns group by 1, 2"""
        return reports.scope_rows(sql, question.scope, parameters)

    rows = reports.exact_answer(
        question.types,
        question.scope,
        lambda index, period: columns.cohort_counts(index, period, _column_cohorts(question, bounds)),
        by_sql,
    )
    people = {cohort - 1: count for cohort, later, count in rows if later is None}
    returned: dict[int, dict[int, int]] = {}
    for cohort, later, count in rows:
        if later is not None:
            returned.setdefault(cohort - 1, {})[later] = count
    return [
        bounds.cohort(number, people.get(number, 0), returned.get(number, {}), question)
        for number in range(bounds.cohorts)
    ]


def people_of_cohorts(question: CohortQuestion, period: int | None) -> list[tuple[int, Any, Any]]:
    """(person id, first moment, first moment in the period) of those who returned in `period`, the latest first.

    They are those whom `retention_cohorts` counts, `MOST_PEOPLE` at most; with no period all of the cohorts, without a
    last moment. Raises `RejectedError`.
    """
    bounds = CohortBounds.of(question)
    if not bounds.cohorts:
        return []

    def by_sql() -> list[Any]:
        ctes, parameters = _expressions(question, bounds)
        source = "cohorts" if period is None else "returns join cohorts using (person_id, cohort)"
        columns = "null" if period is None else "returns.moment"
        where = "" if period is None else "where later = %(period)s"
        sql = f"""with {ctes} select person_id, cohorts.moment, {columns} as returned from {source} {where}
            order by 3 desc, 2 desc, 1 limit {reports.MOST_PEOPLE}"""
        return reports.scope_rows(sql, question.scope, parameters | {"period": period})

    return reports.exact_answer(
        question.types,
        question.scope,
        lambda index, days: columns.people_of_cohorts(
            index, days, _column_cohorts(question, bounds), period, reports.MOST_PEOPLE
        ),
        by_sql,
    )


def count_activities_to_read(question: CohortQuestion) -> int:
    """The most activities that the report reads: first ones are searched from the beginning of the log."""
    scope = question.scope
    reports.check_scope(scope)
    today = scope.today
    return rollup.activity_count([question.first_type.pk], _BEGINNING, scope.last) + rollup.activity_count(
        [question.then.pk], scope.first, max(scope.first, today)
    )


def _column_cohorts(question: CohortQuestion, bounds: CohortBounds) -> columns.ColumnCohorts:
    return columns.ColumnCohorts(
        question.first_type,
        question.then,
        bounds.days,
        bounds.cohorts,
        question.later,
        question.scope.zone,
        question.only,
    )


def _expressions(question: CohortQuestion, bounds: CohortBounds) -> tuple[str, dict[str, Any]]:
    """Expressions cohorts (person_id, moment, cohort) and returns (cohort, later, person_id, moment); parameters."""
    field = question.field
    narrowed = f"and {reports.value_of_field(field, '%(field)s')} is not distinct from %(value)s" if field else ""
    starts = [_moment(start) for start in columns.day_moments(bounds.days, question.scope.zone, reports.run_statement)]
    cohort = "width_bucket(moment, %(starts)s::timestamptz[])"
    later = "width_bucket(a.occurred_at, %(starts)s::timestamptz[]) - c.cohort"
    ctes = f"""firsts as materialized (select a.person_id, min(a.occurred_at) as moment from activity a
            join person p on p.id = a.person_id and p.state = 'live'
            where a.activity_type_id = %(type)s and a.occurred_at < {reports.END_MOMENT}
            and {reports.OF_SCOPE} {narrowed}
            group by 1 having min(a.occurred_at) >= {reports.FIRST_MOMENT} and min(a.occurred_at) < %(begun)s),
        cohorts as materialized (select person_id, moment, {cohort} as cohort from firsts),
        returns as materialized (
            select c.cohort, {later} as later, a.person_id, min(a.occurred_at) as moment
            from activity a join cohorts c on c.person_id = a.person_id and a.occurred_at >= c.moment
            where a.activity_type_id = %(then)s and a.occurred_at >= {reports.FIRST_MOMENT} and a.occurred_at < %(stop)s
            and {reports.OF_SCOPE} and {later} <= %(later)s group by 1, 2, 3)"""
    return ctes, {
        "type": question.first_type.pk,
        "then": question.then.pk,
        "field": field.api_name if field else None,
        "value": question.value,
        "starts": starts[:-1],
        "begun": starts[bounds.cohorts],  # activities may lie a day ahead, in intervals that have not begun
        "stop": starts[-1],
        "later": question.later,
    }


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
