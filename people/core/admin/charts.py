"""Chart data for the script that draws it (config/static/js/parts/chart.js)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy


class Partial(StrEnum):
    """Reason for which an interval of a chart has less than a whole one."""

    RUNNING = "running"  # it is not over yet
    CUT = "cut"  # the chosen days begin or end within it

    @property
    def word(self) -> str:
        """Word behind the interval's label: “30 Nov (so far)”."""
        return str(_PARTIAL_WORDS[self])


_PARTIAL_WORDS: Mapping[Partial, Any] = {
    Partial.RUNNING: pgettext_lazy("an interval that is not over", "so far"),
    Partial.CUT: pgettext_lazy("an interval of which some days count", "in part"),
}
_PARTIAL_NOTES: Mapping[Partial, Any] = {
    Partial.RUNNING: gettext_lazy("Dashed: not over yet."),
    Partial.CUT: gettext_lazy("Dashed: only some of its days are in the period."),
}
_BOTH_NOTE = gettext_lazy("Dashed: not over yet, or only some of its days are in the period.")


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """One line or row of bars. `of` is the index of the series that a series of the period before belongs to.

    `links` are the pages that a click on each point opens, if any; `notes` stand behind the numbers of a ranking.
    """

    label: str
    counts: Sequence[float | None]  # None is a gap
    of: int = 0
    is_before: bool = False
    links: Sequence[str] = ()
    notes: Sequence[str] = ()

    def data(self) -> dict[str, Any]:
        more = {"links": list(self.links), "notes": list(self.notes)}
        given = {name: texts for name, texts in more.items() if texts}
        return {"label": self.label, "data": list(self.counts), "of": self.of, "isBefore": self.is_before} | given


def chart_json(
    labels: Sequence[str],
    interval: Any,
    series: Sequence[ChartSeries],
    *,
    unit: str = "",
    is_stacked: bool = False,
    is_line: bool = False,
    partial: Mapping[int, Partial] | None = None,
) -> str:
    """The JSON of `data-chart`; `interval` is the unit of the labels: days, weeks, …; `unit` that of the values.

    One series is drawn as bars, with `is_line` as a line: a height at a moment, not a count of what happened.
    The places of `partial` intervals are drawn apart: lighter, with a dashed edge.
    """
    chart: dict[str, Any] = {
        "labels": list(labels),
        "interval": str(interval),
        "unit": unit,
        "isStacked": is_stacked,
        "series": [row.data() for row in series],
    }
    if is_line:
        chart["isLine"] = True
    if partial:
        kinds = set(partial.values())
        note = _PARTIAL_NOTES[kinds.pop()] if len(kinds) == 1 else _BOTH_NOTE
        chart |= {"partial": {place: kind.word for place, kind in partial.items()}, "note": str(note)}
    return json.dumps(chart, ensure_ascii=False)


def ranking_json(labels: Sequence[str], heading: Any, series: Sequence[ChartSeries], more: int = 0) -> str:
    """The JSON of `data-chart` for bars from left to right, one group a label; `more` rows are left out."""
    note = _("And %(count)s more in the table.") % {"count": more} if more else ""
    chart = {
        "kind": "ranking",
        "labels": list(labels),
        "interval": str(heading),
        "unit": "",
        "note": note,
        "series": [row.data() for row in series],
    }
    return json.dumps(chart, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the past days beside that of as many days before, and its days."""

    now: int
    before: int
    days: Sequence[int] = ()

    @property
    def change(self) -> int | None:
        """The change in percent; None where there was nothing before."""
        return round(100 * (self.now - self.before) / self.before) if self.before else None
