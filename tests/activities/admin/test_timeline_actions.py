"""Actions on one activity of a timeline: record it again, correct it, withdraw it, use its type."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.urls import reverse

from activities.log import withdrawal
from activities.models import Activity, ActivityRemoval
from people.core.models import Installation
from people.core.source import Channel, Source
from people.definitions import drafts, lifecycle
from people.models import Person
from tests.factories import approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera(client):
    Installation.objects.create()
    user = get_user_model().objects.create_user("vera", is_staff=True)
    user.groups.add(Group.objects.get(name="Marketer"))
    client.force_login(user)
    return user


def by_hand(user, *rows):
    return [outcome.activity_id for outcome in record_rows(*rows, source=Source(Channel.ADMIN, user.pk))]


def address(name, *places, **query):
    query_text = "&".join(f"{key}={value}" for key, value in query.items())
    return reverse(f"admin:activities_{name}", args=places) + (f"?{query_text}" if query else "")


def test_a_row_offers_what_its_reader_may_do(client, vera):
    approved_type()
    ann = make_person()
    (mine,) = by_hand(vera, new_activity(ann.pk))
    (other,) = [outcome.activity_id for outcome in record_rows(new_activity(ann.pk))]
    page = client.get(address("timeline", ann.pk)).text
    assert address("withdraw", ann.pk, mine) in page and address("withdraw", ann.pk, other) not in page
    assert f"?again={other}" in page and f"?correct={mine}" in page and f"?correct={other}" not in page
    vera.groups.set([Group.objects.get(name="Viewer")])
    page = client.get(address("timeline", ann.pk)).text
    assert "?again=" not in page and "?correct=" not in page and "Withdraw" not in page


def test_an_activity_is_withdrawn_after_a_question(client, vera, monkeypatch):
    monkeypatch.setattr(withdrawal, "_reactions", [lambda _person, _activity: ["Welcome <all>"]])
    approved_type()
    ann = make_person()
    (mine,) = by_hand(vera, new_activity(ann.pk, primary_value="No. <9>"))
    question = client.get(address("withdraw", ann.pk, mine)).text
    assert "No. &lt;9&gt;" in question and "Welcome &lt;all&gt;" in question and "What they did stays" in question
    assert Activity.objects.filter(pk=mine).exists()
    reply = client.post(address("withdraw", ann.pk, mine), follow=True)
    assert "Withdrawn" in reply.text and "No. &lt;9&gt;" not in reply.text
    assert not Activity.objects.filter(pk=mine).exists()
    assert client.get(address("withdraw", ann.pk, mine)).status_code == 404
    assert client.get(f"/api/v1/activities/{mine}").status_code == 404


def test_what_cannot_be_withdrawn_is_explained_and_stays(client, vera):
    approved_type()
    ann = make_person()
    (other,) = [outcome.activity_id for outcome in record_rows(new_activity(ann.pk))]
    page = client.get(address("withdraw", ann.pk, other)).text
    assert "Only the person who recorded" in page and 'method="post" class="ca-row"' not in page
    assert "Only the person who recorded" in client.post(address("withdraw", ann.pk, other), follow=True).text
    assert client.get(address("withdraw", make_person().pk, other)).status_code == 404
    assert client.get(address("withdraw", ann.pk, 2**63)).status_code == 404
    assert Activity.objects.filter(pk=other).exists()


def test_record_again_begins_with_the_same_values(client, vera):
    check, ann = approved_type(), make_person()
    values = {"amount": "12.50", "branch": "North", "deposited_on": "2026-11-01", "is_foreign": "true", "pages": 3}
    (first,) = [outcome.activity_id for outcome in record_rows(new_activity(ann.pk, primary_value="No. 7", **values))]
    form = client.get(address("record", ann.pk, again=first)).context["form"]
    shown = {name.removeprefix("field_"): form[name].value() for name in form.fields if name.startswith("field_")}
    assert shown == {
        "check": "No. 7",
        "amount": "12.5",
        "branch": "North",
        "deposited_on": "2026-11-01",
        "is_foreign": "true",
        "pages": "3",
    }
    data = {name: form[name].value() for name in form.fields if form[name].value() is not None}
    client.post(address("record", ann.pk, again=first), data)
    one, two = Activity.objects.filter(activity_type_id=check.pk).order_by("pk")
    assert (one.primary_value, one.attributes) == (two.primary_value, two.attributes)
    assert two.occurred_at > one.occurred_at


def test_a_correction_withdraws_and_records_together_or_not_at_all(client, vera):
    check, ann = approved_type(), make_person()
    (typo,) = by_hand(vera, new_activity(ann.pk, primary_value="No. l", occurred_at="2026-11-20T10:00:30Z"))
    url = address("record", ann.pk, correct=typo)
    form = client.get(url).context["form"]
    data = {name: form[name].value() or "" for name in form.fields}
    refused = client.post(url, data | {"field_amount": "twelve"})
    assert "twelve" in refused.text and list(stored(check)) == [(typo, "No. l")]
    client.post(url, data | {"field_check": "No. 1"})
    ((corrected, value),) = stored(check)
    assert corrected != typo and value == "No. 1"
    assert Activity.objects.get(pk=corrected).occurred_at.isoformat() == "2026-11-20T10:00:30+00:00"
    assert ActivityRemoval.objects.get().activity_id == typo
    assert client.post(url, data).status_code == 404


def test_a_correction_of_what_another_recorded_records_nothing(client, vera):
    check, ann = approved_type(), make_person()
    (other,) = [outcome.activity_id for outcome in record_rows(new_activity(ann.pk))]
    url = address("record", ann.pk, correct=other)
    page = client.get(url)
    assert "Only the person who recorded" in page.text
    form = page.context["form"]
    reply = client.post(url, {name: form[name].value() or "" for name in form.fields})
    assert "Only the person who recorded" in reply.text and [pk for pk, _value in stored(check)] == [other]


def test_values_of_fields_that_are_gone_are_shown_but_not_recorded(client, vera):
    check, ann = approved_type(), make_person()
    (first,) = [outcome.activity_id for outcome in record_rows(new_activity(ann.pk, branch="North"))]
    drafts.remove_draft_fields(check, ["branch"], None)
    lifecycle.approve_draft(check, None)
    page = client.get(address("record", ann.pk, again=first))
    assert page.context["homeless"] == [("branch", "North")] and "branch: North" in page.text


@pytest.mark.parametrize("text", ["x", "0", "-1", "9" * 30, "%00", ""])
def test_an_odd_number_names_no_activity(client, vera, text):
    approved_type()
    assert client.get(address("record", make_person().pk, again=text)).status_code == 404


def test_a_timeline_has_the_actions_of_the_person(client, vera):
    ann = make_person()
    timeline = client.get(address("timeline", ann.pk))
    details = client.get(reverse("admin:people_person_change", args=[ann.pk]))
    assert timeline.context["actions"] and timeline.context["actions"] == details.context["actions"]
    merge = reverse("admin:people_person_merge_with", args=[ann.pk])
    assert (merge in timeline.text) == (merge in details.text)


def stored(check):
    return Activity.objects.filter(activity_type_id=check.pk).values_list("pk", "primary_value")


# --- the page of a type


def test_who_did_it_in_the_period_the_last_first(client, vera):
    check, ann, bob, eve = approved_type(), *(make_person(first_name=name) for name in ("Ann", "Bob", "Eve"))
    record_rows(
        new_activity(ann.pk, occurred_at="2020-01-01T00:00:00Z"),
        new_activity(ann.pk, occurred_at="2020-01-02T00:00:00Z"),
        new_activity(bob.pk, occurred_at="2020-01-03T00:00:00Z"),
        new_activity(eve.pk, occurred_at="2020-01-04T00:00:00Z"),
    )
    Person.objects.filter(pk=eve.pk).update(state="deleted")
    page = client.get(reverse("admin:activities_activitytype_people", args=[check.pk]))
    assert [(row.pk, count.count) for row, count in page.context["rows"]] == [(bob.pk, 1), (ann.pk, 2)]
    recent = client.get(reverse("admin:activities_activitytype_people", args=[check.pk]), {"days": "30"})
    assert recent.context["rows"] == [] and "Nobody in this period" in recent.text


def test_people_of_a_type_come_in_pages_within_a_bound(client, vera, monkeypatch):
    monkeypatch.setattr("activities.admin.type_detail.PEOPLE_PAGE", 2)
    monkeypatch.setattr("activities.admin.type_detail.AMONG", 5)
    check, people = approved_type(), [make_person() for _ in range(6)]
    record_rows(*(new_activity(one.pk, occurred_at=f"2026-11-{day:02}") for day, one in enumerate(people, 1)))
    url = reverse("admin:activities_activitytype_people", args=[check.pk])
    seen = [row.pk for number in (1, 2, 3) for row, _count in client.get(url, {"p": number}).context["rows"]]
    page = client.get(url, {"p": "x"})
    assert page.context["has_more"] and "Make a list for everybody" in page.text
    assert seen == [one.pk for one in people[::-1]]


def test_the_type_leads_to_a_list_a_campaign_and_a_report_that_begin_with_it(client, vera):
    check = approved_type()
    vera.groups.set([Group.objects.get(name="Marketer")])
    page = client.get(reverse("admin:activities_activitytype_change", args=[check.pk]))
    actions = {str(action.label): action.url for action in page.context["actions"]}
    list_address = reverse("admin:smartlists_smartlist_add") + f"?type={check.pk}"
    assert f'href="{list_address}"' in page.text
    listed = client.get(list_address)
    assert listed.context["name"] == "Deposited Check" and listed.context["rules"]["filters"] == [
        {"kind": "activity", "did": True, "type": "depositCheck", "constraints": []}
    ]
    started = client.get(actions["Make a campaign"])
    assert [item["type"] for item in started.context["form"]["triggers"]["filters"]] == ["depositCheck"]
    report = client.get(actions["Report"])
    assert report.context["form"].cleaned_data["type"] == check and report.context["report_kind"].label == "Trend"


@pytest.mark.parametrize("query", ["type=x", "type=1", "type=99999999999", "type=%00", ""])
def test_a_builder_begins_empty_where_the_type_is_unknown(client, vera, query):
    for name in ("smartlist", "smartcampaign"):
        page = client.get(reverse(f"admin:smartlists_{name}_add") + f"?{query}")
        assert page.status_code == 200


def test_a_viewer_is_offered_neither_lists_to_change_nor_an_empty_card_of_notes(client, vera):
    ann = make_person()
    about = {"path": reverse("admin:people_person_about", args=[ann.pk]), "headers": {"HX-Request": "true"}}
    page = client.get(**about).text
    assert "Change lists" in page and "notes-title" in page
    assert 'class="ca-card ca-no-print" aria-labelledby="notes-title"' in page, "an empty card is not printed"
    vera.groups.set([Group.objects.get(name="Viewer")])
    page = client.get(**about).text
    assert "Static lists" in page and "Change lists" not in page and "notes-title" not in page
