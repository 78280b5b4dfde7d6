"""Bulk import over the Marketo API: leads as §5.2 has it, and custom activities in the same shape, which are ours."""

from datetime import timedelta
from io import BytesIO
from typing import Any

from django.core.exceptions import BadRequest
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.http.response import HttpResponseBase
from django.utils import timezone

from activities.models import ActivityType
from activities.recording.file_rows import FIELD
from config.marketo.bulk import endpoints as bulk_endpoints
from config.marketo.resources.lead_names import Names
from config.marketo.resources.leads import check_partition
from config.marketo.wire.endpoint import Call
from config.marketo.wire.responses import MarketoError, missing, success
from people.core.errors import RejectedError, show
from people.core.source import Channel
from people.files import shape_guess, tabular
from people.files.exports import kinds as export_kinds
from people.files.imports import jobs as import_jobs
from people.files.imports import report as import_report
from people.files.imports import targets as import_targets
from people.files.imports.plan import ExternalId, Plan
from people.files.tabular import Shape
from people.models import Import, StaticList

MAX_QUEUED = 10
KEPT = timedelta(days=7)
REASON = "Import Failure Reason"  # [I] §5.2
State = Import.State
STATUS = {
    State.UPLOADED: "Queued",
    State.IMPORTING: "Importing",
    State.COMPLETE: "Complete",
    State.FAILED: "Failed",
    State.CANCELLED: "Failed",
    State.PAUSED: "Importing",
    State.TAKEN_BACK: "Complete",
}
# what the header of a file of activities may say, and what it means
ACTIVITY_COLUMNS = {
    "activityDate": "occurred_at",
    "primaryAttributeValue": "primary_value",
    "attributes": "attributes",
    "externalId": "external_id",
}


def import_leads(call: Call) -> HttpResponse:
    """§5.2: upsert from a file with REST names in its header; `lookupField=id` updates only."""
    parameters = call.parameters
    check_partition(parameters.text("partitionName") or None)
    names = Names()
    lookup = _lookup(parameters.text("lookupField") or "email", names)
    static_list = _static_list(call)
    job = _upload(call, "people")
    header = Shape.from_json(job.shape).header
    unknown = [column for column in header if column != "id" and column not in names.ours]
    if unknown:
        job.delete()
        raise MarketoError("1006", f"Field '{show(unknown[0])}' not found")
    names.create(header, call.user)
    columns = {"id" if column == "id" else names.ours[column]: column for column in header}
    plan = Plan(columns=columns, lookup_field=lookup, static_list=static_list.pk if static_list else None)
    return success([_queued(call, job, plan)])


def import_activities(call: Call) -> HttpResponse:
    """Activities of one type: `activityDate`, `primaryAttributeValue`, fields by API name or name, who by lookupField.

    `externalId` keeps a row from being recorded twice; without it the row itself does. With `createLeads=true`
    unknown people are created.
    """
    parameters = call.parameters
    number = parameters.id("activityTypeId")
    if number is None:
        raise missing("activityTypeId")
    activity_type = ActivityType.objects.recordable().custom().with_versions().filter(pk=number).first()
    if activity_type is None:
        raise MarketoError("1013", f"Object not found: '{number}'")
    names = Names()
    given = parameters.text("lookupField") or "id"
    lookup = "id" if given == "leadId" else _lookup(given, names)
    job = _upload(call, "activities")
    header = Shape.from_json(job.shape).header
    person = "leadId" if lookup == "id" and "leadId" in header else given
    columns = _activity_columns(activity_type, header)
    taken = {*columns.values(), person, "leadId", REASON, *import_jobs.OWN_COLUMNS}
    unknown = [column for column in header if column not in taken]
    if unknown:
        job.delete()
        raise MarketoError("1006", f"Field '{show(unknown[0])}' not found")
    plan = Plan(
        columns=columns,
        subject=activity_type.api_name,
        person="{" + person + "}",
        lookup_field=lookup,
        create_people=parameters.flag("createLeads"),
        null_text="null",
        external_id=ExternalId.COLUMN if "externalId" in header else ExternalId.HASH,
    )
    return success([{**_queued(call, job, plan), "activityTypeId": activity_type.pk}])


def _activity_columns(activity_type: ActivityType, header: tuple[str, ...]) -> dict[str, str]:
    version = activity_type.live
    assert version is not None  # recordable types have one
    found = {meaning: column for column, meaning in ACTIVITY_COLUMNS.items() if column in header}
    for field in version.fields.all():
        column = next((name for name in (field.api_name, field.name) if name in header), None)
        meaning = "primary_value" if field.is_primary else FIELD + field.api_name
        if column and meaning not in found and column not in found.values():
            found[meaning] = column
    return found


def _lookup(given: str, names: Names) -> str:
    ours = "id" if given == "id" else names.ours.get(given)
    if ours is None or (ours not in {"id", "email"} and not names.fields[ours].is_unique):
        raise MarketoError("1006", f"Lookup field '{show(given)}' not found")
    return ours


def _static_list(call: Call) -> StaticList | None:
    number = call.parameters.id("listId")
    if number is None:
        return None
    found = StaticList.objects.filter(pk=number).first()
    if found is None:
        raise MarketoError("1013", f"Object not found: '{number}'")
    return found


def _upload(call: Call, kind: str) -> Import:
    """The part `file` of the request, kept. Raises 1016 when too many imports are waiting."""
    waiting = Import.objects.filter(channel=Channel.MARKETO, state=State.IMPORTING).count()
    if waiting >= MAX_QUEUED:
        raise MarketoError("1016", "Too many imports")
    fields, file = _parts(call)
    format = bulk_endpoints.format_of(fields.get("format") or call.parameters.text("format"))
    known = {"format": "csv", "delimiter": bulk_endpoints.FORMATS[format], "header_row": 1}
    if encoding := _encoding(fields.get("encoding") or call.parameters.text("encoding")):
        known["encoding"] = encoding
    job = import_jobs.upload(file.chunks(), file.name or "file", kind, call.user, Channel.MARKETO, **known)
    if Shape.from_json(job.shape).is_encoding_open:
        row, byte = shape_guess.first_foreign(import_jobs.head(job))
        job.delete()
        message = (
            f"Invalid data: the file is not UTF-8: row {row} has the byte 0x{byte:02X}; 'encoding' can name another"
        )
        raise MarketoError("1003", message)
    return job


def _encoding(given: str) -> str:
    """[I] §5.2 knows UTF-8 alone; `encoding` is ours. Raises 1003 for one that is not known."""
    if given and given.lower() not in tabular.ENCODINGS:
        known = ", ".join(tabular.ENCODINGS)
        raise MarketoError("1003", f"Invalid data for 'encoding': '{show(given)}' is none of {known}")
    return given.lower()


def _parts(call: Call) -> tuple[Any, Any]:
    request = call.request
    try:
        handlers = [TemporaryFileUploadHandler(request)]
        fields, files = MultiPartParser(request.META, BytesIO(call.parameters.body), handlers).parse()
    except (MultiPartParserError, BadRequest):
        raise MarketoError("613", "Invalid multipart request") from None
    if "file" not in files:
        raise missing("file")
    return fields, files["file"]


def _queued(call: Call, job: Import, plan: Plan) -> dict[str, Any]:
    try:
        import_jobs.set_plan(job, plan, call.user)
        import_jobs.step(job, "start", call.user)
    except RejectedError:
        job.delete()
        raise
    return {"batchId": job.pk, "importId": str(job.pk), "status": "Queued"}


def status(call: Call, kind: str, batch_id: int) -> HttpResponse:
    job = _find(call, kind, batch_id)
    state = STATUS[job.state]  # type: ignore[index]
    if job.state == State.IMPORTING and not job.position:
        state = "Queued"
    done = job.added + job.updated + job.repeated
    row: dict[str, Any] = {"batchId": job.pk, "importId": str(job.pk), "status": state}
    if kind == "activities":
        row["operation"] = "import"
    counts = {"numOfLeadsProcessed" if kind == "people" else "numOfRowsProcessed": done}
    row |= counts | {"numOfRowsFailed": job.refused, "numOfRowsWithWarning": 0}
    return success([row | ({"message": _message(job, done)} if state in ("Complete", "Failed") else {})])


def _message(job: Import, done: int) -> str:
    if job.state == State.FAILED:
        return f"Import failed: {job.fault}"
    members = f" ({done} members)" if (job.plan or {}).get("static_list") else ""
    if job.refused:
        return f"Import completed with errors, {done} records imported{members}, {job.refused} failed"
    return f"Import succeeded, {done} records imported{members}"


def failures(call: Call, kind: str, batch_id: int) -> HttpResponseBase:
    """The failed rows in the file's own format, with the reason in a column more; [I] 404 when there is none."""
    job = _of_call(call, kind, batch_id).first()
    if job is None or STATUS[State(job.state)] not in ("Complete", "Failed") or not job.failures.exists():
        return bulk_endpoints.no_file()
    format = {mark: name for name, mark in bulk_endpoints.FORMATS.items()}[job.shape["delimiter"]]
    content_type = export_kinds.CONTENT_TYPES[format]
    return StreamingHttpResponse(import_report.with_reasons(job, REASON), content_type=content_type)


def warnings(call: Call, kind: str, batch_id: int) -> HttpResponse:
    """Rows are imported or they fail: there is nothing in between, and so never a file."""
    _of_call(call, kind, batch_id)
    return bulk_endpoints.no_file()


def _find(call: Call, kind: str, batch_id: int) -> Import:
    found = _of_call(call, kind, batch_id).first()
    if found is None:
        raise bulk_endpoints.unknown_job()
    return found


def _of_call(call: Call, kind: str, batch_id: int) -> QuerySet[Import]:
    """The caller's own job of the number, while it is kept: one or none."""
    for right in import_targets.TARGETS[kind].rights:
        call.require(right)
    return Import.objects.filter(
        pk=min(batch_id, 2**62),
        kind=kind,
        channel=Channel.MARKETO,
        user=call.user,
        created_at__gt=timezone.now() - KEPT,
    )
