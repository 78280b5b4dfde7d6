"""Reasons that prevent the activation of a campaign are shown before the click: on its pages and over the API, alike."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from people.definitions import lifecycle
from smartlists.campaigns import diagnostics
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.catalog import Catalogue
from smartlists.models import CampaignRun, SmartCampaign
from tests.factories import approved_type
from tests.smartlists.campaign_factories import add_to_list_step, make_draft_campaign, make_static_list

pytestmark = pytest.mark.django_db
RIGHTS = ("view_smartcampaign", "change_smartcampaign", "activate_smartcampaign", "change_staticlist")


@pytest.fixture
def marketer(client, django_user_model):
    """May add people to lists, and not change them."""
    made = django_user_model.objects.create_user("mia", is_staff=True)
    made.user_permissions.set(Permission.objects.filter(codename__in=RIGHTS))
    client.force_login(made)
    return made


@pytest.fixture
def campaign():
    approved_type()
    change = {"do": "change_field", "field": "country", "to": "Spain"}
    everybody = {"when": {"rules": {"match": "all", "filters": []}}, "steps": [add_to_list_step(make_static_list())]}
    choice = {"do": "choose", "choices": [everybody], "otherwise": [change]}
    return make_draft_campaign(add_to_list_step(make_static_list()), choice)


def page(client, campaign, name="change"):
    return client.get(reverse(f"admin:smartlists_smartcampaign_{name}", args=[campaign.pk]))


def reasons_of(campaign, user):
    return [
        (str(problem.code), problem.path) for problem in diagnostics.activation_reasons(campaign, user, Catalogue())
    ]


@pytest.mark.parametrize("state", SmartCampaign.State.values)
@pytest.mark.parametrize("is_run", [False, True], ids=["not run", "run on a list"])
@pytest.mark.parametrize("has_trigger", [False, True], ids=["by hand", "with a trigger"])
def test_what_lacks_for_an_activation_is_shown_only_where_one_comes_next(
    client, admin_user, state, is_run, has_trigger
):
    """A campaign that was run on a list and has no trigger is never activated; an active or archived one isn't now."""
    client.force_login(admin_user)
    kind = approved_type()
    campaign = make_draft_campaign(add_to_list_step(make_static_list()))
    triggers = campaign.definition["triggers"] if has_trigger else []
    SmartCampaign.objects.filter(pk=campaign.pk).update(
        state=state, definition=campaign.definition | {"triggers": triggers}, activated_at=timezone.now()
    )
    if is_run:
        CampaignRun.objects.create(campaign=campaign, state=CampaignRun.State.DONE, count=0)
    if has_trigger:  # for which nothing could trigger it
        lifecycle.retire_definition(kind, None)
    for name in ("change", "results", "try"):
        shown = page(client, campaign, name).content.decode()
        is_by_hand = state == "draft" and is_run and not has_trigger
        assert ("Before it can be activated" in shown) == (state in ("draft", "paused") and not is_by_hand), name
        assert ("Run once, finished" in shown) == (state == "draft" and is_run)


def test_a_right_that_lacks_is_said_at_the_button_and_at_its_step(client, campaign, marketer):
    assert reasons_of(campaign, marketer) == [("not_allowed", ("steps", 1, "otherwise", 0))]
    for name in ("change", "results", "try"):
        answer = page(client, campaign, name)
        (reason,) = answer.context["lacking"]
        assert reason.address == reverse("admin:smartlists_smartcampaign_change", args=[campaign.pk]) + "#step-1.1.0"
        assert reason.text.startswith("Step 2.2.1: ") and "Can change person" in reason.text
        shown = answer.content.decode()
        assert 'aria-disabled="true"' in shown and f'href="{reason.address}"' in shown
        assert reverse("admin:smartlists_smartcampaign_do", args=[campaign.pk, "activate"]) not in shown
    first, choice = page(client, campaign).context["steps"]
    (inside,) = choice.ways[1].cards
    assert (first.lacking, choice.lacking, len(inside.lacking)) == ([], [], 1)
    assert 'id="step-1.1.0"' in page(client, campaign).content.decode()


def test_all_reasons_are_said_at_once_and_they_are_those_of_the_refusal(client, marketer):
    campaign = campaign_lifecycle.create_campaign("Empty", None)
    assert reasons_of(campaign, marketer) == [("no_trigger", ("triggers",)), ("no_step", ("steps",))]
    shown = page(client, campaign).content.decode()
    assert all(f'#{anchor}"' in shown and f'id="{anchor}"' in shown for anchor in ("triggers", "steps"))
    deposit = make_draft_campaign(add_to_list_step(make_static_list())) if approved_type() else None
    lifecycle.retire_definition(approved_type("Do other", "other"), None)
    value = {**deposit.definition, "triggers": [{"type": "other"}, *deposit.definition["triggers"]]}
    campaign_lifecycle.change_campaign(deposit, None, value=value)
    deposit.refresh_from_db()
    assert reasons_of(deposit, marketer) == [("retired_type", ("triggers", 0, "type"))]
    assert '#card-1"' in page(client, deposit).content.decode()


def test_where_nothing_lacks_the_button_activates(client, campaign, admin_user):
    client.force_login(admin_user)
    assert page(client, campaign).context["lacking"] == []
    client.post(reverse("admin:smartlists_smartcampaign_do", args=[campaign.pk, "activate"]))
    campaign.refresh_from_db()
    assert campaign.state == SmartCampaign.State.ACTIVE
    assert reasons_of(campaign, None) == [("wrong_state", ("state",))]


def test_the_panel_says_it_of_what_is_typed(client, campaign, marketer):
    typed = {
        "name": "x",
        "triggers": "",
        "steps.0.do": "change_field",
        "steps.0.field": "country",
        "steps.0.value": "x",
    }
    answer = client.post(reverse("admin:smartlists_smartcampaign_panel", args=[campaign.pk]), typed)
    addresses = [reason.address for reason in answer.context["missing"]]
    assert addresses == ["#triggers", "#step-0"]
