"""The smart lists that a person is on, by function and on the person's page."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from people.core.errors import NotAllowedError, Problem, RejectedError
from people.persons import deletion
from smartlists.evaluation import lists_of_person
from smartlists.evaluation.evaluator import EvaluationRun
from smartlists.lists import editing as list_editing
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db


def made(name, *filters):
    return list_editing.create_smart_list(name, {"version": 1, "match": "all", "filters": list(filters)}, None)


@pytest.fixture
def vera():
    return get_user_model().objects.create_superuser("vera", password="x")


@pytest.fixture
def ann():
    return make_person(country="Spain", first_name="Ann")


@pytest.fixture
def lists(ann):
    approved_type()
    record_rows(new_activity(ann.pk))
    spain = made("Spain", {"kind": "person_field", "field": "country", "operator": "is", "values": ["Spain"]})
    inside = made("Inside", {"kind": "smart_list", "list": spain.pk, "member": True})
    made("Depositors", {"kind": "activity", "did": True, "type": "depositCheck"})
    made("Others", {"kind": "smart_list", "list": spain.pk, "member": False})
    list_editing.archive_smart_list(made("Put away"), None)
    return [spain, inside]


def names(found):
    return [row.name for row in found.lists]


def test_the_lists_of_one_person_in_one_snapshot(lists, ann, vera):
    found = lists_of_person.smart_lists_of_person(ann.pk, vera)
    assert (names(found), found.looked_at, found.left_out) == (["Depositors", "Inside", "Spain"], 4, 0)
    assert names(lists_of_person.smart_lists_of_person(make_person().pk, vera)) == ["Others"]
    assert names(lists_of_person.smart_lists_of_person(2**40, vera)) == []


def test_the_number_of_lists_and_the_time_are_limited(lists, ann, vera, monkeypatch):
    found = lists_of_person.smart_lists_of_person(ann.pk, vera, most=1)
    assert (found.looked_at, found.left_out) == (1, 3)
    evaluate, calls = EvaluationRun.evaluate, []

    def slow(run, rules):
        calls.append(rules)
        if len(calls) == 3:
            raise RejectedError(Problem("timeout", "too slow"))
        return evaluate(run, rules)

    monkeypatch.setattr(EvaluationRun, "evaluate", slow)
    found = lists_of_person.smart_lists_of_person(ann.pk, vera)
    assert (found.looked_at, found.left_out) == (2, 2)


def test_it_needs_the_right_to_see_lists(lists, ann):
    with pytest.raises(NotAllowedError):
        lists_of_person.smart_lists_of_person(ann.pk, get_user_model().objects.create_user("nina"))


def test_the_page_of_a_person_asks_for_them_and_works_without_scripts(client, lists, ann, vera):
    client.force_login(vera)
    address = reverse("admin:smartlists_smartlist_of_person", args=[ann.pk])
    assert f'hx-get="{address}"' in client.get(reverse("admin:people_person_change", args=[ann.pk])).text
    part = client.get(address, headers={"HX-Request": "true"}).text
    assert "Depositors" in part and "<html" not in part and "4 smart lists checked" in part
    page = client.get(address).text
    assert "<html" in page and "Depositors" in page and reverse("admin:people_person_change", args=[ann.pk]) in page
    deletion.delete_people([ann.pk], vera, MARKETO)
    assert client.get(address).status_code == 404
