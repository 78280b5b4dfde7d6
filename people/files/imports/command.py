"""Base class of the commands that import."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from people.core.codes import Code
from people.core.errors import Problem, RejectedError, located_message
from people.core.source import Channel
from people.datatypes.file_formats import EXCEL_PIVOT, LATE_PIVOT, DateOrder
from people.files.imports import guessing, presets
from people.files.imports import jobs as import_jobs
from people.files.imports import report as import_report
from people.files.imports import runner as import_runner
from people.files.imports.plan import ImportPlan, ImportStatus
from people.files.imports.targets import TARGETS
from people.files.models import Import
from people.files.tabular import DELIMITERS, ENCODINGS, FileShape

# the options of the parts of a plan that a file may leave open
NOTATIONS = {"date_order": "dates", "decimal": "decimal", "pivot": "pivot"}
# the options that name a column, by the missing part of the plan
COLUMN_OPTIONS = {
    "occurred_at": "occurred-at",
    "primary_value": "primary",
    "person": "person",
    "email": "field email=COLUMN",
}
FORMATS = ("csv", "tsv", "ssv", "psv", "ndjson", "xlsx")
SHOWN_FAILURES = 20


class ImportCommand(BaseCommand, ABC):
    """Imports a file of `kind`; a subclass provides the plan."""

    kind = ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="“-” is standard input; gzip is understood")
        _add_shape_options(parser)
        _add_notation_options(parser)
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="a value that every row has: of a field, or of occurred_at or primary_value",
        )
        parser.add_argument(
            "--backfill",
            action="store_true",
            help="these rows are about the past: they are on the timeline and in smart lists, and start no campaign",
        )
        parser.add_argument(
            "--preset",
            choices=[preset.name for preset in presets.PRESETS.values() if preset.kind == self.kind] or None,
            help="fill in what other options leave out as for this file of another product",
        )
        parser.add_argument("--failures", metavar="FILE", help="write refused rows here, with their reasons")
        parser.add_argument(
            "--resume",
            type=int,
            metavar="IMPORT",
            help="go on with an import that stopped, at the row where it stopped",
        )
        parser.add_argument("--dry-run", action="store_true", help="check every row, record none")
        parser.add_argument("--no-progress", action="store_true")

    @abstractmethod
    def plan(self, shape: FileShape, options: dict[str, Any]) -> ImportPlan:
        """The plan of the file. Raises CommandError and `RejectedError`."""

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._handle(options)
        except RejectedError as refusal:
            raise CommandError("\n".join(map(_with_option, refusal.problems))) from None

    def _handle(self, options: dict[str, Any]) -> None:
        with _file(options["file"]) as file:
            job = self._job(file, options)
            try:
                with self._progress(options) as progress:
                    task = progress.add_task("rows", total=None)
                    import_runner.run_import(job.pk, file, lambda count: progress.advance(task, count))
                job.refresh_from_db()
                self._report(job, options)
            finally:
                if options["dry_run"]:
                    job.delete()

    def _job(self, file: IO[bytes] | None, options: dict[str, Any]) -> Import:
        if options["resume"]:
            job = Import.objects.filter(pk=options["resume"], kind=self.kind).first()
            if job is None:
                raise CommandError(f"There is no import {options['resume']}.")
            if job.state != Import.State.IMPORTING:  # IMPORTING remains when its process was killed
                import_jobs.take_step(job, "resume", None, queue=False)
            return job
        shape_parts = _shape_parts(options)
        if file is None:
            chunks = iter(lambda: sys.stdin.buffer.read(1 << 20), b"")
            job = import_jobs.upload_file(chunks, "standard input", self.kind, None, Channel.COMMAND, **shape_parts)
        else:
            job = _without_upload(file, options["file"], self.kind, shape_parts)
        shape = FileShape.from_json(job.shape)
        above = import_jobs.rows_above_header(job) if file is None else import_jobs.rows_above_header_of(file, shape)
        plan = self._whole_plan(shape, above, options)
        notations = {name: options[option] for name, option in NOTATIONS.items() if options[option]}
        lines = import_jobs.sample_rows(job) if file is None else import_jobs.sample_rows_of(file, shape)
        try:
            plan = guessing.settle_plan(replace(plan, **notations), notations, self.kind, shape, lines)
            import_jobs.set_plan(job, plan, None)
        except RejectedError:
            self._forget(job)
            raise
        self._name_left_out(plan, shape)
        import_jobs.take_step(job, "check" if options["dry_run"] else "start", None, queue=False)
        return job

    def _whole_plan(self, shape: FileShape, above: Sequence[Sequence[Any]], options: dict[str, Any]) -> ImportPlan:
        """The plan with the options of every kind, completed by the preset."""
        if options["preset"] and not options.get("type"):
            options["type"] = presets.PRESETS[options["preset"]].subject
        plan = self.plan(shape, options)
        plan = replace(
            plan,
            constants=dict(pair.partition("=")[::2] for pair in options["set"]),
            keep_apostrophes=options["keep_apostrophes"],
            starts_campaigns=plan.starts_campaigns and not options["backfill"],
        )
        return presets.plan_with_preset(plan, options["preset"], self.kind, shape, above)

    def _forget(self, job: Import) -> None:
        """Delete an import that lacks options, with its file."""
        if job.stored_as:
            (import_jobs.imports_folder() / job.stored_as).unlink(missing_ok=True)
        job.delete()

    def _name_left_out(self, plan: ImportPlan, shape: FileShape) -> None:
        if shape.rows_above:
            self.stderr.write(f"Rows above the header left out: {shape.rows_above:,}.")
        used = {*plan.columns.values(), *import_jobs.OWN_COLUMNS}
        left_out = [name for name in shape.header if name not in used and f"{{{name}}}" not in plan.person]
        if left_out:
            self.stderr.write(f"Columns left out: {', '.join(left_out)}.")

    def _report(self, job: Import, options: dict[str, Any]) -> None:
        if options["failures"] and job.refused:
            with open(options["failures"], "wb") as report:
                report.writelines(import_report.report_lines(job))
        for failure in job.failures.order_by("row")[:SHOWN_FAILURES]:
            self.stderr.write(f"row {failure.row}, {import_report.problem_sentences(failure)}")
        if job.problem:
            fault = str(job.fault).rstrip(".")
            raise CommandError(
                f"{fault}. The rows before are recorded; go on with --resume {job.pk} when the file is whole."
            )
        if job.rows_left_out:
            self.stderr.write(f"Rows left out that are not of the list: {job.rows_left_out:,}.")
        if job.not_kept:
            self.stderr.write(f"Rejected rows that don't wait to be corrected, for want of room: {job.not_kept:,}.")
        if job.blank_rows:
            self.stderr.write(f"Blank rows left out: {job.blank_rows:,}.")
        self.stdout.write(self.summary(job, options["dry_run"]))
        if job.refused:
            raise SystemExit(1)

    def summary(self, job: Import, is_check: bool) -> str:
        prefix = "Dry run, nothing was recorded: " if is_check else ""
        target = TARGETS[self.kind]
        words = {
            ImportStatus.ADDED: "added",
            ImportStatus.UPDATED: "updated",
            ImportStatus.REPEATED: target.repeated_word,
            ImportStatus.REFUSED: "rejected",
        }
        counts = ", ".join(f"{getattr(job, status):,} {words[status]}" for status in target.statuses)
        is_created = job.created and not target.rows_are_people
        created = f", {job.created:,} people {'would be ' if is_check else ''}created" if is_created else ""
        return f"{prefix}{job.rows:,} rows: {counts}{created}."

    def _progress(self, options: dict[str, Any]) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=options["no_progress"],
        )


def _add_shape_options(parser: CommandParser) -> None:
    parser.add_argument("--format", choices=FORMATS, help="by default guessed")
    parser.add_argument("--encoding", choices=ENCODINGS, help="by default guessed")
    parser.add_argument("--header-row", type=int, metavar="ROW", help="by default guessed: lines above are left out")


def _add_notation_options(parser: CommandParser) -> None:
    """Add the options for the notation of values."""
    order = "the order in dates like 3/4/2026; needed where the file leaves it open"
    parser.add_argument("--dates", choices=list(DateOrder), help=order)
    parser.add_argument(
        "--pivot",
        type=int,
        choices=(EXCEL_PIVOT, LATE_PIVOT),
        help="two-digit years from this on are of the 1900s (Excel: 30); needed where it matters",
    )
    mark = "the decimal mark; needed where the file leaves it open"
    parser.add_argument("--decimal", choices=[".", ","], help=mark)
    parser.add_argument("--zone", default="UTC", help="of moments without a zone (UTC)")
    parser.add_argument(
        "--keep-apostrophes",
        action="store_true",
        help="an apostrophe before =, +, - or @ is part of the text, as other programs write it; "
        "our exports put one more there, with --excel-safe or without",
    )


def _with_option(problem: Problem) -> str:
    """The problem as text, with the option that solves it."""
    column_option = COLUMN_OPTIONS.get(str(problem.path[-1])) if problem.path else None
    if problem.code == Code.MISSING_VALUE and column_option:
        choices = f" Columns that it can be: {problem.expected}." if problem.expected else ""
        return f"--{column_option} is needed.{choices}"
    option = {**NOTATIONS, "encoding": "encoding"}.get(str(problem.path[0])) if problem.path else None
    if problem.code != Code.NOTATION_OPEN or option is None:
        return located_message(problem)
    return f"{problem.message[:1].upper()}{problem.message[1:]}, with --{option} ({problem.expected})."


@contextmanager
def _file(name: str) -> Iterator[IO[bytes] | None]:
    if name == "-":
        yield None
        return
    try:
        file = open(name, "rb")  # noqa: SIM115
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from None
    with file:
        yield file


def _shape_parts(options: dict[str, Any]) -> dict[str, Any]:
    """The parts of the file's shape set by options."""
    parts = {name: options[name] for name in ("encoding", "header_row") if options[name]}
    if not options["format"]:
        return parts
    delimiter = {name: mark for mark, name in DELIMITERS.items()}.get(options["format"])
    return parts | ({"format": "csv", "delimiter": delimiter} if delimiter else {"format": options["format"]})


def _without_upload(file: IO[bytes], name: str, kind: str, shape_parts: dict[str, Any]) -> Import:
    """An import of a file that is read in place, without an upload."""
    shape = import_jobs.guess_file_shape(file, name, **shape_parts)
    size = file.seek(0, 2)
    file.seek(0)
    return Import.objects.create(
        kind=kind,
        name=name.rsplit("/", 1)[-1][:255],
        size=size,
        channel=Channel.COMMAND,
        shape=shape.as_json(),
        shape_key=import_jobs.shape_key(shape),
    )
