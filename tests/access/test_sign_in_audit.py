"""Sign-ins and who may do what leave audit entries: who, when, from where; never what was typed."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client

from config.access.sign_in import passwords
from people.core import audit
from people.core.models import Installation
from tests.access.test_second_factor import PASSWORD, code_of, log_in, secret  # noqa: F401 (a fixture)

pytestmark = pytest.mark.django_db
LOGIN = "/admin/login/"
ADDRESS = "198.51.100.1"


@pytest.fixture(autouse=True)
def vera(settings, transactional_db):
    cache.clear()
    settings.AXES_ENABLED = True
    Installation.objects.create()
    return get_user_model().objects.create_superuser("vera", password=PASSWORD)


def attempt(password, username="vera", client=None):
    return (client or Client()).post(LOGIN, {"username": username, "password": password}, REMOTE_ADDR=ADDRESS)


def entries(*actions):
    """(action, who did it, to whom, details) of what was noted, oldest first."""
    found = []
    for entry in LogEntry.objects.select_related("user").order_by("pk"):
        details = audit.entry_details(entry)
        action = details.pop("action")
        if action in actions:
            found.append((action, entry.user.get_username(), entry.object_repr, details))
    return found


def test_coming_in_and_going_are_noted():
    browser = Client()
    attempt(PASSWORD, client=browser)
    browser.post("/admin/logout/")
    assert entries("signed_in", "signed_out") == [
        ("signed_in", "vera", "vera", {"address": ADDRESS}),
        ("signed_out", "vera", "vera", {}),
    ]


def test_wrong_passwords_and_the_lock_are_noted_once_each_and_nothing_that_was_typed():
    for _attempt in range(8):
        attempt("my bank's password")
    attempt("another", "my bank's password")
    noted = entries("sign_in_failed", "sign_in_locked")
    assert [action for action, *_rest in noted] == ["sign_in_failed"] * 4 + ["sign_in_locked"]
    assert {(who, whom) for _action, who, whom, _details in noted} == {("system", "vera")}
    assert not LogEntry.objects.filter(change_message__contains="bank").exists()
    assert not LogEntry.objects.filter(object_repr__contains="bank").exists()


def test_the_second_step_counts_and_its_wrong_codes_are_noted(secret):  # noqa: F811
    before = len(entries("signed_in"))
    other = Client()
    log_in(other)
    assert len(entries("signed_in")) == before, "the password alone is no sign-in"
    other.post("/admin/login/second/", {"code": "000000"})
    other.post("/admin/login/second/", {"code": code_of(secret)})
    assert len(entries("second_step_failed")) == 1 and len(entries("signed_in")) == before + 1


def test_they_are_found_on_the_audit_page(client, vera):
    attempt("wrong")
    client.force_login(vera)
    page = client.get("/admin/audit/", {"what": "sign_in_failed", "thing": "vera"}).text
    assert f"A wrong password was entered from {ADDRESS}" in page
    assert "from … is locked" in page, "what can be searched for"


def test_roles_given_and_taken_are_noted(client, vera):
    olga = get_user_model().objects.create_user("olga", is_staff=True)
    olga.groups.add(Group.objects.get(name="Viewer"))
    client.force_login(vera)
    for _twice in range(2):
        reply = client.post(f"/admin/access/user/{olga.pk}/change/", {"username": "olga", "role": "Approver"})
        assert reply.status_code == 302, reply.context["form"].errors
    client.post(f"/admin/access/user/{olga.pk}/deactivate/", {})
    assert entries("roles_changed", "superuser_given", "superuser_taken", "reactivated", "deactivated") == [
        ("roles_changed", "vera", "olga", {"given": "Approver", "taken": "Viewer"}),
        ("deactivated", "vera", "olga", {}),
    ]


def test_passwords_are_noted(vera):
    passwords.change_password(vera, "a wholly other phrase", vera)
    assert entries("password_changed") == [("password_changed", "vera", "vera", {})]


def test_an_operator_resets_a_lost_second_step(client, secret, capsys):  # noqa: F811
    call_command("reset_second_factor", "vera", dry_run=True)
    assert "has a second step" in capsys.readouterr().out and client.get("/admin/").status_code == 200
    call_command("reset_second_factor", "vera")
    assert "Took 2" in capsys.readouterr().out
    assert client.get("/admin/").status_code == 302, "its sessions are over"
    other = Client()
    log_in(other)
    assert other.get("/admin/").status_code == 200
    assert entries("factors_reset") == [("factors_reset", "system", "vera", {})]
    with pytest.raises(CommandError, match="no user 'nobody'"):
        call_command("reset_second_factor", "nobody")
