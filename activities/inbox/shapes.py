"""The shape of a property: a data type inferred from the values that came, its share, and the exceptions.

A type is proposed where every value has it. Otherwise the property is text, and the values that do not have the type
that most have are shown, so that a user can decide.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from activities.inbox.mapping import BOOLEAN_WORDS, PRIMARY_VALUE
from activities.inbox.names import split_words
from people.core.errors import quoted_value
from people.datatypes.canonical import plain_decimal
from people.datatypes.parsing import (
    MAX_INTEGER,
    MAX_LINK,
    MAX_STRING,
    BadValueError,
    parse_currency,
    parse_date,
    parse_email,
    parse_float,
    parse_moment,
)
from people.datatypes.registry import BY_NAME

CERTAIN = 20  # values from which on a type is more than a first guess
MOSTLY = 0.8  # the least share for which a type that not all values have is mentioned
MAX_PATHS, MAX_EXCEPTIONS, MAX_EXAMPLES, MAX_SHOWN = 200, 5, 3, 60
MAX_VALUES, MAX_ALL_VALUES = 200, 20_000  # that are looked at: of one property, and of all
# the last word of a name that is a number to identify by, never to count with
_LABELS = frozenset(
    {"id", "ids", "code", "zip", "phone", "postal", "number", "no", "sku", "ean", "isbn", "iban", "pin"}
)
_MONEY = frozenset(
    {"amount", "balance", "cost", "discount", "fee", "price", "revenue", "salary", "shipping", "subtotal", "tax"}
    | {"total", "value"}
)
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PHONE = re.compile(r"\+[1-9][0-9 ().-]{6,20}")
_LONG_NUMBER = 8


@dataclass(frozen=True, slots=True)
class PropertyShape:
    """A property as it came. `share`: of the values that have `likely`, the type that most have."""

    path: str
    seen: int
    events: int
    data_type: str
    likely: str
    share: float
    exceptions: tuple[str, ...]
    examples: tuple[str, ...]

    @property
    def shown_path(self) -> Any:
        """The path as pages show it."""
        return _("Primary value") if self.path == PRIMARY_VALUE else self.path

    @property
    def label(self) -> Any:
        """The name of the data type as pages show it."""
        return BY_NAME[self.data_type].label

    @property
    def likely_label(self) -> Any:
        return BY_NAME[self.likely].label

    @property
    def is_certain(self) -> bool:
        return self.seen >= CERTAIN

    @property
    def presence(self) -> float:
        """The share of the events that have it."""
        return self.seen / self.events if self.events else 0.0

    @property
    def percent(self) -> int:
        return int(self.share * 100)

    @property
    def presence_percent(self) -> int:
        return round(self.presence * 100)


def shapes_of(rows: Iterable[Mapping[str, Any]]) -> list[PropertyShape]:
    """The shapes of the flat properties of events, those that most events have first; at most 200.

    All events are counted; of each property the first 200 values are looked at, fewer where there are many properties.
    """
    values: dict[str, list[Any]] = {}
    seen = Counter[str]()
    events = looked_at = 0
    for row in rows:
        events += 1
        for path, value in row.items():
            if path not in values and len(values) >= MAX_PATHS:
                continue
            seen[path] += 1
            own = values.setdefault(path, [])
            if not own or (len(own) < MAX_VALUES and looked_at < MAX_ALL_VALUES):
                own.append(value)
                looked_at += 1
    shapes = [shape_of(path, own, events, seen[path]) for path, own in values.items()]
    return sorted(shapes, key=lambda shape: -shape.seen)


def shape_of(path: str, values: list[Any], events: int, seen: int | None = None) -> PropertyShape:
    """The shape of one property from its values, of which there is one or more. `seen`: how many came, if more."""
    fitting = Counter[str]()
    by_value = [_fitting_types(path, value) for value in values]
    for names in by_value:
        fitting.update(names)
    likely, data_type = "string", ""
    for name in _TESTS:  # in the order of preference
        if fitting[name] == len(values):
            likely = data_type = name
            break
    if not data_type:
        data_type = "string" if all(len(_text(value)) <= MAX_STRING for value in values) else "text"
        likely = next((name for name in _TESTS if fitting[name] >= MOSTLY * len(values)), data_type)
    if data_type == "integer" and _is_label(path, values):
        likely = data_type = "string"
    odd = (
        []
        if likely == data_type
        else [value for value, names in zip(values, by_value, strict=True) if likely not in names]
    )
    return PropertyShape(
        path,
        seen or len(values),
        events,
        data_type,
        likely,
        1 - len(odd) / len(values),
        _distinct(odd, MAX_EXCEPTIONS),
        _distinct(values, MAX_EXAMPLES),
    )


def _fitting_types(path: str, value: Any) -> set[str]:
    """The data types that take the value; none for text that is longer than any of them may be."""
    if isinstance(value, str) and len(value) > MAX_LINK:
        return set()
    return {name for name, fits in _TESTS.items() if fits(path, value)}


def _is_label(path: str, values: list[Any]) -> bool:
    """True for whole numbers that identify: by the name, or all of one length as numbers of accounts are."""
    words = split_words(path)
    lengths = {len(_text(value)) for value in values}
    return bool(words and words[-1].lower() in _LABELS) or (
        len(values) > 1 and len(lengths) == 1 and lengths.pop() >= _LONG_NUMBER
    )


def _is_money(path: str) -> bool:
    words = split_words(path)
    return bool(words) and words[-1].lower() in _MONEY


def _distinct(values: Iterable[Any], limit: int) -> tuple[str, ...]:
    texts = dict.fromkeys(quoted_value(_text(value), MAX_SHOWN) for value in values)
    return tuple(texts)[:limit]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain_decimal(value) if isinstance(value, Decimal) else str(value)


# --- Tests of one value, by the name of the data type ----------------------------------------------------------


def _boolean(_path: str, value: Any) -> bool:
    return isinstance(value, bool) or (
        isinstance(value, str) and value.strip().lower() in {"true", "false", *BOOLEAN_WORDS}
    )


def _currency(path: str, value: Any) -> bool:
    return _is_money(path) and not isinstance(value, bool) and _parses(parse_currency, value)


def _integer(_path: str, value: Any) -> bool:
    if isinstance(value, str):
        return _WHOLE.fullmatch(value) is not None
    return type(value) is int and -MAX_INTEGER <= value <= MAX_INTEGER


def _float(_path: str, value: Any) -> bool:
    return not isinstance(value, bool) and _parses(parse_float, value)


def _email(_path: str, value: Any) -> bool:
    return isinstance(value, str) and _parses(parse_email, value)


def _link(_path: str, value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://")) and len(value) <= MAX_LINK


def _date(_path: str, value: Any) -> bool:
    return isinstance(value, str) and _DAY.fullmatch(value) is not None and _parses(parse_date, value)


def _datetime(_path: str, value: Any) -> bool:
    return isinstance(value, str) and _parses(parse_moment, value)


def _phone(_path: str, value: Any) -> bool:
    return isinstance(value, str) and _PHONE.fullmatch(value) is not None


_TESTS: Mapping[str, Callable[[str, Any], bool]] = {
    "boolean": _boolean,
    "currency": _currency,
    "integer": _integer,
    "float": _float,
    "email": _email,
    "link": _link,
    "date": _date,
    "datetime": _datetime,
    "phone": _phone,
}


def _parses(parse: Callable[[Any, Any], Any], value: Any) -> bool:
    try:
        parse(value, UTC)
    except BadValueError:
        return False
    return True
