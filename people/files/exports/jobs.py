"""Export jobs: one statement for each kind of file, copied out as a stream in flat memory.

A file appears complete or not at all: it is written beside its place and renamed. Other apps add kinds of export with
`kinds.register`.
"""

import csv
import hashlib
import io
import logging
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy
from psycopg import errors

from people.core import disk, jobs, notifications, permissions
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError
from people.core.messages import pack_sentences, storable_text
from people.core.messages import sentence as _
from people.core.notifications import NoticeKind
from people.core.source import Channel
from people.datatypes.formulas import guard_formula
from people.files.exports.kinds import (
    DELIMITERS,
    FORMATS,
    KINDS,
    ExportStatement,
    Marks,
    json_select_sql,
    require_parquet,
    select_sql,
    shown_title,
)
from people.files.exports.parquet import write_parquet
from people.files.models import Export

MAX_RUNNING = 2
logger = logging.getLogger(__name__)
State = Export.State


def _with_title(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters of a notice with the title of the export; its number in a notice of an earlier version."""
    title = shown_title(parameters.get("title", ""), parameters.get("contents", ""))
    return {**parameters, "title": title or parameters["number"]}


notifications.register_notice_kinds(
    {
        "export_done": NoticeKind(
            gettext_lazy("Your export is ready"),
            gettext_lazy("The export “%(title)s” is ready."),
            action=gettext_lazy("Download it"),
            icon="download",
            look="good",
            localize=_with_title,
        )
    }
)


def write_export(
    statement: ExportStatement,
    format: str,
    out: disk.WritableFile,
    *,
    excel_safe: bool = False,
    null: str = "",
    is_exact: bool = False,
) -> int:
    """Write the rows of `statement` to `out`, in UTF-8; return their number.

    With `excel_safe` no text is a formula to a spreadsheet: a ' before it marks it as text. Without it, a text that
    looks as if it had this mark gets one more ', so that an import restores every text; not if the file `is_exact`.
    NDJSON and Parquet need neither.
    """
    if format == "ndjson":
        return _copy(json_select_sql(statement), statement, "(format csv, delimiter e'\\x01', quote e'\\x02')", out)
    if format == "parquet":
        return write_parquet(statement, out)
    delimiter = DELIMITERS[format]
    marks = Marks.GUARDS if excel_safe else Marks.NONE if is_exact else Marks.ESCAPES
    names = [guard_formula(column.name) if excel_safe else column.name for column in statement.columns]
    out.write(_csv_line(names, delimiter))
    options = f"(format csv, delimiter '{delimiter}', null '{null}')"
    return _copy(select_sql(statement, marks), statement, options, out)


def count_rows(statement: ExportStatement, limit: int) -> int:
    """The number of rows of `statement`; `limit` if there are more."""
    with connection.cursor() as cursor:
        query = f"select count(*) from (select 1 from {statement.source} limit {limit:d}) as r"
        cursor.execute(query, dict(statement.parameters))
        return int(cursor.fetchone()[0])


def _csv_line(cells: Sequence[str], delimiter: str) -> bytes:
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="\n").writerow(cells)
    return line.getvalue().encode("utf-8", "replace")


def _copy(select: str, statement: ExportStatement, options: str, out: disk.WritableFile) -> int:
    # the driver's errors are raised while rows are read, where Django does not translate them
    with connection.wrap_database_errors, connection.cursor() as cursor:
        with cursor.copy(f"copy ({select}) to stdout with {options}", dict(statement.parameters)) as copy:
            for data in copy:
                out.write(data)
        return cursor.rowcount


def exports_folder() -> Path:
    path = Path(settings.FILES_DIR) / "exports"
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def export_path(export: Export) -> Path:
    return exports_folder() / export.file_name


def create_export(
    kind: str, parameters: Mapping[str, Any], by: Any, channel: Channel, *, format: str = "csv", title: str = ""
) -> Export:
    """Create an export; its file is written after `enqueue_export`. Raises `RejectedError` for impossible requests."""
    export_kind = KINDS.get(kind)
    if export_kind is None:
        message = _("There is nothing called “%(kind)s” to export.") % {"kind": kind}
        raise RejectedError(Problem(Code.UNKNOWN_KIND, message, ("kind",), ", ".join(KINDS)))
    for right in export_kind.rights:
        permissions.require_permission(by, right)
    if format == "parquet":
        require_parquet()
    if format not in FORMATS:
        message = _("There is no format “%(format)s”.") % {"format": str(format)[:80]}
        raise RejectedError(Problem(Code.UNKNOWN_FORMAT, message, ("format",), ", ".join(FORMATS)))
    (export_kind.check or export_kind.statement)(parameters)
    return Export.objects.create(
        key=uuid.uuid4(),
        kind=kind,
        parameters=dict(parameters),
        format=format,
        title=title[:255],
        channel=channel,
        user=by,
    )


@transaction.atomic
def enqueue_export(export: Export) -> None:
    """Queue the job that writes the file. Raises `RejectedError`: `already_queued`, `too_many_jobs`."""
    waiting = Export.objects.filter(state__in=(State.QUEUED, State.PROCESSING)).count()
    if waiting >= settings.EXPORT_MAX_QUEUED:
        raise RejectedError(
            Problem(Code.TOO_MANY_JOBS, _("Too many exports are waiting. Try again when some are ready."))
        )
    changed = Export.objects.filter(pk=export.pk, state=State.CREATED).update(
        state=State.QUEUED, queued_at=timezone.now()
    )
    if not changed:
        raise RejectedError(Problem(Code.ALREADY_QUEUED, _("This export is already queued.")))
    export.refresh_from_db()
    jobs.defer_job("people.run_export", export_id=export.pk)


def cancel_export(export: Export) -> None:
    """Stop an export before it is ready; one that is being written ends at once.

    Raises `RejectedError` (`wrong_state`).
    """
    is_cancelled = export.cancel()
    export.refresh_from_db()
    if not is_cancelled:
        message = _("The export is: %(state)s.") % {"state": export.get_state_display()}
        raise RejectedError(Problem(Code.WRONG_STATE, message))
    with connection.cursor() as cursor:
        # the writing process holds the lock of the export; only its running statement is cancelled
        cursor.execute(
            """select pg_cancel_backend(pid) from pg_locks where locktype = 'advisory' and objsubid = 1 and granted
            and ((classid::bigint << 32) | objid::bigint) = %s
            and database = (select oid from pg_database where datname = current_database())""",
            [locks.lock_key(locks.LockSpace.EXPORT, export.pk)],
        )


def run_export(pk: int) -> None:
    """Write the file of export `pk`, from its beginning; do nothing when it is cancelled or otherwise claimed."""
    others = Export.objects.filter(state=State.PROCESSING).exclude(pk=pk).count()
    if others >= MAX_RUNNING and Export.objects.filter(pk=pk, state=State.QUEUED).exists():
        return  # the next minute's reclaim queues it again
    with Export.claimed(pk) as export:
        if export is None:
            return
        part = export_path(export).with_suffix(".part")
        try:
            _finish(export, part)
        except Exception as error:
            if isinstance(error, OperationalError) and not isinstance(error.__cause__, errors.QueryCanceled):
                raise  # the database is unavailable: a later run begins again
            export.fail(pack_sentences(_reasons(pk, error), storable_text))
        finally:
            part.unlink(missing_ok=True)


def _reasons(pk: int, error: Exception) -> Sequence[Any]:
    if isinstance(error, RejectedError):
        return [problem.message for problem in error.problems]
    if isinstance(error, OSError | DatabaseError):
        return [getattr(error, "strerror", None) or str(error)]
    logger.exception("export %s", pk, exc_info=error)
    return [_("an unexpected error; the server's log has the details")]


def _finish(export: Export, part: Path) -> None:
    kind = KINDS[export.kind]
    digest = hashlib.sha256()
    with os.fdopen(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        safe = bool(export.parameters.get("excel_safe"))
        rows = write_export(
            kind.statement(export.parameters),
            export.format,
            _Hashing(disk.GuardedFile(file, exports_folder()), digest),
            excel_safe=safe,
            null=kind.null,
            is_exact=kind.is_exact,
        )
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
    os.replace(part, export_path(export))
    if not export.finish(rows=rows, size=size, checksum=digest.hexdigest()):  # cancelled at the last moment
        export_path(export).unlink(missing_ok=True)
        return
    notifications.notify_users(
        [export.user_id],
        "export_done",
        "admin:people_export_change",
        export.pk,
        number=export.pk,
        title=export.title,
        contents=export.kind,
    )


class _Hashing:
    """A file that hashes the content written to it."""

    def __init__(self, file: disk.WritableFile, digest: Any) -> None:
        self.file = file
        self.digest = digest

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self.file.write(data)
