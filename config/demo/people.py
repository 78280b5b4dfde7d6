"""Three hundred people of a dozen countries, the same in every run."""

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from unicodedata import normalize

NUMBER = 300
IN_FILE = 60  # the last of them come by an import, on the day of loading
EARLY = 100  # the first of them came before the year of the demo's activities
YEAR = 365  # days
SEED = 1971
COMPANIES = (
    "Northwind Textiles",
    "Soltec Energía",
    "Blaue Brücke",
    "Ateliers Garonne",
    "Officine Volta",
    "Zielony Dom",
    "Café Aurora",
    "Harbour & Sons",
    "Lakeshore Motors",
    "Kaveri Foods",
    "Sakura Precision",
    "Fjällräven Bygg",
    "Aegean Lines",
    "Anatolia Seramik",
    "Silverline Health",
    "Terra Nova Seguros",
)
INDUSTRIES = ("Retail", "Energy", "Construction", "Automotive", "Food", "Healthcare", "Insurance", "Travel")
TITLES = ("Owner", "Buyer", "Head of Marketing", "Accountant", "Engineer", "Sales Manager", "Assistant", "Director")
# letters that decomposition does not change, and names in scripts without Latin letters
LATIN = {"ł": "l", "ß": "ss", "ø": "o", "đ": "d", "ı": "i", "æ": "ae"} | {
    "佐藤": "sato",
    "鈴木": "suzuki",
    "高橋": "takahashi",
    "田中": "tanaka",
    "陽菜": "hina",
    "蓮": "ren",
    "葵": "aoi",
    "大翔": "hiroto",
    "Ελένη": "eleni",
    "Γιώργος": "giorgos",
    "Μαρία": "maria",
    "Νίκος": "nikos",
    "Παπαδοπούλου": "papadopoulou",
    "Βλάχος": "vlachos",
    "Οικονόμου": "oikonomou",
    "Δημητρίου": "dimitriou",
}


@dataclass(frozen=True, slots=True)
class Country:
    name: str
    dialling_code: int
    share: int
    first_names: str
    last_names: str
    cities: str


COUNTRIES = (
    Country(
        "Spain",
        34,
        20,
        "Lucía Martín Sofía Hugo Núria Íñigo Begoña Álvaro Pilar Jordi",
        "García Núñez Muñoz Fernández Ibáñez Peña López Gómez",
        "Madrid,Valencia,A Coruña,Logroño",
    ),
    Country(
        "Mexico",
        52,
        10,
        "Ximena Santiago Guadalupe Valeria Iker",
        "Hernández Ramírez Ortega Ávila Zúñiga",
        "Ciudad de México,Mérida,León",
    ),
    Country(
        "United States",
        1,
        14,
        "Emma Liam Olivia Noah Zoë Renée",
        "Smith Johnson O'Brien Nguyen Lee Davis",
        "Boston,Austin,San José,Portland",
    ),
    Country(
        "United Kingdom",
        44,
        8,
        "Amelia Oliver Isla Harry Siân Arthur",
        "Taylor Jones Patel Wright Hughes",
        "Leeds,Cardiff,Brighton",
    ),
    Country(
        "Germany",
        49,
        12,
        "Jürgen Anneliese Björn Käthe Lukas Mia",
        "Müller Weiß Schröder Köhler Groß",
        "München,Köln,Düsseldorf",
    ),
    Country(
        "France",
        33,
        8,
        "Chloé Théo Hélène François Zoé Loïc",
        "Lefèvre Bérenger Moreau D'Aubigné Gaël",
        "Nîmes,Orléans,Besançon",
    ),
    Country("Italy", 39, 6, "Niccolò Giulia Matteo Chiara", "Rossi Esposito De-Luca Ferrari", "Torino,Forlì,Bari"),
    Country("Poland", 48, 6, "Łukasz Małgorzata Zofia Paweł", "Wójcik Kowalska Dąbrowski Żak", "Łódź,Kraków,Gdańsk"),
    Country("Brazil", 55, 6, "João Beatriz Caetano Inês", "Conceição Araújo Simões Souza", "São Paulo,Goiânia,Belém"),
    Country("India", 91, 5, "Aarav Priya Rohan Ananya", "Sharma Iyer Kapoor Reddy", "Pune,Kochi,Jaipur"),
    Country("Japan", 81, 4, "陽菜 蓮 葵 大翔", "佐藤 鈴木 高橋 田中", "東京,大阪"),
    Country("Greece", 30, 4, "Ελένη Γιώργος Μαρία Νίκος", "Παπαδοπούλου Βλάχος Οικονόμου Δημητρίου", "Αθήνα,Πάτρα"),
    Country("Sweden", 46, 4, "Åsa Göran Linnéa Östen", "Lindström Sjöberg Åkesson Nyström", "Malmö,Göteborg"),
    Country("Turkey", 90, 3, "Işıl Çağlar Şebnem Barış", "Yılmaz Özdemir Şahin Koç", "İstanbul,İzmir"),
)


def demo_people() -> Iterator[Mapping[str, Any]]:
    """Yield the values of each person by API name. E-mail addresses are unique; some fields are empty."""
    chance = random.Random(SEED)
    for number in range(1, NUMBER + 1):
        (country,) = chance.choices(COUNTRIES, weights=[entry.share for entry in COUNTRIES])
        first, last = chance.choice(country.first_names.split()), chance.choice(country.last_names.split())
        company = chance.choice(COMPANIES)
        yield {
            "first_name": first,
            "last_name": last.replace("-", " "),
            "email": f"{latin_letters(first)}.{latin_letters(last)}{number}@{latin_letters(company)}.example",
            "company": company,
            "industry": chance.choice(INDUSTRIES) if chance.random() < 0.8 else "",
            "title": chance.choice(TITLES) if chance.random() < 0.7 else "",
            "city": chance.choice(country.cities.split(",")),
            "country": country.name,
            "phone": f"+{country.dialling_code} 5550 {chance.randint(1000, 9999)}" if chance.random() < 0.5 else "",
            "person_score": chance.randint(0, 100),
            "unsubscribed": "true" if chance.random() < 0.08 else "false",
            "lead_source": "Demo",
        }


def arrival(person: int, now: datetime) -> datetime:
    """Return when the person at this place came: more and more of them towards `now`, at the hours of work."""
    chance = random.Random(SEED + person)
    if person < EARLY:
        days = YEAR + chance.uniform(2, 300)
    elif person < NUMBER - IN_FILE:
        share = (person - EARLY) / (NUMBER - IN_FILE - EARLY)
        days = YEAR * (1 - share**0.6)
    else:
        return now
    moment = now - timedelta(days=days + 1)
    return moment.replace(hour=chance.randint(8, 19), minute=chance.randrange(60))


def latin_letters(name: str) -> str:
    """Return `name` for an e-mail address: in lower-case ASCII letters only."""
    spelling = LATIN.get(name, name).lower()
    spelling = "".join(LATIN.get(letter, letter) for letter in normalize("NFKD", spelling))
    return re.sub(r"[^a-z]", "", spelling)
