"""The trend report: how often up to four types happened, by day, week, month …, and against the period before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.utils.formats import localize
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.log import intervals
from activities.models import ActivityType
from config.pages.report_tables import Cell, Table, Total, number
from people.core.admin.charts import Series, chart
from smartlists.lists.reports import Question

MORE_TYPES = ("type_2", "type_3", "type_4")
MOST_POINTS = 3_660  # rows that a page shows
CHOICES = (("", gettext_lazy("Automatic")), *intervals.INTERVALS.items())


@dataclass(frozen=True, slots=True)
class Asked:
    """A trend as the form asks for it."""

    types: Sequence[ActivityType]
    since: date
    until: date
    interval: str
    is_compared: bool
    people: str

    @classmethod
    def of(cls, chosen: dict[str, Any]) -> "Asked | None":
        """What a form without faults asks; None as long as no type is chosen."""
        named = [chosen[name] for name in ("type", *MORE_TYPES) if chosen.get(name)]
        types = list(dict.fromkeys(named))
        if not types:
            return None
        interval = chosen["interval"] or intervals.fitting(chosen["since"], chosen["until"])
        return cls(types, chosen["since"], chosen["until"], interval, chosen["compare"], chosen["people"])

    @property
    def length(self) -> timedelta:
        return self.until - self.since + timedelta(days=1)

    def questions(self) -> list[Question]:
        """One a series: those of the types, then those of the types in the period before."""
        periods = [(self.since, self.until)]
        if self.is_compared:
            periods.append((self.since - self.length, self.since - timedelta(days=1)))
        return [
            Question("trend", (found.pk,), first, last, people=self.people)
            for first, last in periods
            for found in self.types
        ]


def table(asked: Asked, answers: Sequence[Sequence[Any]]) -> Table:
    """The answers of `asked.questions()`, days and counts each, put together: one row an interval.

    Days of the period before lie in the row of the day as long after them as the period lasts.
    """
    starts = list(intervals.starts(asked.since, asked.until, asked.interval))
    series = []
    for place, rows in enumerate(answers):
        is_before = place >= len(asked.types)
        moved = asked.length if is_before else timedelta()
        counts = [(date.fromisoformat(day) + moved, count) for day, count in rows]
        of = place % len(asked.types)
        label = str(asked.types[of])
        label = _("%(series)s, period before") % {"series": label} if is_before else label
        grouped = dict(intervals.grouped(counts, asked.interval))
        series.append((grouped, Series(label, [grouped.get(start, 0) for start in starts], of, is_before)))
    labels = [intervals.label(start, asked.interval) for start in starts]
    name = intervals.INTERVALS[asked.interval]
    cells = [
        [Cell(label, start.isoformat()), *(number(grouped.get(start, 0)) for grouped, _series in series)]
        for start, label in zip(starts, labels, strict=True)
    ]
    lines = [one for _grouped, one in series]
    headings = (name, *([_("Activities")] if len(lines) == 1 else [one.label for one in lines]))
    drawn = chart(labels, name, lines) if any(sum(one.counts) for one in lines) else ""
    return Table(headings, cells[::-1], drawn, [_total(one, lines) for one in lines if not one.is_before])


def _total(series: Series, lines: Sequence[Series]) -> Total:
    count = sum(series.counts)
    average = localize(round(count / len(series.counts), 1), use_l10n=True) if series.counts else ""
    change = ""
    before = next((sum(one.counts) for one in lines if one.is_before and one.of == series.of), None)
    if before:
        percent = round(100 * (count - before) / before, 1)
        change = f"{'+' if percent > 0 else ''}{localize(percent, use_l10n=True)} %"
    return Total(series.label, localize(count, use_l10n=True), average, change)
