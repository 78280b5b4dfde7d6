"""What a page tells the script that draws its charts (config/static/js/parts/chart.js)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Series:
    """One line or row of bars. `of` says which series that of the period before belongs to."""

    label: str
    counts: Sequence[int]
    of: int = 0
    is_before: bool = False


def chart(labels: Sequence[str], interval: Any, series: Sequence[Series]) -> str:
    """The JSON of `data-chart`; `interval` is what the labels are: days, weeks, …"""
    lines = [{"label": one.label, "data": list(one.counts), "of": one.of, "isBefore": one.is_before} for one in series]
    return json.dumps({"labels": list(labels), "interval": str(interval), "series": lines}, ensure_ascii=False)
