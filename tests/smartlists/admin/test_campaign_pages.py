"""A campaign from its first trigger to its results, in the admin and without JavaScript."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone, translation

from smartlists.campaigns import dispatcher
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns.definitions import parsing as campaign_parsing
from smartlists.campaigns.definitions import sentences as campaign_sentences
from smartlists.catalog import Catalogue
from smartlists.lists import editing as list_editing
from smartlists.models import CampaignRun, CampaignTally, SmartCampaign, Webhook, WebhookDelivery
from smartlists.webhooks import editing as webhook_editing
from smartlists.webhooks import headers as webhook_headers
from tests.factories import approved_type, make_person
from tests.query_budget import query_budget
from tests.smartlists import rule_factories
from tests.smartlists.campaign_factories import (
    BIG_CHECK,
    add_to_list_step,
    campaign_json,
    make_active_campaign,
    make_draft_campaign,
    make_static_list,
    record_deposit,
)
from tests.smartlists.form_client import Inputs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_rows_read")]
NAME = "admin:smartlists_smartcampaign"


@pytest.fixture
def marketer(client, django_user_model):
    from people.core.models import Installation

    Installation.objects.create()
    user = django_user_model.objects.create_user("maria", is_staff=True)
    user.groups.add(Group.objects.get(name="Marketer"))
    client.force_login(user)
    return user


def at(view, *arguments):
    return reverse(f"{NAME}_{view}", args=arguments)


def form_of(page):
    """The values that the browser would send of the page's form, as it is."""
    return dict(Inputs(page.text).sent)


def pressed(client, url, form, do, **more):
    reply = client.post(url, {**form, "do": do, **more})
    assert reply.status_code == 200, reply
    return form_of(reply)


def test_a_campaign_is_built_without_javascript(client, marketer):
    approved_type()
    vips = make_static_list("VIPs")
    url = at("add")
    form = form_of(client.get(url))
    form = pressed(client, url, form, "add", **{"choice:add": "activity:depositCheck"})
    form = pressed(client, url, form, "add_constraint:0", **{"choice:add_constraint:0": "amount"})
    form = pressed(client, url, form | {"filters.0.constraints.0.operator": "greater than"}, "refresh")
    form |= {"filters.0.constraints.0.values": "1000"}
    form = pressed(client, url, form, "step_add:", **{"choice:step_add:": "add_to_list"})
    form = pressed(client, url, form, "step_add:", **{"choice:step_add:": "change_field"})
    form |= {"steps.0.list": str(vips.pk), "steps.1.field": "person_score", "steps.1.mode": "by", "steps.1.value": "5"}
    form |= {"name": "Big cheques", "qualification_how": "every time"}
    shown = client.post(url, {**form, "do": "show"}).content.decode()
    assert "Deposits Check where Amount is greater than 1" in shown
    reply = client.post(url, {**form, "do": "activate"}, follow=True)
    assert "Saved and active." in reply.content.decode()
    made = SmartCampaign.objects.get()
    assert (made.name, made.state) == ("Big cheques", "active")
    assert made.definition["steps"] == [
        {"do": "add_to_list", "list": vips.pk},
        {"do": "change_field", "field": "person_score", "to": "", "by": "5"},
    ]
    ann = make_person(first_name="Ann", last_name="Lee")
    record_deposit(ann.pk, amount=5000)
    dispatcher.process_all_due_work()
    results = client.get(at("results", made.pk)).content.decode()
    assert "Ann Lee" in results and "Add to the static list “VIPs”" in results and "Add 5 to Person Score" in results


def test_a_step_offers_no_field_that_the_product_keeps_itself(client, marketer):
    url = at("add")
    form = form_of(client.get(url))
    page = client.post(url, {**form, "do": "step_add:", "choice:step_add:": "change_field"}).content.decode()
    offered = page[page.index('name="steps.0.field"') :].split("</select>")[0]
    assert 'value="person_score"' in offered
    assert 'value="created_at"' not in offered and 'value="updated_at"' not in offered


def test_a_campaign_deleted_in_another_tab_loses_nothing_of_what_is_typed(client, marketer):
    approved_type()
    saved = make_draft_campaign(add_to_list_step(make_static_list()), name="Big cheques")
    form = form_of(client.get(at("change", saved.pk)))
    campaign_lifecycle.delete_campaign(saved, None)
    assert client.post(at("panel", saved.pk), form).status_code == 200
    form = pressed(client, at("change", saved.pk), form, "step_add:", **{"choice:step_add:": "wait"})
    page = client.post(at("change", saved.pk), {**form, "do": "save", "description": "kept"})
    assert "deleted while you were editing" in page.text and f'action="{at("add")}"' in page.text
    assert client.post(at("add"), {**form_of(page), "do": "save"}).status_code == 302
    made = SmartCampaign.objects.get()
    assert made.description == "kept" and [step["do"] for step in made.definition["steps"]] == ["add_to_list", "wait"]


def test_what_was_saved_comes_back_into_the_form(client, marketer):
    approved_type()
    spain = list_editing.create_smart_list(
        "Spain", {"filters": [rule_factories.person_field_filter("country", "is", "Spain")]}, None
    )
    hook, _secret = webhook_editing.create_webhook("CRM", None, url="https://example.com/")
    maria = marketer
    maria.email = "maria@example.com"
    maria.save()
    rules = {"match": "all", "filters": [rule_factories.person_field_filter("city", "is", "Lugo", "Vigo")]}
    choose = {
        "do": "choose",
        "choices": [
            {"when": {"smart_list": spain.pk}, "steps": [add_to_list_step(make_static_list())]},
            {"when": {"rules": rules}, "steps": []},
        ],
        "otherwise": [{"do": "wait", "until": "{{person.date_of_birth}}"}],
    }
    record = {"do": "record", "type": "depositCheck", "primary": "x", "attributes": {"amount": "5", "branch": "b"}}
    alert = {"do": "alert", "to": ["maria@example.com"], "subject": "{{person.email}}", "body": "one\ntwo"}
    made = make_draft_campaign(
        choose,
        record,
        alert,
        {"do": "wait", "period": "3 days"},
        {"do": "webhook", "webhook": hook.pk},
        {"do": "change_field", "field": "title", "to": "Boss"},
        triggers=[BIG_CHECK, {"smart_list": spain.pk, "change": "left"}],
        audience={"rules": rules},
        qualification={"how": "once in", "number": 2, "unit": "weeks"},
        late_after_hours=None,
    )
    before = made.definition
    form = form_of(client.get(at("change", made.pk)))
    reply = client.post(at("change", made.pk), {**form, "do": "save"})
    assert reply.status_code == 302, [line for line in reply.content.decode().splitlines() if "ca-error" in line]
    made.refresh_from_db()
    assert made.definition == before


def test_steps_are_moved_removed_and_put_into_ways(client, marketer):
    approved_type()
    url = at("add")
    form = form_of(client.get(url))
    for kind in ("wait", "choose", "add_to_list"):
        form = pressed(client, url, form, "step_add:", **{"choice:step_add:": kind})
    form = pressed(client, url, form, "way_add:1")
    form = pressed(client, url, form, "step_add:1.0", **{"choice:step_add:1.0": "wait"})
    form = pressed(client, url, form, "step_add:1.2", **{"choice:step_add:1.2": "alert"})
    assert form["steps.1.choices.0.steps.0.do"] == "wait" and form["steps.1.otherwise.0.do"] == "alert"
    form = pressed(client, url, form, "step_down:0")
    assert [form[f"steps.{at}.do"] for at in range(3)] == ["choose", "wait", "add_to_list"]
    form = pressed(client, url, form, "way_remove:0.0")
    assert "steps.0.choices.0.steps.0.do" not in form and form["steps.0.otherwise.0.do"] == "alert"
    form = pressed(client, url, form, "step_remove:0")
    assert [form[f"steps.{at}.do"] for at in range(2)] == ["wait", "add_to_list"]


def test_problems_stand_beside_what_they_are_about(client, marketer):
    approved_type()
    url = at("add")
    form = form_of(client.get(url))
    form = pressed(client, url, form, "step_add:", **{"choice:step_add:": "change_field"})
    form |= {
        "steps.0.field": "title",
        "steps.0.value": "{{trigger.nonsense}}",
        "audience": "rules",
        "audience_text": "Contry is Spain",
    }
    page = client.post(url, {**form, "name": "x", "do": "save"}).content.decode()
    assert "there is no token {{trigger.nonsense}}" in page.replace("&#x27;", "'")
    assert page.count('class="ca-error"') >= 2
    assert not SmartCampaign.objects.exists()


@pytest.mark.parametrize(
    "do",
    [
        "step_add:9.9",
        "step_remove:x",
        "step_up:",
        "way_remove:0.0",
        "add_constraint:7",
        "step_add:" + "0." * 50 + "0",
        "nonsense",
    ],
)
def test_odd_buttons_change_nothing(client, marketer, do):
    reply = client.post(at("add"), {"do": do, f"choice:{do}": "wait", "name": "x", "steps.0.do": "wait"})
    assert reply.status_code in (200, 302)


@pytest.mark.parametrize("number", ["²", "-1", "9" * 400, "x"])
def test_odd_numbers_of_steps_are_passed_over(client, marketer, number):
    reply = client.post(at("panel_new"), {"name": "x", f"steps.{number}.do": "wait"})
    assert reply.status_code == 200


def test_buttons_of_a_campaigns_life(client, marketer):
    approved_type()
    made = make_draft_campaign(add_to_list_step(make_static_list()), name="Welcome")
    for verb, state in (("activate", "active"), ("pause", "paused"), ("archive", "archived"), ("unarchive", "paused")):
        client.post(at("do", made.pk, verb))
        made.refresh_from_db()
        assert made.state == state
    assert "Copy of Welcome" in client.get(at("duplicate", made.pk)).text
    client.post(at("duplicate", made.pk), {"name": "Welcome back"})
    assert SmartCampaign.objects.filter(name="Welcome back", state="draft").exists()
    client.post(at("do", made.pk, "archive"))
    client.post(at("remove", made.pk), {"confirm": "something else"})
    assert SmartCampaign.objects.filter(pk=made.pk).exists()
    client.post(at("remove", made.pk), {"confirm": "Welcome"})
    assert not SmartCampaign.objects.filter(pk=made.pk).exists()
    assert client.get(at("do", made.pk, "pause")).status_code == 405


def test_a_person_is_tried_without_effects(client, marketer):
    approved_type()
    vips = make_static_list("VIPs")
    made = make_draft_campaign(
        add_to_list_step(vips),
        {"do": "change_field", "field": "title", "to": "Owner of {{trigger.check}}"},
        {"do": "wait", "period": "3 days"},
        triggers=[BIG_CHECK],
    )
    ann = make_person(email="ann@example.com")
    record_deposit(ann.pk, primary_value="No. 7", amount=5000)
    record_deposit(ann.pk, amount=5)
    page = client.post(at("try", made.pk), {"do": "try", "tested": "ann@example.com"}).content.decode()
    assert "would enter" in page and "Change Job Title to “Owner of No. 7”" in page and "Wait 3 days" in page
    assert not vips.members.exists() and not made.entries.exists()
    bob = make_person()
    page = client.post(at("try", made.pk), {"do": "try", "tested": str(bob.pk)}).content.decode()
    assert "none of this person&#x27;s activities matches a trigger" in page
    page = client.post(at("try", made.pk), {"do": "try", "tested": "nobody"}).content.decode()
    assert "there is no such person" in page


def test_a_run_once_asks_first_how_many(client, marketer):
    approved_type()
    everybody = list_editing.create_smart_list("Everybody", {"filters": []}, None)
    for _number in range(3):
        make_person()
    made = make_draft_campaign(add_to_list_step(make_static_list()))
    page = client.post(at("try", made.pk), {"do": "preview", "smart_list": everybody.pk}).content.decode()
    assert 'name="cap" value="3"' in page
    page = client.post(at("try", made.pk), {"do": "run", "smart_list": everybody.pk, "cap": "2"}).content.decode()
    assert "more than 2" in page and not CampaignRun.objects.exists()
    reply = client.post(at("try", made.pk), {"do": "run", "smart_list": everybody.pk, "cap": "3"}, follow=True)
    assert "3 people enter the campaign now." in reply.content.decode()
    dispatcher.process_all_due_work()
    assert made.entries.filter(state="done").count() == 3


def test_results_are_filtered_and_exported(client, marketer, django_user_model):
    approved_type()
    made = make_active_campaign(add_to_list_step(make_static_list()), qualification={"how": "once"})
    ann, bob = make_person(first_name="Ann"), make_person(first_name="Bob", email="bob@example.com")
    record_deposit(ann.pk)
    record_deposit(ann.pk)
    record_deposit(bob.pk)
    record_deposit(bob.pk, occurred_at=datetime.now(UTC) - timedelta(days=9))
    dispatcher.process_all_due_work()
    page = client.get(at("results", made.pk), {"state": "skipped", "reason": "past"}).content.decode()
    assert "Bob" in page and "Ann" not in page.split("<tbody>")[1]
    page = client.get(at("results", made.pk), {"person": "bob@example.com"}).content.decode()
    assert page.count("<bdi>Bob</bdi></a>") == 2
    assert "Nobody matches" in client.get(at("results", made.pk), {"person": "who"}).content.decode()
    assert client.get(at("export", made.pk)).status_code == 403
    marketer.groups.add(Group.objects.get(name="Exporter"))
    lines = b"".join(client.get(at("export", made.pk)).streaming_content).decode().splitlines()
    assert lines[0].startswith("entry,person,activity,state,reason") and len(lines) == 5


def test_viewers_look_and_do_not_touch(client, django_user_model):
    from people.core.models import Installation

    Installation.objects.create()
    approved_type()
    made = make_draft_campaign(add_to_list_step(make_static_list()))
    viewer = django_user_model.objects.create_user("vic", is_staff=True)
    viewer.groups.add(Group.objects.get(name="Viewer"))
    client.force_login(viewer)
    for view in ("change", "results", "try"):
        assert client.get(at(view, made.pk)).status_code == 200
    assert client.get(at("add")).status_code == 403
    assert client.post(at("change", made.pk), {"do": "save"}).status_code == 403
    for verb in ("activate", "archive"):
        assert client.post(at("do", made.pk, verb)).status_code == 403
    for view in ("duplicate", "remove"):
        assert client.get(at(view, made.pk)).status_code == 403
        assert client.post(at(view, made.pk), {"name": "x", "confirm": made.name}).status_code == 403
    made.refresh_from_db()
    assert made.state == "draft"


def test_pages_keep_their_budgets(client, marketer):
    approved_type()
    made = make_active_campaign(add_to_list_step(make_static_list()), triggers=[BIG_CHECK])
    for _number in range(20):
        record_deposit(make_person().pk, amount=2000)
    dispatcher.process_all_due_work()
    for view, arguments in (("changelist", ()), ("change", (made.pk,)), ("results", (made.pk,)), ("try", (made.pk,))):
        client.get(at(view, *arguments))
        with query_budget(f"campaign {view}"):
            assert client.get(at(view, *arguments)).status_code == 200


def test_webhooks_are_made_changed_and_sent_again(client, marketer):
    add = reverse("admin:smartlists_webhook_add")
    assert client.get(add).status_code == 200
    typed = {
        "name": "CRM",
        "method": "POST",
        "url": "http://example.com/",
        "headers": "X-Token: abc",
        "format": "json",
        "body": '{"a": "{{person.email}}"}',
        "per_minute": "60",
        "timeout_seconds": "5",
    }
    assert "Only https://" in client.post(add, typed).content.decode()
    typed["headers"] = "no colon"
    assert "Expected one header per line" in client.post(add, typed).content.decode()
    page = client.post(add, typed | {"url": "https://example.com/", "headers": "X-Token: abc"}).content.decode()
    hook = Webhook.objects.get()
    assert "whsec_" in page and webhook_headers.headers_of(hook) == {"X-Token": "abc"}
    change = reverse("admin:smartlists_webhook_change", args=[hook.pk])
    page = client.get(change).content.decode()
    assert "whsec_" not in page and "X-Token: •••" in page
    client.post(change, typed | {"url": "https://example.com/a", "headers": "X-Token: •••", "revision": "1"})
    hook.refresh_from_db()
    assert (hook.url, webhook_headers.headers_of(hook)) == ("https://example.com/a", {"X-Token": "abc"})
    typed |= {"url": "https://example.com/b", "headers": "", "revision": "2"}
    client.post(change, typed)
    hook.refresh_from_db()
    assert (hook.url, webhook_headers.headers_of(hook)) == ("https://example.com/b", {})
    approved_type()
    make_active_campaign({"do": "webhook", "webhook": hook.pk})
    record_deposit(make_person().pk)
    dispatcher.process_all_due_work()
    WebhookDelivery.objects.update(state="dead")
    deliveries = reverse("admin:smartlists_webhook_deliveries", args=[hook.pk])
    assert "Given up" in client.get(deliveries).content.decode()
    client.post(reverse("admin:smartlists_webhook_do", args=[hook.pk, "resend"]))
    assert WebhookDelivery.objects.get().state == "waiting"
    page = client.post(reverse("admin:smartlists_webhook_do", args=[hook.pk, "new-secret"])).content.decode()
    assert "whsec_" in page
    reply = client.post(reverse("admin:smartlists_webhook_do", args=[hook.pk, "delete"]), follow=True)
    assert "in use" in reply.content.decode()


def test_steps_are_told_in_the_readers_language():
    approved_type()
    spain = {
        "rules": {"filters": [{"kind": "person_field", "field": "country", "operator": "is", "values": ["Spain"]}]}
    }
    wait = {"do": "wait", "period": "1 day"}
    found = campaign_parsing.parse_definition(
        campaign_json(
            {"do": "change_field", "field": "person_score", "by": "5"},
            {"do": "choose", "otherwise": [], "choices": [{"when": spain, "steps": [wait]}]},
        )
    )
    with translation.override("es"):
        score, choice, _wait = (said for _number, said in campaign_sentences.step_sentences(found, Catalogue(), {}))
    assert score == "Sumar 5 a Puntuación"
    assert choice.startswith("Bifurcación: 1 para ") and ".;" not in choice and choice.endswith("; si no, 2")


def test_results_by_day_are_those_of_the_counters(client, marketer):
    """Days without people are there, too; a single day is no chart."""
    approved_type()
    campaign, today = make_draft_campaign(name="Welcome"), timezone.now().astimezone(UTC).date()
    CampaignTally.objects.create(campaign=campaign, day=today, what="entered", count=2)
    assert client.get(at("results", campaign.pk)).context["by_day"] == []
    for days, what, count in ((2, "entered", 5), (2, "done", 4), (2, "failed", 1), (200, "entered", 9)):
        CampaignTally.objects.create(campaign=campaign, day=today - timedelta(days=days), what=what, count=count)
    page = client.get(at("results", campaign.pk))
    assert [numbers for _day, numbers in page.context["by_day"]] == [[5, 4, 1], [0, 0, 0], [2, 0, 0]]
    chart = json.loads(page.context["chart"])
    assert [row["data"] for row in chart["series"]] == [[5, 0, 2], [4, 0, 0], [1, 0, 0]]
    assert 'id="results-by-day"' in page.text
