"""Chart data for the script that draws it (config/static/js/parts/chart.js)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """One line or row of bars. `of` is the index of the series that a series of the period before belongs to.

    `links` are the pages that a click on each point opens, if any.
    """

    label: str
    counts: Sequence[float | None]  # None is a gap
    of: int = 0
    is_before: bool = False
    links: Sequence[str] = ()


def chart_json(
    labels: Sequence[str], interval: Any, series: Sequence[ChartSeries], *, unit: str = "", is_stacked: bool = False
) -> str:
    """The JSON of `data-chart`; `interval` is the unit of the labels: days, weeks, …; `unit` that of the values."""
    lines = [
        {"label": row.label, "data": list(row.counts), "of": row.of, "isBefore": row.is_before}
        | ({"links": list(row.links)} if row.links else {})
        for row in series
    ]
    chart = {"labels": list(labels), "interval": str(interval), "unit": unit, "isStacked": is_stacked, "series": lines}
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
