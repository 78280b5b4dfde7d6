"""How a file writes dates, numbers and yes or no; turned into what every data type understands.

`datatypes` knows one way to write a value. Files know many, and only the team can say whether 3/4 is in March.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from people.datatypes import DataType

_PARTED = re.compile(
    r"\s*([0-9]{1,4})[./-]([0-9]{1,2})[./-]([0-9]{1,4})"
    r"(?:[T ,]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,6}))?)?\s*([AaPp])?\.?[Mm]?\.?"
    r"\s*([Zz]|[+-][0-9]{2}:?[0-9]{2})?)?\s*"
)
_GROUPED = {
    ".": re.compile(r"-?[0-9]{1,3}(?:[, \u00a0\u202f'][0-9]{3})+(?:\.[0-9]+)?"),
    ",": re.compile(r"-?(?:[0-9]{1,3}(?:[. \u00a0\u202f'][0-9]{3})+|[0-9]+)(?:,[0-9]+)?"),
}
# columns that stay as they are, each cell followed by a line feed
_DATES = re.compile(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.Z+-]*)?\n)*+")
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
    """One file's way of writing. `decimal` is "." or ","; the other one, blanks and ' may group thousands."""

    date_order: DateOrder = DateOrder.YMD
    decimal: str = "."

    def reader(self, data_type: DataType) -> Callable[[Any], Any]:
        """What turns a cell into something that `data_type.parse` takes; it leaves alone what it does not know."""
        if data_type.is_moment:
            return self._moment
        if data_type.is_number:
            return self._number
        return _boolean if data_type.name == "boolean" else _same

    def column_reader(self, data_type: DataType) -> Callable[[Sequence[Any]], Sequence[Any]]:
        """Like `reader`, for the cells of a whole column."""
        read = self.reader(data_type)
        if read is _same:
            return _same
        kept = _DATES if data_type.is_moment else _NUMBERS[self.decimal] if data_type.is_number else None

        def read_column(cells: Sequence[Any]) -> Sequence[Any]:
            if set(map(type, cells)) != {str}:
                return list(map(read, cells))
            if kept and kept.fullmatch("\n".join([*cells, ""])):
                return cells
            known = {cell: read(cell) for cell in set(cells)}
            return [known[cell] for cell in cells]

        return read_column

    def _moment(self, value: Any) -> Any:
        if type(value) is not str or (value[4:8:3] == "--" and (len(value) == 10 or value[10:11] == "T")):
            return value  # as it should be, or no date at all
        if not (found := _PARTED.fullmatch(value)):
            return value
        parts = found.groups()
        order = "ymd" if len(parts[0]) == 4 else self.date_order
        named = dict(zip(order, parts, strict=False))
        if len(named["m"]) > 2 or len(named["d"]) > 2 or len(named["y"]) not in (2, 4):
            return value
        year = named["y"] if len(named["y"]) == 4 else f"20{named['y']}" if named["y"] < "70" else f"19{named['y']}"
        day = f"{year}-{int(named['m']):02}-{int(named['d']):02}"
        return day if parts[3] is None else f"{day}T{_clock(*parts[3:])}"

    def _number(self, value: Any) -> Any:
        if type(value) is not str or value.isdecimal():
            return value
        if self.decimal == "." and value.replace(".", "", 1).isdecimal():
            return value
        text = value.strip().removeprefix("+").replace("\N{MINUS SIGN}", "-")
        if not _GROUPED[self.decimal].fullmatch(text):
            return value
        other = "," if self.decimal == "." else "."
        for mark in (other, " ", "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}", "'"):
            text = text.replace(mark, "")
        return text.replace(",", ".")


def _clock(hour: str, minute: str, second: str, fraction: str, half: str, zone: str) -> str:
    if half:
        hour = str(int(hour) % 12 + (12 if half in "Pp" else 0))
    return f"{int(hour):02}:{minute}:{second or '00'}{'.' + fraction if fraction else ''}{zone or ''}"


def _boolean(value: Any) -> Any:
    if type(value) is str:
        return _BOOLEANS.get(value.strip().lower(), value)
    return bool(value) if type(value) is int and value in (0, 1) else value


def _same(value: Any) -> Any:
    return value


def is_date(text: str) -> bool:
    """Whether `text` looks like a date, with or without a time, in some order."""
    return bool(_PARTED.fullmatch(text))


def possible_orders(values: Iterable[Any]) -> list[DateOrder]:
    """The orders in which every date among `values` makes sense; several: the team must say which.

    Without any date whose order could be doubted there is only year-month-day.
    """
    found = [match.groups()[:3] for value in values if type(value) is str and (match := _PARTED.fullmatch(value))]
    doubtful = [parts for parts in found if len(parts[0]) <= 2]
    if not doubtful:
        return [DateOrder.YMD]
    candidates = [DateOrder.DMY, DateOrder.MDY] + ([DateOrder.YMD] if all(len(p[2]) <= 2 for p in doubtful) else [])
    return [order for order in candidates if all(_fits(parts, order) for parts in doubtful)] or [DateOrder.DMY]


def _fits(parts: tuple[str, ...], order: DateOrder) -> bool:
    named = dict(zip(order, parts, strict=True))
    return 1 <= int(named["m"]) <= 12 and 1 <= int(named["d"]) <= 31


def likely_decimal(values: Iterable[Any]) -> str | None:
    """The decimal mark of the numbers among `values`: "." or ","; None when they leave it open ("1,234")."""
    texts = [value.strip() for value in values if type(value) is str and re.fullmatch(r"\s*-?[0-9.,]+\s*", value)]
    comma = any(re.search(r",(?:[0-9]{1,2}|[0-9]{4,})$", text) or re.search(r"\..*,", text) for text in texts)
    point = any(re.search(r"\.(?:[0-9]{1,2}|[0-9]{4,})$", text) or re.search(r",.*\.", text) for text in texts)
    if comma != point:
        return "," if comma else "."
    return None if any("," in text for text in texts) else "."
