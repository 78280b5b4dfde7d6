"""The quick way to a value's text, against the parsers that define it."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from people.datatypes import fast
from people.datatypes.parsing import BadValueError, is_blank, parse_moment
from people.datatypes.registry import BY_NAME

WORDS = st.sampled_from(
    [
        "",
        " ",
        "\t",
        "5",
        "-5",
        "0",
        "-0",
        "007",
        "1e5",
        "1.50",
        "-0.00",
        "0.10",
        "12.",
        ".5",
        "٣",
        "true",
        "False",
        "999999999999999.9999",
        "1000000000000000",
        "9007199254740992",
        "2026-11-20",
        "2026-W11-1",
        "20261120",
        "1899-12-31",
        "2200-12-31",
        "2026-02-30",
        "2026-11-20T10:00:00Z",
        "2026-11-20T10:00:00z",
        "2026-11-20 10:00:00Z",
        "2026-11-20T10:00:00.5+00:00",
        "2026-11-20T10:00:00.000Z",
        "2026-11-20T10:00:00.1234567Z",
        "2026-11-20T10:00:00",
        "2026-11-20T10:00:00+01:00",
        "2026-11-20T24:00:00Z",
        "2026-11-20T23:59:60Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2026-11-20T10:00:00Z\n",
        "ann@example.com",
        " ann@example.com",
        'a"b@example.com',
        "a b",
        "https://example.com/a",
        "e\u0301",
        "é",
        "\u1e9b\u0323",
        "a\0b",
        "\ud800",
        "a\nb",
        'say "hi" \\',
        "x" * 255,
        "x" * 256,
        "é" * 255,
        "x" * 2_001,
        "x" * 30_001,
        "\u3000",
    ]
)
NUMBERS = (
    st.integers()
    | st.floats()
    | st.decimals()
    | st.decimals(places=4, min_value=-(10**16), max_value=10**16)
    | st.sampled_from([10**400, -(2**53), 2**53 - 1, Decimal("1e400"), Decimal("sNaN"), Decimal("-0.0"), -0.0, 1e22])
)
MOMENTS = st.datetimes(datetime(1890, 1, 1), datetime(2210, 1, 1), timezones=st.just(UTC))
ISO = MOMENTS.map(datetime.isoformat)
VALUES = (
    st.none()
    | st.booleans()
    | NUMBERS
    | WORDS
    | st.text()
    | NUMBERS.map(str)
    | st.dates(date(1890, 1, 1), date(2210, 1, 1)).map(date.isoformat)
    | ISO
    | ISO.map(lambda text: text[:-6] + "Z")
    | ISO.map(lambda text: text[:22] + "Z")
    | MOMENTS
    | st.lists(st.integers())
    | st.emails()
)


def general(data_type, value):
    """The parser's result: the JSON text, or None for a value that is blank or bad."""
    if is_blank(value):
        return None
    try:
        return data_type.to_json(data_type.parse(value, UTC))
    except BadValueError:
        return None


@pytest.mark.parametrize("name", fast.QUICK)
@given(value=VALUES)
def test_what_is_quick_is_what_the_parser_says(name, value):
    found = fast.QUICK[name](value)
    assert found is None or found == general(BY_NAME[name], value)


@given(value=VALUES)
def test_a_quick_moment_is_the_parsers(value):
    found = fast.parse_utc_moment(value)
    assert found is None or (found == parse_moment(value) and datetime.fromisoformat(value) == found)


@given(value=VALUES)
def test_plain_text_is_stored_as_it_is(value):
    if fast.is_plain_text(value):
        assert not is_blank(value) and BY_NAME["string"].parse(value, UTC) == value


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("string", "Málaga", '"Málaga"'),
        ("phone", "+34 600", '"+34 600"'),
        ("text", 'a "b"', '"a \\"b\\""'),
        ("email", "ann@example.com", '"ann@example.com"'),
        ("link", "https://a.example/", '"https://a.example/"'),
        ("boolean", False, "false"),
        ("integer", 7, "7"),
        ("integer", "70", "70"),
        ("float", Decimal("3.50"), "3.5"),
        ("currency", Decimal("12.50"), "12.5"),
        ("currency", "12.00", "12"),
        ("currency", 3, "3"),
        ("date", "2026-11-20", '"2026-11-20"'),
        ("datetime", "2026-11-20T10:00:00+00:00", '"2026-11-20T10:00:00Z"'),
    ],
)
def test_the_commonest_forms_are_quick(name, value, text):
    assert fast.QUICK[name](value) == text


def test_every_type_of_activity_fields_has_a_quick_way():
    assert {name for name, kind in BY_NAME.items() if kind.for_activities} == set(fast.QUICK)
