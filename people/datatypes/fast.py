"""Fast conversion of values in their most common forms to the stored JSON text.

Each function returns exactly the result of `parse` and `to_json` of its data type, in a third of the time, or None
for a value that needs them: an invalid one, or a valid one in a rarer form.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from json.encoder import encode_basestring
from math import isfinite
from typing import Any
from unicodedata import is_normalized

from people.datatypes.parsing import EMAIL, FIRST_YEAR, LAST_YEAR, MAX_INTEGER, MAX_LINK, MAX_STRING

_CURRENCY = re.compile(r"-?(?:0|[1-9][0-9]{0,13})(?:\.[0-9]{1,4})?")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|\+00:00)")
_MAX_DIGITS = 15


def is_plain_text(value: Any, limit: int = MAX_STRING) -> bool:
    """Return True if `value` is text that is stored unchanged: trimmed, not too long, NFC, printable throughout."""
    return (
        type(value) is str
        and value.isprintable()  # so neither NUL nor lone surrogates
        and 0 < len(value) <= limit
        and " " not in (value[0], value[-1])
        and (value.isascii() or is_normalized("NFC", value))
    )


def parse_utc_moment(value: Any) -> datetime | None:
    """Parse text in UTC like 2026-11-20T10:00:00.5Z, which PostgreSQL reads as the same moment; else None."""
    if type(value) is not str or not _MOMENT.fullmatch(value):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed if FIRST_YEAR <= parsed.year <= LAST_YEAR else None


def _text(value: Any) -> str | None:
    return encode_basestring(value) if is_plain_text(value) else None


def _link(value: Any) -> str | None:
    return encode_basestring(value) if is_plain_text(value, MAX_LINK) and " " not in value else None


def _email(value: Any) -> str | None:
    return f'"{value}"' if type(value) is str and len(value) <= MAX_STRING and EMAIL.fullmatch(value) else None


def _boolean(value: Any) -> str | None:
    return "true" if value is True else "false" if value is False else None


def _integer(value: Any) -> str | None:
    if type(value) is int:
        return str(value) if -MAX_INTEGER <= value <= MAX_INTEGER else None
    if type(value) is str and value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS and value[0] != "0":
        return value
    return None


def _float(value: Any) -> str | None:
    kind = type(value)
    if kind is Decimal:
        value = float(value) if value.is_finite() else None
    elif kind is int and -MAX_INTEGER <= value <= MAX_INTEGER:
        value = float(value)
    return repr(value) if type(value) is float and isfinite(value) else None


def _currency(value: Any) -> str | None:
    kind = type(value)
    if kind is Decimal or kind is float or (kind is int and -MAX_INTEGER <= value <= MAX_INTEGER):
        value = str(value)
    elif kind is not str:
        return None
    if not _CURRENCY.fullmatch(value):
        return None
    if value[-1] == "0" and "." in value:
        value = value.rstrip("0").rstrip(".")
    return value if value != "-0" else "0"


def _date(value: Any) -> str | None:
    if type(value) is not str or len(value) != 10 or value[5] == "W":  # ISO week date
        return None
    try:
        parsed = date.fromisoformat(value)
    except ValueError:
        return None
    return f'"{value}"' if FIRST_YEAR <= parsed.year <= LAST_YEAR else None


def _datetime(value: Any) -> str | None:
    return None if parse_utc_moment(value) is None or value[19] == "." else f'"{value[:19]}Z"'


QUICK: Mapping[str, Callable[[Any], str | None]] = {
    "string": _text,
    "phone": _text,
    "text": _text,
    "email": _email,
    "link": _link,
    "boolean": _boolean,
    "integer": _integer,
    "float": _float,
    "currency": _currency,
    "date": _date,
    "datetime": _datetime,
}
# data types whose canonical value is the received text if it is plain
STORED_AS_THEY_ARE = frozenset({"string", "phone"})
