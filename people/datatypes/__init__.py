"""The data types of every field, of people and of activities: one registry, one meaning.

A value comes in at a channel (JSON, form, file) and is parsed into its canonical Python form:
str, bool, int, float, Decimal, date or an aware datetime in UTC. From there it has exactly one JSON text
(how it is stored) and exactly one plain text (how files and primary values show it).

Blank text is no value; the channels drop it before they parse. Text in place of a number or a boolean is
accepted when it is exactly canonical ("5", "true").
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from json.encoder import encode_basestring
from math import isfinite
from typing import Any
from unicodedata import is_normalized, normalize

from django import forms
from django.utils.functional import Promise

from people.core.messages import sentence_lazy as _

MAX_STRING = 255
MAX_LINK = 2_000
MAX_TEXT_BYTES = 30_000
MAX_INTEGER = 2**53 - 1  # what every JSON reader keeps exactly
MAX_NUMBER_LENGTH = 1_200  # characters of a decimal number: a double written out in full has no more
MAX_EXPONENT = 400  # beyond that of any double
CURRENCY_PLACES = 4
CURRENCY_LIMIT = Decimal(10) ** 15
FIRST_YEAR, LAST_YEAR = 1900, 2200

TEXT_OPERATORS = (
    "is",
    "is not",
    "starts with",
    "not starts with",
    "ends with",
    "not ends with",
    "contains",
    "not contains",
    "is empty",
    "is not empty",
)
NUMBER_OPERATORS = (
    "is",
    "is not",
    "between",
    "greater than",
    "less than",
    "at least",
    "at most",
    "is empty",
    "is not empty",
)
BOOLEAN_OPERATORS = ("is", "is empty", "is not empty")
MOMENT_OPERATORS = (
    "is",
    "is not",
    "between",
    "before",
    "after",
    "on or before",
    "on or after",
    "in past",
    "in past before",
    "in future",
    "in future after",
    "in time frame",
    "is empty",
    "is not empty",
)


class BadValueError(ValueError):
    """A value does not fit its type. `code` is `wrong_type`, `too_long` or `out_of_range`."""

    def __init__(self, code: str, expected: str | Promise) -> None:
        super().__init__(code)
        self.code = code
        self.expected = expected


@dataclass(frozen=True, slots=True)
class DataType:
    """What one kind of value is, everywhere it appears.

    `parse` takes whatever a channel received, never blank, and the zone of zone-less moments; it returns the
    canonical Python value or raises `BadValueError`. `to_json` and `to_text` take the canonical value. How
    SQL compares values is in `people.core.db.value_sql`.
    """

    name: str
    label: str | Promise
    expects: str | Promise
    example: str
    parse: Callable[[Any, tzinfo], Any]
    to_json: Callable[[Any], str]
    to_text: Callable[[Any], str]
    operators: tuple[str, ...]
    widget: Callable[[], forms.Widget]
    for_activities: bool = True
    is_number: bool = False
    is_moment: bool = False

    def from_json(self, stored: Any) -> Any:
        """The canonical value of what `to_json` wrote and `ExactDecoder` read."""
        return self.parse(stored, UTC)

    def as_json(self, value: Any) -> Any:
        """The canonical value as a Python object that `dump_json` can write."""
        return value if isinstance(value, str | bool | int | float | Decimal) else self.to_text(value)


_TEXT = _("text")
_AN_EMAIL = _("an e-mail address like ann@example.com")
_AN_ADDRESS = _("a web address")


def _clean_text(value: Any, expected: str | Promise) -> str:
    if type(value) is not str:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise BadValueError("wrong_type", expected)
        value = _number_text(value, expected)
    text: str = value
    if text.isascii():
        if "\0" in text:
            raise BadValueError("wrong_type", _("text without the character NUL"))
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadValueError("wrong_type", _("valid Unicode text")) from None
    if "\0" in text:
        raise BadValueError("wrong_type", _("text without the character NUL"))
    # comparisons are defined after NFC, so only NFC is ever stored
    return text if is_normalized("NFC", text) else normalize("NFC", text)


# white space and characters without width; Python's strip() knows the white space only
_INVISIBLE = "\u00ad\u200b\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff"
_AROUND = re.compile(rf"[\s{_INVISIBLE}]+")


def trimmed(text: str) -> str:
    """`text` without the blanks around it: white space of every kind and characters that cannot be seen."""
    text = text.strip()
    if text.isascii() or (text[:1] not in _INVISIBLE and text[-1:] not in _INVISIBLE):
        return text
    start = found.end() if (found := _AROUND.match(text)) else 0
    end = len(text)
    while end > start and (text[end - 1].isspace() or text[end - 1] in _INVISIBLE):
        end -= 1
    return text[start:end]


def is_bounded(number: Decimal) -> bool:
    """Whether arithmetic with `number`, and its plain digits, take next to no time and memory.

    1e-999999999 has twelve characters and a billion digits. Its own text is short, and costs what its characters do.
    """
    return number.is_finite() and abs(number.adjusted()) <= MAX_EXPONENT and len(str(number)) <= MAX_NUMBER_LENGTH


def _check_number(
    value: float | Decimal, expected: str | Promise, limit: str | Promise, fineness: str | Promise
) -> None:
    """Raise BadValueError for what is no number to calculate with: before anything is calculated.

    `limit` is what is expected of a number that is too large, `fineness` of one with too many decimal places.
    """
    if isinstance(value, float):
        if not isfinite(value):
            raise BadValueError("wrong_type", expected)
    elif not value.is_finite():
        raise BadValueError("wrong_type", expected)
    elif not is_bounded(value):
        raise BadValueError("out_of_range", fineness if value.adjusted() < 0 else limit)


def _number_text(value: int | float | Decimal, expected: str | Promise) -> str:
    """The plain digits of a JSON number that came where text belongs: 7 is "7", 1.50 is "1.5"."""
    if isinstance(value, int):
        if value.bit_length() > 128:
            raise BadValueError("out_of_range", expected)
        return str(value)
    _check_number(value, expected, expected, expected)
    exact = Decimal(repr(value)) if isinstance(value, float) else value
    if exact.adjusted() > 40 or exact.adjusted() < -40:
        raise BadValueError("out_of_range", expected)
    return plain_decimal(exact)


def _parse_string(value: Any, _zone: tzinfo) -> str:
    text = trimmed(_clean_text(value, _TEXT))
    if len(text) > MAX_STRING:
        raise BadValueError("too_long", _("at most 255 characters"))
    return text


def _parse_text(value: Any, _zone: tzinfo) -> str:
    text = _clean_text(value, _TEXT)
    if len(text) * 4 > MAX_TEXT_BYTES and len(text.encode()) > MAX_TEXT_BYTES:
        raise BadValueError("too_long", _("at most 30,000 bytes"))
    return text


EMAIL = re.compile(r"[!#-'*-+\-/-9=?A-Z^-~.]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}")


def _parse_email(value: Any, _zone: tzinfo) -> str:
    text = trimmed(_clean_text(value, _AN_EMAIL))
    if len(text) > MAX_STRING:
        raise BadValueError("too_long", _("at most 255 characters"))
    if not EMAIL.fullmatch(text):
        raise BadValueError("wrong_type", _AN_EMAIL)
    return text


def _parse_link(value: Any, _zone: tzinfo) -> str:
    text = trimmed(_clean_text(value, _AN_ADDRESS))
    if len(text) > MAX_LINK:
        raise BadValueError("too_long", _("at most 2,000 characters"))
    if any(character.isspace() or not character.isprintable() for character in text):
        raise BadValueError("wrong_type", _("a web address without blanks"))
    return text


_BOOLEANS = {"true": True, "false": False}


def _parse_boolean(value: Any, _zone: tzinfo) -> bool:
    if value is True or value is False:
        return value
    if isinstance(value, str) and (found := _BOOLEANS.get(value.strip().lower())) is not None:
        return found
    raise BadValueError("wrong_type", _("true or false"))


_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_WHOLE_NUMBER = _("a whole number")
_INTEGER_RANGE = _("a whole number between ±9,007,199,254,740,991")


def _parse_integer(value: Any, _zone: tzinfo) -> int:
    if type(value) is str:
        if not _INTEGER.fullmatch(value.strip()):
            raise BadValueError("wrong_type", _WHOLE_NUMBER)
        value = int(value)
    elif isinstance(value, bool):
        raise BadValueError("wrong_type", _WHOLE_NUMBER)
    elif isinstance(value, float | Decimal):
        _check_number(value, _WHOLE_NUMBER, _INTEGER_RANGE, _WHOLE_NUMBER)
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise BadValueError("out_of_range", _INTEGER_RANGE)
        if value != int(value):
            raise BadValueError("wrong_type", _WHOLE_NUMBER)
        value = int(value)
    elif not isinstance(value, int):
        raise BadValueError("wrong_type", _WHOLE_NUMBER)
    number: int = value
    if not -MAX_INTEGER <= number <= MAX_INTEGER:
        raise BadValueError("out_of_range", _INTEGER_RANGE)
    return number


_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBER = _("a number")
MAX_FLOAT = 400  # characters: the plain digits of the largest and the smallest double are as many


def _parse_float(value: Any, _zone: tzinfo) -> float:
    if isinstance(value, bool):
        raise BadValueError("wrong_type", _NUMBER)
    if isinstance(value, str):
        if len(value) > MAX_FLOAT or not _FLOAT.fullmatch(value.strip()):
            raise BadValueError("wrong_type", _NUMBER)
    elif not isinstance(value, int | float | Decimal):
        raise BadValueError("wrong_type", _NUMBER)
    try:
        number = float(value)  # of any text and Decimal: as long as its characters take
    except (OverflowError, ValueError):  # beyond a double, or a signaling NaN
        number = float("inf")
    if not isfinite(number):
        raise BadValueError("out_of_range", _("a number that fits 64 bits"))
    return number


_CURRENCY = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_AMOUNT = _("an amount like 1250.50")
_AMOUNT_RANGE = _("an amount below 1,000,000,000,000,000")
_AMOUNT_PLACES = _("an amount with at most 4 decimal places")


def _parse_currency(value: Any, _zone: tzinfo) -> Decimal:
    if type(value) is str:
        if not _CURRENCY.fullmatch(value.strip()):
            raise BadValueError("wrong_type", _AMOUNT)
        amount = Decimal(value)
    elif isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise BadValueError("wrong_type", _AMOUNT)
    elif isinstance(value, int):
        if value.bit_length() > 64:
            raise BadValueError("out_of_range", _AMOUNT_RANGE)
        amount = Decimal(value)
    else:
        _check_number(value, _AMOUNT, _AMOUNT_RANGE, _AMOUNT_PLACES)
        amount = Decimal(repr(value)) if isinstance(value, float) else value
    if not -CURRENCY_LIMIT < amount < CURRENCY_LIMIT:
        raise BadValueError("out_of_range", _AMOUNT_RANGE)
    _sign, digits, exponent = amount.as_tuple()
    if exponent < -CURRENCY_PLACES and any(digits[exponent + CURRENCY_PLACES :]):  # type: ignore[operator]
        raise BadValueError("out_of_range", _AMOUNT_PLACES)
    return amount


# programs write a date as its midnight, too
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ]00:00(?::00(?:[.,]0{1,9})?)?(?: ?(?:[Zz]|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?))?)?",
    re.ASCII,
)
_A_DATE = _("a date like 2026-11-20")
_A_MOMENT = _("a date and time like 2026-11-20T10:00:00Z")
_YEARS = _("a year from 1900 to 2200")


def _parse_date(value: Any, _zone: tzinfo) -> date:
    if isinstance(value, datetime):
        raise BadValueError("wrong_type", _A_DATE)
    if not isinstance(value, date):
        if not isinstance(value, str) or not _DATE.fullmatch(text := trimmed(value)):
            raise BadValueError("wrong_type", _A_DATE)
        try:
            value = date.fromisoformat(text[:10])
        except ValueError:
            raise BadValueError("wrong_type", _A_DATE) from None
    day: date = value
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise BadValueError("out_of_range", _YEARS)
    return day


_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
    r" ?(?:[Zz]|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?)?",
    re.ASCII,
)


def parse_moment(value: Any, zone: tzinfo = UTC) -> datetime:
    """The moment that `value` names, in UTC; what has no zone is of `zone`, a bare date is its midnight.

    Takes a datetime or ISO 8601 text: `Z`, `UTC`, `GMT`, `±hh:mm`, `±hhmm`, fractions of a second, minute precision.
    """
    if not isinstance(value, datetime):
        if not isinstance(value, str) or not _MOMENT.fullmatch(text := trimmed(value)):
            raise BadValueError("wrong_type", _A_MOMENT)
        if text[-3:] in ("UTC", "GMT"):
            text = f"{text[:-3]}Z"
        try:
            value = datetime.fromisoformat(text.replace(" ", "T", 1).replace(" ", "") if " " in text else text)
        except ValueError:
            raise BadValueError("wrong_type", _A_MOMENT) from None
    moment: datetime = value
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise BadValueError("out_of_range", _YEARS)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def moment_text(value: datetime) -> str:
    """ISO 8601 in UTC with `Z`; a fraction only where there is one."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def plain_decimal(value: Decimal) -> str:
    """Digits without exponent or superfluous zeros: 12.00 is "12", 1E+3 is "1000".

    A number that no data type takes keeps its own notation: written out it might have a billion digits.
    """
    if not is_bounded(value):
        return str(value)
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _quoted(text: str) -> str:
    return f'"{text}"'


Text = str | Promise


def _text_type(
    name: str, label: str | Promise, expects: str | Promise, example: str, parse: Any, widget: Any
) -> DataType:
    return DataType(name, label, expects, example, parse, encode_basestring, str, TEXT_OPERATORS, widget)


def _integer_type(name: str, label: Text, **more: Any) -> DataType:
    return DataType(
        name,
        label,
        _WHOLE_NUMBER,
        "42",
        _parse_integer,
        str,
        str,
        NUMBER_OPERATORS,
        lambda: forms.NumberInput(attrs={"step": "1"}),
        is_number=True,
        **more,
    )


_ALL = (
    _text_type("string", _("Text"), _("text"), "Intro to Sourdough", _parse_string, forms.TextInput),
    _text_type("text", _("Long text"), _("text"), "…", _parse_text, forms.Textarea),
    _text_type("email", _("E-mail"), _("an e-mail address"), "ann@example.com", _parse_email, forms.EmailInput),
    _text_type("phone", _("Phone"), _("a phone number"), "+34 600 123 456", _parse_string, forms.TextInput),
    _text_type("link", _("Link"), _("a web address"), "https://example.com/a", _parse_link, forms.TextInput),
    DataType(
        "boolean",
        _("Yes or no"),
        _("true or false"),
        "true",
        _parse_boolean,
        lambda value: "true" if value else "false",
        lambda value: "true" if value else "false",
        BOOLEAN_OPERATORS,
        lambda: forms.Select(choices=[("", "—"), ("true", _("Yes")), ("false", _("No"))]),
    ),
    _integer_type("integer", _("Whole number")),
    DataType(
        "float",
        _("Number"),
        _NUMBER,
        "3.5",
        _parse_float,
        repr,
        repr,
        NUMBER_OPERATORS,
        lambda: forms.NumberInput(attrs={"step": "any"}),
        is_number=True,
    ),
    DataType(
        "currency",
        _("Currency"),
        _AMOUNT,
        "1250.50",
        _parse_currency,
        plain_decimal,
        plain_decimal,
        NUMBER_OPERATORS,
        lambda: forms.NumberInput(attrs={"step": "any"}),
        is_number=True,
    ),
    DataType(
        "date",
        _("Date"),
        _A_DATE,
        "2026-11-20",
        _parse_date,
        lambda value: _quoted(value.isoformat()),
        date.isoformat,
        MOMENT_OPERATORS,
        lambda: forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        is_moment=True,
    ),
    DataType(
        "datetime",
        _("Date and time"),
        _A_MOMENT,
        "2026-11-20T10:00:00Z",
        parse_moment,
        lambda value: _quoted(moment_text(value)),
        moment_text,
        MOMENT_OPERATORS,
        lambda: forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}),
        is_moment=True,
    ),
    _integer_type("score", _("Score"), for_activities=False),
    _integer_type("percent", _("Percent"), for_activities=False),
)

BY_NAME: Mapping[str, DataType] = {data_type.name: data_type for data_type in _ALL}
CHOICES_FOR_PEOPLE = [(data_type.name, data_type.label) for data_type in _ALL]
CHOICES_FOR_ACTIVITIES = [(data_type.name, data_type.label) for data_type in _ALL if data_type.for_activities]


def is_blank(value: Any) -> bool:
    """Whether a channel received no value: null, or text of nothing but blanks."""
    return value is None or (type(value) is str and (not value or value.isspace() or not trimmed(value)))


class ExactDecoder(json.JSONDecoder):
    """Reads stored JSON without turning amounts into binary fractions."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "parse_float": Decimal})


def text_key(text: str) -> str:
    """`text` as comparisons see it: NFC, lower case per code point, as PostgreSQL's C.UTF-8 does it.

    str.lower() of a whole text maps 'Σ' by context and 'İ' to two characters; simple mapping does neither.
    """
    if text.isascii():
        return text.lower()
    composed = text if is_normalized("NFC", text) else normalize("NFC", text)
    return "".join(["i" if character == "İ" else character.lower() for character in composed])


def canonical_text(value: Any) -> str:
    """The plain text of a canonical value, whatever its type."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return plain_decimal(value)
    if isinstance(value, datetime):
        return moment_text(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def dump_json(value: Any) -> str:
    """JSON text of nested values as `as_json` gives them; amounts keep all their digits."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{encode_basestring(name)}: {dump_json(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(dump_json(item) for item in value) + "]"
    if isinstance(value, Decimal):
        return plain_decimal(value)
    return json.dumps(value, ensure_ascii=False)


class ExactEncoder(json.JSONEncoder):
    """Writes amounts as JSON numbers with all their digits."""

    def encode(self, o: Any) -> str:
        return dump_json(o)
