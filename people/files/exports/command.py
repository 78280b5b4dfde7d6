"""Base class of the commands that export."""

import contextlib
import gzip
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from people.core.errors import RejectedError, located_message
from people.files.exports import jobs as export_jobs
from people.files.exports import kinds as export_kinds
from people.files.exports.kinds import ExportStatement


class ExportCommand(BaseCommand, ABC):
    """Writes a file; a subclass provides the statement."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="“-” is standard output; gzip when it ends in .gz")
        parser.add_argument("--gzip", action="store_true", help="also where no name ends in .gz: standard output")
        parser.add_argument("--format", choices=export_kinds.FORMATS, help="by default by the file's name")
        parser.add_argument(
            "--excel-safe", action="store_true", help="mark text that a spreadsheet would take for a formula"
        )

    @abstractmethod
    def statement(self, options: dict[str, Any]) -> ExportStatement:
        """The statement to write. Raises `RejectedError` and CommandError."""

    def handle(self, *args: Any, **options: Any) -> None:
        format = options["format"] or _format(options["file"])
        try:
            if format == "parquet":
                export_kinds.require_parquet()
            statement = self.statement(options)
            with _opened(options["file"], options["gzip"] or options["file"].endswith(".gz")) as file:
                rows = export_jobs.write_export(statement, format, file, excel_safe=options["excel_safe"])
        except RejectedError as refusal:
            raise CommandError("\n".join(located_message(problem) for problem in refusal.problems)) from None
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror or error}") from None
        summary = self.stderr if options["file"] == "-" else self.stdout
        summary.write(f"{rows:,} rows written.")


def _format(name: str) -> str:
    ending = name.removesuffix(".gz").rpartition(".")[2]
    return {"jsonl": "ndjson"}.get(ending, ending if ending in export_kinds.FORMATS else "csv")


@contextmanager
def _opened(name: str, is_zipped: bool) -> Iterator[IO[bytes]]:
    """The file to write; it appears complete or not at all."""
    if name == "-":
        with _zipped(sys.stdout.buffer, is_zipped) as out:
            yield out
        sys.stdout.buffer.flush()
        return
    part = f"{name}.part"
    try:
        with open(part, "wb") as file:
            with _zipped(file, is_zipped) as out:
                yield out
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, name)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)


@contextmanager
def _zipped(file: IO[bytes], is_zipped: bool) -> Iterator[IO[bytes]]:
    if not is_zipped:
        yield file
        return
    with gzip.open(file, "wb", compresslevel=6) as zipped:
        yield zipped  # type: ignore[misc]
