"""Pages of retention and of the time to the next activity: each figure leads to its people, and can be pinned."""

import csv
import io
import json
from datetime import date

import pytest
from django.contrib.auth import get_user_model

from activities.log import rollup
from activities.log.reports import ReportScope
from activities.models import Activity
from config.pages.journey_tables import span_text
from smartlists.lists import dashboards, saved_reports
from smartlists.models import StoredReport
from tests.factories import approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db
URL = "/admin/reports/"
PERIOD = {"since": "2026-03-02", "until": "2026-03-29"}


@pytest.fixture
def vera(client):
    user = get_user_model().objects.create_superuser("vera")
    client.force_login(user)
    return user


@pytest.fixture
def types(monkeypatch):
    """In the first week two people began; one came back in the first week and in the third, when another one began."""
    monkeypatch.setattr(ReportScope, "today", date(2026, 3, 18))
    check, car = approved_type(), approved_type("Buy Car", "buyCar")
    ann, bob, eve = (make_person().pk for _person in range(3))
    rows = (
        (ann, "depositCheck", "2026-03-02T10:00:00Z"),
        (ann, "buyCar", "2026-03-02T10:00:30Z"),
        (ann, "buyCar", "2026-03-17T10:00:00Z"),
        (bob, "depositCheck", "2026-03-03T10:00:00Z"),
        (eve, "depositCheck", "2026-03-16T10:00:00Z"),
        (eve, "buyCar", "2026-03-18T10:00:00Z"),
    )
    record_rows(*(new_activity(who, what, when, branch="Lyon") for who, what, when in rows))
    monkeypatch.setattr(rollup, "high_water_mark", lambda: Activity.objects.order_by("-pk")[0].pk)
    rollup.catch_up_rollup()
    return check, car


def of_file(client, asked):
    text = client.get(URL, asked | {"format": "csv"}).getvalue().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))[1:]


def test_a_retention_report_marks_what_is_not_over_and_leads_to_the_people(client, vera, types):
    branch = types[0].approved_fields.get(api_name="branch")
    asked = {
        "report": "retention",
        "type": types[0].pk,
        "then": types[1].pk,
        "interval": "week",
        "periods": "2",
    } | PERIOD
    asked |= {"where": branch.pk, "value": "Lyon"}
    reply = client.get(URL, asked)
    table = reply.context["table"]
    grid = [[row.people.raw, *(cell.share for cell in row.cells)] for row in table.grid.rows]
    half, none, all_of_them = "50\N{NO-BREAK SPACE}%", "0\N{NO-BREAK SPACE}%", "100\N{NO-BREAK SPACE}%"
    assert grid == [[3, half, none], [2, half, none, half], [0, "", ""], [1, all_of_them]]
    partial = [[cell.is_partial for cell in row.cells] for row in table.grid.rows]
    assert partial == [[False, False], [False, False, True], [False, True], [True]]
    assert [row.is_cut for row in table.grid.rows] == [False, False, False, True]
    assert "in part" in reply.text and "(not over yet)" in reply.text
    (everybody, first) = json.loads(table.chart)["series"]
    assert (everybody["data"], first["data"]) == ([50.0, 0.0, None], [50.0, 0.0, None])
    rows = of_file(client, asked)
    assert rows[0] == ["", "2", "0", "1", "50.0", "yes"]
    assert ["2026-03-02", "2", "2", "1", "50.0", "no"] in rows
    for row in table.grid.rows:
        if row.people.url:
            assert len(of_file_of(client, row.people.url)) == row.people.raw
        for cell in row.cells:
            if cell.url:
                assert len(of_file_of(client, cell.url)) == int(cell.count)


def of_file_of(client, address):
    text = client.get(f"{address}&format=csv").getvalue().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))[1:]


def test_the_time_to_the_next_activity_leads_to_the_people(client, vera, types):
    asked = {"report": "wait", "type": types[0].pk, "then": types[1].pk} | PERIOD
    table = client.get(URL, asked).context["table"]
    totals = [(total.count, total.raw) for total in table.totals]
    assert totals[:2] == [("3", {"people": 3}), ("2", {"people": 2})]
    assert totals[3] == ("30 seconds", {"percent": 50, "seconds": 30.0})
    assert totals[5] == ("2 days", {"percent": 90, "seconds": 172_800.0})
    assert sum(json.loads(table.chart)["series"][0]["data"]) == 2
    lines = of_file(client, asked)
    assert lines[-1] == ["Not yet", "", "", "1", "33.3"]
    figures = [row[3] for row in table.rows if row[3].url]
    assert sum(figure.raw for figure in figures) == 3
    for figure in figures:
        assert len(of_file_of(client, figure.url)) == figure.raw


def test_both_are_saved_pinned_and_the_same_everywhere(client, vera, types):
    board = dashboards.create_dashboard("Team", vera)
    for report in ("retention", "wait"):
        asked = {"report": report, "type": str(types[0].pk), "then": str(types[1].pk)} | PERIOD
        asked |= {"periods": "0"} if report == "retention" else {}
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        client.post(f"/admin/reports/save/?{query}", {"name": report})
        saved = saved_reports.visible_rows(saved_reports.SavedReport, vera).get(name=report)
        assert saved.parameters == asked
        tile = dashboards.pin_report(board, saved, vera)
        page = client.get(f"/admin/dashboards/{board.pk}/tiles/{tile.pk}/")
        assert page.context["table"].rows == client.get(f"{URL}?saved={saved.pk}").context["table"].rows
        assert "data-chart" in page.text
    assert {row.question["report"] for row in StoredReport.objects.all()} == {"retention", "wait"}


def test_lengths_of_time_are_told_in_the_unit_that_fits():
    lengths = {0.5: "0.5 seconds", 1: "1 second", 90: "1.5 minutes", 3_600: "1 hour", 129_600: "1.5 days"}
    assert {seconds: span_text(seconds) for seconds in lengths} == lengths
