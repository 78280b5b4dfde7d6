"""Tables of reports: page and file use the same cells."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.formats import localize


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its value on the page, its value in the file, and its link."""

    shown: Any
    raw: Any
    url: str = ""


@dataclass(frozen=True, slots=True)
class Total:
    """A figure above a chart: a series' total, its average an interval, and the change from the period before."""

    label: str
    count: str
    average: str
    change: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    headings: Sequence[Any]
    rows: list[list[Cell]]
    chart: str = ""
    totals: Sequence[Total] = ()
    meters: Sequence[float] = ()  # per row, in percent
    words: Sequence[int] = (0,)  # the columns that are not numbers


def text_cell(value: str | None, otherwise: Any = "", url: str = "") -> Cell:
    return Cell(value or otherwise, value or "", url)


def number_cell(value: Any) -> Cell:
    return Cell("" if value is None else localize(value, use_l10n=True), "" if value is None else value)


def share_cell(percent: float | None) -> Cell:
    return Cell("" if percent is None else f"{localize(percent)} %", "" if percent is None else percent)


def percentages(counts: Iterable[int]) -> list[float]:
    """Return each count as a percentage of the greatest."""
    numbers = list(counts)
    most = max(numbers, default=0)
    return [round(100 * count / most, 1) if most else 0 for count in numbers]
