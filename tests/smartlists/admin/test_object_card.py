"""The builder's card of a filter on object records, pressed button by button as a browser without scripts does."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from people.definitions import lifecycle
from people.models import ObjectType
from smartlists.lists import editing as list_editing
from smartlists.models import SmartList
from tests.factories import approved_type, make_person
from tests.people.objects import world
from tests.smartlists.form_client import builder_url, press_button

pytestmark = pytest.mark.django_db
FULL = {
    "kind": "object",
    "has": False,
    "type": "car",
    "constraints": [
        {"field": "colour", "operator": "is not", "values": ["Red", "Blue <b>"], "empty": "exclude"},
        {"field": "@created_at", "operator": "in past", "values": ["90 days"]},
    ],
    "changed": {
        "field": "colour",
        "from": ["Blue", "Green"],
        "to": ["Red"],
        "operator": "between",
        "values": ["2026-01-01", "2026-02-01"],
    },
    "count": {"operator": "between", "values": ["1", "3"]},
    "aggregate": {"function": "sum", "field": "price", "operator": "at least", "values": ["1000.5"]},
}


@pytest.fixture
def car():
    return world.approved_type()


@pytest.fixture
def admin(client):
    client.force_login(get_user_model().objects.create_superuser("vera", password="x"))
    return client


def saved_list(*cards):
    return list_editing.create_smart_list("Cars", {"version": 1, "match": "all", "filters": list(cards)}, None)


def test_a_saved_card_is_drawn_and_sent_back_as_it_was(admin, car):
    made = saved_list(FULL, {"kind": "object", "type": "car", "changed": {}})
    before = made.rules
    page = press_button(admin, admin.get(builder_url("change", made.pk)), "save")
    made.refresh_from_db()
    assert made.revision == 2 and made.rules == before, page.text


def test_a_card_is_added_completed_and_inverted(admin, car):
    page = press_button(admin, admin.get(builder_url("add")), "add", **{"choice:add": "object:car"})
    page = press_button(admin, page, "add_constraint:0", **{"choice:add_constraint:0": "colour"})
    page = press_button(admin, page, "invert:0", **{"filters.0.constraints.0.lines": "Red\nBlue"})
    page = press_button(admin, page, "refresh", **{"filters.0.changed.field": "is_electric"})
    assert '<select class="ca-input" id="filters.0.changed.to"' in page.text, "yes or no is chosen, not typed"
    page = press_button(
        admin, page, "refresh", **{"filters.0.changed.to": "true", "filters.0.changed.operator": "in past"}
    )
    page = press_button(admin, page, "save", **{"filters.0.changed.amount": "3", "name": "No red car"})
    (card,) = SmartList.objects.get().rules["filters"]
    assert card == {
        "kind": "object",
        "type": "car",
        "has": False,
        "constraints": [{"field": "colour", "operator": "is", "values": ["Red", "Blue"]}],
        "changed": {"field": "is_electric", "to": ["true"], "operator": "in past", "values": ["3 days"]},
    }


def test_another_type_drops_what_it_lacks(admin, car):
    policy = (
        world.ObjectFieldSpec("plate", "Plate", is_dedupe=True),
        world.ObjectFieldSpec("holder", "Holder", "email", link_to="person", link_by="email"),
    )
    world.approved_type("Policy", "policy", policy)
    approved_type("Rent Policy", "policy")
    page = admin.get(builder_url("change", saved_list(FULL).pk))
    page = press_button(admin, page, "refresh", **{"filters.0.type": "policy"})
    (card,) = page.context["rules"]["filters"]
    assert [one["field"] for one in card["constraints"]] == ["@created_at"]
    assert card["changed"] == {"operator": "between", "values": ["2026-01-01", "2026-02-01"]}
    assert "bots" not in card


def test_what_is_wrong_stands_at_its_inputs(admin, car):
    page = admin.get(builder_url("change", saved_list(FULL).pk))
    page = press_button(admin, page, "save", **{"filters.0.aggregate.values": "many", "filters.0.changed.values": ""})
    (card,) = page.context["cards"]
    assert card.aggregate.errors and card.changed.errors and not card.errors and not card.is_folded


def test_retired_types_are_marked_and_records_prove_membership(admin, car):
    ann = make_person(email="ann@example.com")
    record = world.saved(car, plate="1234 BCD", owner=ann.email)
    lifecycle.retire_definition(ObjectType.objects.get(pk=car.pk), None)
    made = saved_list({"kind": "object", "type": "car"})
    page = admin.get(builder_url("change", made.pk))
    assert "(retired)" in page.text and "is retired: its records no longer change" in page.text
    page = press_button(admin, page, "count", tested=ann.email)
    assert reverse("admin:people_objectrecord_change", args=[record.pk]) in page.text and "1234 BCD" in page.text
