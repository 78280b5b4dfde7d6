"""The demo's activity types, and its activities in the year that ends now."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from activities.types import name_proposals
from activities.types.definition import ActivityFieldSpec, TypeNames
from config.demo.people import EARLY, arrival

SEED = 2112
DAYS = 365
Text = Mapping[str, str]  # by language


@dataclass(frozen=True, slots=True)
class DemoField:
    api_name: str
    name: Text
    data_type: str = "string"

    def spec(self, language: str, is_primary: bool = False) -> ActivityFieldSpec:
        return ActivityFieldSpec(self.api_name, self.name[language], self.data_type, "", is_primary)


@dataclass(frozen=True, slots=True)
class DemoType:
    """One type; its first field is the primary one. `values` returns the values of one activity in that order."""

    name: Text
    description: Text
    fields: Sequence[DemoField]
    number: int = 0
    values: Callable[[random.Random, date], Sequence[Any]] = lambda chance, day: ()
    in_next_version: Sequence[DemoField] = ()

    def names(self, api_name: str, language: str) -> TypeNames:
        proposal = name_proposals.propose_names(self.name[language], language)
        return TypeNames(
            api_name, self.name[language], proposal.filter_name, proposal.trigger_name, self.description[language]
        )

    def specs(self, language: str) -> list[ActivityFieldSpec]:
        return [field.spec(language, is_primary=not place) for place, field in enumerate(self.fields)]


WEBINARS = (
    "Spring collection preview",
    "Lead scoring without tears",
    "Email that gets opened",
    "Año nuevo, datos nuevos",
    "From list to campaign",
    "Datenschutz für Einsteiger",
    "Ask us anything",
)
MODELS = {"Brisa": 18_400, "Brisa Plus": 22_900, "Terrano": 31_500, "Terrano Hybrid": 36_200, "Volta": 41_800}
COLOURS = ("white", "red", "graphite", "sea blue", "olive")
SERVICES = {"Inspection": 189, "Tyres": 420, "Brakes": 310, "Air conditioning": 140, "Bodywork": 860}
BRANCHES = ("Centre", "North", "Harbour", "Airport")


def _webinar(chance: random.Random, day: date) -> Sequence[Any]:
    minutes = min(60, max(3, round(chance.gauss(41, 15))))
    return chance.choice(WEBINARS), minutes, chance.random() < 0.3, chance.choice((None, None, 3, 4, 4, 5, 5))


def _car(chance: random.Random, day: date) -> Sequence[Any]:
    model = chance.choice(list(MODELS))
    price = f"{MODELS[model] + chance.randrange(-15, 60) * 100}.00"
    delivery = (day + timedelta(days=chance.randint(10, 120))).isoformat()
    return model, price, chance.choice(COLOURS), delivery, chance.random() < 0.6


def _service(chance: random.Random, day: date) -> Sequence[Any]:
    work = chance.choice(list(SERVICES))
    amount = f"{SERVICES[work] * chance.uniform(0.7, 1.8):.2f}"
    return work, amount, chance.randint(2_000, 160_000), chance.choice(BRANCHES)


WATCHED = DemoField("watchedRecording", {"en": "Watched recording", "es": "Vio la grabación"}, "boolean")
TYPES: Mapping[str, DemoType] = {
    "attendWebinar": DemoType(
        {"en": "Attend Webinar", "es": "Asistir a un webinario"},
        {
            "en": "Attended a webinar (reported by the webinar platform).",
            "es": "Asistió a un webinario (según la plataforma).",
        },
        (
            DemoField("webinar", {"en": "Webinar", "es": "Webinario"}),
            DemoField("minutes", {"en": "Minutes", "es": "Minutos"}, "integer"),
            DemoField("askedQuestion", {"en": "Asked question", "es": "Hizo una pregunta"}, "boolean"),
            DemoField("rating", {"en": "Rating", "es": "Valoración"}, "integer"),
        ),
        2_200,
        _webinar,
        (WATCHED,),
    ),
    "bookService": DemoType(
        {"en": "Book Service", "es": "Reservar revisión"},
        {"en": "Booked a car service.", "es": "Reservó una revisión del coche."},
        (
            DemoField("work", {"en": "Work", "es": "Trabajo"}),
            DemoField("amount", {"en": "Amount", "es": "Importe"}, "currency"),
            DemoField("kilometres", {"en": "Kilometres", "es": "Kilómetros"}, "integer"),
            DemoField("branch", {"en": "Branch", "es": "Sucursal"}),
        ),
        900,
        _service,
    ),
    "buyCar": DemoType(
        {"en": "Buy Car", "es": "Comprar coche"},
        {"en": "Signed for a new car.", "es": "Firmó la compra de un coche nuevo."},
        (
            DemoField("model", {"en": "Model", "es": "Modelo"}),
            DemoField("price", {"en": "Price", "es": "Precio"}, "currency"),
            DemoField("colour", {"en": "Colour", "es": "Color"}),
            DemoField("deliveryDate", {"en": "Delivery date", "es": "Fecha de entrega"}, "date"),
            DemoField("testDrive", {"en": "Had test drive", "es": "Hizo prueba de conducción"}, "boolean"),
        ),
        240,
        _car,
    ),
    "redeemVoucher": DemoType(
        {"en": "Redeem Voucher", "es": "Canjear vale"},
        {"en": "Redeemed a voucher; not approved yet.", "es": "Canjeó un vale; sin aprobar todavía."},
        (
            DemoField("voucher", {"en": "Voucher", "es": "Vale"}),
            DemoField("value", {"en": "Value", "es": "Valor"}, "currency"),
            DemoField("expires", {"en": "Expires", "es": "Caduca"}, "date"),
        ),
    ),
}


# (name, text form); names in braces are types
LISTS: Sequence[tuple[Text, str]] = (
    (
        {"en": "Car buyers in Spain", "es": "Compradores de coche en España"},
        'match all\n1: did `{buyCar}`\n2: `country` is "Spain"',
    ),
    (
        {"en": "Webinar fans without a car", "es": "Asiduos a webinarios sin coche"},
        "match all\n1: did `{attendWebinar}` where `minutes` >= 30 at least 3 times in past 6 months\n"
        "2: did not `{buyCar}`",
    ),
    (
        {"en": "Big workshop bills", "es": "Grandes facturas de taller"},
        "match all\n1: did `{bookService}` where `amount` > 500 at least 2 times in past 1 years",
    ),
)


@dataclass(frozen=True, slots=True)
class DemoActivity:
    """One activity of the person with that index."""

    person: int
    occurred_at: datetime
    values: Sequence[Any]


def demo_activities(demo_type: DemoType, people: int, now: datetime) -> Iterator[DemoActivity]:
    """Yield the activities of a year until `now`, in working hours of its zone; a few people have most of them."""
    chance = random.Random(f"{SEED} {demo_type.name['en']}")
    weights = [chance.paretovariate(1.6) for _person in range(people)]
    today = now.date()
    for person in chance.choices(range(people), weights=weights, k=demo_type.number):
        # the square root favours the end of the year: business is growing
        day = today - timedelta(days=DAYS - 1 - int(chance.random() ** 0.5 * DAYS))
        if day.weekday() == 6 and day < today:  # Sundays are quiet
            day += timedelta(days=1)
        clock = time(chance.randint(8, 19), chance.randrange(60), chance.randrange(60))
        moment = datetime.combine(day, clock, now.tzinfo)
        if moment < arrival(person, now):
            person %= EARLY  # a person of the time before
        if moment > now:  # later today: some minutes or hours ago instead
            moment = now - timedelta(minutes=chance.randint(3, 300))
        yield DemoActivity(person, moment, demo_type.values(chance, day))
