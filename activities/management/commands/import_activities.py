import csv
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from activities import importing
from activities.importing import BadFile, Columns
from activities.models import ActivityType
from activities.recording import Outcome, Status
from people.problems import located
from people.sources import Door, Source


class Command(BaseCommand):
    help = (
        "Record the activities of a CSV or NDJSON file (gzip is understood; “-” is standard input). Rows with an "
        "external id are recorded once, however often the file is imported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file")
        parser.add_argument("--type", required=True, help="API name of the activity type")
        parser.add_argument("--person", required=True, metavar="TEMPLATE",
                            help="who did it: a column like {email}, or a text with columns in it")  # fmt: skip
        parser.add_argument("--person-field", default="email", help="id, email (default) or a unique person field")
        parser.add_argument("--create-people", action="store_true", help="create people who are not known yet")
        parser.add_argument("--occurred-at", required=True, metavar="COLUMN")
        parser.add_argument("--primary", required=True, metavar="COLUMN", help="the column of the primary field")
        parser.add_argument("--field", action="append", default=[], metavar="API_NAME=COLUMN",
                            help="a secondary field; without any, columns called like fields are taken")  # fmt: skip
        parser.add_argument("--external-id", metavar="COLUMN")
        parser.add_argument("--zone", default="UTC", help="of moments without a zone (UTC)")
        parser.add_argument("--format", choices=sorted(importing.FORMATS), help="by default by the file's name")
        parser.add_argument("--failures", metavar="FILE", help="write refused rows here, as CSV with a reason")
        parser.add_argument("--dry-run", action="store_true", help="check every row, record none")
        parser.add_argument("--no-progress", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        columns = self._columns(options)
        try:
            zone = ZoneInfo(options["zone"])
        except (ZoneInfoNotFoundError, ValueError):
            raise CommandError(f"--zone: '{options['zone']}' is not a time zone like Europe/Madrid.") from None
        failures = _Failures(options["failures"])
        try:
            with self._progress(options) as progress, importing.opened(options["file"]) as file:
                task = progress.add_task("rows", total=None)
                rows = _with_columns(importing.FORMATS[_format(options)](file), columns)
                report = importing.run(
                    rows, columns, Source(Door.IMPORT), zone=zone, dry_run=options["dry_run"],
                    on_failure=failures.add, track=lambda count: progress.advance(task, count),
                )  # fmt: skip
        except BadFile as error:
            raise CommandError(
                f"{error}. Rows before it are recorded; importing the corrected file again is safe."
            ) from None
        finally:
            failures.close()
        for line in report.failures:
            self.stderr.write(line)
        self.stdout.write(self._summary(report, options["dry_run"]))
        if report.counts[Status.REFUSED]:
            raise SystemExit(1)

    def _summary(self, report: importing.Report, dry_run: bool) -> str:
        added, repeated, refused = (report.counts[status] for status in Status)
        prefix = "Dry run, nothing was recorded: " if dry_run else ""
        return f"{prefix}{report.rows:,} rows: {added:,} added, {repeated:,} known before, {refused:,} refused."

    def _columns(self, options: dict[str, Any]) -> Columns:
        activity_type = ActivityType.objects.recordable().filter(api_name=options["type"]).first()
        if activity_type is None:
            raise CommandError(f"There is no approved activity type '{options['type']}'.")
        names = [field.api_name for field in activity_type.live.fields.all() if not field.is_primary]  # type: ignore[union-attr]
        attributes = dict(pair.partition("=")[::2] for pair in options["field"]) or {name: name for name in names}
        unknown = [name for name in attributes if name not in names]
        if unknown:
            raise CommandError(
                f"--field: '{unknown[0]}' is not a field of {options['type']}; there are {', '.join(names)}."
            )
        try:
            importing.template_columns(options["person"])
        except BadFile as error:
            raise CommandError(f"--person: {error}") from None
        return Columns(
            options["type"], options["person"], options["occurred_at"], options["primary"], attributes,
            options["external_id"], options["person_field"], options["create_people"],
        )  # fmt: skip

    def _progress(self, options: dict[str, Any]) -> Progress:
        return Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=Console(stderr=True), disable=options["no_progress"],
        )  # fmt: skip


class _Failures:
    """The file of refused rows: the original columns and why; opened with the first."""

    def __init__(self, name: str | None) -> None:
        self.name, self.file, self.writer = name, None, None

    def add(self, number: int, row: importing.Row, outcome: Outcome) -> None:
        if not self.name:
            return
        if self.file is None:
            self.file = open(self.name, "w", newline="", encoding="utf-8")  # noqa: SIM115
            self.writer = csv.writer(self.file)
            self.writer.writerow([*row, "row", "reason"])
        reasons = "; ".join(located(problem) for problem in outcome.problems)
        self.writer.writerow([*row.values(), number, reasons])

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


def _format(options: dict[str, Any]) -> str:
    name = options["file"].removesuffix(".gz")
    return options["format"] or ("ndjson" if name.endswith((".ndjson", ".jsonl")) else "csv")


def _with_columns(rows: Any, columns: Columns) -> Any:
    """The rows, once the first one has shown that every column is there."""
    for number, row in enumerate(rows):
        if number == 0 and (missing := columns.columns() - set(row)):
            raise BadFile(f"there is no column '{sorted(missing)[0]}'; there are {', '.join(row)}")
        yield row
