"""Invitations: a link that works once, and what it can and cannot give."""

import re
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone

from activities.sources import editing as source_editing
from config.access import tasks
from config.access.clients import tokens
from config.access.models import Invitation, Session
from config.access.roles import ADMINISTRATOR, ROLES
from config.access.users import invitations
from people.core import audit
from people.core.errors import NotAllowedError, RejectedError
from people.core.models import Installation

pytestmark = pytest.mark.django_db
USERS, OWN = "/admin/access/user/", "another phrase of her own"
LINK = re.compile(r"/join/\?invitation=([\w-]+)")


@pytest.fixture
def boss(client):
    cache.clear()
    Installation.objects.create()
    made = get_user_model().objects.create_superuser("boss", first_name="Bea", last_name="Boss")
    client.force_login(made)
    return made


def group(name):
    return Group.objects.get(name=name)


def ask(client, role="Marketer", **more):
    return client.post(USERS + "add/", {"email": "marta@example.com", "name": "Marta Vila", "role": role} | more)


def join(token, browser=None, **more):
    form = {"invitation": token, "name": "Marta Vila", "username": "marta@example.com", "password": OWN} | more
    return (browser or Client()).post("/join/", form)


@pytest.mark.parametrize("role", [*ROLES, ADMINISTRATOR])
def test_whoever_is_invited_in_one_form_joins_in_another_and_is_in(client, boss, role):
    form = {"role": "", "besides": [group(role).pk]} if role == "Exporter" else {"role": role}
    token = LINK.search(ask(client, **form).text)[1]
    browser = Client()
    assert "Bea Boss" in browser.get(f"/join/?invitation={token}").text
    assert join(token, browser).status_code == 302
    assert browser.get("/admin/").status_code == 200
    made = get_user_model().objects.get(email="marta@example.com")
    assert [one.name for one in made.groups.all()] == [role] and made.get_full_name() == "Marta Vila"
    assert not made.must_change_password and not Invitation.objects.exists()
    again = Client()
    answer = again.post("/admin/login/", {"username": "marta@example.com", "password": OWN})
    assert answer.status_code == 302 and again.get("/admin/").status_code == 200


def test_the_link_works_once_and_its_token_is_kept_nowhere(client, boss):
    token = LINK.search(ask(client).text)[1]
    with connection.cursor() as cursor:
        for table in ("invitation", "session", "django_admin_log", "procrastinate_jobs", "notice"):
            cursor.execute(f"select count(*) from {table} t where t::text like %s", [f"%{token}%"])
            assert cursor.fetchone() == (0,), table
    assert token not in client.get(f"{USERS}invitations/{Invitation.objects.get().pk}/").text
    assert join(token).status_code == 302
    answer = join(token, username="other")
    assert answer.status_code == 404 and get_user_model().objects.filter(email="marta@example.com").count() == 1


def test_a_new_link_ends_the_one_before_and_revoking_ends_both(client, boss):
    first = LINK.search(ask(client).text)[1]
    page = f"{USERS}invitations/{Invitation.objects.get().pk}/"
    second = LINK.search(client.post(page, {"resend": "yes"}).text)[1]
    assert invitations.find_invitation(first) is None and invitations.find_invitation(second) is not None
    client.post(page, {"revoke": "yes"})
    assert invitations.find_invitation(second) is None and not Invitation.objects.exists()
    assert join(second).status_code == 404
    assert client.get(page).status_code == 404


@pytest.mark.parametrize("why", ["expired", "sender left", "sender may less"])
def test_a_link_is_worth_no_more_than_its_sender(client, boss, why):
    issued = invitations.invite_user(boss, "marta@example.com", [group("Marketer")])
    assert invitations.find_invitation(issued.token)
    if why == "expired":
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert "Invitation expired" in client.get(USERS).text
    else:
        change = {"is_active": False} if why == "sender left" else {"is_superuser": False}
        get_user_model().objects.filter(pk=boss.pk).update(**change)
    assert invitations.find_invitation(issued.token) is None
    assert join(issued.token).status_code == 404
    assert not get_user_model().objects.filter(username="marta@example.com").exists()


def test_nobody_invites_somebody_who_may_do_more(client, boss):
    helper = get_user_model().objects.create_user("hilda")
    for right in ("add_user", "view_user", "view_person"):
        helper.user_permissions.add(Permission.objects.get(codename=right))
    helper = get_user_model().objects.get(pk=helper.pk)
    with pytest.raises(NotAllowedError):
        invitations.invite_user(helper, "marta@example.com", [group("Administrator")])
    client.force_login(helper)
    assert 'value="Administrator"' not in client.get(USERS + "add/").text
    assert ask(client, "Administrator").status_code == 200 and not Invitation.objects.exists()
    viewers = Group.objects.create(name="Lookers")
    viewers.permissions.add(Permission.objects.get(codename="view_person"))
    assert LINK.search(ask(client, "", besides=[viewers.pk]).text)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"email": "no address"}, "Enter an email address"),
        ({"email": "TAKEN@example.com"}, "with this address already exists"),
        ({"email": "waiting@example.com"}, "invitation for this address"),
        ({"role": ""}, "Choose a role"),
    ],
)
def test_what_will_not_do_is_said_beside_its_field(client, boss, given, said):
    get_user_model().objects.create_user("taken", email="taken@example.com")
    invitations.invite_user(boss, "Waiting@example.com", [group("Viewer")])
    answer = ask(client, **given)
    assert answer.status_code == 200 and said in answer.text and Invitation.objects.count() == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [({"username": "BOSS"}, "user of that name"), ({"password": "short"}, "too short"), ({"username": "a b"}, "valid")],
)
def test_what_a_joiner_enters_wrongly_leaves_the_link_as_it_was(boss, given, said):
    issued = invitations.invite_user(boss, "marta@example.com", [group("Viewer")])
    answer = join(issued.token, **given)
    assert answer.status_code == 200 and said in answer.text
    assert join(issued.token).status_code == 302


def test_guessed_links_are_counted_as_wrong_passwords(boss, settings):
    settings.LOGIN_FAILURES_PER_ADDRESS = 3
    answers = [Client().get(f"/join/?invitation=guess{number}").status_code for number in range(5)]
    assert answers[:3] == [404] * 3 and answers[-1] == 429


def test_the_mail_holds_the_link_in_the_language_of_who_invites(client, boss, settings, mailoutbox):
    settings.EMAIL_IS_SET_UP = True
    spoken = {"Accept-Language": "es"}
    form = {"email": "marta@example.com", "role": "Marketer"}
    shown = LINK.search(client.post(USERS + "add/", form, headers=spoken).text)[1]
    assert LINK.search(mailoutbox[0].body)[1] == shown
    assert mailoutbox[0].to == ["marta@example.com"] and "te invita" in mailoutbox[0].subject
    assert Invitation.objects.get().mailed_at


def test_whoever_joins_keeps_the_language_of_their_browser(client, boss):
    asked = client.post(
        USERS + "add/", {"email": "marta@example.com", "role": "Viewer"}, headers={"Accept-Language": "es"}
    )
    token, browser = LINK.search(asked.text)[1], Client(headers={"Accept-Language": "en"})
    assert "Join and sign in" in browser.get(f"/join/?invitation={token}").text
    join(token, browser)
    assert '<html lang="en"' in browser.get("/admin/").text
    assert get_user_model().objects.get(username="marta@example.com").language == "en"


def test_an_invitation_that_was_used_meanwhile_is_not_renewed(boss):
    issued = invitations.invite_user(boss, "marta@example.com", [group("Viewer")])
    invitations.accept_invitation(issued.token, username="marta", password=OWN)
    with pytest.raises(RejectedError):
        invitations.renew_invitation(issued.invitation, boss)


def test_an_invitation_that_ended_long_ago_is_removed_and_its_place_is_free(client, boss):
    ask(client)
    kept = Invitation.objects.get()
    tasks.delete_expired_rows(0)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(days=29))
    tasks.delete_expired_rows(0)
    assert Invitation.objects.get() == kept
    Invitation.objects.update(expires_at=timezone.now() - timedelta(days=31))
    tasks.delete_expired_rows(0)
    assert not Invitation.objects.exists()
    entry = LogEntry.objects.order_by("-pk")[0]
    assert audit.entry_details(entry)["action"] == "invitation_expired" and "marta" not in entry.object_repr
    assert LINK.search(ask(client).text)


OURS = ("people.", "activities.", "smartlists.", "config.")


def test_what_ends_by_a_date_is_removed_by_a_job(client, boss):
    """Every table whose rows end by a date: past it, and the time for which they are kept, none stays."""
    ask(client)
    tokens.create_personal_token(boss, "script", 1)
    Session.objects.update(expire_date=timezone.now())
    source_editing.rotate_key(source_editing.create_source("Shop", "server", boss).key.source, boss, timedelta(0))
    ended = {
        "access.Invitation": "expires_at",
        "access.ApiToken": "expires_at",
        "access.Session": "expire_date",
        "activities.SourceKey": "expires_at",
    }
    known = {
        model._meta.label: field.name
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if model.__module__.startswith(OURS)
        and field.name in ("expires_at", "expire_date", "expires_on", "valid_until")
    }
    assert known.pop("activities.InboundKey")  # removed with the calls: tests/activities/inbound/test_processing.py
    assert known.pop("activities.TrackedLink")  # leads elsewhere from then on, as its code is in print
    assert known == ended
    for label, name in ended.items():
        model = apps.get_model(label)
        assert model.objects.exists(), label
        model.objects.update(**{name: timezone.now() - timedelta(days=366)})
    tasks.delete_expired_rows(0)
    assert {label: apps.get_model(label).objects.count() for label in ended} == dict.fromkeys(ended, 0)
