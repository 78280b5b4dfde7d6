"""The trend report: counts of up to four types by day, week, month …, compared with the period before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.utils.formats import localize
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.log import intervals
from activities.models import ActivityType
from config.pages.report_tables import Cell, Table, Total, number_cell
from people.core.admin.charts import ChartSeries, chart_json
from smartlists.lists.reports import ReportQuestion

MORE_TYPES = ("type_2", "type_3", "type_4")
MOST_POINTS = 3_660  # rows on a page
CHOICES = (("", gettext_lazy("Automatic")), *intervals.INTERVALS.items())


@dataclass(frozen=True, slots=True)
class TrendQuery:
    """Types, period and interval of a trend."""

    types: Sequence[ActivityType]
    since: date
    until: date
    interval: str
    is_compared: bool
    people: str

    @classmethod
    def of(cls, chosen: dict[str, Any]) -> "TrendQuery | None":
        """Return the trend of a valid form; None while no type is chosen."""
        selected = [chosen[name] for name in ("type", *MORE_TYPES) if chosen.get(name)]
        types = list(dict.fromkeys(selected))
        if not types:
            return None
        interval = chosen["interval"] or intervals.fitting_interval(chosen["since"], chosen["until"])
        return cls(types, chosen["since"], chosen["until"], interval, chosen["compare"], chosen["people"])

    @property
    def length(self) -> timedelta:
        return self.until - self.since + timedelta(days=1)

    def questions(self) -> list[ReportQuestion]:
        """Return one question a series: the types, then the types in the period before."""
        periods = [(self.since, self.until)]
        if self.is_compared:
            periods.append((self.since - self.length, self.since - timedelta(days=1)))
        return [
            ReportQuestion("trend", (activity_type.pk,), first, last, people=self.people)
            for first, last in periods
            for activity_type in self.types
        ]


def trend_table(query: TrendQuery, answers: Sequence[Sequence[Any]]) -> Table:
    """Return the answers of `query.questions()`, days and counts each, as one table with a row an interval.

    Days of the period before are moved by the period's length into the rows of the present one.
    """
    starts = list(intervals.interval_starts(query.since, query.until, query.interval))
    series = []
    for place, rows in enumerate(answers):
        is_before = place >= len(query.types)
        moved = query.length if is_before else timedelta()
        counts = [(date.fromisoformat(day) + moved, count) for day, count in rows]
        type_index = place % len(query.types)
        label = str(query.types[type_index])
        label = _("%(series)s, period before") % {"series": label} if is_before else label
        grouped = dict(intervals.group_by_interval(counts, query.interval))
        counts_by_start = [grouped.get(start, 0) for start in starts]
        series.append((grouped, ChartSeries(label, counts_by_start, type_index, is_before)))
    labels = [intervals.interval_label(start, query.interval) for start in starts]
    name = intervals.INTERVALS[query.interval]
    cells = [
        [Cell(label, start.isoformat()), *(number_cell(grouped.get(start, 0)) for grouped, _series in series)]
        for start, label in zip(starts, labels, strict=True)
    ]
    lines = [line for _grouped, line in series]
    headings = (name, *([_("Activities")] if len(lines) == 1 else [line.label for line in lines]))
    drawn = chart_json(labels, name, lines) if any(sum(line.counts) for line in lines) else ""
    return Table(headings, cells[::-1], drawn, [_total(line, lines) for line in lines if not line.is_before])


def _total(series: ChartSeries, lines: Sequence[ChartSeries]) -> Total:
    count = sum(series.counts)
    average = localize(round(count / len(series.counts), 1), use_l10n=True) if series.counts else ""
    change = ""
    before = next((sum(line.counts) for line in lines if line.is_before and line.of == series.of), None)
    if before:
        percent = round(100 * (count - before) / before, 1)
        change = f"{'+' if percent > 0 else ''}{localize(percent, use_l10n=True)} %"
    return Total(series.label, localize(count, use_l10n=True), average, change)
