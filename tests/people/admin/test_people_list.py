"""The list of people: filters, chips, columns, views, actions on what is shown, and the way to the next person."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from activities.log import people_list as log_people_list
from people.admin import people_list
from people.core.source import SYSTEM
from people.directory import views
from people.directory.filters import FieldFilter
from people.directory.query import PeopleQuery
from people.files.exports import jobs as export_jobs
from people.lists import static_lists
from people.models import BulkAction, Export, PeopleListSettings, PeopleView, Person, PersonField, StaticList
from people.persons import bulk, deletion
from people.persons import upsert as person_upsert
from tests.factories import MARKETO, approved_type, make_person, new_activity, record_rows
from tests.query_budget import query_budget

pytestmark = pytest.mark.django_db
LIST = "/admin/people/person/"


def user(client, name, group):
    account = get_user_model().objects.create_user(name, is_staff=True)
    account.groups.add(Group.objects.get(name=group))
    client.force_login(account)
    return account


@pytest.fixture
def ana(client):
    return user(client, "ana", "Marketer")


def shown(page):
    return [row.pk for row, _url, _cells in page.context["rows"]]


def cells(page):
    return [[str(cell.text or cell.moment or "") for cell in row] for _person, _url, row in page.context["rows"]]


def labels(page):
    return [str(heading.label) for heading in page.context["headings"]]


def chips(page):
    return [chip.sentence for chip in page.context["chips"]]


# ---------------------------------------------------------------- columns


def test_columns_are_chosen_and_kept_for_each_user(ana, client):
    PersonField.objects.create(api_name="shoe", label="Shoe", data_type="integer")
    make_person(first_name="Ann", city="Vigo", shoe=42)
    assert labels(client.get(LIST)) == ["Email Address", "Company Name", "Country", "Activities", "Last seen"]
    client.post(f"{LIST}columns/", {"columns": ["city", "shoe"]})
    page = client.get(LIST)
    assert labels(page) == ["City", "Shoe"] and cells(page) == [["Vigo", "42"]]
    PersonField.objects.get(api_name="shoe").delete()
    assert labels(client.get(LIST)) == ["City"]
    client.post(f"{LIST}columns/", {"standard": "1", "columns": ["city"]})
    assert "Company Name" in labels(client.get(LIST))
    reply = client.post(f"{LIST}columns/", {"columns": ["nothing"]}, follow=True)
    assert "no column “nothing”" in reply.text and PeopleListSettings.objects.get().columns is None


def test_activities_are_counted_and_last_seen_in_one_statement_for_the_page(ana, client):
    approved_type()
    people = [make_person(first_name=f"P{number}") for number in range(5)]
    record_rows(
        new_activity(people[0].pk, occurred_at="2026-03-01T09:00:00Z"),
        new_activity(people[0].pk, occurred_at="2026-03-02T09:00:00Z"),
    )
    client.post(f"{LIST}columns/", {"columns": ["activities.count", "activities.last"]})
    with query_budget("people: list with activities"):
        page = client.get(LIST)
    numbers = {row.pk: [cell.text or cell.moment for cell in part] for row, _url, part in page.context["rows"]}
    # that they are new is the system's entry, nothing that they did
    assert numbers[people[0].pk][0] == 2 and f"{numbers[people[0].pk][1]:%Y-%m-%d}" == "2026-03-02"
    assert not any(numbers[people[1].pk])


def test_many_entries_of_the_system_hide_no_activity(monkeypatch):
    monkeypatch.setattr(log_people_list, "MOST_COUNTED", 2)
    approved_type()
    ann, bob = make_person(first_name="Ann"), make_person(first_name="Bob")
    moments = [f"2026-03-0{day}T09:00:00Z" for day in (1, 2, 3)]
    record_rows(*(new_activity(ann.pk, occurred_at=moment) for moment in moments[:2]))
    record_rows(*(new_activity(bob.pk, occurred_at=moment) for moment in moments))
    for score in range(1, 5):
        person_upsert.update_person(ann, {"person_score": score}, MARKETO)
    numbers = log_people_list.activity_columns([ann.pk, bob.pk])
    assert (numbers[ann.pk]["activities.count"], numbers[bob.pk]["activities.count"]) == (2, "2+")
    assert [f"{row['activities.last']:%d}" for row in numbers.values()] == ["02", "03"]


def test_who_sees_no_activities_gets_no_columns_of_them(client):
    account = get_user_model().objects.create_user("eve", is_staff=True)
    group = Group.objects.create(name="People only")
    group.permissions.add(*Group.objects.get(name="Viewer").permissions.filter(codename="view_person"))
    account.groups.add(group)
    client.force_login(account)
    make_person(first_name="Ann")
    page = client.get(LIST)
    assert labels(page) == ["Email Address", "Company Name", "Country"] and "Activity" not in page.text
    assert "needs the permission" in client.get(LIST, {"did": "1"}).text


# ---------------------------------------------------------------- filters


def test_a_filter_is_added_shown_as_a_chip_and_removed(ana, client):
    ann, bob = make_person(first_name="Ann", country="Spain"), make_person(first_name="Bob", country="Peru")
    begun = client.get(LIST, {"new": "country", "q": "a"})
    assert 'name="op"' in begun.text and 'name="q" value="a"' in begun.text and '<option value="Peru">' in begun.text
    reply = client.get(LIST, {"new": "country", "op": "is", "value": "spain", "sort": "-last_name"})
    assert reply.status_code == 302 and "f=country:is:spain" in reply.url and "sort=-last_name" in reply.url
    page = client.get(reply.url)
    assert shown(page) == [ann.pk] and chips(page) == ["Country is spain"] and page.context["count"] == 1
    assert set(shown(client.get(LIST + page.context["chips"][0].url))) == {ann.pk, bob.pk}
    wrong = client.get(LIST, {"new": "person_score", "op": "is", "value": "many"})
    assert wrong.status_code == 200 and "Person Score: expected" in wrong.text and 'value="many"' in wrong.text


def test_filters_by_list_and_by_activity(ana, client):
    check = approved_type()
    seeds = static_lists.create_static_list("Seeds", None)
    ann, bob, carl = (make_person(first_name=name) for name in ("Ann", "Bob", "Carl"))
    static_lists.add_members(seeds, [ann.pk, bob.pk], MARKETO)
    record_rows(new_activity(bob.pk), new_activity(carl.pk))
    assert ">Seeds</option>" in client.get(LIST, {"new": "list"}).text
    reply = client.get(LIST, {"new": "did", "value": check.pk, "list": seeds.pk})
    page = client.get(reply.url)
    assert shown(page) == [bob.pk]
    assert chips(page) == ["On the list “Seeds”", "Did “Deposit Check”"]
    assert shown(client.get(LIST + page.context["chips"][0].url)) == [carl.pk, bob.pk]


def test_a_filter_that_no_longer_works_shows_nobody_and_can_be_removed(ana, client):
    make_person(first_name="Zoe")
    page = client.get(LIST + "?f=shoe:is:42")
    assert "no person field “shoe”" in page.text and shown(page) == [] and "Zoe" not in page.text
    assert shown(client.get(LIST + page.context["chips"][0].url))
    assert "no longer there" in client.get(LIST, {"list": 99}).text


def test_days_of_filters_are_shown_as_days(ana, client):
    make_person(first_name="Ann")
    page = client.get(LIST + "?f=created_at:on or after:2026-01-05&f=unsubscribed:is empty:")
    assert chips(page)[0].startswith("Created At on or after ") and "2026-01-05T" not in chips(page)[0]
    assert chips(page)[1] == "Unsubscribed is empty" and len(shown(page)) == 1


def test_hostile_addresses_are_answered(ana, client):
    make_person(first_name="Ann")
    for odd in (
        "f=::&f=country&f=%00:is:%00",
        "f=country:is:" + "x" * 5_000,
        "after=99999999999999&sort=email",
        "before=w-1",
        "view=x&columns=,,x",
        "list=-1&did=1e9&smart=٣",
        "new=%00&op=&value=",
        "new=list&value=%00",
        "f=email:is:%ff%fe",
    ):
        assert client.get(f"{LIST}?{odd}").status_code in (200, 302), odd


# ---------------------------------------------------------------- views


def test_a_view_is_saved_opened_changed_and_made_the_first(ana, client):
    ann = make_person(first_name="Ann", country="Spain", city="Vigo")
    bob = make_person(first_name="Bob", country="Peru")
    here = "f=country:is:Spain&columns=city"
    reply = client.post(f"{LIST}views/", {"verb": "create", "name": "Spain", "here": here})
    view = PeopleView.objects.get()
    assert reply.url == f"{LIST}?view={view.pk}" and not view.is_shared
    page = client.get(reply.url)
    assert shown(page) == [ann.pk] and labels(page) == ["City"] and not page.context["people_request"].is_changed
    act = {"here": f"view={view.pk}&f=country:is:Peru"}
    assert client.get(f"{LIST}?{act['here']}").context["people_request"].is_changed
    client.post(f"{LIST}views/", {"verb": "update"} | act)
    assert shown(client.get(f"{LIST}?view={view.pk}")) == [bob.pk]
    client.post(f"{LIST}views/", {"verb": "default", "here": f"view={view.pk}"})
    assert shown(client.get(LIST)) == [bob.pk] and len(shown(client.get(f"{LIST}?all=1"))) == 2
    client.post(f"{LIST}views/", {"verb": "rename", "here": f"view={view.pk}", "name": "Peru", "is_shared": "on"})
    view.refresh_from_db()
    assert (view.name, view.is_shared) == ("Peru", True)
    refused = client.post(f"{LIST}views/", {"verb": "create", "name": "PERU", "here": "all=1"}, follow=True)
    assert "of this name already" in refused.text
    # the last filter of a view can be removed without saving it
    page = client.get(f"{LIST}?view={view.pk}")
    assert len(shown(client.get(LIST + page.context["chips"][0].url))) == 2
    client.post(f"{LIST}views/", {"verb": "delete", "here": f"view={view.pk}"})
    assert not PeopleView.objects.exists() and len(shown(client.get(LIST))) == 2


def test_a_shared_view_is_used_by_others_and_changed_by_none_of_them(ana, client):
    view = views.create_view(
        "Spain", PeopleQuery(filters=(FieldFilter("country", "is", "x"),)), [], ana, is_shared=True
    )
    private = views.create_view("Private", PeopleQuery(), [], ana)
    user(client, "ben", "Viewer")
    page = client.get(LIST)
    assert "Spain" in page.text and "Private" not in page.text
    assert client.get(f"{LIST}?view={private.pk}").context["people_request"].view is None
    page = client.get(f"{LIST}?view={view.pk}")
    assert "Delete view" not in page.text and "Shared by ana" in page.text and "is_shared" not in page.text
    assert client.post(f"{LIST}views/", {"verb": "delete", "here": f"view={view.pk}"}).status_code == 403
    shared = {"verb": "create", "name": "Mine", "here": "all=1", "is_shared": "on"}
    assert client.post(f"{LIST}views/", shared).status_code == 403
    assert client.post(f"{LIST}views/", {"verb": "nothing", "here": "all=1"}).status_code == 404


# ---------------------------------------------------------------- actions on what is shown


def test_a_static_list_is_made_of_all_that_the_filters_find(ana, client, monkeypatch):
    monkeypatch.setattr(people_list, "PAGE", 2)
    people = [make_person(country="Spain") for _number in range(3)]
    make_person(country="Peru")
    address = f"{LIST}?f=country:is:Spain"
    assert "All that the search and the filters find" in client.get(address).text
    act = {"action": "new_list_selected", "select_across": "1"}
    asked = client.post(address, act).text
    assert "This affects 3 people." in asked and 'name="name"' in asked
    refused = client.post(address, act | {"confirmed": "1", "name": ""})
    assert "A name is missing" in refused.text and not StaticList.objects.exists()
    client.post(address, act | {"confirmed": "1", "name": "Spaniards"})
    bulk.run_bulk_action(BulkAction.objects.get().pk)
    made = StaticList.objects.get(name="Spaniards")
    assert set(made.members.values_list("person_id", flat=True)) == {row.pk for row in people}
    nobody = client.post(f"{LIST}?f=country:is:Chad", act | {"confirmed": "1", "name": "Empty"})
    assert "Nobody is named" in nobody.text and not StaticList.objects.filter(name="Empty").exists()


def test_actions_need_people_a_name_and_the_right(ana, client):
    ann = make_person(first_name="Ann")
    assert "Choose the people first" in client.post(LIST, {"action": "add_selected"}, follow=True).text
    assert "Choose what to do" in client.post(LIST, {"_selected_action": ann.pk}, follow=True).text
    bad = client.post(f"{LIST}?f=shoe:is:x", {"action": "add_selected", "select_across": "1"}, follow=True)
    assert "no person field" in bad.text
    for name in ("export_selected",):
        assert client.post(LIST, {"action": name, "_selected_action": ann.pk}).status_code == 403
    user(client, "ben", "Viewer")
    for name in ("add_selected", "new_list_selected", "remove_selected", "merge_selected", "delete_selected_people"):
        assert client.post(LIST, {"action": name, "_selected_action": ann.pk}).status_code == 403


def test_what_is_shown_is_exported_with_its_columns(client, ana):
    ana.groups.add(Group.objects.get(name="Exporter"))
    approved_type()
    ann = make_person(first_name="=Ann", country="Spain", city="100%_Vigo")
    bob = make_person(first_name="Bob", country="Peru")
    record_rows(new_activity(ann.pk))
    client.post(f"{LIST}columns/", {"columns": ["city", "activities.count"]})
    act = {"action": "export_selected"}
    reply = client.post(f"{LIST}?f=city:contains:0%25_v", act | {"select_across": "1"})
    export = Export.objects.get()
    assert reply.url == reverse("admin:people_export_change", args=[export.pk])
    export_jobs.run_export(export.pk)
    export.refresh_from_db()
    lines = export_jobs.export_path(export).read_text().splitlines()
    assert lines == ["id,first_name,last_name,city,activities.count", f"{ann.pk},'=Ann,,100%_Vigo,1"]
    client.post(LIST, act | {"_selected_action": [bob.pk]})
    chosen = Export.objects.latest("pk")
    export_jobs.run_export(chosen.pk)
    assert [line.split(",")[0] for line in export_jobs.export_path(chosen).read_text().splitlines()[1:]] == [
        str(bob.pk)
    ]


# ---------------------------------------------------------------- next and previous


def test_a_profile_opened_from_the_list_leads_to_the_next_person_of_the_filter(ana, client):
    ann, _bob, carl = (
        make_person(first_name=name, country=country)
        for name, country in (("Ann", "Spain"), ("Bob", "Peru"), ("Carl", "Spain"))
    )
    page = client.get(f"{LIST}?f=country:is:Spain")
    address = page.context["rows"][0][1]
    assert shown(page) == [carl.pk, ann.pk] and f"/{carl.pk}/" in address
    profile = client.get(address).text
    fragment = re.search(r'hx-get="([^"]*neighbours[^"]*)"', profile).group(1).replace("&amp;", "&")
    with query_budget("people: neighbours"):
        found = client.get(fragment, headers={"HX-Request": "true"}).text
    assert "Ann" in found and "Bob" not in found and 'rel="next"' in found and 'rel="prev"' not in found
    following = re.search(r'rel="next" href="([^"]*)"', found).group(1).replace("&amp;", "&")
    assert f"/{ann.pk}/" in following and "neighbours" in client.get(following).text
    assert "neighbours" not in client.get(reverse("admin:activities_timeline", args=[ann.pk])).text
    assert client.get(fragment).status_code == 302


def test_people_are_proposed_by_the_beginning_of_their_name(client, admin_user):
    ann, _ana = (make_person(first_name=name, email=f"{name.lower()}@example.com") for name in ("Ann", "Ana"))
    double = [make_person(first_name="Anja", email=f"{name}@example.com") for name in "ab"]
    Person.objects.filter(pk=double[0].pk).update(email="B@example.com")
    gone = make_person(first_name="Anton")
    deletion.delete_people([gone.pk], None, SYSTEM)
    client.force_login(admin_user)
    address = reverse("admin:people_person_suggest")

    def proposed(text):
        return [(row["label"], row["value"]) for row in client.get(address, {"q": text}).json()["people"]]

    pairs = [("Anja", str(person.pk)) for person in reversed(double)]  # they share an email: the id distinguishes them
    assert proposed("an") == [*pairs, ("Ana", "ana@example.com"), ("Ann", "ann@example.com")]
    assert proposed(str(ann.pk)) == [("Ann", "ann@example.com")] and proposed("a") == proposed("") == []
    assert client.post(address).status_code == 405
    with CaptureQueriesContext(connection) as statements, query_budget("people: proposals"):
        proposed("anja")
    by_email = [query["sql"] for query in statements if "live" in query["sql"] and "example.com" in query["sql"]]
    assert len(by_email) == 1 and "lower(person.email) = any" in by_email[0], "only lower(email) has an index"
