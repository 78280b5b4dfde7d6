"""Filters of the list of people as rules: they mean exactly the same; and the filter by a smart list."""

import random
from urllib.parse import quote

import pytest
from django.contrib.auth import get_user_model

from people.core.errors import RejectedError
from people.directory.filters import KINDS, FieldFilter, ReferenceFilter, operators_of
from people.directory.pages import matching_ids, plan_people
from people.directory.query import PeopleQuery
from people.fields import catalog
from people.lists import static_lists
from people.models import Person, PersonField
from people.persons import deletion
from smartlists.evaluation import evaluator
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import editing, people_list
from smartlists.models import SmartList
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db
FROM_PEOPLE = "/admin/smartlists/smartlist/from-people/"
VALUES = {
    "email": ("ann@example.com", "BOB@example.com", "b", "_"),
    "last_name": ("Ávila", "ávila", "Lee%", "\\"),
    "person_score": ("0", "12", "-3"),
    "date_of_birth": ("2000-02-29", "1999-12-31"),
    "created_at": ("2026-11-28", "2026-11-29", "2031-01-01"),
    "unsubscribed": ("true", "false"),
    "tags": ("x", "X y"),
    "size": ("1.50", "42"),
    "born_on": ("2000-02-29", "2020-01-01"),
}


@pytest.fixture
def vera(client):
    account = get_user_model().objects.create_superuser("vera", password="x")
    client.force_login(account)
    return account


def make_people(chance):
    for name, kind in (("tags", "string"), ("size", "float"), ("born_on", "date")):
        PersonField.objects.create(api_name=name, label=name, data_type=kind)
    fields = [name for name in VALUES if name not in ("created_at", "email")]
    for number in range(30):
        values = {name: chance.choice(VALUES[name]) for name in fields if chance.random() < 0.6}
        if number < 4:
            values["email"] = ("ann@example.com", "bob@example.com", "b_b@example.com", "c@example.com")[number]
        make_person(**values)
    return Person.objects.order_by("pk")


def test_every_filter_finds_the_people_that_its_rule_finds(vera):
    chance = random.Random(11)
    people = list(make_people(chance))
    check = approved_type()
    seeds = static_lists.create_static_list("Seeds", None)
    static_lists.add_members(seeds, [row.pk for row in people[::3]], MARKETO)
    record_rows(*(new_activity(row.pk) for row in people[::4]))
    smart = editing.create_smart_list(
        "Unsubscribed", people_list.rules_of_query(one("unsubscribed", "is", "true")), None
    )
    stored_evaluations.evaluate_list(smart, vera)
    deletion.delete_people([people[0].pk], None, MARKETO)
    items = [ReferenceFilter("list", seeds.pk), ReferenceFilter("did", check.pk), ReferenceFilter("smart", smart.pk)]
    assert {item.kind for item in items} == set(KINDS)
    for name, info in catalog.field_catalogue().items():
        for operator in operators_of(info) if name in VALUES else ():
            items += [FieldFilter(name, operator, value) for value in VALUES[name]]
    found = set()
    for item in items:
        query = PeopleQuery(filters=(item,))
        ids = matching_ids(plan_people(query, vera), 1_000)
        assert ids == list(evaluator.evaluate_rules(people_list.rules_of_query(query)).members), item
        found.add(len(ids))
    assert len(found) > 8  # the data distinguishes the filters
    pair = PeopleQuery(filters=(items[0], FieldFilter("last_name", "is not", "ávila")))
    assert matching_ids(plan_people(pair, vera), 99) == list(
        evaluator.evaluate_rules(people_list.rules_of_query(pair)).members
    )


def one(field, operator, value):
    return PeopleQuery(filters=(FieldFilter(field, operator, value),))


def test_the_filter_by_a_smart_list_shows_its_last_count(vera, client):
    ann = make_person(country="Spain")
    smart = editing.create_smart_list("Spain", people_list.rules_of_query(one("country", "is", "Spain")), None)
    address = f"/admin/people/person/?smart={smart.pk}"
    page = client.get(address).text
    assert "has not been counted" in page and "Open its members once" in page
    stored_evaluations.evaluate_list(smart, vera)
    make_person(country="Spain")  # after the count
    page = client.get(address)
    assert [row.pk for row, _url, _cells in page.context["rows"]] == [ann.pk]
    assert "In the smart list “Spain, as of " in page.text
    with pytest.raises(RejectedError, match="no longer there"):
        plan_people(PeopleQuery(filters=(ReferenceFilter("smart", 999),)), vera)


def test_a_smart_list_is_made_of_the_filters(vera, client):
    ann = make_person(country="Spain")
    address = f"{FROM_PEOPLE}?f={quote('country:is:Spain')}"
    assert "Country" in client.get(address).text
    assert client.post(address, {"name": ""}).text.count("A name is missing") or not SmartList.objects.exists()
    reply = client.post(address, {"name": "Spaniards"})
    smart = SmartList.objects.get(name="Spaniards")
    assert reply.url.endswith(f"/{smart.pk}/change/")
    assert list(stored_evaluations.evaluate_list(smart, vera).person_ids) == [ann.pk]
    taken = client.post(address, {"name": "spaniards"}).text
    assert 'value="spaniards"' in taken and "aria-invalid" in taken


def test_what_cannot_be_a_rule_is_said(vera, client):
    assert "The search for “ann” can" in client.get(f"{FROM_PEOPLE}?q=ann").text
    assert "Add a filter first" in client.get(FROM_PEOPLE).text
    client.post(f"{FROM_PEOPLE}?q=ann", {"name": "x"})
    assert not SmartList.objects.exists()
