"""No way starts a step for a user who may not do it by hand: each kind of step, role and way, on pages and APIs."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from config.access import roles
from config.access.clients import editing as client_editing
from config.access.clients import tokens
from people.core.errors import NotAllowedError
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns.definitions import effect_rights
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.running import scheduling
from smartlists.evaluation import evaluator
from smartlists.models import CampaignRun, SmartCampaign
from smartlists.webhooks import editing as webhook_editing
from tests.api.conftest import Api
from tests.factories import approved_type
from tests.people.objects import world
from tests.smartlists.campaign_factories import (
    add_to_list_step,
    campaign_json,
    make_active_campaign,
    make_draft_campaign,
    make_static_list,
)
from tests.smartlists.form_client import Inputs

pytestmark = pytest.mark.django_db
KINDS = sorted({*campaign_definition.STEPS.classes} - {"choose"})
ROLES = [*roles.ROLES, roles.ADMINISTRATOR]
OWN = ("view_smartcampaign", "add_smartcampaign", "change_smartcampaign", "activate_smartcampaign", "view_smartlist")
WAIT = {"do": "wait", "period": "1 day"}


@pytest.fixture
def steps(settings):
    settings.ALERT_DOMAINS = ["example.com"]
    approved_type()
    world.approved_type()
    webhook, _secret = webhook_editing.create_webhook("Ours", None, url="https://example.com/")
    return {
        "add_to_list": add_to_list_step(make_static_list()),
        "remove_from_list": {"do": "remove_from_list", "list": make_static_list().pk},
        "change_field": {"do": "change_field", "field": "country", "to": "Spain"},
        "record": {"do": "record", "type": "depositCheck", "primary": "No. 7", "attributes": {}},
        "wait": WAIT,
        "alert": {"do": "alert", "to": ["ops@example.com"], "subject": "Look", "body": "{{trigger.check}}"},
        "webhook": {"do": "webhook", "webhook": webhook.pk},
        "change_object": {"do": "change_object", "type": "car", "field": "notes", "to": "sold"},
        "create_object": {"do": "create_object", "type": "car", "values": {"plate": "{{person.email}}"}},
    }


@pytest.fixture
def somebody(request, django_user_model):
    """A user with a role, and with the rights to campaigns of a team's own group."""
    made = django_user_model.objects.create_user("sam", is_staff=True, is_superuser=False)
    made.groups.add(Group.objects.get(name=request.param))
    made.user_permissions.set(Permission.objects.filter(codename__in=OWN))
    return django_user_model.objects.get(pk=made.pk)


class Ways:
    """Each way by which a step is set going; each returns whether it was."""

    def __init__(self, client, by):
        self.client = client
        program = client_editing.create_client("Program", by, None, client_editing.grantable_rights())
        self.api = Api(client, tokens.issue_token(program.client).text)

    def address(self, campaign, name, *more):
        return reverse(f"admin:smartlists_smartcampaign_{name}", args=[campaign.pk, *more])

    def page_activates(self, step):
        made = make_draft_campaign(step)
        self.client.post(self.address(made, "do", "activate"))
        return self.is_active(made)

    def page_activates_a_copy(self, step):
        made = make_draft_campaign(step)
        name = f"Copy {made.pk}"
        assert self.client.post(self.address(made, "duplicate"), {"name": name}).status_code == 302
        copy = SmartCampaign.objects.get(name=name)
        assert not self.is_active(copy), "a copy does nothing"
        self.client.post(self.address(copy, "do", "activate"))
        return self.is_active(copy)

    def page_saves_and_activates(self, step):
        made = make_draft_campaign(step)
        self.client.post(self.address(made, "change"), self.form(made) | {"do": "activate"})
        return self.is_active(made)

    def page_changes_an_active_one(self, step):
        made, other = make_active_campaign(WAIT), make_draft_campaign(WAIT, step)
        form = self.form(other) | {"name": made.name, "revision": str(made.revision), "do": "save"}
        self.client.post(self.address(made, "change"), form)
        return self.has_step(made, step)

    def api_activates(self, step):
        made = make_draft_campaign(step)
        lacking = self.api.get(f"smart-campaigns/{made.pk}/activation").json()["problems"]
        answer = self.api.post(f"smart-campaigns/{made.pk}/activate")
        assert answer.status_code in (200, 403)
        assert {one["code"] for one in lacking} == ({"not_allowed"} if answer.status_code == 403 else set())
        return self.is_active(made)

    def api_changes_an_active_one(self, step):
        made = make_active_campaign(WAIT)
        value = campaign_json(WAIT, step)
        self.api.patch(f"smart-campaigns/{made.pk}", {"definition": value})
        return self.has_step(made, step)

    def form(self, campaign):
        """The builder's form with the saved campaign, as a browser sends it."""
        sent = {}
        for name, value in Inputs(self.client.get(self.address(campaign, "change")).text).sent:
            sent.setdefault(name, []).append(value)
        return sent

    def is_active(self, campaign):
        return SmartCampaign.objects.get(pk=campaign.pk).is_active

    def has_step(self, campaign, step):
        return [one["do"] for one in SmartCampaign.objects.get(pk=campaign.pk).definition["steps"]] == [
            "wait",
            step["do"],
        ]


WAYS = sorted(name for name in vars(Ways) if name.startswith(("page_", "api_")))


@pytest.mark.slow
@pytest.mark.parametrize("somebody", ROLES, indirect=True)
def test_no_way_does_for_anybody_what_they_may_not_do_by_hand(client, somebody, steps):
    client.force_login(somebody)
    ways = Ways(client, somebody)
    for kind in KINDS:
        needed = {*effect_rights.RIGHTS[kind], *({"activities.view_activity"} if kind == "alert" else ())}
        done = {way: getattr(ways, way)(steps[kind]) for way in WAYS}
        assert done == dict.fromkeys(WAYS, somebody.has_perms(needed)), kind


def test_steps_changed_while_a_run_looks_for_its_audience_need_their_rights(somebody_who_runs, steps, monkeypatch):
    everybody = {
        "rules": {"match": "all", "filters": [{"kind": "person_field", "field": "email", "operator": "is not empty"}]}
    }
    made = make_draft_campaign(WAIT, audience=everybody)
    run = scheduling.schedule_run(made, made.created_at, somebody_who_runs)
    evaluate = evaluator.evaluate_members

    def change_meanwhile(*arguments, **more):
        value = campaign_json(steps["change_field"], audience=everybody)
        campaign_lifecycle.change_campaign(made, None, value=value)
        return evaluate(*arguments, **more)

    monkeypatch.setattr(evaluator, "evaluate_members", change_meanwhile)
    scheduling.begin_run(run.pk)
    run.refresh_from_db()
    assert run.state == CampaignRun.State.FAILED and "Can change person" in str(run.problem)


@pytest.fixture
def somebody_who_runs(django_user_model):
    made = django_user_model.objects.create_user("rita")
    made.user_permissions.set(Permission.objects.filter(codename__in=OWN))
    return django_user_model.objects.get(pk=made.pk)


def test_a_token_needs_the_right_to_see_what_it_stands_for(somebody_who_runs, steps):
    somebody_who_runs.user_permissions.add(Permission.objects.get(codename="view_person"))
    campaign = make_draft_campaign(steps["alert"])
    with pytest.raises(NotAllowedError, match="activit"):
        campaign_lifecycle.activate_campaign(campaign, somebody_who_runs)
