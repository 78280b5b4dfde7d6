"""Files of rows as people have them: CSV and its kin, NDJSON, XLSX, each plain or gzip; streamed.

One bad row is one bad row: what cannot be read of it comes back as a problem with its number, and reading
goes on with the next. Only a file that is not what it claims to be raises `BadFileError`.
"""

import csv
import gzip
import io
import re
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice
from typing import IO, Any, NamedTuple

from django.conf import settings

from people.core.errors import Problem, show
from people.core.messages import sentence as _
from people.core.messages import sentence_lazy, storable
from people.datatypes import exact_json
from people.files import xlsx
from people.files.xlsx import BadFileError

MAX_CELL = 131_072
MAX_LINE = 8 * 1024 * 1024  # a longer one is no line: the file is something else
MAX_COLUMNS = xlsx.MAX_COLUMN
MAX_COLUMN_NAME = 1_000  # characters
BLOCK = 1 << 16  # characters of a CSV file that are read at once
SAMPLE_BYTES = 1024 * 1024
MAX_HEADER_ROW = 10_000
SAMPLE_ROWS = 500  # of which the columns of NDJSON and the guesses are taken

DELIMITERS = {",": "csv", ";": "ssv", "\t": "tsv", "|": "psv"}
# by the names people know them by; the first that fits is guessed
ENCODINGS = (
    "utf-8",
    "windows-1252",
    "iso-8859-15",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "windows-1250",
    "windows-1251",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
    "windows-1258",
    "cp874",
    "cp850",
    "cp437",
    "mac_roman",
    "iso-8859-1",
    "iso-8859-2",
    "shift_jis",
    "euc_jp",
    "gb18030",
    "big5",
    "cp949",
)
FALLBACK = "windows-1252"  # what a file is taken for that is none of those that can be told
# the beginnings of files that are no tables, what they are and what to do
_OTHERS = (
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        sentence_lazy(
            "this is an old Excel file (.xls) or a protected one: save it as .xlsx without a password, or as CSV"
        ),
    ),
    (b"%PDF-", sentence_lazy("this is a PDF: export the table as CSV or .xlsx")),
    (b"PAR1", sentence_lazy("this is a Parquet file: export the table as CSV, NDJSON or .xlsx")),
    (b"7z\xbc\xaf", sentence_lazy("this is an archive: unpack it, and upload one of its files")),
    (b"Rar!", sentence_lazy("this is an archive: unpack it, and upload one of its files")),
)
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|head|meta|table|body|style|script|\?xml|workbook|div)\b", re.IGNORECASE)
# of what csv says of a record, ours; "" is everything else
_UNREADABLE = {
    "unexpected end of data": sentence_lazy("a quotation mark is opened and never closed"),
    "field larger": sentence_lazy("a cell is longer than 131,072 characters"),
    "expected after": sentence_lazy("text follows a closing quotation mark"),
    "": sentence_lazy("its quotation marks do not fit"),
}
LOOKED_AT = 50  # records among which the header is looked for
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class Line(NamedTuple):
    """One row of a file: its number as people count (the header is row 1), its cells in the header's order.

    Of an NDJSON file `raw` is the object; of others the cells as they stand, also when they do not fit the header.
    """

    number: int
    cells: Sequence[Any]
    raw: Any
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What kind of file it is. `format` is "csv" (whatever its delimiter), "ndjson" or "xlsx"."""

    format: str = "csv"
    delimiter: str = ","
    encoding: str = "utf-8"
    header: tuple[str, ...] = ()
    header_row: int = 1  # the header is the first row from this one on that is not blank
    is_encoding_open: bool = False  # it is not UTF-8, and nothing says which of the encodings that take any byte it is

    def as_json(self) -> dict[str, Any]:
        # a version beside this one does not know of these two
        unless = {"header_row": 1, "is_encoding_open": False}
        return {name: value for name, value in asdict(self).items() if name not in unless or value != unless[name]}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Shape":
        known = {name: value for name, value in stored.items() if name in cls.__dataclass_fields__}
        return cls(**{**known, "header": tuple(stored.get("header", ()))})


@contextmanager
def unzipped(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """`file` from its beginning, unzipped if it is gzip, so many bytes as settings allow.

    Raises BadFileError for gzip that is broken, and for a file that is larger than that once it is unzipped.
    """
    opened = io.BufferedReader(_Borrowed(file), 1 << 16)
    if opened.peek(2)[:2] != b"\x1f\x8b":
        yield opened
        return
    try:
        with gzip.open(opened) as plain:
            yield io.BufferedReader(_Bounded(plain), 1 << 16)  # type: ignore[arg-type]
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadFileError(_("the gzip file is broken or cut off")) from error


class _Borrowed(io.RawIOBase):
    """A file that stays open when its readers are done with it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self.file.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def readinto(self, buffer: Any) -> int:
        data = self.file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Bounded(_Borrowed):
    """A file that is not read beyond IMPORT_MAX_UNZIPPED_BYTES: a gzip file of 1 MB may hold 1 GB."""

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        limit = settings.IMPORT_MAX_UNZIPPED_BYTES
        if count and self.file.tell() > limit:
            message = _("the file has more than %(limit)s MB once it is unzipped; split it, or raise %(setting)s")
            raise BadFileError(message % {"limit": limit // 1024**2, "setting": "IMPORT_MAX_UNZIPPED_BYTES"})
        return count


def guess(head: bytes, name: str = "", **known: Any) -> Shape:
    """The shape of a file that begins with `head` (already unzipped) and is called `name`; `known` parts win.

    The header is not read: see `with_header`. Raises BadFileError for an empty file.
    """
    if not head.strip(b"\xef\xbb\xbf\xff\xfe \r\n\t\0"):
        raise BadFileError(_("the file is empty: a first line with the names of the columns is needed"))
    for magic, message in _OTHERS:
        if head.startswith(magic):
            raise BadFileError(str(message))
    if known.get("format") != "ndjson" and _MARKUP.match(head.removeprefix(b"\xef\xbb\xbf")):
        raise BadFileError(
            _("this is a web page or XML, not a table: open it in a spreadsheet, and save it as .xlsx or CSV")
        )
    format_ = known.get("format") or _format(head, name.removesuffix(".gz").lower())
    row = known.get("header_row")
    if format_ != "csv":
        return Shape(format_, "", "utf-8", header_row=row or 1)
    encoding = known.get("encoding") or _encoding(head)
    text = head.decode(_codec(encoding, head), "replace")
    delimiter = known.get("delimiter") or _delimiter(text)
    is_open = encoding == FALLBACK and not known.get("encoding")
    return Shape("csv", delimiter, encoding, header_row=row or _header_row(text, delimiter), is_encoding_open=is_open)


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
        # some bytes of another encoding do not make the whole file one: their rows are refused
        if not is_cut and len(_MULTIBYTE.findall(head)) <= len(_MULTIBYTE.sub(b"", head).translate(None, _ASCII)):
            return FALLBACK
    return "utf-8"


_ASCII = bytes(range(128))
# characters beyond ASCII as UTF-8 writes them, which no text in another encoding is likely to hold
_MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xe0[\xa0-\xbf][\x80-\xbf]|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)


def _codec(encoding: str, head: bytes) -> str:
    """Python's name of the encoding of a file that begins with `head`, whose byte order mark is no part of the text."""
    if encoding.startswith("utf-16-") and head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    return "utf-8-sig" if encoding == "utf-8" else encoding


def _delimiter(text: str) -> str:
    """The candidate that cuts the first lines into the same number of cells, and into the most."""
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
            found = (sum(number == width for number in widths) / len(widths), width)
            if found > score:
                best, score = delimiter, found
    return best


def _commonest(widths: Sequence[int]) -> int:
    """Of lines above a table says the first nothing of the table's width."""
    counts = Counter(width for width in widths if width > 1)
    return max(counts, key=lambda width: (counts[width], width), default=0)


def _header_row(text: str, delimiter: str) -> int:
    """The row that is probably the header: the first, unless a longer table begins below rows of other widths."""
    try:
        records = list(islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), LOOKED_AT))
    except csv.Error:
        return 1
    widths = [_width(cells) for cells in records]
    first = next((place for place, width in enumerate(widths) if width), 0)
    if _rows_below(records, first) or not any(widths):
        best = first
    else:
        best = max(range(len(records)), key=lambda place: (_rows_below(records, place), widths[place], -place))
    return 1 if best == first or not _rows_below(records, best) else best + 1


def _width(cells: Sequence[str]) -> int:
    return next((place for place in range(len(cells), 0, -1) if cells[place - 1].strip()), 0)


def _rows_below(records: Sequence[Sequence[str]], place: int) -> int:
    """How many records follow a header at `place` that are as wide; 0 when it does not look like one."""
    header = records[place][: _width(records[place])]
    named = [cell.strip() for cell in header]
    if len(named) < 2 or not all(named) or any(cell[0] in "0123456789" or cell[-1:] == ":" for cell in named):
        return 0
    count = 0
    for cells in records[place + 1 :]:
        if len(cells) != len(records[place]) or _width(cells) < 2:
            break
        count += 1
    return count


def with_header(file: IO[bytes], shape: Shape) -> Shape:
    """`shape` with the names of the columns, read from `file` (unzipped, at its beginning). Raises BadFileError."""
    if shape.format == "ndjson":
        names: dict[str, None] = {}
        for number, line in enumerate(READERS["ndjson"](file, shape)):
            if isinstance(line.raw, dict):
                # names that cannot be a column's are those of a bad row, which is refused when it is read
                names.update(dict.fromkeys(name for name in line.raw if _is_name(name)))
                if len(names) > MAX_COLUMNS:
                    raise BadFileError(_("the file has more than %(limit)s columns") % {"limit": MAX_COLUMNS})
            if number >= SAMPLE_ROWS:
                break
        if not names:
            raise BadFileError(_("there is no JSON object in the first lines of the file"))
        return replace(shape, header=tuple(names))
    header = next((cells for number, cells in _raw_rows(file, shape) if number >= shape.header_row), None)
    return replace(shape, header=_checked_header(header))


def rows(file: IO[bytes], shape: Shape) -> Iterator[Line]:
    """Every row of `file` (unzipped, at its beginning) after the header, in the order of `shape.header`."""
    return READERS[shape.format](file, shape)


def _checked_header(header: Sequence[Any] | None) -> tuple[str, ...]:
    cells = ["" if cell is None else str(cell).strip() for cell in header or ()]
    _check_names(cells)
    while cells and not cells[-1]:
        cells.pop()
    if not cells:
        raise BadFileError(_("the file is empty: a first line with the names of the columns is needed"))
    if len(cells) > MAX_COLUMNS:
        raise BadFileError(_("the file has more than %(limit)s columns") % {"limit": MAX_COLUMNS})
    return _names(cells)


def _is_name(text: str) -> bool:
    return len(text) <= MAX_COLUMN_NAME and storable(text) == text


def _check_names(cells: Sequence[str]) -> None:
    """Raise BadFileError for a column's name that cannot be kept."""
    for place, name in enumerate(cells, 1):
        if len(name) > MAX_COLUMN_NAME:
            values = {"place": place, "limit": MAX_COLUMN_NAME}
            raise BadFileError(_("the name of column %(place)s has more than %(limit)s characters") % values)
        if not _is_name(name):
            values = {"place": place, "name": show(name)}
            raise BadFileError(_("the name of column %(place)s, '%(name)s', has characters that are no text") % values)


def _names(cells: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns, each another: those that come again are numbered, those without one named by place."""
    taken = set(cells)
    names: list[str] = []
    known: set[str] = set()
    for place, cell in enumerate(cells, 1):
        name, number = cell or f"column {place}", 1
        while name in known or (number > 1 and name in taken) or (not cell and name in taken):
            number += 1
            name = f"{cell or f'column {place}'} ({number})"
        known.add(name)
        names.append(name)
    return tuple(names)


def _raw_rows(file: IO[bytes], shape: Shape) -> Iterator[tuple[int, Sequence[Any]]]:
    """The rows that are not blank, with their numbers. Raises BadFileError when the header cannot be read."""
    rows = xlsx.rows(file) if shape.format == "xlsx" else iter(_Records(file, shape))
    for number, cells in enumerate(rows, 1):
        if isinstance(cells, Problem):
            if number >= shape.header_row:
                raise BadFileError(str(cells.message))
        elif shape.format == "xlsx" or cells:
            yield number, cells


def _csv(file: IO[bytes], shape: Shape) -> Iterator[Line]:
    header, width = list(shape.header), len(shape.header)
    has_header, number, first = False, 1, shape.header_row
    for records in _Records(file, shape).blocks():
        if has_header and _are_whole(records, width) and header not in records:
            yield from map(Line, range(number, number + len(records)), records, records)
            number += len(records)
            continue
        for cells in records:
            if not cells or number < first:
                pass
            elif not has_header:
                has_header = True
                header = [] if isinstance(cells, Problem) else [cell.strip() for cell in cells[:width]]
            elif isinstance(cells, Problem):
                yield Line(number, (), [], cells)
            elif len(cells) == width and cells != header:
                yield Line(number, cells, cells)
            else:
                yield _fitted(number, cells, header)
            number += 1


def _are_whole(records: list[Any], width: int) -> bool:
    return set(map(type, records)) == {list} and set(map(len, records)) == {width}


def _fitted(number: int, cells: list[Any], header: list[str]) -> Line:
    """A row that is not as wide as the header: blank cells at its end are forgiven."""
    if [str(cell).strip() for cell in cells[: len(header)]] == header:
        return Line(number, (), cells, Problem("repeated_header", _("is the header again")))
    if len(cells) > len(header) and not any(str(cell or "").strip() for cell in cells[len(header) :]):
        return Line(number, cells[: len(header)], cells)
    message = _("has %(cells)s cells, the header %(header)s") % {"cells": len(cells), "header": len(header)}
    return Line(number, (), cells, Problem("ragged_row", message, (), str(len(header)), str(len(cells))))


class _Records:
    """The records of a CSV file, or the problem of each that is none.

    A block of lines each of which is a record is read at once, others line by line. A quote that is never closed
    would swallow everything after it. So when a record cannot be read, its first line alone is bad, and the lines
    that it swallowed are read again on their own.
    """

    def __init__(self, file: IO[bytes], shape: Shape) -> None:
        csv.field_size_limit(MAX_CELL)
        self.encoding = shape.encoding
        # a byte that is not of the encoding becomes a lone surrogate, which the checks of its row refuse
        errors = "strict" if shape.encoding.startswith("utf-16") else "surrogateescape"
        codec = _codec(shape.encoding, file.peek(2)[:2] if isinstance(file, io.BufferedReader) else b"")
        self.text = io.TextIOWrapper(file, codec, errors, newline="")
        self.again: deque[str] = deque()
        self.taken: list[str] = []
        self.reader = csv.reader(self._lines(), delimiter=shape.delimiter, strict=True)

    def _lines(self) -> Iterator[str]:
        readline, taken, again = self.text.readline, self.taken, self.again
        while True:
            line = again.popleft() if again else readline(MAX_LINE)
            if not line:
                if not again:
                    return
                continue
            if len(line) >= MAX_LINE:
                raise BadFileError(_("a line is longer than %(limit)s characters") % {"limit": MAX_LINE})
            taken.append(line)
            yield line

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self.blocks())

    def blocks(self) -> Iterator[list[Any]]:
        """The records, some at a time."""
        try:
            while lines := self._block():
                if records := self._at_once(lines):
                    yield records
                    continue
                self.again.extend(lines)
                while self.again:
                    self.taken.clear()
                    try:
                        yield [next(self.reader)]
                    except csv.Error as error:
                        yield [self._recover(error)]
        except StopIteration:
            return
        except UnicodeError as error:
            message = _("the file is not in the encoding %(encoding)s: choose another one")
            raise BadFileError(message % {"encoding": self.encoding}) from error
        finally:
            self.text.detach()  # the file is the caller's

    def _block(self) -> list[str]:
        block = self.text.read(BLOCK)
        if block and block[-1] != "\n":
            block += self.text.readline(MAX_LINE)
        return list(io.StringIO(block, newline=""))

    def _at_once(self, lines: list[str]) -> list[Any] | None:
        """The records, if every line is one."""
        if len(max(lines, key=len)) >= MAX_LINE:
            return None
        try:
            records = list(csv.reader(lines, self.reader.dialect))
        except csv.Error:
            return None
        return records if len(records) == len(lines) else None

    def _recover(self, error: csv.Error) -> Problem:
        swallowed = self.taken[1:]
        self.again.extendleft(reversed(swallowed))
        if swallowed:
            # the reader met the end, or is within a quote: start it afresh
            self.reader = csv.reader(self._lines(), self.reader.dialect)
        why = next(sentence for part, sentence in _UNREADABLE.items() if part in str(error))
        return Problem("unreadable_row", _("cannot be read: %(why)s") % {"why": why}, (), "", show(self.taken[0]))


def _ndjson(file: IO[bytes], shape: Shape) -> Iterator[Line]:
    header = shape.header
    number = 0
    while line := file.readline(MAX_LINE):
        number += 1
        if len(line) >= MAX_LINE:
            raise BadFileError(_("a line is longer than %(limit)s characters") % {"limit": MAX_LINE})
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line.strip():
            continue
        try:
            row = exact_json.loads(line)
        except exact_json.InvalidJSONError:
            yield _bad_json(number, line, _("is not JSON"))
            continue
        if exact_json.is_deep(row):
            yield _bad_json(number, line, _("is nested too deeply"))
        elif isinstance(row, dict):
            yield Line(number, [row.get(name) for name in header], row)
        else:
            yield _bad_json(number, line, _("is not a JSON object"))


def _bad_json(number: int, line: bytes, message: str) -> Line:
    text = line[:MAX_CELL].decode("utf-8", "replace").rstrip("\r\n")
    return Line(number, (), text, Problem("unreadable_row", message, (), "", show(text)))


def _xlsx(file: IO[bytes], shape: Shape) -> Iterator[Line]:
    header = list(shape.header)
    has_header = False
    for number, cells in enumerate(xlsx.rows(file), 1):
        if all(cell is None or cell == "" for cell in cells):
            continue
        if number < shape.header_row:
            continue
        if not has_header:
            has_header = True
            header = [
                "" if cell is None else str(cell).strip() for cell in [*cells, *[None] * len(header)][: len(header)]
            ]
            continue
        # rows end with their last filled cell
        whole = [*cells, *([None] * (len(header) - len(cells)))]
        if len(whole) == len(header) and whole != header:
            yield Line(number, whole, whole)
        else:
            yield _fitted(number, ["" if cell is None else cell for cell in whole], header)


READERS: dict[str, Callable[[IO[bytes], Shape], Iterator[Line]]] = {"csv": _csv, "ndjson": _ndjson, "xlsx": _xlsx}
