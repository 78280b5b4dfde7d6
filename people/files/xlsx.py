"""XLSX workbooks: the rows of their first sheet, read as a stream and within limits."""

import io
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

from people.core.messages import sentence as _

MAX_UNZIPPED = 2 * 1024**3  # of the whole workbook
MAX_SHARED_STRINGS = 256 * 1024**2  # held in memory while the rows are read
MAX_RATIO = 250  # of what no real sheet comes near
RATIO_COUNTS_FROM = 32 * 1024**2


class BadFile(Exception):
    """The file cannot be read as what it claims to be."""


def rows(file: IO[bytes]) -> Iterator[list[Any]]:
    """The cells of each row of the first sheet: text, numbers, booleans or None; moments as ISO 8601 text.

    Raises BadFile, also for a workbook that would unpack to absurd sizes.
    """
    from openpyxl import load_workbook  # takes a while to import, and few need it

    opened = file if file.seekable() else io.BytesIO(file.read(MAX_UNZIPPED))
    _guard(opened)
    try:
        workbook = load_workbook(opened, read_only=True, data_only=True, keep_links=False)
        try:
            sheet = workbook.worksheets[0]
            sheet.reset_dimensions()  # what a file says of its own size is often wrong
            for row in sheet.iter_rows(values_only=True):
                yield [_plain(cell) for cell in row]
        finally:
            workbook.close()
    except BadFile:
        raise
    except Exception as error:  # openpyxl raises whatever its parsers meet
        raise BadFile(_("the workbook cannot be read: %(why)s") % {"why": error}) from None


def _guard(file: IO[bytes]) -> None:
    try:
        with ZipFile(file) as archive:
            parts = archive.infolist()
    except (BadZipFile, OSError, ValueError) as error:
        raise BadFile(_("the workbook cannot be read: %(why)s") % {"why": error}) from None
    finally:
        file.seek(0)
    for part in parts:
        is_large = part.file_size > RATIO_COUNTS_FROM
        is_bomb = is_large and part.file_size > MAX_RATIO * max(part.compress_size, 1)
        if is_bomb or (part.filename.endswith("sharedStrings.xml") and part.file_size > MAX_SHARED_STRINGS):
            raise BadFile(_("the workbook unpacks to more than is safe to read; save it as CSV"))
    if sum(part.file_size for part in parts) > MAX_UNZIPPED:
        raise BadFile(_("the workbook unpacks to more than is safe to read; save it as CSV"))


def _plain(cell: Any) -> Any:
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(sep=" ")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, time | timedelta):
        return str(cell)
    return cell
