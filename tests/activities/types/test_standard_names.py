"""The standard types speak the reader's language on pages, and English in what is stored and sent."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import translation

from activities import labels
from activities.models import ActivityType
from activities.types import standard as standard_types
from people.core.source import Channel
from smartlists.admin.builder.choices import Choices
from smartlists.catalog import Catalogue
from smartlists.rules import sentences
from smartlists.rules.parsing import parse_rules
from smartlists.rules.text import language
from tests.factories import approved_type, make_person

pytestmark = pytest.mark.django_db
FORM = {
    "filters": [
        {
            "kind": "activity",
            "did": True,
            "type": "fillOutForm",
            "constraints": [{"field": "form", "operator": "is", "values": ["Demo"]}],
        }
    ]
}


@pytest.fixture
def reader(client):
    client.force_login(get_user_model().objects.create_superuser("vera", password="x"))
    client.cookies["django_language"] = "es"
    with translation.override(translation.get_language()):  # requests leave their language behind
        yield client


def test_every_name_of_the_standard_types_has_spanish():
    with translation.override("es"):
        same = {
            name
            for shape in standard_types.TYPES.values()
            for name in (shape.name, shape.filter_name, shape.trigger_name, *(field.name for field in shape.fields()))
            if labels.localized_name(name, True) == name
        }
    assert same == {"URL", "Webhook"}


def test_cards_sentences_and_choices_say_them_in_spanish_and_text_forms_do_not():
    with translation.override("es"):
        names = Catalogue()
        parsed = parse_rules(FORM, names)
        said = sentences.list_sentence(parsed, names)
        assert "Rellenó un formulario" in said and "Formulario" in said
        assert 'did "Filled Out Form"' in language.render_rules_text(parsed, Catalogue())
        assert (
            language.parse_rules_text('1: did "Rellenó un formulario" where Formulario is "Demo"', Catalogue())
            == parsed
        )
        (offered,) = [one for one in Choices(names).types if one.api_name == "fillOutForm"]
        assert (offered.filter_name, offered.shown_filter_name) == ("Filled Out Form", "Rellenó un formulario")


def test_a_team_s_own_type_is_called_what_the_team_calls_it():
    custom = approved_type("Visit Web", "visitWeb")
    with translation.override("es"):
        assert (str(custom), custom.shown_filter_name) == ("Visit Web", custom.live.filter_name)
        assert str(ActivityType.objects.get(pk=1)) == "Visitar una página web"
    assert ActivityType.objects.get(pk=1).live.name == "Visit Web Page"


def test_pages_show_and_find_the_spanish_names(reader):
    ann = make_person(first_name="Ana")
    timeline = reader.get(reverse("admin:activities_timeline", args=[ann.pk])).text
    assert "Persona nueva" in timeline and "New Person" not in timeline
    types = reader.get(reverse("admin:activities_activitytype_changelist"), {"q": "formulario"}).text
    assert "Rellenar un formulario" in types and "Visitar una página web" not in types
    assert "Campos del formulario" in reader.get(reverse("admin:activities_activitytype_fields", args=[2])).text


def test_every_channel_has_a_stored_name():
    assert [channel.name for channel in Channel if channel not in standard_types.CHANNEL_NAMES] == []
