"""What users change of themselves: details at once, an address once its link is opened by the same user."""

import re

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone

from config.access.users import own_account

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


def test_without_email_an_administrator_changes_the_address(vera, client, settings, mailoutbox):
    settings.EMAIL_IS_SET_UP = False
    assert "an administrator changes the address" in client.get("/account/").text
    client.post("/account/", DETAILS | {"email": "new@example.com"})
    vera.refresh_from_db()
    assert (vera.first_name, vera.email, mailoutbox) == ("Vera", "vera@example.com", [])
