"""Guesses of the shape of a file: its format, encoding, delimiter and the row of its header."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import dropwhile, islice
from typing import IO, Any

from people.core.messages import sentence as _
from people.core.messages import sentence_lazy
from people.files.tabular import DELIMITERS, FALLBACK, SAMPLE_BYTES, SAMPLE_ROWS, FileShape, codec_name
from people.files.xlsx import BadFileError, sheet_rows

_ARCHIVE = sentence_lazy("this is an archive: unpack it, and upload one of its files")
_PICTURE = sentence_lazy("this is a picture: export the table as CSV or .xlsx")
# the beginnings of files that are no tables, with a message of their format and a remedy
_OTHERS = (
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        sentence_lazy(
            "this is an old Excel file (.xls) or a protected one: save it as .xlsx without a password, or as CSV"
        ),
    ),
    (b"%PDF-", sentence_lazy("this is a PDF: export the table as CSV or .xlsx")),
    (b"PAR1", sentence_lazy("this is a Parquet file: export the table as CSV, NDJSON or .xlsx")),
    *((magic, _ARCHIVE) for magic in (b"7z\xbc\xaf", b"Rar!", b"PK\x05\x06", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")),
    *((magic, _PICTURE) for magic in (b"\x89PNG", b"\xff\xd8\xff", b"GIF8")),
)
_JSON_LIST = re.compile(rb"\s*\[\s*(?:\{|\[|\]|$)")
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|head|meta|table|body|style|script|\?xml|workbook|div)\b", re.IGNORECASE)
LOOKED_AT = 50  # records among which the header is searched
LOOKED_AT_FOR_KNOWN = 1_000  # records among which a known header is searched: a table of hosts may stand above it
# the columns of files of other products by which their header is known, by the name of the import preset
KNOWN_HEADERS: dict[str, frozenset[str]] = {}
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def guess_shape(head: bytes, name: str = "", **given_parts: Any) -> FileShape:
    """The shape of a file that begins with `head` (already unzipped) and is called `name`; `given_parts` win.

    The header is not read: see `tabular.read_header`. Nor is its row guessed for a workbook, whose head is not enough:
    see `guess_sheet_header_row`. Raises BadFileError for an empty file.
    """
    if not head.strip(b"\xef\xbb\xbf\xff\xfe \r\n\t\0"):
        raise BadFileError(_("the file is empty: a first line with the names of the columns is needed"))
    for magic, message in _OTHERS:
        if head.startswith(magic):
            raise BadFileError(str(message))
    plain = head.removeprefix(b"\xef\xbb\xbf")
    if given_parts.get("format") != "ndjson" and _JSON_LIST.match(plain):
        raise BadFileError(_("this is one JSON document: upload CSV, .xlsx, or NDJSON with one object on each line"))
    if given_parts.get("format") != "ndjson" and (_MARKUP.match(plain) or plain.startswith(b"MIME-Version:")):
        raise BadFileError(
            _("this is a web page or XML, not a table: open it in a spreadsheet, and save it as .xlsx or CSV")
        )
    format_ = given_parts.get("format") or _format(head, name.removesuffix(".gz").lower())
    row = given_parts.get("header_row")
    if format_ != "csv":
        return FileShape(format_, "", "utf-8", header_row=row or 1)
    encoding = given_parts.get("encoding") or _encoding(head)
    text = head.decode(codec_name(encoding, head), "replace")
    delimiter = given_parts.get("delimiter") or _delimiter(text)
    is_open = encoding == FALLBACK and not given_parts.get("encoding")
    return FileShape(
        "csv", delimiter, encoding, header_row=row or _header_row(text, delimiter), is_encoding_open=is_open
    )


def _format(head: bytes, name: str) -> str:
    if head.startswith(b"PK\x03\x04"):
        return "xlsx"
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return "ndjson" if name.endswith((".ndjson", ".jsonl")) or first == b"{" else "csv"


def _encoding(head: bytes) -> str:
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):  # of ASCII every second byte is NUL
        if head[first:200:2].count(0) > 90 or (len(head) > 3 and head[first::2].count(0) * 2 > len(head) * 0.9):
            return encoding
    try:
        head.decode()
    except UnicodeDecodeError as error:
        is_cut = len(head) >= SAMPLE_BYTES and error.start >= len(head) - 4  # within a character
        # a few bytes of another encoding do not decide for the whole file: their rows are refused
        if not is_cut and len(_MULTIBYTE.findall(head)) <= len(_MULTIBYTE.sub(b"", head).translate(None, _ASCII)):
            return FALLBACK
    return "utf-8"


def first_non_utf8_byte(head: bytes) -> tuple[int, int]:
    """The row and the value of the first byte that is not UTF-8, in a file of unknown encoding."""
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return head.count(b"\n", 0, error.start) + 1, head[error.start]
    raise ValueError("this is UTF-8")


_ASCII = bytes(range(128))
# characters beyond ASCII in UTF-8, which are unlikely in text of another encoding
_MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xe0[\xa0-\xbf][\x80-\xbf]|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)


def _delimiter(text: str) -> str:
    """The candidate that splits the most lines into the same number of cells, and into the most cells."""
    lines = text.splitlines()[: SAMPLE_ROWS // 10]
    if len(lines) > 1:
        lines = lines[: max(1, len(lines) - 1)] if len(text) >= SAMPLE_BYTES else lines
    best, score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        try:
            widths = [len(cells) for cells in csv.reader(lines, delimiter=delimiter) if cells]
        except csv.Error:
            continue
        width = widths[0] if widths and widths[0] > 1 else _commonest(widths)
        if width > 1:
            rating = (sum(number == width for number in widths) / len(widths), width)
            if rating > score:
                best, score = delimiter, rating
    return best


def _commonest(widths: Sequence[int]) -> int:
    """The most frequent width: the first of lines above a table is unrelated to the table's width."""
    counts = Counter(width for width in widths if width > 1)
    return max(counts, key=lambda width: (counts[width], width), default=0)


def _header_row(text: str, delimiter: str) -> int:
    """The row that is probably the header: the first, unless a longer table begins below rows of other widths."""
    records: list[list[str]] = []
    with suppress(csv.Error):
        records.extend(islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), LOOKED_AT_FOR_KNOWN))
    if row := known_header_row(records):
        return row
    try:
        return guess_header_row(list(islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), LOOKED_AT)))
    except csv.Error:
        return 1


def known_header_row(records: Sequence[Sequence[str]]) -> int:
    """The number of the first record with all columns of a known header; 0 if there is none."""
    for number, cells in enumerate(records, 1):
        names = {cell.strip() for cell in cells}
        if any(header <= names for header in KNOWN_HEADERS.values()):
            return number
    return 0


def guess_header_row(records: Sequence[Sequence[str]]) -> int:
    """The number of the record that is probably the header; `records` are the first ones of the file."""
    widths = [_width(cells) for cells in records]
    first = next((place for place, width in enumerate(widths) if width), 0)
    if _rows_below(records, first) or not any(widths):
        best = first
    else:
        best = max(range(len(records)), key=lambda place: (_rows_below(records, place), widths[place], -place))
    if widths and widths[best] <= widths[first]:  # rows of one table: the header has a name that is unusual
        best = first
    return 1 if best == first or not _rows_below(records, best) else best + 1


def guess_sheet_header_row(file: IO[bytes]) -> int:
    """The number of the row that is probably the header of an XLSX workbook. Raises BadFileError."""
    rows: list[list[str]] = []
    try:
        for cells in islice(sheet_rows(file), LOOKED_AT_FOR_KNOWN):
            rows.append(["" if cell is None else str(cell) for cell in cells])
    except BadFileError:
        if len(rows) < LOOKED_AT:  # rows before an unreadable one are imported
            raise
    if row := known_header_row(rows):
        return row
    rows = rows[:LOOKED_AT]
    width = max(map(len, rows), default=0)  # rows end with their last filled cell
    return guess_header_row([[*cells, *[""] * (width - len(cells))] for cells in rows])


def _width(cells: Sequence[str]) -> int:
    return next((place for place in range(len(cells), 0, -1) if cells[place - 1].strip()), 0)


def _rows_below(records: Sequence[Sequence[str]], place: int) -> int:
    """The number of records as wide as the header at `place` that follow it; 0 when it does not look like a header."""
    header = records[place][: _width(records[place])]
    names = [cell.strip() for cell in header]
    if len(names) < 2 or not all(names) or any(cell[0] in "0123456789" or cell[-1:] == ":" for cell in names):
        return 0
    count = 0
    for cells in dropwhile(lambda cells: not _width(cells), records[place + 1 :]):
        if len(cells) != len(records[place]) or _width(cells) < 2:
            break
        count += 1
    return count
