"""The answers to reports, as rows of plain values that are stored, shown, written to files and sent by the API."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from activities.log import reports as log_reports
from activities.log.journeys import cohorts, funnels, waits
from activities.log.journeys.cohorts import CohortQuestion
from activities.log.journeys.question import JourneyQuestion
from activities.log.reports import ReportScope
from activities.models import ActivityType, ApprovedField
from people.datatypes.canonical import moment_text
from people.fields.catalog import FieldInfo, field_catalogue
from smartlists.lists.report_questions import ReportQuestion


def _types(question: ReportQuestion) -> list[ActivityType]:
    """The types in the order of the question."""
    types = ActivityType.objects.in_bulk(question.types)
    return [types[pk] for pk in question.types]


def _trend(question: ReportQuestion, scope: ReportScope) -> list[list[Any]]:
    return [[day.isoformat(), count] for day, count in log_reports.activity_trend(_types(question)[0], scope)]


def _split(question: ReportQuestion, scope: ReportScope) -> list[list[Any]]:
    assert question.field is not None
    field = ApprovedField.objects.get(pk=question.field)
    rows = log_reports.value_trend(_types(question)[0], field, scope)
    return [[day.isoformat(), rank, value, count] for day, rank, value, count in rows]


def _breakdown(question: ReportQuestion, scope: ReportScope) -> list[list[Any]]:
    fields = ApprovedField.objects.in_bulk([pk for pk in (question.field, question.total) if pk])
    if question.field is None:
        return []
    groups = log_reports.value_breakdown(_types(question)[0], fields[question.field], scope, fields.get(question.total))
    return [[group.value, group.count, group.people, group.total] for group in groups]


def _top_people(question: ReportQuestion, scope: ReportScope) -> list[list[Any]]:
    field = ApprovedField.objects.get(pk=question.field) if question.field else None
    people = log_reports.top_people(_types(question)[0], scope, field, question.value)
    return [[person_id, count, moment_text(latest)] for person_id, count, latest in people]


def _reached(question: ReportQuestion, scope: ReportScope) -> list[list[Any]]:
    people = log_reports.people_at_step(_types(question), scope)
    return [[person_id, moment_text(moment)] for person_id, moment in people]


def _funnel(question: ReportQuestion, scope: ReportScope) -> list[list[Any]]:
    return [row[:4] for row in _timed_funnel(question, scope)]


def _timed_funnel(question: ReportQuestion, scope: ReportScope) -> list[list[Any]]:
    steps = log_reports.people_funnel(_types(question), scope)
    return [[step.activity_type.pk, step.people, step.of_previous, step.of_first, step.median] for step in steps]


def _split_of_funnel(question: ReportQuestion) -> ApprovedField | FieldInfo:
    if question.person_field:
        return field_catalogue()[question.person_field]
    assert question.field is not None
    return ApprovedField.objects.get(pk=question.field)


def _split_reached(question: ReportQuestion, scope: ReportScope) -> list[list[Any]]:
    split = _split_of_funnel(question)
    return _with_moments(
        funnels.people_of_group(_types(question), scope, split, question.value, others=question.others)
    )


def _split_funnel(question: ReportQuestion, scope: ReportScope) -> list[list[Any]]:
    groups = funnels.split_funnel(_types(question), scope, _split_of_funnel(question))
    return [
        [group.rank, group.value, [[step.people, step.of_first, step.median] for step in group.steps]]
        for group in groups
    ]


def _cohort_question(question: ReportQuestion, scope: ReportScope, later: int) -> CohortQuestion:
    first_type, then = _types(question)
    field = ApprovedField.objects.get(pk=question.field) if question.field else None
    return CohortQuestion(first_type, then, scope, field, question.value, interval=question.interval, later=later)


def _retention(question: ReportQuestion, scope: ReportScope) -> list[list[Any]]:
    cohort_rows = cohorts.retention_cohorts(_cohort_question(question, scope, question.number or 0))
    return [[row.start.isoformat(), row.people, row.complete, row.is_cut, list(row.returned)] for row in cohort_rows]


def _returned(question: ReportQuestion, scope: ReportScope) -> list[list[Any]]:
    cohort_question = _cohort_question(question, scope, question.number or 0)
    return _with_moments(cohorts.people_of_cohorts(cohort_question, question.number))


def _wait_question(question: ReportQuestion, scope: ReportScope) -> JourneyQuestion:
    first_type, then = _types(question)
    field = ApprovedField.objects.get(pk=question.field) if question.field else None
    return JourneyQuestion(first_type, then, scope, field, question.value)


def _wait(question: ReportQuestion, scope: ReportScope) -> list[list[Any]]:
    times = waits.wait_times(_wait_question(question, scope))
    counts = zip(waits.BUCKETS, times.buckets, strict=True)
    return [
        ["started", times.started],
        *(["within", share, wait] for share, wait in times.within.items()),
        *(["bucket", *waits.bucket_bounds(bucket), count] for bucket, count in counts),
    ]


def _waited(question: ReportQuestion, scope: ReportScope) -> list[list[Any]]:
    assert question.number is not None
    return _with_moments(waits.people_who_waited(_wait_question(question, scope), question.number))


def _with_moments(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [[person_id, *(moment and moment_text(moment) for moment in moments)] for person_id, *moments in rows]


def count_activities_to_read(question: ReportQuestion, scope: ReportScope) -> int:
    """The most activities that the answer reads."""
    if question.report in {"retention", "returned"}:
        return cohorts.count_activities_to_read(_cohort_question(question, scope, 0))
    if question.report in {"wait", "waited"}:
        return waits.count_activities_to_read(_wait_question(question, scope))
    return log_reports.count_activities_to_read(question.types, scope)


# columns of the rows of each report
ANSWERS: Mapping[str, Callable[[ReportQuestion, ReportScope], list[list[Any]]]] = {
    "trend": _trend,  # day, activities
    "split": _split,  # day, rank of the value (null: all other values), value, activities; days without any left out
    "breakdown": _breakdown,  # value, activities, people, sum
    "people": _top_people,  # person id, activities, latest moment
    "reached": _reached,  # person id, moment of the last step
    "split_reached": _split_reached,  # the same, of the people of one group of a split funnel
    # first day, people, complete periods, whether the interval is cut, people who returned by period
    "retention": _retention,
    "returned": _returned,  # person id, first moment, moment of the return (null: all people of the cohort)
    # "started", people; "within", percent, microseconds; "bucket", shortest seconds, those of the next one, people
    "wait": _wait,
    "waited": _waited,  # person id, first moment, next moment
    "timed_funnel": _timed_funnel,  # the same, and the median microseconds since the step before
    # rank of the value (null: all other values), value, a step each: people, percent of the first, microseconds
    "split_funnel": _split_funnel,
    # requested by the version before:
    "funnel": _funnel,  # type id, people, percent of the step before, percent of the first
}
