"""Everything that the product says is there in Spanish, too."""

import re

import pytest
from django.utils import translation

from config import translations

PLACE = re.compile(r"%\((\w+)\)[sd]|%[sd]")
FAMILIAR = re.compile(
    r"\b(tú|tu|tus|tuy[oa]s?|contigo|puedes|debes|tienes|quieres|eres|estás|has|necesitas|podrás|inténtalo"
    r"|elige|escribe (?!en)|empieza (?:con|de)|vuelve atrás|únete)\b",
    re.IGNORECASE,
)


def test_every_message_has_spanish():
    assert translations.missing_translations() == [], "run `python manage.py messages` and fill the gaps"


def test_spanish_has_the_same_places():
    for message in translations.read_catalogue():
        ids = message.id if isinstance(message.id, tuple | list) else [message.id]
        strings = message.string if isinstance(message.string, tuple | list) else [message.string]
        for said in strings if message.id else []:
            assert set(PLACE.findall(said)) <= set(PLACE.findall(ids[-1])) | set(PLACE.findall(ids[0])), message.id


def test_spanish_addresses_readers_formally_everywhere():
    for message in translations.read_catalogue():
        strings = message.string if isinstance(message.string, tuple | list) else [message.string]
        assert not [text for text in strings if message.id and FAMILIAR.search(text)], message.id


def test_no_plural_was_taken_letter_by_letter():
    for message in translations.read_catalogue():
        if isinstance(message.id, tuple | list):
            assert all(len(said) > 1 for said in message.string), message.id


@pytest.mark.parametrize(("language", "label"), [("en", "Whole number"), ("es", "Número entero")])
def test_the_catalogue_is_the_one_django_loads(language, label):
    from people.datatypes.registry import BY_NAME

    with translation.override(language):
        assert str(BY_NAME["integer"].label) == label
