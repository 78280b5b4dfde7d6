"""The first page shows each role what waits for it."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from activities.log import rollup
from activities.models import Activity
from people.core import installation
from people.core.models import Installation
from people.definitions import lifecycle
from people.lists import static_lists
from tests.factories import (
    CHECK_FIELDS,
    ActivityFieldSpec,
    approved_type,
    draft_type,
    edit_description,
    make_person,
    new_activity,
    record_rows,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def set_up():
    Installation.objects.get_or_create(pk=1)
    installation.clear_installation_cache()


def home(client, *roles):
    user = get_user_model().objects.create_user("vera", is_staff=True)
    user.groups.set(Group.objects.filter(name__in=roles))
    client.force_login(user)
    return client.get(reverse("admin:index"))


def names(reply):
    return [card["template"].split("/")[-1].removesuffix(".html") for card in reply.context["cards"]]


@pytest.mark.parametrize(
    ("role", "cards"),
    [
        ("Viewer", ["recent", "lists"]),
        ("Marketer", ["returned", "recent", "lists"]),
        ("Type editor", ["returned", "recent", "lists"]),
        ("Approver", ["waiting", "returned", "recent", "lists"]),
        ("Developer", ["recent", "lists", "clients"]),
        ("Administrator", ["waiting", "returned", "recent", "lists", "clients", "health"]),
    ],
)
def test_each_role_has_its_cards(client, role, cards):
    assert names(home(client, role)) == cards


def test_somebody_without_a_role_is_told_what_to_do(client):
    assert "An administrator assigns roles" in home(client).text


def test_drafts_wait_until_they_are_approved_or_returned(client):
    waiting, returned = draft_type("Buy Car", "buyCar"), draft_type("Rent Car", "rentCar")
    lifecycle.return_draft(returned, None, "why <so>")
    approved_type()
    reply = home(client, "Approver")
    returned.draft.editors.add(get_user_model().objects.get(username="vera"))
    assert [draft.pk for draft in reply.context["cards"][0]["drafts"]] == [waiting.draft_id]
    assert "why &lt;so&gt;" in client.get(reverse("admin:index")).text


def test_recent_activity_is_counted_by_type(client, monkeypatch):
    check, ann = approved_type(), make_person(first_name="<b>Ann</b>")
    record_rows(new_activity(ann.pk), new_activity(ann.pk, occurred_at="2020-01-01"))
    monkeypatch.setattr(rollup, "high_water_mark", lambda: Activity.objects.order_by("-pk")[0].pk)
    rollup.catch_up_rollup()
    reply = home(client, "Marketer")
    (_returned, card, _lists) = reply.context["cards"]
    assert [kind for _figure, kind in card["rows"]] == [check] and len(card["latest"]) == 2
    assert "&lt;b&gt;Ann" in reply.text


def test_what_bots_did_is_not_counted(client, monkeypatch):
    films = approved_type(fields=(*CHECK_FIELDS, ActivityFieldSpec("is_bot", "Is Bot", "boolean")))
    ann, now = make_person().pk, timezone.now()
    for moment in (now - timedelta(days=1), now - timedelta(days=40)):
        for is_bot in (True, True, False):
            record_rows(new_activity(ann, occurred_at=moment.isoformat(), is_bot=is_bot))
    monkeypatch.setattr(rollup, "high_water_mark", lambda: Activity.objects.order_by("-pk")[0].pk)
    rollup.catch_up_rollup()
    card = home(client, "Viewer").context["cards"][0]
    ((figure, kind),) = card["rows"]
    assert (figure.now, figure.before, figure.change, kind, card["total"]) == (1, 1, 0, films, 1)
    assert [entry.activity.attributes["is_bot"] for entry, _person in card["latest"]] == [False, False]


def test_the_first_steps_go_away_when_they_are_done(client):
    user = get_user_model().objects.create_superuser("root")
    steps = home(client, "Administrator").context["steps"]
    assert [step.is_done for step in steps] == [False] * 5 and [step.is_next for step in steps] == [True, *[False] * 4]
    ann, check = make_person(), approved_type()
    (record,) = (step for step in client.get(reverse("admin:index")).context["steps"] if step.is_next)
    assert record.url == f"{reverse('admin:activities_record', args=[ann.pk])}?type={check.pk}"
    assert client.get(record.url).status_code == 200
    record_rows(new_activity(ann.pk))
    reply = client.get(reverse("admin:index"))
    assert [step.is_done for step in reply.context["steps"]] == [True, True, True, True, False]
    static_lists.create_static_list("Friends", user)
    assert client.get(reverse("admin:index")).context["steps"] == []


def test_an_approver_finds_a_draft_of_an_approved_type(client):
    check = approved_type()
    edit_description(check, "changed")
    assert "Deposit Check" in home(client, "Approver").text.split("Your activities")[0]
