"""Personal tokens against a stolen session, and limits of users who may change users."""

import time

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from activities.models import EventSource, InboundWebhook, SourceKey
from activities.sources import editing as source_editing
from config.access import sessions
from config.access.clients import editing as client_editing
from config.access.clients import tokens
from config.access.models import ApiClient, ApiToken, Invitation
from config.access.sign_in import mfa, passwords
from config.access.users import invitations
from config.access.users.forms import UserForm
from smartlists.models import Webhook
from smartlists.webhooks import editing as webhook_editing
from tests.activities.inbound.factories import make_webhook
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


def lasting_access():
    """The access that a stolen session could leave behind, or widen."""
    return (
        set(ApiClient.objects.values_list("pk", "name", "client_secret", "user")),
        set(ApiClient.objects.values_list("pk", "api_user__user_permissions")),
        set(Invitation.objects.values_list("pk", "digest")),
        set(get_user_model().objects.values_list("pk", "password", "email", "is_active", "groups")),
        set(Group.objects.values_list("pk", "permissions")),
        set(SourceKey.objects.values_list("pk", "source")),
        str(
            list(EventSource.objects.order_by("pk").values("origins", "user_id_field", "munchkin_id", "creates_people"))
        ),
        {(hook.pk, hook.url, hook.body, bytes(hook.secret or b"")) for hook in Webhook.objects.all()},
        {(hook.pk, hook.signature, bytes(hook.secret or b"")) for hook in InboundWebhook.objects.all()},
        ApiToken.objects.count(),
    )


def test_an_older_session_makes_nothing_that_outlives_it_until_it_is_confirmed(client):
    """Every page and API call that makes or widens lasting access; other calls continue."""
    adam, vera, gone = user("adam", "Administrator"), user("vera", "Viewer"), user("gone", "Viewer", is_active=False)
    invitations.invite_user(adam, "eve@example.com", vera.groups.all())
    bank = client_editing.create_client("Bank core", adam, adam, []).client
    till = client_editing.create_client("Till", vera, adam, ["people.view_person"]).client
    role = Group.objects.create(name="Our own")
    sees, changes = (Permission.objects.get(codename=f"{verb}_person") for verb in ("view", "change"))
    role.permissions.add(sees)
    source = source_editing.create_source("Shop", "server", None).key.source
    nameless = source_editing.create_source("Till", "server", None, user_id_field="").key.source
    origins = ["https://www.example.com"]
    site = source_editing.create_source("Site", "browser", None, origins=origins).key.source
    here = {"name": "Site", "origins": origins[0], "consent": "granted", "site_group": "main", "megabytes_a_day": "1"}
    hook, _secret = webhook_editing.create_webhook("Hook", None, url="https://example.com/")
    inbound = make_webhook()
    checked = {"signature": "none", "calls_a_minute": "7"}
    sent_to = {"method": "POST", "format": "cloudevents", "per_minute": "600", "timeout_seconds": "10"}
    details = {"username": "vera", "email": "", "role": "Viewer"}
    new = {"name": "App", "kind": "server", "consent": "granted", "site_group": "main", "megabytes_a_day": "1"}
    pages = {
        "/admin/access/apiclient/add/": {"name": "New", "rights": []},
        f"/admin/access/apiclient/{bank.pk}/rotate/": {"overlap": "0"},
        f"/admin/access/apiclient/{bank.pk}/change/": {"name": "Bank core", "rights": ["people.view_person"]},
        "/admin/access/user/add/": {"email": "mallory@example.com", "role": "Administrator"},
        f"/admin/access/user/invitations/{Invitation.objects.get().pk}/": {"renew": "1"},
        f"/admin/access/user/{vera.pk}/password/": {"password1": "wrong horse 99", "password2": "wrong horse 99"},
        f"/admin/access/user/{vera.pk}/sign-in/": {"reset": "1"},
        f"/admin/access/user/{vera.pk}/change/": details | {"role": "Administrator"},
        f"/admin/access/user/{vera.pk}/change/?": details | {"email": "mallory@example.com"},
        f"/admin/access/user/{vera.pk}/deactivate/": {"successor": adam.pk},  # owner of Till: it can do more then
        f"/admin/access/user/{gone.pk}/activate/": {},
        "/admin/auth/group/add/": {"name": "Everybody", "permissions": [changes.pk]},
        f"/admin/auth/group/{role.pk}/change/": {"name": "Our own", "permissions": [sees.pk, changes.pk]},
        "/admin/activities/eventsource/add/": new,
        "/admin/activities/eventsource/website/": {"name": "Web", "address": "www.example.com"},
        f"/admin/activities/eventsource/{source.pk}/do/rotate/": {"overlap": "0"},
        f"/admin/activities/eventsource/{nameless.pk}/do/identify/": {},
        f"/admin/activities/eventsource/{site.pk}/change/": here | {"origins": "https://example.net"},
        f"/admin/activities/eventsource/{site.pk}/change/?": here | {"creates_people": "on"},
        f"/admin/activities/eventsource/{site.pk}/change/?#": here | {"munchkin_id": "123-ABC-456"},
        "/admin/activities/inboundwebhook/add/": {"name": "Bank 2", "recipe": "other"},
        f"/admin/activities/inboundwebhook/{inbound.pk}/change/": checked | {"signature": "sha256", "revision": "2"},
        f"/admin/activities/inboundwebhook/{inbound.pk}/change/?": checked | {"secret": "mine", "revision": "3"},
        "/admin/smartlists/webhook/add/": {"name": "Leak", "url": "https://example.org/"} | sent_to,
        f"/admin/smartlists/webhook/{hook.pk}/do/new-secret/": {},
        f"/admin/smartlists/webhook/{hook.pk}/change/": {
            **{"name": "Hook", "url": "https://example.org/", "revision": "2"},
            **sent_to,
        },
        reverse("tokens"): FORM,
    }
    calls = (
        ("POST", "api-clients", {"name": "New"}),
        ("POST", f"api-clients/{bank.pk}/rotate-secret", {}),
        ("PATCH", f"api-clients/{bank.pk}", {"rights": ["people.view_person"]}),
        ("POST", "event-sources", {"name": "App", "kind": "server"}),
        ("POST", f"event-sources/{source.pk}/rotate-key", {}),
        ("POST", f"event-sources/{nameless.pk}/identify-people", {}),
        ("PATCH", f"event-sources/{nameless.pk}", {"user_id_field": "email"}),
        ("PATCH", f"event-sources/{site.pk}", {"origins": ["https://example.org", *origins]}),
        ("PATCH", f"event-sources/{site.pk}", {"creates_people": True}),
        ("PATCH", f"event-sources/{site.pk}", {"munchkin_id": "321-ABC-456"}),
        ("POST", "inbound-webhooks", {"name": "Bank 3"}),
        ("PATCH", f"inbound-webhooks/{inbound.pk}", {"signature": "sha256"}),
        ("PATCH", f"inbound-webhooks/{inbound.pk}", {"secret": "mine"}),
        ("POST", "webhooks", {"name": "Leak 2", "url": "https://example.org/"}),
        ("PATCH", f"webhooks/{hook.pk}", {"url": "https://example.net/"}),
        ("PATCH", f"webhooks/{hook.pk}", {"headers": {"X-Key": "mine"}}),
        ("POST", f"webhooks/{hook.pk}/new-secret", {}),
        ("POST", "me/tokens", FORM | {"days": 366}),
    )
    harmless = {
        f"/admin/activities/eventsource/{site.pk}/change/": here | {"name": "Site 2"},
        f"/admin/access/apiclient/{till.pk}/change/": {"name": "Till 2", "rights": []},
        f"/admin/access/user/{vera.pk}/change/": details | {"first_name": "Vera"},
        f"/admin/auth/group/{role.pk}/change/": {"name": "Ours", "permissions": [sees.pk]},
        f"/admin/activities/inboundwebhook/{inbound.pk}/change/": checked | {"calls_a_minute": "7", "revision": "1"},
        f"/admin/smartlists/webhook/{hook.pk}/change/": {
            **{"name": "Ours", "url": "https://example.com/", "revision": "1"},
            **sent_to,
        },
    }
    client.force_login(adam, backend="config.access.backends.EffectiveRightsBackend")
    grow_old(client)
    before = lasting_access()
    for page, sent in pages.items():
        where = client.post(page, sent).headers.get("Location", "")
        assert where.startswith(reverse("account_reauthenticate")), page
    for method, path, sent in calls:
        assert Api(client, None)(method, path, sent, If_Match="*").json()["code"] == "confirmation_needed", path
    assert lasting_access() == before
    for page, sent in harmless.items():
        where = client.post(page, sent).headers["Location"]
        assert where.startswith("/admin/"), page
    inbound.refresh_from_db()
    assert (inbound.calls_a_minute, inbound.signature, inbound.secret) == (7, "none", None)
    for row in (vera, till, role):
        row.refresh_from_db()
    assert (vera.first_name, till.name, role.name) == ("Vera", "Till 2", "Ours")
    where = client.get("/admin/access/apiclient/add/")["Location"]
    assert client.post(where, {"password": "correct horse 9"})["Location"] == "/admin/access/apiclient/add/"
    for page, sent in pages.items():
        earlier = lasting_access()
        reply = client.post(page, sent)
        assert not reply.headers.get("Location", "").startswith(reverse("account_reauthenticate")), page
        assert lasting_access() != earlier or "reset" in sent, page
    EventSource.objects.filter(pk=site.pk).update(origins=origins, munchkin_id=None, creates_people=False)
    for method, path, sent in calls[:-1]:
        sent = {name: f"{value} 2" if name == "name" else value for name, value in sent.items()}
        assert Api(client, None)(method, path, sent, If_Match="*").status_code in (200, 201), path
    client.logout()
    rights = [source_editing.ADD, source_editing.CHANGE, source_editing.VIEW]
    program = tokens.issue_token(client_editing.create_client("Nightly", adam, None, rights).client).text
    made = Api(client, program).post("event-sources", {"name": "By a program", "kind": "server"})
    assert made.status_code == 201, "programs have no session to confirm"


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
