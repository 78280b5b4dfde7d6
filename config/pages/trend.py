"""The trend report: counts of up to four types by day, week, month …, compared with the period before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import accumulate
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.log import intervals
from activities.models import ActivityType, ApprovedField
from config.pages.report_tables import ReportCell, Table, Total, number_cell
from people.core.admin.charts import ChartSeries, chart_json
from people.core.admin.numbers import count_text, percent_text
from smartlists.lists.report_questions import ReportQuestion

MORE_TYPES = ("type_2", "type_3", "type_4")
MORE_LABELS = (gettext_lazy("Second type"), gettext_lazy("Third type"), gettext_lazy("Fourth type"))
WITH_BOTS = "include"  # the value of the parameter `bots` that lets bots count
MOST_POINTS = 3_660  # rows on a page
MOST_LINKED = 400  # rows whose counts lead to the people behind them; more would make the page heavy
CHOICES = (("", gettext_lazy("Automatic")), *intervals.INTERVALS.items())


@dataclass(frozen=True, slots=True)
class TrendQuery:
    """Types, period and interval of a trend; `split` is the field whose values are the series of a single type."""

    types: Sequence[ActivityType]
    since: date
    until: date
    interval: str
    is_compared: bool
    people: str
    split: ApprovedField | None = None
    is_cumulative: bool = False
    without_bots: bool = False
    is_stacked: bool = False

    @classmethod
    def of(cls, chosen: dict[str, Any], *, without_bots: bool) -> "TrendQuery | None":
        """Return the trend of a valid form; None while no type is chosen."""
        selected = [chosen[name] for name in ("type", *MORE_TYPES) if chosen.get(name)]
        types = list(dict.fromkeys(selected))
        if not types:
            return None
        return cls(
            types,
            chosen["since"],
            chosen["until"],
            chosen["interval"] or intervals.fitting_interval(chosen["since"], chosen["until"]),
            chosen["compare"],
            chosen["people"],
            chosen["split"],
            chosen["cumulative"],
            without_bots,
            chosen["stacked"],
        )

    @property
    def length(self) -> timedelta:
        return self.until - self.since + timedelta(days=1)

    def questions(self) -> list[ReportQuestion]:
        """Return one question a series: the types, then the types in the period before; a single one for a split."""
        if self.split:
            types = (self.types[0].pk,)
            question = ReportQuestion("split", types, self.since, self.until, self.split.pk, people=self.people)
            return [replace(question, without_bots=self.without_bots)]
        periods = [(self.since, self.until)]
        if self.is_compared:
            periods.append((self.since - self.length, self.since - timedelta(days=1)))
        return [
            ReportQuestion(
                "trend", (activity_type.pk,), first, last, people=self.people, without_bots=self.without_bots
            )
            for first, last in periods
            for activity_type in self.types
        ]


@dataclass(frozen=True, slots=True)
class TrendSeries:
    """One series: its counts by the first day of each interval, and its place in the chart."""

    label: str
    counts: dict[date, int]
    of: int
    is_before: bool = False

    def points(self, starts: Sequence[date], is_cumulative: bool) -> list[int]:
        """Return the number of each interval, or that of all intervals up to it."""
        counts = [self.counts.get(start, 0) for start in starts]
        return list(accumulate(counts)) if is_cumulative else counts


def trend_table(query: TrendQuery, answers: Sequence[Sequence[Any]], counted_on: date) -> Table:
    """Return the answers of `query.questions()` as one table with a row an interval.

    `counted_on` is the day of the answers: the interval that contains it is not over, and is drawn apart.
    """
    series = _value_series(query, answers[0]) if query.split else _type_series(query, answers)
    starts = list(intervals.interval_starts(query.since, query.until, query.interval))
    labels = [intervals.interval_label(start, query.interval) for start in starts]
    name = intervals.INTERVALS[query.interval]
    points = [row.points(starts, query.is_cumulative) for row in series]
    partial = intervals.partial_intervals(starts, query.interval, query.since, query.until, counted_on)
    links = [_links(query, row, line, starts) for row, line in zip(series, points, strict=True)]
    cells = [
        [
            ReportCell(intervals.labelled(label, partial.get(place)), start.isoformat()),
            *map(number_cell, numbers, addresses),
        ]
        for place, (start, label, numbers, addresses) in enumerate(
            zip(starts, labels, zip(*points, strict=True), zip(*links, strict=True), strict=True)
        )
    ]
    lines = [
        ChartSeries(row.label, line, row.of, row.is_before, pages if any(pages) else ())
        for row, line, pages in zip(series, points, links, strict=True)
    ]
    is_single = len(series) == 1 and not query.split
    headings = (name, *([_("Activities")] if is_single else [row.label for row in series]))
    drawn = ""
    if any(any(line) for line in points):
        drawn = chart_json(labels, name, lines, is_stacked=query.is_stacked, partial=partial)
    totals = [_total(row, series, len(starts), query.interval) for row in series if not row.is_before]
    complete = [place not in partial for place in range(len(starts))]
    return Table(headings, cells[::-1], drawn, totals, complete=complete[::-1])


def _links(query: TrendQuery, series: TrendSeries, counts: Sequence[int], starts: Sequence[date]) -> list[str]:
    """Return the page of the people behind each count; empty for none, for values of a split, and in long tables."""
    if query.split or len(starts) > MOST_LINKED:
        return [""] * len(counts)
    ends = [*(start - timedelta(days=1) for start in starts[1:]), query.until]
    moved = query.length if series.is_before else timedelta()
    parameters = {"report": "people", "type": query.types[series.of].pk, "people": query.people}
    parameters |= {} if query.without_bots else {"bots": WITH_BOTS}
    pages = []
    for count, start, end in zip(counts, starts, ends, strict=True):
        first = query.since if query.is_cumulative else max(start, query.since)
        period = {"since": (first - moved).isoformat(), "until": (end - moved).isoformat()}
        pages.append(f"{reverse('reports')}?{urlencode(parameters | period)}" if count else "")
    return pages


def _type_series(query: TrendQuery, answers: Sequence[Sequence[Any]]) -> list[TrendSeries]:
    """Return one series an answer of days and counts.

    Days of the period before are moved by the period's length into the rows of the present one.
    """
    series = []
    for place, rows in enumerate(answers):
        is_before = place >= len(query.types)
        moved = query.length if is_before else timedelta()
        counts = ((date.fromisoformat(day) + moved, count) for day, count in rows)
        type_index = place % len(query.types)
        label = str(query.types[type_index])
        label = _("%(series)s, period before") % {"series": label} if is_before else label
        series.append(
            TrendSeries(label, dict(intervals.group_by_interval(counts, query.interval)), type_index, is_before)
        )
    return series


def _value_series(query: TrendQuery, rows: Sequence[Any]) -> list[TrendSeries]:
    """Return one series a value, the most frequent first, and one of all other values if there are any."""
    values: dict[int | None, Any] = {}
    counts: dict[int | None, list[tuple[date, int]]] = {}
    for day, rank, value, count in rows:
        values[rank] = value
        counts.setdefault(rank, []).append((date.fromisoformat(day), count))
    if not counts:
        return [TrendSeries(str(query.types[0]), {}, 0)]
    ranks = sorted(counts, key=lambda rank: (rank is None, rank or 0))
    labels = [_("(other values)") if rank is None else values[rank] or _("(no value)") for rank in ranks]
    return [
        TrendSeries(label, dict(intervals.group_by_interval(counts[rank], query.interval)), number)
        for number, (label, rank) in enumerate(zip(labels, ranks, strict=True))
    ]


AVERAGES: Mapping[str, Any] = {
    "day": gettext_lazy("%(average)s a day on average"),
    "week": gettext_lazy("%(average)s a week on average"),
    "month": gettext_lazy("%(average)s a month on average"),
    "quarter": gettext_lazy("%(average)s a quarter on average"),
    "year": gettext_lazy("%(average)s a year on average"),
}


def _total(series: TrendSeries, every: Sequence[TrendSeries], points: int, interval: str) -> Total:
    count = sum(series.counts.values())
    average = round(count / points, 1) if points else None
    before = next((sum(row.counts.values()) for row in every if row.is_before and row.of == series.of), None)
    change = round(100 * (count - before) / before, 1) if before else None
    shown = percent_text(change, has_sign=True)
    raw = {"count": count, "average": average, "change_percent": change}
    total = count_text(count)
    mean = "" if not average else AVERAGES[interval] % {"average": count_text(average)}
    return Total(series.label, total, mean, shown, {name: value for name, value in raw.items() if value is not None})
