"""The builder beyond its buttons: proposals, folding, inverting, and what others do to a list meanwhile."""

import pytest
from django.contrib.auth import get_user_model
from django.utils.html import escape

from activities.log import rollup
from activities.models import Activity
from people.lists import static_lists
from people.models import PersonField
from people.persons import deletion
from smartlists.catalog import Catalogue
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import editing as list_editing
from smartlists.models import SmartList
from smartlists.rules import model as rules
from smartlists.rules.parsing import parse_rules
from tests.factories import (
    CHECK_FIELDS,
    MARKETO,
    ActivityFieldSpec,
    approved_type,
    make_person,
    new_activity,
    record_rows,
)
from tests.smartlists.form_client import BIG, Inputs, builder_url, press_button

pytestmark = pytest.mark.django_db


@pytest.fixture
def check():
    return approved_type()


@pytest.fixture
def admin(client):
    client.force_login(get_user_model().objects.create_superuser("vera", password="x"))
    return client


def test_each_card_is_inverted_and_folded_and_keeps_what_it_says(admin, check):
    other = list_editing.create_smart_list("Other", {"version": 1, "match": "all", "filters": []}, None)
    lists = {"kind": "smart_list", "list": other.pk, "member": True}
    saved = list_editing.create_smart_list(
        "Everything", BIG | {"match": "all", "logic": None, "filters": [*BIG["filters"], lists]}, None
    )
    page = admin.get(builder_url("change", saved.pk))
    for index in range(5):
        page = press_button(admin, page, f"invert:{index}")
    cards = page.context["rules"]["filters"]
    assert [cards[0]["did"], cards[4]["member"]] == [False, False]
    assert [cards[1]["operator"], cards[2]["operator"]] == ["is not", "is not empty"]
    assert cards[3]["steps"][-1] == {"type": "newPerson", "constraints": [], "within_days": 7}
    page = press_button(admin, page, "invert:3")
    assert page.context["rules"]["filters"][3]["steps"][-1]["not"] is True
    page = press_button(admin, page, "fold:0")
    assert [card.is_folded for card in page.context["cards"]] == [True, False, False, False, False]
    page = press_button(admin, page, "down:0", **{"filters.2.lines": ""})
    assert [card.is_folded for card in page.context["cards"]] == [False, True, False, False, False]
    page = press_button(admin, page, "fold_all")
    assert all(card.is_folded for card in page.context["cards"])
    page = press_button(admin, page, "save")
    saved.refresh_from_db()
    assert saved.revision == 2 and not any("folded" in one for one in saved.rules["filters"])
    assert saved.rules["filters"][1]["did"] is False


def test_the_panel_carries_the_sentence_of_every_card_of_the_very_state_it_counts(admin, check):
    saved = list_editing.create_smart_list("Everything", BIG, None)
    page = admin.get(builder_url("change", saved.pk))
    before = [card.sentence for card in page.context["cards"]]
    inputs: dict[str, list[str]] = {}
    for name, value in Inputs(page.text).sent:
        inputs.setdefault(name, []).append(value)
    changed = inputs | {"filters.0.did": "false"}
    reply = admin.post(builder_url("panel", saved.pk), changed)
    after = reply.context["card_sentences"]
    assert after[1:] == before[1:] and after[0] != before[0]
    page = admin.post(builder_url("change", saved.pk), changed | {"do": "count"})
    assert after == [card.sentence for card in page.context["cards"]]
    reply = admin.post(builder_url("panel", saved.pk), changed | {"filters.0.constraints.0.values": "many"})
    assert reply.context["card_sentences"] == ["", *before[1:]], "nothing is said of what is unfinished"


def test_what_is_wrong_is_never_folded_away(admin, check):
    saved = list_editing.create_smart_list("Everything", BIG, None)
    page = press_button(admin, admin.get(builder_url("change", saved.pk)), "fold_all")
    page = press_button(admin, page, "save", **{"filters.0.constraints.0.values": "many"})
    assert [card.is_folded for card in page.context["cards"]] == [False, True, True, True]


def test_values_are_proposed_from_what_there_is(admin, check, monkeypatch):
    known = [("Spain", "Spar AG"), ("spain", "Sparta"), ("Chile", "SPAR ag"), (None, None), (None, "Spartacus")]
    made = [make_person(country=one, company=two, first_name=f"Ñandú {n}") for n, (one, two) in enumerate(known)]
    deletion.delete_people([made[-1].pk], None, MARKETO)
    record_rows(*(new_activity(made[0].pk, branch=branch) for branch in ("Lyon <b>", "Lyon <b>", "León")))
    last = max(Activity.objects.values_list("pk", flat=True))
    monkeypatch.setattr(rollup, "high_water_mark", lambda: last)  # as if the test's transaction were committed
    rollup.catch_up_rollup()

    def proposed(**query):
        return admin.get(builder_url("suggest"), query).json()["values"]

    assert proposed(field="company", q="spa") == ["Spar AG", "Sparta"]
    assert proposed(field="first_name", q="ñandú 2") == ["Ñandú 2"]
    assert proposed(field="country") == ["Spain", "Chile"] and proposed(field="country", q="CHI") == ["Chile"]
    assert proposed(field="country", q="pai") == ["Spain"]
    assert proposed(type="depositCheck", field="branch", q="l") == ["Lyon <b>", "León"]
    for nothing in (
        {"field": "nothing"},
        {"type": "x", "field": "branch"},
        {"field": "person_score", "q": "1"},
        {"field": "company", "q": "\0%_" * 9000},
        {},
    ):
        assert proposed(**nothing) == []


def test_choices_of_a_field_are_proposed_first(admin):
    PersonField.objects.filter(api_name="country").update(choices=["Perú", "Chile"])
    for country in ("Chad", "Peru"):
        make_person(country=country)
    assert admin.get(builder_url("suggest"), {"field": "country", "q": "ch"}).json()["values"] == ["Chile", "Chad"]


def test_suggestions_need_the_right_to_see_the_values(client, check):
    user = get_user_model().objects.create_user("nobody", is_staff=True)
    client.force_login(user)
    assert client.get(builder_url("suggest"), {"field": "country"}).status_code == 403
    assert client.get(builder_url("suggest"), {"type": "depositCheck", "field": "branch"}).status_code == 403


def test_a_list_deleted_in_another_tab_loses_nothing_of_what_is_typed(admin, check):
    saved = list_editing.create_smart_list("Everything", BIG, None)
    page = admin.get(builder_url("change", saved.pk))
    list_editing.delete_smart_list(saved, None)
    data = {}
    for name, value in Inputs(page.text).sent:
        data.setdefault(name, []).append(value)
    assert "deleted in the meantime" in admin.post(builder_url("panel", saved.pk), data).text
    assert (
        "filters.0.kind"
        in admin.post(
            builder_url("change", saved.pk), data | {"do": "duplicate:0"}, headers={"HX-Request": "true"}
        ).text
    )
    page = press_button(admin, page, "save", description="kept")
    assert "deleted while you were editing" in page.text and f'action="{builder_url("add")}"' in page.text
    page.request["PATH_INFO"] = builder_url("add")
    press_button(admin, page, "save")
    made = SmartList.objects.get()
    assert made.description == "kept" and made.rules == rules.dump_rules(parse_rules(BIG, Catalogue()))


@pytest.mark.parametrize(
    "value", ["é" * 15_000, "أحمد 🎉", "<script>alert(1)</script>", "=cmd|'/c'!A1", "\u202egnp.exe"]
)
def test_an_odd_value_is_counted_shown_and_kept_as_it_is(admin, value):
    form = {
        "match": "all",
        "filters.0.kind": "person_field",
        "filters.0.field": "unsubscribed_reason",
        "filters.0.operator": "is",
        "filters.0.lines": value,
        "name": "Odd",
        "do": "count",
    }
    ann = make_person(unsubscribed_reason=value)
    page = admin.post(builder_url("add"), form)
    assert page.context["draft"].count == 1 and escape(value) in page.text
    assert "<script>alert" not in page.text
    admin.post(builder_url("add"), form | {"do": "save"})
    assert SmartList.objects.get().rules["filters"][0]["values"] == [value]
    assert ann.pk in stored_evaluations.current_or_new_evaluation(SmartList.objects.get(), None).person_ids


def test_a_column_that_is_too_long_is_refused_and_stays(admin):
    form = {
        "match": "all",
        "filters.0.kind": "person_field",
        "filters.0.field": "country",
        "filters.0.operator": "is",
        "filters.0.lines": "\n".join(map(str, range(1_001))),
        "name": "Long",
        "do": "save",
    }
    page = admin.post(builder_url("add"), form)
    assert page.context["cards"][0].conditions[0].errors and not SmartList.objects.exists()
    assert len(page.context["rules"]["filters"][0]["values"]) == 1_001


def test_new_cards_are_offered_what_is_in_use_and_an_old_card_keeps_what_was_put_away(admin, check):
    put_away = static_lists.create_static_list("Fair 2019", None)
    kept = static_lists.create_static_list("Fair 2026", None)
    card = {"kind": "static_list", "list": put_away.pk, "member": True}
    hidden = {"kind": "person_field", "field": "industry", "operator": "is", "values": ["Wine"]}
    saved = list_editing.create_smart_list("Guests", {"version": 1, "match": "all", "filters": [card, hidden]}, None)
    static_lists.archive_static_list(put_away, None)
    PersonField.objects.filter(api_name="industry").update(is_hidden=True)
    page = admin.get(builder_url("change", saved.pk))
    tree = page.text.partition('id="id_new"')[2].partition("</select>")[0]
    assert f"static_list:{kept.pk}" in tree and f"static_list:{put_away.pk}" not in tree
    assert "person_field:country" in tree and "person_field:industry" not in tree
    assert "Fair 2019 (archived)</option>" in page.text and ">Industry (hidden)</option>" in page.text
    page = press_button(admin, page, "save")
    assert SmartList.objects.get().rules["filters"] == [card, hidden]


def test_finished_cards_are_counted_while_another_one_is_not(admin, check):
    ann, _bob = make_person(country="Spain"), make_person(country="France")
    spain = {"kind": "person_field", "field": "country", "operator": "is", "values": ["Spain"]}
    amount = {"kind": "person_field", "field": "annual_revenue", "operator": "greater than", "values": ["1"]}
    france = spain | {"values": ["France"]}
    rules_ = {"version": 1, "match": "advanced", "logic": "2 and (1 or 3)", "filters": [spain, amount, france]}
    saved = list_editing.create_smart_list("Guests", rules_, None)
    page = press_button(
        admin, admin.get(builder_url("change", saved.pk)), "test", **{"filters.1.values": [""], "tested": str(ann.pk)}
    )
    assert page.context["draft"].count == 2 and page.context["per_filter"] == [(1, 1), (3, 1)]
    (said,) = page.context["unfinished"]
    assert said.startswith("Filter 2:") and escape(said) in page.text
    assert "explanation" not in page.context and "once every filter is complete" in page.text
    page = press_button(admin, page, "count", logic="2 and (1 or")
    assert "draft" not in page.context


def test_a_page_of_the_version_before_keeps_what_its_cards_say_of_bots(admin, check):
    approved_type("Open Page", "openPage", fields=(*CHECK_FIELDS, ActivityFieldSpec("is_bot", "Is Bot", "boolean")))
    steps = [{"type": "openPage", "constraints": []}, {"type": "depositCheck", "constraints": []}]
    filters = [
        {"kind": "activity", "did": True, "type": "openPage", "constraints": []},
        {"kind": "sequence", "steps": steps},
        {"kind": "activity", "did": True, "type": "depositCheck", "constraints": []},
    ]
    saved = list_editing.create_smart_list("Readers", {"version": 1, "match": "all", "filters": filters}, None)
    page = admin.get(builder_url("change", saved.pk))
    new = {name: value for name, value in Inputs(page.text).sent if name.endswith(".bots")}
    places = ["filters.0", "filters.1.steps.0", "filters.1.steps.1", "filters.2"]
    assert new == dict(zip([f"{place}.bots" for place in places], ["include", "include", "", ""], strict=True))

    def bots_of(**changes):
        answer = press_button(admin, page, "refresh", **changes)
        rules_then = answer.context["rules"]["filters"]
        cards = [rules_then[0], *rules_then[1]["steps"], rules_then[2]]
        return [card.get("bots", rules.INCLUDE_BOTS) for card in cards if card["type"] == "openPage"]

    assert bots_of() == ["include", "include"]
    assert bots_of(**{name: [] for name in new}) == ["include", "include"], "a page without such inputs"
    chosen = {"filters.1.steps.1.type": "openPage", "filters.2.type": "openPage"}
    assert bots_of(**chosen) == ["include", "include", "exclude", "exclude"]
