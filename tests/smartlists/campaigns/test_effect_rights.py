"""A campaign does for no user what they may not do by hand: each kind of step, at each verb that sets it going."""

import pytest

from people.core.errors import NotAllowedError
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns.definitions import effect_rights
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.running import runs as campaign_runs
from smartlists.lists import editing as list_editing
from smartlists.models import CampaignRun
from smartlists.webhooks import editing as webhook_editing
from tests.factories import approved_type, make_person, user_with
from tests.people.objects import world
from tests.smartlists.campaign_factories import add_to_list_step, campaign_json, make_draft_campaign, make_static_list

pytestmark = pytest.mark.django_db
OWN = ("smartlists.change_smartcampaign", "smartlists.activate_smartcampaign", "smartlists.view_smartlist")


@pytest.fixture
def steps(settings):
    """A step of every kind but `choose`, which has the others inside."""
    settings.ALERT_DOMAINS = ["example.com"]
    approved_type()
    world.approved_type()
    webhook, _secret = webhook_editing.create_webhook("Ours", None, url="https://example.com/")
    return {
        "add_to_list": add_to_list_step(make_static_list()),
        "remove_from_list": {"do": "remove_from_list", "list": make_static_list().pk},
        "change_field": {"do": "change_field", "field": "country", "to": "Spain"},
        "record": {"do": "record", "type": "depositCheck", "primary": "No. 7", "attributes": {}},
        "wait": {"do": "wait", "period": "1 day"},
        "alert": {"do": "alert", "to": ["ops@example.com"], "subject": "Look", "body": "{{person.email}}"},
        "webhook": {"do": "webhook", "webhook": webhook.pk},
        "change_object": {"do": "change_object", "type": "car", "field": "notes", "to": "sold"},
        "create_object": {"do": "create_object", "type": "car", "values": {"plate": "{{person.email}}"}},
    }


def test_every_kind_of_step_has_its_rights(steps):
    assert {*effect_rights.RIGHTS} == {*campaign_definition.STEPS.classes}
    assert {*steps} == {*campaign_definition.STEPS.classes} - {"choose"}


@pytest.mark.parametrize("kind", sorted({*campaign_definition.STEPS.classes} - {"choose"}))
@pytest.mark.parametrize("is_inside", [False, True])
def test_a_step_is_set_going_by_who_may_do_it_by_hand_alone(kind, is_inside, steps):
    choice = {"when": {"smart_list": list_editing.create_smart_list("All", {"match": "all", "filters": []}, None).pk}}
    step = (
        {"do": "choose", "choices": [choice | {"steps": [steps[kind]]}], "otherwise": []} if is_inside else steps[kind]
    )
    needed = effect_rights.RIGHTS[kind]
    listing, may = (
        list_editing.create_smart_list("Everybody", {"match": "all", "filters": []}, None),
        user_with(*OWN, *needed),
    )
    make_person()
    for missing in needed:
        lacks = user_with(*OWN, *(right for right in needed if right != missing))
        with pytest.raises(NotAllowedError) as refusal:
            campaign_lifecycle.activate_campaign(make_draft_campaign(step), lacks)
        assert refusal.value.problems[0].expected == missing
        with pytest.raises(NotAllowedError):
            campaign_runs.run_on_list(make_draft_campaign(step), listing, lacks, cap=10)
        active = campaign_lifecycle.activate_campaign(make_draft_campaign({"do": "wait", "period": "1 day"}), lacks)
        with pytest.raises(NotAllowedError):
            campaign_lifecycle.change_campaign(active, lacks, value=campaign_json(step))
    assert not CampaignRun.objects.exists()
    made = campaign_lifecycle.activate_campaign(make_draft_campaign(step), may)
    assert campaign_lifecycle.change_campaign(made, may, value=campaign_json(step, steps["wait"])).version.number == 2
    assert campaign_runs.run_on_list(made, listing, may, cap=10).count == 1


def test_what_an_active_campaign_does_is_changed_by_who_may_activate_it(steps):
    editor = user_with("smartlists.change_smartcampaign", "people.change_staticlist")
    made = campaign_lifecycle.activate_campaign(make_draft_campaign(steps["add_to_list"]), None)
    with pytest.raises(NotAllowedError):
        campaign_lifecycle.change_campaign(made, editor, value=campaign_json(steps["add_to_list"], steps["wait"]))
    assert (
        campaign_lifecycle.change_campaign(
            made, editor, name="Other name", value=campaign_json(steps["add_to_list"])
        ).name
        == "Other name"
    )
    paused = campaign_lifecycle.pause_campaign(made, None)
    campaign_lifecycle.change_campaign(paused, editor, value=campaign_json(steps["add_to_list"], steps["wait"]))
