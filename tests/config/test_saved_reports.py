"""Saved reports and dashboards: who sees and changes them, and the same figures everywhere."""

import json
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from activities.log import reports as log_reports
from activities.log import rollup
from activities.models import Activity, ApprovedField
from config.access.users import deactivation
from people.core.errors import NotAllowedError, NotFoundError, RejectedError
from people.lists import static_lists
from people.privacy import erasure
from smartlists.lists import dashboards, saved_reports
from smartlists.lists import reports as list_reports
from smartlists.models import Dashboard, SavedReport, StoredReport
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_rows
from tests.query_budget import query_budget

pytestmark = pytest.mark.django_db


def member(name, role="Marketer"):
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return get_user_model().objects.get(pk=user.pk)


@pytest.fixture
def vera():
    return member("vera")


@pytest.fixture
def bob():
    return member("bob")


@pytest.fixture
def as_vera(client, vera):
    client.force_login(vera)
    return client


@pytest.fixture
def trend(monkeypatch):
    """The parameters of a trend with three activities, two of them in Lyon."""
    check, ann = approved_type(), make_person(email="ann@example.com")
    today = timezone.now().date()
    days = [today - timedelta(days=number) for number in (1, 1, 40)]
    for day, branch in zip(days, ("Lyon", "Nantes", "Lyon"), strict=True):
        record_rows(new_activity(ann.pk, occurred_at=f"{day}T09:00:00Z", branch=branch))
    monkeypatch.setattr(rollup, "high_water_mark", lambda: Activity.objects.order_by("-pk")[0].pk)
    rollup.catch_up_rollup()
    return {"report": "trend", "type": str(check.pk), "interval": "day", "days": "30"}


def rows(reply):
    return [[cell.raw for cell in row] for row in reply.context["table"].rows]


def query(parameters):
    return "&".join(f"{name}={value}" for name, value in parameters.items())


def test_a_report_is_saved_opened_changed_and_deleted_and_all_is_audited(as_vera, trend, vera):
    assert "Save this report" in as_vera.get("/admin/reports/", trend).text
    address = f"/admin/reports/save/?{query(trend)}"
    saved = as_vera.post(address, {"name": " Checks ", "follows_today": "on"}, follow=True)
    report = SavedReport.objects.get()
    assert saved.redirect_chain[-1][0] == f"/admin/reports/?saved={report.pk}"
    assert (report.name, report.owner, report.is_shared) == ("Checks", vera, False)
    assert report.parameters == trend
    assert sum(count for _day, count in rows(saved)) == 2 and len(rows(saved)) == 30
    again = as_vera.post(address, {"name": "CHECKS"})
    assert "already" in again.text and 'value="CHECKS"' in again.text and SavedReport.objects.count() == 1
    changed = trend | {"days": "60", "saved": report.pk}
    as_vera.post(f"/admin/reports/save/?{query(changed)}", {"name": "Many", "follows_today": "on", "change": "1"})
    assert sum(count for _day, count in rows(as_vera.get(f"/admin/reports/?saved={report.pk}"))) == 3
    address = reverse("delete-saved-report", args=[report.pk])
    assert "leaves the dashboard" not in as_vera.get(address).text
    assert as_vera.post(address, {"confirm": "no"}).status_code == 200 and SavedReport.objects.exists()
    as_vera.post(address, {"confirm": "Many"})
    assert not SavedReport.objects.exists()
    logged = LogEntry.objects.filter(content_type__model="savedreport").order_by("pk")
    assert [json.loads(entry.change_message)["action"] for entry in logged] == ["created", "changed", "deleted"]


def test_a_period_with_a_fixed_end_stays(as_vera, trend):
    asked = {**trend, "since": "2026-01-01", "until": "2026-01-31"}
    del asked["days"]
    as_vera.post(f"/admin/reports/save/?{query(asked)}", {"name": "January"})
    assert SavedReport.objects.get().parameters == asked
    assert len(rows(as_vera.get(f"/admin/reports/?saved={SavedReport.objects.get().pk}"))) == 31


def test_private_is_private_shared_is_seen_and_changed_by_those_who_may_share(client, vera, bob, trend):
    mine = saved_reports.save_report("Mine", trend, vera)
    ours = saved_reports.save_report("Ours", trend, vera, is_shared=True)
    viewer = member("victor", "Viewer")
    for user in (bob, viewer):
        client.force_login(user)
        assert client.get(reverse("saved-report", args=[mine.pk])).status_code == 404
        assert client.get(f"/admin/reports/?saved={mine.pk}").context["saved"] is None
        assert client.get(f"/admin/reports/?saved={ours.pk}").context["saved"] == ours
        page = client.get(reverse("saved-reports")).text
        assert "Ours" in page and "Mine" not in page
    assert client.get(reverse("saved-report-settings", args=[ours.pk])).status_code == 403
    with pytest.raises(NotAllowedError):
        saved_reports.change_report(ours, viewer, name="His")
    with pytest.raises(NotAllowedError):
        saved_reports.save_report("For all", trend, viewer, is_shared=True)
    assert saved_reports.save_report("His own", trend, viewer).owner == viewer
    assert saved_reports.change_report(ours, bob, name="Team").name == "Team"
    with pytest.raises(RejectedError, match="vera"):
        saved_reports.change_report(ours, bob, is_shared=False)
    for verb in (saved_reports.change_report, saved_reports.delete_report):
        with pytest.raises(NotFoundError):
            verb(mine, bob)
    assert not saved_reports.change_report(ours, vera, is_shared=False).is_shared


def test_nobody_without_the_rights_sees_any(client, vera, trend):
    report = saved_reports.save_report("Ours", trend, vera, is_shared=True)
    dashboard = dashboards.create_dashboard("Team", vera, is_shared=True)
    client.force_login(get_user_model().objects.create_user("nobody", is_staff=True))
    for name, arguments in (
        ("saved-reports", []),
        ("saved-report", [report.pk]),
        ("add-dashboard", []),
        ("dashboard", [dashboard.pk]),
    ):
        assert client.get(reverse(name, args=arguments)).status_code == 403, name


def test_reports_are_pinned_arranged_widened_and_unpinned(as_vera, vera, trend):
    first, second, third = (saved_reports.save_report(name, trend, vera) for name in ("One", "Two", "Three"))
    as_vera.post(reverse("pin-report", args=[first.pk]), {"name": "Board"})
    board = Dashboard.objects.get()
    as_vera.post(reverse("pin-report", args=[second.pk]), {"dashboard": board.pk})
    arrange = reverse("arrange-dashboard", args=[board.pk])
    as_vera.post(arrange, {"do": "pin", "report": third.pk})
    as_vera.post(arrange, {"do": "pin", "report": third.pk})

    def order():
        return [tile.report.name for tile in board.tiles.select_related("report")]

    assert order() == ["One", "Two", "Three"]
    tile = board.tiles.get(report=third)
    moved = as_vera.post(arrange, {"do": "earlier", "tile": tile.pk}, follow=True)
    assert order() == ["One", "Three", "Two"] and "autofocus" in moved.text
    as_vera.post(arrange, {"do": "earlier", "tile": tile.pk})
    as_vera.post(arrange, {"do": "earlier", "tile": tile.pk})
    assert order() == ["Three", "One", "Two"]
    as_vera.post(arrange, {"do": "later", "tile": tile.pk})
    as_vera.post(arrange, {"do": "wide", "tile": tile.pk})
    assert order() == ["One", "Three", "Two"] and board.tiles.get(pk=tile.pk).is_wide
    as_vera.post(arrange, {"do": "unpin", "tile": tile.pk})
    assert order() == ["One", "Two"] and SavedReport.objects.count() == 3
    assert as_vera.post(arrange, {"do": "explode", "tile": tile.pk}).status_code == 404
    assert "Board" in as_vera.get(reverse("delete-saved-report", args=[first.pk])).text
    as_vera.post(reverse("delete-dashboard", args=[board.pk]), {"confirm": "Board"})
    assert not Dashboard.objects.exists() and SavedReport.objects.count() == 3


def test_a_dashboard_is_bounded(vera, trend, monkeypatch):
    monkeypatch.setattr(dashboards, "MOST_TILES", 1)
    board = dashboards.create_dashboard("Board", vera)
    dashboards.pin_report(board, saved_reports.save_report("One", trend, vera), vera)
    with pytest.raises(RejectedError, match="at most 1"):
        dashboards.pin_report(board, saved_reports.save_report("Two", trend, vera), vera)


def test_a_shared_dashboard_has_shared_reports_only(vera, bob, trend):
    mine = saved_reports.save_report("Mine", trend, vera)
    board = dashboards.create_dashboard("Board", vera)
    dashboards.pin_report(board, mine, vera)
    with pytest.raises(RejectedError, match="Mine"):
        dashboards.change_dashboard(board, vera, is_shared=True)
    saved_reports.change_report(mine, vera, is_shared=True)
    dashboards.change_dashboard(board, vera, is_shared=True)
    with pytest.raises(RejectedError, match="Board"):
        saved_reports.change_report(mine, vera, is_shared=False)
    with pytest.raises(RejectedError, match="Share the report"):
        dashboards.pin_report(board, saved_reports.save_report("Other", trend, vera), vera)
    with pytest.raises(NotFoundError):
        dashboards.pin_report(board, SavedReport.objects.get(name="Other"), bob)


def test_a_report_that_is_private_again_leaves_a_frame_on_the_dashboards_of_others(client, vera, bob, trend):
    report = saved_reports.save_report("Secret", trend, vera, is_shared=True)
    board = dashboards.create_dashboard("Board", bob)
    tile = dashboards.pin_report(board, report, bob)
    saved_reports.change_report(report, vera, is_shared=False)
    client.force_login(bob)
    page = client.get(reverse("dashboard", args=[board.pk])).text
    assert "no longer shared" in page and "Secret" not in page
    assert client.get(reverse("dashboard-tile", args=[board.pk, tile.pk])).status_code == 404


def test_page_tile_and_file_show_the_same_stored_figures(as_vera, vera, trend):
    report = saved_reports.save_report("Checks", trend, vera)
    board = dashboards.create_dashboard("Board", vera)
    tile = reverse("dashboard-tile", args=[board.pk, dashboards.pin_report(board, report, vera).pk])
    frame = as_vera.get(reverse("dashboard", args=[board.pk]))
    assert tile in frame.text and not StoredReport.objects.exists()  # the page itself computes nothing
    first = as_vera.get(tile)
    assert StoredReport.objects.get().state == "done"
    record_rows(new_activity(make_person().pk, occurred_at=f"{timezone.now().date() - timedelta(days=2)}T09:00:00Z"))
    rollup.catch_up_rollup()
    again, page = as_vera.get(tile), as_vera.get(f"/admin/reports/?saved={report.pk}")
    assert rows(first) == rows(again) == rows(page)
    text = as_vera.get(f"/admin/reports/?saved={report.pk}&format=csv").getvalue().decode("utf-8-sig")
    assert [line.split(",") for line in text.splitlines()[1:]] == [[day, str(count)] for day, count in rows(page)]
    as_vera.post(f"/admin/reports/?saved={report.pk}")
    for job in ProcrastinateJob.objects.filter(task_name="smartlists.work_out_report"):
        list_reports.run_report(job.args["report_id"])
    assert sum(count for _day, count in rows(as_vera.get(tile))) == 3


def test_a_tile_that_reads_many_activities_waits_for_the_job(as_vera, vera, trend, monkeypatch):
    monkeypatch.setattr(list_reports, "AT_ONCE", 0)
    report = saved_reports.save_report("Top", trend | {"report": "people"}, vera)
    board = dashboards.create_dashboard("Board", vera)
    address = reverse("dashboard-tile", args=[board.pk, dashboards.pin_report(board, report, vera).pk])
    assert "load delay" in as_vera.get(address).text and StoredReport.objects.get().state == "running"
    list_reports.run_report(StoredReport.objects.get().pk)
    done = as_vera.get(address).text
    assert "ann@example.com" in done and "load delay" not in done


def test_an_erase_takes_the_answers_of_tiles_that_are_being_computed(vera, trend, monkeypatch):
    question = list_reports.ReportQuestion(
        "people", (int(trend["type"]),), timezone.now().date() - timedelta(days=60), timezone.now().date()
    )
    compute, ann = list_reports._at_once, Activity.objects.order_by("pk")[0].person_id

    def erased_meanwhile(question):
        answer = compute(question)
        erasure.erase_people([ann], None, MARKETO)
        return answer

    monkeypatch.setattr(list_reports, "_at_once", erased_meanwhile)
    assert list_reports.answer_kept(question, vera).answer is None
    assert not StoredReport.objects.exists()


def test_what_a_report_asks_about_may_be_gone(as_vera, vera, trend):
    friends = static_lists.create_static_list("Friends", None)
    report = saved_reports.save_report("Friends", trend | {"people": f"static:{friends.pk}"}, vera)
    board = dashboards.create_dashboard("Board", vera)
    address = reverse("dashboard-tile", args=[board.pk, dashboards.pin_report(board, report, vera).pk])
    assert "no longer exists" not in as_vera.get(address).text
    static_lists.delete_static_list(friends, None)
    assert "no longer exists" in as_vera.get(address).text


def test_who_leaves_hands_over_reports_and_dashboards(vera, bob, trend):
    saved_reports.save_report("Checks", trend, bob)
    report = saved_reports.save_report("checks", trend, vera)
    board = dashboards.create_dashboard("Board", vera)
    assert dict(deactivation.owned_counts(vera)) == {"reports": 1, "dashboards": 1}
    deactivation.deactivate_user(vera, bob, None)
    report.refresh_from_db()
    board.refresh_from_db()
    assert (report.owner, report.name, board.owner, board.name) == (bob, "checks (2)", bob, "Board")


@pytest.mark.parametrize("odd", ["²", "9" * 400, "-1", "0"])
def test_odd_numbers_are_nobodys(as_vera, trend, odd):
    assert as_vera.get("/admin/reports/", {"saved": odd}).context["saved"] is None
    assert as_vera.get("/admin/reports/", trend | {"days": odd}).status_code == 200


def test_a_dashboard_and_a_tile_keep_to_their_budgets(as_vera, vera, trend):
    board = dashboards.create_dashboard("Board", vera)
    tiles = [
        dashboards.pin_report(board, saved_reports.save_report(f"No. {number}", trend, vera), vera)
        for number in range(5)
    ]
    for name, address in (
        ("reports: dashboard", reverse("dashboard", args=[board.pk])),
        ("reports: dashboard arranged", f"{reverse('dashboard', args=[board.pk])}?arrange=1"),
        ("reports: tile", reverse("dashboard-tile", args=[board.pk, tiles[0].pk])),
        ("reports: saved", reverse("saved-reports")),
        ("reports: open", f"/admin/reports/?saved={tiles[0].report_id}"),
    ):
        as_vera.get(address)
        with query_budget(name):
            assert as_vera.get(address).status_code == 200


@pytest.mark.parametrize("cumulative", ["", "on"])
def test_each_number_of_a_trend_leads_to_the_people_behind_it(as_vera, trend, cumulative):
    page = as_vera.get("/admin/reports/", trend | {"days": "60", "interval": "week", "cumulative": cumulative})
    numbers = [row[1] for row in page.context["table"].rows if row[1].raw]
    assert len(numbers) > 1 and all(number.url for number in numbers)
    for number in numbers:
        people = as_vera.get(number.url)
        assert sum(row[2] for row in rows(people)) == number.raw
    chart = json.loads(page.context["table"].chart)["series"][0]
    assert [bool(link) for link in chart["links"]] == [bool(count) for count in chart["data"]]


def test_each_value_of_a_breakdown_leads_to_its_people(as_vera, trend):
    record_rows(new_activity(make_person().pk), new_activity(make_person().pk))  # without a branch
    field = ApprovedField.objects.get(activity_type=trend["type"], api_name="branch").pk
    page = as_vera.get("/admin/reports/", {"report": "breakdown", "type": trend["type"], "field": field})
    found = {row[0].raw: (row[1].raw, row[2].raw, row[2].url) for row in page.context["table"].rows}
    assert {value: number[:2] for value, number in found.items()} == {"Lyon": (2, 1), "Nantes": (1, 1), "": (2, 2)}
    for activities, people, address in found.values():
        listed = rows(as_vera.get(address))
        assert len(listed) == people and sum(row[2] for row in listed) == activities


def test_each_step_of_a_funnel_leads_to_its_people(as_vera, trend):
    webinar, both, one = approved_type("Attend Webinar", "attendWebinar"), make_person(), make_person()
    record_rows(
        *(new_activity(pk, webinar.pk, occurred_at=timezone.now() - timedelta(hours=5)) for pk in (both.pk, one.pk)),
        new_activity(both.pk, occurred_at=timezone.now() - timedelta(hours=4)),
    )
    asked = {"report": "funnel", "step_1": webinar.pk, "step_2": trend["type"]}
    steps = [row[1] for row in as_vera.get("/admin/reports/", asked).context["table"].rows]
    listed = [as_vera.get(step.url) for step in steps]
    assert [step.raw for step in steps] == [2, 1] and [len(rows(page)) for page in listed] == [2, 1]
    assert listed[1].context["table"].people == [both.pk]
    tabs = [name for name, _report in as_vera.get("/admin/reports/", asked).context["reports"]]
    assert "reached" not in tabs


def test_numbers_of_the_period_before_lead_there(as_vera, trend):
    page = as_vera.get("/admin/reports/", trend | {"interval": "month", "compare": "on"})
    before = [row[2] for row in page.context["table"].rows if row[2].raw]
    assert sum(number.raw for number in before) == 1
    assert [row[2] for row in rows(as_vera.get(before[0].url))] == [1]


def test_a_trend_split_by_values_adds_up_to_the_whole(as_vera, trend, monkeypatch):
    field = ApprovedField.objects.get(activity_type=trend["type"], api_name="branch").pk
    asked = trend | {"days": "60", "split": field}
    page = as_vera.get("/admin/reports/", asked)
    assert [str(heading) for heading in page.context["table"].headings[1:]] == ["Lyon", "Nantes"]
    assert [sum(line) for line in list(zip(*rows(page), strict=True))[1:]] == [2, 1]
    monkeypatch.setattr(log_reports, "MOST_VALUES", 1)
    rest = as_vera.get("/admin/reports/", asked)
    assert [str(heading) for heading in rest.context["table"].headings[1:]] == ["Lyon", "(other values)"]
    assert [sum(line) for line in list(zip(*rows(rest), strict=True))[1:]] == [2, 1]
    grown = rows(as_vera.get("/admin/reports/", asked | {"cumulative": "on"}))
    assert grown[0][1:] == [2, 1] and grown[-1][1:] == [0, 0]
    for wrong in ({"compare": "on"}, {"type_2": trend["type"]}):
        assert as_vera.get("/admin/reports/", asked | wrong).context["problems"]
