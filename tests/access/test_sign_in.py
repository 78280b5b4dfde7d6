"""Getting in with a password: throttled, changed, and where one is signed in."""

from contextlib import ExitStack
from datetime import timedelta

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from config.access import sessions, throttling
from config.access.clients import editing as client_editing
from config.access.models import Session
from people.core.models import Installation
from tests.query_budget import query_budget

pytestmark = pytest.mark.django_db
GOOD, NEW = "correct horse battery", "a wholly other phrase"
NO_ROLE = {"is_staff": False, "is_superuser": False}
LOGIN, CHANGE = "/admin/login/", "/admin/password_change/"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(autouse=True)
def vera(settings):
    settings.AXES_ENABLED = True
    Installation.objects.create()
    return get_user_model().objects.create_superuser("vera", "vera.montero@example.com", GOOD)


def log_in(password, username="vera", address="198.51.100.1", client=None, **headers):
    words = {"username": username, "password": password}
    return (client or Client()).post(LOGIN, words, REMOTE_ADDR=address, headers=headers)


def lock(address="198.51.100.1", **headers):
    for _attempt in range(5):
        reply = log_in("wrong", address=address, **headers)
    return reply


@pytest.mark.parametrize(("language", "says"), [("en", "Too many attempts"), ("es", "Demasiados intentos")])
def test_too_many_wrong_passwords_lock_out_and_say_so(language, says):
    reply = lock(**{"Accept-Language": language})
    assert reply.status_code == 429 and says in reply.text and "15" in reply.text
    assert log_in(GOOD).status_code == 429, "the right one, too, while it lasts"


def test_a_stranger_locks_nobody_out_elsewhere():
    lock(address="203.0.113.9")
    assert log_in(GOOD, address="198.51.100.1").status_code == 302


def test_a_lock_of_one_user_name_is_none_of_another():
    get_user_model().objects.create_superuser("olga", password=GOOD)
    lock()
    assert log_in(GOOD, "olga").status_code == 302


def test_it_cools_off_although_a_program_goes_on_trying():
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        lock()
    with time_machine.travel(now + timedelta(minutes=14), tick=False):
        assert log_in("wrong").status_code == 429
    with time_machine.travel(now + timedelta(minutes=16), tick=False):
        assert log_in(GOOD).status_code == 302


def test_an_operator_lifts_a_lock():
    lock()
    call_command("axes_reset")
    assert log_in(GOOD).status_code == 302


def test_success_forgets_earlier_slips():
    for _round in range(3):
        for _attempt in range(4):
            log_in("wrong")
        assert log_in(GOOD).status_code == 302


def test_behind_a_trusted_proxy_the_address_is_what_that_proxy_says(settings):
    settings.TRUST_PROXY = True
    made_up = {"X-Forwarded-For": "203.0.113.7, 198.51.100.20"}
    lock(address="10.0.0.1", **made_up)
    assert (
        log_in(GOOD, address="10.0.0.1", **made_up | {"X-Forwarded-For": "203.0.113.8, 198.51.100.20"}).status_code
        == 429
    )
    assert log_in(GOOD, address="10.0.0.1", **{"X-Forwarded-For": "198.51.100.21"}).status_code == 302


def test_without_one_nobody_gives_an_address_of_their_choice():
    for attempt in range(5):
        reply = log_in("wrong", **{"X-Forwarded-For": f"203.0.113.{attempt}"})
    assert reply.status_code == 429


def test_wrong_secrets_from_elsewhere_lock_no_program_out(client, vera):
    made = client_editing.create_client("Bank core", vera, None)
    ask = {"grant_type": "client_credentials", "client_id": made.client_id}
    for _attempt in range(20):
        client.get("/identity/oauth/token", ask | {"client_secret": "wrong"}, REMOTE_ADDR="203.0.113.9")
        client.post("/api/v1/oauth/token", ask | {"client_secret": "wrong"}, REMOTE_ADDR="203.0.113.9")
    assert client.get("/identity/oauth/token", ask | {"client_secret": made.client_secret}).status_code == 200
    assert client.post("/api/v1/oauth/token", ask | {"client_secret": made.client_secret}).status_code == 200


@pytest.mark.parametrize("change", [{"is_active": False}, NO_ROLE, {"is_api_only": True}])
def test_who_may_not_come_in_is_told_what_a_wrong_password_is(vera, change):
    wrong = log_in("wrong").text.count("ca-error")
    get_user_model().objects.filter(pk=vera.pk).update(**change)
    reply = log_in(GOOD)
    assert reply.status_code == 200 and reply.text.count("ca-error") == wrong
    assert not reply.wsgi_request.user.is_authenticated


def words(new, old=GOOD):
    return {"old_password": old, "new_password1": new, "new_password2": new}


@pytest.mark.parametrize("bad", ["short-one-1", "password1234", "vera.montero1"])
def test_a_new_password_is_long_uncommon_and_not_the_user_name(client, vera, bad):
    client.force_login(vera)
    assert client.post(CHANGE, words(bad)).status_code == 200
    vera.refresh_from_db()
    assert vera.check_password(GOOD)


def test_the_rules_stand_on_the_form(client, vera):
    client.force_login(vera)
    assert "12" in client.get(CHANGE).text


def test_changing_ones_password_signs_out_elsewhere_only(client, vera):
    elsewhere = Client()
    elsewhere.force_login(vera)
    client.force_login(vera)
    assert client.post(CHANGE, words(NEW)).status_code == 302
    assert client.get("/admin/").status_code == 200
    assert elsewhere.get("/admin/").status_code == 302
    assert len(sessions.sessions_of(vera)) == 1
    assert (
        "password" in LogEntry.objects.latest("pk").change_message
        or LogEntry.objects.filter(change_message__contains="password_changed").exists()
    )


def test_a_password_that_somebody_else_chose_is_changed_first(client, vera):
    olga = get_user_model().objects.create_user("olga", password=GOOD, is_staff=True)
    signed_in = Client()
    signed_in.force_login(olga)
    client.force_login(vera)
    other = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    client.post(f"/admin/access/user/{olga.pk}/password/", other)
    assert signed_in.get("/admin/").status_code == 302, "their sessions are over"
    theirs = Client()
    log_in(NEW, "olga", client=theirs)
    assert theirs.get("/admin/people/person/").headers["Location"] == CHANGE
    assert theirs.get("/api/v1/me").status_code == 403
    assert theirs.post("/i18n/setlang/", {"language": "es"}).status_code == 302
    theirs.post(CHANGE, words("yet another phrase", NEW))
    assert theirs.get("/admin/").status_code == 200


def test_the_menu_of_languages_changes_the_pages_of_somebody_who_has_chosen_one_before(client, vera):
    get_user_model().objects.filter(pk=vera.pk).update(language="en")
    client.force_login(vera)
    assert client.get("/admin/").headers["Content-Language"] == "en"
    client.post("/i18n/setlang/", {"language": "es"})
    assert client.get("/admin/").headers["Content-Language"] == "es"
    assert client.post("/i18n/setlang/", {"language": "xx"}).status_code == 302
    vera.refresh_from_db()
    assert vera.language == "es"


def test_where_i_am_signed_in_is_shown_and_ended(client, vera):
    log_in(GOOD, client=client, **{"User-Agent": FIREFOX})
    phone = Client()
    log_in(
        GOOD,
        client=phone,
        address="203.0.113.80",
        **{"User-Agent": "Mozilla/5.0 (iPhone; …) Version/18.0 Safari/604.1"},
    )
    page = client.get("/account/").text
    assert "Firefox, Windows" in page and "203.0.113.80" in page and "iPhone" in page
    assert client.session.session_key not in page
    (other,) = [one for one in sessions.sessions_of(vera, client.session.session_key) if not one.is_this]
    client.post("/account/", {"end": other.name})
    assert phone.get("/admin/").status_code == 302 and client.get("/admin/").status_code == 200


def test_nobody_ends_a_session_of_another_on_their_own_page(client, vera):
    olga = get_user_model().objects.create_user("olga", is_staff=True)
    client.force_login(vera)
    theirs = Client()
    theirs.force_login(olga)
    client.post("/account/", {"end": sessions.sessions_of(olga)[0].name})
    client.post("/account/", {"end": "all"})
    assert theirs.get("/admin/").status_code == 200


def test_an_administrator_signs_somebody_out(client, vera):
    olga = get_user_model().objects.create_user("olga", is_staff=True)
    theirs = Client()
    theirs.force_login(olga)
    client.force_login(vera)
    assert client.post(f"/admin/access/user/{olga.pk}/sign-in/", {"end": "all"}).status_code == 302
    assert theirs.get("/admin/").status_code == 302
    assert LogEntry.objects.get(user=vera, object_id=str(olga.pk)).change_message


def test_a_session_ends_when_idle_and_when_old_however_busy(vera, settings):
    settings.SESSION_COOKIE_AGE, settings.SESSION_MAX_SECONDS = 3600, 4 * 3600
    now = timezone.now()
    idle, busy = Client(), Client()
    with time_machine.travel(now, tick=False):
        idle.force_login(vera)
        busy.force_login(vera)
    for minutes in range(30, 240, 30):
        with time_machine.travel(now + timedelta(minutes=minutes), tick=False):
            assert busy.get("/admin/notices/").status_code == 200
    with time_machine.travel(now + timedelta(minutes=61), tick=False):
        assert idle.get("/admin/notices/").status_code == 302
    with time_machine.travel(now + timedelta(minutes=245), tick=False):
        assert busy.get("/admin/notices/").status_code == 302


def test_being_seen_costs_no_write_a_request(client, vera):
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        client.force_login(vera)
        client.get("/account/")
    with time_machine.travel(now + timedelta(minutes=2), tick=False), query_budget("account"):
        client.get("/account/")
    before = Session.objects.get().seen_at
    with time_machine.travel(now + timedelta(minutes=6), tick=False):
        client.get("/account/")
    assert Session.objects.get().seen_at - before == timedelta(minutes=6)


def test_devices_are_called_by_their_names():
    assert sessions.device_name(FIREFOX) == "Firefox, Windows"
    assert sessions.device_name("Mozilla/5.0 (X11; Linux x86_64) Chrome/140 Safari/537.36 Edg/140") == "Edge, Linux"
    assert sessions.device_name("<script>") == ""


@pytest.mark.parametrize(
    ("addresses", "is_one"),
    [
        (["198.51.100.7", "::ffff:198.51.100.7"], True),
        (["2001:db8:1:2::1", "2001:db8:1:2:ffff::9"], True),
        (["2001:db8:1:2::1", "2001:db8:1:3::1"], False),
        (["198.51.100.7", "198.51.100.8"], False),
    ],
)
def test_wrong_passwords_of_one_address_are_counted_whoever_they_are_for(settings, addresses, is_one):
    settings.LOGIN_FAILURES_PER_ADDRESS = 3
    with time_machine.travel(timezone.now().replace(second=5), tick=False):
        for number in range(3):
            assert log_in("wrong", f"nobody{number}", addresses[0]).status_code == 200
        reply = log_in(GOOD, address=addresses[1])
        assert reply.status_code == (429 if is_one else 302)
        assert not is_one or reply.headers["Retry-After"] == "55"
    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
        assert log_in(GOOD, address=addresses[0]).status_code == 302


@pytest.mark.parametrize("path", ["/identity/oauth/token", "/api/v1/oauth/token"])
def test_wrong_secrets_are_counted_with_them(settings, vera, path):
    settings.LOGIN_FAILURES_PER_ADDRESS = 3
    made = client_editing.create_client("Shop", vera, None, client_editing.grantable_rights())
    right = {"grant_type": "client_credentials", "client_id": made.client_id, "client_secret": made.client_secret}
    with time_machine.travel(timezone.now().replace(second=5), tick=False):
        for _attempt in range(5):
            assert Client().post(path, right).status_code == 200, "right ones are not counted"
        for _attempt in range(3):
            assert Client().post(path, right | {"client_secret": "wrong"}).status_code == 401
        reply = Client().post(path, right)
    assert (reply.status_code, reply.headers["Retry-After"]) == (429, "55")


@pytest.fixture
def taken_slots(monkeypatch, tmp_path, settings):
    """Every slot for hashing is taken, and passwords are hashed as in production."""
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(throttling, "WAIT_SECONDS", 0.05)
    with ExitStack() as held:
        for _slot in range(throttling.SLOTS):
            held.enter_context(throttling.hashing_slot())
        yield held
    with throttling.hashing_slot():
        pass  # free again


@pytest.mark.parametrize("path", [LOGIN, "/identity/oauth/token", "/api/v1/oauth/token"])
def test_passwords_are_not_hashed_on_all_processors_at_once(settings, vera, request, path):
    settings.PASSWORD_HASHERS = ["config.access.throttling.BoundedPBKDF2"]
    settings.OAUTH2_PROVIDER = {"CLIENT_SECRET_HASHER": "default"}
    vera.set_password(GOOD)
    vera.save()
    made = client_editing.create_client("Shop", vera, None, client_editing.grantable_rights())
    words = {
        "username": "vera",
        "password": GOOD,
        "grant_type": "client_credentials",
        "client_id": made.client_id,
        "client_secret": made.client_secret,
    }
    assert Client().post(path, words).status_code in {200, 302}
    request.getfixturevalue("taken_slots")
    reply = Client().post(path, words)
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "5")
