"""Tables of reports: page and file use the same cells."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import localize
from django.utils.translation import gettext as _

from activities.labels import localized_name
from activities.log import reports as log_reports
from activities.models import ApprovedField
from people.core.admin.charts import ChartSeries, ranking_json
from people.core.admin.numbers import count_text, percent_text
from people.models import Person

MOST_DRAWN = 12  # groups of bars in a ranking; its table has all of them


@dataclass(frozen=True, slots=True)
class ReportCell:
    """One cell: its value on the page, its value in the file, and its link."""

    shown: Any
    raw: Any
    url: str = ""


@dataclass(frozen=True, slots=True)
class Total:
    """A figure above a chart: a series' total, its average an interval in words, the change from the period before."""

    label: str
    count: str
    average: str
    change: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)  # the same as plain figures


@dataclass(frozen=True, slots=True)
class GridCell:
    """A share in a grid: its text, the number of people behind it, its shade (0 to 10), its link."""

    share: str
    count: str
    shade: int
    is_partial: bool
    url: str = ""


@dataclass(frozen=True, slots=True)
class GridRow:
    label: str
    people: ReportCell
    cells: Sequence[GridCell]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Grid:
    """Another arrangement of a table's figures, in two dimensions; what its signs mean."""

    headings: Sequence[Any]
    rows: Sequence[GridRow]
    note: str


@dataclass(frozen=True, slots=True)
class Table:
    headings: Sequence[Any]
    rows: list[list[ReportCell]]
    chart: str = ""
    totals: Sequence[Total] = ()
    meters: Sequence[float] = ()  # per row, in percent
    words: Sequence[int] = (0,)  # the columns that are not numbers
    people: Sequence[int] = ()  # per row, the id of its person
    note: str = ""  # on what the rows leave out
    grid: Grid | None = None
    timed: Sequence[int] = ()  # the columns of times, which pages show in words and files in seconds
    is_ranked: bool = False  # the chart is a ranking: its bars are those of `meters`, and the table stays open
    complete: Sequence[bool] = ()  # per row of a trend, whether its interval is over and wholly within the period

    def file_headings(self) -> list[str]:
        """Return the headings of the columns in files and over the API, with the unit of times."""
        titles = [str(heading) for heading in self.headings]
        in_seconds = _("%(heading)s (seconds)")
        return [in_seconds % {"heading": title} if place in self.timed else title for place, title in enumerate(titles)]

    def measured_rows(self) -> list[tuple[list[ReportCell], float | None]]:
        """Return each row with its meter, if any."""
        return [(row, self.meters[place] if self.meters else None) for place, row in enumerate(self.rows)]


def text_cell(value: str | None, otherwise: Any = "", url: str = "") -> ReportCell:
    return ReportCell(value or otherwise, value or "", url)


def number_cell(value: Any, url: str = "") -> ReportCell:
    return ReportCell("" if value is None else count_text(value), "" if value is None else value, url)


def share_cell(percent: float | None) -> ReportCell:
    return ReportCell("" if percent is None else percent_text(percent), "" if percent is None else percent)


def percentages(counts: Iterable[int]) -> list[float]:
    """Return each count as a percentage of the greatest."""
    numbers = list(counts)
    most = max(numbers, default=0)
    return [round(100 * count / most, 1) if most else 0 for count in numbers]


def field_name(field: ApprovedField) -> str:
    """Return a field's name in the live version; its API name if the version does not have it any more."""
    live = field.activity_type.live
    names = {row.api_name: row.name for row in live.fields.all()} if live else {}
    name = names.get(field.api_name, field.api_name)
    return localized_name(name, field.activity_type.is_standard)


def breakdown_table(chosen: dict[str, Any], rows: Sequence[Any]) -> Table:
    """Return the table of a breakdown: values, activities, people, and the sum where one is chosen."""
    grouped_by = chosen["field"] or next(iter(log_reports.breakdown_fields(chosen["type"])), None)
    if grouped_by is None:
        return Table((_("Value"),), [])
    headings = [field_name(grouped_by), _("Activities"), _("People")]
    parameters = {"report": "people", "type": chosen["type"].pk, "where": grouped_by.pk}
    cells = [
        [
            text_cell(value, _("(no value)")),
            number_cell(count),
            number_cell(people, people_address(chosen, parameters | {"value": value or ""})),
        ]
        for value, count, people, _sum in rows
    ]
    if chosen["total"]:
        headings.append(_("Sum of %(field)s") % {"field": field_name(chosen["total"])})
        cells = [[*row, number_cell(total)] for row, (*_rest, total) in zip(cells, rows, strict=True)]
    return Table(
        headings,
        cells,
        _breakdown_chart(headings, cells),
        meters=percentages(count for _value, count, *_rest in rows),
        is_ranked=True,
    )


def _breakdown_chart(headings: Sequence[str], cells: Sequence[Sequence[ReportCell]]) -> str:
    """Return the most frequent values as bars; a sum stands behind the number of activities."""
    drawn = cells[:MOST_DRAWN]
    if not drawn:
        return ""
    sums = [f"{headings[3]}: {row[3].shown}" if row[3].shown else "" for row in drawn] if len(headings) > 3 else []
    series = ChartSeries(headings[1], [row[1].raw for row in drawn], links=[row[2].url for row in drawn], notes=sums)
    return ranking_json([str(row[0].shown) for row in drawn], headings[0], [series], len(cells) - len(drawn))


def top_people_table(_chosen: dict[str, Any], rows: Sequence[Any]) -> Table:
    """Return the table of the people with most activities, without those deleted since."""
    note = _("The %(count)s people with most activities are listed.") if len(rows) == log_reports.MOST_ROWS else ""
    table = people_table(
        (_("Person"), _("Email"), _("Activities"), _("Latest")),
        {person_id: [number_cell(count), moment_cell(latest)] for person_id, count, latest in rows},
        note % {"count": len(rows)} if note else "",
    )
    counts = {person_id: count for person_id, count, _latest in rows}
    return replace(table, meters=percentages(counts[person_id] for person_id in table.people))


def reached_table(_chosen: dict[str, Any], rows: Sequence[Any]) -> Table:
    """Return the table of the people at a step of a funnel, without those deleted since."""
    note = _("The latest %(count)s people are listed.") if len(rows) == log_reports.MOST_PEOPLE else ""
    return people_table(
        (_("Person"), _("Email"), _("Got there")),
        {person_id: [moment_cell(moment)] for person_id, moment in rows},
        note % {"count": len(rows)} if note else "",
    )


def people_table(headings: Sequence[Any], cells_by_person: Mapping[int, list[ReportCell]], note: str) -> Table:
    """Return a table of the live people among `cells_by_person`: name, email, and those cells."""
    people = Person.objects.live().in_bulk(list(cells_by_person))
    rows = {
        person_id: [
            text_cell(str(people[person_id]), url=reverse("admin:activities_timeline", args=[person_id])),
            text_cell(people[person_id].email),
            *cells,
        ]
        for person_id, cells in cells_by_person.items()
        if person_id in people
    }
    return Table(headings, list(rows.values()), words=(0, 1), people=list(rows), note=note)


def moment_cell(moment: str) -> ReportCell:
    return ReportCell(localize(timezone.localtime(datetime.fromisoformat(moment))), moment)


def people_address(chosen: dict[str, Any], parameters: dict[str, Any]) -> str:
    """Return the page of the people behind a figure of the report `chosen`: same period, same list."""
    period = {name: chosen[name].isoformat() for name in ("since", "until")}
    bots = {"bots": chosen["bots"]} if chosen.get("bots") else {}
    return f"{reverse('reports')}?{urlencode(parameters | period | {'people': chosen['people']} | bots)}"
