"""The inbox in the admin: from a first event to an approved type with its history, and the other decisions."""

import html
import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from activities.inbox import proposals
from activities.models import Activity, ActivityType, Sighting
from people.definitions import lifecycle
from people.models import Person
from tests.activities.inbox.factories import make_event, make_sighting
from tests.activities.segment.senders import make_program, message, minutes_ago, send
from tests.activities.visitors.factories import dispatch, make_visitor
from tests.factories import approved_type
from tests.query_budget import query_budget

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    user = get_user_model().objects.create_user("mia", is_staff=True)
    user.groups.add(Group.objects.get(name="Marketer"))
    client.force_login(user)
    return client


def form_of(page):
    """The values of the wizard's form as a browser would send them."""
    values = {}
    for tag in re.findall(r"<input[^>]*>", page):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if attributes.get("name") and attributes.get("type") not in ("radio", "checkbox", "submit"):
            values[attributes["name"]] = attributes.get("value", "")
    for name, body in re.findall(r'<select[^>]*name="([^"]+)".*?>(.*?)</select>', page, re.DOTALL):
        selected = re.search(r'value="([^"]*)"[^>]*selected', body)
        values[name] = selected[1] if selected else ""
    for name, body in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>(.*?)</textarea>', page, re.DOTALL):
        values[name] = body.strip()
    return values


def test_a_type_is_made_of_what_was_seen_and_what_waited_is_recorded(staff):
    program = make_program()
    sent = [
        message(
            "track",
            "Invoice Paid",
            {"invoice": f"00{number}", "total": 9.5, "tip": 1},
            userId="u-1",
            timestamp=minutes_ago(9),
        )
        for number in range(3)
    ]
    send(program, *sent, message("track", "<script>alert(1)</script>", {"a": "<b>"}, userId="u-1"))
    dispatch()
    with query_budget("inbox: list"):
        listed = staff.get("/admin/activities/sighting/").text
    assert listed.count('class="ca-spark"') == 2, "a small chart of each name by day"
    assert "Invoice Paid" in listed and "&lt;script&gt;alert(1)" in listed and "<script>alert(1)" not in listed
    sighting = Sighting.objects.get(name="Invoice Paid")
    address = f"/admin/activities/sighting/{sighting.pk}/"
    with query_budget("inbox: name"):
        page = staff.get(f"{address}change/").text
    assert "Latest arrival first." in page and "happened <time" in page, (
        "when it came, and when that was later than it happened"
    )
    assert "analytics-python/2.4.0" in page and "Currency" in page and "&quot;00" in page
    wizard = staff.get(f"/admin/activities/activitytype/add/?sighting={sighting.pk}").text
    last = staff.post("/admin/activities/activitytype/add/", {**form_of(wizard), "go": "3"}).text
    form = form_of(last)
    assert (form["fields-0-api_name"], form["fields-1-api_name"]) == ("total", "tip")
    edited = {"primary-api_name": "bill", "fields-0-api_name": "sum", "fields-1-name": "", "fields-1-api_name": ""}
    reply = staff.post("/admin/activities/activitytype/add/", {**form, **edited, "go": "save"})
    created = ActivityType.objects.get(is_standard=False)
    assert reply.status_code == 302 and str(created) == "Invoice Paid"
    fields = [(field.api_name, field.data_type, field.is_primary) for field in created.draft.fields.all()]
    assert fields == [("bill", "string", True), ("sum", "currency", False)]
    sighting.refresh_from_db()
    assert sighting.fields == {"invoice": "bill", "total": "sum"}, "a renamed field keeps its property"
    assert "until" in staff.get(f"{address}change/").text
    lifecycle.approve_draft(created, None)
    page = staff.get(f"{address}change/").text
    assert "Record 3 events that waited" in page and re.search(r"are not kept:\s*<bdi>tip</bdi>", page)
    done = staff.post(f"{address}do/replay/", follow=True).text
    assert "3 events are being recorded" in done
    dispatch()
    rows = Activity.objects.filter(activity_type_id=created.pk)
    assert [row.attributes for row in rows] == [{"sum": 9.5}] * 3
    tip = Sighting.objects.get(kind="property")
    assert (tip.name, tip.count, tip.activity_type) == ("tip", 3, created), "what is left out is counted"
    assert "Nothing is waiting any more." in staff.post(f"{address}do/replay/", follow=True).text


def test_other_decisions(staff):
    program = make_program()
    check = approved_type()
    send(program, message("track", "Check Deposited", {"x": 1}, userId="u-1"))
    send(program, message("track", "Deposit Check", {"check": "1", "branch_code": "007"}, userId="u-1"))
    event, extra = Sighting.objects.get(kind="event"), Sighting.objects.get(kind="property")
    address = f"/admin/activities/sighting/{event.pk}/do/"
    assert "Deposit Check" in staff.get(f"/admin/activities/sighting/{event.pk}/change/").text
    for verb, state in (("ignore", "ignored"), ("reopen", "new"), ("block", "blocked"), ("reopen", "new")):
        assert staff.post(f"{address}{verb}/").status_code == 302
        event.refresh_from_db()
        assert event.state == state
    staff.post(f"{address}map/", {"type": check.pk})
    event.refresh_from_db()
    assert (event.state, event.activity_type) == ("mapped", check)
    assert "1 event doesn&#x27;t fit the type" in staff.post(f"{address}replay/", follow=True).text
    assert staff.post(f"{address}nothing/").status_code == 404
    assert "branch_code" in staff.get(f"/admin/activities/sighting/{extra.pk}/change/").text
    staff.post(f"/admin/activities/sighting/{extra.pk}/do/field/")
    check.refresh_from_db()
    assert check.draft.fields.filter(api_name="branchCode", data_type="string").exists()
    assert "Forgotten." in staff.post(f"/admin/activities/sighting/{extra.pk}/do/forget/", follow=True).text
    assert not Sighting.objects.filter(pk=extra.pk).exists()
    staff.logout()
    assert staff.post(f"{address}ignore/").status_code == 302
    event.refresh_from_db()
    assert event.state == "mapped"


def test_an_empty_inbox_leads_to_the_event_sources(client, staff):
    client.force_login(get_user_model().objects.create_superuser("vera"))
    page = staff.get("/admin/activities/sighting/").text
    assert page.count('href="/admin/activities/eventsource/"') >= 3, "in the menu, the heading and the empty place"


def test_the_wizard_says_which_properties_have_no_field(staff):
    sighting = make_sighting(name="Order", name_key="order")
    many = {f"part{number:02}": "x" for number in range(proposals.MAX_PROPOSED + 3)}
    make_event(sighting, make_visitor(sighting.source), name="Order", **{"@primary": "No. 1", **many})
    assert "Primary value" in staff.get(f"/admin/activities/sighting/{sighting.pk}/change/").text
    first = staff.get(f"/admin/activities/activitytype/add/?sighting={sighting.pk}").text
    last = staff.post("/admin/activities/activitytype/add/", {**form_of(first), "go": "3"}).text
    form = form_of(last)
    assert (form["primary-name"], form["primary-path"]) == ("Primary", "@primary")
    assert "No fields are proposed for 3 more properties" in last and "part20, part21, part22" in last
    again = staff.post("/admin/activities/activitytype/add/", {**form, "go": "more"}).text
    assert "part20, part21, part22" in again


def test_a_trait_becomes_a_person_field_filled_in_for_those_who_may_add_fields(client, staff):
    program = make_program()
    for user, seats in (("u-1", "12"), ("u-2", "7")):
        send(program, message("identify", userId=user, traits={"email": f"{user}@example.com", "seat_count": seats}))
    dispatch()
    trait = Sighting.objects.get(kind="trait")
    address = f"/admin/activities/sighting/{trait.pk}/change/"
    assert "personfield/add" not in staff.get(address).content.decode(), "marketers add no person fields"
    client.force_login(get_user_model().objects.create_superuser("vera"))
    (link,) = re.findall(r'href="(/admin/people/personfield/add/[^"]*)"', client.get(address).content.decode())
    form = client.get(html.unescape(link)).content.decode()
    values = form_of(form)
    assert (values["label"], values["api_name"], values["data_type"]) == ("Seat Count", "seatCount", "integer")
    client.post("/admin/people/personfield/add/", values)
    send(program, message("identify", userId="u-1", traits={"email": "u-1@example.com", "seat_count": 13}))
    dispatch()
    assert Person.objects.get(email="u-1@example.com").fields["seatCount"] == 13
    odd = client.get("/admin/people/personfield/add/", {"label": "<b>" * 200, "data_type": "nothing", "is_unique": "1"})
    assert odd.status_code == 200 and "<b><b>" not in odd.content.decode()
