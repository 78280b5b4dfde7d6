"""The export of activities: of some types, in a period."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy

from activities.models import ActivityType, ApprovedField
from activities.querysets import IS_BACKFILL
from activities.rights import VIEW_ACTIVITY
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value
from people.core.messages import sentence as _
from people.datatypes.parsing import BadValueError, parse_moment
from people.datatypes.registry import BY_NAME
from people.files.exports import kinds as export_kinds
from people.files.exports.kinds import ExportColumn, ExportKind, ExportStatement, moment_sql
from people.rights import EXPORT_PERSON

_HEAD = (
    ExportColumn("id", "a.id"),
    ExportColumn("person_id", "a.person_id"),
    ExportColumn("email", "p.email", True),
    ExportColumn("activity_type", "t.api_name"),
    ExportColumn("occurred_at", moment_sql("a.occurred_at")),
    ExportColumn("recorded_at", moment_sql("a.recorded_at")),
    ExportColumn("backfill", f"case when a.{IS_BACKFILL} then 'true' else 'false' end"),
)


def activities_statement(parameters: Mapping[str, Any]) -> ExportStatement:
    """The statement of an export. `types`: API names; `since` (included) and `until` (not): bounds of occurrence.

    An export of one type has a column for each field of any version, named by its API name; an export of several
    types has one column with all fields as a JSON object. Rows are in the order of recording.
    """
    types = _types(parameters.get("types"))
    conditions, values = (
        ["a.activity_type_id = any(%(types)s)"],
        {"types": [activity_type.pk for activity_type in types]},
    )
    for name, comparison in (("since", ">="), ("until", "<")):
        if parameters.get(name):
            conditions.append(f"a.occurred_at {comparison} %({name})s")
            values[name] = _moment(parameters[name], name)
    source = (
        "activity a join activity_type t on t.id = a.activity_type_id left join person p on p.id = a.person_id where "
        + " and ".join(conditions)
        + " order by a.id"
    )
    return ExportStatement([*_HEAD, *_fields(types)], source, values)


def _types(names: Any) -> list[ActivityType]:
    types = ActivityType.objects.approved()
    if not names:
        return list(types.custom())
    matches = list(types.filter(api_name__in=names))
    missing = set(names) - {activity_type.api_name for activity_type in matches}
    if missing:
        message = _("no approved activity type has the API name “%(name)s”") % {"name": str(min(missing))[:100]}
        raise RejectedError(Problem(Code.UNKNOWN_TYPE, message, ("types",)))
    return matches


def _moment(value: Any, name: str) -> Any:
    try:
        return parse_moment(value)
    except BadValueError as error:
        raise RejectedError(bad_value(error.code, error.expected, value, name)) from None


def _fields(types: list[ActivityType]) -> list[ExportColumn]:
    if len(types) != 1:
        return [ExportColumn("primary_value", "a.primary_value", True), ExportColumn("attributes", "a.attributes")]
    fields = list(ApprovedField.objects.filter(activity_type=types[0]).order_by("-is_primary", "pk"))
    head_names = {column.name for column in _HEAD}
    return [
        ExportColumn(
            f"field_{field.api_name}" if field.api_name in head_names else field.api_name,
            "a.primary_value" if field.is_primary else f"(a.attributes ->> '{field.api_name}')",
            BY_NAME[field.data_type].is_text,
        )
        for field in fields
    ]


def activity_export_choices() -> list[tuple[str, Any, Mapping[str, Any]]]:
    """The choices of an export: each single type, with a column for each field, or all custom types."""
    types = ActivityType.objects.approved().custom().select_related("live").order_by("live__name")
    choices_of_types = [
        (
            activity_type.api_name,
            _("Activities: %(type)s") % {"type": activity_type},
            {"types": [activity_type.api_name]},
        )
        for activity_type in types
    ]
    return [*choices_of_types, ("", _("Activities of all custom types"), {})] if choices_of_types else []


export_kinds.register_export_kind(
    ExportKind(
        "activities",
        gettext_lazy("Activities"),
        (EXPORT_PERSON, VIEW_ACTIVITY),
        activities_statement,
        choices=activity_export_choices,
        has_dates=True,
    )
)
