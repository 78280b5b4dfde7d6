"""Tables and charts of the reports on what people do after their first activity: retention, time to the next one."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from activities.log import intervals
from activities.log import reports as log_reports
from activities.log.journeys import waits
from config.pages.report_tables import (
    Grid,
    GridCell,
    GridRow,
    ReportCell,
    Table,
    Total,
    moment_cell,
    number_cell,
    people_address,
    people_table,
    share_cell,
    text_cell,
)
from people.core.admin.charts import ChartSeries, chart_json
from people.core.admin.numbers import count_text

SHADES = 10
DRAWN = 5  # latest cohorts in the chart, besides all together
FEW = 16  # cohorts that an automatic interval makes at most
SECOND = 1_000_000
Share = tuple[int, int, float | None]  # people, those of them who came back, their percentage
_UNITS: Mapping[str, Callable[[int], str]] = {  # messages of a number of each unit
    "second": lambda number: ngettext("%(number)s second", "%(number)s seconds", number),
    "minute": lambda number: ngettext("%(number)s minute", "%(number)s minutes", number),
    "hour": lambda number: ngettext("%(number)s hour", "%(number)s hours", number),
    "day": lambda number: ngettext("%(number)s day", "%(number)s days", number),
}


def cohort_interval(chosen: dict[str, Any]) -> str:
    """Return the chosen interval of cohorts, or the shortest one that makes few of them."""
    counts = ((name, intervals.count_intervals(chosen["since"], chosen["until"], name)) for name in intervals.INTERVALS)
    return chosen["interval"] or next((name for name, count in counts if count <= FEW), "year")


def journey_parameters(chosen: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a report on people that are those of the report `chosen`."""
    narrowed = {"where": chosen["where"].pk, "value": chosen["value"]} if chosen["where"] else {}
    return {"type": chosen["type"].pk, "then": (chosen["then"] or chosen["type"]).pk} | narrowed


# --- Retention --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CohortRow:
    """One cohort as its answer has it."""

    start: date
    people: int
    complete: int
    is_cut: bool
    returned: Sequence[int]

    @classmethod
    def of(cls, row: Sequence[Any]) -> "CohortRow":
        return cls(date.fromisoformat(row[0]), *row[1:])

    def share(self, period: int) -> float | None:
        """Return the percentage of the people who returned; None where there are no people or the period lies ahead."""
        if not self.people or period >= len(self.returned):
            return None
        return round(100 * self.returned[period] / self.people, 1)


def retention_table(chosen: dict[str, Any], rows: Sequence[Any]) -> Table:
    """Return a row for each cohort and period, the same as a grid with shades, and a chart of the complete periods."""
    cohorts = [CohortRow.of(row) for row in rows]
    interval = cohort_interval(chosen)
    periods = max((len(row.returned) for row in cohorts), default=0)
    everybody = [_of_all(cohorts, period) for period in range(periods)]
    headings = (
        intervals.INTERVALS[interval],
        _("People"),
        _("Periods later"),
        _("Came back"),
        _("Came back, %"),
        _("Period is over"),
    )
    cells = [
        [
            ReportCell(pgettext("people", "All"), ""),
            number_cell(people),
            number_cell(period),
            number_cell(back),
            share_cell(share),
            _yes(True),
        ]
        for period, (people, back, share) in enumerate(everybody)
        if people
    ]
    for row in cohorts:
        cells += [_file_row(row, period, interval) for period in range(len(row.returned))]
    grid = _grid(chosen, cohorts, interval, everybody)
    people = sum(row.people for row in cohorts)
    return Table(
        headings,
        cells if people else [],
        _chart(cohorts, everybody, interval, grid),
        _retention_totals(people, everybody, interval),
        grid=grid,
    )


CAME_BACK: Mapping[str, Any] = {
    "day": gettext_lazy("came back on day %(number)s"),
    "week": gettext_lazy("came back in week %(number)s"),
    "month": gettext_lazy("came back in month %(number)s"),
    "quarter": gettext_lazy("came back in quarter %(number)s"),
    "year": gettext_lazy("came back in year %(number)s"),
}


def _retention_totals(people: int, everybody: Sequence[Share], interval: str) -> list[Total]:
    shares = [
        Total(
            CAME_BACK[interval] % {"number": period},
            share_cell(share).shown,
            "",
            raw={"period": period, "percent": share},
        )
        for period, (_people, _back, share) in enumerate(everybody[:4])
        if period and share is not None
    ]
    return [Total(_("People"), count_text(people), "", raw={"count": people}), *shares]


def _of_all(cohorts: Sequence[CohortRow], period: int) -> Share:
    """Return the people of all cohorts whose period is over, those who returned in it, and their percentage."""
    over = [row for row in cohorts if period < row.complete]
    people, back = sum(row.people for row in over), sum(row.returned[period] for row in over)
    return people, back, round(100 * back / people, 1) if people else None


def _file_row(row: CohortRow, period: int, interval: str) -> list[ReportCell]:
    return [
        ReportCell(intervals.interval_label(row.start, interval), row.start.isoformat()),
        number_cell(row.people),
        number_cell(period),
        number_cell(row.returned[period]),
        share_cell(row.share(period)),
        _yes(period < row.complete),
    ]


def _yes(is_so: bool) -> ReportCell:
    word = _("yes") if is_so else _("no")
    return ReportCell(word, word)


def _grid(chosen: dict[str, Any], cohorts: Sequence[CohortRow], interval: str, everybody: Sequence[Share]) -> Grid:
    headings = [intervals.INTERVALS[interval], _("People"), *(str(period) for period in range(len(everybody)))]
    # the shades distinguish the later periods: of what people did again, all are in period 0
    shares = [share for row in cohorts for period in range(len(row.returned)) if (share := row.share(period))]
    most = max(
        (share for row in cohorts for period in range(1, row.complete) if (share := row.share(period))), default=0
    )
    most = most or max(shares, default=100)
    grid_rows = []
    for row in cohorts:
        cells = []
        for period in range(len(row.returned)):
            share = row.share(period)
            address = _people_of(chosen, row, interval, period) if row.returned[period] else ""
            cells.append(_shaded(row.returned[period], share, address, most, is_partial=period >= row.complete))
        people = number_cell(row.people, _people_of(chosen, row, interval, None) if row.people else "")
        grid_rows.append(GridRow(intervals.interval_label(row.start, interval), people, cells, row.is_cut))
    total = [
        _shaded(back, share, "", most, is_partial=False) for _people, back, share in everybody if share is not None
    ]
    all_people = number_cell(sum(row.people for row in cohorts))
    note = _("The stronger the colour, the more. * Not over yet: this will still grow, and “All” leaves it out.")
    return Grid(headings, [GridRow(pgettext("people", "All"), all_people, total, False), *grid_rows], note)


def _shaded(count: int, share: float | None, address: str, most: float, *, is_partial: bool) -> GridCell:
    shade = 0 if not share else min(SHADES, math.ceil(share * SHADES / most))
    return GridCell(share_cell(share).shown, count_text(count), shade, is_partial, address)


def _people_of(chosen: dict[str, Any], row: CohortRow, interval: str, period: int | None) -> str:
    """Return the page of the people of a cohort, or of those who returned in a period."""
    last = intervals.following_start(row.start, interval) - timedelta(days=1)
    within = chosen | {"since": max(row.start, chosen["since"]), "until": min(last, chosen["until"])}
    parameters = {"report": "returned", "interval": interval} | journey_parameters(chosen)
    return people_address(within, parameters | ({} if period is None else {"period": period}))


def _chart(cohorts: Sequence[CohortRow], everybody: Sequence[Share], interval: str, grid: Grid) -> str:
    """Return all cohorts together and the latest ones as lines, up to the last period that is over."""
    periods = len(everybody)
    lines = [ChartSeries(pgettext("people", "All"), [share for _people, _back, share in everybody])]
    drawn = [(row, shown) for row, shown in zip(cohorts, grid.rows[1:], strict=True) if row.people and row.complete > 1]
    for row, shown in drawn[-DRAWN:]:
        shares = [row.share(period) if period < row.complete else None for period in range(periods)]
        links = [cell.url if period < row.complete else "" for period, cell in enumerate(shown.cells)]
        lines.append(ChartSeries(shown.label, shares, len(lines), links=[*links, *[""] * (periods - len(links))]))
    if not any(share is not None for line in lines for share in line.counts):
        return ""
    labels = [f"{intervals.INTERVALS[interval]} {period}" for period in range(periods)]
    return chart_json(labels, intervals.INTERVALS[interval], lines, unit="%")


def returned_table(chosen: dict[str, Any], rows: Sequence[Any]) -> Table:
    """Return the table of the people of a cohort: when they began, and when they returned in the period."""
    headings = [_("Person"), _("Email"), str(chosen["type"])]
    if chosen["period"] is not None:
        headings.append(_("Came back"))
    return _moments_table(headings, rows)


def _moments_table(headings: Sequence[str], rows: Sequence[Any]) -> Table:
    note = _("The latest %(count)s people are listed.") if len(rows) == log_reports.MOST_PEOPLE else ""
    shown = len(headings) - 2
    return people_table(
        headings,
        {person_id: [moment_cell(moment) for moment in moments[:shown]] for person_id, *moments in rows},
        note % {"count": len(rows)} if note else "",
    )


# --- Time to the next activity ----------------------------------------------------------------------------------


def wait_table(chosen: dict[str, Any], rows: Sequence[Any]) -> Table:
    """Return the times within which shares of the people continued, the people by time, and those who did not."""
    started = rows[0][1]
    within = [(share, wait / SECOND) for kind, share, wait, *_rest in _of_kind(rows, "within")]
    buckets = [(least, end, count) for _kind, least, end, count in _of_kind(rows, "bucket")]
    finished = sum(count for _least, _end, count in buckets)
    headings = (_("Time"), _("From"), _("To"), _("People"), _("Of those who began, %"))
    cells = [
        [
            text_cell(_("%(share)s %% of those who went on") % {"share": share}),
            time_cell(0),
            time_cell(seconds),
            number_cell(-(-finished * share // 100)),
            share_cell(_share(-(-finished * share // 100), started)),
        ]
        for share, seconds in within
    ]
    for least, end, count in buckets:
        people = number_cell(count, _waiting(chosen, least) if count else "")
        bounds = (time_cell(least), time_cell(end))
        cells.append([text_cell(bucket_label(least, end)), *bounds, people, share_cell(_share(count, started))])
    never = number_cell(started - finished, _waiting(chosen, waits.NEVER) if started > finished else "")
    nothing = number_cell(None)
    cells.append([text_cell(_("Not yet")), nothing, nothing, never, share_cell(_share(started - finished, started))])
    return Table(
        headings, cells if started else [], _wait_chart(chosen, buckets), _wait_totals(started, finished, within)
    )


def _wait_totals(started: int, finished: int, within: Sequence[tuple[int, float]]) -> list[Total]:
    share = share_cell(_share(finished, started)).shown
    return [
        Total(_("began"), count_text(started), "", raw={"people": started}),
        Total(_("went on"), count_text(finished), "", share, raw={"people": finished}),
        *(
            Total(
                _("%(share)s %% of them within") % {"share": share},
                span_text(seconds),
                "",
                raw={"percent": share, "seconds": seconds},
            )
            for share, seconds in within
        ),
    ]


def _of_kind(rows: Sequence[Any], kind: str) -> list[Any]:
    return [row for row in rows if row[0] == kind]


def _share(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def _waiting(chosen: dict[str, Any], bucket: int) -> str:
    parameters = {"report": "waited", "wait": "never" if bucket == waits.NEVER else bucket}
    return people_address(chosen, parameters | journey_parameters(chosen))


def _wait_chart(chosen: dict[str, Any], buckets: Sequence[tuple[int, int | None, int]]) -> str:
    """Return the people by time as bars, without empty buckets at both ends."""
    filled = [number for number, (_least, _end, count) in enumerate(buckets) if count]
    if not filled:
        return ""
    drawn = buckets[filled[0] : filled[-1] + 1]
    labels = [bucket_label(least, end) for least, end, _count in drawn]
    links = [_waiting(chosen, least) if count else "" for least, _end, count in drawn]
    return chart_json(labels, _("Time"), [ChartSeries(_("People"), [count for *_bounds, count in drawn], links=links)])


def waited_table(chosen: dict[str, Any], rows: Sequence[Any]) -> Table:
    """Return the table of the people who continued within a time: when they began and when they continued."""
    headings = [_("Person"), _("Email"), str(chosen["type"])]
    if chosen["wait"] != "never":
        headings.append(str(chosen["then"] or chosen["type"]))
    return _moments_table(headings, rows)


def bucket_label(least: int, end: int | None) -> str:
    """Return the label of the times from `least` to below `end`, in seconds."""
    if end is None:
        return _("%(from)s or more") % {"from": span_text(least)}
    if least == 0:
        return _("under %(to)s") % {"to": span_text(end)}
    return _("%(from)s to %(to)s") % {"from": span_text(least), "to": span_text(end)}


def time_cell(seconds: float | None) -> ReportCell:
    """Return a cell with a length of time, in words on the page and in seconds elsewhere."""
    return ReportCell("", "") if seconds is None else ReportCell(span_text(seconds), seconds)


def span_text(seconds: float) -> str:
    """Return a length of time in the unit that fits: seconds, minutes, hours or days, to one place at most."""
    units = ((86_400, "day"), (3_600, "hour"), (60, "minute"))
    size, unit = next((pair for pair in units if seconds >= pair[0]), (1, "second"))
    number = round(seconds / size, 1)
    shown = count_text(int(number) if number == int(number) else number)
    return _UNITS[unit](1 if number == 1 else 2) % {"number": shown}
