"""The second step at sign-in: set up, requested, enforced, reset; codes open once."""

import re
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import Client

from people.core.models import Installation

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
LOGIN, SECOND = "/admin/login/", "/admin/login/second/"


@pytest.fixture(autouse=True)
def vera(transactional_db):
    cache.clear()
    Installation.objects.create()
    return get_user_model().objects.create_superuser("vera", password=PASSWORD)


def code_of(secret, step=0):
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + step))


def log_in(client, user="vera"):
    return client.post(LOGIN, {"username": user, "password": PASSWORD})


@pytest.fixture
def secret(client, vera):
    """Set up through the pages, as a person does."""
    log_in(client)
    asked = client.get("/account/app/")
    assert asked.headers["Location"].startswith("/account/confirm/")
    client.post(asked.headers["Location"], {"password": PASSWORD})
    page = client.get("/account/app/").text
    found = re.search(r'id="totp_secret">([A-Z2-7]+)<', page)[1]
    assert client.post("/account/app/", {"code": code_of(found, -1)}).headers["Location"] == "/account/codes/"
    return found


def recovery_codes(client):
    return re.findall(r"<code>(\d{8})</code>", client.get("/account/codes/").text)


def test_the_password_alone_opens_nothing_any_more(secret):
    other = Client()
    assert log_in(other).headers["Location"] == SECOND
    assert other.get("/admin/").status_code == 302 and other.get("/api/v1/me").status_code == 401
    assert "right" in other.post(SECOND, {"code": "000000"}).text
    assert other.post(SECOND, {"code": code_of(secret)}).status_code == 302
    assert other.get("/admin/").status_code == 200


def test_a_code_opens_once(secret):
    one, two, code = Client(), Client(), code_of(secret)
    log_in(one)
    log_in(two)
    one.post(SECOND, {"code": code})
    two.post(SECOND, {"code": code})
    assert one.get("/admin/").status_code == 200 and two.get("/admin/").status_code == 302


def test_a_recovery_code_opens_once(client, secret):
    code, *_others = recovery_codes(client)
    for expected in (200, 302):
        other = Client()
        log_in(other)
        other.post(SECOND, {"code": code})
        assert other.get("/admin/").status_code == expected


def test_codes_cannot_be_guessed_for_long(secret):
    other = Client()
    log_in(other)
    for attempt in range(11):
        other.post(SECOND, {"code": f"{attempt:06}"})
    assert "quarter of an hour" in other.post(SECOND, {"code": code_of(secret)}).text
    assert other.get("/admin/").status_code == 302


def test_the_second_step_leads_where_somebody_wanted_to_go(secret):
    other = Client()
    other.post(f"{LOGIN}?next=/admin/notices/", {"username": "vera", "password": PASSWORD, "next": "/admin/notices/"})
    assert other.post(SECOND, {"code": code_of(secret)}).headers["Location"] == "/admin/notices/"


def test_secrets_are_not_kept_as_they_are(client, secret):
    kept = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in kept and not any(code in kept for code in recovery_codes(client))


def test_what_was_done_is_in_the_audit_log(client, secret):
    client.post("/account/app/remove/")
    messages = "".join(LogEntry.objects.values_list("change_message", flat=True))
    assert "totp_added" in messages and "totp_removed" in messages


def test_changing_it_needs_the_password_again(secret):
    other = Client()
    log_in(other)
    other.post(SECOND, {"code": code_of(secret)})
    for address in ("/account/app/remove/", "/account/codes/", "/account/codes/new/", "/account/passkeys/add/"):
        assert "/account/confirm/" in other.get(address).headers["Location"]
    other.post("/account/app/remove/")
    assert Authenticator.objects.filter(type="totp").exists()


@pytest.mark.parametrize(
    ("wanted", "role", "asked"),
    [
        (["Approver"], "Approver", True),
        (["Approver"], "Viewer", False),
        (["all"], "Viewer", True),
        ([], "Approver", False),
    ],
)
def test_it_is_enforced_by_role(client, settings, wanted, role, asked):
    settings.REQUIRE_SECOND_FACTOR = wanted
    olga = get_user_model().objects.create_user("olga", password=PASSWORD, is_staff=True)
    olga.groups.add(Group.objects.get(name=role))
    log_in(client, "olga")
    reply = client.get("/admin/notices/")
    assert (reply.status_code, reply.headers.get("Location")) == ((302, "/account/") if asked else (200, None))
    assert client.get("/api/v1/me").status_code == (403 if asked else 200)
    assert client.get("/account/").status_code == 200


def test_administrators_by_superuser_count_too(client, settings, vera):
    settings.REQUIRE_SECOND_FACTOR = ["Administrator"]
    client.force_login(vera)
    assert client.get("/admin/").headers["Location"] == "/account/"


def test_an_administrator_resets_a_lost_one(client, secret):
    boss = get_user_model().objects.create_superuser("boss", password=PASSWORD)
    theirs = Client()
    theirs.force_login(boss)
    vera = get_user_model().objects.get(username="vera")
    theirs.post(f"/admin/access/user/{vera.pk}/sign-in/", {"reset": "yes"})
    assert client.get("/admin/").status_code == 302, "its sessions are over"
    other = Client()
    log_in(other)
    assert other.get("/admin/").status_code == 200
    assert "factors_reset" in LogEntry.objects.filter(user=boss).earliest("pk").change_message


@pytest.mark.parametrize(
    "address",
    ["/admin/login/signup/", "/account/signup/", "/accounts/login/", "/accounts/signup/", "/account/password/reset/"],
)
def test_there_is_no_other_door_and_nobody_signs_up(client, address):
    assert client.get(address).status_code in {302, 404}
    assert "<form" not in client.get(address, follow=False).text
