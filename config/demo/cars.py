"""The demo's object type: the cars of customers, some repainted and driven on since, most with an inspection ahead."""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from config.demo.activities import COLOURS, MODELS
from people.core import installation
from people.core.errors import RejectedError
from people.core.source import Source
from people.datatypes import naming
from people.definitions import lifecycle
from people.models import ObjectRecord, ObjectType, ObjectVersion, Person
from people.models.object_types import PERSON
from people.objects import records, removal
from people.objects.definition import EMAIL, OBJECT_TYPES, ObjectFieldSpec, ObjectNames
from people.objects.outcomes import RecordKey

SEED = 1886
NUMBER = 140
EVERY = 5  # each such car was repainted or driven on since it was first recorded
Text = Mapping[str, str]  # by language
NAME: Text = {"en": "Car", "es": "Coche"}
PLURAL: Text = {"en": "Cars", "es": "Coches"}
DESCRIPTION: Text = {
    "en": "A customer's car, with what changes: its colour, its mileage, its next inspection.",
    "es": "El coche de un cliente, con lo que cambia: el color, los kilómetros, la próxima inspección.",
}
PLATE, OWNER, MODEL, COLOUR, MILEAGE, INSPECTION = ("plate", "owner", "model", "colour", "kilometres", "nextInspection")
# (API name, names, data type)
FIELDS: Sequence[tuple[str, Text, str]] = (
    (PLATE, {"en": "Number plate", "es": "Matrícula"}, "string"),
    (OWNER, {"en": "Owner's email", "es": "Correo del propietario"}, "email"),
    (MODEL, {"en": "Model", "es": "Modelo"}, "string"),
    (COLOUR, {"en": "Colour", "es": "Color"}, "string"),
    (MILEAGE, {"en": "Kilometres", "es": "Kilómetros"}, "integer"),
    (INSPECTION, {"en": "Next inspection", "es": "Próxima inspección"}, "date"),
)
# (name, text form); the name in braces is the type
LIST: tuple[Text, str] = (
    {"en": "Cars to be inspected soon", "es": "Coches con inspección próxima"},
    f"match all\n1: has object `{{car}}` where `{INSPECTION}` in future 60 days",
)


def make_cars(people: Sequence[int], language: str, source: Source, by: Any) -> tuple[ObjectType, list[int]]:
    """Make the type and the cars; return it with the ids of their records."""
    object_type = _make_type(language, by)
    emails = Person.objects.filter(pk__in=people).order_by("pk").values_list("email", flat=True)
    cars = list(_cars([email for email in emails if email]))
    outcomes = records.upsert_records(object_type, cars, source)
    changes = list(_changes(cars))
    outcomes += records.upsert_records(object_type, changes, source)
    for outcome in outcomes:
        if outcome.problems:
            raise RejectedError(*outcome.problems)
    return object_type, [outcome.record_id for outcome in outcomes[: len(cars)] if outcome.record_id]


def remove_cars(type_ids: Sequence[int], record_ids: Sequence[int], by: Any, source: Source) -> Iterator[str]:
    """Delete the cars and their type; yield a sentence for a type that stays."""
    for object_type in ObjectType.objects.existing().with_versions().filter(pk__in=type_ids):
        existing = ObjectRecord.objects.existing().filter(object_type=object_type)
        own = existing.filter(pk__in=record_ids).values_list("pk", flat=True)
        try:
            removal.delete_records(object_type, [{"id": pk} for pk in own], source, key=RecordKey.ID)
            if existing.exists():
                yield _("%(name)s has records of your own and is kept.") % {"name": object_type}
                continue
            lifecycle.delete_definition(object_type, by)
        except RejectedError as refusal:
            yield f"{object_type}: {refusal}"


def _make_type(language: str, by: Any) -> ObjectType:
    """Create the type under its names, or the first free numbers after them, and approve it."""
    api_names = set(ObjectType.objects.filter(api_name__startswith="car").values_list("api_name", flat=True))
    numbered = (f"car{number if number > 1 else ''}" for number in itertools.count(1))
    versions = ObjectVersion.objects.all()
    names = ObjectNames(
        next(name for name in numbered if name not in api_names),
        naming.numbered_name(NAME[language], versions.values_list("name", flat=True), " {}"),
        naming.numbered_name(PLURAL[language], versions.values_list("plural_name", flat=True), " {}"),
        DESCRIPTION[language],
    )
    fields = [
        ObjectFieldSpec(
            api_name,
            texts[language],
            data_type,
            is_dedupe=api_name == PLATE,
            link_to=PERSON if api_name == OWNER else "",
            link_by=EMAIL if api_name == OWNER else "",
        )
        for api_name, texts, data_type in FIELDS
    ]
    object_type: ObjectType = lifecycle.create_definition(OBJECT_TYPES, names, fields, by)
    lifecycle.approve_draft(object_type, by)
    return object_type


def _cars(emails: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the values of each car; some people have two or three."""
    chance = random.Random(SEED)
    today = installation.to_local_time(timezone.now()).date()
    for number in range(1, NUMBER + 1):
        yield {
            PLATE: f"{1000 + number * 61 % 9000} {''.join(chance.choices('BCDFGHJKLMNPRSTVWXYZ', k=3))}",
            OWNER: chance.choice(emails),
            MODEL: chance.choice(list(MODELS)),
            COLOUR: chance.choice(COLOURS),
            MILEAGE: chance.randrange(500, 140_000),
            INSPECTION: _in_days(today, chance.randint(-20, 700)),
        }


def _changes(cars: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what is different of some cars since they were first recorded."""
    for place, car in enumerate(cars[::EVERY]):
        if place % 2:
            yield {PLATE: car[PLATE], MILEAGE: car[MILEAGE] + 900 + 130 * place}
        else:
            yield {PLATE: car[PLATE], COLOUR: next(colour for colour in COLOURS if colour != car[COLOUR])}


def _in_days(today: date, days: int) -> str:
    return (today + timedelta(days=days)).isoformat()
