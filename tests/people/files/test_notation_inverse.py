"""Every notation has an inverse: what our formatters and exports write, and what other products write, is read back."""

import io
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from people.core.source import SYSTEM
from people.datatypes import formulas
from people.datatypes.file_formats import DateOrder, ValueFormat
from people.datatypes.parsing import BadValueError, is_blank
from people.datatypes.registry import BY_NAME
from people.fields import editing as field_editing
from people.fields.catalog import field_catalogue
from people.files.exports import jobs as export_jobs
from people.models import Person
from people.persons import export_kind as person_export_kind
from people.persons import upsert
from tests.hypothesis_profiles import examples

MONTHS = {
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    "es": (
        [
            "enero",
            "febrero",
            "marzo",
            "abril",
            "mayo",
            "junio",
            "julio",
            "agosto",
            "septiembre",
            "octubre",
            "noviembre",
            "diciembre",
        ]
    ),
}
WEEKDAYS = {
    "en": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    "es": ["lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"],
}
HALVES = {
    "en": (("AM", "PM"), ("am", "pm"), ("a.m.", "p.m.")),
    "es": (("a. m.", "p. m."), ("a.\u00a0m.", "p.\u00a0m."), ("a.m.", "p.m.")),
}
# (as it is written, the zone it means)
ZONES = [
    ("", UTC),
    ("Z", UTC),
    (" UTC", UTC),
    (" GMT", UTC),
    ("+00:00", UTC),
    (" GMT+0100", timezone(timedelta(hours=1))),
    ("-05:30", timezone(-timedelta(hours=5, minutes=30))),
    (" CEST", timezone(timedelta(hours=2))),
    (" PST", timezone(-timedelta(hours=8))),
    (" Europe/Madrid", ZoneInfo("Europe/Madrid")),
    (" America/New_York", ZoneInfo("America/New_York")),
]
SECONDS = st.datetimes(datetime(1970, 1, 1), datetime(2069, 12, 31)).map(lambda moment: moment.replace(microsecond=0))
AMOUNTS = st.decimals(min_value=-(10**12), max_value=10**12, places=2, allow_nan=False, allow_infinity=False)


def read(name, text, **convention):
    kind = BY_NAME[name]
    made = ValueFormat(**convention)
    one = made.reader(kind)(text)
    assert made.column_reader(kind)([text, text]) == [one, one]
    return kind.parse(one, UTC)


@st.composite
def written_days(draw, day):
    """(text, order) of a day, as products write it."""
    language = draw(st.sampled_from(["en", "es"]))
    month = MONTHS[language][day.month - 1]
    if draw(st.booleans()):
        month = month[:3]
    month = draw(st.sampled_from([month, month.upper(), month.capitalize(), f"{month}." if len(month) == 3 else month]))
    weekday = draw(st.sampled_from(["", WEEKDAYS[language][day.weekday()] + ", "]))
    named = [f"{weekday}{day.day} {month} {day.year}", f"{day.day}-{month.strip('.')}-{day.year}"]
    if language == "es":
        named.append(f"{weekday}{day.day} de {month.strip('.')} de {day.year}")
    else:
        named.append(f"{weekday}{month} {day.day}, {day.year}")
    mark = draw(st.sampled_from("/.-"))
    numbers = {
        "dmy": f"{day.day}{mark}{day.month}{mark}{day.year}",
        "mdy": f"{day.month:02}{mark}{day.day:02}{mark}{day.year}",
        "ymd": f"{day.year}{mark}{day.month:02}{mark}{day.day:02}",
    }
    return draw(st.sampled_from([*((text, "ymd") for text in named), *((numbers[order], order) for order in numbers)]))


@st.composite
def written_moments(draw):
    """(text, order, the moment it means)."""
    moment = draw(SECONDS)
    day, order = draw(written_days(moment.date()))
    clock = f"{moment:%H:%M:%S}"
    if draw(st.booleans()):
        half = draw(st.sampled_from(HALVES[draw(st.sampled_from(["en", "es"]))]))[moment.hour >= 12]
        clock = f"{moment.hour % 12 or 12}:{moment:%M:%S} {half}"
        zones = [pair for pair in ZONES if pair[0] != "Z"]  # Z stands behind 24 hours alone
    else:
        zones = ZONES
    zone_text, zone = draw(st.sampled_from(zones))
    joint = draw(st.sampled_from([" ", "  ", ", "]))
    blank = draw(st.sampled_from(["", " ", "\u00a0"]))
    return f"{blank}{day}{joint}{clock}{zone_text}{blank}", order, moment.replace(tzinfo=zone)


@given(written_moments())
@settings(max_examples=examples(300, 20_000), deadline=None)
def test_moments(case):
    text, order, moment = case
    found = read("datetime", text, date_order=DateOrder(order))
    # of the hour that a zone has twice, the first is meant
    assert found == moment.replace(fold=0).astimezone(UTC), text


@given(st.data(), st.dates(datetime(1970, 1, 1).date(), datetime(2069, 12, 31).date()))
@settings(max_examples=examples(200, 10_000), deadline=None)
def test_dates(data, day):
    text, order = data.draw(written_days(day))
    assert read("date", text, date_order=DateOrder(order)) == day, text
    midnight = data.draw(st.sampled_from(["", " 00:00", " 00:00:00", " 12:00 AM", " 12:00 a. m."]))
    assert read("date", text + midnight, date_order=DateOrder(order)) == day, text


@given(AMOUNTS, st.sampled_from(".,"), st.sampled_from(["", " ", "\u00a0", "\u202f", "'", "other"]), st.booleans())
@settings(max_examples=examples(300, 20_000), deadline=None)
def test_numbers(amount, decimal, group, has_sign):
    mark = ("," if decimal == "." else ".") if group == "other" else group
    text = f"{amount:,.2f}".replace(",", "\0").replace(".", decimal).replace("\0", mark)
    text = ("+" if has_sign and amount >= 0 else "") + text
    assert read("currency", text, decimal=decimal) == amount, text
    if "-" in text:
        assert read("currency", text.replace("-", "\N{MINUS SIGN}"), decimal=decimal) == amount, text
    whole = f"{int(amount):,}".replace(",", mark)
    assert read("integer", whole, decimal=decimal) == int(amount), whole


@pytest.mark.parametrize(
    ("words", "value"),
    [("true TRUE yes Yes y 1 sí SÍ si s x verdadero VERDADERO", True), ("false FALSE no No n 0 falso FALSO", False)],
)
@pytest.mark.parametrize("blank", ["", " ", "\u00a0"])
def test_yes_and_no(words, value, blank):
    for word in words.split():
        assert read("boolean", f"{blank}{word}{blank}") is value, word


VALUES = {
    "string": st.text(alphabet="'=+-@|%a0 .,ñ€\"", max_size=12),
    "text": st.text(alphabet="'=+-@|%\n\ra0 ,;\"", max_size=12),
    "email": st.from_regex(r"\A[a-z'+]{1,8}@example\.com\Z"),
    "phone": st.from_regex(r"\A[+]?[0-9 ()-]{3,12}\Z"),
    "link": st.from_regex(r"\Ahttps://example\.com/[a-z'=+-]{0,8}\Z"),
    "boolean": st.booleans(),
    "integer": st.integers(-(2**53) + 1, 2**53 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False, width=32),
    "currency": st.decimals(-(10**14), 10**14, places=4, allow_nan=False, allow_infinity=False),
    "date": st.dates(datetime(1900, 1, 1).date(), datetime(2199, 12, 31).date()),
    "datetime": st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC)),
    "score": st.integers(-(10**9), 10**9),
    "percent": st.integers(-1000, 1000),
}


def test_every_data_type_is_written_and_read():
    assert set(VALUES) == set(BY_NAME)


@pytest.mark.parametrize("name", VALUES)
def test_what_a_type_writes_a_file_has_and_the_type_reads(name):
    @given(VALUES[name])
    @settings(max_examples=examples(60, 3_000), deadline=None, suppress_health_check=list(HealthCheck))
    def check(raw):
        kind = BY_NAME[name]
        try:
            value = kind.parse(raw, UTC)
        except BadValueError:
            return  # is no value of this type, and so never written
        if is_blank(value):
            return
        text = kind.to_text(value)
        for cell, keeps in (
            (text, True),
            (formulas.guard_formula(text), False),
            (formulas.escape_apostrophe(text), False),
        ):
            assert kind.parse(ValueFormat(keep_apostrophes=keeps).reader(kind)(cell), UTC) == value, cell

    check()


@pytest.mark.django_db
@pytest.mark.parametrize("excel_safe", [True, False])
@pytest.mark.parametrize("format", ["csv", "ndjson"])
@given(data=st.data())
@settings(max_examples=examples(3, 100), deadline=None, suppress_health_check=list(HealthCheck))
def test_people_of_an_export_are_the_same_after_its_import(format, excel_safe, tmp_path, data):
    """Fields of every type, written by the export, for spreadsheets or not, and imported again: no person changes."""
    names = {}
    for name in VALUES:
        field = f"kind{name.title()}"
        if not field_catalogue().get(field):
            field_editing.create_person_field(f"Kind {name}", name, None, api_name=field)
        names[field] = name
    rows = [
        {"email": f"p{number}@example.com", **{field: data.draw(VALUES[name]) for field, name in names.items()}}
        for number in range(8)
    ]
    kept = [row for row, outcome in zip(rows, upsert.upsert_people(rows, SYSTEM), strict=True) if outcome.person_id]
    file = io.BytesIO()
    export_jobs.write_export(person_export_kind.people_statement({}), format, file, excel_safe=excel_safe)
    (tmp_path / f"p.{format}").write_bytes(file.getvalue())
    before = list(Person.objects.order_by("pk").values())
    out, err = StringIO(), StringIO()
    with suppress(SystemExit):
        options = ["--dates", "ymd", "--decimal", ".", "--encoding", "utf-8"]
        call_command("import_people", str(tmp_path / f"p.{format}"), *options, "--no-progress", stdout=out, stderr=err)
    assert f"{len(before)} updated, 0 rejected" in out.getvalue() and len(kept) <= len(before), err.getvalue()
    assert list(Person.objects.order_by("pk").values()) == before
