"""Formats of dates, numbers and booleans in files, converted to the format that every data type parses.

`datatypes` accepts one format of a value. Files have many, and only the user can decide whether 3/4 is in March.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import partial
from typing import Any

from people.datatypes import formulas, written_dates
from people.datatypes.registry import DataType
from people.datatypes.written_dates import PARTED

EXCEL_PIVOT = 30  # Excel reads the two-digit years from 30 to 99 as 1930 to 1999
LATE_PIVOT = 70  # POSIX reads those before 69 as of this century
# fields whose dates lie in the past
_BIRTH = re.compile(r"birth|nacimiento|nacim|(?:^|_)dob(?:_|$)", re.IGNORECASE)
_GROUPED = {
    ".": re.compile(r"-?(?:[0-9]{1,3}(?:[, \u00a0\u202f'][0-9]{3})+|[0-9]+)(?:\.[0-9]+)?"),
    ",": re.compile(r"-?(?:[0-9]{1,3}(?:[. \u00a0\u202f'][0-9]{3})+|[0-9]+)(?:,[0-9]+)?"),
}
# columns that stay as they are, each cell followed by a line feed
_DATES = re.compile(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.Z+-]*)?\n)*+")
_UNMARKED = re.compile(r"(?:[^'\n][^\n]*\n|\n)*+")
_NUMBERS = {".": re.compile(r"[0-9.\n-]*"), ",": re.compile(r"[0-9\n]*")}
_BOOLEANS = {
    **dict.fromkeys(("yes", "y", "1", "sí", "si", "s", "x", "verdadero"), "true"),
    **dict.fromkeys(("no", "n", "0", "falso"), "false"),
}


class DateOrder(StrEnum):
    """The order of the parts of a date in a file; years have two or four digits."""

    YMD = "ymd"
    DMY = "dmy"
    MDY = "mdy"


@dataclass(frozen=True, slots=True)
class ValueFormat:
    """The formats of one file. `decimal` is "." or ","; the other one, blanks and ' may group thousands.

    Two-digit years from `pivot` on are in the 1900s. Our exports put a ' before text that a spreadsheet would read
    as a formula; with `keep_apostrophes` it is part of the text.
    """

    date_order: DateOrder = DateOrder.YMD
    decimal: str = "."
    pivot: int = EXCEL_PIVOT
    keep_apostrophes: bool = False

    def reader(self, data_type: DataType, name: str = "") -> Callable[[Any], Any]:
        """A function that converts a cell for `data_type.parse`; it returns unknown formats unchanged.

        `name` is the name of the field: a date of birth is never in the future.
        """
        if data_type.is_moment:
            return partial(self._moment, self._pivot(name), data_type.name == "date")
        if data_type.is_number:
            return self._number
        if data_type.name == "boolean":
            return _boolean
        return _identity if self.keep_apostrophes else formulas.unguard_formula

    def column_reader(self, data_type: DataType, name: str = "") -> Callable[[Sequence[Any]], Sequence[Any]]:
        """Like `reader`, for the cells of a whole column."""
        read = self.reader(data_type, name)
        if read is _identity:
            return _identity
        unchanged = _DATES if data_type.is_moment else _NUMBERS[self.decimal] if data_type.is_number else None
        if read is formulas.unguard_formula:
            unchanged = _UNMARKED

        def read_column(cells: Sequence[Any]) -> Sequence[Any]:
            if set(map(type, cells)) != {str}:
                return list(map(read, cells))
            if unchanged and unchanged.fullmatch("\n".join([*cells, ""])):
                return cells
            values = {cell: read(cell) for cell in set(cells)}
            return [values[cell] for cell in cells]

        return read_column

    def _pivot(self, name: str) -> int:
        return date.today().year % 100 + 1 if is_birth_date_field(name) else self.pivot

    def _moment(self, pivot: int, is_date: bool, value: Any) -> Any:
        if type(value) is not str or (value[4:8:3] == "--" and _DATES.fullmatch(f"{value}\n")):
            return value  # canonical already, or not a date
        written_date = written_dates.parse_written_date(value)
        if written_date is None:
            return value
        text = written_date.iso(self.date_order, pivot)
        # an invalid value is rejected later, quoting the original text
        return value if text is None or (is_date and not written_date.is_midnight) else text[:10] if is_date else text

    def _number(self, value: Any) -> Any:
        if type(value) is not str or value.isdecimal():
            return value
        if self.decimal == "." and value.replace(".", "", 1).isdecimal():
            return value
        # the formula guard marks numbers with an exponent as text
        value = value if self.keep_apostrophes else formulas.unguard_formula(value)
        text = value.strip().removeprefix("+").replace("\N{MINUS SIGN}", "-")
        if not _GROUPED[self.decimal].fullmatch(text):
            return value
        other = "," if self.decimal == "." else "."
        for mark in (other, " ", "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}", "'"):
            text = text.replace(mark, "")
        return text.replace(",", ".")


def _boolean(value: Any) -> Any:
    if type(value) is str:
        return _BOOLEANS.get(value.strip().lower(), value)
    return bool(value) if type(value) is int and value in (0, 1) else value


def _identity(value: Any) -> Any:
    return value


def is_birth_date_field(name: str) -> bool:
    """Return True if the field `name` holds dates of birth."""
    return bool(_BIRTH.search(name))


def is_date(text: str) -> bool:
    """Return True if `text` is a date, with or without a time, in some order."""
    written_date = written_dates.parse_written_date(text)
    return written_date is not None and any(written_date.iso(order, EXCEL_PIVOT) for order in DateOrder)


def has_open_century(values: Iterable[Any]) -> bool:
    """Return True if a date among `values` has a two-digit year that is ambiguous between centuries."""
    years = (
        year
        for value in values
        if type(value) is str and (match := PARTED.match(value))
        for year in (match[1], match[3])
        if len(match[1]) <= 2 and len(match[3]) <= 2
    )
    return any(EXCEL_PIVOT <= int(year) < LATE_PIVOT for year in years)


def possible_orders(values: Iterable[Any]) -> list[DateOrder]:
    """The orders in which every date among `values` is valid; if there are several, the user must choose.

    Without any ambiguous date the only order is year-month-day.
    """
    dates = [match.groups()[:3] for value in values if type(value) is str and (match := PARTED.match(value))]
    ambiguous = [parts for parts in dates if len(parts[0]) <= 2]
    if not ambiguous:
        return [DateOrder.YMD]
    candidates = [DateOrder.DMY, DateOrder.MDY] + ([DateOrder.YMD] if all(len(p[2]) <= 2 for p in ambiguous) else [])
    return [order for order in candidates if all(_fits(parts, order) for parts in ambiguous)] or [DateOrder.DMY]


def _fits(parts: tuple[str, ...], order: DateOrder) -> bool:
    parts_by_letter = dict(zip(order, parts, strict=True))
    return 1 <= int(parts_by_letter["m"]) <= 12 and 1 <= int(parts_by_letter["d"]) <= 31


# a mark that can only be the decimal mark, one that can only group thousands, and one that may be either
_DECIMAL = r"-?(?:[0-9]*{0}(?:[0-9]{{1,2}}|[0-9]{{4,}})|(?:0|[0-9]{{4,}}){0}[0-9]{{3}}|[0-9.,]*{1}[0-9]{{3}}{0}[0-9]+)"
_GROUPING = r"-?[0-9]{{1,3}}(?:{0}[0-9]{{3}}){{2,}}"
_MARKS = {".": r"\.", ",": ","}
_EITHER = re.compile(r"-?[1-9][0-9]{0,2}[.,][0-9]{3}")


def likely_decimal(values: Iterable[Any]) -> str | None:
    """The decimal mark of the numbers among `values`: "." or ","; None if they are ambiguous ("1,234", "1.234")."""
    texts = [
        value.strip().lstrip("+")
        for value in values
        if type(value) is str and re.fullmatch(r"\s*[-+]?[0-9.,]+\s*", value)
    ]
    marks = set()
    for mark, other in (".,", ",."):
        certain = re.compile(f"{_DECIMAL.format(_MARKS[mark], _MARKS[other])}|{_GROUPING.format(_MARKS[other])}")
        if any(certain.fullmatch(text) for text in texts):
            marks.add(mark)
    if len(marks) == 1:
        return marks.pop()
    return None if marks or any(_EITHER.fullmatch(text) for text in texts) else "."
