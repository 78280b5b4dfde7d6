"""Fast conversion of whole columns of values to the stored JSON texts.

Each function returns for every cell exactly the result of `parse` and `to_json` of its data type. A column entirely in
the most common form of its type takes a few passes in C. The values of any other column are converted one by one,
each distinct text once.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from json.encoder import encode_basestring
from math import isfinite
from operator import eq
from typing import Any
from unicodedata import is_normalized

from people.datatypes import fast
from people.datatypes.parsing import (
    FIRST_YEAR,
    LAST_YEAR,
    MAX_INTEGER,
    MAX_STRING,
    BadValueError,
    is_blank,
    parse_moment,
)
from people.datatypes.registry import DataType

Texts = Sequence[str | None]  # "" is no value, None an invalid one

# of all cells, each followed by a line feed; possessive, so that a long column needs no memory to go back
_INTEGERS = re.compile(r"(?:(?:0|[1-9][0-9]{0,14})?\n)*+")
_CURRENCIES = re.compile(r"(?:(?:(?!-0)-?(?:0|[1-9][0-9]{0,13})(?:\.[0-9]{1,4})?)?\n)*+")
_FLOATS = re.compile(r"(?:-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?\n)*+")
_MOMENTS = re.compile(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|\+00:00)\n)*+")


def are_plain_texts(cells: Sequence[Any]) -> bool:
    """Return True if every cell is empty or text that is stored unchanged; see `fast.is_plain_text`."""
    try:
        whole = "".join(cells)
    except TypeError:
        return False
    return (
        whole.isprintable()
        and (whole.isascii() or is_normalized("NFC", whole))
        and max(map(len, cells), default=0) <= MAX_STRING
        and all(map(eq, cells, map(str.strip, cells)))
    )


def _lines(cells: Sequence[Any]) -> str:
    """The cells, each followed by a line feed; empty if one is not text, or holds a line feed and so looks like two."""
    try:
        whole = "\n".join([*cells, ""])
    except TypeError:
        return ""
    return whole if whole.count("\n") == len(cells) else ""


def parse_utc_moments(cells: Sequence[Any]) -> list[datetime] | None:
    """Parse the cells if each is like 2026-11-20T10:00:00Z, in UTC; else None."""
    if not _MOMENTS.fullmatch(_lines(cells) or "-"):
        return None
    try:
        parsed = list(map(datetime.fromisoformat, cells))
    except ValueError:
        return None
    return parsed if min(parsed).year >= FIRST_YEAR and max(parsed).year <= LAST_YEAR else None


def _texts(cells: Sequence[Any]) -> Texts | None:
    if not are_plain_texts(cells):
        return None
    whole = "".join(cells)
    if '"' in whole or "\\" in whole:
        return [cell and encode_basestring(cell) for cell in cells]
    return [cell and f'"{cell}"' for cell in cells]


def _integers(cells: Sequence[Any]) -> Texts | None:
    if set(map(type, cells)) == {int}:
        return list(map(str, cells)) if min(cells) >= -MAX_INTEGER and max(cells) <= MAX_INTEGER else None
    return cells if _INTEGERS.fullmatch(_lines(cells) or "-") else None


def _currencies(cells: Sequence[Any]) -> Texts | None:
    if set(map(type, cells)) <= {Decimal, int}:
        cells = list(map(str, cells))
    if not _CURRENCIES.fullmatch(_lines(cells) or "-"):
        return None
    return [cell.rstrip("0").rstrip(".") if cell[-1:] == "0" and "." in cell else cell for cell in cells]


def _floats(cells: Sequence[Any]) -> Texts | None:
    if set(map(type, cells)) == {Decimal}:
        numbers = list(map(float, cells))
        return list(map(repr, numbers)) if all(map(isfinite, numbers)) else None
    return list(map(repr, map(float, cells))) if _FLOATS.fullmatch(_lines(cells) or "-") else None


def _booleans(cells: Sequence[Any]) -> Texts | None:
    return ["true" if cell else "false" for cell in cells] if set(map(type, cells)) == {bool} else None


def _moments(cells: Sequence[Any]) -> Texts | None:
    return None if parse_utc_moments(cells) is None else [f'"{cell[:19]}Z"' for cell in cells]


_BULK: Mapping[str, Callable[[Sequence[Any]], Texts | None]] = {
    "string": _texts,
    "phone": _texts,
    "text": _texts,
    "integer": _integers,
    "float": _floats,
    "currency": _currencies,
    "boolean": _booleans,
    "datetime": _moments,
}


def map_distinct(cells: Sequence[Any], work: Callable[[Any], Any]) -> list[Any]:
    """The result of `work` for every cell, computed once for each distinct text."""
    if set(map(type, cells)) <= {str, type(None)}:  # else 1 and True would share a result
        results = {cell: work(cell) for cell in set(cells)}
        return [results[cell] for cell in cells]
    return list(map(work, cells))


def json_texts(data_type: DataType, cells: Sequence[Any], zone: tzinfo) -> Texts:
    """The JSON text of every cell; moments without a zone are of `zone`."""
    bulk = _BULK.get(data_type.name)
    if bulk and (texts := bulk(cells)) is not None:
        return texts
    quick = fast.QUICK[data_type.name]

    def work(cell: Any) -> str | None:
        if (text := quick(cell)) is not None:
            return text
        return _parsed(data_type, data_type.to_json, cell, zone)

    return map_distinct(cells, work)


def plain_texts(data_type: DataType, cells: Sequence[Any], zone: tzinfo) -> Texts:
    """The canonical plain text of every cell, as a primary value is stored."""
    if data_type.name in fast.STORED_AS_THEY_ARE and are_plain_texts(cells):
        return cells
    return map_distinct(cells, lambda cell: _parsed(data_type, data_type.to_text, cell, zone))


def _parsed(data_type: DataType, show: Callable[[Any], str], cell: Any, zone: tzinfo) -> str | None:
    if is_blank(cell):
        return ""
    try:
        return show(data_type.parse(cell, zone))
    except BadValueError:
        return None


def parse_moments(cells: Sequence[Any], zone: tzinfo) -> tuple[Sequence[str | None], Sequence[datetime | None]]:
    """(text in UTC for PostgreSQL, moment) of every cell; None for an invalid one."""
    if (parsed := parse_utc_moments(cells)) is not None:
        return cells, parsed

    def work(cell: Any) -> tuple[str | None, datetime | None]:
        try:
            moment = parse_moment(cell, zone)
        except BadValueError:
            return None, None
        return moment.isoformat(), moment

    pairs = map_distinct(cells, work)
    return [text for text, _moment in pairs], [moment for _text, moment in pairs]
