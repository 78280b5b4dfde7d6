"""Export of people: all people, or members of a static list, with the chosen fields."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy

from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.messages import sentence as _
from people.datatypes.registry import BY_NAME
from people.directory.columns import SOURCES
from people.directory.pages import matching_source, plan_people
from people.directory.query import PeopleQuery
from people.fields import catalog
from people.fields.catalog import FieldInfo
from people.files.exports import kinds as export_kinds
from people.files.exports.kinds import ExportColumn, ExportKind, ExportStatement, moment_sql
from people.models import PersonField, StaticList
from people.rights import EXPORT_PERSON

# SQL for the column of a standard field by data type; other types are exported as text unchanged
_WRITTEN: Mapping[str, Callable[[str], str]] = {
    "boolean": "case {0} when true then 'true' when false then 'false' end".format,
    "currency": "trim_scale({0})".format,
    "datetime": moment_sql,
}


def field_column(info: FieldInfo, name: str | None = None) -> ExportColumn:
    """A person field of table `p` as a column with the header `name` (default: its API name)."""
    kind = info.data_type.name
    sql = _WRITTEN.get(kind, str)(f"p.{info.api_name}") if info.is_standard else f"(p.fields ->> '{info.api_name}')"
    return ExportColumn(name or info.api_name, sql, BY_NAME[kind].is_text)


def export_columns(names: Sequence[str] | None) -> list[ExportColumn]:
    """The columns of the id and of the fields `names`; None: every field that is not hidden.

    Raises `RejectedError` (`unknown_field`).
    """
    catalogue = catalog.field_catalogue()
    if names is None:
        names = list(PersonField.objects.visible().values_list("api_name", flat=True))
    computed = {column.name: column for source in SOURCES for column in source.columns}
    unknown = [name for name in names if name not in catalogue and name not in computed and name != "id"]
    if unknown:
        message = _("there is no person field “%(name)s”") % {"name": str(unknown[0])[:100]}
        raise RejectedError(
            Problem(Code.UNKNOWN_FIELD, message, ("fields",), ", ".join(catalogue), str(unknown[0])[:100])
        )
    return [
        ExportColumn("id", "p.id"),
        *(
            field_column(catalogue[name]) if name in catalogue else ExportColumn(name, computed[name].sql)
            for name in names
            if name != "id"
        ),
    ]


def people_statement(parameters: Mapping[str, Any]) -> ExportStatement:
    """The SQL of an export.

    Parameters: `fields`, API names and names of computed columns; and one of `static_list`, the id of a list, for its
    members only; `people`, filters of the list of people in JSON; `ids`, people.
    """
    columns = export_columns(parameters.get("fields"))
    if "people" in parameters:
        source, values = matching_source(plan_people(PeopleQuery.load(parameters["people"]), None))
        first, *others = source.split("%s")
        named = first + "".join(f"%(value{number})s{part}" for number, part in enumerate(others))
        sql_parameters = {f"value{number}": value for number, value in enumerate(values)}
        return ExportStatement(columns, f"{named} order by p.id", sql_parameters)
    source, sql_parameters = "person p where p.state = 'live'", {}
    if "ids" in parameters:
        source += " and p.id = any(%(ids)s::int[])"
        sql_parameters["ids"] = list(parameters["ids"])
    if (number := parameters.get("static_list")) is not None:
        if not StaticList.objects.filter(pk=number).exists():
            message = _("There is no static list %(id)s.") % {"id": number}
            raise RejectedError(Problem(Code.UNKNOWN_LIST, message, ("static_list",)))
        source += " and p.id in (select m.person_id from static_list_member m where m.static_list_id = %(list)s)"
        sql_parameters["list"] = number
    return ExportStatement(columns, f"{source} order by p.id", sql_parameters)


def chosen_people_statement(ids: Iterable[int], names: Sequence[str] | None) -> ExportStatement:
    """The SQL of an export of the people with `ids`, ascending."""
    source = "person p join unnest(%(ids)s::int[]) as chosen (id) using (id) where p.state = 'live' order by p.id"
    return ExportStatement(export_columns(names), source, {"ids": list(ids)})


def people_choices() -> list[tuple[str, Any, Mapping[str, Any]]]:
    """The choices of people to export: all, or one static list."""
    lists = [
        (
            str(static_list.pk),
            _("People on the list “%(list)s”") % {"list": static_list.name},
            {"static_list": static_list.pk},
        )
        for static_list in StaticList.objects.filter(is_archived=False).order_by("name")
    ]
    return [("all", _("All people"), {}), *lists]


export_kinds.register_export_kind(
    ExportKind("people", gettext_lazy("People"), (EXPORT_PERSON,), people_statement, choices=people_choices)
)
