"""Every user with a role can sign in, whichever way it was given."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.test import Client

from config.access.roles import ADMINISTRATOR, ROLES, WORDS
from config.access.sign_in import sso
from people.core.models import Installation
from tests.factories import draft_type

pytestmark = pytest.mark.django_db
OWN = "another phrase of her own"
USERS, LOGIN = "/admin/access/user/", "/admin/login/"


@pytest.fixture
def boss(client):
    Installation.objects.create()
    made = get_user_model().objects.create_superuser("boss")
    client.force_login(made)
    return made


def marta(**more):
    return get_user_model().objects.create_user("marta", password=OWN, **more)


def sign_in(password=OWN):
    browser = Client()
    return browser, browser.post(LOGIN, {"username": "marta", "password": password})


def is_in():
    browser, _answer = sign_in()
    return browser.get("/admin/people/person/").status_code == 200


def by_page(client, user):
    form = {"username": "marta", "role": "Marketer"}
    assert client.post(f"{USERS}{user.pk}/change/", form).status_code == 302


def by_single_sign_on(_client, user):
    sso.assign_claimed_roles(user, ["Marketer"])


def by_group(_client, user):
    Group.objects.get(name="Marketer").user_set.add(user)


def by_a_team_s_own_group(_client, user):
    group = Group.objects.create(name="Field sales")
    group.permissions.add(Permission.objects.get(codename="view_person"))
    user.groups.add(group)


def by_one_right(_client, user):
    user.user_permissions.add(Permission.objects.get(codename="view_person"))


@pytest.mark.parametrize("way", [by_page, by_single_sign_on, by_group, by_a_team_s_own_group, by_one_right])
def test_every_way_to_get_a_role_lets_somebody_sign_in(client, boss, way):
    user = marta()
    assert not is_in(), "no role yet"
    way(client, user)
    assert is_in()


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_api_only": True}])
def test_a_role_opens_nothing_to_the_inactive_and_to_programs(boss, change):
    user = marta()
    user.groups.add(Group.objects.get(name="Administrator"))
    get_user_model().objects.filter(pk=user.pk).update(**change)
    assert not is_in()


def test_whoever_loses_the_last_role_is_out_at_once(boss):
    user = marta()
    user.groups.add(Group.objects.get(name="Viewer"))
    browser, _answer = sign_in()
    assert browser.get("/admin/").status_code == 200
    user.groups.clear()
    assert browser.get("/admin/").status_code == 302


@pytest.mark.parametrize(
    ("language", "role", "nobody", "wrong"),
    [
        ("en", "Marketer: works with people", "No role: can't sign in", "ask an administrator"),
        ("es", "Marketing: trabaja con personas", "Sin rol: no puede iniciar sesión", "a un administrador"),
    ],
)
def test_the_pages_say_so_and_show_no_hash_and_no_switch(client, boss, language, role, nobody, wrong):
    user = marta()
    spoken = {"Accept-Language": language}
    page = client.get(f"{USERS}{user.pk}/change/", headers=spoken).text
    assert role in page
    assert "pbkdf2" not in page and 'name="is_staff"' not in page and 'name="date_joined_0"' not in page
    assert nobody in client.get(USERS, headers=spoken).text
    answer = Client().post(LOGIN, {"username": "marta", "password": OWN}, headers=spoken)
    assert wrong in answer.text and "staff" not in answer.text


def test_a_marketer_drafts_a_type_and_leaves_its_approval_to_others(boss):
    user = marta()
    user.groups.add(Group.objects.get(name="Marketer"))
    browser, _answer = sign_in()
    assert 'href="/admin/activities/activitytype/add/' in browser.get("/admin/activities/activitytype/").text
    assert browser.get("/admin/activities/activitytype/add/").status_code == 200
    draft = draft_type()
    edit = f"/admin/activities/activitytype/{draft.pk}/change/"
    assert browser.get(edit, follow=True).status_code == 200
    assert not user.has_perm("activities.approve_activitytype") and not user.has_perm("activities.delete_activitytype")


def test_every_role_says_what_it_is_for():
    assert {*WORDS} == {*ROLES, ADMINISTRATOR}
