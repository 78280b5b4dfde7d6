"""Values in, one canonical form out."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from unicodedata import normalize
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from people.datatypes.canonical import ExactDecoder, text_key
from people.datatypes.parsing import BadValueError, parse_moment
from people.datatypes.registry import BY_NAME


@pytest.mark.parametrize(
    ("name", "raw", "text", "stored"),
    [
        ("string", "Málaga", "Málaga", "Málaga"),
        ("string", "Ma\u0301laga", "M\u00e1laga", "M\u00e1laga"),
        ("string", 7, "7", "7"),
        ("string", 1.50, "1.5", "1.5"),
        ("text", "two\nlines", "two\nlines", "two\nlines"),
        ("email", " ann@example.com ", "ann@example.com", "ann@example.com"),
        ("boolean", "TRUE", "true", True),
        ("integer", "-5", "-5", -5),
        ("integer", 3.0, "3", 3),
        ("float", "2.5e3", "2500.0", 2500.0),
        ("float", 5, "5.0", 5.0),
        ("currency", 11.77, "11.77", Decimal("11.77")),
        ("currency", "12.00", "12", 12),
        ("currency", Decimal("1E+3"), "1000", 1000),
        ("date", "2026-11-20", "2026-11-20", "2026-11-20"),
        ("datetime", "2026-11-20T11:00:00.500+01:00", "2026-11-20T10:00:00.500000Z", "2026-11-20T10:00:00.500000Z"),
    ],
)
def test_a_value_has_one_text_and_one_json_form(name, raw, text, stored):
    data_type = BY_NAME[name]
    value = data_type.parse(raw, UTC)
    assert data_type.to_text(value) == text
    assert json.loads(data_type.to_json(value), cls=ExactDecoder) == stored
    assert data_type.from_json(stored) == value


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("2026-11-20T10:00:00Z", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20T10:00:00+0100", datetime(2026, 11, 20, 9, tzinfo=UTC)),
        ("2026-11-20T10:00:00.768Z", datetime(2026, 11, 20, 10, 0, 0, 768000, tzinfo=UTC)),
        ("2026-11-20T10:00", datetime(2026, 11, 20, 9, tzinfo=UTC)),
        ("2026-11-20 10:00:00", datetime(2026, 11, 20, 9, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 19, 23, tzinfo=UTC)),
    ],
)
def test_moments_without_a_zone_are_of_the_zone_given(raw, expected):
    assert parse_moment(raw, ZoneInfo("Europe/Madrid")) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "9999-12-31T23:59:59-23:59",
        "1900-01-01T00:00:00+23:59",
        "2026-W47-5",
        "20261120",
        "2026-11-20T25:00Z",
        "2026-11-20T10:00:00+99:00",
    ],
)
def test_moments_that_are_none(raw):
    try:
        moment = parse_moment(raw)
    except BadValueError:
        return
    assert 1899 <= moment.year <= 2201


@pytest.mark.parametrize(
    "raw", ["ann", "ann@", "@x.test", "a b@x.test", "ann@x", "ann@x..test", "😀@x.test", "ann@exämple.com", "a@b.c\0d"]
)
def test_what_is_no_email_address(raw):
    with pytest.raises(BadValueError):
        BY_NAME["email"].parse(raw, UTC)


ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.decimals()
    | st.binary()
    | st.lists(st.none())
)


@given(name=st.sampled_from(sorted(BY_NAME)), raw=ANYTHING)
def test_parsing_gives_a_value_or_says_what_was_expected(name, raw):
    data_type = BY_NAME[name]
    try:
        value = data_type.parse(raw, UTC)
    except BadValueError as refusal:
        assert str(refusal.expected)  # noqa: PT017 (either outcome is fine, but it needs a text)
    else:
        assert data_type.parse(data_type.to_text(value), UTC) == value
        assert data_type.from_json(json.loads(data_type.to_json(value), cls=ExactDecoder)) == value


ASSIGNED = st.characters(blacklist_characters="\0", blacklist_categories=("Cs", "Cn"))  # of Python's Unicode


@pytest.mark.django_db
@given(text=st.text(ASSIGNED) | st.text("İIıiΣσςßẞÉéǅ"))
def test_lower_case_is_what_the_database_says(text):
    with connection.cursor() as cursor:
        cursor.execute("select lower(%s::text)", [normalize("NFC", text)])
        assert cursor.fetchone() == (text_key(text),)
