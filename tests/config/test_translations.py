"""Every text of the product is there in Spanish, too."""

import re
from io import BytesIO

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po
from django.utils import translation

from config import translations

PLACE = re.compile(r"%\((\w+)\)[sd]|%[sd]")
FORMAL = re.compile(  # usted, its imperatives at the start of a clause, and those with a pronoun anywhere
    r"\busted(?:es)?\b|(?:^|[.:;,¿¡]\s+)(?:abra|acote|añada|busque|cambie|cargue|compruebe|confirme|copie|corrija|cree|divida"
    r"|elija|elimine|empiece|envíe|escriba|espere|exporte|guarde|haga|indique|inicie|introduzca|libere|mire|obtenga|pegue"
    r"|pida|pregunte|pulse|quite|registre|revise|revoque|seleccione|suba|tenga|use|vacíe|vuelva)\b"
    r"|\b(?:acóte|apruébe|compruébe|corríja|descompríma|divída|escríba|envíe|guárde|inície|indíque|inténte|léa|pída"
    r"|quíte|repíta|restáure|revíse|vacíe|ábra)l[oae]s?\b|\búnase\b",
    re.IGNORECASE,
)


@pytest.mark.slow
def test_every_message_has_spanish():
    assert translations.missing_translations() == [], "run `python manage.py messages` and fill the gaps"


def test_spanish_has_the_same_places():
    for message in translations.read_catalogue():
        ids = message.id if isinstance(message.id, tuple | list) else [message.id]
        strings = message.string if isinstance(message.string, tuple | list) else [message.string]
        for said in strings if message.id else []:
            assert set(PLACE.findall(said)) <= set(PLACE.findall(ids[-1])) | set(PLACE.findall(ids[0])), message.id


def test_quotes_are_those_of_the_writing_rules():
    """Straight ones are for code only (docs/writing.md)."""
    for message in translations.read_catalogue():
        ids = message.id if isinstance(message.id, tuple | list) else [message.id]
        assert not [text for text in ids if re.search(r"'%\(\w+\)s'", text or "")], message.id


def test_spanish_addresses_readers_as_tu_everywhere():
    for message in translations.read_catalogue():
        strings = message.string if isinstance(message.string, tuple | list) else [message.string]
        assert not [text for text in strings if message.id and FORMAL.search(text)], message.id


@pytest.mark.parametrize("formal", ["Lo hizo usted.", "Elija un rol.", "Ya existe: elija otro.", "Falló. Inténtelo."])
def test_formal_spanish_is_noticed(formal):
    assert FORMAL.search(formal)


@pytest.mark.parametrize(
    ("before", "now"),
    [(("%(count)s list", "%(count)s lists"), "%(count)s list"), ("A list", ("A list", "%(count)s lists"))],
)
def test_a_message_that_becomes_singular_or_plural_is_new(before, now):
    stored, fresh = Catalog(locale="es"), Catalog(locale="es")
    stored.add(before, ("una lista", "listas") if isinstance(before, tuple) else "una lista")
    stored.add("Kept", "Conservado")
    fresh.add(now)
    fresh.add("Kept")

    merged = translations.merge_translations(stored, fresh)

    assert merged["Kept"].string == "Conservado"
    write_po(BytesIO(), merged)  # raises where a translation has the form of the other
    [message] = [message for message in merged if message.id == now]
    assert not any(message.string or ())


def test_no_plural_was_taken_letter_by_letter():
    for message in translations.read_catalogue():
        if isinstance(message.id, tuple | list):
            assert all(len(said) > 1 for said in message.string), message.id


@pytest.mark.parametrize(("language", "label"), [("en", "Whole number"), ("es", "Número entero")])
def test_the_catalogue_is_the_one_django_loads(language, label):
    from people.datatypes.registry import BY_NAME

    with translation.override(language):
        assert str(BY_NAME["integer"].label) == label
