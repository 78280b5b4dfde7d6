"""XLSX workbooks: the rows of their first sheet, read as a stream and within limits."""

import io
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

from people.core.errors import quoted_value
from people.core.messages import sentence as _
from people.core.messages import sentence_lazy

MAX_UNZIPPED = 2 * 1024**3  # of the whole workbook
MAX_SHARED_STRINGS = 64 * 1024**2  # of XML; the strings are in memory while the rows are read
MAX_PART = 16 * 1024**2  # of every other part except the sheets: styles, names, themes
MAX_RATIO = 250  # a ratio that no real sheet reaches
RATIO_COUNTS_FROM = 4 * 1024**2
MAX_ROW = 1_048_576  # as Excel has it
MAX_COLUMN = 2_000
MAX_ROW_BYTES = 16 * 1024**2  # of XML that is read before a row ends
_SHEETS = "xl/worksheets/"
_BROKEN = sentence_lazy("the workbook can't be read: it is broken or protected. Save it again as .xlsx, or as CSV")


class BadFileError(Exception):
    """The file cannot be read as what it claims to be."""


def sheet_rows(file: IO[bytes]) -> Iterator[list[Any]]:
    """The cells of each row of the first sheet: text, numbers, booleans or None; moments as ISO 8601 text.

    Rows missing in the sheet have no cells. Raises BadFileError, also for a workbook that would unpack to absurd
    sizes, for rows and columns beyond MAX_ROW and MAX_COLUMN and for rows out of their order.
    """
    opened = file if file.seekable() else io.BytesIO(file.read(MAX_UNZIPPED))
    _guard(opened)
    try:
        yield from _rows(opened)
    except BadFileError:
        raise
    except Exception as error:  # openpyxl passes on any exception of its parsers
        raise BadFileError(_BROKEN) from error


def _rows(file: IO[bytes]) -> Iterator[list[Any]]:
    from openpyxl import load_workbook  # slow to import and rarely needed
    from openpyxl.worksheet._reader import WorkSheetParser

    workbook = load_workbook(file, read_only=True, data_only=True, keep_links=False)
    try:
        sheet = workbook.worksheets[0]
        with sheet._get_source() as source:
            metered = _Metered(source)
            parser = WorkSheetParser(
                metered,
                sheet._shared_strings,
                data_only=True,
                epoch=workbook.epoch,
                date_formats=workbook._date_formats,
                timedelta_formats=workbook._timedelta_formats,
            )
            last = 0
            for number, cells in parser.parse():
                metered.remaining = MAX_ROW_BYTES
                # a high row number or column costs nothing to write, but all rows or cells before it to read
                if number > MAX_ROW:
                    raise BadFileError(_("row %(number)s: a sheet has at most 1,048,576 rows") % {"number": number})
                if number <= last:
                    raise BadFileError(_("row %(number)s comes after row %(last)s") % {"number": number, "last": last})
                for _missing in range(last + 1, number):
                    yield []
                last = number
                yield _filled(number, cells)
    finally:
        workbook.close()


def _filled(number: int, cells: list[dict[str, Any]]) -> list[Any]:
    width = max([cell["column"] for cell in cells if cell["value"] is not None], default=0)
    if width > MAX_COLUMN:
        values = {"number": number, "column": width, "limit": MAX_COLUMN}
        raise BadFileError(_("row %(number)s has a cell in column %(column)s; at most %(limit)s are read") % values)
    row = [None] * width
    for cell in cells:
        if cell["value"] is not None:
            row[cell["column"] - 1] = _plain(cell["value"])
    return row


class _Metered:
    """A sheet's XML; at most `remaining` more bytes of it are read; `remaining` is reset at the end of every row."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source = source
        self.remaining = MAX_ROW_BYTES

    def read(self, size: int = -1) -> bytes:
        data = self.source.read(min(size, 1 << 16) if size >= 0 else 1 << 16)
        self.remaining -= len(data)
        if self.remaining < 0:
            raise BadFileError(_("a row of the workbook is larger than is safe to read"))
        return data


def _guard(file: IO[bytes]) -> None:
    try:
        with ZipFile(file) as archive:
            parts = archive.infolist()
    except (BadZipFile, OSError, ValueError) as error:
        raise BadFileError(_BROKEN) from error
    finally:
        file.seek(0)
    for part in parts:
        is_large = part.file_size > RATIO_COUNTS_FROM
        is_bomb = is_large and part.file_size > MAX_RATIO * max(part.compress_size, 1)
        if is_bomb or part.file_size > _limit_of(part.filename):
            raise BadFileError(_("the workbook unpacks to more than is safe to read; save it as CSV"))
    if sum(part.file_size for part in parts) > MAX_UNZIPPED:
        raise BadFileError(_("the workbook unpacks to more than is safe to read; save it as CSV"))
    names = [part.filename for part in parts]
    if "[Content_Types].xml" not in names:
        raise BadFileError(_other_archive(names))
    if "xl/workbook.bin" in names:
        raise BadFileError(_("this is a binary Excel file (.xlsb): save it as .xlsx or CSV, and upload that"))
    if any(name.startswith(("word/", "ppt/")) for name in names):
        raise BadFileError(_("this is a document or a presentation: export the table as CSV or .xlsx"))


def _other_archive(names: list[str]) -> str:
    """The message for a ZIP file that is no workbook: its format and a remedy."""
    if "content.xml" in names and "mimetype" in names:
        return _("this is an OpenDocument file: save it as .xlsx or CSV, and upload that")
    files = [name for name in names if not name.endswith("/") and not name.startswith("__MACOSX/")]
    message = _(
        "this is a ZIP archive (files in it: %(count)s, like “%(name)s”): unpack it, and upload one of its files"
    )
    return message % {"count": len(files), "name": quoted_value(files[0]) if files else "—"}


def _limit_of(name: str) -> int:
    """Limit of one part of the workbook, in bytes; unread parts, such as pictures, have that of the whole."""
    name = name.lower()
    if name.startswith(_SHEETS) or not name.endswith((".xml", ".rels")):
        return MAX_UNZIPPED
    return MAX_SHARED_STRINGS if name.endswith("sharedstrings.xml") else MAX_PART


def _plain(cell: Any) -> Any:
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(sep=" ")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, time | timedelta):
        return str(cell)
    return cell
