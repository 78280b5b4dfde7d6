"""Sentences: what a card means, in English and Spanish, with the rule for no value and the zone of its days."""

import pytest
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smartlists.catalog import Catalogue
from smartlists.rules import model as rules
from smartlists.rules import sentences
from smartlists.rules.parsing import parse_rules
from smartlists.rules.text import language
from tests.hypothesis_profiles import examples
from tests.smartlists import oracle_worlds, strategies

pytestmark = pytest.mark.django_db

MADRID = "Days and times are in Europe/Madrid."
ES_MADRID = "Los días y las horas son de Europe/Madrid."
SAMPLES = [
    (
        'did "Deposited Check" where Amount > 1500.5 and Branch is not any of "Madrid", "Málaga"'
        " at least 2 times in past 90 days",
        "Has at least 2 activities “Deposited Check” where Amount is greater than 1,500.5 USD, Branch is not “Madrid” "
        "nor “Málaga” (or has no value) and the date of the activity is in the past 90 days, up to now. " + MADRID,
        "Tiene al menos 2 actividades «Deposited Check» en que Amount es mayor que 1.500,5 USD, Branch no es «Madrid» "
        "ni «Málaga» (o no tiene valor) y la fecha de la actividad está en el periodo de 90 días hasta ahora. "
        + ES_MADRID,
    ),
    (
        'did "Deposited Check" where Branch is not "Madrid" exclude empty and Amount < 5 include empty',
        "Has at least 1 activity “Deposited Check” where Branch is not “Madrid” (and has a value) and Amount is less "
        "than 5 USD (or has no value).",
        "Tiene al menos 1 actividad «Deposited Check» en que Branch no es «Madrid» (y tiene valor) y Amount es menor "
        "que 5 USD (o no tiene valor).",
    ),
    (
        'did not "Deposited Check" in time frame last quarter',
        "Has no activity “Deposited Check” where the date of the activity is in last quarter. " + MADRID,
        "No tiene ninguna actividad «Deposited Check» en que la fecha de la actividad es del trimestre pasado. "
        + ES_MADRID,
    ),
    (
        'did not "Deposited Check" at least 3 times in past 2 hours',
        "Everyone except people who match this: Has at least 3 activities “Deposited Check” where the date of the "
        "activity is in the past 2 hours, up to now. People without any such activity are included.",
        "Todas las personas excepto las que cumplen esto: Tiene al menos 3 actividades «Deposited Check» en que la "
        "fecha de la actividad está en el periodo de 2 horas hasta ahora. Se incluye a las personas sin ninguna "
        "actividad así.",
    ),
    (
        'did "Rated Film" at most 2 times',
        "Has at most 2 activities “Rated Film”. People without any such activity are included.",
        "Tiene como máximo 2 actividades «Rated Film». Se incluye a las personas sin ninguna actividad así.",
    ),
    (
        'did "Rated Film" at most 1 time with average of Stars between 1 and 2.5',
        "Has at most 1 activity “Rated Film”; over these activities the average of Stars is between 1 and 2.5, both "
        "included. People without any such activity are not included.",
        "Tiene como máximo 1 actividad «Rated Film»; en el conjunto de estas actividades, la media de Stars está entre 1 "
        "y 2,5, ambos incluidos. No se incluye a las personas sin ninguna actividad así.",
    ),
    (
        'sequence "Deposited Check" then "Rated Film" where "Seen On" >= 2026-01-31 within 7 days'
        ' then not "Signed Up" within 1 day',
        "Has an activity “Deposited Check”; after that, within 7 days, an activity “Rated Film” where Seen On is on or "
        "after 31 Jan 2026; and after that for 1 day, which must be over, no activity “Signed Up”. "
        "A day is 24 hours here.",
        "Tiene una actividad «Deposited Check»; después, en un plazo de 7 días, una actividad «Rated Film» en que Seen On "
        "es 31 ene 2026 o posterior; y después, durante 1 día ya transcurridos, ninguna actividad «Signed Up». "
        "Aquí un día son 24 horas.",
    ),
    (
        'Country is not "Spain"',
        "Country is not “Spain”. People without a value for Country are included.",
        "País no es «Spain». Se incluye a las personas sin valor en País.",
    ),
    (
        'Country is any of "Spain", "France" include empty',
        "Country is “Spain” or “France”. People without a value for Country are included.",
        "País es «Spain» o «France». Se incluye a las personas sin valor en País.",
    ),
    ("Country is empty", "Country has no value.", "País no tiene valor."),
    (
        "Unsubscribed is true",
        "Unsubscribed is yes. People without a value for Unsubscribed are not included.",
        "Baja de correos es sí. No se incluye a las personas sin valor en Baja de correos.",
    ),
    (
        '"Date of Birth" in past 30 years',
        "Date of Birth is in the past 30 years, up to today. People without a value for Date of Birth are not "
        "included. " + MADRID,
        "Fecha de nacimiento está en el periodo de 30 años hasta hoy. No se incluye a las personas sin valor en Fecha de "
        "nacimiento. " + ES_MADRID,
    ),
    (
        '"Created At" between 2026-01-01 and 2026-03-01T10:00:00Z',
        "Created At is between 1 Jan 2026 and 1 Mar 2026, 11:00, both included. People without a value for "
        "Created At are not included. " + MADRID,
        "Fecha de creación está entre 1 ene 2026 y 1 mar 2026, 11:00, ambos incluidos. No se incluye a "
        "las personas sin valor en Fecha de creación. " + ES_MADRID,
    ),
    ('in static list "List 1"', "Is on the static list “List 1”.", "Está en la lista estática «List 1»."),
    (
        'not in smart list "Smart 1"',
        "Is not on the smart list “Smart 1”.",
        "No está en la lista inteligente «Smart 1».",
    ),
]


@pytest.fixture
def names(db):
    oracle_worlds.make_catalogue()
    oracle_worlds.insert_static_list(1, [])
    oracle_worlds.insert_smart_list(1, {"version": 1, "match": "all", "filters": []})
    oracle_worlds.set_clock("Europe/Madrid", 0)
    return Catalogue()


def test_one_card(names):
    for text, english, spanish in SAMPLES:
        (item,) = language.parse_rules_text(f"1: {text}", Catalogue()).filters
        for code, expected in (("en", english), ("es", spanish)):
            with translation.override(code):
                assert sentences.filter_sentence(item, Catalogue()) == expected


def test_a_whole_list(names):
    found = language.parse_rules_text(
        'match 1 and (2 or not 3)\n1: Country is "x"\n2: City is "y"\n3: City is empty', Catalogue()
    )
    with translation.override("en"):
        assert sentences.list_sentence(found, Catalogue()).splitlines() == [
            "People who match this: 1 and (2 or not 3).",
            "1. Country is “x”. People without a value for Country are not included.",
            "2. City is “y”. People without a value for City are not included.",
            "3. City has no value.",
        ]
        assert sentences.list_sentence(rules.Rules("any", found.filters), Catalogue()).startswith(
            "People who match at least one of"
        )
        assert sentences.list_sentence(rules.Rules("all", found.filters), Catalogue()).startswith(
            "People who match all of these"
        )
        assert sentences.list_sentence(rules.Rules("all", found.filters[2:]), Catalogue()) == "City has no value."
        assert sentences.list_sentence(rules.Rules(), Catalogue()) == "All people."
        assert sentences.list_sentence(rules.Rules("any"), Catalogue()) == "Nobody."
    with translation.override("es"):
        assert sentences.list_sentence(found, Catalogue()).startswith(
            "Personas que cumplen esto: 1 y (2 o no 3).\n1. País es «x»"
        )


def test_long_lists_of_values_are_cut(names):
    item = rules.PersonField("country", "is", tuple(f"v{number}" for number in range(1_000)))
    with translation.override("en"):
        assert "“v9” or 990 more." in sentences.filter_sentence(item, Catalogue())


@settings(
    max_examples=examples(30, 600),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data(), scene=strategies.scenes())
def test_everything_can_be_said(names, data, scene):
    oracle_worlds.set_clock(scene.zone, scene.week_starts_on)
    found = parse_rules(
        data.draw(strategies.rules(scene, list(names.static_lists), list(names.smart_lists))), Catalogue()
    )
    for code in ("en", "es"):
        with translation.override(code):
            said = sentences.list_sentence(found, names)
            assert said
            assert "%(" not in said
            for item in found.filters:
                for constraint in getattr(item, "constraints", ()):
                    assert sentences.constraint_sentence(constraint, item.type, names)
