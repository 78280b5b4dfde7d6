"""The list of the records of one type: search, filters by fields, columns of its fields, pages, and a file."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from people.admin.transfers import export_response
from people.core import audit
from people.core.admin.base import parse_number, require_rights, show_page
from people.core.db.time_limit import StatementTooSlowError, statement_limit
from people.core.errors import RejectedError
from people.datatypes.display import localized_value
from people.datatypes.keys import MAX_ID
from people.models import ObjectRecord, ObjectType
from people.objects import export_kind, queries, records
from people.objects.schema import ObjectSchema, RecordField, live_schema
from people.objects.selection import (
    MAX_CONDITIONS,
    OF_IMPORT,
    PARAMETERS,
    complete_conditions,
    field_conditions,
    import_number,
    selected_records,
)
from people.rights import EXPORT_PERSON, VIEW_PERSON

MOST_COLUMNS = 4
STATES = {"waiting": gettext_lazy("Waiting for what they link to"), "deleted": gettext_lazy("Deleted")}
EXPORT = EXPORT_PERSON


audit.register_actions({"records_exported": (2, gettext_lazy("Exported the records"))})


@require_safe
def show_records(request: HttpRequest, type_id: int) -> HttpResponse | FileResponse:
    """A page of the records, the newest first; as a file with the parameter `file`."""
    require_rights(request, records.VIEW)
    object_type = get_object_or_404(ObjectType.objects.approved().select_related("live"), pk=min(type_id, MAX_ID))
    schema = live_schema(object_type)
    if request.GET.get("file") == "csv":
        return _file(request, object_type)
    rows, problem = selected_records(schema, request.GET)
    page, too_slow = _read_page(request, rows)
    problem = problem or too_slow
    shown, columns = page[: queries.PAGE], _chosen_columns(request, schema)
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
        rows=[(record, people.get(record.person_id or 0), cells_of_record(record, columns)) for record in shown],
        next_before=shown[-1].pk if len(page) > len(shown) else None,
        parameters=query.urlencode(),
        problem=problem,
        values=request.GET,
        conditions=_shown_conditions(request),
        chips=(chips := _chips(request, schema)),
        is_filtered=bool(chips or request.GET.get("q") or any(import_number(request.GET, name) for name in OF_IMPORT)),
        number=queries.with_figures(ObjectType.objects.filter(pk=object_type.pk)).get().number,
        most_counted=queries.MOST_COUNTED,
        of_import=next((name for name in OF_IMPORT if import_number(request.GET, name)), ""),
        may_import=object_type.is_recordable and request.user.has_perms((records.ADD, records.CHANGE)),
        may_add=request.user.has_perm(records.ADD) and object_type.is_recordable,
        may_export=request.user.has_perm(EXPORT),
    )


def _chips(request: HttpRequest, schema: ObjectSchema) -> list[tuple[str, str]]:
    """A sentence for each filter in force, with the address of the list without it."""
    conditions = complete_conditions(request.GET)
    chips = []
    for place, (name, value) in enumerate(conditions):
        rest = [*conditions[:place], *conditions[place + 1 :]]
        sentence = _("%(field)s is “%(value)s”") % {"field": schema.label(name), "value": value}
        others = {"field": [other for other, _value in rest], "value": [other for _name, other in rest]}
        chips.append((sentence, _address(request, others)))
    if state := STATES.get(request.GET.get("state", "")):
        chips.append((str(state), _address(request, {"state": []})))
    return chips


def _address(request: HttpRequest, changed: Mapping[str, list[str]]) -> str:
    """The address of the list's first page with other parameters."""
    query = request.GET.copy()
    query.pop("before", None)
    for name, values in changed.items():
        query.setlist(name, values)
    return f"?{query.urlencode()}"


def _shown_conditions(request: HttpRequest) -> list[tuple[str, str]]:
    """The fields with values that records are filtered by, and an empty pair for one more."""
    given = [(name, value) for name, value in field_conditions(request.GET) if name or value]
    return given if len(given) >= MAX_CONDITIONS else [*given, ("", "")]


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


def _chosen_columns(request: HttpRequest, schema: ObjectSchema) -> list[RecordField]:
    """The fields that the parameter `columns` names, else the first ones without dedupe fields."""
    names = [name for name in request.GET.getlist("columns") if name in schema.fields]
    if names:
        return [schema.fields[name] for name in dict.fromkeys(names)]
    return [field for field in schema.fields.values() if not field.is_dedupe and not field.link_to][:MOST_COLUMNS]


def cells_of_record(record: ObjectRecord, columns: list[RecordField]) -> list[tuple[RecordField, str | None]]:
    """Each column, with the value as it is shown."""
    return [
        (field, localized_value(field.from_json(record.fields.get(field.api_name)), field.name)) for field in columns
    ]


def _file(request: HttpRequest, object_type: ObjectType) -> HttpResponse | FileResponse:
    """All of the selected records as CSV, in the notation that an import reads; a long file in the background."""
    require_rights(request, EXPORT)
    selected: dict[str, Any] = {name: request.GET[name] for name in PARAMETERS if request.GET.get(name)}
    if conditions := complete_conditions(request.GET):
        selected |= {"field": [name for name, _value in conditions], "value": [value for _name, value in conditions]}
        if len(conditions) == 1:  # as the version before reads it
            selected |= {"field": conditions[0][0], "value": conditions[0][1]}
    parameters = {"object_type": object_type.api_name, "records": selected}
    try:
        with transaction.atomic():
            audit.write_audit_entry(request.user, object_type, "records_exported")
            title = str(object_type.live_or_draft.plural_name)
            return export_response(request, export_kind.NAME, parameters, title=title, name=object_type.api_name)
    except RejectedError as refusal:
        messages.error(request, str(refusal))
        return redirect("admin:people_objectrecord_of_type", object_type.pk)
