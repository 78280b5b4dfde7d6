"""Tables of funnels: of all people, and by the values of a field."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from activities.models import ActivityType
from config.pages.journey_tables import SECOND, time_cell
from config.pages.report_tables import ReportCell, Table, field_name, number_cell, people_address, share_cell, text_cell
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
    return Table(headings, cells, meters=[row[3] or 0 for row in rows], timed=(4,))


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
    return Table(headings, cells, meters=meters, words=(0, 1), timed=(4,))


def _step_address(chosen: dict[str, Any], type_ids: Sequence[int], group: Mapping[str, Any] | None = None) -> str:
    """Return the page of the people at the last of these steps, of all or of one group of a split funnel."""
    steps = {f"step_{number}": type_id for number, type_id in enumerate(type_ids, 1)}
    return people_address(chosen, {"report": "reached"} | steps | dict(group or {}))
