"""Icons, colours and templates of types, and the tab of the standard ones."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client

from activities import icons
from activities.models import ActivityType
from activities.types import pictures
from activities.types.templates import TEMPLATES
from people.core.errors import NotAllowedError, RejectedError
from people.core.models import Installation
from people.datatypes.registry import BY_NAME
from people.definitions import lifecycle
from tests.factories import approved_type, draft_type, make_person, new_activity, record_rows

pytestmark = pytest.mark.django_db
TYPES = "/admin/activities/activitytype/"


@pytest.fixture
def boss(client):
    Installation.objects.create()
    made = get_user_model().objects.create_superuser("boss")
    client.force_login(made)
    return made


@pytest.mark.parametrize(
    ("name", "icon"),
    [
        ("Webinar attended", "videocam"),
        ("attendWebinar", "videocam"),
        ("Purchase", "shopping_cart"),
        ("Order Completed", "shopping_cart"),
        ("Compra realizada", "shopping_cart"),
        ("Phone call", "call"),
        ("Llamada telefónica", "call"),
        ("Reunión celebrada", "event"),
        ("Zzz", icons.DEFAULT),
        ("", icons.DEFAULT),
    ],
)
def test_a_name_proposes_an_icon_in_both_languages(name, icon):
    assert icons.propose_icon(name) == icon


def test_a_picture_is_chosen_without_a_new_version_and_kept_within_the_offer(boss):
    check = approved_type()
    assert check.shown_icon == "payments" and 0 <= check.shown_colour < icons.COLOURS
    pictures.set_picture(check, boss, "star", 3)
    check.refresh_from_db()
    assert (check.shown_icon, check.shown_colour, check.draft) == ("star", 3, None)
    for icon, colour in (("<script>", None), ("star", icons.COLOURS), ("star", -1)):
        with pytest.raises(RejectedError):
            pictures.set_picture(check, boss, icon, colour)
    viewer = get_user_model().objects.create_user("quimby")
    viewer.groups.add(Group.objects.get(name="Viewer"))
    with pytest.raises(NotAllowedError):
        pictures.set_picture(check, viewer, "star", 1)
    with pytest.raises(RejectedError):
        pictures.set_picture(ActivityType.objects.get(pk=1), boss, "star", 1)


def test_the_page_keeps_icon_and_colour(client, boss):
    draft = draft_type()
    page = f"{TYPES}{draft.pk}/picture/"
    assert 'value="star"' in client.get(page).text
    assert client.post(page, {"icon": "star", "colour": "4"}).status_code == 302
    draft.refresh_from_db()
    assert (draft.icon, draft.colour) == ("star", 4)
    client.post(page, {"icon": "", "colour": ""})
    draft.refresh_from_db()
    assert (draft.icon, draft.colour) == ("", None)


@pytest.mark.parametrize("key", [*TEMPLATES])
@pytest.mark.parametrize("language", ["en", "es"])
def test_a_template_becomes_a_type_as_it_stands(boss, key, language):
    browser = Client()
    browser.force_login(boss)
    spoken = {"Accept-Language": language}
    forms = browser.get(f"{TYPES}add/?template={key}", headers=spoken).context["forms"]
    form = {"step": "3", "go": "save", "icon": TEMPLATES[key].icon}
    form |= {name: forms.names[name].value() or "" for name in forms.names.fields}
    form |= {f"primary-{name}": value for name, value in forms.primary.initial.items()}
    rows = forms.fields.initial
    form |= {"fields-TOTAL_FORMS": len(rows), "fields-INITIAL_FORMS": 0}
    form |= {f"fields-{row}-{name}": value for row, given in enumerate(rows) for name, value in given.items()}
    answer = browser.post(f"{TYPES}add/", form, headers=spoken)
    assert answer.status_code == 302, answer.context["forms"].errors
    made = ActivityType.objects.latest("pk")
    assert made.icon == TEMPLATES[key].icon and made.draft.fields.count() == len(TEMPLATES[key].fields)
    lifecycle.approve_draft(made, boss)


def test_templates_explain_themselves_and_use_types_of_values_that_exist(client, boss):
    page = client.get(f"{TYPES}add/").text
    assert all(f"?template={key}" in page and str(template.description) in page for key, template in TEMPLATES.items())
    assert all(icons.is_icon(template.icon) for template in TEMPLATES.values())
    assert {field.data_type for template in TEMPLATES.values() for field in template.fields} <= {*BY_NAME}


def test_standard_types_have_a_tab_of_their_own_and_are_found_by_a_search(client, boss):
    approved_type()
    own, standard = client.get(TYPES).text, client.get(f"{TYPES}?state=standard").text
    assert "Deposit Check" in own and "Visit Web Page" not in own
    assert "Deposit Check" not in standard and "Visit Web Page" in standard
    assert "Visit Web Page" in client.get(f"{TYPES}?q=visit").text


def test_a_profile_counts_what_somebody_did_type_by_type(client, boss):
    approved_type()
    ann, bob = make_person(), make_person()
    record_rows(
        *(new_activity(ann.pk, primary_value=f"No. {number}", amount=5) for number in range(3)), new_activity(bob.pk)
    )
    page = client.get(f"{TYPES}timeline/{ann.pk}/numbers/")
    counted = {str(activity_type): one.count for activity_type, one in page.context["numbers"]}
    assert counted["Deposit Check"] == 3
    timeline = client.get(f"{TYPES}timeline/{ann.pk}/")
    assert "ca-picture" in timeline.text and "payments" in timeline.text and 'class="ca-value"' in timeline.text
    assert "document.visibilityState" in timeline.text
    assert "document.visibilityState" not in client.get(f"{TYPES}timeline/{ann.pk}/?until=2020-01-01").text
