"""How a file writes dates, numbers and yes or no; turned into what every data type understands.

`datatypes` knows one way to write a value. Files know many, and only the team can say whether 3/4 is in March.
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
    """In which order a file writes the parts of a date; years have two or four digits."""

    YMD = "ymd"
    DMY = "dmy"
    MDY = "mdy"


@dataclass(frozen=True, slots=True)
class Convention:
    """One file's way of writing. `decimal` is "." or ","; the other one, blanks and ' may group thousands.

    Two-digit years from `pivot` on are of the 1900s. With `keep_apostrophes` the ' that our exports put before
    text that a spreadsheet would take for a formula is part of the text.
    """

    date_order: DateOrder = DateOrder.YMD
    decimal: str = "."
    pivot: int = EXCEL_PIVOT
    keep_apostrophes: bool = False

    def reader(self, data_type: DataType, name: str = "") -> Callable[[Any], Any]:
        """What turns a cell into something that `data_type.parse` takes; it leaves alone what it does not know.

        `name` is that of the field: a date of birth is never in the future.
        """
        if data_type.is_moment:
            return partial(self._moment, self._pivot(name), data_type.name == "date")
        if data_type.is_number:
            return self._number
        if data_type.name == "boolean":
            return _boolean
        return _same if self.keep_apostrophes else formulas.unguarded

    def column_reader(self, data_type: DataType, name: str = "") -> Callable[[Sequence[Any]], Sequence[Any]]:
        """Like `reader`, for the cells of a whole column."""
        read = self.reader(data_type, name)
        if read is _same:
            return _same
        kept = _DATES if data_type.is_moment else _NUMBERS[self.decimal] if data_type.is_number else None
        if read is formulas.unguarded:
            kept = _UNMARKED

        def read_column(cells: Sequence[Any]) -> Sequence[Any]:
            if set(map(type, cells)) != {str}:
                return list(map(read, cells))
            if kept and kept.fullmatch("\n".join([*cells, ""])):
                return cells
            known = {cell: read(cell) for cell in set(cells)}
            return [known[cell] for cell in cells]

        return read_column

    def _pivot(self, name: str) -> int:
        return date.today().year % 100 + 1 if is_birth(name) else self.pivot

    def _moment(self, pivot: int, is_date: bool, value: Any) -> Any:
        if type(value) is not str or (value[4:8:3] == "--" and _DATES.fullmatch(f"{value}\n")):
            return value  # as it should be, or no date at all
        written = written_dates.read(value)
        if written is None:
            return value
        text = written.iso(self.date_order, pivot)
        # what cannot be stored is refused with what stands in the file
        return value if text is None or (is_date and not written.is_midnight) else text[:10] if is_date else text

    def _number(self, value: Any) -> Any:
        if type(value) is not str or value.isdecimal():
            return value
        if self.decimal == "." and value.replace(".", "", 1).isdecimal():
            return value
        # numbers with an exponent are text to a spreadsheet's guard
        value = value if self.keep_apostrophes else formulas.unguarded(value)
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


def _same(value: Any) -> Any:
    return value


def is_birth(name: str) -> bool:
    """Whether the field called `name` holds dates of birth."""
    return bool(_BIRTH.search(name))


def is_date(text: str) -> bool:
    """Whether `text` is a date, with or without a time, in some order."""
    written = written_dates.read(text)
    return written is not None and any(written.iso(order, EXCEL_PIVOT) for order in DateOrder)


def has_open_century(values: Iterable[Any]) -> bool:
    """Whether a date among `values` has a two-digit year that may be of either century."""
    years = (
        year
        for value in values
        if type(value) is str and (found := PARTED.match(value))
        for year in (found[1], found[3])
        if len(found[1]) <= 2 and len(found[3]) <= 2
    )
    return any(EXCEL_PIVOT <= int(year) < LATE_PIVOT for year in years)


def possible_orders(values: Iterable[Any]) -> list[DateOrder]:
    """The orders in which every date among `values` makes sense; several: the team must say which.

    Without any date whose order could be doubted there is only year-month-day.
    """
    found = [match.groups()[:3] for value in values if type(value) is str and (match := PARTED.match(value))]
    doubtful = [parts for parts in found if len(parts[0]) <= 2]
    if not doubtful:
        return [DateOrder.YMD]
    candidates = [DateOrder.DMY, DateOrder.MDY] + ([DateOrder.YMD] if all(len(p[2]) <= 2 for p in doubtful) else [])
    return [order for order in candidates if all(_fits(parts, order) for parts in doubtful)] or [DateOrder.DMY]


def _fits(parts: tuple[str, ...], order: DateOrder) -> bool:
    named = dict(zip(order, parts, strict=True))
    return 1 <= int(named["m"]) <= 12 and 1 <= int(named["d"]) <= 31


# a mark that can only be the decimal mark, one that can only group thousands, and one that may be either
_DECIMAL = r"-?(?:[0-9]*{0}(?:[0-9]{{1,2}}|[0-9]{{4,}})|(?:0|[0-9]{{4,}}){0}[0-9]{{3}}|[0-9.,]*{1}[0-9]{{3}}{0}[0-9]+)"
_GROUPING = r"-?[0-9]{{1,3}}(?:{0}[0-9]{{3}}){{2,}}"
_MARKS = {".": r"\.", ",": ","}
_EITHER = re.compile(r"-?[1-9][0-9]{0,2}[.,][0-9]{3}")


def likely_decimal(values: Iterable[Any]) -> str | None:
    """The decimal mark of the numbers among `values`: "." or ","; None when they leave it open ("1,234", "1.234")."""
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
