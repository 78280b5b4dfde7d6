"""Days put together."""

from datetime import date, timedelta

import pytest

from activities.log import intervals
from people.models import Installation

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("interval", "start"),
    [
        ("day", date(2026, 11, 29)),
        ("week", date(2026, 11, 23)),
        ("month", date(2026, 11, 1)),
        ("quarter", date(2026, 10, 1)),
        ("year", date(2026, 1, 1)),
    ],
)
def test_an_interval_begins_on_its_first_day(interval, start):
    assert intervals.interval_start(date(2026, 11, 29), interval) == start
    assert intervals.interval_start(start, interval) == start


def test_weeks_begin_as_the_installation_says():
    Installation.objects.update_or_create(defaults={"week_starts_on": 6})
    assert intervals.interval_start(date(2026, 11, 28), "week") == date(2026, 11, 22)
    assert intervals.interval_start(date(2026, 11, 29), "week") == date(2026, 11, 29)


@pytest.mark.parametrize("interval", intervals.INTERVALS)
def test_no_activity_is_lost_or_counted_twice(interval):
    counts = [(date(2025, 12, 20) + timedelta(days=n), n) for n in range(400)]
    found = intervals.group_by_interval(counts, interval)
    assert sum(count for _start, count in found) == sum(range(400))
    assert [start for start, _count in found] == sorted({intervals.interval_start(day, interval) for day, _n in counts})


@pytest.mark.parametrize(("days", "fits"), [(30, "day"), (119, "day"), (365, "week"), (900, "month"), (40_000, "year")])
def test_a_chart_has_points_that_are_told_apart(days, fits):
    assert intervals.fitting_interval(date(1950, 1, 1), date(1950, 1, 1) + timedelta(days=days)) == fits
