"""Tables of funnels: of all people, and by the values of a field."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from activities.models import ActivityType
from config.pages.journey_tables import SECOND, time_cell
from config.pages.report_tables import (
    MOST_DRAWN,
    ReportCell,
    Table,
    Total,
    field_name,
    number_cell,
    people_address,
    share_cell,
    text_cell,
)
from people.core.admin.charts import ChartSeries, ranking_json
from people.core.admin.numbers import count_text
from people.fields.catalog import field_catalogue


def funnel_table(chosen: dict[str, Any], rows: Sequence[Any]) -> Table:
    """Return the table of a funnel: people a step, their shares, and the time since the step before."""
    if chosen["split"] or chosen["person_field"]:
        return _split_table(chosen, rows)
    types = ActivityType.objects.select_related("live", "draft").in_bulk([type_id for type_id, *_rest in rows])
    cells = [
        [
            text_cell(str(types[type_id])),
            number_cell(people, _step_address(chosen, [row[0] for row in rows[: number + 1]]) if people else ""),
            share_cell(of_previous),
            share_cell(of_first),
            time_cell(None if median is None else median / SECOND),
        ]
        for number, (type_id, people, of_previous, of_first, median) in enumerate(rows)
    ]
    headings = (
        _("Step"),
        _("People"),
        _("Of the step before"),
        _("Of the first step"),
        _("Median time since the step before"),
    )
    return Table(
        headings,
        cells,
        _funnel_chart(cells) if rows and rows[0][1] else "",
        _totals(rows),
        meters=[row[3] or 0 for row in rows],
        timed=(4,),
        is_ranked=True,
    )


def _funnel_chart(cells: Sequence[Sequence[ReportCell]]) -> str:
    """Return the people a step as bars, with their share of those who began."""
    people, share = [row[1] for row in cells], [str(row[3].shown) for row in cells]
    series = ChartSeries(_("People"), [cell.raw for cell in people], links=[cell.url for cell in people], notes=share)
    return ranking_json([f"{number}. {row[0].shown}" for number, row in enumerate(cells, 1)], _("Step"), [series])


def _totals(rows: Sequence[Any]) -> list[Total]:
    """Return how many people began, and how many of them went all the way; nothing of a single step."""
    if len(rows) < 2:
        return []
    _type_id, began, *_shares = rows[0]
    _type_id, finished, _of_previous, of_first, _median = rows[-1]
    share = share_cell(of_first)
    return [
        Total(_("began"), count_text(began), "", raw={"people": began}),
        Total(_("went all the way"), count_text(finished), "", share.shown, {"people": finished}),
    ]


def _split_table(chosen: dict[str, Any], rows: Sequence[Any]) -> Table:
    """Return a row a value and step."""
    split, person_field = chosen["split"], chosen["person_field"]
    name = field_name(split) if split else field_catalogue()[person_field].shown_label
    steps = [chosen[step] for step in chosen if step.startswith("step_") and chosen[step]]
    headings = (name, _("Step"), _("People"), _("Of the first step"), _("Median time since the step before"))
    cells, meters = [], []
    by = {"split": split.pk} if split else {"person_field": person_field}
    type_ids = [activity_type.pk for activity_type in steps]
    for rank, value, figures in rows:
        label = _("(other values)") if rank is None else value or _("(no value)")
        group = by | ({"others": "on"} if rank is None else {"value": value or ""})
        for number, (activity_type, (people, of_first, median)) in enumerate(zip(steps, figures, strict=True), 1):
            cells.append(
                [
                    ReportCell(label, label if rank is None else value or ""),
                    text_cell(str(activity_type)),
                    number_cell(people, _step_address(chosen, type_ids[:number], group) if people else ""),
                    share_cell(of_first),
                    time_cell(None if median is None else median / SECOND),
                ]
            )
            meters.append(of_first or 0)
    chart = _split_chart(name, cells, [str(activity_type) for activity_type in steps]) if any(meters) else ""
    return Table(headings, cells, chart, meters=meters, words=(0, 1), timed=(4,), is_ranked=True)


def _split_chart(name: str, cells: Sequence[Sequence[ReportCell]], steps: Sequence[str]) -> str:
    """Return the people of each value as bars, one a step; `cells` has the steps of a value after each other."""
    groups = [cells[start : start + len(steps)] for start in range(0, len(cells), len(steps))]
    drawn = groups[:MOST_DRAWN]
    series = [
        ChartSeries(
            label,
            [group[place][2].raw for group in drawn],
            place,
            links=[group[place][2].url for group in drawn],
            notes=[str(group[place][3].shown) for group in drawn],
        )
        for place, label in enumerate(steps)
    ]
    return ranking_json([str(group[0][0].shown) for group in drawn], name, series, len(groups) - len(drawn))


def _step_address(chosen: dict[str, Any], type_ids: Sequence[int], group: Mapping[str, Any] | None = None) -> str:
    """Return the page of the people at the last of these steps, of all or of one group of a split funnel."""
    steps = {f"step_{number}": type_id for number, type_id in enumerate(type_ids, 1)}
    return people_address(chosen, {"report": "reached"} | steps | dict(group or {}))
