"""Changes of users to their own accounts: details at once, an address once its link is opened by the same user."""

import re
import time

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone

from config.access import sessions
from config.access.users import editing, own_account
from people.core import audit

pytestmark = pytest.mark.django_db


def member(name):
    user = get_user_model().objects.create_user(name, f"{name}@example.com", "a long password")
    user.groups.add(Group.objects.get(name="Viewer"))
    return user


@pytest.fixture
def vera(client, settings):
    settings.EMAIL_IS_SET_UP = True
    user = member("vera")
    client.force_login(user)
    return user


DETAILS = {"details": "1", "first_name": "Vera", "last_name": "Núñez", "email": "vera@example.com"}


def test_details_count_at_once(vera, client):
    reply = client.post("/account/", DETAILS | {"language": "es", "time_zone": "Europe/Madrid"}, follow=True)
    vera.refresh_from_db()
    assert (vera.get_full_name(), vera.language, vera.time_zone) == ("Vera Núñez", "es", "Europe/Madrid")
    assert client.cookies["django_language"].value == "es" and "Tu cuenta" in reply.text
    assert "first_name" in LogEntry.objects.latest("pk").change_message


WRONG = (("time_zone", "Mars/Base"), ("language", "xx"), ("email", "nobody"), ("email", ""))


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_saved(vera, client, name, value):
    page = client.post("/account/", DETAILS | {name: value})
    assert page.status_code == 200 and page.context["form"].errors[name]
    vera.refresh_from_db()
    assert vera.first_name == ""


def link_to_new_address(client, mailoutbox, email="new@example.com"):
    client.post("/account/", DETAILS | {"email": email})
    assert [letter.to for letter in mailoutbox[-1:]] == [[email]]
    return re.search(r"http://testserver(\S+)", mailoutbox[-1].body)[1]


def test_an_address_counts_once_its_link_is_opened(vera, client, mailoutbox):
    link = link_to_new_address(client, mailoutbox)
    vera.refresh_from_db()
    assert vera.email == "vera@example.com"
    page = client.get(link)
    assert "new@example.com" in page.text
    client.post("/account/email/", {"token": page.context["token"]})
    vera.refresh_from_db()
    assert vera.email == "new@example.com"
    assert "no longer works" in client.get(link).text  # once


def test_a_link_is_of_one_user_for_three_days(vera, client, mailoutbox):
    link = link_to_new_address(client, mailoutbox)
    with time_machine.travel(timezone.now() + own_account.LIFETIME * 1.1):
        client.force_login(vera)
        assert client.get(link).status_code == 400
    other = member("otto")
    client.force_login(other)
    assert client.get(link).status_code == 400
    assert client.post("/account/email/", {"token": link.partition("token=")[2]}).status_code == 400
    other.refresh_from_db()
    assert other.email == "otto@example.com"
    assert client.get("/account/email/?token=1:2:3").status_code == 400


def test_an_older_session_changes_no_address_until_it_is_confirmed(vera, client, mailoutbox):
    session = client.session
    session[sessions.SIGN_IN] = {**session[sessions.SIGN_IN], "at": int(time.time()) - 600}
    session.save()
    reply = client.post("/account/", DETAILS | {"email": "new@example.com"})
    assert reply["Location"] == sessions.confirmation_url(vera, "/account/") and not mailoutbox
    vera.refresh_from_db()
    assert (vera.first_name, vera.email) == ("Vera", "vera@example.com")
    client.force_login(vera)
    link_to_new_address(client, mailoutbox)


def test_an_address_of_another_user_is_refused_at_the_request_and_at_the_link(vera, client, mailoutbox):
    otto = member("otto")
    page = client.post("/account/", DETAILS | {"email": "OTTO@example.com"})
    assert page.context["form"].errors["email"] and not mailoutbox
    link = link_to_new_address(client, mailoutbox)
    otto.email = "New@example.com"
    otto.save()
    assert "Another user" in client.post("/account/email/", {"token": token_of(client, link)}).text
    vera.refresh_from_db()
    assert vera.email == "vera@example.com"


def token_of(client, link):
    return client.get(link).context["token"]


def test_the_old_address_hears_of_it_and_the_entry_names_both_masked(
    vera, client, mailoutbox, django_capture_on_commit_callbacks
):
    token = token_of(client, link_to_new_address(client, mailoutbox))
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/account/email/", {"token": token})
    assert mailoutbox[-1].to == ["vera@example.com"] and "n…@example.com" in mailoutbox[-1].body
    said = audit.entry_sentence(LogEntry.objects.latest("pk"))
    assert "v…@example.com" in said and "n…@example.com" in said


def test_an_address_that_an_administrator_restores_revives_no_link(vera, client, mailoutbox):
    links = [link_to_new_address(client, mailoutbox, f"{name}@email.example") for name in "ab"]
    tokens = [token_of(client, link) for link in links]
    client.post("/account/email/", {"token": tokens[0]})
    vera.refresh_from_db()
    assert vera.email == "a@email.example"
    editing.change_user(vera, None, vera.groups.all(), email="vera@example.com")
    for token in tokens:
        assert client.post("/account/email/", {"token": token}).status_code == 400
    link_to_new_address(client, mailoutbox, "c@example.com")


def test_a_user_asks_for_five_addresses_an_hour(vera, client, mailoutbox):
    for number in range(own_account.MOST_AN_HOUR):
        link_to_new_address(client, mailoutbox, f"new{number}@example.com")
    page = client.post("/account/", DETAILS | {"email": "new@example.com"})
    assert page.context["form"].errors["email"] and len(mailoutbox) == own_account.MOST_AN_HOUR


def test_the_account_s_language_holds_in_every_browser(vera, client):
    vera.language = "es"
    vera.save()
    client.cookies.clear()
    client.force_login(vera)
    assert "Tu cuenta" in client.get("/account/", headers={"Accept-Language": "en"}).text
    vera.language = ""
    vera.save()
    assert "Your account" in client.get("/account/", headers={"Accept-Language": "en"}).text


def test_without_email_an_administrator_changes_the_address(vera, client, settings, mailoutbox):
    settings.EMAIL_IS_SET_UP = False
    assert "an administrator changes the address" in client.get("/account/").text
    client.post("/account/", DETAILS | {"email": "new@example.com"})
    vera.refresh_from_db()
    assert (vera.first_name, vera.email, mailoutbox) == ("Vera", "vera@example.com", [])
