"""Pages of the list of people: every order and filter, forwards and backwards, each person once."""

import random
from itertools import chain

import pytest
from django.contrib.auth import get_user_model

from people.core.errors import RejectedError
from people.directory import filters, pages
from people.directory.filters import FieldFilter, ReferenceFilter
from people.directory.orders import ORDERS
from people.directory.pages import Position, neighbours_of_person, plan_people, read_page
from people.directory.query import PeopleQuery
from people.fields import catalog
from people.lists import static_lists
from people.models import PersonField
from people.persons import deletion
from tests.factories import MARKETO, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera():
    return get_user_model().objects.create_superuser("vera", password="x")


def walked(plan, size=2):
    """The ids of all pages forwards, and of all pages backwards from the last."""
    there, place = [], Position()
    for _page in range(200):
        page = read_page(plan, place, size)
        assert len(page.ids) <= size
        there.append(list(page.ids))
        if not page.following:
            break
        place = Position.of(page.following)
    back, preceding = [there[-1]], page.preceding
    while preceding:
        page = read_page(plan, Position.of(preceding), size, is_back=True)
        back.insert(0, list(page.ids))
        preceding = page.preceding
    return list(chain(*there)), list(chain(*back))


def make_people():
    chance = random.Random(5)
    ids = []
    for number in range(23):
        values = {"country": chance.choice(["Spain", "France", None])}
        values["last_name"] = chance.choice(["Álvarez", "brown", "Brown", "Costa", None])
        values["email"] = f"p{number * 5 % 23}@example.com" if number % 4 else None
        ids.append(make_person(**{name: value for name, value in values.items() if value}).pk)
    deletion.delete_people([ids[4], ids[17]], None, MARKETO)
    return [pk for pk in ids if pk not in (ids[4], ids[17])]


@pytest.mark.parametrize("order", list(ORDERS))
def test_every_order_shows_each_person_once_both_ways(order, vera, monkeypatch):
    ids = make_people()
    monkeypatch.setattr(pages, "FIRST_PIECE", 3)
    queries = [PeopleQuery(order=order), PeopleQuery(filters=(FieldFilter("country", "is", "spain"),), order=order)]
    queries.append(PeopleQuery(filters=(FieldFilter("last_name", "starts with", "b"),), order=order))
    for query in queries:
        plan = plan_people(query, vera)
        there, back = walked(plan)
        expected = pages.matching_ids(plan, 1_000)
        assert sorted(there) == expected and there == back
    assert sorted(walked(plan_people(PeopleQuery(order=order), vera))[0]) == ids
    # candidates that are looked up along the index, not sorted
    monkeypatch.setattr(pages, "SORTED_WHOLE", 0)
    assert walked(plan) == (there, back)


def test_people_without_a_value_come_last_in_an_order_of_a_text(vera):
    nobody, zoe, ann = make_person(), make_person(last_name="zoe"), make_person(last_name="Ann")
    for order, expected in (("last_name", [ann, zoe, nobody]), ("-last_name", [zoe, ann, nobody])):
        plan = plan_people(PeopleQuery(order=order), vera)
        assert read_page(plan, Position(), 10).ids == [row.pk for row in expected]


def test_a_page_reads_a_bounded_number_of_people_and_goes_on_where_it_stopped(vera, monkeypatch):
    monkeypatch.setattr(pages, "MOST_READ", 5)
    rare = make_person(country="Peru")
    for _number in range(12):
        make_person(country="Spain")
    plan = plan_people(PeopleQuery(filters=(FieldFilter("country", "is", "Peru"),)), vera)
    first = read_page(plan, Position(), 10)
    assert first.ids == [] and first.is_short and first.following
    assert pages.known_count(plan, first) is None
    assert walked(plan)[0] == [rare.pk]


def test_neighbours_keep_the_filter_and_the_order(vera):
    ann, _bob, carl = (
        make_person(last_name="A", country="Peru"),
        make_person(last_name="B"),
        make_person(last_name="C", country="Peru"),
    )
    plan = plan_people(PeopleQuery(filters=(FieldFilter("country", "is", "peru"),), order="last_name"), vera)
    assert neighbours_of_person(plan, ann.pk) == (None, carl.pk)
    assert neighbours_of_person(plan, carl.pk) == (ann.pk, None)
    everybody = plan_people(PeopleQuery(), vera)
    assert neighbours_of_person(everybody, carl.pk)[0] is None and neighbours_of_person(everybody, ann.pk)[1] is None


def test_filters_are_combined_and_indexes_give_the_same_as_conditions(vera, monkeypatch):
    PersonField.objects.create(api_name="code", label="Code", data_type="string", is_unique=True)
    seeds = static_lists.create_static_list("Seeds", None)
    ann = make_person(email="Ann_1@example.com", code="K-1", country="Spain")
    bob = make_person(email="annx1@example.com", country="Spain", unsubscribed=True)
    make_person(email="carl@example.com")
    static_lists.add_members(seeds, [ann.pk, bob.pk], MARKETO)
    cases = {
        (FieldFilter("email", "starts with", "ANN_"),): [ann.pk],
        (FieldFilter("email", "contains", "_"),): [ann.pk],
        (FieldFilter("code", "is", "k-1"),): [ann.pk],
        (FieldFilter("unsubscribed", "is", "true"),): [bob.pk],
        (ReferenceFilter("list", seeds.pk), FieldFilter("country", "is", "spain")): [ann.pk, bob.pk],
        (ReferenceFilter("list", seeds.pk), FieldFilter("email", "is not", "ann_1@example.com")): [bob.pk],
    }
    for limit in (20_000, 0):  # with 0 no filter is read from an index
        monkeypatch.setattr(filters, "MOST_CANDIDATES", limit)
        monkeypatch.setattr(filters.read_candidates, "__defaults__", (limit,))
        for query, expected in cases.items():
            plan = plan_people(PeopleQuery(filters=query), vera)
            assert sorted(read_page(plan, Position(), 10).ids) == expected, query
    words = plan_people(PeopleQuery(text="ann exam"), vera)
    assert sorted(read_page(words, Position(), 10).ids) == [ann.pk, bob.pk]


@pytest.mark.parametrize(
    ("field", "operator", "value", "message"),
    [
        ("shoe", "is", "x", "no person field “shoe”"),
        ("email", "at least", "x", "at least"),
        ("email", "is", " ", "Enter a value for “Email Address”"),
        ("person_score", "is", "twelve", "Person Score: expected"),
        ("created_at", "on or after", "2026-02-30", "Created At: expected"),
    ],
)
def test_a_wrong_filter_is_refused_with_its_reason(field, operator, value, message):
    with pytest.raises(RejectedError) as refused:
        filters.parse_field_filter(field, operator, value, catalog.field_catalogue())
    assert message in str(refused.value)


def test_a_list_that_is_gone_is_refused(vera):
    with pytest.raises(RejectedError, match="no longer there"):
        plan_people(PeopleQuery(filters=(ReferenceFilter("list", 999),)), vera)
