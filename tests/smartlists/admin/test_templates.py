"""Templates of lists and campaigns: never broken rules, whatever the installation has."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from people.models import PersonField
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import templates as campaign_templates
from smartlists.campaigns.definitions.parsing import parse_definition
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.lists import editing as list_editing
from smartlists.lists import templates as list_templates
from smartlists.lists.template_slots import chosen_values
from smartlists.models import SmartCampaign, SmartList
from smartlists.rules.parsing import parse_rules
from tests.factories import approved_type, make_person, new_activity, record_rows
from tests.smartlists.form_client import press_button

pytestmark = pytest.mark.django_db
LISTS, CAMPAIGNS = "admin:smartlists_smartlist", "admin:smartlists_smartcampaign"


@pytest.fixture
def admin(client):
    client.force_login(get_user_model().objects.create_superuser("vera", "vera@example.com", "x"))
    return client


@pytest.fixture
def world():
    """A type with a number, a date of people, and a list."""
    PersonField.objects.create(api_name="renewal", label="Renewal", data_type="date")
    list_editing.create_smart_list("Hot ones", {"version": 1, "match": "all", "filters": []}, None)
    return approved_type()


@pytest.mark.parametrize("key", list_templates.TEMPLATES)
def test_each_list_template_becomes_a_list_that_can_be_counted_and_saved(admin, world, key):
    page = admin.get(f"{reverse(f'{LISTS}_add')}?template={key}")
    assert page.context["name"] and not page.context["errors"] and page.context["cards"]
    evaluator.evaluate_members(parse_rules(page.context["rules"], Catalogue()))
    press_button(admin, page, "save")
    assert SmartList.objects.get(name=page.context["name"]).rules["filters"]


@pytest.mark.parametrize("key", campaign_templates.TEMPLATES)
def test_each_campaign_template_lacks_only_what_the_team_alone_knows(admin, world, key):
    template, names = campaign_templates.TEMPLATES[key], Catalogue()
    own_list = str(SmartList.objects.get().pk)
    values = chosen_values(template.slots, names, {"list": own_list})
    definition = template.build(names, "vera@example.com", **values)
    filled = [step for step in definition["steps"] if step != {"do": "webhook"}]
    for step in filled:
        step["otherwise"] = [inner for inner in step.get("otherwise", []) if inner != {"do": "add_to_list"}]
        if step["do"] != "choose":
            del step["otherwise"]
    parse_definition(definition | {"steps": filled}, names)
    page = admin.get(f"{reverse(f'{CAMPAIGNS}_add')}?template={key}&list={own_list}")
    assert [card["do"] if isinstance(card, dict) else card.do for card in page.context["steps"]] == [
        step["do"] for step in template.build(names, "", **values)["steps"]
    ]


def test_a_template_that_needs_nothing_else_is_saved_as_it_is(admin, world):
    page = admin.get(f"{reverse(f'{CAMPAIGNS}_add')}?template=score&type=depositCheck")
    press_button(admin, page, "save")
    campaign = SmartCampaign.objects.get()
    assert campaign.definition["triggers"][0]["type"] == "depositCheck"
    assert campaign_lifecycle.activate_campaign(campaign, None).is_active


def test_what_the_installation_lacks_is_said_and_links_to_where_it_is_made(admin):
    page = admin.get(reverse(f"{LISTS}_templates")).content.decode()
    assert "There is no person field with a date yet." in page
    assert "No activity type has a field with a number yet." in page
    page = admin.get(reverse(f"{CAMPAIGNS}_templates")).content.decode()
    assert "There is no smart list yet." in page and reverse(f"{LISTS}_templates") in page
    # an address with values that are no options begins with nothing rather than with broken rules
    for address in ("?template=coming_up&day=nothing", "?template=nothing"):
        assert admin.get(reverse(f"{LISTS}_add") + address).context["cards"] == []
    assert admin.get(f"{reverse(f'{CAMPAIGNS}_add')}?template=hot_lead&list=999").context["steps"] == []


def test_types_are_proposed_by_their_names_and_the_own_ones_first(world):
    names = Catalogue()
    slots = {slot.name: slot for template in list_templates.TEMPLATES.values() for slot in template.slots}
    assert slots["type"].proposed(names) == "depositCheck"
    (hot,) = list_templates.TEMPLATES["hot"].slots
    assert hot.proposed(names) == "visitWebPage"
    assert hot.options(names)[0] == ("depositCheck", names.types["depositCheck"].shown_name)
    assert slots["number"].proposed(names) == "depositCheck.amount"


def test_a_list_from_a_template_finds_whom_its_sentence_says(world):
    busy, quiet = make_person(), make_person()
    record_rows(*(new_activity(busy.pk, external_id=str(number)) for number in range(3)), new_activity(quiet.pk))
    names = Catalogue()

    def found(key, **values):
        rules = list_templates.TEMPLATES[key].build(names, **values)
        return set(evaluator.evaluate_members(parse_rules(rules, names)))

    assert found("hot", type="depositCheck") <= {busy.pk}
    assert found("not_bought", type="depositCheck") == set()
    assert found("not_bought", type="visitWebPage") == {busy.pk, quiet.pk}


def test_both_lists_lead_to_their_templates_also_when_they_are_empty(admin, world):
    for stem in (LISTS, CAMPAIGNS):
        link = f'href="{reverse(f"{stem}_templates")}"'
        page = admin.get(reverse(f"{stem}_changelist")).content.decode()
        assert page.count(link) == (1 if stem == LISTS else 2)


@pytest.mark.parametrize("model", ["smartlists_smartlist", "activities_activitytype", "people_staticlist"])
def test_an_empty_list_has_the_button_that_adds(admin, model):
    page = admin.get(reverse(f"admin:{model}_changelist")).content.decode()
    assert f'class="ca-button" href="{reverse(f"admin:{model}_add")}' in page
