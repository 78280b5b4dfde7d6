"""The pages of people, lists and fields, without JavaScript."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.urls import reverse
from django.utils import translation

from people import querysets
from people.admin import people_list
from people.core.models import Folder, Installation
from people.directory import selection
from people.lists import folders, static_lists
from people.models import BulkAction, Person, PersonField, StaticList, StaticListMember
from people.persons import bulk, deletion, duplicates, upsert
from people.persons import merge as person_merge
from tests.activities.admin.test_admin import role
from tests.factories import MARKETO, approved_type, make_person
from tests.query_budget import query_budget

pytestmark = pytest.mark.django_db


@pytest.fixture
def vera():
    return get_user_model().objects.create_superuser("vera", password="x")


@pytest.fixture
def admin(client, vera):
    client.force_login(vera)
    return client


def url(name, *args):
    return reverse(f"admin:people_{name}", args=args)


def post(client, where, /, **data):
    return client.post(where, data, follow=True)


# ---------------------------------------------------------------- people


def test_the_installation_is_shown_to_who_may_only_see_it(client):
    reader = get_user_model().objects.create_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_installation"))
    client.force_login(reader)
    Installation.objects.get_or_create(pk=1)
    page = client.get("/admin/people/installation/")
    assert page.status_code == 200 and "UTC" in page.text and 'name="time_zone"' not in page.text


def test_the_list_finds_filters_and_counts_no_total(admin):
    seeds = static_lists.create_static_list("Seeds", None)
    ann, bob = (
        make_person(email="ann@example.com", first_name="Ann", last_name="Lee"),
        make_person(email="bob@example.com"),
    )
    static_lists.add_members(seeds, [ann.pk], MARKETO)
    upsert.update_person(bob, {"unsubscribed": True}, MARKETO)
    with query_budget("people: list"):
        page = admin.get(url("person_changelist")).text
    assert "Ann Lee" in page and "bob@example.com" in page and "Possible duplicates" in page
    with query_budget("people: search"):
        found = admin.get(url("person_changelist"), {"q": "LEE an"}).text
    assert "Ann Lee" in found and "bob@example.com" not in found
    for filters, there in (({"list": seeds.pk}, "Ann Lee"), ({"unsubscribed": "yes"}, "bob@example.com")):
        found = admin.get(url("person_changelist"), filters).text
        assert there in found and ("Ann Lee" in found) != ("bob@example.com" in found)
    for odd in ({"q": "\0\ud7ff%_"}, {"p": "99999999"}, {"list": "x"}, {"q": "x " * 400}):
        assert admin.get(url("person_changelist"), odd).status_code in (200, 302)


def test_later_pages_can_be_turned_to(admin, monkeypatch):
    monkeypatch.setattr(people_list, "PAGE", 4)
    ids = [make_person().pk for _ in range(9)][::-1]
    page = admin.get(url("person_changelist"))
    assert shown(page) == ids[:4] and not page.context["preceding"]
    page = admin.get(url("person_changelist") + page.context["following"])
    assert shown(page) == ids[4:8]
    page = admin.get(url("person_changelist") + page.context["following"])
    assert shown(page) == ids[8:] and not page.context["following"]
    page = admin.get(url("person_changelist") + page.context["preceding"])
    assert shown(page) == ids[4:8]
    assert shown(admin.get(url("person_changelist") + page.context["preceding"])) == ids[:4]


def shown(page):
    return [row.pk for row, _url, _cells in page.context["rows"]]


def test_a_person_page_has_fields_of_the_team_and_shows_markup_as_text(admin):
    PersonField.objects.create(api_name="shoeSize", label="Shoe <b>size</b>", data_type="float", choices=["42"])
    ann = make_person(
        email="a@example.com", first_name="<script>alert(1)</script>", last_name="‮Ávila مرحبا", shoeSize="42.5"
    )
    with query_budget("people: person"):
        page = admin.get(url("person_change", ann.pk)).text
    assert "<script>alert(1)" not in page and "&lt;script&gt;alert(1)" in page and "Shoe &lt;b&gt;size" in page
    assert 'value="42.5"' in page and '<option value="42">' in page
    reply = post(admin, url("person_change", ann.pk), seen_revision=1, shoeSize="big", city="Vigo")
    assert "got “big”" in reply.text and 'value="Vigo"' in reply.text
    with query_budget("people: save person"):
        admin.post(url("person_change", ann.pk), {"seen_revision": 1, "shoeSize": "43", "city": "Vigo"})
    found = Person.objects.get(pk=ann.pk)
    assert (found.fields, found.city, found.email) == ({"shoeSize": 43}, "Vigo", "a@example.com")


def test_an_unchanged_page_changes_nothing_and_an_emptied_field_loses_its_value(admin):
    ann = make_person(
        email="a@example.com",
        first_name=" Ann ",
        date_of_birth="1990-02-03",
        unsubscribed_reason="one\ntwo",
        annual_revenue="12.50",
        unsubscribed=False,
    )
    form = admin.get(url("person_change", ann.pk)).context["form"]
    values = {field.html_name: field.value() or "" for field in form}
    values["unsubscribed_reason"] = "one\r\ntwo"  # as browsers send it
    post(admin, url("person_change", ann.pk), **values)
    assert Person.objects.get(pk=ann.pk).revision == 1
    post(admin, url("person_change", ann.pk), **values | {"annual_revenue": "", "unsubscribed": ""})
    found = Person.objects.get(pk=ann.pk)
    assert (found.annual_revenue, found.unsubscribed, found.first_name) == (None, None, "Ann")


@pytest.mark.parametrize("email", ["\U0001f600@example.com", "ann@", "a b@example.com", "x" * 300 + "@example.com"])
def test_a_bad_address_is_told_beside_its_field(admin, email):
    reply = post(admin, url("person_add"), email=email, first_name="Ann")
    assert "Expected" in reply.text and 'value="Ann"' in reply.text and not Person.objects.exists()


def test_a_viewer_sees_and_changes_nothing(client):
    ann, seeds = make_person(), static_lists.create_static_list("Seeds", None)
    viewer = role(client, "Viewer")
    page = viewer.get(url("person_change", ann.pk)).text
    assert "Erase for good" not in page and "Merge…" not in page and ">Save<" not in page
    for address in (
        url("person_remove", ann.pk),
        url("person_erase", ann.pk),
        url("person_merge"),
        url("person_merge_with", ann.pk),
        url("person_lists", ann.pk),
        url("person_duplicates"),
        url("staticlist_edit", seeds.pk),
        url("staticlist_add"),
        url("staticlist_members", seeds.pk),
        url("staticlist_remove", seeds.pk),
        url("person_bulk_start", "delete"),
        url("personfield_add"),
        url("person_archive", ann.pk),
        url("person_restore", ann.pk),
        url("person_add"),
    ):
        assert viewer.post(address, {"typed": ann.pk}).status_code == 403, address
    assert viewer.post(url("person_change", ann.pk), {"seen_revision": 1, "city": "Vigo"}).status_code == 403
    assert Person.objects.live().count() == 1 and Person.objects.get().city is None


def test_lists_are_joined_and_left_on_the_page_of_a_person(admin, vera):
    ann, seeds = make_person(), static_lists.create_static_list("Seeds", None)
    page = post(admin, url("person_lists", ann.pk), verb="add", static_list=seeds.pk).text
    assert "Added to “Seeds”." in page and StaticListMember.objects.get().user == vera
    post(admin, url("person_lists", ann.pk), verb="remove", static_list=seeds.pk)
    assert not StaticListMember.objects.exists()
    assert "Choose a static list" in post(admin, url("person_lists", ann.pk), verb="add", static_list="x").text


def test_a_person_is_deleted_listed_and_restored(admin):
    ann = make_person(first_name="Ann", last_name="Lee")
    page = admin.get(url("person_remove", ann.pk)).text
    assert "For 30 days the person can be restored" in page and Person.objects.live().exists()
    assert "Deleted. It can be restored" in post(admin, url("person_remove", ann.pk)).text
    assert "was deleted on" in admin.get(url("person_change", ann.pk)).text
    with query_budget("people: deleted"):
        page = admin.get(url("person_deleted")).text
    assert "Ann Lee" in page
    post(admin, url("person_restore", ann.pk))
    assert Person.objects.get(pk=ann.pk).is_live
    assert "Nobody was deleted recently" in admin.get(url("person_deleted")).text


def test_an_erase_shows_what_goes_and_wants_the_id_typed(admin):
    approved_type()
    ann, twin = make_person(email="ann@example.com"), make_person()
    person_merge.merge_people(ann.pk, [twin.pk], None, MARKETO)
    upsert.upsert_people([{"email": "ann@example.com"}], MARKETO, action=upsert.UpsertAction.DUPLICATE)
    page = admin.get(url("person_erase", ann.pk)).text
    assert f"The people merged into this person are erased, too: {twin.pk}" in page
    assert "1 other person has the same email" in page
    assert "Nothing was erased" in post(admin, url("person_erase", ann.pk), typed="7").text
    assert "Erased for good." in post(admin, url("person_erase", ann.pk), typed=str(ann.pk)).text
    assert admin.get(url("person_change", ann.pk)).status_code == 404
    assert Person.objects.filter(state="erased").count() == 2


def test_everything_about_a_person_is_downloaded(admin):
    ann = make_person(email="ann@example.com")
    reply = admin.post(url("person_archive", ann.pk))
    found = json.loads(b"".join(reply.streaming_content))
    assert found["tables"]["person"][0]["email"] == "ann@example.com"
    assert reply["Content-Disposition"] == f'attachment; filename="person-{ann.pk}.json"'
    assert admin.get(url("person_archive", ann.pk)).status_code == 404


# ---------------------------------------------------------------- merging


def test_people_are_compared_merged_and_parted_again(admin):
    ann = make_person(first_name="Ann", city="Vigo", date_of_birth="1980-02-03", number_of_employees=1999)
    bob = make_person(first_name="Bob", city="Lugo", title="Chief", annual_revenue="12345.5")
    reply = post(admin, url("person_merge_with", ann.pk), people=f"{bob.pk}")
    with query_budget("people: merge"):
        page = admin.get(reply.redirect_chain[0][0]).text
    assert "stays. The others become part of that person" in page and "Chief" in page
    assert "3 Feb 1980" in page and "12,345.5" in page and "1,999" in page  # as their reader writes them
    people = f"{ann.pk},{bob.pk}"
    page = post(admin, url("person_merge"), people=people, winner=bob.pk, from_city=ann.pk).text
    assert f'value="{bob.pk}" checked' in page and Person.objects.live().count() == 2
    page = post(admin, url("person_merge"), people=people, winner=ann.pk, from_city=bob.pk, merge="1").text
    assert "Merged. It can be undone" in page and "Undo…" in page
    found = Person.objects.get(pk=ann.pk)
    assert (found.city, found.title, found.first_name) == ("Lugo", "Chief", "Ann")
    assert admin.get(url("person_change", bob.pk)).url == url("person_change", ann.pk)
    done = ann.merges.get()
    assert "become separate people again" in admin.get(url("person_merge_undo", done.pk)).text
    assert "Undone." in post(admin, url("person_merge_undo", done.pk)).text
    assert "undone already" in admin.get(url("person_merge_undo", done.pk)).text
    assert Person.objects.live().count() == 2


def test_impossible_merges_are_explained(admin):
    ann = make_person()
    for people, why in (
        (ann.pk, "Choose at least two people"),
        (f"{ann.pk},999999", "an existing person"),
        (",".join(map(str, range(1, 28))), "At most 25 people"),
    ):
        assert why in admin.get(url("person_merge"), {"people": people}).text
    assert "an existing person" in post(admin, url("person_merge_with", ann.pk), people="nobody@example.com").text


def test_empty_fields_of_a_group_are_folded_unless_they_are_wrong(admin):
    ann = make_person(first_name="Ann", company="Fabrikam")
    (person, company, *_others) = admin.get(url("person_change", ann.pk)).context["form"].groups
    assert {field.name for field in person[1]} == {"email", "first_name"} and "phone" in {f.name for f in person[2]}
    assert [field.name for field in company[1]] == ["company"]
    reply = admin.post(url("person_change", ann.pk), {"annual_revenue": "lots", "seen_revision": ann.revision})
    company = reply.context["form"].groups[1]
    assert "annual_revenue" in {field.name for field in company[1]}, "a fault is not folded"


def test_people_to_merge_are_chosen_by_name_or_from_those_that_look_the_same(admin):
    ann, ben = make_person(first_name="Ann"), make_person(first_name="Ben")
    people = upsert.upsert_people(
        [{"email": ann.email, "first_name": "Anna"}], MARKETO, action=upsert.UpsertAction.DUPLICATE
    )
    page = admin.get(url("person_merge_with", ann.pk)).text
    assert "Same email" in page and f'name="chosen" value="{people[0].person_id}"' in page
    start = admin.get(url("person_merge")).text
    assert "data-people-chosen" in start and "cannot be merged" not in start
    reply = admin.post(url("person_merge"), {"choose": "1", "chosen": [ann.pk, ben.pk]})
    assert reply.url == f"{url('person_merge')}?people={ann.pk},{ben.pk}"
    alone = post(admin, url("person_merge"), choose="1", chosen=[ann.pk]).text
    assert "Choose at least two people to merge." in alone
    reply = admin.post(url("person_merge_with", ann.pk), {"chosen": [ben.pk], "people": f"{people[0].person_id}"})
    assert reply.url.endswith(f"={ann.pk},{ben.pk},{people[0].person_id}")


def test_duplicates_are_searched_and_shown(admin):
    for _ in range(2):
        upsert.upsert_people(
            [{"email": "twins@example.com", "first_name": "Ann"}], MARKETO, action=upsert.UpsertAction.DUPLICATE
        )
    assert "People are being compared" in admin.get(url("person_duplicates")).text
    assert admin.get(url("person_duplicates"), {"format": "state"}).status_code == 204
    assert "People are being compared" in post(admin, url("person_duplicates")).text
    duplicates.search_duplicates()
    assert admin.get(url("person_duplicates"), {"format": "state"}).headers["HX-Refresh"] == "true"
    with query_budget("people: duplicates"):
        page = admin.get(url("person_duplicates")).text
    assert "twins@example.com" in page and "Compare and merge" in page
    nothing = admin.get(url("person_duplicates"), {"kind": "phone"}).text
    assert "No possible duplicates of this kind" in nothing and "Same email: 1" in nothing
    ids = list(Person.objects.values_list("pk", flat=True))
    assert "Same email" in admin.get(url("person_change", ids[0])).text


def test_the_page_of_duplicates_opens_on_the_first_kind_with_any_and_forgets_no_answer(admin):
    twins = [make_person(phone="+34 600-123-456"), make_person(mobile_phone="600 12 34 56")]
    duplicates.search_duplicates()
    shown = admin.get(url("person_duplicates"))
    assert shown.context["kind"] == "phone" and str(twins[0].email) in shown.text
    said = post(admin, url("person_duplicates"), apart=",".join(str(one.pk) for one in twins)).text
    assert "they are not the same person" in said and "No possible duplicates" in said
    assert duplicates.search_duplicates() == 0
    for odd in ("", "0", str(twins[0].pk), "1" * 400):
        assert "Enter two or more people" in post(admin, url("person_duplicates"), apart=odd).text
    assert "At most 26" in post(admin, url("person_duplicates"), apart=",".join(map(str, range(1, 40)))).text


# ---------------------------------------------------------------- many at once


def chosen(action, *people, **more):
    ids = [one.pk for one in people]
    return {"action": action, "_selected_action": ids, "index": 0, "select_across": 0} | more


def test_chosen_people_are_added_to_a_list_by_a_job(admin):
    ann, bob, seeds = make_person(), make_person(), static_lists.create_static_list("Seeds", None)
    page = post(admin, url("person_changelist"), **chosen("add_selected", ann, bob)).text
    assert "This affects 2 people" in page and not BulkAction.objects.exists()
    refused = post(admin, url("person_changelist"), **chosen("add_selected", ann, confirmed=1)).text
    assert "Choose a static list" in refused and not BulkAction.objects.exists()
    page = post(admin, url("person_changelist"), **chosen("add_selected", ann, confirmed=1, static_list=seeds.pk)).text
    assert "0 of 1 person looked at" in page and "In progress" in page
    action = BulkAction.objects.get()
    bulk.run_bulk_action(action.pk)
    fragment = admin.get(url("person_bulk_action", action.pk), headers={"HX-Request": "true"}).text
    assert "1 of 1 person looked at, 1 changed" in fragment and "<html" not in fragment and "hx-get" not in fragment
    with query_budget("people: bulk actions"):
        assert "Seeds" in admin.get(url("person_bulk")).text


def test_all_that_a_search_finds_can_be_deleted_and_restored(admin):
    for number in range(3):
        make_person(last_name="Lee", email=f"lee{number}@example.com")
    other = make_person(last_name="Other")
    address = url("person_changelist") + "?q=lee"
    page = post(admin, address, **chosen("delete_selected_people", other, select_across=1)).text
    assert "This affects 3 people" in page and "All people the search" in page
    post(admin, address, **chosen("delete_selected_people", other, select_across=1, confirmed=1))
    bulk.run_bulk_action(BulkAction.objects.get().pk)
    assert Person.objects.live().get() == other
    gone = Person.objects.filter(state="deleted").values_list("pk", flat=True)
    post(admin, url("person_bulk_start", "restore"), people=list(gone), back="admin:people_person_deleted")
    bulk.run_bulk_action(BulkAction.objects.latest("pk").pk)
    assert Person.objects.live().count() == 4


def test_chosen_people_are_merged_and_a_running_action_is_cancelled(admin, vera):
    ann, bob = make_person(), make_person()
    reply = admin.post(url("person_changelist"), chosen("merge_selected", ann, bob))
    assert reply.url == f"{url('person_merge')}?people={ann.pk},{bob.pk}"
    action = bulk.start_bulk_action("delete", [ann.pk], vera)
    assert "Cancelled: the rest" in post(admin, url("person_bulk_action", action.pk)).text


def test_nobody_sees_the_actions_of_others(client, vera):
    action = bulk.start_bulk_action("delete", [make_person().pk], vera)
    marketer = role(client, "Marketer")
    assert marketer.get(url("person_bulk_action", action.pk)).status_code == 404
    assert "Delete" not in marketer.get(url("person_bulk")).context["actions"]


# ---------------------------------------------------------------- static lists


def test_a_list_is_made_in_a_new_folder_changed_archived_and_deleted(admin):
    page = post(admin, url("staticlist_add"), name="Seeds", description="Ours", new_folder="Mails").text
    seeds = StaticList.objects.get()
    assert seeds.folder.name == "Mails" and "Nobody is on this list yet" in page
    page = post(admin, url("staticlist_add"), name="seeds", new_folder="Other").text
    assert "There is already a static list" in page and not Folder.objects.filter(name="Other").exists()
    post(admin, url("staticlist_edit", seeds.pk), name="Sprouts", description="Ours", folder=seeds.folder_id)
    post(admin, url("staticlist_step", seeds.pk, "archive"))
    seeds.refresh_from_db()
    assert (seeds.name, seeds.is_archived) == ("Sprouts", True)
    post(admin, url("staticlist_step", seeds.pk, "unarchive"))
    with query_budget("lists: all"):
        assert "Sprouts" in admin.get(url("staticlist_changelist")).text
    assert "stay" in admin.get(url("staticlist_remove", seeds.pk)).text
    post(admin, url("staticlist_remove", seeds.pk))
    assert not StaticList.objects.exists()
    assert admin.get(url("staticlist_change", seeds.pk)).status_code == 404


def test_members_are_pasted_searched_paged_and_removed(admin, monkeypatch):
    from people.admin import static_lists as admin_static_lists

    monkeypatch.setattr(admin_static_lists, "MEMBERS", 2)
    seeds, people = (
        static_lists.create_static_list("Seeds", None),
        [make_person(first_name=f"N{i}", last_name="Lee") for i in range(3)],
    )
    pasted = f"{people[0].pk}, {people[1].email}\nThird <{people[2].email}> nobody@example.com"
    page = post(admin, url("staticlist_members", seeds.pk), people=pasted).text
    assert "Added: 3." in page and "nobody@example.com" in page and "3 members" in page
    with query_budget("lists: one"):
        first = admin.get(url("staticlist_change", seeds.pk))
    assert [member.person_id for member in first.context["members"]] == [one.pk for one in people[:2]]
    second = admin.get(url("staticlist_change", seeds.pk), {"after": first.context["after"]})
    assert [member.person_id for member in second.context["members"]] == [people[2].pk]
    found = admin.get(url("staticlist_change", seeds.pk), {"q": "lee n1"})
    assert [member.person_id for member in found.context["members"]] == [people[1].pk]
    page = post(admin, url("staticlist_members", seeds.pk), remove=1, people=[people[0].pk]).text
    assert "Removed: 1. They stay in the database." in page and "2 members" in page
    assert "At most 10,000" not in page


def test_many_pasted_people_are_added_by_a_job(admin, monkeypatch):
    monkeypatch.setattr(bulk, "PART", 1)
    seeds, ids = static_lists.create_static_list("Seeds", None), [make_person().pk for _ in range(3)]
    assert "being added" in post(admin, url("staticlist_members", seeds.pk), people=" ".join(map(str, ids))).text
    bulk.run_bulk_action(BulkAction.objects.get().pk)
    assert StaticListMember.objects.count() == 3


def test_folders_are_made_renamed_and_deleted_when_empty(admin):
    post(admin, url("staticlist_folders"), step="create", name="Events")
    events = Folder.objects.get()
    post(admin, url("staticlist_folders"), step="create", name="Webinars", folder=events.pk)
    assert "not empty" in post(admin, url("staticlist_folders"), step="delete", folder=events.pk).text
    inner = Folder.objects.get(name="Webinars")
    post(admin, url("staticlist_folders"), step="rename", folder=inner.pk, name="Talks")
    page = admin.get(url("staticlist_folders")).text
    assert (
        "Events / Talks" in page
        and [step.name for step in folders.folder_path(Folder.objects.get(pk=inner.pk))][-1] == "Talks"
    )
    post(admin, url("staticlist_folders"), step="delete", folder=inner.pk)
    assert Folder.objects.count() == 1


# ---------------------------------------------------------------- fields


def test_a_field_is_added_changed_and_deleted(admin):
    page = post(admin, url("personfield_add"), label="Shoe size", data_type="float", choices="42\nbig").text
    assert "got “big”" in page and not PersonField.objects.custom().exists()
    post(admin, url("personfield_add"), label="Shoe size", data_type="string", choices="42\n43", is_unique="on")
    field = PersonField.objects.custom().get()
    assert (field.api_name, field.choices, field.is_unique) == ("shoeSize", ["42", "43"], True)
    post(admin, url("personfield_change", field.pk), label="Size of shoe", description="EU", choices="")
    field.refresh_from_db()
    assert (field.label, field.is_unique, field.choices) == ("Size of shoe", False, [])
    assert "Size of shoe" in admin.get(url("personfield_changelist")).text
    assert "cleared for good" in admin.get(url("personfield_remove", field.pk)).text
    post(admin, url("personfield_remove", field.pk))
    assert not PersonField.objects.custom().exists()


def test_a_standard_field_is_renamed_and_hidden(admin):
    field = PersonField.objects.get(api_name="industry")
    page = admin.get(url("personfield_change", field.pk)).text
    assert 'name="is_unique"' not in page and 'name="data_type"' not in page
    post(admin, url("personfield_change", field.pk), label="Branch", is_hidden="on")
    assert "Branch" not in admin.get(url("person_change", make_person().pk)).text


def test_pages_speak_spanish(admin):
    ann, seeds = make_person(), static_lists.create_static_list("Semillas", None)
    for address in (
        url("person_change", ann.pk),
        url("person_remove", ann.pk),
        url("person_erase", ann.pk),
        url("person_deleted"),
        url("person_merge_with", ann.pk),
        url("person_duplicates"),
        url("staticlist_change", seeds.pk),
        url("staticlist_add"),
        url("staticlist_folders"),
        url("personfield_add"),
        url("person_bulk"),
    ):
        with translation.override("es"):  # gives the tests that follow their language back
            page = admin.get(address, headers={"Accept-Language": "es"}).text
        assert 'lang="es"' in page
        for english in (">Cancel<", ">Delete<", ">Save<", ">Add<", "Nobody", ">People<", "Folder<"):
            assert english not in page, (address, english)
    assert Group.objects.exists() and deletion.restore_days() == 30


def test_asking_for_everybody_counts_no_further_than_needed(admin, monkeypatch):
    people = [make_person() for _one in range(3)]
    address, asked = "/admin/people/person/", chosen("delete_selected_people", people[0], select_across=1)
    assert "This affects 3 people." in post(admin, address, **asked).text
    monkeypatch.setattr(selection, "MOST_COUNTED", 2)
    assert "This affects at least 2 people." in " ".join(post(admin, address, **asked).text.split())


def test_the_list_of_people_has_only_orders_of_an_index(admin):
    people = [make_person(email=f"{letter}@example.com") for letter in "bca"]
    for unknown in ("?o=2", "?sort=country"):
        assert shown(admin.get(f"/admin/people/person/{unknown}")) == [one.pk for one in people[::-1]]
    assert shown(admin.get("/admin/people/person/?sort=email")) == [people[2].pk, people[0].pk, people[1].pk]


@pytest.mark.parametrize("sizes", [(0, 100, 10), (1, 1, 10), (2, 5, 10), (1, 5, 2), (1, 5, 0), (500, 10, 1_000)])
def test_a_search_finds_the_same_whichever_way_it_goes(db, monkeypatch, sizes):
    for name, size in zip(("NEAREST", "ENOUGH", "NAMED"), sizes, strict=True):
        monkeypatch.setattr(querysets, name, size)
    ann, bob, cem = (
        make_person(first_name="Ann", last_name="Lee"),
        make_person(first_name="Ann"),
        make_person(last_name="Leeds"),
    )
    eve = make_person(first_name="Lee", company="Annex")
    seeds = static_lists.create_static_list("Seeds", None)
    static_lists.add_members(seeds, [ann.pk, cem.pk, eve.pk], MARKETO)
    members = StaticListMember.objects.of_list(seeds.pk)
    for text, found in {
        "ann lee": {ann, eve},
        "lee ann": {ann, eve},
        "ann": {ann, bob, eve},
        "lee": {ann, cem, eve},
        "ann zzz": set(),
        "": {ann, bob, cem, eve},
    }.items():
        assert set(Person.objects.live().newest_beginning_with(text)) == found, text
        assert {member.person for member in members.beginning_with(text)} == found - {bob}, text
