"""The pages of users: who is here, in which role, deactivated with what they own; and the page of who has a right."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.test import Client

from config.access.clients import editing as client_editing
from config.access.clients import tokens
from config.access.users import asking, deactivation
from people.core import audit
from people.core.models import Installation
from people.core.notifications import Notice
from people.definitions import lifecycle
from people.lists import static_lists
from smartlists.lists import editing as list_editing
from tests.access.test_sign_in_audit import entries
from tests.factories import approved_type, draft_type
from tests.query_budget import query_budget

pytestmark = pytest.mark.django_db
USERS = "/admin/access/user/"
RULES = {
    "version": 1,
    "match": "all",
    "filters": [{"kind": "person_field", "field": "country", "operator": "is", "values": ["Spain"]}],
}


@pytest.fixture
def boss(client):
    Installation.objects.create()
    made = get_user_model().objects.create_superuser("boss", first_name="Bea")
    client.force_login(made)
    return made


def user(name, *roles, **more):
    made = get_user_model().objects.create_user(name, **more)
    made.groups.add(*Group.objects.filter(name__in=roles))
    return get_user_model().objects.get(pk=made.pk)


def names(somebody):
    return sorted(somebody.groups.values_list("name", flat=True))


def test_the_list_says_who_is_here_in_which_role_and_hides_the_product_itself(client, boss):
    audit.system_user_id()
    for number in range(20):
        user(f"user{number}", "Marketer", email=f"user{number}@example.com", first_name="Una", last_name=f"N{number}")
    user("gone", "Viewer", is_active=False)
    with query_budget("users: list"):
        page = client.get(USERS)
    assert "Una N7" in page.text and "user7@example.com" in page.text and "Marketer" in page.text
    assert ">system<" not in page.text and "gone" not in page.text and "pbkdf2" not in page.text
    assert "gone" in client.get(USERS + "?status=deactivated").text
    found = client.get(USERS + "?q=una n7").context["rows"]
    assert [row.username for row, _roles, _secured, _purposes in found] == ["user7"]
    user("lucia", "Viewer", first_name="Lucía", last_name="García")
    found = client.get(USERS + "?q=garcia lu").context["rows"]
    assert [row.username for row, _roles, _secured, _purposes in found] == ["lucia"], (
        "as every search: whatever case and accents"
    )
    system = get_user_model().objects.get(username="system")
    assert client.get(f"{USERS}{system.pk}/change/").status_code == 404


def test_a_role_is_changed_and_everything_else_that_somebody_has_stays(client, boss):
    team = Group.objects.create(name="Field sales")
    marta = user("marta", "Viewer", "Exporter", "Type editor")
    marta.groups.add(team)
    form = client.get(f"{USERS}{marta.pk}/change/").context["form"]
    assert form.initial["role"] == "Type editor" and len(form.initial["besides"]) == 3
    given = {"username": "marta", "role": "Marketer", "besides": form.initial["besides"]}
    assert client.post(f"{USERS}{marta.pk}/change/", given).status_code == 302
    assert names(marta) == ["Exporter", "Field sales", "Marketer", "Viewer"]
    assert entries("roles_changed") == [
        ("roles_changed", "boss", "marta", {"given": "Marketer", "taken": "Type editor"})
    ]


def test_what_the_editor_could_not_give_is_kept(client, boss):
    helper = user("hilda", "Viewer")
    for right in (
        "change_user",
        "view_user",
        *(
            f"{verb}_{kind}"
            for verb in ("approve", "delete", "add", "change")
            for kind in ("activitytype", "objecttype")
        ),
    ):
        helper.user_permissions.add(Permission.objects.get(codename=right))
    target = user("marta", "Viewer")
    client.force_login(helper)
    assert client.post(f"{USERS}{target.pk}/change/", {"username": "marta", "role": "Administrator"}).status_code == 200
    assert client.post(f"{USERS}{target.pk}/change/", {"username": "marta", "role": "Approver"}).status_code == 302
    assert names(target) == ["Approver"]
    stronger = user("olga", "Marketer")
    assert client.post(f"{USERS}{stronger.pk}/change/", {"username": "x", "role": "Viewer"}).status_code == 403
    assert client.post(f"{USERS}{stronger.pk}/deactivate/", {}).status_code == 403 or user_is_active(stronger)


def user_is_active(somebody):
    return get_user_model().objects.get(pk=somebody.pk).is_active


def test_deactivating_hands_over_what_somebody_owns_and_ends_their_sessions(client, boss):
    marta, nina = user("marta", "Administrator"), user("nina", "Administrator")
    check = approved_type()
    lifecycle.set_folder_and_owner(check, boss, None, marta)
    guests = static_lists.create_static_list("Guests", marta)
    rules = list_editing.create_smart_list("Spaniards", RULES, marta)
    program = client_editing.create_client("Bank core", marta, marta).client
    token = tokens.issue_token(program).text
    browser = Client()
    browser.force_login(marta)
    page = client.get(f"{USERS}{marta.pk}/deactivate/")
    assert "private notes in charts" in page.text
    assert len(page.context["owned"]) == 4 and "nina" in page.text
    client.post(f"{USERS}{marta.pk}/deactivate/", {"successor": ""})
    assert user_is_active(marta), "somebody has to take over"
    assert client.post(f"{USERS}{marta.pk}/deactivate/", {"successor": nina.pk}).status_code == 302
    for thing in (check, guests, rules):
        thing.refresh_from_db()
        assert thing.owner == nina
    program.refresh_from_db()
    assert program.user == nina and program.api_user.owner == nina
    headers = {"Authorization": f"Bearer {token}"}
    assert Client().get("/api/v1/people", headers=headers).status_code == 200, "programs go on"
    assert not user_is_active(marta) and browser.get("/admin/").status_code == 302
    assert ("deactivated", "boss", "marta", {}) in entries("deactivated")
    assert client.post(f"{USERS}{marta.pk}/activate/").status_code == 302
    assert user_is_active(marta) and names(marta) == ["Administrator"]


def test_nobody_deactivates_themselves(client, boss):
    client.post(f"{USERS}{boss.pk}/deactivate/", {})
    assert user_is_active(boss)


def test_every_thing_with_an_owner_is_handed_over():
    """A model that gets an owner has to be in the table of what deactivating hands over."""
    from django.apps import apps

    owned = {model for model in apps.get_models() if any(field.name == "owner" for field in model._meta.fields)}
    owned.discard(get_user_model())  # a program's owner follows its API client
    assert owned <= {*deactivation.OWNED}


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("/admin/access/user/", "access.view_user"),
        ("/admin/people/person/add/", "people.add_person"),
        ("/admin/people/person/duplicates/", "people.merge_person"),
    ],
)
def test_who_is_refused_is_told_who_can_and_asks_them(client, boss, path, right):
    viewer, approver = user("quimby", "Viewer", first_name="Quim"), user("carla", "Administrator", first_name="Carla")
    browser = Client()
    browser.force_login(viewer)
    answer = browser.get(path)
    assert answer.status_code == 403 and answer.context["right"] == right
    assert "Carla" in answer.text and 'action="/admin/ask/"' in answer.text
    for _twice in range(2):
        browser.post("/admin/ask/", {"right": right, "path": path, "key": answer.context["key"]})
    found = Notice.objects.get(user=approver)
    assert "Quim" in str(found) and found.url == path
    client.force_login(approver)
    assert "Quim" in client.get("/admin/notices/").text


@pytest.mark.parametrize(
    "path", ["/join/", "/i18n/setlang/", "/account/passkeys/1/remove/", "/admin/logout/", "//evil"]
)
def test_a_question_leads_to_a_page_of_the_product_alone(boss, path):
    browser = Client()
    browser.force_login(user("quimby", "Viewer"))
    browser.post("/admin/ask/", {"path": path})
    assert Notice.objects.get(user=boss).url == "/admin/"


def test_questions_are_bounded(boss):
    viewer = user("quimby", "Viewer")
    browser = Client()
    browser.force_login(viewer)
    for number in range(asking.MOST_AN_HOUR + 5):
        browser.post("/admin/ask/", {"path": f"/admin/people/person/{number + 1}/delete/"})
    assert Notice.objects.filter(user=boss).count() == asking.MOST_AN_HOUR


def test_roles_are_edited_in_words_and_show_no_internal_rights(client, boss):
    page = client.get(f"/admin/auth/group/{Group.objects.get(name='Viewer').pk}/change/").text
    assert "See people" in page and "Can view" not in page and "log entry" not in page


@pytest.mark.parametrize(
    ("came_from", "back"),
    [
        ("http://testserver/admin/people/person/?q=ann", "/admin/people/person/"),
        ("http://testserver/admin/access/user/", ""),
        ("https://evil.example/admin/people/person/", ""),
        ("", ""),
    ],
)
def test_a_refused_page_names_who_can_and_leads_back(client, boss, came_from, back):
    client.force_login(user("vic", "Viewer"))
    reply = client.get("/admin/access/user/", headers={"referer": came_from})
    assert reply.status_code == 403 and "Ask Bea" in reply.text
    assert reply.context["way_back"] == back and ("Go back" in reply.text) == bool(back)


def test_a_button_that_is_not_for_a_role_leads_to_who_can(client, boss):
    draft = draft_type()
    client.force_login(user("quimby", "Marketer"))
    page = client.get(f"/admin/activities/activitytype/{draft.pk}/change/")
    link = f"/admin/ask/?right=activities.approve_activitytype&amp;path=/admin/activities/activitytype/{draft.pk}/step/approve/"
    link = re.search(re.escape(link) + r"&amp;key=[^\"]+", page.text)[0]
    asked = client.get(link.replace("&amp;", "&"))
    assert "Bea" in asked.text and "Ask for it" in asked.text
    client.post("/admin/ask/", {name: asked.context[name] for name in ("right", "path", "key")})
    assert (
        Notice.objects.get(user=boss, kind="access_asked").url == f"/admin/activities/activitytype/{draft.pk}/change/"
    )
    client.force_login(user("vic", "Viewer"))
    assert "right=activities.add_activitytype" in client.get("/admin/activities/activitytype/").text


@pytest.mark.parametrize("right", ["access.view_apiclient", "people.erase_person", "activities.approve_activitytype"])
def test_nobody_learns_who_has_a_right_that_no_page_named_to_them(boss, right):
    """The page of a right needs the key of the page that named it, to this user, for this path."""
    user("dora", "Developer", first_name="Dora"), user("abe", "Approver", first_name="Abe")
    vic, other = user("vic", "Viewer"), user("quimby", "Viewer")
    browser = Client()
    browser.force_login(vic)
    path = "/admin/people/person/"
    keys = ["", "x", asking.help_key(other, right, path), asking.help_key(vic, "people.view_person", path)]
    keys += [asking.help_key(vic, right, "/admin/"), asking.help_key(vic, "", path)]
    for key in keys:
        page = browser.get("/admin/ask/", {"right": right, "path": path, "key": key})
        assert page.context["right"] == "people.view_person"
        browser.post("/admin/ask/", {"right": right, "path": path, "key": key})
    assert {notice.parameters["what"] for notice in Notice.objects.filter(kind="access_asked")} == {"See people"}
    page = browser.get("/admin/ask/", {"right": right, "path": path, "key": asking.help_key(vic, right, path)})
    assert page.context["right"] == right
