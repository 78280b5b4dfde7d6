"""CSV as an iterator of lines, and replies that stream a file of unknown length."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

import defusedcsv.csv
from django.http import StreamingHttpResponse

BOM = "\ufeff"  # with it spreadsheets read UTF-8


class _Echo:
    """A file for `csv` that returns the written text."""

    def write(self, text: str) -> str:
        return text


def csv_lines(rows: Iterable[Iterable[Any]], *, is_exact: bool = False, **dialect: Any) -> Iterator[str]:
    """Each row as a line with its end, as soon as it comes. `dialect`: options of `csv.writer`.

    Spreadsheets read no cell as a formula, unless the file `is_exact`.
    """
    writer = (csv if is_exact else defusedcsv.csv).writer(_Echo(), **dialect)
    for row in rows:
        yield writer.writerow(row)


def file_reply(pieces: Iterable[str] | Iterable[bytes], name: str, content_type: str) -> StreamingHttpResponse:
    """A reply that streams a download called `name`; characters that a header cannot hold are replaced."""
    return StreamingHttpResponse(pieces, content_type=content_type, headers={"Content-Disposition": attachment(name)})


def csv_reply(lines: Iterable[str], name: str) -> StreamingHttpResponse:
    """A reply that streams lines of CSV as a download called `name`."""
    return file_reply(lines, name, "text/csv; charset=utf-8")


def attachment(name: str) -> str:
    """The Content-Disposition of a download."""
    plain = name.encode("ascii", "replace").decode().replace('"', "'").replace("?", "_")
    return f'attachment; filename="{plain}"'
