"""Reports show what the log holds, of all people or of a list."""

import csv
import io
import json
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from procrastinate.contrib.django.models import ProcrastinateJob

from activities.log import reports as log_reports
from activities.log import rollup
from activities.models import Activity, ActivityType, ApprovedField
from people.core import job_model
from people.core.errors import NotAllowedError, RejectedError
from people.core.source import Channel, Source
from people.lists import static_lists
from people.models import Person
from people.privacy import erasure
from people.privacy import search as privacy_search
from smartlists.lists import editing as list_editing
from smartlists.lists import reports as list_reports
from smartlists.lists.report_questions import ReportQuestion
from smartlists.models import StoredReport
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_rows, user_with
from tests.hypothesis_profiles import examples

pytestmark = pytest.mark.django_db
YEAR = log_reports.ReportScope(date(2026, 1, 1), date(2026, 12, 31))
URL = "/admin/reports/"


@pytest.fixture
def types():
    return approved_type(), approved_type("Attend Webinar", "attendWebinar"), approved_type("Buy Car", "buyCar")


@pytest.fixture
def admin(client):
    client.force_login(get_user_model().objects.create_superuser("vera"))
    return client


def shown(reply):
    return [[cell.raw for cell in row] for row in reply.context["table"].rows]


def test_the_trend_is_the_same_from_the_rollup_and_from_the_log(types, monkeypatch):
    ann = make_person()
    record_rows(*(new_activity(ann.pk, occurred_at=f"2026-03-0{day}T23:30:00Z") for day in (1, 1, 3)))
    monkeypatch.setattr(rollup, "high_water_mark", lambda: Activity.objects.order_by("-pk")[0].pk)
    rollup.catch_up_rollup()
    of_ann = log_reports.ReportScope(YEAR.first, YEAR.last, [ann.pk])
    assert log_reports.activity_trend(types[0], YEAR) == log_reports.activity_trend(types[0], of_ann)
    assert dict(log_reports.activity_trend(types[0], YEAR))[date(2026, 3, 1)] == 2
    assert (
        sum(
            count
            for _day, count in log_reports.activity_trend(types[0], log_reports.ReportScope(YEAR.first, YEAR.last, []))
        )
        == 0
    )


@pytest.mark.parametrize("by", ["split", "person_field"])
def test_each_figure_of_a_split_funnel_leads_to_its_people(types, admin, monkeypatch, by):
    monkeypatch.setattr(log_reports, "MOST_VALUES", 2)
    people = [make_person(country=country, email=f"{number}@x.org") for number, country in enumerate("AAABBC")]
    people.append(make_person(email="none@x.org"))
    for number, person in enumerate(people):
        branch = {"branch": person.country} if person.country else {}
        record_rows(new_activity(person.pk, occurred_at="2026-03-01T10:00:00Z", **branch))
        if number % 2:
            record_rows(new_activity(person.pk, "attendWebinar", occurred_at="2026-03-02T10:00:00Z"))
    field = ApprovedField.objects.get(activity_type=types[0], api_name="branch").pk if by == "split" else "country"
    asked = {"report": "funnel", "step_1": types[0].pk, "step_2": types[1].pk, by: field}
    table = admin.get(URL, asked | {"since": "2026-03-01", "until": "2026-03-31"}).context["table"]
    assert {row[0].shown for row in table.rows} == {"A", "B", "(other values)"}
    counted = 0
    for group, step, figure, *_rest in table.rows:
        if not figure.raw:
            assert not figure.url
            continue
        listed = admin.get(figure.url).context["table"]
        assert len(listed.rows) == figure.raw, (group.shown, step.shown)
        countries = {Person.objects.get(pk=pk).country for pk in listed.people}
        assert countries == ({group.shown} if group.raw != "(other values)" else countries - {"A", "B"})
        counted += figure.raw
    assert counted == 7 + 3


def test_a_worker_of_the_version_before_fails_on_the_people_of_a_group(types):
    """It has "reached" and no groups, and would answer for all people."""
    asked = ReportQuestion("split_reached", (types[0].pk,), YEAR.first, YEAR.last, value="A", person_field="country")
    for question in (asked, replace(asked, value=None, others=True), replace(asked, without_bots=True)):
        assert (
            question.dump()["report"].startswith("split_reached") and ReportQuestion.load(question.dump()) == question
        )


def test_a_breakdown_counts_activities_and_people_and_sums(types):
    ann, bob = make_person(), make_person()
    record_rows(
        new_activity(ann.pk, branch="Lyon", amount="1.50"),
        new_activity(ann.pk, branch="Lyon", amount="2"),
        new_activity(bob.pk, branch="Lyon"),
        new_activity(bob.pk, amount="4"),
        new_activity(bob.pk, branch="<b>", amount="8"),
    )
    fields = {field.api_name: field for field in ApprovedField.objects.filter(activity_type=types[0])}
    found = log_reports.value_breakdown(types[0], fields["branch"], YEAR, fields["amount"])
    rows = [(group.value, group.count, group.people, float(group.total)) for group in found]
    assert rows == [("Lyon", 3, 2, 3.5), ("<b>", 1, 1, 8.0), (None, 1, 1, 4.0)]


def test_top_people_are_live_people(types):
    ann, bob, gone = make_person(), make_person(), make_person()
    record_rows(*(new_activity(who.pk) for who in (ann, bob, bob, gone, gone, gone)))
    type(gone).objects.filter(pk=gone.pk).update(state="merged", merged_into_id=ann.pk)
    assert [row[:2] for row in log_reports.top_people(types[0], YEAR)] == [(bob.pk, 2), (ann.pk, 1)]


@settings(max_examples=examples(12, 100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_funnel_follows_its_definition(types, data):
    from django.db import transaction

    with transaction.atomic():
        people = [make_person() for _ in range(3)]
        rows = data.draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 6)), max_size=14))
        record_rows(*(new_activity(people[who].pk, types[what].pk, f"2026-03-0{day}") for who, what, day in rows))
        steps = data.draw(st.lists(st.integers(0, 2), min_size=2, max_size=4))
        expected: Counter[int] = Counter()
        for who in range(3):
            moment = 0
            for number, step in enumerate(steps):
                later = [day for one, what, day in rows if one == who and what == step and day > moment]
                if not later:
                    break
                moment = min(later)
                expected[number] += 1
        found = log_reports.people_funnel([types[step] for step in steps], YEAR)
        assert [step.people for step in found] == [expected[number] for number in range(len(steps))]
        transaction.set_rollback(True)


def test_periods_and_steps_that_make_no_sense_are_refused(types):
    for first, last in ((date(2026, 2, 1), date(2026, 1, 1)), (date(1900, 1, 1), date(2200, 1, 1))):
        with pytest.raises(RejectedError):
            log_reports.activity_trend(types[0], log_reports.ReportScope(first, last))
    with pytest.raises(RejectedError):
        log_reports.people_funnel([types[0]], YEAR)


def test_a_report_that_takes_too_long_is_given_up(types, monkeypatch):
    monkeypatch.setattr(log_reports, "WITHIN_SCOPE", f"pg_sleep(1) is not null and {log_reports.WITHIN_SCOPE}")
    record_rows(new_activity(make_person().pk))
    with pytest.raises(RejectedError, match="takes longer"):
        log_reports.top_people(types[0], replace(YEAR, seconds=0.05))


def test_the_page_reports_on_everybody_or_a_list_and_gives_the_same_as_csv(admin, types):
    user = get_user_model().objects.get(username="vera")
    ann, bob = make_person(first_name="=Ann"), make_person()
    record_rows(new_activity(ann.pk), new_activity(bob.pk), new_activity(bob.pk))
    friends = static_lists.create_static_list("Friends", user)
    static_lists.add_members(friends, [ann.pk], Source(Channel.ADMIN, user.pk))
    asked = {"report": "people", "type": types[0].pk, "since": "2026-11-01", "until": "2026-11-30"}
    assert [row[2] for row in shown(admin.get(URL, asked))] == [2, 1]
    narrowed = asked | {"people": f"static:{friends.pk}"}
    assert [row[0] for row in shown(admin.get(URL, narrowed))] == ["=Ann"]
    text = admin.get(URL, narrowed | {"format": "csv"}).getvalue().decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text, newline="")))[1][0] == "'=Ann"


@pytest.mark.parametrize("report", ["trend", "breakdown", "people", "funnel"])
def test_each_report_opens_empty_and_filled(admin, types, report):
    record_rows(new_activity(make_person().pk, occurred_at="2026-11-02"))
    assert admin.get(URL, {"report": report}).context["table"] is None
    filled = {
        "type": types[0].pk,
        "step_1": types[0].pk,
        "step_2": types[1].pk,
        "since": "2026-11-01",
        "until": "2026-11-30",
    }
    reply = admin.get(URL, {"report": report} | filled)
    assert reply.context["problems"] == [] and reply.context["table"].rows
    assert (report == "breakdown") == ("Broken down by" in reply.text and " selected>Check<" in reply.text)


@pytest.mark.parametrize(
    "bad",
    [
        {"type": "9" * 500},
        {"type": "x\x00"},
        {"since": "0001-01-01"},
        {"people": "smart:999"},
        {"since": "nonsense"},
        {"report": "none"},
        {"people": "static:x"},
        {"until": "1900-01-01"},
    ],
)
def test_odd_questions_are_answered_with_a_sentence(admin, types, bad):
    assert admin.get(URL, {"report": "trend", "type": types[0].pk} | bad).status_code == 200


def test_reports_take_rights(client, types):
    user = get_user_model().objects.create_user("bob", is_staff=True)
    client.force_login(user)
    assert client.get(URL).status_code == 403
    user.groups.add(Group.objects.get(name="Viewer"))
    asked = {"report": "people", "type": types[0].pk}
    assert client.get(reverse("reports"), asked).status_code == 200
    assert client.get(URL, asked | {"format": "csv"}).status_code == 403


@pytest.fixture
def many(types, monkeypatch):
    """More activities than a page reads at once, and the parameters of a report on them."""
    ann, bob = make_person(email="ann@example.com"), make_person()
    record_rows(
        *(new_activity(who.pk, occurred_at="2026-11-02", branch="Lyon", amount="1.50") for who in (ann, ann, bob))
    )
    monkeypatch.setattr(rollup, "high_water_mark", lambda: Activity.objects.order_by("-pk")[0].pk)
    rollup.catch_up_rollup()
    monkeypatch.setattr(list_reports, "AT_ONCE", 2)
    field = ApprovedField.objects.get(activity_type=types[0], api_name="branch").pk
    total = ApprovedField.objects.get(activity_type=types[0], api_name="amount").pk
    return {
        "report": "breakdown",
        "type": types[0].pk,
        "field": field,
        "total": total,
        "since": "2026-11-01",
        "until": "2026-11-30",
    }


def work():
    """Run the queued jobs; return their number."""
    jobs = ProcrastinateJob.objects.filter(task_name="smartlists.work_out_report").order_by("pk")
    for job in jobs:
        list_reports.run_report(job.args["report_id"])
    return len(jobs)


def test_what_reads_many_activities_is_worked_out_by_a_job_and_shown_with_its_time(admin, many):
    live = log_reports.value_breakdown(
        *(model.objects.get(pk=many[name]) for model, name in ((ActivityType, "type"), (ApprovedField, "field"))),
        YEAR,
        ApprovedField.objects.get(pk=many["total"]),
    )
    first = admin.get(URL, many)
    assert first.context["table"] is None and "hx-trigger" in first.content.decode()
    assert admin.get(URL, many | {"format": "state"}).status_code == 204
    assert admin.get(URL, many | {"format": "csv"}).status_code == 302
    assert work() == 1
    assert admin.get(URL, many | {"format": "state"})["HX-Refresh"] == "true"
    reply = admin.get(URL, many)
    assert shown(reply) == [[group.value, group.count, group.people, group.total] for group in live]
    assert reply.context["reply"].answer.as_of and "Figures as of" in reply.content.decode()
    text = admin.get(URL, many | {"format": "csv"}).getvalue().decode("utf-8-sig")
    assert text.splitlines()[1] == "Lyon,3,2,4.5"


def test_old_figures_are_shown_until_newer_ones_are_there(admin, many):
    admin.get(URL, many)
    work()
    record_rows(new_activity(make_person().pk, occurred_at="2026-11-03", branch="Lyon"))
    assert shown(admin.get(URL, many))[0][1] == 3 and StoredReport.objects.get().state == "done"
    StoredReport.objects.update(as_of=timezone.now() - list_reports.FRESH)
    again = admin.get(URL, many)
    assert shown(again)[0][1] == 3 and again.context["reply"].asked_at
    assert work() == 2
    assert shown(admin.get(URL, many))[0][1] == 4
    record_rows(new_activity(make_person().pk, occurred_at="2026-11-03", branch="Lyon"))
    query = "&".join(f"{name}={value}" for name, value in many.items())
    assert admin.post(f"{URL}?{query}").status_code == 302 and admin.post(f"{URL}?{query}").status_code == 302
    assert work() == 3  # users who request it while it is worked out wait for the same
    assert shown(admin.get(URL, many))[0][1] == 5


def test_a_report_whose_job_was_killed_is_begun_again(admin, many):
    admin.get(URL, many)
    StoredReport.objects.update(progressed_at=timezone.now() - timedelta(minutes=8))
    assert work() == 1 and StoredReport.objects.get().state == "running"
    job_model.reclaim_jobs()
    assert admin.get(URL, many).context["reply"].asked_at
    assert work() == 2 and StoredReport.objects.get().state == "done"


def test_what_went_wrong_is_said_and_can_be_tried_again(admin, many, monkeypatch):
    monkeypatch.setattr(list_reports, "JOB_SECONDS", 0.05)
    monkeypatch.setattr(log_reports, "WITHIN_SCOPE", f"pg_sleep(1) is not null and {log_reports.WITHIN_SCOPE}")
    admin.get(URL, many)
    work()
    reply = admin.get(URL, many)
    assert "takes longer" in reply.content.decode() and reply.context["reply"].asked_at is None
    monkeypatch.undo()
    list_reports.request_report(list_reports.ReportQuestion.load(StoredReport.objects.get().question), None)
    work()
    reply = admin.get(URL, many)
    assert shown(reply)[0][:3] == ["Lyon", 3, 2] and "takes longer" not in reply.content.decode()


def test_a_long_list_is_read_by_the_job_too(admin, types, many, monkeypatch):
    monkeypatch.setattr(list_reports, "AT_ONCE", 3)
    user = get_user_model().objects.get(username="vera")
    rules = {"filters": [{"kind": "activity", "did": True, "type": "depositCheck", "constraints": []}]}
    smart, static = (
        list_editing.create_smart_list("Depositors", rules, user),
        static_lists.create_static_list("Four", user),
    )
    static_lists.add_members(static, [make_person().pk for _one in range(4)], Source(Channel.ADMIN, user.pk))
    for people in (f"smart:{smart.pk}", f"static:{static.pk}"):
        assert admin.get(URL, many | {"people": people}).context["reply"].asked_at, people
    work()
    reply = admin.get(URL, many | {"people": f"smart:{smart.pk}"})
    assert shown(reply)[0][:3] == ["Lyon", 3, 2] and reply.context["reply"].answer.people_as_of
    assert shown(admin.get(URL, many | {"people": f"static:{static.pk}"})) == []
    # the list is evaluated now, and short enough for the page itself
    assert not admin.get(URL, many | {"people": f"smart:{smart.pk}", "since": "2026-11-02"}).context["reply"].is_stored


def test_an_erase_takes_answers_away_also_those_that_are_under_way(admin, many):
    admin.get(URL, many | {"report": "people"})
    work()
    ann = Person.objects.get(email="ann@example.com")
    assert shown(admin.get(URL, many | {"report": "people"}))[0][1] == "ann@example.com"
    wanted = privacy_search.people_identity([ann.pk])
    assert any("stored_report" in trace.place for trace in privacy_search.find_traces(wanted))
    admin.get(URL, many)
    under_way = StoredReport.objects.get(question__report="breakdown").pk
    erasure.erase_people([ann.pk], None, MARKETO)
    list_reports.run_report(under_way)
    assert not StoredReport.objects.exists() and not privacy_search.find_traces(wanted)


def test_answers_that_nobody_asks_for_are_dropped(admin, many):
    admin.get(URL, many)
    assert list_reports.delete_old_reports() == 0
    StoredReport.objects.update(asked_at=timezone.now() - list_reports.KEPT - timedelta(minutes=1))
    assert list_reports.delete_old_reports() == 1


def test_a_report_of_a_list_takes_the_right_to_see_it(types):
    user = user_with(*list_reports.RIGHTS)
    question = list_reports.ReportQuestion("trend", (types[0].pk,), YEAR.first, YEAR.last)
    assert list_reports.answer_question(question, user).answer
    for people in ("smart:1", "static:1"):
        with pytest.raises(NotAllowedError):
            list_reports.answer_question(replace(question, people=people), user)


@pytest.fixture
def two_years(types, monkeypatch):
    ann = make_person()
    days = [date(2025, 1, 1) + timedelta(days=3 * number) for number in range(230)]
    record_rows(*(new_activity(ann.pk, types[number % 2].pk, f"{day}T12:00:00Z") for number, day in enumerate(days)))
    monkeypatch.setattr(rollup, "high_water_mark", lambda: Activity.objects.order_by("-pk")[0].pk)
    rollup.catch_up_rollup()
    return {"report": "trend", "type": types[0].pk, "since": "2026-01-01", "until": "2026-06-30"}


def series_of(reply):
    return json.loads(reply.context["table"].chart)["series"]


@pytest.mark.parametrize("interval", ["day", "week", "month", "quarter", "year"])
def test_a_trend_by_any_interval_has_the_same_sum_in_chart_table_file_and_total(admin, types, two_years, interval):
    asked = two_years | {"interval": interval}
    reply = admin.get(URL, asked)
    first, last = date(2026, 1, 1), date(2026, 6, 30)
    expected = Activity.objects.filter(
        activity_type_id=types[0].pk, occurred_at__date__gte=first, occurred_at__date__lte=last
    ).count()
    assert sum(row[1] for row in shown(reply)) == sum(series_of(reply)[0]["data"]) == expected
    text = admin.get(URL, asked | {"format": "csv"}).getvalue().decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert [[start, int(count)] for start, count in rows] == shown(reply)
    assert [total.count for total in reply.context["table"].totals] == [str(expected)]


def test_several_types_are_compared_with_the_period_before(admin, types, two_years):
    reply = admin.get(
        URL, two_years | {"type_2": types[1].pk, "type_3": types[2].pk, "interval": "month", "compare": "on"}
    )
    lines = series_of(reply)
    assert [line["isBefore"] for line in lines] == [False] * 3 + [True] * 3
    assert [line["of"] for line in lines] == [0, 1, 2, 0, 1, 2]
    assert all(len(line["data"]) == len(lines[0]["data"]) for line in lines)
    before = admin.get(URL, two_years | {"since": "2025-07-04", "until": "2025-12-31", "interval": "month"})
    assert sum(lines[3]["data"]) == sum(series_of(before)[0]["data"]) > 0
    assert sum(lines[2]["data"]) == 0
    assert reply.context["table"].totals[0].change.endswith("%")
    assert "Deposit Check, period before" in reply.text


@pytest.mark.parametrize(
    ("since", "until"), [("0001-01-01", "0001-02-01"), ("0050-01-01", "0149-01-01"), ("9999-12-31", "0001-01-01")]
)
def test_where_no_calendar_has_the_period_before_nothing_is_compared(admin, types, since, until):
    asked = {"report": "trend", "type": types[0].pk, "since": since, "until": until}
    for interval in ("", "week"):
        assert admin.get(URL, asked | {"interval": interval, "compare": "on"}).status_code == 200


def test_all_time_is_one_click_and_a_chart_has_no_more_points_than_are_told_apart(admin, types, two_years):
    shown_periods = {label: address for label, address, _is_shown in admin.get(URL, two_years).context["periods"]}
    reply = admin.get(f"{URL}?{shown_periods['All time']}")
    assert sum(series_of(reply)[0]["data"]) == 115 and len(series_of(reply)[0]["data"]) <= 120
    many = two_years | {"since": "1930-01-01", "interval": "day"}
    assert "Too many points" in admin.get(URL, many).text
    assert admin.get(URL, many | {"interval": ""}).context["table"].rows
