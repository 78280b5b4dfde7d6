"""The pages of event sources."""

from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from activities.models import EventSource, SourceKey
from activities.sources import editing, usage
from tests.activities.sources.senders import authenticate

pytestmark = pytest.mark.django_db
LIST = "/admin/activities/eventsource/"
SITE = "https://www.example.com"
FORM = {
    "name": "Shop",
    "kind": "browser",
    "origins": f"{SITE}\n https://*.example.org \n",
    "consent": "granted",
    "user_id_field": "email",
    "site_group": "main",
    "munchkin_id": "",
    "megabytes_a_day": "500",
}


@pytest.fixture
def staff(client):
    client.force_login(get_user_model().objects.create_superuser("vera", password="x"))
    return client


def do(client, source, verb, **data):
    return client.post(reverse("admin:activities_eventsource_do", args=[source.pk, verb]), data, follow=True)


def test_a_site_is_made_and_its_secret_shown_once(staff):
    assert "Nothing has arrived" not in staff.get(LIST).text and "can only add" in staff.get(LIST).text
    reply = staff.post(f"{LIST}add/", FORM)
    source, key = EventSource.objects.get(), SourceKey.objects.get()
    assert source.origins == [SITE, "https://*.example.org"] and source.bytes_a_day == 500_000_000
    assert "no-store" in reply["Cache-Control"] and key.lookup in reply.text
    secret = reply.context["details"]["identity_secret"]
    assert f'data-copy="{secret}"' in reply.text
    shown = staff.get(f"{LIST}{source.pk}/change/").text
    assert secret not in shown and f'data-copy="{key.lookup}"' in shown
    assert "Shop" in staff.get(LIST).text
    program = staff.post(f"{LIST}add/", {**FORM, "name": "Till", "kind": "server", "origins": "", "user_id_field": ""})
    key = program.context["details"]["write_key"]
    assert f"curl -u {key}: " in unescape(program.text), "ready to run, this once"
    assert [kind for kind, _label in staff.get(f"{LIST}add/").context["form"].fields["kind"].choices] == [
        "browser",
        "server",
    ]


def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(staff):
    reply = staff.post(f"{LIST}add/", {**FORM, "origins": "example.com", "munchkin_id": "1", "name": ""})
    errors = reply.context["form"].errors
    assert set(errors) == {"name"} and not EventSource.objects.exists()
    reply = staff.post(f"{LIST}add/", {**FORM, "origins": "example.com", "munchkin_id": "1"})
    assert set(reply.context["form"].errors) == {"origins", "munchkin_id"}
    assert "example.com" in reply.context["form"].errors["origins"][0] and "example.com</textarea>" in reply.text
    assert set(staff.post(f"{LIST}add/", {**FORM, "megabytes_a_day": "x"}).context["form"].errors) == {
        "megabytes_a_day"
    }


def test_settings_are_changed_and_a_change_meanwhile_is_said(staff):
    source = editing.create_source("Shop", "browser", None, origins=[SITE], bytes_a_day=1_234_567).key.source
    address = f"{LIST}{source.pk}/change/"
    form = {**FORM, "revision": "1", "consent": "denied", "megabytes_a_day": "1"}
    assert staff.post(address, form).status_code == 302
    source.refresh_from_db()
    assert (source.consent, source.bytes_a_day, source.kind) == ("denied", 1_234_567, "browser")
    for _again in range(2):  # the page keeps the revision of what was typed
        reply = staff.post(address, form)
        assert "in the meantime" in reply.text and 'name="revision" value="1"' in reply.text
    assert 'name="revision" value="2"' in staff.get(address).text


def test_keys_are_rotated_and_ended(staff):
    first = editing.create_source("ERP", "server", None)
    source = first.key.source
    reply = do(staff, source, "rotate", overlap="24")
    assert authenticate(first.write_key) and authenticate(reply.context["details"]["write_key"])
    assert "identity_secret" not in reply.context["details"]
    assert "The key no longer works." in do(staff, source, "end", key=first.key.pk).text
    assert "The key has ended already." in do(staff, source, "end", key=first.key.pk).text
    assert SourceKey.objects.count() == 2
    form = staff.get(f"{LIST}{source.pk}/change/").context["form"]
    assert not {"kind", "origins", "munchkin_id"} & set(form.fields), "of web sites only"
    settings = {name: FORM[name] for name in ("consent", "user_id_field", "site_group", "megabytes_a_day")}
    assert staff.post(f"{LIST}{source.pk}/change/", {**settings, "name": "ERP 2"}).status_code == 302
    assert EventSource.objects.get().name == "ERP 2"


def test_it_is_turned_off_and_deleted_while_nothing_came_in(staff):
    source = editing.create_source("ERP", "server", None).key.source
    assert "The event source is off." in do(staff, source, "off").text
    assert "The event source is on." in do(staff, source, "on").text
    assert do(staff, source, "of").status_code == 404
    source.refresh_from_db()
    assert source.is_on
    usage.note_uses({source.pk: usage.Use(1, 1_500, 3)})
    shown = staff.get(f"{LIST}{source.pk}/change/").text
    assert "Delete event source" not in shown and "1.5" in shown
    assert "it stays" in do(staff, source, "delete").text and EventSource.objects.exists()
    other = editing.create_source("CRM", "server", None).key.source
    assert "Delete event source" in staff.get(f"{LIST}{other.pk}/change/").text
    assert "Deleted." in do(staff, other, "delete").text


def test_a_program_that_identifies_nobody_says_so_and_is_mended(staff):
    source = editing.create_source("Old shop", "server", None, user_id_field="").key.source
    assert "identify nobody yet" in staff.get(reverse("admin:activities_eventsource_change", args=[source.pk])).text
    page = do(staff, source, "identify").text
    assert "identify people from now on" in page and "identify nobody" not in page


def test_marketers_look_and_developers_change():
    source = editing.create_source("ERP", "server", None).key.source
    for role, status in (("Marketer", 403), ("Developer", 200)):
        user = get_user_model().objects.create_user(role, password="x", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        browser = Client()
        browser.force_login(user)
        shown = browser.get(f"{LIST}{source.pk}/change/")
        assert shown.status_code == 200 and ("Create new key" in shown.text) == (role == "Developer")
        assert do(browser, source, "off").status_code == status
        assert browser.get(f"{LIST}add/").status_code == status


@pytest.mark.parametrize("language", ["en", "es"])
def test_pages_speak_both_languages(staff, language):
    source = editing.create_source("Shop", "browser", None, origins=[SITE]).key.source
    staff.cookies["django_language"] = language
    for address in (LIST, f"{LIST}add/", f"{LIST}{source.pk}/change/"):
        assert ("Fuente" in staff.get(address).text or "fuente" in staff.get(address).text) == (language == "es")
