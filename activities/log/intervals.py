"""Counts of days put together as days, weeks, months, quarters or years."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core import installation

INTERVALS: Mapping[str, Any] = {
    "day": gettext_lazy("Day"),
    "week": gettext_lazy("Week"),
    "month": gettext_lazy("Month"),
    "quarter": gettext_lazy("Quarter"),
    "year": gettext_lazy("Year"),
}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_DAYS = {"day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}
SHOWN = 120  # points of a chart that are still told apart


def start_of(day: date, interval: str) -> date:
    """The first day of the interval in which `day` lies; weeks begin as the installation says."""
    if interval == "day":
        return day
    if interval == "week":
        return day - timedelta(days=(day.weekday() - installation.current().week_starts_on) % 7)
    months = _MONTHS[interval]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def grouped(counts: Iterable[tuple[date, int]], interval: str) -> list[tuple[date, int]]:
    """(first day, sum) of each interval, in the order of `counts`; the outer ones may be cut by the period."""
    found: dict[date, int] = {}
    for day, count in counts:
        start = start_of(day, interval)
        found[start] = found.get(start, 0) + count
    return list(found.items())


def starts(first: date, last: date, interval: str) -> Iterator[date]:
    """The first day of each interval between two days; the first of them may lie before `first`."""
    start = start_of(first, interval)
    while start <= last:
        yield start
        if interval in _MONTHS:
            years, month = divmod(start.month - 1 + _MONTHS[interval], 12)
            if start.year + years > date.max.year:
                return
            start = date(start.year + years, month + 1, 1)
        elif (date.max - start).days < _DAYS[interval]:
            return
        else:
            start += timedelta(days=_DAYS[interval])


def points(first: date, last: date, interval: str) -> int:
    """About how many intervals lie between two days."""
    return (last - first).days // _DAYS[interval] + 1


def fitting(first: date, last: date) -> str:
    """The shortest interval of which a chart of the period shows each."""
    return next((name for name in INTERVALS if points(first, last, name) <= SHOWN), "year")


def label(start: date, interval: str) -> str:
    """What an axis or row calls the interval that begins at `start`."""
    if interval == "year":
        return str(start.year)
    if interval == "quarter":
        return _("Q%(number)s %(year)s") % {"number": (start.month + 2) // 3, "year": start.year}
    return date_format(start, "YEAR_MONTH_FORMAT" if interval == "month" else "SHORT_DATE_FORMAT")
