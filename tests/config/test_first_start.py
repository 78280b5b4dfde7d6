"""The first start: from the environment, or by the setup page."""

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.urls import reverse

from activities.models import ActivityType
from config import demo
from people.core import installation
from people.core.models import Installation
from people.models import Person

pytestmark = pytest.mark.django_db
VARIABLES = ("ADMIN_PASSWORD", "INSTANCE_TIME_ZONE", "INSTANCE_CURRENCY", "INSTANCE_LANGUAGE")


@pytest.fixture
def start(monkeypatch, settings, capsys):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def run(with_demo=False, **environment):
        settings.WITH_DEMO = with_demo
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        call_command("first_start")
        return capsys.readouterr().out

    return run


def answers(**changes):
    return {
        "username": "vera",
        "password": "",
        "company": "Autohaus Süd",
        "time_zone": "Europe/Madrid",
        "currency": "EUR",
        "language": "es",
        "week_starts_on": "0",
        "with_demo": "empty",
    } | changes


def test_the_printed_password_is_the_administrators_and_is_printed_once(start, client):
    said = start()
    password = said.split("password ")[1].split()[0]
    assert client.login(username="admin", password=password)
    assert password not in start()
    assert not installation.is_installation_set_up()


def test_the_printed_password_opens_nothing_but_the_page_that_replaces_it(start, client):
    password = start().split("password ")[1].split()[0]
    client.post("/admin/login/", {"username": "admin", "password": password})
    assert client.get("/admin/people/person/").headers["Location"] == reverse("setup")
    assert client.get("/api/v1/people").status_code == 403
    wrong = client.post(reverse("setup"), answers())
    assert wrong.status_code == 200 and not installation.is_installation_set_up(), "it cannot stay"
    client.post(reverse("setup"), answers(password="a new long password"))
    assert client.get("/admin/people/person/").status_code == 200
    assert not client.login(username="vera", password=password)
    assert not get_user_model().objects.get(is_superuser=True).must_change_password


def test_the_environment_sets_it_up_without_asking(start, client):
    said = start(ADMIN_PASSWORD="given-by-me", INSTANCE_TIME_ZONE="America/Bogota", INSTANCE_CURRENCY="cop")
    assert "given-by-me" not in said
    kept = Installation.objects.get()
    assert (kept.time_zone, kept.currency, kept.language) == ("America/Bogota", "COP", "en")
    client.login(username="admin", password="given-by-me")
    assert client.get(reverse("setup")).status_code == 302


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INSTANCE_TIME_ZONE", "Mars/Olympus"),
        ("INSTANCE_TIME_ZONE", "../etc"),
        ("INSTANCE_CURRENCY", "€"),
        ("INSTANCE_LANGUAGE", "fr"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_made(start, name, value):
    with pytest.raises(CommandError, match=name):
        start(**{name: value})
    assert not get_user_model().objects.exists() and not Installation.objects.exists()


def test_the_demo_is_loaded_where_wanted(start):
    assert "loaded the demo" in start(with_demo=True)
    assert Person.objects.live().count() == 300


def test_the_first_visit_leads_to_the_setup_page_until_it_is_done(client):
    admin = get_user_model().objects.create_superuser("admin", password="x")
    client.force_login(admin)
    assert client.get(reverse("admin:index")).headers["Location"] == reverse("setup")
    page = client.get(reverse("setup")).text
    assert "Europe/Madrid" in page and '<option value="USD" selected>' in page
    reply = client.post(reverse("setup"), answers(password="a new long password"))
    assert reply.headers["Location"] == reverse("admin:index")
    kept = Installation.objects.get()
    assert (kept.company, kept.time_zone, kept.currency, kept.language) == (
        "Autohaus Süd",
        "Europe/Madrid",
        "EUR",
        "es",
    )
    admin.refresh_from_db()
    assert admin.language == "es", "in every browser"
    assert client.get(reverse("admin:index")).status_code == 200, "still logged in, and not asked again"
    assert client.login(username="vera", password="a new long password")
    assert client.post(reverse("setup"), answers(company="Again")).status_code == 302
    assert Installation.objects.get().company == "Autohaus Süd"


@pytest.mark.slow
def test_the_demo_stays_goes_or_comes_as_it_was_said(client):
    client.force_login(get_user_model().objects.create_superuser("vera", password="x"))
    demo.load_demo(None)
    client.post(reverse("setup"), answers(with_demo="empty"))
    assert not ActivityType.objects.custom().existing().exists()
    Installation.objects.all().delete()
    installation.clear_installation_cache()
    client.post(reverse("setup"), answers(with_demo="demo"))
    assert ActivityType.objects.custom().existing().filter(live__name="Comprar coche").exists()


def test_wrong_answers_are_said_and_change_nothing(client):
    get_user_model().objects.create_user("Taken")
    client.force_login(get_user_model().objects.create_superuser("admin", password="x"))
    wrong = answers(username="taken", password="12345", time_zone="Mars/Olympus", currency="DM", with_demo="maybe")
    reply = client.post(reverse("setup"), wrong)
    assert reply.status_code == 200 and reply.text.count('role="alert"') >= 5
    assert not Installation.objects.exists()


def test_only_an_administrator_sets_up(client):
    assert client.get(reverse("setup")).status_code == 302
    client.force_login(get_user_model().objects.create_user("marta", is_staff=True))
    assert client.get(reverse("setup")).status_code == 403
    assert client.get(reverse("admin:index")).status_code == 200
