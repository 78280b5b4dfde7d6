"""The list of the records of one type: search, a filter by one field, columns of its fields, pages, and a file."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.db.models.fields.json import KeyTextTransform
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from people.admin.forms import localized_value
from people.core import audit
from people.core.admin.base import parse_number, require_rights, show_page
from people.core.db.time_limit import StatementTooSlowError, statement_limit
from people.datatypes.canonical import canonical_text
from people.datatypes.keys import MAX_ID
from people.files.csv_lines import csv_lines, csv_reply
from people.models import ObjectRecord, ObjectType
from people.objects import queries, records
from people.objects.schema import ObjectSchema, RecordField, live_schema
from people.rest.filters import FilterColumn, cast_expression, column_filters
from people.rights import EXPORT_PERSON, VIEW_PERSON

MOST_COLUMNS = 6
FILE_CHUNK = 1_000
EXPORT = EXPORT_PERSON
STATES = ("waiting", "deleted")


audit.register_actions({"records_exported": (2, gettext_lazy("Exported the records"))})


@require_safe
def show_records(request: HttpRequest, type_id: int) -> HttpResponse | StreamingHttpResponse:
    """A page of the records, the newest first; as a file with the parameter `file`."""
    require_rights(request, records.VIEW)
    object_type = get_object_or_404(ObjectType.objects.approved().select_related("live"), pk=min(type_id, MAX_ID))
    schema = live_schema(object_type)
    rows, problem = _filtered(request, object_type, schema)
    if request.GET.get("file") == "csv":
        require_rights(request, EXPORT)
        audit.write_audit_entry(request.user, object_type, "records_exported")
        return _file(rows, schema)
    page, too_slow = _read_page(request, rows)
    problem = problem or too_slow
    shown = page[: queries.PAGE]
    columns = _chosen_columns(request, schema)
    people = queries.people_of(shown) if request.user.has_perm(VIEW_PERSON) else {}
    query = request.GET.copy()
    query.pop("before", None)
    return show_page(
        request,
        ObjectRecord,
        "people/objects/records.html",
        object_type.live_or_draft.plural_name,
        object_type=object_type,
        opts=ObjectType._meta,
        original=object_type,
        columns=columns,
        fields=schema.fields.values(),
        chosen={field.api_name for field in columns},
        rows=[(record, people.get(record.person_id or 0), _cells(record, columns)) for record in shown],
        next_before=shown[-1].pk if len(page) > len(shown) else None,
        parameters=query.urlencode(),
        problem=problem,
        values=request.GET,
        may_add=request.user.has_perm(records.ADD) and object_type.is_recordable,
        may_export=request.user.has_perm(EXPORT),
    )


def _read_page(request: HttpRequest, rows: Any) -> tuple[list[ObjectRecord], str]:
    """The records of the page and one more; why there are none if the time limit was exceeded."""
    if before := parse_number(request.GET.get("before")):
        rows = rows.filter(pk__lt=before)
    try:
        with statement_limit(settings.API_LIST_SECONDS):
            return list(rows.order_by("-pk")[: queries.PAGE + 1]), ""
    except StatementTooSlowError:
        message = _("Nothing was found in %(seconds)s seconds. Search for words, or use other filters.")
        return [], message % {"seconds": f"{settings.API_LIST_SECONDS:g}"}


def _filtered(request: HttpRequest, object_type: ObjectType, schema: ObjectSchema) -> tuple[Any, str]:
    """The records that the parameters ask for, and why the value of a filter was not understood."""
    state = request.GET.get("state", "")
    rows = ObjectRecord.objects.filter(Q(deleted_at__isnull=state != "deleted"), object_type=object_type)
    if state == "waiting":
        rows = rows.filter(person_id__isnull=True, person_key__isnull=False)
    text = request.GET.get("q", "").replace("\0", " ")
    if text.strip():
        rows = rows.beginning_with(text)
    field = schema.fields.get(request.GET.get("field", ""))
    value = request.GET.get("value", "").replace("\0", " ")
    if field is None or not value.strip():
        return rows, ""
    left = cast_expression(field.data_type.name, KeyTextTransform(field.api_name, "fields"))
    is_equal = column_filters(field.api_name, left, FilterColumn(field.data_type.name))[field.api_name]
    try:
        cleaned = is_equal.field.clean(value)
    except ValidationError as error:
        return rows, f"{field.name}: {' '.join(error.messages)}"
    return is_equal.filter(rows, cleaned), ""


def _chosen_columns(request: HttpRequest, schema: ObjectSchema) -> list[RecordField]:
    """The fields that the parameter `columns` names, else the first ones without dedupe fields."""
    names = [name for name in request.GET.getlist("columns") if name in schema.fields]
    if names:
        return [schema.fields[name] for name in dict.fromkeys(names)]
    return [field for field in schema.fields.values() if not field.is_dedupe and not field.link_to][:MOST_COLUMNS]


def _cells(record: ObjectRecord, columns: list[RecordField]) -> list[str | None]:
    return [localized_value(field.from_json(record.fields.get(field.api_name))) for field in columns]


def _file(rows: Any, schema: ObjectSchema) -> StreamingHttpResponse:
    """All of the records as CSV, in the notation that an import reads; formulas are defused."""

    def cells() -> Iterator[list[Any]]:
        yield ["id", "person", *schema.fields]
        for record in rows.order_by("pk").iterator(chunk_size=FILE_CHUNK):
            values = (field.from_json(record.fields.get(name)) for name, field in schema.fields.items())
            texts = ("" if value is None else canonical_text(value) for value in values)
            yield [record.pk, record.person_id or "", *texts]

    return csv_reply(csv_lines(cells()), f"{schema.api_name}.csv")
