"""Reading ahead of an import's file: a thread makes rows of it while the previous batch is written."""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import compress, islice
from queue import Full, Queue
from threading import Event, Thread
from typing import IO, Any, NamedTuple

from django.utils import translation

from people.core.errors import Problem
from people.files import tabular
from people.files.imports.plan import KEY_COLUMN, ExternalId, ImportPlan
from people.files.imports.targets import ImportTarget
from people.files.tabular import FileLine, FileShape
from people.files.unzip import open_unzipped

MAX_BATCH_BYTES = 8 * 1024 * 1024  # of the unzipped file; three batches may be in memory
FIRST_BATCH = 1_250  # rows
LOOK = 50  # rows after which the number of bytes read is checked
PATIENCE = 0.2  # seconds after which the thread checks for its end


class ImportBatch(NamedTuple):
    """Some rows of the file, and the rows that the target made of them.

    `lines` are the readable lines, `rows` the rows made of them; `faults` are unreadable lines with their problems.
    `contents`, for `ExternalId.HASH`: the digest of each row, and the number of equal digests before it in this
    batch. `keys`: the key of each row if no earlier batch has its digest. `reported`: the former key of each refused
    row, when the file is a report of refused rows.
    """

    lines: Sequence[FileLine]
    rows: Sequence[Any]
    faults: Sequence[tuple[FileLine, Problem]]
    contents: Sequence[tuple[str, int]] | None
    keys: Sequence[str] | None
    reported: Sequence[str | None] | None
    bytes_done: int

    @property
    def size(self) -> int:
        return len(self.lines) + len(self.faults)

    def row_numbers(self) -> list[int]:
        """The numbers of all rows of the batch, in the order of the file."""
        return sorted([line.number for line in self.lines] + [line.number for line, _problem in self.faults])

    def after(self, old: int) -> "ImportBatch":
        """The batch without its first `old` rows, in the order of the file."""
        if not old:
            return self
        last = self.row_numbers()[old - 1]
        skipped = sum(line.number <= last for line in self.lines)
        return ImportBatch(
            self.lines[skipped:],
            self.rows[skipped:],
            [(line, problem) for line, problem in self.faults if line.number > last],
            self.contents and self.contents[skipped:],
            self.keys and self.keys[skipped:],
            self.reported and self.reported[skipped:],
            self.bytes_done,
        )


class ImportReader:
    """Reads the batches of a file by a plan."""

    def __init__(self, target: ImportTarget, plan: ImportPlan, shape: FileShape) -> None:
        self.target, self.shape = target, shape
        if shape.format == "ndjson":  # no spreadsheet reads it, and no export guards it
            plan = replace(plan, keep_apostrophes=True)
        self.limit = target.batch_of(plan)
        # a fixed value is an additional column with the same value in every row
        fixed = {f"\0{name}": value for name, value in plan.constants.items()}
        self.fixed = list(fixed.values())
        extended_shape = replace(shape, header=(*shape.header, *fixed))
        self.read = target.reader(
            replace(plan, columns={**plan.columns, **{key[1:]: key for key in fixed}}), extended_shape
        )
        self.only = [(shape.header.index(column), {*values}) for column, values in plan.only_rows.items()]
        self.ends_at = plan.ends_at
        self.left_out = 0  # rows of the file so far
        self.last_row = shape.rows_to_header  # the number of the last row of the file so far that is not blank
        self.is_hashed = target.has_external_ids and plan.external_id == ExternalId.HASH
        is_keyed = target.has_external_ids and plan.external_id != ExternalId.COLUMN and KEY_COLUMN in shape.header
        self.key_at = shape.header.index(KEY_COLUMN) if is_keyed else None

    def batches(self, file: IO[bytes]) -> Generator[ImportBatch]:
        with open_unzipped(file) as plain:
            lines_of_table = self.kept(tabular.table_rows(plain, self.shape))
            for lines in _batches(lines_of_table, plain, self.limit):
                yield self.batch(lines, file.tell() if file.seekable() else 0)

    def kept(self, lines: Iterable[FileLine]) -> Iterator[FileLine]:
        """The lines without those that the plan leaves out, which are counted; unreadable ones are kept."""
        if not self.only and not self.ends_at:
            yield from lines
            return
        has_ended = False
        for line in lines:
            self.last_row = line.number
            has_ended = has_ended or (bool(self.ends_at) and _only_text(line) == self.ends_at)
            if has_ended or not self._is_chosen(line):
                self.left_out += 1
            else:
                yield line

    def _is_chosen(self, line: FileLine) -> bool:
        cells = line.cells
        return not cells or all(str(cells[place] or "").strip() in values for place, values in self.only)

    def batch(self, lines: Sequence[FileLine], bytes_done: int = 0) -> ImportBatch:
        faults = [(line, line.problem) for line in lines if line.problem]
        if faults:
            lines = [line for line in lines if not line.problem]
        fixed = self.fixed
        rows, digests = self.read([[*line.cells, *fixed] if fixed else line.cells for line in lines])
        if isinstance(rows, list) and any(isinstance(row, Problem) for row in rows):
            faults += [(line, row) for line, row in zip(lines, rows, strict=True) if isinstance(row, Problem)]
            is_row = [not isinstance(row, Problem) for row in rows]
            lines, rows = list(compress(lines, is_row)), list(compress(rows, is_row))
            digests = digests and list(compress(digests, is_row))
        reported = None
        if self.key_at is not None:
            reported = [str(line.cells[self.key_at] or "").strip() or None for line in lines]
        contents = _numbered(digests or ()) if self.is_hashed else None
        keys = None if contents is None else [content_key(digest, number) for digest, number in contents]
        return ImportBatch(lines, rows, faults, contents, keys, reported, bytes_done)


def _only_text(line: FileLine) -> str:
    """The text of the only filled cell of a row; empty for another row."""
    raw = line.raw if isinstance(line.raw, (list, tuple)) else ()
    texts = [text for cell in raw if (text := str(cell or "").strip())]
    return texts[0] if len(texts) == 1 else ""


def content_key(digest: str, before: int) -> str:
    """The key of a row with this content, after `before` equal rows in the file."""
    return f"row:{digest}:{before + 1}"


def _numbered(digests: Sequence[str]) -> list[tuple[str, int]]:
    if len(set(digests)) == len(digests):
        return [(digest, 0) for digest in digests]
    before: Counter[str] = Counter()
    numbered = []
    for digest in digests:
        numbered.append((digest, before[digest]))
        before[digest] += 1
    return numbered


def _batches(lines: Iterator[FileLine], file: IO[bytes], limit: int) -> Iterator[list[FileLine]]:
    """Rows in batches of at most `limit` rows and some MAX_BATCH_BYTES of the unzipped file.

    The first batches are smaller, each twice the one before: nothing is written before the first one is read.
    """
    batch: list[FileLine] = []
    start, size = file.tell(), min(limit, FIRST_BATCH)
    while some := list(islice(lines, min(LOOK, size - len(batch)))):
        batch += some
        if len(batch) >= size or file.tell() - start > MAX_BATCH_BYTES:
            yield batch
            batch, start, size = [], file.tell(), min(limit, 2 * size)
    if batch:
        yield batch


@contextmanager
def read_ahead(batches: Generator[ImportBatch]) -> Iterator[Iterator[ImportBatch]]:
    """The same batches, made by a separate thread; it has ended when the context ends.

    The process would otherwise idle while PostgreSQL writes a batch. Exceptions of `batches` are raised here, in order.
    """
    batch_queue: Queue[ImportBatch | BaseException | None] = Queue(maxsize=1)
    stop = Event()
    language = translation.get_language()

    def work() -> None:
        with translation.override(language), closing(batches):
            try:
                for batch in batches:
                    if not _put(batch_queue, batch, stop):
                        return
                _put(batch_queue, None, stop)
            except BaseException as error:
                _put(batch_queue, error, stop)

    thread = Thread(target=work, name="import-reader", daemon=True)
    thread.start()
    try:
        yield _queued_batches(batch_queue)
    finally:
        stop.set()
        thread.join()


def _put(queue: Queue[Any], item: Any, stop: Event) -> bool:
    while not stop.is_set():
        try:
            queue.put(item, timeout=PATIENCE)
            return True
        except Full:
            continue
    return False


def _queued_batches(queue: Queue[Any]) -> Iterator[ImportBatch]:
    while (item := queue.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item
