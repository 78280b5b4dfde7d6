"""Triggers and steps on object records in the builder of campaigns, without JavaScript."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from smartlists.models import SmartCampaign
from tests.people.objects import world
from tests.smartlists.campaign_factories import add_to_list_step, make_draft_campaign, make_static_list
from tests.smartlists.form_client import Inputs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]
NAME = "admin:smartlists_smartcampaign"
TRIGGERS = [
    {
        "object": "car",
        "event": "changed",
        "constraints": [{"field": "price", "operator": "at least", "values": ["100"]}],
        "changed": {"field": "colour", "from": ["Blue"], "to": ["Red", "Green"]},
    },
    {"object": "car", "event": "changed", "changed": {}},
    {"object": "car", "event": "removed"},
    {"object": "car", "event": "date", "date": "inspected_on", "days": -30},
    {"object": "car", "event": "date", "date": "sold_at", "days": 2},
]
STEPS = [
    {"do": "change_object", "type": "car", "field": "notes", "to": "{{object.colour}}"},
    {"do": "create_object", "type": "car", "values": {"plate": "x", "price": "5"}},
]


@pytest.fixture
def car():
    return world.approved_type()


@pytest.fixture
def admin(client):
    client.force_login(get_user_model().objects.create_superuser("vera", password="x"))
    return client


def sent(page):
    inputs = {}
    for name, value in Inputs(page.text).sent:
        inputs.setdefault(name, []).append(value)
    return inputs


def press(client, url, page, do, **more):
    return client.post(url, {**sent(page), "do": do, **more}, follow=True)


def test_a_saved_campaign_is_drawn_and_sent_back_as_it_was(admin, car):
    made = make_draft_campaign(*STEPS, triggers=TRIGGERS)
    url = reverse(f"{NAME}_change", args=[made.pk])
    page = press(admin, url, admin.get(url), "save")
    saved = SmartCampaign.objects.get(pk=made.pk)
    assert saved.revision == 2 and saved.definition == made.definition, page.text
    assert "{{object.colour}}" in page.text, "tokens are offered"


def test_a_trigger_is_added_and_becomes_a_date(admin, car):
    made = make_draft_campaign(add_to_list_step(make_static_list()), triggers=[])
    url = reverse(f"{NAME}_change", args=[made.pk])
    page = press(admin, url, admin.get(url), "add", **{"choice:add": "object:car"})
    page = press(admin, url, page, "refresh", **{"filters.0.event": "date"})
    choices = {"filters.0.date": "inspected_on", "filters.0.days": "30", "filters.0.direction": "before"}
    page = press(admin, url, page, "step_add:", **{"choice:step_add:": "create_object"})
    page = press(admin, url, page, "refresh", **{"steps.1.type": "car"})
    press(admin, url, page, "save", **choices, **{"steps.1.values.plate": "{{object.plate}}b"})
    definition = SmartCampaign.objects.get(pk=made.pk).definition
    assert definition["triggers"] == [{"object": "car", "event": "date", "date": "inspected_on", "days": -30}]
    assert definition["steps"][1]["values"] == {"plate": "{{object.plate}}b"}


def test_what_is_wrong_stands_at_its_card(admin, car):
    made = make_draft_campaign(*STEPS, triggers=TRIGGERS)
    url = reverse(f"{NAME}_change", args=[made.pk])
    page = press(admin, url, admin.get(url), "save", **{"filters.3.days": "many", "steps.0.to": "{{object.wheels}}"})
    assert page.context["triggers"][3].errors and page.context["steps"][0].errors
