"""Reports over the native API: the figures of page and file."""

import csv
import io
from datetime import timedelta

import pytest
from django.utils import timezone

from activities.log import rollup
from activities.models import Activity, ActivityType, ApprovedField
from smartlists.lists import report_notes, saved_reports
from smartlists.lists import reports as list_reports
from smartlists.models import StoredReport
from tests.factories import approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(monkeypatch):
    check, webinar = approved_type(), approved_type("Attend Webinar", "attendWebinar")
    ann, bob = make_person(email="ann@example.com"), make_person(email="bob@example.com")
    day = timezone.now().date() - timedelta(days=3)
    rows = [("Lyon", "1.50", ann), ("Lyon", "2", ann), (None, "4", bob)]
    record_rows(
        *(
            new_activity(
                who.pk, occurred_at=f"{day}T09:00:00Z", amount=amount, **({"branch": branch} if branch else {})
            )
            for branch, amount, who in rows
        )
    )
    record_rows(new_activity(ann.pk, webinar.pk, f"{day}T10:00:00Z"))
    monkeypatch.setattr(rollup, "high_water_mark", lambda: Activity.objects.order_by("-pk")[0].pk)
    rollup.catch_up_rollup()
    return check, webinar


def of_page(client, owner, parameters, **more):
    """The rows of the CSV file of the page, without its heading."""
    client.force_login(owner)
    reply = client.get("/admin/reports/", parameters | {"format": "csv"} | more)
    return list(csv.reader(io.StringIO(reply.getvalue().decode("utf-8-sig"), newline="")))


def same(figure, text):
    """True if a figure of the API is the one of a file."""
    return float(text) == figure if isinstance(figure, int | float) else text == (figure or "")


def assert_same(rows, file):
    assert len(rows) == len(file)
    for row, line in zip(rows, file, strict=True):
        assert all(same(figure, text) for figure, text in zip(row, line, strict=True)), (row, line)


FIGURES = {
    "trend": "type=depositCheck&type_2=attendWebinar&compare=true&interval=week",
    "split": "type=depositCheck&split=branch&cumulative=true&interval=day",
    "breakdown": "report=breakdown&type=depositCheck&field=branch&total=amount",
    "people": "report=people&type=depositCheck",
    "funnel": "report=funnel&step_1=depositCheck&step_2=attendWebinar",
    "funnel by branch": "report=funnel&step_1=depositCheck&step_2=attendWebinar&split=branch",
    "funnel by country": "report=funnel&step_1=depositCheck&step_2=attendWebinar&person_field=country",
    "reached of branch": "report=reached&step_1=depositCheck&split=branch&value=Lyon",
    "reached of no country": "report=reached&step_1=depositCheck&step_2=attendWebinar&person_field=country&value=",
    "retention": "report=retention&type=depositCheck&then=attendWebinar&interval=day&periods=2",
    "returned": "report=returned&type=depositCheck&then=attendWebinar&interval=day&period=0",
    "wait": "report=wait&type=depositCheck&then=attendWebinar",
    "waited": "report=waited&type=depositCheck&wait=never",
}


@pytest.mark.parametrize("query", FIGURES.values(), ids=FIGURES)
def test_figures_are_those_of_the_page(api, client, owner, world, query):
    reply = api.get(f"reports/figures?{query}")
    assert reply.status_code == 200, reply.content
    body = reply.json()
    assert body["rows"] and not body["is_running"] and body["problem"] == ""
    types = {row.api_name: row.pk for row in ActivityType.objects.approved()}
    fields = {row.api_name: row.pk for row in ApprovedField.objects.filter(activity_type=world[0])}
    asked = dict(part.split("=") for part in query.split("&"))
    ids = {name: types.get(value) or fields.get(value) or value for name, value in asked.items()}
    file = of_page(client, owner, ids)
    assert_same(body["rows"], file[1:])
    assert body["columns"] == file[0]


def test_a_trend_says_which_intervals_are_complete(api, world):
    """Of 30 days up to today: the last one, today, is not over."""
    since = (timezone.now().date() - timedelta(days=29)).isoformat()
    body = api.get(f"reports/figures?type=depositCheck&interval=day&since={since}").json()
    assert body["complete"] == [False, *[True] * 29] and len(body["rows"]) == 30
    assert api.get(f"reports/figures?{FIGURES['funnel']}").json()["complete"] == []


def test_a_split_trend_has_the_values_as_series_and_adds_up(api, world):
    body = api.get(f"reports/figures?{FIGURES['split']}").json()
    assert body["columns"][1:] == ["Lyon", "(no value)"]
    assert body["rows"][0][1:] == [2, 1] and body["rows"][-1][1:] == [0, 0]


def test_the_figures_of_a_saved_report_are_the_stored_ones(api, client, owner, world):
    parameters = {"report": "people", "type": str(world[0].pk), "days": "30"}
    report = saved_reports.save_report("Top", parameters, owner)
    shown = api.get(f"reports/{report.pk}").json()
    assert (shown["name"], shown["owner"], shown["parameters"]) == ("Top", "olga", parameters)
    assert [row["id"] for row in api.get("reports?search=to&is_shared=false").json()["results"]] == [report.pk]
    body = api.get(f"reports/{report.pk}/figures").json()
    assert body["rows"][0][1:3] == ["ann@example.com", 2] and len(body["people"]) == 2
    record_rows(new_activity(body["people"][0]))
    assert api.get(f"reports/{report.pk}/figures").json()["rows"] == body["rows"]
    assert_same(body["rows"], of_page(client, owner, {"saved": report.pk})[1:])


def test_what_takes_long_is_accepted_and_there_later(api, world, monkeypatch):
    monkeypatch.setattr(list_reports, "AT_ONCE", 0)
    address = f"reports/figures?{FIGURES['people']}"
    reply = api.get(address)
    assert reply.status_code == 202 and reply["Retry-After"] and reply.json()["rows"] is None
    list_reports.run_report(StoredReport.objects.get().pk)
    assert api.get(address).status_code == 200 and api.get(address).json()["as_of"]


def test_others_private_reports_are_not_there(api, world, django_user_model):
    other = django_user_model.objects.create_superuser("other")
    report = saved_reports.save_report("Theirs", {"report": "trend", "type": str(world[0].pk)}, other)
    assert api.get(f"reports/{report.pk}").status_code == 404
    assert api.get(f"reports/{report.pk}/figures").status_code == 404
    assert api.get("reports").json()["results"] == []
    saved_reports.change_report(report, other, is_shared=True)
    assert api.get(f"reports/{report.pk}/figures").status_code == 200


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("", "type"),
        ("report=funnel", "step_1"),
        ("report=moon&type=depositCheck", "report"),
        ("type=moon", "type"),
        ("type=depositCheck&split=moon", "split"),
        ("split=branch", "split"),
        ("type=depositCheck&moon=1", "moon"),
        ("type=depositCheck&since=yesterday", "since"),
        ("type=depositCheck&people=smart:999", "people"),
        ("type=depositCheck&compare=on", "compare"),
        ("type=depositCheck&split=branch&compare=true", "split"),
        ("type=a%00b", "type"),
        ("type=depositCheck&since=2026-02-01&until=2026-01-01", "since"),
        ("report=funnel&step_1=depositCheck&step_2=depositCheck&person_field=moon", "person_field"),
        ("report=funnel&step_1=depositCheck&step_2=depositCheck&split=moon", "split"),
        ("report=funnel&step_1=depositCheck&step_2=depositCheck&split=branch&person_field=country", "person_field"),
        ("report=retention", "type"),
        ("report=retention&type=depositCheck&then=moon", "then"),
        ("report=retention&type=depositCheck&periods=31", "periods"),
        ("report=retention&type=depositCheck&interval=day&since=2020-01-01", "interval"),
        ("report=returned&type=depositCheck&period=-1", "period"),
        ("report=waited&type=depositCheck&wait=5", "wait"),
    ],
)
def test_a_bad_parameter_is_named(api, world, query, path):
    reply = api.get(f"reports/figures?{query}")
    assert reply.status_code == 400, reply.content
    assert reply.json()["errors"][0]["parameter"] == path


def test_figures_need_all_rights_of_a_report(narrowed, world):
    api = narrowed("activities.view_activity")
    assert api.get("reports/figures?type=depositCheck").status_code == 403
    assert api.get("reports").status_code == 403


def test_a_trend_has_the_marks_of_its_chart(api, owner, world):
    report_notes.add_note(timezone.now().date(), "Fair", owner)
    marks = api.get("reports/figures?report=trend&type=depositCheck&interval=day").json()["marks"]
    today = timezone.now().date().isoformat()
    assert {"day": today, "text": "Fair"} in marks
    assert {"day": today, "text": "Version 1 of Deposit Check approved"} in marks
    assert api.get("reports/figures?report=breakdown&type=depositCheck&field=branch").json()["marks"] == []
