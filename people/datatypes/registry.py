"""Registry of the data types."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, tzinfo
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from django import forms
from django.utils.functional import Promise

from people.core.messages import sentence_lazy as _
from people.datatypes.canonical import moment_text, plain_decimal
from people.datatypes.parsing import (
    A_DATE,
    A_MOMENT,
    AMOUNT,
    NUMBER,
    WHOLE_NUMBER,
    parse_boolean,
    parse_currency,
    parse_date,
    parse_email,
    parse_float,
    parse_integer,
    parse_link,
    parse_moment,
    parse_string,
    parse_text,
)

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


@dataclass(frozen=True, slots=True)
class DataType:
    """One data type, for all channels and pages.

    `parse` takes a received value, never blank, and the zone of moments without a zone; it returns the
    canonical Python value or raises `BadValueError`. `to_json` and `to_text` take the canonical value. The
    comparison in SQL is in `people.core.db.value_sql`.
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

    @property
    def is_text(self) -> bool:
        """Return True if values are texts, and compared as texts."""
        return self.operators is TEXT_OPERATORS

    def from_json(self, stored: Any) -> Any:
        """The canonical value of a stored value, written by `to_json` and read by `ExactDecoder`."""
        if type(stored) is str and self.is_text:  # stored in its canonical form
            return stored
        return self.parse(stored, UTC)

    def as_json(self, value: Any) -> Any:
        """The canonical value as a Python object for `dump_json`."""
        if type(value) is str or isinstance(value, str | bool | int | float | Decimal):
            return value
        return self.to_text(value)


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
        WHOLE_NUMBER,
        "42",
        parse_integer,
        str,
        str,
        NUMBER_OPERATORS,
        lambda: forms.NumberInput(attrs={"step": "1"}),
        is_number=True,
        **more,
    )


_ALL = (
    _text_type("string", _("Text"), _("text"), "Intro to marketing", parse_string, forms.TextInput),
    _text_type("text", _("Long text"), _("text"), "…", parse_text, lambda: forms.Textarea({"rows": 3})),
    _text_type("email", _("Email"), _("an email address"), "ann@example.com", parse_email, forms.EmailInput),
    _text_type("phone", _("Phone"), _("a phone number"), "+34 600 123 456", parse_string, forms.TextInput),
    _text_type("link", _("Link"), _("a web address"), "https://example.com/a", parse_link, forms.TextInput),
    DataType(
        "boolean",
        _("Yes or no"),
        _("true or false"),
        "true",
        parse_boolean,
        lambda value: "true" if value else "false",
        lambda value: "true" if value else "false",
        BOOLEAN_OPERATORS,
        lambda: forms.Select(choices=[("", "—"), ("true", _("Yes")), ("false", _("No"))]),
    ),
    _integer_type("integer", _("Whole number")),
    DataType(
        "float",
        _("Number"),
        NUMBER,
        "3.5",
        parse_float,
        repr,
        repr,
        NUMBER_OPERATORS,
        lambda: forms.NumberInput(attrs={"step": "any"}),
        is_number=True,
    ),
    DataType(
        "currency",
        _("Currency"),
        AMOUNT,
        "1250.50",
        parse_currency,
        plain_decimal,
        plain_decimal,
        NUMBER_OPERATORS,
        lambda: forms.NumberInput(attrs={"step": "any"}),
        is_number=True,
    ),
    DataType(
        "date",
        _("Date"),
        A_DATE,
        "2026-11-20",
        parse_date,
        lambda value: _quoted(value.isoformat()),
        date.isoformat,
        MOMENT_OPERATORS,
        lambda: forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        is_moment=True,
    ),
    DataType(
        "datetime",
        _("Date and time"),
        A_MOMENT,
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
