"""Common parts of pages: the menu of an object's actions, messages with an undo, moments, the frame."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone, translation

from people.lists import static_lists
from people.templatetags.moments import moment
from smartlists.lists import editing as list_editing
from smartlists.models import SmartList
from tests.factories import approved_type, make_person
from tests.smartlists.campaign_factories import add_to_list_step, make_draft_campaign

pytestmark = pytest.mark.django_db
ORDER = ["Duplicate", "Move to folder", "Change owner", "Export", "Archive", "Delete…"]
ALL = {"version": 1, "match": "all", "filters": []}


def entries(client, address):
    """(the entries of the menu of actions in their order, the whole page)."""
    page = client.get(address).text
    items = re.search(r'aria-label="More actions".*?<div class="ca-menu__items">(.*?)</div>', page, re.S)
    found = re.findall(r"<(?:a|button)\b[^>]*>(.*?)</(?:a|button)>", items[1], re.S)
    return [unescape(entry.strip()) for entry in found], page


def objects():
    guests = static_lists.create_static_list("Guests", None)
    yield (
        "activities_activitytype",
        approved_type(),
        ["Duplicate", "Move to folder", "Change owner", "Export", "Delete…"],
    )
    yield "people_person", make_person(email="ana@example.com"), ["Export", "Delete…"]
    yield "people_staticlist", guests, ["Move to folder", "Change owner", "Archive", "Delete…"]
    yield "smartlists_smartlist", list_editing.create_smart_list("Everybody", ALL, None), ORDER
    yield (
        "smartlists_smartcampaign",
        make_draft_campaign(add_to_list_step(guests)),
        ["Duplicate", "Export", "Archive", "Delete…"],
    )


def test_every_object_offers_its_actions_in_one_place_and_order(admin_client):
    for model, made, wanted in objects():
        offered, page = entries(admin_client, reverse(f"admin:{model}_change", args=[made.pk]))
        shared = [name for entry in offered for name in ORDER if entry.startswith(name)]
        assert shared == wanted, model
        assert offered[-1] == "Delete…" and page.count('aria-label="More actions"') == 1
        for link in re.findall(r'<a href="([^"#]+)[^"]*"[^>]*>(?:Duplicate|Move|Change owner|Delete…)', page):
            assert admin_client.get(unescape(link)).status_code == 200, link


def test_who_may_only_look_is_offered_no_action(client, django_user_model):
    viewer = django_user_model.objects.create_user("vic", is_staff=True)
    viewer.user_permissions.set(_right("view_smartlist"))
    client.force_login(viewer)
    made = list_editing.create_smart_list("Everybody", ALL, None)
    assert (
        'aria-label="More actions"' not in client.get(reverse("admin:smartlists_smartlist_change", args=[made.pk])).text
    )


def _right(codename):
    from django.contrib.auth.models import Permission

    return Permission.objects.filter(codename=codename)


def test_an_archived_list_is_taken_back_by_the_button_of_the_message(admin_client):
    made = list_editing.create_smart_list("Everybody", ALL, None)
    archive = reverse("admin:smartlists_smartlist_archive", args=[made.pk])
    page = admin_client.post(archive, follow=True).text
    assert SmartList.objects.get().is_archived
    undo = re.search(r'ca-message--good.*?<form method="post" action="([^"]+)".*?Undo', page, re.S)[1]
    admin_client.post(undo)
    assert not SmartList.objects.get().is_archived


def test_a_copy_has_the_name_that_was_asked_for(admin_client):
    made = list_editing.create_smart_list("Everybody", ALL, None)
    copy = reverse("admin:smartlists_smartlist_copy", args=[made.pk])
    assert 'value="Copy of Everybody"' in admin_client.get(copy).text
    assert "already" in admin_client.post(copy, {"name": "everybody"}).text
    admin_client.post(copy, {"name": "All"})
    assert sorted(SmartList.objects.values_list("name", flat=True)) == ["All", "Everybody"]


def test_the_way_to_a_page_ends_with_the_object_as_it_is_written(admin_client):
    found = make_person(email="lucia@example.com")
    page = admin_client.get(reverse("admin:people_person_change", args=[found.pk])).text
    way = re.search(r"<h1[^>]*>(.*?)</h1>", page, re.S)[1]
    names = [name.strip() for name in re.findall(r">([^<>]+)<", way) if name.strip()]
    assert names == ["People", "chevron_right", "lucia@example.com"]


@pytest.mark.parametrize(
    ("age", "english", "spanish"),
    [
        (timedelta(seconds=20), "just now", "ahora mismo"),
        (timedelta(minutes=1), "1 minute ago", "hace 1 minuto"),
        (timedelta(hours=23, minutes=59), "23 hours ago", "hace 23 horas"),
        (timedelta(days=6, hours=23), "6 days ago", "hace 6 días"),
    ],
)
def test_a_moment_of_this_week_is_relative_and_says_exactly_when(age, english, spanish):
    when = timezone.now() - age
    for language, wanted in (("en", english), ("es", spanish)):
        with translation.override(language):
            shown = moment(when)
            assert f">{wanted}</time>" in shown and f'datetime="{when.isoformat(timespec="seconds")}"' in shown


@pytest.mark.parametrize(("language", "wanted"), [("en", "29 Nov 2020, 14:05"), ("es", "29 nov 2020, 14:05")])
def test_an_older_moment_has_the_one_form_of_its_language(language, wanted):
    when = timezone.datetime(2020, 11, 29, 14, 5, tzinfo=timezone.get_default_timezone())
    with translation.override(language):
        assert f'title="{wanted}">{wanted}</time>' in moment(when)
        later = timezone.now() + timedelta(hours=1)
        assert str(later.year) in moment(later)
    assert moment(None) == "—"


def test_the_page_of_components_is_there_in_development_only(admin_client, settings):
    address = reverse("components")
    assert admin_client.get(address).status_code == 404
    settings.DEBUG = True
    page = admin_client.get(address).text
    for part in ("ca-head", "ca-message--bad", "ca-empty", "ca-table", "ca-chip", "More actions"):
        assert part in page
