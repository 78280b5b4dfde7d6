"""The export of the records of one object type: a column for each of its fields, as an import reads them."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy

from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.messages import sentence as _
from people.files.exports import kinds as export_kinds
from people.files.exports.kinds import ExportColumn, ExportKind, ExportStatement
from people.models import ObjectType
from people.objects import records
from people.objects.schema import RecordField, live_schema
from people.objects.selection import PARAMETERS, selected_records
from people.rights import EXPORT_PERSON

NAME = "objects"
RIGHTS = (EXPORT_PERSON, records.VIEW)
_HEAD = (ExportColumn("id", "r.id"), ExportColumn("guid", "r.guid"), ExportColumn("person", "r.person_id"))


def records_statement(parameters: Mapping[str, Any]) -> ExportStatement:
    """The statement of an export. `object_type`: an API name; `records`: parameters of `selected_records`.

    Raises `RejectedError` (`unknown_type`, `wrong_type`).
    """
    api_name = parameters.get("object_type")
    object_type = ObjectType.objects.approved().filter(api_name=str(api_name or "")).first()
    if object_type is None:
        message = _("no approved object type has the API name “%(name)s”") % {"name": str(api_name)[:100]}
        raise RejectedError(Problem(Code.UNKNOWN_TYPE, message, ("object_type",)))
    schema = live_schema(object_type)
    chosen = {name: value for name, value in (parameters.get("records") or {}).items() if name in PARAMETERS}
    rows, problem = selected_records(schema, chosen)
    if problem:
        raise RejectedError(Problem(Code.WRONG_TYPE, problem, ("records", "value")))
    sql, values = rows.order_by().values("pk").query.sql_with_params()
    first, *others = sql.split("%s")
    named = first + "".join(f"%(value{number})s{part}" for number, part in enumerate(others))
    return ExportStatement(
        [*_HEAD, *(_column(field) for field in schema.fields.values())],
        f"object_record r where r.id in ({named}) order by r.id",
        {f"value{number}": value for number, value in enumerate(values)},
    )


def _column(field: RecordField) -> ExportColumn:
    return ExportColumn(field.api_name, f"(r.fields ->> '{field.api_name}')", field.data_type.is_text)


def object_choices() -> list[tuple[str, Any, Mapping[str, Any]]]:
    """One choice a type."""
    types = ObjectType.objects.approved().select_related("live").order_by("live__plural_name")[:500]
    return [(row.api_name, row.live_or_draft.plural_name, {"object_type": row.api_name}) for row in types]


export_kinds.register_export_kind(
    ExportKind(NAME, gettext_lazy("Objects"), RIGHTS, records_statement, choices=object_choices)
)
