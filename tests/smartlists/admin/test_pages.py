"""A marketer's work with smart lists in the admin, page by page, without JavaScript."""

import json
from datetime import timedelta
from itertools import product

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.http import QueryDict
from django.utils import timezone

from people.models import StaticList
from smartlists.admin.builder import form as builder_form
from smartlists.catalog import Catalogue
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import editing as list_editing
from smartlists.models import SmartList, StoredEvaluation
from smartlists.rules import model as rules
from smartlists.rules.parsing import parse_rules
from tests.factories import approved_type, make_person, new_activity, record_rows
from tests.hypothesis_profiles import IS_LONG
from tests.smartlists.form_client import BIG, builder_url, press_button

pytestmark = pytest.mark.django_db


@pytest.fixture
def check():
    return approved_type()


@pytest.fixture
def admin(client):
    client.force_login(get_user_model().objects.create_superuser("vera", password="x"))
    return client


def role(client, name):
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=name))
    client.force_login(user)
    return client


def test_a_list_lies_in_a_folder_has_an_owner_and_is_found_in_the_archive(admin):
    made = list_editing.create_smart_list("Everybody", {"version": 1, "match": "all", "filters": []}, None)
    place = builder_url("place", made.pk)
    owner = get_user_model().objects.get(username="vera")
    admin.post(place, {"folder": "", "new_folder": "Banking", "owner": owner.pk})
    made.refresh_from_db()
    assert (made.folder.name, made.owner) == ("Banking", owner)
    list_editing.archive_smart_list(made, None)
    lists = builder_url("changelist")
    assert made.name not in admin.get(lists).text
    found = admin.get(lists, {"q": made.name}).text
    assert made.name in found and "Archived" in found


def test_a_list_is_built_button_by_button_and_saved(admin, check):
    ann, bob = make_person(country="Spain", email="ann@example.com"), make_person(country="Chile")
    now = timezone.now()
    record_rows(
        *(new_activity(one.pk, amount=amount, occurred_at=now) for one in (ann, bob) for amount in (600, 700, 5))
    )
    page = admin.get(builder_url("add"))
    page = press_button(admin, page, "add", **{"choice:add": "activity:depositCheck"})
    page = press_button(admin, page, "add_constraint:0", **{"choice:add_constraint:0": "amount"})
    page = press_button(admin, page, "refresh", **{"filters.0.constraints.0.operator": "greater than"})
    page = press_button(
        admin,
        page,
        "add_constraint:0",
        **{"choice:add_constraint:0": "@occurred_at", "filters.0.constraints.0.values": "500"},
    )
    page = press_button(
        admin,
        page,
        "refresh",
        **{"filters.0.constraints.1.operator": "in past", "filters.0.count.operator": "at least"},
    )
    page = press_button(
        admin,
        page,
        "add",
        **{"choice:add": "person_field:country", "filters.0.constraints.1.amount": "90", "filters.0.count.values": "2"},
    )
    page = press_button(admin, page, "count", **{"filters.1.lines": "Spain\r\n", "name": "Big depositors"})
    assert page.context["draft"].count == 1 and page.context["per_filter"] == [(1, 2), (2, 1)]
    assert "ann@example.com" in page.text and not SmartList.objects.exists()
    page = press_button(admin, page, "save", tested="")
    saved = SmartList.objects.get(name="Big depositors")
    assert saved.rules["filters"][0]["constraints"] == [
        {"field": "amount", "operator": "greater than", "values": ["500"]},
        {"field": "@occurred_at", "operator": "in past", "values": ["90 days"]},
    ]
    assert saved.rules["filters"][0]["count"] == {"operator": "at least", "values": ["2"]}
    assert set(stored_evaluations.current_or_new_evaluation(saved, None).person_ids) == {ann.pk}


def test_what_a_page_shows_is_what_it_sends_back(admin, check):
    saved = list_editing.create_smart_list("Everything", BIG, None)
    page = press_button(admin, admin.get(builder_url("change", saved.pk)), "save")
    saved.refresh_from_db()
    assert saved.revision == 2 and saved.rules == rules.dump_rules(parse_rules(BIG, Catalogue()))
    assert "Málaga &lt;b&gt;" in page.text and "Málaga <b>" not in page.text


def test_moving_and_removing_cards_keeps_the_meaning_of_the_logic(admin, check):
    saved = list_editing.create_smart_list("Everything", BIG, None)
    page = press_button(admin, admin.get(builder_url("change", saved.pk)), "down:0")
    assert page.context["rules"]["logic"] == "2 and (1 or not 3) and 4"
    page = press_button(admin, page, "remove:2")
    assert page.context["rules"]["logic"] == "2 and 1 and 3"
    page = press_button(admin, page, "duplicate:0")
    assert page.context["rules"]["logic"] == "3 and 1 and 4 and 2"  # the copy stands beside it
    page = press_button(admin, page, "remove_step:3.0")
    assert len(page.context["rules"]["filters"][3]["steps"]) == 1
    page = press_button(admin, page, "add_step:3")
    page = press_button(admin, page, "remove_constraint:2.0")
    assert next(one["field"] for one in page.context["rules"]["filters"][2]["constraints"]) == "@occurred_at"
    page = press_button(admin, page, "last:2")
    assert page.context["rules"]["logic"] == "4 and 1 and 3 and 2"
    page = press_button(admin, page, "first:3")
    assert page.context["rules"]["logic"] == "1 and 2 and 4 and 3"
    saved.refresh_from_db()
    assert saved.revision == 1  # nothing is saved but by "Save"


def test_another_operator_or_field_gets_fitting_inputs(admin, check):
    saved = list_editing.create_smart_list("Everything", BIG, None)
    page = admin.get(builder_url("change", saved.pk))
    page = press_button(
        admin,
        page,
        "refresh",
        **{
            "filters.0.constraints.1.operator": "between",
            "filters.1.field": "person_score",
            "filters.0.aggregate.function": "last",
        },
    )
    cards = page.context["cards"]
    assert (cards[0].conditions[1].inputs, cards[0].conditions[1].values) == ("two", [])
    assert cards[1].conditions[0].operator == "is" and cards[1].conditions[0].input_type == "number"
    assert cards[0].aggregate.chosen.api_name == "amount"


def test_mistakes_are_shown_at_their_card_and_nothing_typed_is_lost(admin, check):
    saved = list_editing.create_smart_list("Everything", BIG, None)
    list_editing.create_smart_list("Taken", {"version": 1, "match": "all", "filters": []}, None)
    page = admin.get(builder_url("change", saved.pk))
    wrong = {"filters.0.constraints.0.values": "many", "logic": "1 and 2 or 3", "name": "taken"}
    page = press_button(admin, page, "save", **wrong, description="x" * 30_001)
    assert "at most 30,000 bytes" in page.context["description_errors"][0]
    assert page.context["cards"][0].conditions[0].errors and not page.context["cards"][0].conditions[1].errors
    assert "mixed" in page.context["logic_errors"][0] and page.context["name_errors"]
    assert 'value="many"' in page.text and 'value="1 and 2 or 3"' in page.text
    saved.refresh_from_db()
    assert saved.name == "Everything" and saved.revision == 1


def test_the_second_editor_is_told_and_overwrites_nothing(admin, check):
    saved = list_editing.create_smart_list("Everything", BIG, None)
    page = admin.get(builder_url("change", saved.pk))
    list_editing.rename_smart_list(saved, "By somebody else", None)
    page = press_button(admin, page, "save", description="mine")
    assert (
        "Someone else changed the list" in page.text and 'value="mine"' in page.text and "By somebody else" in page.text
    )
    saved.refresh_from_db()
    assert (saved.name, saved.description) == ("By somebody else", "")
    list_editing.rename_smart_list(saved, "By a third", None)
    page = press_button(admin, page, "overwrite", other_revision=str(page.context["other"].revision))
    assert "Someone else changed the list" in page.text and "By a third" in page.text
    press_button(admin, page, "overwrite", other_revision=str(page.context["other"].revision))
    saved.refresh_from_db()
    assert (saved.name, saved.description) == ("Everything", "mine")


def test_the_panel_counts_what_is_typed_and_tests_a_person(admin, check):
    ann = make_person(country="Chile", email="ann@example.com")
    data = {
        "match": "all",
        "filters.0.kind": "person_field",
        "filters.0.field": "country",
        "filters.0.operator": "is",
        "filters.0.lines": "Spain",
        "tested": "ANN@example.com",
    }
    reply = admin.post(builder_url("panel_new"), data)
    explained = reply.context["explanation"]
    assert explained["person"] == ann and not explained["result"].is_member
    assert "Country is “Chile”" in reply.text
    reply = admin.post(builder_url("panel_new"), data | {"filters.0.lines": "Spain\nChile", "tested": str(ann.pk)})
    assert reply.context["explanation"]["result"].is_member
    assert "Nobody has this" in admin.post(builder_url("panel_new"), data | {"tested": "\0x"}).text
    reply = admin.post(builder_url("panel_new"), data | {"filters.0.operator": "likes"})
    assert reply.status_code == 200
    assert admin.get(builder_url("panel_new")).status_code == 403


def test_members_become_a_static_list_and_history_tells_who_came(admin, check):
    make_person(country="Spain")
    saved = list_editing.create_smart_list("Everybody", {"version": 1, "match": "all", "filters": []}, None)
    admin.post(builder_url("refresh", saved.pk))
    make_person()
    page = admin.post(builder_url("snapshot", saved.pk), {"name": "Kept"}, follow=True)
    assert "1 person joined the static list “Kept”" in page.text
    assert StaticList.objects.get(name="Kept").members.count() == 1
    admin.post(builder_url("refresh", saved.pk))
    told = admin.get(builder_url("history", saved.pk)).context["evaluations"]
    assert [(one["row"].count, one["joined"], one["left"]) for one in told] == [(2, 1, 0), (1, 1, 0)]
    page = admin.post(builder_url("snapshot", saved.pk), {"name": "kept"}, follow=True)  # the list there is already
    assert "1 person joined" in page.text and StaticList.objects.get().members.count() == 2
    admin.post(builder_url("schedule", saved.pk), {"minutes": "60"})
    saved.refresh_from_db()
    assert (saved.evaluate_every_minutes, saved.is_refreshed) == (60, False)
    admin.post(builder_url("schedule", saved.pk), {"minutes": "automatic"})
    saved.refresh_from_db()
    assert (saved.evaluate_every_minutes, saved.is_refreshed) == (None, True)
    page = admin.get(builder_url("history", saved.pk)).text
    assert "2 seconds or longer" not in page
    saved.evaluations.update(seconds=3)
    assert "2 seconds or longer" in admin.get(builder_url("history", saved.pk)).text


def chart_of(page, name):
    return json.loads(page.context[name])


def test_the_history_says_who_changed_what_in_words(admin, check):
    vera, bob = get_user_model().objects.get(username="vera"), get_user_model().objects.create_superuser("bob")
    made = list_editing.create_smart_list("Checks", parse_rules({"match": "all", "filters": []}, Catalogue()), vera)
    list_editing.change_smart_list(made, bob, name="Deposits", expected_revision=made.revision)
    page = admin.get(builder_url("history", made.pk))
    assert [(str(entry.user), "Checks" in sentence) for entry, sentence in page.context["edits"]] == [
        ("bob", True),
        ("vera", False),
    ]
    assert "Changes to the list" in page.text and "Took" not in page.text


def test_the_history_shows_size_and_changes_as_charts(admin, check):
    """The figures of the charts are those of the stored evaluations; a day without one has the size of the day before."""
    saved = list_editing.create_smart_list("Everybody", {"version": 1, "match": "all", "filters": []}, None)
    page = admin.get(builder_url("history", saved.pk))
    assert page.context["size_chart"] == page.context["changes_chart"] == ""
    noon = timezone.now().replace(hour=12)
    for minute, (days, people) in enumerate(((300, 1), (3, 0), (3, 1), (0, 2))):
        for _number in range(people):
            make_person()
        row = stored_evaluations.evaluate_list(saved, None)
        moment = noon - timedelta(days=days) + timedelta(minutes=minute)
        StoredEvaluation.objects.filter(pk=row.pk).update(as_of=moment)
    page = admin.get(builder_url("history", saved.pk))
    assert chart_of(page, "size_chart")["isLine"] and not page.context["unchanged"]
    size = chart_of(page, "size_chart")["series"][0]["data"]
    assert len(size) == 180 and size[-4:] == [2, 2, 2, 4] and set(size[:-4]) == {1}
    changes = chart_of(page, "changes_chart")
    assert [(row["label"], row["data"]) for row in changes["series"]] == [("Joined", [0, 1, 2]), ("Left", [0, 0, 0])]
    assert 'id="sizes"' in page.text and "Size over time" in page.text


def test_a_size_that_never_changed_is_a_sentence(admin, check):
    saved = list_editing.create_smart_list("Everybody", {"version": 1, "match": "all", "filters": []}, None)
    make_person()
    for days in (5, 0):
        row = stored_evaluations.evaluate_list(saved, None)
        StoredEvaluation.objects.filter(pk=row.pk).update(as_of=timezone.now() - timedelta(days=days))
    page = admin.get(builder_url("history", saved.pk))
    assert "1 person on the list on every day since" in page.text
    assert not page.context["size_chart"] and 'id="sizes"' not in page.text


def test_the_text_form_is_read_and_saved(admin, check):
    saved = list_editing.create_smart_list("Everything", BIG, None)
    page = admin.get(builder_url("text", saved.pk))
    assert "Deposited Check" in page.context["text"]
    changed = page.context["text"].replace("500", "750")
    admin.post(builder_url("text", saved.pk), {"text": changed, "revision": "1"})
    saved.refresh_from_db()
    assert saved.rules["filters"][0]["constraints"][0]["values"] == ["750"]
    page = admin.post(builder_url("text", saved.pk), {"text": "match nothing", "revision": "2"})
    assert page.context["errors"] and "match nothing" in page.text


def test_a_list_in_use_stays_and_deleting_asks_for_its_name(admin, check):
    inner = list_editing.create_smart_list("Inner", {"version": 1, "match": "all", "filters": []}, None)
    outer = list_editing.create_smart_list(
        "Outer",
        {"version": 1, "match": "all", "filters": [{"kind": "smart_list", "list": inner.pk, "member": True}]},
        None,
    )
    assert "Outer" in admin.get(builder_url("used_by", inner.pk)).text
    assert "in use" in admin.post(builder_url("remove", inner.pk), {"confirm": "Inner"}, follow=True).text
    admin.post(builder_url("remove", outer.pk), {"confirm": "outer"})
    assert SmartList.objects.count() == 2
    admin.post(builder_url("remove", outer.pk), {"confirm": "Outer"})
    admin.post(builder_url("archive", inner.pk))
    assert SmartList.objects.get().is_archived
    assert "Inner" not in admin.get(builder_url("changelist")).text.split("<main")[-1].split("result_list")[-1]
    page = admin.post(builder_url("copy", inner.pk), {"name": "inner"}, follow=True)
    assert "already" in page.text


def test_a_retired_type_is_told_on_the_list(admin, check):
    from people.definitions import lifecycle

    saved = list_editing.create_smart_list("Everything", BIG, None)
    lifecycle.retire_definition(check, None)
    assert "retired" in admin.get(builder_url("change", saved.pk)).text


@pytest.mark.parametrize(("name", "may_view", "may_change"), [("Viewer", True, False), ("Marketer", True, True)])
def test_each_role_may_do_its_own(client, check, name, may_view, may_change):
    saved = list_editing.create_smart_list("Everything", BIG, None)
    role(client, name)
    page = client.get(builder_url("change", saved.pk))
    assert page.status_code == 200 and ('value="save"' in page.text) == may_change
    assert client.get(builder_url("add")).status_code == (200 if may_change else 403)
    assert client.post(builder_url("change", saved.pk), {"do": "save"}).status_code == (200 if may_change else 403)
    assert client.get(builder_url("export", saved.pk)).status_code == 403  # exporting people is a right of its own


ODD_NAMES = (
    "filters.0.kind",
    "filters.x.kind",
    "filters.0.constraints.99999999999.field",
    "filters",
    "filters.0",
    "filters.0.kind.more.and.more.and.more.steps",
    "filters.0.constraints",
    "filters.-1.kind",
    "filters.٣.kind",
)
ODD_VALUES = ("", "person_field", "activity", "sequence", "static_list", "\0", "𝟘")
ODD_ACTIONS = ("refresh", "add", "count", "remove:7", "add_constraint:0.9", "up:-1", "save", "add_step:0", "x:y")


def odd_pairs(name):
    """Actions and values tried with a name: each of both; each pair with one of the names; all with LONG_TESTS=1."""
    if IS_LONG:
        return product(ODD_ACTIONS, ODD_VALUES)
    first = ODD_NAMES.index(name)
    return [(action, ODD_VALUES[(first + place) % len(ODD_VALUES)]) for place, action in enumerate(ODD_ACTIONS)]


def odd_form(name, value):
    data = QueryDict(mutable=True)
    data.update({"match": value, "filters.0.kind": "activity", "filters.0.type": "nothing", name: value, "do": "add"})
    return data


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_forms_are_rules_all_the_same(admin, name, request):
    for value in ODD_VALUES:
        assert isinstance(builder_form.parse_posted_rules(odd_form(name, value))["filters"], list), value
    for action, value in odd_pairs(name):
        if action == "count" and not IS_LONG:  # the rules that are drawn from here on are like those before
            request.getfixturevalue("undrawn")
        reply = admin.post(builder_url("add"), odd_form(name, value).dict() | {"do": action, "choice:add": value})
        assert reply.status_code == 200, (action, value)


def test_the_members_say_when_the_list_is_refreshed_and_why(admin, check):
    made = list_editing.create_smart_list("Everybody", {"version": 1, "match": "all", "filters": []}, None)

    def note():
        page = admin.get(builder_url("members", made.pk))
        assert "Last refreshed: " in page.text and "/history/#id_minutes" in page.text
        return page.context["refresh_note"]

    assert note().startswith("Next about ") and "every hour" in note()
    list_editing.schedule_evaluations(made, 15, None)
    assert note().endswith("every 15 minutes, as scheduled.")
    list_editing.schedule_evaluations(made, None, None, is_refreshed=False)
    assert "only when somebody asks" in note()
    list_editing.schedule_evaluations(made, None, None)
    made.evaluations.update(seconds=3.0)
    assert "2 seconds or longer" in note()
    list_editing.archive_smart_list(made, None)
    assert "archived" in note()
