"""Texts of rule values in sentences, in the active language and its formats."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from people.core import installation
from people.datatypes.parsing import parse_moment
from people.datatypes.registry import DataType
from smartlists.rules import periods
from smartlists.rules.operators import OperandShape

MOST_VALUES = 10  # further values are only counted


def spoken_value(data_type: DataType, value: str, shape: OperandShape = OperandShape.ONE) -> str:
    """The text of one value of an operator, given as canonical text."""
    if shape is OperandShape.PERIOD:
        number, unit = value.split(" ")
        return spoken_period(int(number), unit.removesuffix("s"))
    if shape is OperandShape.FRAME:
        return FRAMES[value]()
    if data_type.is_moment:
        return _spoken_moment(value)
    if data_type.name == "boolean":
        return _("yes") if value == "true" else _("no")
    if data_type.is_number:
        return _spoken_number(data_type, value)
    return pgettext("a value", "“%(text)s”") % {"text": value}


def spoken_period(number: int, unit: str) -> str:
    """The text of a period such as "3 weeks"; `unit` is in the singular."""
    return PERIODS[unit](number) % {"number": number}


def join_in_words(texts: Sequence[str], word: str) -> str:
    """Join texts by `word`: "and", "or" or "nor". Of a long list only the first texts, and the number of the others."""
    if len(texts) > MOST_VALUES:
        more = len(texts) - MOST_VALUES
        left_out = ngettext("%(number)s more", "%(number)s more", more) % {"number": more}
        texts = [*texts[:MOST_VALUES], left_out]
    if len(texts) < 2:
        return "".join(texts)
    return JOINTS[word]() % {"first": ", ".join(texts[:-1]), "last": texts[-1]}


def _spoken_moment(value: str) -> str:
    if len(value) == len("2026-11-20"):
        return formats.date_format(date.fromisoformat(value), "DATE_FORMAT")
    moment: datetime = installation.to_local_time(parse_moment(value))
    if moment.second or moment.microsecond:
        return f"{formats.date_format(moment, 'DATE_FORMAT')}, {moment.time().isoformat()}"
    return formats.date_format(moment, "DATETIME_FORMAT")


def _spoken_number(data_type: DataType, value: str) -> str:
    number = formats.number_format(Decimal(value), use_l10n=True, force_grouping=True)
    if data_type.name == "currency":
        return _("%(amount)s %(currency)s") % {
            "amount": number,
            "currency": installation.current_installation().currency,
        }
    return number


JOINTS: Mapping[str, Callable[[], str]] = {
    "and": lambda: _("%(first)s and %(last)s"),
    "or": lambda: _("%(first)s or %(last)s"),
    "nor": lambda: _("%(first)s nor %(last)s"),
}

PERIODS: Mapping[str, Callable[[int], str]] = {
    "hour": lambda number: ngettext("%(number)s hour", "%(number)s hours", number),
    "day": lambda number: ngettext("%(number)s day", "%(number)s days", number),
    "week": lambda number: ngettext("%(number)s week", "%(number)s weeks", number),
    "month": lambda number: ngettext("%(number)s month", "%(number)s months", number),
    "year": lambda number: ngettext("%(number)s year", "%(number)s years", number),
}

# used after "is": "is today", "is in last quarter"
FRAMES: Mapping[str, Callable[[], str]] = {
    "today": lambda: pgettext("time frame", "today"),
    "yesterday": lambda: pgettext("time frame", "yesterday"),
    "tomorrow": lambda: pgettext("time frame", "tomorrow"),
    "this week": lambda: pgettext("time frame", "in this week"),
    "last week": lambda: pgettext("time frame", "in last week"),
    "next week": lambda: pgettext("time frame", "in next week"),
    "this month": lambda: pgettext("time frame", "in this month"),
    "last month": lambda: pgettext("time frame", "in last month"),
    "next month": lambda: pgettext("time frame", "in next month"),
    "this quarter": lambda: pgettext("time frame", "in this quarter"),
    "last quarter": lambda: pgettext("time frame", "in last quarter"),
    "next quarter": lambda: pgettext("time frame", "in next quarter"),
    "this year": lambda: pgettext("time frame", "in this year"),
    "last year": lambda: pgettext("time frame", "in last year"),
    "next year": lambda: pgettext("time frame", "in next year"),
}
assert FRAMES.keys() == periods.FRAMES.keys()
