"""The members of a smart list: columns, order, search, kept views, the file."""

import re

import pytest
from django.contrib.auth import get_user_model

from people.fields import catalog
from people.models import PersonField
from people.persons import deletion
from smartlists.lists import editing as list_editing
from smartlists.lists import member_order
from smartlists.models import member_views
from tests.factories import MARKETO, make_person
from tests.smartlists.form_client import builder_url

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client):
    client.force_login(get_user_model().objects.create_superuser("vera", password="x"))
    return client


def everybody(name="Everybody"):
    return list_editing.create_smart_list(name, {"filters": []}, None)


def shown(page):
    return [person.first_name for person, _values in page.context["rows"]]


def walked(admin, address, query):
    """The first names on all pages."""
    page, names = admin.get(address, query), []
    for _page in range(40):
        names += shown(page)
        if not page.context["following"]:
            return names
        page = admin.get(address + page.context["following"])
    raise AssertionError("the pages do not end")


def test_members_are_paged_searched_and_exported(admin):
    people = [make_person(country="Spain", first_name="=cmd|x" if n == 0 else f"P{n}") for n in range(105)]
    address = builder_url("members", everybody().pk)
    page = admin.get(address)
    assert len(page.context["rows"]) == 100 and "105 people" in page.text
    assert len(admin.get(address + page.context["following"]).context["rows"]) == 5
    assert [one.pk for one, _values in admin.get(address, {"q": "p104"}).context["rows"]] == [people[104].pk]
    reply = admin.get(address.replace("members", "export"))
    assert len(b"".join(reply.streaming_content).decode().splitlines()) == 106
    lines = b"".join(
        admin.get(address.replace("members", "export"), {"columns": ["first_name", "nothing"]}).streaming_content
    )
    assert lines.decode().splitlines()[:2] == ["id,first_name", f"{people[0].pk},'=cmd|x"]


def walked_back(admin, address, query):
    """The first names on all pages: to the last one with "Next", then with "Previous" to the first one again."""
    page = admin.get(address, query)
    while page.context["following"]:
        page = admin.get(address + page.context["following"])
    names = shown(page)
    for _page in range(40):
        if not page.context["preceding"]:
            assert page.context["first"] == ""
            return names
        page = admin.get(address + page.context["preceding"])
        new = [name for name in shown(page) if name not in names]  # the first page is full where the others are not
        assert shown(page)[: len(new)] == new
        names = new + names
    raise AssertionError("the pages do not end")


@pytest.fixture(params=["sorted whole", "along the index"])
def way(request, monkeypatch):
    if request.param == "along the index":
        monkeypatch.setattr(member_order, "SORTED_WHOLE", 2)
        monkeypatch.setattr(member_order, "PIECE", 3)
    return request.param


@pytest.mark.parametrize(
    ("order", "names"), [("last_name", "bcaedf"), ("-last_name", "eabcdf"), ("", "abcdef"), ("-", "fedcba")]
)
@pytest.mark.usefixtures("undrawn")
def test_members_come_in_the_order_of_a_field_whatever_the_page_size(admin, monkeypatch, way, order, names):
    for first, last in zip("abcdef", ["b", "A", "a", None, "Ñ", None], strict=True):
        make_person(first_name=first, last_name=last, country="Spain")
    gone = make_person(first_name="gone", last_name="a")
    rules = {"filters": [{"kind": "person_field", "field": "country", "operator": "is", "values": ["Spain"]}]}
    address = builder_url("members", list_editing.create_smart_list("Spaniards", rules, None).pk)
    expected = list(names)
    for size in (1, 2, 3, 4, 100):
        monkeypatch.setattr("smartlists.admin.members.PAGE", size)
        assert walked(admin, address, {"sort": order}) == expected, size
        assert walked_back(admin, address, {"sort": order}) == expected, size
    monkeypatch.setattr(member_order, "MOST_READ", 2)  # pages may be short, yet no person is left out or comes twice
    assert walked(admin, address, {"sort": order}) == expected
    assert walked_back(admin, address, {"sort": order}) == expected
    deletion.delete_people([gone.pk], None, MARKETO)
    assert walked(admin, address, {"sort": order}) == expected


@pytest.mark.parametrize("order", ["last_name", "-last_name", "", "-"])
def test_previous_leads_to_the_page_that_was_seen(admin, monkeypatch, way, order):
    monkeypatch.setattr("smartlists.admin.members.PAGE", 2)
    for first, last in zip("abcdefg", ["b", "A", "a", None, "Ñ", None, "a"], strict=True):
        make_person(first_name=first, last_name=last)
    address = builder_url("members", everybody().pk)
    seen = [admin.get(address, {"sort": order})]
    while seen[-1].context["following"]:
        seen.append(admin.get(address + seen[-1].context["following"]))
    assert [len(shown(page)) for page in seen] == [2, 2, 2, 1] and 'rel="prev"' not in seen[0].text
    for page, before in zip(seen[:0:-1], seen[-2::-1], strict=True):
        assert 'rel="prev"' in page.text
        assert shown(admin.get(address + page.context["preceding"])) == shown(before)


def test_previous_of_somebody_who_is_gone_leads_to_the_start(admin, monkeypatch, way):
    monkeypatch.setattr("smartlists.admin.members.PAGE", 2)
    people = [make_person(first_name=name, email=f"{name}@example.com") for name in "abcde"]
    address = builder_url("members", everybody().pk)
    assert shown(admin.get(address, {"sort": "email", "before": people[4].pk})) == ["c", "d"]
    page = admin.get(address, {"sort": "email", "before": 2**31 - 1})
    assert shown(page) == ["a", "b"] and not page.context["preceding"] and not page.context["first"]


def test_a_field_without_an_index_orders_small_lists_only(admin, monkeypatch):
    PersonField.objects.create(api_name="shoe", label="Shoe size", data_type="integer")
    for name, shoe in (("a", 9), ("b", 10), ("c", None)):
        make_person(first_name=name, shoe=shoe)
    address = builder_url("members", everybody().pk)
    page = admin.get(address, {"sort": "-shoe", "columns": ["shoe", "email"]})
    assert shown(page) == ["b", "a", "c"] and 'aria-sort="descending"' in page.text
    monkeypatch.setattr(member_order, "SORTED_WHOLE", 2)
    page = admin.get(address, {"sort": "-shoe", "columns": ["shoe", "email"]})
    assert shown(page) == ["a", "b", "c"] and [bool(one.url) for one in page.context["headings"]] == [False, True]
    assert "have no index" in page.text


def test_a_search_of_a_large_list_says_when_it_gave_up(admin, monkeypatch):
    for n in range(5):
        make_person(first_name=f"Ann{n}")
    address = builder_url("members", everybody().pk)
    monkeypatch.setattr(member_order, "SORTED_WHOLE", 2)
    assert len(shown(admin.get(address, {"q": "ann"}))) == 5
    monkeypatch.setattr(member_order, "MOST_READ", 3)
    page = admin.get(address, {"q": "ann"})
    assert len(shown(page)) == 3 and "not all were checked" in page.text
    assert shown(admin.get(address, {"q": "nobody"})) == []


def test_a_view_is_kept_by_its_user_and_serves_every_list(admin, client):
    make_person(first_name="=1+1 <b>", last_name="أحمد 🎉", city="x" * 255)
    one, other = everybody(), everybody("Another")
    columns = {"columns": ["last_name", "city"], "sort": "-city"}
    page = admin.post(builder_url("view", one.pk), columns | {"name": "Cities"}, follow=True)
    assert [heading.label for heading in page.context["headings"]] == ["Last Name", "City"]
    assert "أحمد 🎉" in page.text and "<b>" not in re.sub("(?s)<script.*?</script>", "", page.text)
    kept = member_views.MemberView.objects.get()
    page = admin.get(builder_url("members", other.pk), {"view": kept.pk})
    assert page.context["parameters"].order == "-city" and 'aria-current="page">Cities' in page.text
    admin.post(builder_url("view", one.pk), {"columns": ["email"], "name": "cities"}, follow=True)
    kept.refresh_from_db()
    assert kept.columns == ["email"]
    for wrong in (
        {"name": " "},
        {"name": "x", "columns": ["nothing"]},
        {"name": "x", "sort": "-nothing"},
        {"name": "x", "columns": list(catalog.STANDARD)[:21]},
        {"name": "x" * 300},
    ):
        assert "The view was saved." not in admin.post(builder_url("view", one.pk), wrong, follow=True).text
    assert member_views.MemberView.objects.count() == 1
    client.force_login(get_user_model().objects.create_superuser("otto", password="x"))
    assert client.get(builder_url("members", one.pk), {"view": kept.pk}).context["parameters"].view is None
    client.post(builder_url("view", one.pk), {"forget": kept.pk})
    assert member_views.MemberView.objects.count() == 1


@pytest.mark.parametrize(
    "query",
    [
        {"after": "n99999999999"},
        {"after": "-1"},
        {"after": "٣"},
        {"after": "0", "sort": "-"},
        {"sort": "; drop"},
        {"columns": "\0"},
        {"q": "\0%_'"},
        {"view": "9" * 99},
        {"after": "n1", "sort": "-email"},
        {"before": "n99999999999"},
        {"before": "0"},
        {"before": "0", "sort": "-"},
        {"before": "n0", "sort": "email"},
        {"before": "\0", "sort": "-email"},
        {"before": "5", "after": "1"},
        {"before": "n", "sort": "email"},
        {"q": "x" * 30000},
    ],
)
def test_odd_addresses_show_a_page_all_the_same(admin, way, query):
    for n in range(4):
        make_person(first_name=f"P{n}")
    assert admin.get(builder_url("members", everybody().pk), query).status_code == 200
