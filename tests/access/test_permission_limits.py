"""No user exceeds their own rights by way of another's client, account or role."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission

from config.access.clients import editing as client_editing
from config.access.clients import tokens
from config.access.models import User
from people.core.errors import NotAllowedError

pytestmark = pytest.mark.django_db
DELETE = "people.delete_person"


def user(name, *rights, role=None):
    made = get_user_model().objects.create_user(name, is_staff=True, password="x")
    if role:
        made.groups.add(Group.objects.get(name=role))
    for right in rights:
        app, codename = right.split(".")
        made.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return made


@pytest.fixture
def theirs():
    """The client of an administrator, which may delete people."""
    owner = get_user_model().objects.create_superuser("olga")
    return client_editing.create_client("Bank core", owner, owner).client


def test_a_developer_gets_no_secret_of_a_client_that_may_do_more(theirs):
    with pytest.raises(NotAllowedError):
        client_editing.rotate_client_secret(theirs, user("dev", role="Developer"))


def test_a_developer_rotates_a_client_that_may_do_no_more_and_gives_it_no_more(theirs):
    developer = user("dev", role="Developer")
    narrow = client_editing.create_client("Narrow", theirs.user, None, ["people.view_person"]).client
    assert client_editing.rotate_client_secret(narrow, developer).client_secret
    with pytest.raises(NotAllowedError):
        client_editing.change_client(narrow, developer, rights=[DELETE])


def test_a_program_makes_no_program_that_may_do_more_than_itself(theirs):
    client_editing.change_client(theirs, None, rights=["access.add_apiclient", "people.view_person"])
    program = tokens.token_holder(tokens.issue_token(theirs).text).user
    with pytest.raises(NotAllowedError):
        client_editing.create_client("More", theirs.user, program, [DELETE])
    made = client_editing.create_client("As much", theirs.user, program).client
    assert client_editing.client_rights(made) == ["people.view_person"]


def test_a_token_narrowed_to_making_clients_makes_none_with_more(theirs):
    client_editing.change_client(theirs, None, rights=client_editing.grantable_rights())
    narrowed = tokens.token_holder(tokens.issue_token(theirs, ["access.add_apiclient"]).text).user
    with pytest.raises(NotAllowedError):
        client_editing.create_client("More", theirs.user, narrowed, [DELETE])


@pytest.fixture
def helpdesk(client):
    """A user who may change users and roles, and little else."""
    found = user(
        "hilda", "access.change_user", "access.view_user", "auth.change_group", "auth.view_group", "people.view_person"
    )
    client.force_login(found)
    return found


def test_the_password_of_somebody_who_may_do_more_cannot_be_set(client, helpdesk):
    boss = get_user_model().objects.create_superuser("boss")
    for more in (boss, user("approver", role="Approver")):
        before = more.password
        words = {"password1": "a quite long one", "password2": "a quite long one", "usable_password": "true"}
        assert client.post(f"/admin/access/user/{more.pk}/password/", words).status_code == 403
        assert client.get(f"/admin/access/user/{more.pk}/sign-in/").status_code == 403
        more.refresh_from_db()
        assert more.password == before


def fields(found, **changes):
    return {"username": found.username, "is_active": "on", "language": ""} | changes


def test_nobody_makes_themselves_a_superuser_or_gives_rights_they_have_not(client, helpdesk):
    page = f"/admin/access/user/{helpdesk.pk}/change/"
    delete = Permission.objects.get(codename="delete_person")
    client.post(page, fields(helpdesk, is_superuser="on"))
    client.post(page, fields(helpdesk, user_permissions=[delete.pk]))
    client.post(page, fields(helpdesk, role="Administrator"))
    found = User.objects.get(pk=helpdesk.pk)
    assert not found.is_superuser and not found.has_perm(DELETE)


def test_a_role_gets_no_right_that_its_changer_has_not(client, helpdesk):
    narrow = Group.objects.create(name="Lookers")
    delete, view = (Permission.objects.get(codename=f"{verb}_person") for verb in ("delete", "view"))
    page = f"/admin/auth/group/{narrow.pk}/change/"
    assert client.post(page, {"name": "Lookers", "permissions": [delete.pk]}).status_code == 200
    assert not narrow.permissions.exists()
    assert client.post(page, {"name": "Lookers", "permissions": [view.pk]}).status_code == 302
    wide = Group.objects.get(name="Approver")
    assert client.post(f"/admin/auth/group/{wide.pk}/change/", {"name": "Mine", "permissions": []}).status_code == 403


def test_an_administrator_by_role_gives_every_role(client):
    vera, newcomer = user("vera", role="Administrator"), user("new")
    client.force_login(vera)
    role = Group.objects.get(name="Approver")
    client.post(f"/admin/access/user/{newcomer.pk}/change/", fields(newcomer, role="Approver"))
    assert list(newcomer.groups.all()) == [role]
