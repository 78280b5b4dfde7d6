"""Bulk import of custom objects over the Marketo API (§5.3)."""

from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from config.marketo.bulk import endpoints as bulk_endpoints
from config.marketo.bulk import imports as bulk_imports
from config.marketo.resources.object_names import approved_type
from config.marketo.wire.endpoint import Call
from config.marketo.wire.responses import MarketoError, success_reply
from people.core.codes import Code
from people.core.errors import quoted_value
from people.files.imports import jobs as import_jobs
from people.files.imports import report as import_report
from people.files.imports import targets as import_targets
from people.files.imports.plan import ImportPlan
from people.files.models import ImportFailure
from people.files.tabular import FileShape
from people.models import Import
from people.objects.schema import live_schema

KIND = "objects"
ABSENT = "missing.dedupe.fields"
NO_VALUE = " "  # a value that every row has, and that is none


def import_objects(call: Call, api_name: str) -> HttpResponse:
    """Create or update the records of a file whose header has API names, by their dedupe fields.

    Where the file has no column for a dedupe field, each row fails for it.
    """
    target = import_targets.TARGETS[KIND]
    for right in target.rights:
        call.require(right)
    object_type = approved_type(api_name)
    schema = live_schema(object_type)
    job = bulk_imports.upload_import(call, KIND)
    header = [column for column in FileShape.from_json(job.shape).header if column != bulk_imports.REASON]
    unknown = [column for column in header if column not in schema.fields and column not in import_jobs.OWN_COLUMNS]
    if unknown:
        job.delete()
        raise MarketoError("1006", f"Field '{quoted_value(unknown[0])}' not found")
    plan = ImportPlan(
        columns={name: name for name in header if name in schema.fields},
        constants={field.api_name: NO_VALUE for field in schema.dedupe if field.api_name not in header},
        subject=object_type.api_name,
        starts_campaigns=not call.parameters.is_backfill,
        **target.defaults,
    )
    queued = bulk_imports.enqueue_import(call, job, plan)
    return success_reply(
        [{"batchId": queued["batchId"], "status": queued["status"], "objectApiName": object_type.api_name}]
    )


def object_import_status(call: Call, api_name: str, batch_id: int) -> HttpResponse:
    job = _own_job(call, api_name, batch_id)
    if job is None:
        raise bulk_endpoints.unknown_job_error()
    state, count = bulk_imports.import_state(job), job.added + job.updated + job.repeated
    row: dict[str, Any] = {
        "batchId": job.pk,
        "operation": "import",
        "status": state,
        "objectApiName": api_name,
        "numOfObjectsProcessed": count,
        "numOfRowsFailed": job.refused,
        "numOfRowsWithWarning": 0,
    }
    if state in bulk_imports.ENDED:
        row["importTime"] = f"{_seconds(job)} second(s)"
        row["message"] = bulk_imports.import_message(job, count, has_members=True)
    return success_reply([row])


def object_import_failures(call: Call, api_name: str, batch_id: int) -> HttpResponseBase:
    """Return the failed rows in the file's own format with a column of reasons; 404 if there are none."""
    return bulk_imports.failed_rows(_own_job(call, api_name, batch_id), _reason)


def object_import_warnings(call: Call, api_name: str, batch_id: int) -> HttpResponse:
    """Return no file: a row is imported or fails, never with a warning."""
    _own_job(call, api_name, batch_id)
    return bulk_endpoints.no_file_response()


def _own_job(call: Call, api_name: str, batch_id: int) -> Import | None:
    """The caller's job with this number, if it imports records of this type."""
    job = bulk_imports.own_jobs(call, KIND, batch_id).first()
    return job if job is not None and (job.plan or {}).get("subject") == api_name else None


def _reason(failure: ImportFailure) -> str:
    """The reason of a failure: Marketo's word for a dedupe value that is missing, else the product's sentences."""
    codes = {problem.get("code") for problem in failure.problems}
    return ABSENT if Code.MISSING_VALUE in codes else import_report.problem_sentences(failure)


def _seconds(job: Import) -> int:
    """The whole seconds that the job ran."""
    if job.started_at is None or job.finished_at is None:
        return 0
    return int((job.finished_at - job.started_at).total_seconds())
