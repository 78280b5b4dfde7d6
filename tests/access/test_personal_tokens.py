"""Personal tokens against a stolen session, and what whoever may change users cannot do."""

import time

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from config.access.clients import editing as client_editing
from config.access.clients import tokens
from config.access.models import ApiClient, ApiToken, Invitation
from config.access.sign_in import mfa, passwords, sessions
from config.access.users import invitations
from config.access.users.forms import UserForm
from tests.api.conftest import Api

pytestmark = pytest.mark.django_db
FORM = {"name": "nightly", "days": "366"}


def user(name, *roles, **more):
    made = get_user_model().objects.create_user(name, password="correct horse 9", is_staff=True, **more)
    made.groups.add(*Group.objects.filter(name__in=roles))
    return made


def grow_old(client, seconds=600):
    """As a session is that was begun some minutes ago."""
    session = client.session
    session[sessions.SIGN_IN] = {**session[sessions.SIGN_IN], "at": int(time.time()) - seconds}
    session.save()


def test_an_older_session_makes_no_token_until_it_is_confirmed(client):
    vera = user("vera", "Viewer")
    client.force_login(vera, backend="config.access.backends.EffectiveRightsBackend")
    grow_old(client)
    assert "confirm that it is you" in client.get(reverse("tokens")).text
    where = client.post(reverse("tokens"), FORM)["Location"]
    assert where.startswith(reverse("account_reauthenticate"))
    fault = Api(client, None).post("me/tokens", FORM | {"days": 366})
    assert (fault.status_code, fault.json()["errors"][0]["code"]) == (403, "confirmation_needed")
    assert not ApiToken.objects.exists()
    client.post(where, {"password": "wrong"})
    assert client.post(reverse("tokens"), FORM).status_code == 302 and not ApiToken.objects.exists()
    assert client.post(where, {"password": "correct horse 9"})["Location"] == reverse("tokens")
    assert client.post(reverse("tokens"), FORM).status_code == 200
    assert ApiToken.objects.get().user == vera


def test_an_older_session_makes_nothing_that_outlives_it_until_it_is_confirmed(client):
    """API clients, their secrets, invitations, others' passwords: what a stolen session would leave behind."""
    adam, vera = user("adam", "Administrator"), user("vera", "Viewer")
    invitations.invite_user(adam, "eve@example.com", vera.groups.all())
    bank = client_editing.create_client("Bank core", adam, adam, []).client
    before = bank.client_secret, vera.password, Invitation.objects.get().digest
    client.force_login(adam, backend="config.access.backends.EffectiveRightsBackend")
    grow_old(client)
    pages = {
        "/admin/access/apiclient/add/": {"name": "Till", "rights": []},
        f"/admin/access/apiclient/{bank.pk}/rotate/": {"overlap": "0"},
        "/admin/access/user/add/": {"email": "mallory@example.com", "role": "Administrator"},
        f"/admin/access/user/invitations/{Invitation.objects.get().pk}/": {"renew": "1"},
        f"/admin/access/user/{vera.pk}/password/": {"password1": "wrong horse 99", "password2": "wrong horse 99"},
        f"/admin/access/user/{vera.pk}/sign-in/": {"reset": "1"},
    }
    for page, sent in pages.items():
        assert client.post(page, sent)["Location"].startswith(reverse("account_reauthenticate")), page
    for path, sent in (("api-clients", {"name": "Till"}), (f"api-clients/{bank.pk}/rotate-secret", {})):
        assert Api(client, None).post(path, sent).json()["code"] == "confirmation_needed", path
    bank.refresh_from_db()
    vera.refresh_from_db()
    assert before == (bank.client_secret, vera.password, Invitation.objects.get().digest)
    assert (ApiClient.objects.count(), Invitation.objects.count()) == (1, 1)
    where = client.get("/admin/access/apiclient/add/")["Location"]
    assert client.post(where, {"password": "correct horse 9"})["Location"] == "/admin/access/apiclient/add/"
    assert client.post("/admin/access/apiclient/add/", {"name": "Till"}).status_code == 200
    assert Api(client, None).post(f"api-clients/{bank.pk}/rotate-secret", {}).status_code == 200
    assert ApiClient.objects.count() == 2


def test_who_has_no_password_signs_in_again(client):
    vera = user("vera", "Viewer")
    vera.set_unusable_password()
    vera.save()
    client.force_login(vera, backend="config.access.backends.EffectiveRightsBackend")
    assert client.post(reverse("tokens"), FORM).status_code == 200
    grow_old(client)
    assert client.post(reverse("tokens"), FORM)["Location"].startswith(reverse("admin:login"))
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize(
    ("ending", "ends"),
    [
        (lambda vera, admin: passwords.change_password(vera, "another horse 9", vera), True),
        (lambda vera, admin: passwords.change_password(vera, "another horse 9", admin), True),
        (lambda vera, admin: sessions.end_sessions(vera, vera, keep="mine"), True),
        (lambda vera, admin: mfa.reset_second_step(vera, admin), True),
        (lambda vera, admin: sessions.end_sessions(vera, vera, ["one of them"]), False),
    ],
)
def test_what_ends_all_sessions_ends_personal_tokens(ending, ends):
    vera, admin = user("vera", "Viewer"), user("adam", "Administrator")
    tokens.create_personal_token(vera, "nightly", 366)
    mine = tokens.create_personal_token(admin, "mine", 366)
    ending(vera, admin)
    assert ApiToken.objects.filter(user=vera).exists() is not ends
    assert tokens.token_holder(mine.text) is not None


def test_an_administrator_sees_and_ends_somebodys_tokens(client):
    vera, admin = user("vera", "Viewer"), user("adam", "Administrator")
    issued = tokens.create_personal_token(vera, "nightly", 366)
    mine = tokens.create_personal_token(admin, "mine", 366).token
    page = reverse("admin:access_user_sign_in", args=[vera.pk])
    client.force_login(vera)
    assert client.post(page, {"revoke": issued.token.pk}).status_code == 403
    client.force_login(admin)
    assert "nightly" in client.get(page).text and issued.text not in client.get(page).text
    assert client.post(page, {"revoke": mine.pk}).status_code == 404  # not vera's
    client.post(page, {"revoke": issued.token.pk})
    assert tokens.token_holder(issued.text) is None and tokens.token_holder(
        tokens.create_personal_token(vera, "x", 1).text
    )


@pytest.fixture
def clerk():
    made = user("clerk", "Viewer")
    made.user_permissions.add(*Permission.objects.filter(codename__in=("view_user", "change_user")))
    return get_user_model().objects.get(pk=made.pk)


@pytest.mark.parametrize("is_active", [True, False])
def test_nobody_sets_the_password_of_somebody_who_may_more_active_or_not(client, clerk, is_active):
    admin = user("adam", "Administrator", is_active=is_active)
    client.force_login(clerk)
    page = f"/admin/access/user/{admin.pk}/password/"
    data = {"password1": "my own horse 9", "password2": "my own horse 9", "usable_password": "true"}
    assert client.get(page).status_code == 403 and client.post(page, data).status_code == 403
    admin.refresh_from_db()
    assert admin.check_password("correct horse 9")
    client.post(reverse("admin:access_user_change", args=[admin.pk]), {"username": "adam", "is_active": "on"})
    admin.refresh_from_db()
    assert admin.is_active is is_active and admin.groups.get().name == "Administrator"


def test_saving_somebody_keeps_every_role_that_the_form_cannot_show(clerk):
    viewer = user("vera", "Viewer", "Exporter")
    form = UserForm({"username": "vera", "role": "Viewer"}, user=viewer, editor=clerk)
    assert form.is_valid(), form.errors
    assert "Exporter" not in {role.name for role in form.fields["besides"].queryset}
    assert {role.name for role in form.groups} == {"Viewer", "Exporter"}
