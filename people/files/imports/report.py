"""The report of an import: refused rows with reasons, as a file to be corrected and imported again."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from people.core.errors import NO_LABELS, located_message, restore_problem
from people.datatypes import exact_json
from people.files.csv_lines import csv_lines
from people.files.imports.jobs import OWN_COLUMNS, REPORT_COLUMNS
from people.files.imports.plan import KEY_COLUMN
from people.files.models import Import, ImportFailure
from people.files.tabular import FileShape

PAGE = 1_000


@dataclass(frozen=True, slots=True)
class RowFault:
    """One kind of problem, the number of its rows, and the first of them."""

    sentence: str
    count: int
    first_row: int


def problem_sentences(failure: ImportFailure, labels: Mapping[str, Any] = NO_LABELS) -> str:
    """The problems of a row, in one line."""
    return "; ".join(located_message(restore_problem(problem), labels=labels) for problem in failure.problems)


def common_faults(job: Import, limit: int = 50, *, labels: Mapping[str, Any] = NO_LABELS) -> list[RowFault]:
    """The most frequent problems, grouped by field and kind."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select p ->> 'code', p -> 'path', count(*), min(row), min(p::text)
            from file_import_failure f, jsonb_array_elements(f.problems) p where f.of_id = %s
            group by 1, 2 order by 3 desc, 4 limit %s""",
            [job.pk, limit],
        )
        rows = cursor.fetchall()
    return [
        RowFault(located_message(restore_problem(json.loads(example)), labels=labels), count, first)
        for _code, _path, count, first, example in rows
    ]


def report_lines(job: Import) -> Iterator[bytes]:
    """The refused rows in the file's own format and columns, each with its number and its problems.

    Rows of a workbook are written as CSV. An import of the corrected report identifies each row as the refused one.
    """
    shape = FileShape.from_json(job.shape)
    if shape.format == "ndjson":
        return _objects(job)
    if job.failures.exclude(key="").exists():
        return _cells(job, shape, (*REPORT_COLUMNS, KEY_COLUMN), lambda row, why, key: [row, why, key])
    return _cells(job, shape, REPORT_COLUMNS, lambda row, why, _key: [row, why])


def report_with_reasons(
    job: Import, column: str, reason: Callable[[ImportFailure], str] = problem_sentences
) -> Iterator[bytes]:
    """The refused rows of a delimited file with the reason alone, in a column called `column`."""
    return _cells(job, FileShape.from_json(job.shape), (column,), lambda _row, why, _key: [why], reason)


def report_file_name(job: Import) -> str:
    shape = FileShape.from_json(job.shape)
    stem = job.name.removesuffix(".gz").rpartition(".")[0] or job.name
    return f"{stem}-refused.{'ndjson' if shape.format == 'ndjson' else 'csv'}"


def _failures(job: Import) -> Iterator[ImportFailure]:
    last = 0
    while page := list(job.failures.filter(row__gt=last).order_by("row")[:PAGE]):
        yield from page
        last = page[-1].row


def _raw(failure: ImportFailure) -> Any:
    """The row as it stood in the file; the stored text where it cannot be read any more."""
    value = exact_json.load_stored_json(failure.raw)
    return failure.raw if value is None else value


def _cells(
    job: Import,
    shape: FileShape,
    more: Sequence[str],
    tail: Callable[[int, str, str], list[Any]],
    describe: Callable[[ImportFailure], str] = problem_sentences,
) -> Iterator[bytes]:
    rows = _report_rows(job, shape, more, tail, describe)
    for line in csv_lines(rows, is_exact=True, delimiter=shape.delimiter or ",", lineterminator="\n"):
        yield _encoded(line)


def _report_rows(
    job: Import,
    shape: FileShape,
    more: Sequence[str],
    tail: Callable[[int, str, str], list[Any]],
    describe: Callable[[ImportFailure], str],
) -> Iterator[list[Any]]:
    # a report of a report has new ones
    places = [place for place, name in enumerate(shape.header) if name not in OWN_COLUMNS]
    yield [*(shape.header[place] for place in places), *more]
    for failure in _failures(job):
        raw = _raw(failure)
        cells = raw if isinstance(raw, list) else [raw]
        width = len(shape.header)
        padded = [*cells[:width], *[""] * (width - len(cells))]
        reason = describe(failure)
        if len(cells) > width:
            reason += " | " + _("more cells: %(cells)s") % {"cells": json.dumps(cells[width:], ensure_ascii=False)}
        yield [*(padded[place] for place in places), *tail(failure.row, reason, failure.key)]


def _objects(job: Import) -> Iterator[bytes]:
    for failure in _failures(job):
        raw = _raw(failure)
        row = raw if isinstance(raw, dict) else {"import_raw": raw}
        report: dict[str, Any] = dict(zip(REPORT_COLUMNS, (failure.row, problem_sentences(failure)), strict=True))
        if failure.key:
            report[KEY_COLUMN] = failure.key
        yield _encoded(json.dumps({**row, **report}) + "\n")


def _encoded(text: str) -> bytes:
    # a byte that could not be decoded is restored
    return text.encode("utf-8", "surrogateescape" if _is_escaped(text) else "replace")


def _is_escaped(text: str) -> bool:
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
