"""Bulk import over the Marketo API: leads (§5.2), and custom activities in the same form, the product's extension."""

from collections.abc import Callable
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
from config.marketo.resources.lead_names import LeadNames
from config.marketo.resources.leads import check_partition
from config.marketo.wire.endpoint import Call
from config.marketo.wire.responses import MarketoError, missing_parameter, success_reply
from people.core.errors import RejectedError, quoted_value
from people.core.source import Channel
from people.files import shape_guess, tabular
from people.files.exports import kinds as export_kinds
from people.files.imports import jobs as import_jobs
from people.files.imports import report as import_report
from people.files.imports import targets as import_targets
from people.files.imports.plan import ExternalId, ImportPlan
from people.files.models import ImportFailure
from people.files.tabular import FileShape
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
ENDED = ("Complete", "Failed")
# columns of a file of activities, and the fields that they set
ACTIVITY_COLUMNS = {
    "activityDate": "occurred_at",
    "primaryAttributeValue": "primary_value",
    "attributes": "attributes",
    "externalId": "external_id",
}


def import_leads(call: Call) -> HttpResponse:
    """§5.2: upsert leads from a file with REST names in its header; `lookupField=id` updates only."""
    parameters = call.parameters
    check_partition(parameters.text("partitionName") or None)
    names = LeadNames()
    lookup = _lookup_field(parameters.text("lookupField") or "email", names)
    static_list = _static_list(call)
    job = upload_import(call, "people")
    header = FileShape.from_json(job.shape).header
    unknown = [column for column in header if column != "id" and column not in names.api_names]
    if unknown:
        job.delete()
        raise MarketoError("1006", f"Field '{quoted_value(unknown[0])}' not found")
    names.create(header, call.user)
    columns = {"id" if column == "id" else names.api_names[column]: column for column in header}
    plan = ImportPlan(
        columns=columns,
        lookup_field=lookup,
        static_list=static_list.pk if static_list else None,
        starts_campaigns=not parameters.is_backfill,
    )
    return success_reply([enqueue_import(call, job, plan)])


def import_activities(call: Call) -> HttpResponse:
    """Import activities of one type: `activityDate`, `primaryAttributeValue`, fields by API name or name.

    The column of `lookupField` identifies the person. `externalId`, or without it the row's own content, prevents
    recording a row twice. With `createLeads=true` unknown people are created, with `backfill=true` no campaign starts.
    """
    parameters = call.parameters
    number = parameters.id("activityTypeId")
    if number is None:
        raise missing_parameter("activityTypeId")
    activity_type = ActivityType.objects.recordable().custom().with_versions().filter(pk=number).first()
    if activity_type is None:
        raise MarketoError("1013", f"Object not found: '{number}'")
    names = LeadNames()
    lookup_column = parameters.text("lookupField") or "id"
    lookup = "id" if lookup_column == "leadId" else _lookup_field(lookup_column, names)
    job = upload_import(call, "activities")
    header = FileShape.from_json(job.shape).header
    person = "leadId" if lookup == "id" and "leadId" in header else lookup_column
    columns = _activity_columns(activity_type, header)
    allowed = {*columns.values(), person, "leadId", REASON, *import_jobs.OWN_COLUMNS}
    unknown = [column for column in header if column not in allowed]
    if unknown:
        job.delete()
        raise MarketoError("1006", f"Field '{quoted_value(unknown[0])}' not found")
    plan = ImportPlan(
        columns=columns,
        subject=activity_type.api_name,
        person="{" + person + "}",
        lookup_field=lookup,
        create_people=parameters.flag("createLeads"),
        null_text="null",
        external_id=ExternalId.COLUMN if "externalId" in header else ExternalId.HASH,
        starts_campaigns=not parameters.is_backfill,
    )
    return success_reply([{**enqueue_import(call, job, plan), "activityTypeId": activity_type.pk}])


def _activity_columns(activity_type: ActivityType, header: tuple[str, ...]) -> dict[str, str]:
    version = activity_type.live
    assert version is not None  # recordable types have one
    columns = {target: column for column, target in ACTIVITY_COLUMNS.items() if column in header}
    for field in version.fields.all():
        column = next((name for name in (field.api_name, field.name) if name in header), None)
        target = "primary_value" if field.is_primary else FIELD + field.api_name
        if column and target not in columns and column not in columns.values():
            columns[target] = column
    return columns


def _lookup_field(name: str, names: LeadNames) -> str:
    api_name = "id" if name == "id" else names.api_names.get(name)
    if api_name is None or (api_name not in {"id", "email"} and not names.fields[api_name].is_unique):
        raise MarketoError("1006", f"Lookup field '{quoted_value(name)}' not found")
    return api_name


def _static_list(call: Call) -> StaticList | None:
    number = call.parameters.id("listId")
    if number is None:
        return None
    static_list = StaticList.objects.filter(pk=number).first()
    if static_list is None:
        raise MarketoError("1013", f"Object not found: '{number}'")
    return static_list


def upload_import(call: Call, kind: str) -> Import:
    """Store the part `file` of the request. Raises 1016 if too many imports are waiting."""
    waiting = Import.objects.filter(channel=Channel.MARKETO, state=State.IMPORTING).count()
    if waiting >= MAX_QUEUED:
        raise MarketoError("1016", "Too many imports")
    fields, file = _parts(call)
    format = bulk_endpoints.requested_format(fields.get("format") or call.parameters.text("format"))
    shape = {"format": "csv", "delimiter": bulk_endpoints.FORMATS[format], "header_row": 1}
    if encoding := _encoding(fields.get("encoding") or call.parameters.text("encoding")):
        shape["encoding"] = encoding
    job = import_jobs.upload_file(file.chunks(), file.name or "file", kind, call.user, Channel.MARKETO, **shape)
    if FileShape.from_json(job.shape).is_encoding_open:
        row, byte = shape_guess.first_non_utf8_byte(import_jobs.read_head(job))
        job.delete()
        message = (
            f"Invalid data: the file is not UTF-8: row {row} has the byte 0x{byte:02X}; 'encoding' can name another"
        )
        raise MarketoError("1003", message)
    return job


def _encoding(text: str) -> str:
    """[I] §5.2 names only UTF-8; `encoding` is our own parameter. Raises 1003 for an unknown encoding."""
    if text and text.lower() not in tabular.ENCODINGS:
        encodings = ", ".join(tabular.ENCODINGS)
        raise MarketoError("1003", f"Invalid data for 'encoding': '{quoted_value(text)}' is none of {encodings}")
    return text.lower()


def _parts(call: Call) -> tuple[Any, Any]:
    request = call.request
    try:
        handlers = [TemporaryFileUploadHandler(request)]
        fields, files = MultiPartParser(request.META, BytesIO(call.parameters.body), handlers).parse()
    except (MultiPartParserError, BadRequest):
        raise MarketoError("613", "Invalid multipart request") from None
    if "file" not in files:
        raise missing_parameter("file")
    return fields, files["file"]


def enqueue_import(call: Call, job: Import, plan: ImportPlan) -> dict[str, Any]:
    try:
        import_jobs.set_plan(job, plan, call.user)
        import_jobs.take_step(job, "start", call.user)
    except RejectedError:
        job.delete()
        raise
    return {"batchId": job.pk, "importId": str(job.pk), "status": "Queued"}


def import_status(call: Call, kind: str, batch_id: int) -> HttpResponse:
    job = _find(call, kind, batch_id)
    state = import_state(job)
    count = job.added + job.updated + job.repeated
    row: dict[str, Any] = {"batchId": job.pk, "importId": str(job.pk), "status": state}
    if kind == "activities":
        row["operation"] = "import"
    counts = {"numOfLeadsProcessed" if kind == "people" else "numOfRowsProcessed": count}
    row |= counts | {"numOfRowsFailed": job.refused, "numOfRowsWithWarning": 0}
    if state in ENDED:
        row["message"] = import_message(job, count, has_members=bool((job.plan or {}).get("static_list")))
    return success_reply([row])


def import_state(job: Import) -> str:
    """The state of a job in Marketo's words."""
    is_queued = job.state == State.IMPORTING and not job.position
    return "Queued" if is_queued else STATUS[State(job.state)]


def import_message(job: Import, count: int, *, has_members: bool) -> str:
    """The message about a job that has ended with `count` imported rows."""
    if job.state == State.FAILED:
        return f"Import failed: {job.fault}"
    members = f" ({count} members)" if has_members else ""
    if job.refused:
        return f"Import completed with errors, {count} records imported{members}, {job.refused} failed"
    return f"Import succeeded, {count} records imported{members}"


def import_failures(call: Call, kind: str, batch_id: int) -> HttpResponseBase:
    """Return the failed rows in the file's own format with a column of reasons; [I] 404 if there are none."""
    return failed_rows(own_jobs(call, kind, batch_id).first())


def failed_rows(
    job: Import | None, reason: Callable[[ImportFailure], str] = import_report.problem_sentences
) -> HttpResponseBase:
    """The failed rows of a job that has ended, each with its `reason`; 404 if there are none."""
    if job is None or STATUS[State(job.state)] not in ENDED or not job.failures.exists():
        return bulk_endpoints.no_file_response()
    format = {mark: name for name, mark in bulk_endpoints.FORMATS.items()}[job.shape["delimiter"]]
    content_type = export_kinds.CONTENT_TYPES[format]
    return StreamingHttpResponse(import_report.report_with_reasons(job, REASON, reason), content_type=content_type)


def import_warnings(call: Call, kind: str, batch_id: int) -> HttpResponse:
    """Return no file: a row is imported or fails, never with a warning."""
    own_jobs(call, kind, batch_id)
    return bulk_endpoints.no_file_response()


def _find(call: Call, kind: str, batch_id: int) -> Import:
    job = own_jobs(call, kind, batch_id).first()
    if job is None:
        raise bulk_endpoints.unknown_job_error()
    return job


def own_jobs(call: Call, kind: str, batch_id: int) -> QuerySet[Import]:
    """Return the caller's job with this number while it is kept, as a queryset of at most one."""
    for right in import_targets.TARGETS[kind].rights:
        call.require(right)
    return Import.objects.filter(
        pk=min(batch_id, 2**62),
        kind=kind,
        channel=Channel.MARKETO,
        user=call.user,
        created_at__gt=timezone.now() - KEPT,
    )
