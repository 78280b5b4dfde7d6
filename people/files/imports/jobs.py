"""Import jobs: one set of functions for every kind of row and every channel; `runner` does the work.

A file is uploaded, its columns are mapped by a `ImportPlan`, a check may try the whole file, and the import records it
batch by batch. Other apps add kinds of rows with `targets.register_target`.
"""

import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from people.core import disk, installation, jobs, permissions
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, refuse_if
from people.core.source import Channel
from people.datatypes.file_formats import EXCEL_PIVOT, LATE_PIVOT, DateOrder
from people.files import tabular
from people.files.imports.column_names import unknown_column_problem
from people.files.imports.plan import KEY_COLUMN, ImportPlan
from people.files.imports.targets import TARGETS
from people.files.models import Import
from people.files.shape_guess import guess_shape, guess_sheet_header_row
from people.files.tabular import FileShape
from people.files.unzip import open_unzipped
from people.rights import CHANGE_IMPORT

MAX_NAME = 255
SHOWN_ABOVE = 20  # rows above the header that the page of the columns shows
OTHERS = CHANGE_IMPORT  # the right to see and steer imports of other users
REPORT_COLUMNS = ("import_row", "import_problem")  # columns added by a report of refused rows
OWN_COLUMNS = frozenset({*REPORT_COLUMNS, KEY_COLUMN})


def imports_folder() -> Path:
    """The folder of uploaded files; only the application reads them."""
    path = Path(settings.FILES_DIR) / "imports"
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def upload_file(
    chunks: Iterable[bytes], name: str, kind: str, by: Any, channel: Channel = Channel.ADMIN, **shape_parts: Any
) -> Import:
    """Store a file and guess its shape; `shape_parts` are not guessed.

    Raises `RejectedError` when the file is unreadable (`bad_file`), too large (`file_too_large`) or cannot be stored
    (`no_space`); then nothing is stored.
    """
    require_kind_rights(kind, by)
    stored_as = uuid.uuid4().hex
    path = imports_folder() / stored_as
    try:
        size = _keep(disk.bounded_chunks(chunks, imports_folder()), path)
        with path.open("rb") as file:
            shape = guess_file_shape(file, name, **shape_parts)
        return Import.objects.create(
            kind=kind,
            name=_shown_name(name),
            stored_as=stored_as,
            size=size,
            channel=channel,
            user=by,
            shape=shape.as_json(),
            shape_key=shape_key(shape),
        )
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            message = _("The file can't be kept: %(why)s.") % {"why": f"{error.strerror or error} ({imports_folder()})"}
            raise RejectedError(Problem(Code.NO_SPACE, message)) from None
        raise


def _keep(chunks: Iterable[bytes], path: Path) -> int:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def _shown_name(name: str) -> str:
    text = name.encode("utf-8", "replace").decode().replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(character if character.isprintable() else "_" for character in text)[:MAX_NAME] or "file"


def guess_file_shape(file: IO[bytes], name: str, **shape_parts: Any) -> FileShape:
    """The shape of a file with its header. Raises `RejectedError` (`bad_file`), also for unreadable first rows."""
    with _refuse_bad_file(file):
        with open_unzipped(file) as plain:
            head = plain.read(tabular.SAMPLE_BYTES)
        shape = guess_shape(head, name, **shape_parts)
        if shape.format == "xlsx" and not shape_parts.get("header_row"):
            file.seek(0)
            with open_unzipped(file) as plain:
                shape = replace(shape, header_row=guess_sheet_header_row(plain))
        file.seek(0)
        with open_unzipped(file) as plain:
            shape = tabular.read_header(plain, shape)
    sample_rows_of(file, shape)  # raises here rather than at every preview and guess
    return shape


@contextmanager
def _refuse_bad_file(file: IO[bytes]) -> Iterator[None]:
    """Turn the error of an unreadable file into `RejectedError` (`bad_file`), and go back to the file's beginning."""
    try:
        yield
    except tabular.BadFileError as error:
        raise RejectedError(Problem(Code.BAD_FILE, str(error)[:1].upper() + str(error)[1:] + ".")) from None
    finally:
        file.seek(0)


def reshape_import(job: Import, **shape_parts: Any) -> None:
    """Replace the guessed shape of the file. Raises `RejectedError` when it cannot be read with the new shape."""
    with open_import(job) as file:
        shape = guess_file_shape(file, job.name, **shape_parts)
    job.shape, job.shape_key = shape.as_json(), shape_key(shape)
    job.save(update_fields=["shape", "shape_key"])


def shape_key(shape: FileShape) -> str:
    """The key of the columns, equal for files to be mapped alike; a report of refused rows has the key of its file."""
    file_columns = [name for name in shape.header if name not in OWN_COLUMNS]
    return blake2b("\0".join(file_columns).encode("utf-8", "replace"), digest_size=16).hexdigest()


@contextmanager
def open_import(job: Import) -> Iterator[IO[bytes]]:
    with (imports_folder() / job.stored_as).open("rb") as file:
        yield file


def read_head(job: Import) -> bytes:
    """The first bytes of the file, unzipped."""
    with open_import(job) as file, open_unzipped(file) as plain:
        return plain.read(tabular.SAMPLE_BYTES)


def rows_above_header(job: Import) -> list[Sequence[Any]]:
    """The first rows of the file that are left out because they stand above the header."""
    with open_import(job) as file:
        return rows_above_header_of(file, FileShape.from_json(job.shape))


def rows_above_header_of(file: IO[bytes], shape: FileShape) -> list[Sequence[Any]]:
    """The first rows above the header of `file`, which is at its beginning before and after."""
    with _refuse_bad_file(file), open_unzipped(file) as plain:
        return tabular.rows_above_header(plain, shape, SHOWN_ABOVE)


def sample_rows(job: Import, limit: int = tabular.SAMPLE_ROWS) -> list[tabular.FileLine]:
    """The first rows of the file. Raises `RejectedError` (`bad_file`)."""
    with open_import(job) as file:
        return sample_rows_of(file, FileShape.from_json(job.shape), limit)


def sample_rows_of(file: IO[bytes], shape: FileShape, limit: int = tabular.SAMPLE_ROWS) -> list[tabular.FileLine]:
    """The first rows of `file`, which is at its beginning before and after. Raises `RejectedError` (`bad_file`)."""
    with _refuse_bad_file(file), open_unzipped(file) as plain:
        return list(islice(tabular.table_rows(plain, shape), limit))


def visible_imports(by: Any) -> Any:
    """The imports that `by` may see and control, as far as the rights of each kind allow."""
    return Import.objects.filter(permissions.own_or_all_condition(by, OTHERS))


def require_import_rights(job: Import, by: Any, plan: ImportPlan | None = None) -> None:
    """Raise `NotAllowedError` unless `by` has the rights for `job`, and for `plan` where given."""
    require_kind_rights(job.kind, by)
    for right in TARGETS[job.kind].rights_of(plan) if plan else ():
        permissions.require_permission(by, right)
    if not visible_imports(by).filter(pk=job.pk).exists():
        permissions.require_permission(by, OTHERS)


def require_kind_rights(kind: str, by: Any) -> None:
    if kind not in TARGETS:
        message = _("“%(kind)s” can't be imported.") % {"kind": kind}
        raise RejectedError(Problem(Code.UNKNOWN_KIND, message, ("kind",), ", ".join(TARGETS)))
    for right in TARGETS[kind].rights:
        permissions.require_permission(by, right)


def set_plan(job: Import, plan: ImportPlan, by: Any) -> None:
    """Store the plan of the columns. Raises `RejectedError`, each path naming the part of the plan."""
    require_import_rights(job, by, plan)
    shape = FileShape.from_json(job.shape)
    if shape.is_encoding_open:
        message = _("the file isn't UTF-8, and nothing in it tells its encoding: choose one")
        raise RejectedError(Problem(Code.NOTATION_OPEN, message, ("encoding",), ", ".join(tabular.ENCODINGS)))
    refuse_if(plan_problems(job.kind, plan, shape))
    # a plan changed after the first row would apply to a part of the file only
    changed = Import.objects.filter(pk=job.pk, position=0).exclude(state__in=Import.life.running)
    if not changed.update(plan=plan.as_json(), state=Import.State.UPLOADED):
        raise RejectedError(
            Problem(Code.ALREADY_STARTED, _("The import has started: its columns can't be changed any more."))
        )
    job.refresh_from_db()


def plan_problems(kind: str, plan: ImportPlan, shape: FileShape) -> list[Problem]:
    target = TARGETS[kind]
    mappable = {item.name: item for item in target.mappable(plan.subject)}
    optional = target.optional(plan)
    problems = [
        unknown_column_problem(("only_rows", name), name, shape.header)
        for name in plan.only_rows
        if name not in shape.header
    ]
    for name, column in plan.columns.items():
        path = ("columns", name)
        if name not in mappable:
            problems.append(Problem(Code.UNKNOWN_FIELD, _("there is no such field"), path, ", ".join(mappable), name))
        elif column not in shape.header:
            problems.append(unknown_column_problem(path, column, shape.header))
    for name in plan.constants:
        if name not in mappable:
            problems.append(
                Problem(Code.UNKNOWN_FIELD, _("there is no such field"), ("constants", name), ", ".join(mappable), name)
            )
        elif name in plan.columns:
            problems.append(Problem(Code.GIVEN_TWICE, _("given twice"), ("constants", name)))
    for item in mappable.values():
        if (
            item.is_required
            and item.name not in optional
            and not (plan.columns.get(item.name) or plan.constants.get(item.name))
        ):
            message = _("no column is mapped to “%(field)s”: choose one") % {"field": item.label}
            problems.append(Problem(Code.MISSING_VALUE, message, ("columns", item.name)))
    if not installation.is_zone(plan.zone):
        message = _("“%(zone)s” is not a time zone like Europe/Madrid") % {"zone": plan.zone}
        problems.append(Problem(Code.UNKNOWN_ZONE, message, ("zone",), "", plan.zone))
    if plan.date_order not in set(DateOrder):
        problems.append(Problem(Code.WRONG_TYPE, _("choose how dates are written"), ("date_order",)))
    if plan.decimal not in (".", ","):
        problems.append(Problem(Code.WRONG_TYPE, _("choose the decimal mark"), ("decimal",)))
    if plan.pivot not in (EXCEL_PIVOT, LATE_PIVOT):
        problems.append(Problem(Code.WRONG_TYPE, _("choose the century of two-digit years"), ("pivot",)))
    return [*problems, *target.problems(plan, shape)]


State = Import.State
COUNTS = (
    "position",
    "bytes_done",
    "added",
    "updated",
    "repeated",
    "refused",
    "not_kept",
    "created",
)  # counters of one run over the file
# verb: the states in which it is possible, and the following state
STEPS: dict[str, tuple[tuple[str, ...], str]] = {
    "check": ((State.UPLOADED, State.CHECKED), State.CHECKING),
    "start": ((State.UPLOADED, State.CHECKED), State.IMPORTING),
    "resume": ((State.PAUSED, State.FAILED, State.CANCELLED), State.IMPORTING),
}
# wish: the states in which it is possible
STOPS: dict[str, tuple[str, ...]] = {
    Import.Wish.PAUSE: (State.IMPORTING,),
    Import.Wish.CANCEL: (State.CHECKING, State.IMPORTING, *Import.life.cancelled),
}


def possible_steps(job: Import) -> set[str]:
    """The possible verbs of `take_step` and wishes of `stop_import` in the present state of the job."""
    verbs = {verb for verb, (states, _following) in STEPS.items() if job.state in states}
    return verbs | {wish for wish, states in STOPS.items() if job.state in states}


@transaction.atomic
def take_step(job: Import, verb: str, by: Any, *, queue: bool = True) -> None:
    """`check` the whole file without storing anything, `start` to import it, or `resume` at the row where it stopped.

    The work is queued in the same transaction, unless the caller runs it. Raises `RejectedError`.
    """
    require_import_rights(job, by, ImportPlan.from_json(job.plan) if job.plan else None)
    if not job.plan:
        raise RejectedError(Problem(Code.NO_PLAN, _("First choose what the columns map to.")))
    states, following = STEPS[verb]
    now = timezone.now()
    fresh = {} if verb == "resume" else {**dict.fromkeys(COUNTS, 0), "started_at": now}
    changed = Import.objects.filter(pk=job.pk, state__in=states).update(
        state=following, wish="", problem="", finished_at=None, progressed_at=now, **fresh
    )
    if not changed:
        _refuse_step(job)
    if verb != "resume":
        job.failures.all().delete()
    job.refresh_from_db()
    if queue:
        jobs.defer_job("people.run_import", import_id=job.pk)


@transaction.atomic
def stop_import(job: Import, wish: str, by: Any) -> None:
    """Pause or cancel a job after its current batch; a job that does not run is cancelled at once."""
    require_import_rights(job, by)
    running = Import.objects.filter(pk=job.pk, state__in={*STOPS[wish]} & {*Import.life.running})
    if not running.update(wish=wish) and not (wish == Import.Wish.CANCEL and job.cancel()):
        _refuse_step(job)
    job.refresh_from_db()


def _refuse_step(job: Import) -> None:
    state = Import.objects.get(pk=job.pk).get_state_display()
    raise RejectedError(
        Problem(Code.WRONG_STATE, _("This can't be done now. State of the import: %(state)s.") % {"state": state})
    )


def import_plan(job: Import) -> ImportPlan:
    """The plan of an import whose columns have been mapped."""
    if job.plan is None:
        raise ValueError(f"Import {job.pk} has no plan.")
    return ImportPlan.from_json(job.plan)


def remembered_plan(job: Import) -> ImportPlan | None:
    """The plan of the last file with these columns."""
    last = Import.objects.filter(kind=job.kind, shape_key=job.shape_key, plan__isnull=False).exclude(pk=job.pk).first()
    return import_plan(last) if last else None
