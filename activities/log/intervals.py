"""Counts of days, grouped by days, weeks, months, quarters or years."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core import installation
from people.core.admin.charts import Partial

INTERVALS: Mapping[str, Any] = {
    "day": gettext_lazy("Day"),
    "week": gettext_lazy("Week"),
    "month": gettext_lazy("Month"),
    "quarter": gettext_lazy("Quarter"),
    "year": gettext_lazy("Year"),
}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_DAYS = {"day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}
SHOWN = 120  # points of a chart that are still distinguishable


def interval_start(day: date, interval: str) -> date:
    """The first day of the interval that contains `day`; the installation sets the first day of a week."""
    if interval == "day":
        return day
    if interval == "week":
        return day - timedelta(days=(day.weekday() - installation.current_installation().week_starts_on) % 7)
    months = _MONTHS[interval]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def group_by_interval(counts: Iterable[tuple[date, int]], interval: str) -> list[tuple[date, int]]:
    """(first day, sum) of each interval, in the order of `counts`; the period may cut the outer intervals."""
    sums: dict[date, int] = {}
    for day, count in counts:
        start = interval_start(day, interval)
        sums[start] = sums.get(start, 0) + count
    return list(sums.items())


def interval_starts(first: date, last: date, interval: str) -> Iterator[date]:
    """Yield the first day of each interval between two days; the earliest may lie before `first`."""
    start: date | None = interval_start(first, interval)
    while start is not None and start <= last:
        yield start
        start = _next_start(start, interval)


def following_start(start: date, interval: str) -> date:
    """The first day after the interval that begins at `start`; the last day of the calendar if there is none."""
    return _next_start(start, interval) or date.max


def _next_start(start: date, interval: str) -> date | None:
    if interval in _MONTHS:
        years, month = divmod(start.month - 1 + _MONTHS[interval], 12)
        return None if start.year + years > date.max.year else date(start.year + years, month + 1, 1)
    return None if (date.max - start).days < _DAYS[interval] else start + timedelta(days=_DAYS[interval])


def count_intervals(first: date, last: date, interval: str) -> int:
    """The approximate number of intervals between two days."""
    return (last - first).days // _DAYS[interval] + 1


def fitting_interval(first: date, last: date) -> str:
    """The shortest interval that a chart of the period can show."""
    return next((name for name in INTERVALS if count_intervals(first, last, name) <= SHOWN), "year")


def partial_intervals(
    starts: Sequence[date], interval: str, first: date, last: date, today: date
) -> dict[int, Partial]:
    """The places of the intervals that have less than all of their days between `first` and `last`, and by `today`.

    `today`: the day on which the activities were counted, whose end is not known yet.
    """
    places: dict[int, Partial] = {}
    for place, start in enumerate(starts):
        end = following_start(start, interval) - timedelta(days=1)
        if start <= today <= min(end, last):
            places[place] = Partial.RUNNING
        elif start < first or end > last:
            places[place] = Partial.CUT
    return places


def partial_days(days: Sequence[date], today: date) -> dict[int, Partial]:
    """The place of `today` as the running one among whole days."""
    return partial_intervals(days, "day", days[0], days[-1], today) if days else {}


def labelled(label: str, partial: Partial | None) -> str:
    """The label of an interval in a table: “30 Nov (so far)” of one that has less than all of its days."""
    return f"{label} ({partial.word})" if partial else label


def interval_label(start: date, interval: str) -> str:
    """The label, for an axis or a row, of the interval that begins at `start`."""
    if interval == "year":
        return str(start.year)
    if interval == "quarter":
        return _("Q%(number)s %(year)s") % {"number": (start.month + 2) // 3, "year": start.year}
    return date_format(start, "YEAR_MONTH_FORMAT" if interval == "month" else "SHORT_DATE_FORMAT")
