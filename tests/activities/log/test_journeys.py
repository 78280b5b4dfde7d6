"""Retention, time to the next activity and funnels: as defined, and the same from the database and the column index."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from activities.log import intervals, reports
from activities.log.columns import builder
from activities.log.journeys import cohorts, funnels, waits
from activities.log.journeys.cohorts import CohortQuestion
from activities.log.journeys.question import JourneyQuestion
from activities.log.reports import ReportScope
from activities.models import Activity
from people.core import installation
from people.core.errors import RejectedError
from people.core.models import Installation
from people.fields.catalog import field_catalogue
from people.models import Person
from people.persons import deletion, merge
from tests.factories import CHECK_FIELDS, MARKETO, ActivityFieldSpec, approved_type, make_person, record_rows
from tests.factories import new_activity as activity

pytestmark = pytest.mark.django_db
TODAY = date(2025, 11, 5)
# clocks that change at midnight, and a zone off by three quarters of an hour
ZONES = {"Atlantic/Azores": 0, "America/Asuncion": 6, "Asia/Kathmandu": 3}
SECOND = 1_000_000


@pytest.fixture
def types():
    fields = (*CHECK_FIELDS, ActivityFieldSpec("is_bot", "Is Bot", "boolean"))
    return approved_type(fields=fields), approved_type("Buy Car", "buyCar", fields)


@pytest.fixture
def populate(types):
    """Make two months of activities of some people: one merged into another, one deleted, some rows of bots."""

    def make(chance):
        people = [make_person().pk for _person in range(14)]
        moments = [datetime(2025, 9, 1, tzinfo=UTC) + timedelta(hours=chance.choice((1, 6, 24)) * n) for n in range(60)]
        # days and weeks begin at or beside these
        moments += [datetime(2025, 10, 26, tzinfo=UTC) + timedelta(minutes=30 * number) for number in range(-4, 10)]

        def some_rows(number, of):
            return [
                activity(
                    chance.choice(of),
                    chance.choice(("depositCheck", "buyCar")),
                    chance.choice(moments).isoformat(),
                    branch=chance.choice(("Lyon", "lyon", "Zug")),
                    **({"is_bot": True} if chance.random() < 0.2 else {}),
                )
                for _row in range(number)
            ]

        record_rows(*some_rows(120, people))
        builder.build_index()
        merge.merge_people(people[0], [people[1]], None, MARKETO)
        deletion.delete_people([people[2]], None, MARKETO)
        record_rows(*some_rows(30, [*people[3:], people[0]]))
        return people

    return make


def live_rows(rows, activity_type, scope, field=None, value=None):
    """(moment, person) of what a report of the scope reads of a type."""
    return [
        (row.occurred_at, row.person_id)
        for row in rows
        if row.activity_type_id == activity_type.pk
        and (scope.people is None or row.person_id in scope.people)
        and not (scope.without_bots and row.attributes.get("is_bot"))
        and (field is None or row.attributes.get("branch") == value)
    ]


def expected_cohorts(rows, question, zone):
    """By interval: the people whose first activity lies in it, and those of them who returned, by period."""
    scope = question.scope

    def place(moment):
        day = moment.astimezone(zone).date()
        return starts.index(intervals.interval_start(day, question.interval))

    starts = list(intervals.interval_starts(date(2025, 8, 1), date(2026, 12, 31), question.interval))
    firsts, following = {}, live_rows(rows, question.then, scope)
    for moment, person in sorted(
        live_rows(rows, question.first_type, scope, question.field, question.value), reverse=True
    ):
        firsts[person] = moment
    result = {}
    for person, first in firsts.items():
        if not scope.first <= first.astimezone(zone).date() <= scope.last:
            continue
        people, returned = result.setdefault(starts[place(first)], (set(), {}))
        people.add(person)
        for moment, other in following:
            if other == person and moment >= first and place(moment) - place(first) <= question.later:
                returned.setdefault(place(moment) - place(first), set()).add(person)
    return result


def expected_waits(rows, question, zone):
    scope, result = question.scope, {}
    following = live_rows(rows, question.then, scope)
    for first, person in sorted(live_rows(rows, question.first_type, scope, question.field, question.value)):
        if person not in result and scope.first <= first.astimezone(zone).date() <= scope.last:
            later = [moment for moment, other in following if other == person and moment > first]
            result[person] = (min(later) - first) // timedelta(microseconds=1) if later else None
    return result


@pytest.fixture
def from_both(settings, monkeypatch):
    """Answer a question from the database and from the column index alone; the answers are equal."""

    def ask(report, *question):
        settings.COLUMN_INDEX = False
        by_sql = report(*question)
        settings.COLUMN_INDEX = True
        with monkeypatch.context() as without_sql:
            without_sql.setattr(reports, "scope_rows", None)
            assert report(*question) == by_sql
        return by_sql

    return ask


def check_cohorts(from_both, rows, question, zone):
    expected = expected_cohorts(rows, question, zone)
    found = from_both(cohorts.retention_cohorts, question)
    for cohort in found:
        people, returned = expected.pop(cohort.start, (set(), {}))
        assert cohort.people == len(people)
        assert list(cohort.returned) == [len(returned.get(period, ())) for period in range(len(cohort.returned))]
        assert all(period < len(cohort.returned) for period in returned)
    assert not expected
    everybody = from_both(cohorts.people_of_cohorts, question, None)
    assert len(everybody) == sum(cohort.people for cohort in found)
    back = from_both(cohorts.people_of_cohorts, question, 1)
    assert len(back) == sum(cohort.returned[1] for cohort in found if len(cohort.returned) > 1)
    assert all(first <= moment for _person, first, moment in back)
    return len(back)


def check_waits(from_both, rows, question, zone):
    expected = expected_waits(rows, question, zone)
    found = from_both(waits.wait_times, question)
    times = sorted(wait for wait in expected.values() if wait is not None)
    assert (found.started, found.finished) == (len(expected), len(times))
    for share, wait in found.within.items():
        assert wait == times[-(-len(times) * share // 100) - 1]
    ends = [*waits.BUCKETS[1:], 10**12]
    for number, (bucket, end) in enumerate(zip(waits.BUCKETS, ends, strict=True)):
        people = {person for person, wait in expected.items() if wait is not None and bucket <= wait / SECOND < end}
        assert found.buckets[number] == len(people)
        if len(people) == max(found.buckets):
            assert {row[0] for row in from_both(waits.people_who_waited, question, bucket)} == people
    never = from_both(waits.people_who_waited, question, waits.NEVER)
    assert {(row[0], row[2]) for row in never} == {(person, None) for person, wait in expected.items() if wait is None}
    return len(times)


def expected_funnel(rows, types, scope, zone):
    """By person who began: the value of their first activity, and the moments of the steps they reached."""

    def within(moment):
        return scope.first <= moment.astimezone(zone).date() <= scope.last

    steps = [[row for row in live_rows(rows, step, scope) if within(row[0])] for step in types]
    reached = {}
    for person in {person for _moment, person in steps[0]}:
        moments = [min(moment for moment, other in steps[0] if other == person)]
        for following in steps[1:]:
            later = [moment for moment, other in following if other == person and moment > moments[-1]]
            if not later:
                break
            moments.append(min(later))
        first = min(
            (
                row
                for row in rows
                if (row.person_id, row.occurred_at, row.activity_type_id) == (person, moments[0], types[0].pk)
                and not (scope.without_bots and row.attributes.get("is_bot"))
            ),
            key=lambda row: row.pk,
        )
        reached[person] = (first.attributes["branch"], moments)
    return reached


def figures_of(moments_by_person, steps):
    """(people, median) by step."""
    figures = []
    for step in range(steps):
        moments = [moments for moments in moments_by_person if len(moments) > step]
        times = sorted((moments[step] - moments[step - 1]) // timedelta(microseconds=1) for moments in moments)
        figures.append((len(moments), times[(len(times) - 1) // 2] if step and times else None))
    return figures


def check_people_of_groups(from_both, types, scope, branch, groups):
    """Each figure of a split funnel is the number of people that are listed for it, and no person is in two groups."""
    for number in range(1, len(types) + 1):
        everybody = []
        for group in groups:
            asked = (types[:number], scope, branch, group.value, group.rank is None)
            found = from_both(lambda *of: funnels.people_of_group(*of[:4], others=of[4]), *asked)
            assert len(found) == group.steps[number - 1].people, (group.value, number)
            everybody += found
        assert sorted(everybody) == sorted(from_both(reports.people_at_step, types[:number], scope))


def check_funnels(from_both, rows, types, scope, zone, branch):
    expected = expected_funnel(rows, types, scope, zone)
    plain = from_both(reports.people_funnel, types, scope)
    every = [moments for _value, moments in expected.values()]
    assert [(step.people, step.median) for step in plain] == figures_of(every, len(types))
    groups = from_both(funnels.split_funnel, types, scope, branch)
    assert {group.value for group in groups} == {value for value, _moments in expected.values()}
    for group in groups:
        of_value = [moments for value, moments in expected.values() if value == group.value]
        assert [(step.people, step.median) for step in group.steps] == figures_of(of_value, len(types))
    check_people_of_groups(from_both, types, scope, branch, groups)
    return plain[-1].people


@pytest.mark.one_server("the column index is off on a cluster")
def test_both_engines_follow_the_definitions(types, populate, column_index, own_rows_read, from_both, monkeypatch):
    monkeypatch.setattr(ReportScope, "today", TODAY)
    people = populate(Random(7))
    check, car = types
    branch = check.approved_fields.get(api_name="branch")
    rows = list(Activity.objects.filter(person_id__in=Person.objects.live()))
    returned = waited = reached = 0
    for name, week_starts_on in ZONES.items():
        Installation.objects.all().delete()
        Installation.objects.create(time_zone=name, week_starts_on=week_starts_on)
        installation.clear_installation_cache()
        zone = ZoneInfo(name)
        whole = ReportScope(date(2025, 9, 1), date(2025, 12, 31))
        cut = ReportScope(date(2025, 9, 10), date(2025, 10, 26), people[:9], without_bots=True)
        for scope in (whole, cut):
            for then, interval, field, value in ((check, "week", branch, "lyon"), (car, "month", None, None)):
                asked = CohortQuestion(check, then, scope, field, value, interval=interval, later=4)
                returned += check_cohorts(from_both, rows, asked, zone)
                waited += check_waits(from_both, rows, JourneyQuestion(check, then, scope, field, value), zone)
            reached += check_funnels(from_both, rows, [check, car, check], scope, zone, branch)
            with monkeypatch.context() as patched:
                patched.setattr(reports, "MOST_VALUES", 2)  # so that there are others
                groups = from_both(funnels.split_funnel, [check, car], scope, branch)
                check_people_of_groups(from_both, [check, car], scope, branch, groups)
        days = ReportScope(date(2025, 10, 20), date(2025, 11, 2))
        check_cohorts(from_both, rows, CohortQuestion(car, check, days, interval="day", later=3), zone)
    assert returned > 20 and waited > 50 and reached > 20


def test_periods_under_way_and_cut_intervals_are_marked(types, monkeypatch):
    monkeypatch.setattr(ReportScope, "today", date(2026, 3, 18))  # a Wednesday
    check, car = types
    ann = make_person().pk
    record_rows(activity(ann, "depositCheck", "2026-03-04T12:00:00Z"), activity(ann, "buyCar", "2026-03-17T12:00:00Z"))
    found = cohorts.retention_cohorts(
        CohortQuestion(check, car, ReportScope(date(2026, 2, 25), date(2026, 3, 18)), interval="week", later=2)
    )
    assert [(row.start.day, row.people, list(row.returned), row.complete, row.is_cut) for row in found] == [
        (23, 0, [0, 0, 0], 3, True),
        (2, 1, [0, 0, 1], 2, False),
        (9, 0, [0, 0], 1, False),
        (16, 0, [0], 0, True),
    ]
    future = ReportScope(date(2026, 3, 19), date(2026, 3, 20))
    assert cohorts.retention_cohorts(CohortQuestion(check, car, future, interval="day", later=2)) == []


def test_too_many_cohorts_or_periods_are_refused(types):
    year = ReportScope(date(2025, 1, 1), date(2025, 12, 31))
    for interval, later in (("day", 3), ("week", cohorts.MOST_LATER + 1), ("week", -1)):
        with pytest.raises(RejectedError):
            cohorts.retention_cohorts(CohortQuestion(*types, year, interval=interval, later=later))


def test_a_funnel_by_a_field_of_people_ranks_values_and_puts_the_rest_together(types, monkeypatch):
    monkeypatch.setattr(reports, "MOST_VALUES", 2)
    countries = ["Spain", "Spain", "Spain", "Italy", "Italy", "France", None]
    people = [make_person(country=country).pk for country in countries]
    record_rows(*(activity(person, "depositCheck", "2026-03-01") for person in people))
    record_rows(*(activity(person, "buyCar", "2026-03-02T01:00:00Z") for person in people[1:6]))
    scope = ReportScope(date(2026, 3, 1), date(2026, 3, 31))
    found = funnels.split_funnel(types, scope, field_catalogue()["country"])
    day = 25 * 3_600 * SECOND
    assert [
        (row.rank, row.value, [(step.people, step.of_first, step.median) for step in row.steps]) for row in found
    ] == [
        (1, "Spain", [(3, 100.0, None), (2, 66.7, day)]),
        (2, "Italy", [(2, 100.0, None), (2, 100.0, day)]),
        (None, None, [(2, 100.0, None), (1, 50.0, day)]),
    ]
    country = field_catalogue()["country"]
    for value, others, first, last in (
        ("Spain", False, people[:3], people[1:3]),
        ("France", False, [people[5]], [people[5]]),  # a value that is among the others, too
        (None, False, [people[6]], []),
        (None, True, people[5:], [people[5]]),
    ):
        for steps, expected in ((types[:1], first), (types, last)):
            listed = funnels.people_of_group(steps, scope, country, value, others=others)
            assert sorted(person for person, _moment in listed) == expected, (value, others)
    with pytest.raises(RejectedError):
        funnels.people_of_group((), scope, country, "Spain")
