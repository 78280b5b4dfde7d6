"""Activities as a file: of some types, of a stretch of time."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy

from activities.models import ActivityType, ApprovedField
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, bad_value
from people.core.messages import sentence as _
from people.datatypes.parsing import BadValueError, parse_moment
from people.files.exports import kinds as export_kinds
from people.files.exports.kinds import Column, Kind, Statement, moment
from people.persons.export_kind import TEXTS

_HEAD = (
    Column("id", "a.id"),
    Column("person_id", "a.person_id"),
    Column("email", "p.email", True),
    Column("activity_type", "t.api_name"),
    Column("occurred_at", moment("a.occurred_at")),
    Column("recorded_at", moment("a.recorded_at")),
)


def statement(parameters: Mapping[str, Any]) -> Statement:
    """`types`: API names; `since` (included) and `until` (not): moments when it occurred.

    Of one type each field has a column, called by its API name, whatever version had it; of several, one column
    has them all as a JSON object. Rows come in the order in which they were recorded.
    """
    types = _types(parameters.get("types"))
    conditions, given = ["a.activity_type_id = any(%(types)s)"], {"types": [found.pk for found in types]}
    for name, comparison in (("since", ">="), ("until", "<")):
        if parameters.get(name):
            conditions.append(f"a.occurred_at {comparison} %({name})s")
            given[name] = _moment(parameters[name], name)
    source = (
        "activity a join activity_type t on t.id = a.activity_type_id left join person p on p.id = a.person_id where "
        + " and ".join(conditions)
        + " order by a.id"
    )
    return Statement([*_HEAD, *_fields(types)], source, given)


def _types(names: Any) -> list[ActivityType]:
    known = ActivityType.objects.approved()
    if not names:
        return list(known.custom())
    found = list(known.filter(api_name__in=names))
    missing = set(names) - {activity_type.api_name for activity_type in found}
    if missing:
        message = _("there is no approved activity type '%(name)s'") % {"name": str(min(missing))[:100]}
        raise RejectedError(Problem(Code.UNKNOWN_TYPE, message, ("types",)))
    return found


def _moment(value: Any, name: str) -> Any:
    try:
        return parse_moment(value)
    except BadValueError as error:
        raise RejectedError(bad_value(error.code, error.expected, value, name)) from None


def _fields(types: list[ActivityType]) -> list[Column]:
    if len(types) != 1:
        return [Column("primary_value", "a.primary_value", True), Column("attributes", "a.attributes")]
    fields = list(ApprovedField.objects.filter(activity_type=types[0]).order_by("-is_primary", "pk"))
    taken = {column.name for column in _HEAD}
    return [
        Column(
            f"field_{field.api_name}" if field.api_name in taken else field.api_name,
            "a.primary_value" if field.is_primary else f"(a.attributes ->> '{field.api_name}')",
            field.data_type in TEXTS,
        )
        for field in fields
    ]


def choices() -> list[tuple[str, Any, Mapping[str, Any]]]:
    """One type, with a column a field, or all custom types."""
    types = ActivityType.objects.approved().custom().select_related("live").order_by("live__name")
    found = [(one.api_name, _("Activities: %(type)s") % {"type": one}, {"types": [one.api_name]}) for one in types]
    return [*found, ("", _("Activities of all custom types"), {})] if found else []


export_kinds.register(
    Kind(
        "activities",
        gettext_lazy("Activities"),
        ("people.export_person", "activities.view_activity"),
        statement,
        choices=choices,
        has_dates=True,
    )
)
