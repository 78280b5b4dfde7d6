"""The pages of a person: the same actions on every tab, and names instead of codes on the timeline."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone, translation

from activities.log.timeline import timeline_entries
from activities.models import Activity
from activities.types.standard import ADD_TO_LIST, CHANGE_DATA_VALUE, NEW_PERSON
from people.core.source import Channel, Source
from people.lists import static_lists
from people.models import StaticList
from people.persons import upsert
from people.templatetags.moments import day_heading
from smartlists.models import SmartList
from tests.factories import approved_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db

TABS = (
    "/admin/activities/activitytype/timeline/{}/",
    "/admin/people/person/{}/change/",
    "/admin/people/objectrecord/of-person/{}/",
    "/admin/activities/activitytype/consents/{}/",
    "/admin/smartlists/smartlist/of/{}/",
)


def _actions(page: str) -> list[str]:
    head = page[page.index('<div class="ca-head__steps">') : page.index("</header>", page.index("ca-head__steps"))]
    controls = re.findall(r"<(?:summary|a|button) [^>]*class=\"ca-button[^>]*>(.*?)</", head, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>|expand_more", " ", text).split()) for text in controls]


def test_every_tab_of_a_person_has_the_same_actions_in_the_same_order(client):
    approved_type()
    ann = make_person()
    record_rows(new_activity(ann.pk))
    client.force_login(get_user_model().objects.create_superuser("vera"))
    first, *others = [_actions(client.get(address.format(ann.pk)).text) for address in TABS]
    assert first[:3] == ["Record an activity", "Merge…", "Export (CSV)"]
    assert all(actions == first for actions in others), others


def _latest(person, type_id):
    return Activity.objects.of_person(person.pk).filter(activity_type_id=type_id).latest("pk")


def test_the_timeline_names_fields_and_channels_and_keeps_ids_off_the_row():
    ann = make_person()
    upsert.update_person(ann, {"title": "CEO"}, Source(Channel.CAMPAIGN))
    guests = StaticList.objects.create(name="Guests")
    static_lists.add_members(guests, [ann.pk], Source(Channel.COMMAND))
    change, joined, made = (_latest(ann, number) for number in (CHANGE_DATA_VALUE, ADD_TO_LIST, NEW_PERSON))
    with translation.override("es"):
        entry = timeline_entries([change])[0]
        assert entry.primary_text == "Cargo" and "Campaña inteligente" in [value.text for value in entry.values]
        on_row = [(value.name, value.text) for value in timeline_entries([joined])[0].on_row]
        assert on_row == [("Canal", "Línea de comandos")]
        assert timeline_entries([made])[0].on_row[0].text == "API"
    (plain,) = timeline_entries([change], plain=True)
    assert "title" in [value.text for value in plain.values], "programs read the stored value"


@pytest.mark.parametrize(("language", "amount", "pages"), [("en", "1,465.19", "9,613"), ("es", "1.465,19", "9.613")])
def test_numbers_are_written_in_the_users_language_and_stay_raw_for_programs(language, amount, pages):
    approved_type()
    (outcome,) = record_rows(new_activity(make_person().pk, amount="1465.19", pages=9613))
    activity = Activity.objects.get(pk=outcome.activity_id)
    with translation.override(language):
        (entry,), (plain,) = timeline_entries([activity]), timeline_entries([activity], plain=True)
    assert {"amount": amount, "pages": pages}.items() <= {value.api_name: value.text for value in entry.values}.items()
    raw = {value.api_name: value.text for value in plain.values}
    assert (raw["amount"], raw["pages"]) == ("1465.19", "9613")


@pytest.mark.parametrize(("language", "names"), [("en", ["Today", "Yesterday"]), ("es", ["Hoy", "Ayer"])])
def test_the_latest_days_have_names(language, names):
    today = timezone.localdate()
    with translation.override(language):
        shown = [day_heading(today - timedelta(days=days)) for days in range(3)]
    assert [text.split(" <")[0] for text in shown[:2]] == names
    assert "<" not in shown[2] and str(today.year) in shown[0]


def test_the_smart_lists_of_a_person_are_a_tab_of_the_person(client):
    ann = make_person(first_name="Ann")
    everyone = SmartList.objects.create(name="Everyone", rules={"version": 1, "match": "all", "filters": []})
    client.force_login(get_user_model().objects.create_superuser("vera"))
    page = client.get(f"/admin/smartlists/smartlist/of/{ann.pk}/?people=q%3Dann")
    assert re.search(
        r"<a\s+href=\"/admin/smartlists/smartlist/of/\d+/\?people=q%3Dann\"\s+aria-current=\"page\">", page.text
    )
    assert f"/admin/smartlists/smartlist/{everyone.pk}/change/?tested={ann.pk}" in page.text
    items = [item for group in page.context["sidebar_navigation"] for item in group["items"]]
    active = [item["title"] for item in items if item["active"]]
    assert active == ["People"]
