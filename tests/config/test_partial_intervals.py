"""Intervals that are not over, or cut by the period, are marked: in charts, tables and over the API."""

import json
from datetime import date, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from activities.log import intervals, rollup
from activities.models import Activity
from people.core import installation
from people.core.admin.charts import Partial
from people.core.models import Installation
from tests.factories import approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db
RUNNING, CUT = Partial.RUNNING, Partial.CUT
MONDAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("interval", "first", "last", "today", "expected"),
    [
        ("week", MONDAY, MONDAY + timedelta(days=13), MONDAY + timedelta(days=20), {}),
        ("week", MONDAY, MONDAY + timedelta(days=13), MONDAY + timedelta(days=13), {1: RUNNING}),
        ("week", MONDAY, MONDAY + timedelta(days=9), MONDAY + timedelta(days=9), {1: RUNNING}),
        ("week", MONDAY + timedelta(days=1), MONDAY + timedelta(days=9), MONDAY + timedelta(days=30), {0: CUT, 1: CUT}),
        ("day", MONDAY, MONDAY + timedelta(days=2), MONDAY + timedelta(days=2), {2: RUNNING}),
        ("month", date(2026, 1, 1), date(2026, 3, 15), date(2026, 3, 15), {2: RUNNING}),
        ("year", date(2025, 6, 1), date(2026, 3, 15), date(2026, 3, 15), {0: CUT, 1: RUNNING}),
    ],
)
def test_an_interval_is_partial_while_it_runs_and_where_the_period_cuts_it(interval, first, last, today, expected):
    starts = list(intervals.interval_starts(first, last, interval))
    assert intervals.partial_intervals(starts, interval, first, last, today) == expected


@pytest.fixture
def check(monkeypatch):
    """A type with an activity a day, of today and of the 40 days before."""
    check, ann = approved_type(), make_person()
    now = timezone.now()
    record_rows(*(new_activity(ann.pk, occurred_at=(now - timedelta(days=days)).isoformat()) for days in range(41)))
    monkeypatch.setattr(rollup, "high_water_mark", lambda: Activity.objects.order_by("-pk")[0].pk)
    rollup.catch_up_rollup()
    return check


def test_the_running_week_is_apart_in_chart_and_table_and_its_figure_is_the_same(client, check):
    client.force_login(get_user_model().objects.create_superuser("vera"))
    today = timezone.now().date()
    since = intervals.interval_start(today, "week") - timedelta(days=14)
    asked = {"report": "trend", "type": check.pk, "interval": "week", "since": since.isoformat()}
    table = client.get("/admin/reports/", asked).context["table"]
    chart = json.loads(table.chart)
    assert chart["partial"] == {"2": "so far"} and chart["note"] == "Dashed: not over yet."
    assert table.rows[0][0].shown.endswith("(so far)") and not table.rows[1][0].shown.endswith(")")
    assert table.rows[0][0].raw == (since + timedelta(days=14)).isoformat()
    assert [row[1].raw for row in table.rows] == [(today - since).days - 13, 7, 7]
    assert list(table.complete) == [False, True, True]


def test_the_period_before_has_no_running_interval(client, check):
    client.force_login(get_user_model().objects.create_superuser("vera"))
    asked = {"report": "trend", "type": check.pk, "interval": "day", "days": "7", "compare": "on"}
    chart = json.loads(client.get("/admin/reports/", asked).context["table"].chart)
    assert chart["partial"] == {"6": "so far"}
    assert [series["isBefore"] for series in chart["series"]] == [False, True]


@pytest.mark.parametrize("address", ["/admin/", "/admin/activities/activitytype/{pk}/change/?days=30"])
def test_today_is_apart_on_the_pages_with_a_chart_by_day(client, check, address):
    Installation.objects.get_or_create(pk=1)  # else the first page is the setup
    installation.clear_installation_cache()
    client.force_login(get_user_model().objects.create_superuser("vera"))
    page = client.get(address.format(pk=check.pk)).content.decode()
    assert "&quot;partial&quot;: {&quot;29&quot;: &quot;so far&quot;}" in page
