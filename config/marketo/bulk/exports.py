"""Bulk export over the Marketo API (§5.1): jobs, and their files in whole or in ranges."""

import re
import uuid
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Sum
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from config.marketo.bulk import endpoints as bulk_endpoints
from config.marketo.wire import paging, usage
from config.marketo.wire.endpoint import Call
from config.marketo.wire.responses import MarketoError, success_reply, utc_timestamp
from people.core.codes import Code
from people.core.errors import RejectedError
from people.core.source import Channel
from people.files.exports import jobs as export_jobs
from people.files.exports import kinds as export_kinds
from people.models import Export

KINDS = {"activities": "bulk_activities", "leads": "bulk_leads"}
STATUS = {
    Export.State.CREATED: "Created",
    Export.State.QUEUED: "Queued",
    Export.State.PROCESSING: "Processing",
    Export.State.CANCELLED: "Cancelled",
    Export.State.COMPLETED: "Completed",
    Export.State.EXPIRED: "Completed",  # its file is deleted, its status stays available
    Export.State.FAILED: "Failed",
}
LISTED = timedelta(days=7)
STATUS_KEPT = timedelta(days=30)
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def create_export(call: Call, kind: str) -> HttpResponse:
    body = call.parameters.json
    if not isinstance(body, dict):
        raise MarketoError("1003", "Invalid data: a JSON object is expected")
    _check_quota()
    request = {name: body[name] for name in ("fields", "columnHeaderNames", "filter") if body.get(name) is not None}
    export = export_jobs.create_export(
        KINDS[kind],
        request,
        call.user,
        Channel.MARKETO,
        format=bulk_endpoints.requested_format(body.get("format")),
        title=f"{kind}, bulk",
    )
    return success_reply([_row(export)])


def enqueue_export(call: Call, kind: str, key: uuid.UUID) -> HttpResponse:
    export = _find(call, kind, key)
    _check_quota()
    try:
        export_jobs.enqueue_export(export)
    except RejectedError as refusal:
        messages: Mapping[str, str] = {
            Code.TOO_MANY_JOBS: "Too many jobs in queue",
            Code.ALREADY_QUEUED: "Job already queued",
        }
        raise MarketoError("1029", messages.get(refusal.code, str(refusal))) from None
    return success_reply([_row(export)])


def _check_quota() -> None:
    """Raise 1029 if the files written today have reached the daily quota (§5.1)."""
    quota = settings.DIALECT_DAILY_EXPORT_MB
    if quota is None:
        return
    midnight = datetime.combine(usage.usage_day(), time(), usage.DAY_ZONE)
    written = Export.objects.filter(channel=Channel.MARKETO, finished_at__gte=midnight).aggregate(total=Sum("size"))[
        "total"
    ]
    if (written or 0) >= quota * 1024 * 1024:
        raise MarketoError("1029", f"Export daily quota {quota}MB exceeded.")


def cancel_export(call: Call, kind: str, key: uuid.UUID) -> HttpResponse:
    export = _find(call, kind, key)
    try:
        export_jobs.cancel_export(export)
    except RejectedError:
        raise MarketoError("1029", f"Job is {STATUS[export.state]}") from None  # type: ignore[index]
    return success_reply([_row(export)])


def export_status(call: Call, kind: str, key: uuid.UUID) -> HttpResponse:
    return success_reply([_row(_find(call, kind, key))])


def list_exports(call: Call, kind: str) -> HttpResponse:
    """List the caller's jobs of the last seven days, oldest first."""
    jobs = (
        _own(call, kind)
        .filter(created_at__gt=timezone.now() - LISTED, pk__gt=paging.page_start_id(call))
        .order_by("pk")
    )
    states = {word.lower().replace("canceled", "cancelled") for word in call.parameters.values("status")}
    if states:
        jobs = jobs.filter(state__in=[state for state, word in STATUS.items() if word.lower() in states])
    size = call.parameters.batch_size()
    rows = list(jobs[: size + 1])
    token = str(rows[size - 1].pk) if len(rows) > size else None
    return success_reply([_row(export) for export in rows[:size]], nextPageToken=token)


def export_file(call: Call, kind: str, key: uuid.UUID) -> HttpResponseBase:
    """Return the file; [D] plain 404 if there is none, and 206 for a range."""
    export = _own(call, kind).filter(key=key, state=Export.State.COMPLETED).first()
    path = export_jobs.export_path(export) if export else None
    if export is None or path is None or not path.exists():
        return bulk_endpoints.no_file_response()
    opened = path.open("rb")
    size = path.stat().st_size
    span = _requested_range(call.request, size)
    if span is None:
        opened.close()
        reply = HttpResponse("Requested Range Not Satisfiable\n", status=416, content_type="text/plain")
        reply["Content-Range"] = f"bytes */{size}"
        return reply
    first, last, is_part = span
    opened.seek(first)
    answer = FileResponse(_FilePart(opened, last - first + 1), status=206 if is_part else 200)
    answer["Content-Type"] = export_kinds.CONTENT_TYPES[export.format]
    answer["Content-Length"] = str(last - first + 1)
    answer["Accept-Ranges"] = "bytes"
    if is_part:
        answer["Content-Range"] = f"bytes {first}-{last}/{size}"
    return answer


class _FilePart:
    """A byte range of an open file, with the interface of a file."""

    def __init__(self, opened: Any, length: int) -> None:
        self.opened = opened
        self.left = length

    def read(self, size: int = -1) -> bytes:
        data = self.opened.read(self.left if size < 0 else min(size, self.left))
        self.left -= len(data)
        return data

    def close(self) -> None:
        self.opened.close()


def _requested_range(request: HttpRequest, size: int) -> tuple[int, int, bool] | None:
    """Return first byte, last byte and whether it is a part; None outside the file. Malformed headers are ignored."""
    match = RANGE.fullmatch(request.headers.get("Range", "").strip())
    if not match or match.groups() == ("", ""):
        return 0, size - 1, False
    first, last = match.groups()
    if not first:  # a number of bytes at the end
        return (max(0, size - int(last)), size - 1, True) if int(last) else None
    end = min(int(last), size - 1) if last else size - 1
    if last and int(last) < int(first):
        return 0, size - 1, False
    return (int(first), end, True) if int(first) < size else None


def _own(call: Call, kind: str) -> Any:
    for right in export_kinds.KINDS[KINDS[kind]].rights:
        call.require(right)
    return Export.objects.filter(
        kind=KINDS[kind], channel=Channel.MARKETO, user=call.user, created_at__gt=timezone.now() - STATUS_KEPT
    )


def _find(call: Call, kind: str, key: uuid.UUID) -> Export:
    export = _own(call, kind).filter(key=key).first()
    if export is None:
        raise bulk_endpoints.unknown_job_error()
    return export


def _row(export: Export) -> dict[str, Any]:
    """Return a job as a row; each time appears once it is reached."""
    row: dict[str, Any] = {
        "exportId": str(export.key),
        "format": export.format.upper(),
        "status": STATUS[export.state],  # type: ignore[index]
        "createdAt": utc_timestamp(export.created_at),
    }
    for name, moment in (("queuedAt", export.queued_at), ("startedAt", export.started_at)):
        if moment:
            row[name] = utc_timestamp(moment)
    if export.state in (Export.State.COMPLETED, Export.State.EXPIRED, Export.State.FAILED) and export.finished_at:
        row["finishedAt"] = utc_timestamp(export.finished_at)
    if export.rows is not None:
        row |= {"numberOfRecords": export.rows, "fileSize": export.size, "fileChecksum": f"sha256:{export.checksum}"}
    return row | ({"errorMsg": export.fault} if export.state == Export.State.FAILED else {})
