"""Reports say what the log says, of everybody or of a list."""

import csv
import io
from collections import Counter
from datetime import date

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities import reports, rollup
from activities.models import Activity, ApprovedField
from people import static_lists
from people.problems import Refused
from people.sources import Door, Source
from tests.making import activity, approved_type, person, recorded

pytestmark = pytest.mark.django_db
YEAR = reports.Scope(date(2026, 1, 1), date(2026, 12, 31))
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
    ann = person()
    recorded(*(activity(ann.pk, occurred_at=f"2026-03-0{day}T23:30:00Z") for day in (1, 1, 3)))
    monkeypatch.setattr(rollup, "high_water_mark", lambda: Activity.objects.order_by("-pk")[0].pk)
    rollup.catch_up()
    of_ann = reports.Scope(YEAR.first, YEAR.last, [ann.pk])
    assert reports.trend(types[0], YEAR) == reports.trend(types[0], of_ann)
    assert dict(reports.trend(types[0], YEAR))[date(2026, 3, 1)] == 2
    assert sum(count for _day, count in reports.trend(types[0], reports.Scope(YEAR.first, YEAR.last, []))) == 0


def test_a_breakdown_counts_activities_and_people_and_sums(types):
    ann, bob = person(), person()
    recorded(
        activity(ann.pk, branch="Lyon", amount="1.50"), activity(ann.pk, branch="Lyon", amount="2"),
        activity(bob.pk, branch="Lyon"), activity(bob.pk, amount="4"), activity(bob.pk, branch="<b>", amount="8"),
    )  # fmt: skip
    fields = {field.api_name: field for field in ApprovedField.objects.filter(activity_type=types[0])}
    found = reports.breakdown(types[0], fields["branch"], YEAR, fields["amount"])
    rows = [(group.value, group.count, group.people, float(group.total)) for group in found]
    assert rows == [("Lyon", 3, 2, 3.5), ("<b>", 1, 1, 8.0), (None, 1, 1, 4.0)]


def test_top_people_are_live_people(types):
    ann, bob, gone = person(), person(), person()
    recorded(*(activity(who.pk) for who in (ann, bob, bob, gone, gone, gone)))
    type(gone).objects.filter(pk=gone.pk).update(state="merged", merged_into_id=ann.pk)
    assert [row[:2] for row in reports.top_people(types[0], YEAR)] == [(bob.pk, 2), (ann.pk, 1)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_funnel_follows_its_definition(types, data):
    from django.db import transaction

    with transaction.atomic():
        people = [person() for _ in range(3)]
        rows = data.draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 6)), max_size=14))
        recorded(*(activity(people[who].pk, types[what].pk, f"2026-03-0{day}") for who, what, day in rows))
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
        found = reports.funnel([types[step] for step in steps], YEAR)
        assert [step.people for step in found] == [expected[number] for number in range(len(steps))]
        transaction.set_rollback(True)


def test_periods_and_steps_that_make_no_sense_are_refused(types):
    for first, last in ((date(2026, 2, 1), date(2026, 1, 1)), (date(1900, 1, 1), date(2200, 1, 1))):
        with pytest.raises(Refused):
            reports.trend(types[0], reports.Scope(first, last))
    with pytest.raises(Refused):
        reports.funnel([types[0]], YEAR)


def test_a_report_that_takes_too_long_is_given_up(types, monkeypatch):
    monkeypatch.setattr(reports, "SECONDS", 0.05)
    monkeypatch.setattr(reports, "_WHERE", f"pg_sleep(1) is not null and {reports._WHERE}")
    recorded(activity(person().pk))
    with pytest.raises(Refused, match="takes longer"):
        reports.top_people(types[0], YEAR)


def test_the_page_reports_on_everybody_or_a_list_and_gives_the_same_as_csv(admin, types):
    user = get_user_model().objects.get(username="vera")
    ann, bob = person(first_name="=Ann"), person()
    recorded(activity(ann.pk), activity(bob.pk), activity(bob.pk))
    friends = static_lists.create("Friends", user)
    static_lists.add(friends, [ann.pk], Source(Door.ADMIN, user.pk))
    asked = {"report": "people", "type": types[0].pk, "since": "2026-11-01", "until": "2026-11-30"}
    assert [row[2] for row in shown(admin.get(URL, asked))] == [2, 1]
    narrowed = asked | {"people": f"static:{friends.pk}"}
    assert [row[0] for row in shown(admin.get(URL, narrowed))] == ["=Ann"]
    text = admin.get(URL, narrowed | {"format": "csv"}).content.decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text, newline="")))[1][0] == "'=Ann"


@pytest.mark.parametrize("report", ["trend", "breakdown", "people", "funnel"])
def test_each_report_opens_empty_and_filled(admin, types, report):
    recorded(activity(person().pk, occurred_at="2026-11-02"))
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


@pytest.mark.parametrize("bad", [{"type": "9" * 500}, {"type": "x\x00"}, {"since": "0001-01-01"}, {"people": "smart:999"},
                                 {"since": "nonsense"}, {"report": "none"}, {"people": "static:x"}, {"until": "1900-01-01"}])  # fmt: skip
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
