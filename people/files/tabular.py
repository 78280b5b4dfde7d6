"""Files of rows: CSV and its variants, NDJSON, XLSX, each plain or gzip; streamed.

A bad row spoils no other: it is returned as a problem with its number, and reading continues with the next row.
Only a file that is not what it claims to be raises `BadFileError`.
"""

import csv
import io
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice
from typing import IO, Any, NamedTuple

from people.core.codes import Code
from people.core.errors import Problem, quoted_value
from people.core.messages import sentence as _
from people.core.messages import sentence_lazy, storable_text
from people.datatypes import exact_json
from people.files import xlsx
from people.files.xlsx import BadFileError

MAX_CELL = 131_072
MAX_LINE = 8 * 1024 * 1024  # a longer line means that the file has another format
MAX_COLUMNS = xlsx.MAX_COLUMN
MAX_COLUMN_NAME = 1_000  # characters
BLOCK = 1 << 16  # characters of a CSV file that are read at once
SAMPLE_BYTES = 1024 * 1024
MAX_HEADER_ROW = 10_000
SAMPLE_ROWS = 500  # rows from which the columns of NDJSON and the guesses are derived

DELIMITERS = {",": "csv", ";": "ssv", "\t": "tsv", "|": "psv"}
# by their common names; the first that fits is guessed
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
FALLBACK = "windows-1252"  # the guess for a file in none of the detectable encodings
# our messages by parts of the messages of csv; "" is everything else
_UNREADABLE = {
    "unexpected end of data": sentence_lazy("a quotation mark is opened and never closed"),
    "field larger": sentence_lazy("a cell is longer than 131,072 characters"),
    "expected after": sentence_lazy("text follows a closing quotation mark"),
    "": sentence_lazy("its quotation marks do not match"),
}


class FileLine(NamedTuple):
    """One row of a file: its number (the header is row 1), its cells in the header's order.

    `raw` is the object in an NDJSON file, else the cells as they stand, also when they do not fit the header.
    """

    number: int
    cells: Sequence[Any]
    raw: Any
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class FileShape:
    """The shape of a file. `format` is "csv" (with any delimiter), "ndjson" or "xlsx"."""

    format: str = "csv"
    delimiter: str = ","
    encoding: str = "utf-8"
    header: tuple[str, ...] = ()
    header_row: int = 1  # the header is the first row from this one on that is not blank
    is_encoding_open: bool = False  # it is not UTF-8, and its encoding cannot be detected: several accept every byte
    rows_above: int = 0  # rows above the header that are not blank; they are left out
    rows_left_out: int = 0  # by `ImportPlan.only_rows` and `ends_at`; counted like `blank_rows`
    blank_rows: int = 0  # between the header and the last row, which a check or an import of the whole file counts

    @property
    def rows_to_header(self) -> int:
        """The number of rows up to the header and with it; 0 for NDJSON, which has none."""
        return 0 if self.format == "ndjson" else self.header_row

    def as_json(self) -> dict[str, Any]:
        # a neighbouring version does not support these
        unless = {"header_row": 1, "is_encoding_open": False, "rows_above": 0, "blank_rows": 0, "rows_left_out": 0}
        return {name: value for name, value in asdict(self).items() if name not in unless or value != unless[name]}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "FileShape":
        values = {name: value for name, value in stored.items() if name in cls.__dataclass_fields__}
        return cls(**{**values, "header": tuple(stored.get("header", ()))})


def codec_name(encoding: str, head: bytes) -> str:
    """Python's name of the encoding of a file that begins with `head`, whose byte order mark is no part of the text."""
    if encoding.startswith("utf-16-") and head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    return "utf-8-sig" if encoding == "utf-8" else encoding


def read_header(file: IO[bytes], shape: FileShape) -> FileShape:
    """`shape` with the names of the columns, read from `file` (unzipped, at its beginning). Raises BadFileError."""
    if shape.format == "ndjson":
        names: dict[str, None] = {}
        for number, line in enumerate(READERS["ndjson"](file, shape)):
            if isinstance(line.raw, dict):
                # a name that no column can have belongs to a bad row, which is refused when it is read
                names.update(dict.fromkeys(name for name in line.raw if _is_name(name)))
                if len(names) > MAX_COLUMNS:
                    raise BadFileError(_("the file has more than %(limit)s columns") % {"limit": MAX_COLUMNS})
            if number >= SAMPLE_ROWS:
                break
        if not names:
            raise BadFileError(_("there is no JSON object in the first lines of the file"))
        return replace(shape, header=tuple(names))
    header, above = None, 0
    for number, cells in _raw_rows(file, shape):
        if number >= shape.header_row:
            shape, header = replace(shape, header_row=number), cells
            break
        above += not _is_blank(cells)
    return replace(shape, header=_checked_header(header), rows_above=above)


def rows_above_header(file: IO[bytes], shape: FileShape, limit: int) -> list[Sequence[Any]]:
    """The first `limit` rows above the header that are not blank."""
    if not shape.rows_above:
        return []
    above = (cells for _number, cells in _raw_rows(file, shape) if not _is_blank(cells))
    return list(islice(above, min(limit, shape.rows_above)))


def row_text(cells: Sequence[Any]) -> str:
    """The filled cells of a row, joined to one text."""
    return " · ".join(str(cell).strip() for cell in cells if not _is_blank((cell,)))


def _is_blank(cells: Sequence[Any]) -> bool:
    return all(cell is None or not str(cell).strip() for cell in cells)


def table_rows(file: IO[bytes], shape: FileShape) -> Iterator[FileLine]:
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
    return len(text) <= MAX_COLUMN_NAME and storable_text(text) == text


def _check_names(cells: Sequence[str]) -> None:
    """Raise BadFileError for a column's name that cannot be stored."""
    for place, name in enumerate(cells, 1):
        if len(name) > MAX_COLUMN_NAME:
            values = {"place": place, "limit": MAX_COLUMN_NAME}
            raise BadFileError(_("the name of column %(place)s has more than %(limit)s characters") % values)
        if not _is_name(name):
            message = _("the name of column %(place)s, “%(name)s”, has characters that are not text")
            raise BadFileError(message % {"place": place, "name": quoted_value(name)})


def _names(cells: Sequence[str]) -> tuple[str, ...]:
    """Unique names of the columns: repeated names are numbered, empty names replaced by the place."""
    all_names = set(cells)
    names: list[str] = []
    used_names: set[str] = set()
    for place, cell in enumerate(cells, 1):
        name, number = cell or f"column {place}", 1
        while name in used_names or (number > 1 and name in all_names) or (not cell and name in all_names):
            number += 1
            name = f"{cell or f'column {place}'} ({number})"
        used_names.add(name)
        names.append(name)
    return tuple(names)


def _raw_rows(file: IO[bytes], shape: FileShape) -> Iterator[tuple[int, Sequence[Any]]]:
    """The rows that are not blank, with their numbers; an unreadable row above the header has its text as its cell.

    Raises BadFileError when the header cannot be read.
    """
    rows = xlsx.sheet_rows(file) if shape.format == "xlsx" else iter(_Records(file, shape))
    for number, cells in enumerate(rows, 1):
        if isinstance(cells, Problem):
            if number >= shape.header_row:
                raise BadFileError(str(cells.message))
            yield number, [cells.got]
        elif shape.format == "xlsx" or cells:
            yield number, cells


def _csv(file: IO[bytes], shape: FileShape) -> Iterator[FileLine]:
    header, width = list(shape.header), len(shape.header)
    has_header, number, first = False, 1, shape.header_row
    for records in _Records(file, shape).blocks():
        if has_header and _are_complete(records, width) and header not in records:
            yield from map(FileLine, range(number, number + len(records)), records, records)
            number += len(records)
            continue
        for cells in records:
            if not cells or number < first:
                pass
            elif not has_header:
                has_header = True
                header = [] if isinstance(cells, Problem) else [cell.strip() for cell in cells[:width]]
            elif isinstance(cells, Problem):
                yield FileLine(number, (), [], cells)
            elif len(cells) == width and cells != header:
                yield FileLine(number, cells, cells)
            else:
                yield _fitted(number, cells, header)
            number += 1


def _are_complete(records: list[Any], width: int) -> bool:
    return set(map(type, records)) == {list} and set(map(len, records)) == {width}


def _fitted(number: int, cells: list[Any], header: list[str]) -> FileLine:
    """A row that is not as wide as the header; blank cells at its end are accepted."""
    if [str(cell).strip() for cell in cells[: len(header)]] == header:
        return FileLine(number, (), cells, Problem(Code.REPEATED_HEADER, _("repeats the header")))
    if len(cells) > len(header) and not any(str(cell or "").strip() for cell in cells[len(header) :]):
        return FileLine(number, cells[: len(header)], cells)
    message = _("has %(cells)s cells, but the header has %(header)s") % {"cells": len(cells), "header": len(header)}
    return FileLine(number, (), cells, Problem(Code.RAGGED_ROW, message, (), str(len(header)), str(len(cells))))


class _Records:
    """The records of a CSV file, or a problem for each unreadable one.

    A block of lines is read at once where each line is a record, else line by line. A quote that is never closed
    would swallow everything after it. So when a record cannot be read, only its first line is bad, and the lines
    that it swallowed are read again by themselves.
    """

    def __init__(self, file: IO[bytes], shape: FileShape) -> None:
        csv.field_size_limit(MAX_CELL)
        self.encoding = shape.encoding
        # a byte outside the encoding becomes a lone surrogate, which the checks of its row refuse
        errors = "strict" if shape.encoding.startswith("utf-16") else "surrogateescape"
        head = file.peek(2)[:2] if isinstance(file, io.BufferedReader) else b""
        self.text = io.TextIOWrapper(file, codec_name(shape.encoding, head), errors, newline="")
        self.pending: deque[str] = deque()
        self.consumed: list[str] = []
        self.reader = csv.reader(self._lines(), delimiter=shape.delimiter, strict=True)

    def _lines(self) -> Iterator[str]:
        readline, consumed, pending = self.text.readline, self.consumed, self.pending
        while True:
            line = pending.popleft() if pending else readline(MAX_LINE)
            if not line:
                if not pending:
                    return
                continue
            if len(line) >= MAX_LINE:
                raise BadFileError(_("a line is longer than %(limit)s characters") % {"limit": MAX_LINE})
            consumed.append(line)
            yield line

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self.blocks())

    def blocks(self) -> Iterator[list[Any]]:
        """The records, in blocks."""
        try:
            while lines := self._block():
                if records := self._at_once(lines):
                    yield records
                    continue
                self.pending.extend(lines)
                while self.pending:
                    self.consumed.clear()
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
            self.text.detach()  # the caller closes the file

    def _block(self) -> list[str]:
        block = self.text.read(BLOCK)
        if block and block[-1] != "\n":
            block += self.text.readline(MAX_LINE)
        return list(io.StringIO(block, newline=""))

    def _at_once(self, lines: list[str]) -> list[Any] | None:
        """The records, if every line is one; else None."""
        if len(max(lines, key=len)) >= MAX_LINE:
            return None
        try:
            records = list(csv.reader(lines, self.reader.dialect))
        except csv.Error:
            return None
        return records if len(records) == len(lines) else None

    def _recover(self, error: csv.Error) -> Problem:
        swallowed = self.consumed[1:]
        self.pending.extendleft(reversed(swallowed))
        if swallowed:
            # the reader is at the end, or within a quote: replace it
            self.reader = csv.reader(self._lines(), self.reader.dialect)
        why = next(sentence for part, sentence in _UNREADABLE.items() if part in str(error))
        return Problem(
            Code.UNREADABLE_ROW, _("cannot be read: %(why)s") % {"why": why}, (), "", quoted_value(self.consumed[0])
        )


def _ndjson(file: IO[bytes], shape: FileShape) -> Iterator[FileLine]:
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
            row = exact_json.load_exact_json(line)
        except exact_json.InvalidJSONError:
            yield _bad_json(number, line, _("is not JSON"))
            continue
        if exact_json.is_deep(row):
            yield _bad_json(number, line, _("is nested too deeply"))
        elif isinstance(row, dict):
            yield FileLine(number, [row.get(name) for name in header], row)
        else:
            yield _bad_json(number, line, _("is not a JSON object"))


def _bad_json(number: int, line: bytes, message: str) -> FileLine:
    text = line[:MAX_CELL].decode("utf-8", "replace").rstrip("\r\n")
    return FileLine(number, (), text, Problem(Code.UNREADABLE_ROW, message, (), "", quoted_value(text)))


def _xlsx(file: IO[bytes], shape: FileShape) -> Iterator[FileLine]:
    header = list(shape.header)
    has_header = False
    for number, cells in enumerate(xlsx.sheet_rows(file), 1):
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
        padded = [*cells, *([None] * (len(header) - len(cells)))]
        if len(padded) == len(header) and padded != header:
            yield FileLine(number, padded, padded)
        else:
            yield _fitted(number, ["" if cell is None else cell for cell in padded], header)


READERS: dict[str, Callable[[IO[bytes], FileShape], Iterator[FileLine]]] = {
    "csv": _csv,
    "ndjson": _ndjson,
    "xlsx": _xlsx,
}
