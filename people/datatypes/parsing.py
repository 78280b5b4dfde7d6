"""Parsers of values: from the received value to the canonical Python value.

Text in place of a number or a boolean is accepted if it is exactly canonical ("5", "true"). Blank text is no value;
the channels drop it before they parse.
"""

import re
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from math import isfinite
from typing import Any
from unicodedata import is_normalized, normalize

from django.utils.functional import Promise

from people.core.codes import Code
from people.core.messages import sentence_lazy as _
from people.datatypes.canonical import is_bounded, plain_decimal

MAX_STRING = 255
MAX_LINK = 2_000
MAX_TEXT_BYTES = 30_000
MAX_INTEGER = 2**53 - 1  # the largest integer that every JSON reader keeps exactly

CURRENCY_PLACES = 4
CURRENCY_LIMIT = Decimal(10) ** 15
FIRST_YEAR, LAST_YEAR = 1900, 2200


class BadValueError(ValueError):
    """A value does not fit its type. `code` is `wrong_type`, `too_long` or `out_of_range`."""

    def __init__(self, code: str, expected: str | Promise) -> None:
        super().__init__(code)
        self.code = code
        self.expected = expected


_TEXT = _("text")
_AN_EMAIL = _("an email address like ann@example.com")
_AN_ADDRESS = _("a web address")


def _clean_text(value: Any, expected: str | Promise) -> str:
    if type(value) is not str:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise BadValueError(Code.WRONG_TYPE, expected)
        value = _number_text(value, expected)
    text: str = value
    if text.isascii():
        if "\0" in text:
            raise BadValueError(Code.WRONG_TYPE, _("text without the character NUL"))
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadValueError(Code.WRONG_TYPE, _("valid Unicode text")) from None
    if "\0" in text:
        raise BadValueError(Code.WRONG_TYPE, _("text without the character NUL"))
    # comparisons are defined on NFC, so only NFC is ever stored
    return text if is_normalized("NFC", text) else normalize("NFC", text)


# white space and characters without width; Python's strip() removes white space only
_INVISIBLE = "\u00ad\u200b\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff"
_AROUND = re.compile(rf"[\s{_INVISIBLE}]+")


def trim_text(text: str) -> str:
    """`text` without surrounding white space of every kind and invisible characters."""
    text = text.strip()
    if text.isascii() or (text[:1] not in _INVISIBLE and text[-1:] not in _INVISIBLE):
        return text
    start = match.end() if (match := _AROUND.match(text)) else 0
    end = len(text)
    while end > start and (text[end - 1].isspace() or text[end - 1] in _INVISIBLE):
        end -= 1
    return text[start:end]


def _check_number(
    value: float | Decimal, expected: str | Promise, limit: str | Promise, fineness: str | Promise
) -> None:
    """Raise `BadValueError` for a number that is unsafe to calculate with, before any calculation.

    `limit` is the expectation to report for a too large number, `fineness` for too many decimal places.
    """
    if isinstance(value, float):
        if not isfinite(value):
            raise BadValueError(Code.WRONG_TYPE, expected)
    elif not value.is_finite():
        raise BadValueError(Code.WRONG_TYPE, expected)
    elif not is_bounded(value):
        raise BadValueError(Code.OUT_OF_RANGE, fineness if value.adjusted() < 0 else limit)


def _number_text(value: int | float | Decimal, expected: str | Promise) -> str:
    """The plain digits of a JSON number received in place of text: 7 is "7", 1.50 is "1.5"."""
    if isinstance(value, int):
        if value.bit_length() > 128:
            raise BadValueError(Code.OUT_OF_RANGE, expected)
        return str(value)
    _check_number(value, expected, expected, expected)
    exact = Decimal(repr(value)) if isinstance(value, float) else value
    if exact.adjusted() > 40 or exact.adjusted() < -40:
        raise BadValueError(Code.OUT_OF_RANGE, expected)
    return plain_decimal(exact)


def parse_string(value: Any, _zone: tzinfo) -> str:
    text = trim_text(_clean_text(value, _TEXT))
    if len(text) > MAX_STRING:
        raise BadValueError(Code.TOO_LONG, _("at most 255 characters"))
    return text


def parse_text(value: Any, _zone: tzinfo) -> str:
    text = _clean_text(value, _TEXT)
    if len(text) * 4 > MAX_TEXT_BYTES and len(text.encode()) > MAX_TEXT_BYTES:
        raise BadValueError(Code.TOO_LONG, _("at most 30,000 bytes"))
    return text


EMAIL = re.compile(r"[!#-'*-+\-/-9=?A-Z^-~.]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}")


def parse_email(value: Any, _zone: tzinfo) -> str:
    text = trim_text(_clean_text(value, _AN_EMAIL))
    if len(text) > MAX_STRING:
        raise BadValueError(Code.TOO_LONG, _("at most 255 characters"))
    if not EMAIL.fullmatch(text):
        raise BadValueError(Code.WRONG_TYPE, _AN_EMAIL)
    return text


def parse_link(value: Any, _zone: tzinfo) -> str:
    text = trim_text(_clean_text(value, _AN_ADDRESS))
    if len(text) > MAX_LINK:
        raise BadValueError(Code.TOO_LONG, _("at most 2,000 characters"))
    if any(character.isspace() or not character.isprintable() for character in text):
        raise BadValueError(Code.WRONG_TYPE, _("a web address without spaces"))
    return text


_BOOLEANS = {"true": True, "false": False}


def parse_boolean(value: Any, _zone: tzinfo) -> bool:
    if value is True or value is False:
        return value
    if isinstance(value, str) and (boolean := _BOOLEANS.get(value.strip().lower())) is not None:
        return boolean
    raise BadValueError(Code.WRONG_TYPE, _("true or false"))


_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
WHOLE_NUMBER = _("a whole number")
_INTEGER_RANGE = _("a whole number between ±9,007,199,254,740,991")


def parse_integer(value: Any, _zone: tzinfo) -> int:
    if type(value) is str:
        if not _INTEGER.fullmatch(value.strip()):
            raise BadValueError(Code.WRONG_TYPE, WHOLE_NUMBER)
        value = int(value)
    elif isinstance(value, bool):
        raise BadValueError(Code.WRONG_TYPE, WHOLE_NUMBER)
    elif isinstance(value, float | Decimal):
        _check_number(value, WHOLE_NUMBER, _INTEGER_RANGE, WHOLE_NUMBER)
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise BadValueError(Code.OUT_OF_RANGE, _INTEGER_RANGE)
        if value != int(value):
            raise BadValueError(Code.WRONG_TYPE, WHOLE_NUMBER)
        value = int(value)
    elif not isinstance(value, int):
        raise BadValueError(Code.WRONG_TYPE, WHOLE_NUMBER)
    number: int = value
    if not -MAX_INTEGER <= number <= MAX_INTEGER:
        raise BadValueError(Code.OUT_OF_RANGE, _INTEGER_RANGE)
    return number


_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
NUMBER = _("a number")
MAX_FLOAT = 400  # characters: the plain digits of the largest and the smallest double are as many


def parse_float(value: Any, _zone: tzinfo) -> float:
    if isinstance(value, bool):
        raise BadValueError(Code.WRONG_TYPE, NUMBER)
    if isinstance(value, str):
        if len(value) > MAX_FLOAT or not _FLOAT.fullmatch(value.strip()):
            raise BadValueError(Code.WRONG_TYPE, NUMBER)
    elif not isinstance(value, int | float | Decimal):
        raise BadValueError(Code.WRONG_TYPE, NUMBER)
    try:
        number = float(value)  # for any text and Decimal this is linear in its length
    except (OverflowError, ValueError):  # beyond a double, or a signaling NaN
        number = float("inf")
    if not isfinite(number):
        raise BadValueError(Code.OUT_OF_RANGE, _("a number that fits 64 bits"))
    return number


_CURRENCY = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?")
AMOUNT = _("an amount like 1250.50")
_AMOUNT_RANGE = _("an amount below 1,000,000,000,000,000")
_AMOUNT_PLACES = _("an amount with at most 4 decimal places")


def parse_currency(value: Any, _zone: tzinfo) -> Decimal:
    if type(value) is str:
        if not _CURRENCY.fullmatch(value.strip()):
            raise BadValueError(Code.WRONG_TYPE, AMOUNT)
        amount = Decimal(value)
    elif isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise BadValueError(Code.WRONG_TYPE, AMOUNT)
    elif isinstance(value, int):
        if value.bit_length() > 64:
            raise BadValueError(Code.OUT_OF_RANGE, _AMOUNT_RANGE)
        amount = Decimal(value)
    else:
        _check_number(value, AMOUNT, _AMOUNT_RANGE, _AMOUNT_PLACES)
        amount = Decimal(repr(value)) if isinstance(value, float) else value
    if not -CURRENCY_LIMIT < amount < CURRENCY_LIMIT:
        raise BadValueError(Code.OUT_OF_RANGE, _AMOUNT_RANGE)
    _sign, digits, exponent = amount.as_tuple()
    if exponent < -CURRENCY_PLACES and any(digits[exponent + CURRENCY_PLACES :]):  # type: ignore[operator]
        raise BadValueError(Code.OUT_OF_RANGE, _AMOUNT_PLACES)
    return amount


# some programs write a date as its midnight
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ]00:00(?::00(?:[.,]0{1,9})?)?(?: ?(?:[Zz]|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?))?)?",
    re.ASCII,
)
A_DATE = _("a date like 2026-11-20")
A_MOMENT = _("a date and time like 2026-11-20T10:00:00Z")
_YEARS = _("a year from 1900 to 2200")


def parse_date(value: Any, _zone: tzinfo) -> date:
    if isinstance(value, datetime):
        raise BadValueError(Code.WRONG_TYPE, A_DATE)
    if not isinstance(value, date):
        if not isinstance(value, str) or not _DATE.fullmatch(text := trim_text(value)):
            raise BadValueError(Code.WRONG_TYPE, A_DATE)
        try:
            value = date.fromisoformat(text[:10])
        except ValueError:
            raise BadValueError(Code.WRONG_TYPE, A_DATE) from None
    day: date = value
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise BadValueError(Code.OUT_OF_RANGE, _YEARS)
    return day


_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
    r" ?(?:[Zz]|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?)?",
    re.ASCII,
)


def parse_moment(value: Any, zone: tzinfo = UTC) -> datetime:
    """Parse a moment, in UTC. A value without a zone is in `zone`; a bare date means its midnight.

    Accepts a datetime or ISO 8601 text: `Z`, `UTC`, `GMT`, `±hh:mm`, `±hhmm`, fractions of a second, minute precision.
    """
    if not isinstance(value, datetime):
        if not isinstance(value, str) or not _MOMENT.fullmatch(text := trim_text(value)):
            raise BadValueError(Code.WRONG_TYPE, A_MOMENT)
        if text[-3:] in ("UTC", "GMT"):
            text = f"{text[:-3]}Z"
        try:
            value = datetime.fromisoformat(text.replace(" ", "T", 1).replace(" ", "") if " " in text else text)
        except ValueError:
            raise BadValueError(Code.WRONG_TYPE, A_MOMENT) from None
    moment: datetime = value
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise BadValueError(Code.OUT_OF_RANGE, _YEARS)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def is_blank(value: Any) -> bool:
    """Return True for no value: null, or text of only blanks."""
    return value is None or (
        type(value) is str and (not value or value.isspace() or (not value.isascii() and not trim_text(value)))
    )
