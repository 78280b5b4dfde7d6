"""The file of an import, read ahead: a thread makes rows of it while the batch before is being written."""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import compress, islice
from queue import Full, Queue
from threading import Event, Thread
from typing import IO, Any, NamedTuple

from django.utils import translation

from people.core.errors import Problem
from people.files import tabular
from people.files.imports.plan import KEY_COLUMN, ExternalId, Plan
from people.files.imports.targets import Target
from people.files.tabular import Line, Shape
from people.files.unzip import unzipped

MAX_BATCH_BYTES = 8 * 1024 * 1024  # of the unzipped file; three batches may be in memory
LOOK = 50  # rows after which it is looked how much was read
PATIENCE = 0.2  # seconds after which a thread looks whether it is still wanted


class Batch(NamedTuple):
    """Some rows of the file and what the target made of them.

    `lines` are those that can be read, and `rows` what they are; `faults` those that cannot, with their problems.
    `contents` says of each row, for `ExternalId.HASH`, its digest and how many with it came before in this batch,
    and `keys` the key that it has when none came in a batch before;
    `reported` the key of each row that was refused before, when the file is a report of refused rows.
    """

    lines: Sequence[Line]
    rows: Sequence[Any]
    faults: Sequence[tuple[Line, Problem]]
    contents: Sequence[tuple[str, int]] | None
    keys: Sequence[str] | None
    reported: Sequence[str | None] | None
    bytes_done: int

    @property
    def size(self) -> int:
        return len(self.lines) + len(self.faults)

    def after(self, old: int) -> "Batch":
        """The batch without its first `old` rows, as they are in the file."""
        if not old:
            return self
        numbers = sorted([line.number for line in self.lines] + [line.number for line, _problem in self.faults])
        last = numbers[old - 1]
        skipped = sum(line.number <= last for line in self.lines)
        return Batch(
            self.lines[skipped:],
            self.rows[skipped:],
            [(line, problem) for line, problem in self.faults if line.number > last],
            self.contents and self.contents[skipped:],
            self.keys and self.keys[skipped:],
            self.reported and self.reported[skipped:],
            self.bytes_done,
        )


class Reading:
    """What a plan makes of a file."""

    def __init__(self, target: Target, plan: Plan, shape: Shape) -> None:
        self.target, self.shape = target, shape
        if shape.format == "ndjson":  # which no spreadsheet reads, and no export guards
            plan = replace(plan, keep_apostrophes=True)
        self.limit = target.batch_of(plan)
        # a fixed value is a column that every row has besides those of the file
        fixed = {f"\0{name}": value for name, value in plan.constants.items()}
        self.fixed = list(fixed.values())
        whole = replace(shape, header=(*shape.header, *fixed))
        self.read = target.reader(replace(plan, columns={**plan.columns, **{key[1:]: key for key in fixed}}), whole)
        self.is_hashed = target.has_external_ids and plan.external_id == ExternalId.HASH
        is_keyed = target.has_external_ids and plan.external_id != ExternalId.COLUMN and KEY_COLUMN in shape.header
        self.key_at = shape.header.index(KEY_COLUMN) if is_keyed else None

    def batches(self, file: IO[bytes]) -> Generator[Batch]:
        with unzipped(file) as plain:
            for lines in _batches(tabular.rows(plain, self.shape), plain, self.limit):
                yield self.batch(lines, file.tell() if file.seekable() else 0)

    def batch(self, lines: Sequence[Line], bytes_done: int = 0) -> Batch:
        faults = [(line, line.problem) for line in lines if line.problem]
        if faults:
            lines = [line for line in lines if not line.problem]
        fixed = self.fixed
        rows, digests = self.read([[*line.cells, *fixed] if fixed else line.cells for line in lines])
        if isinstance(rows, list) and any(isinstance(row, Problem) for row in rows):
            faults += [(line, row) for line, row in zip(lines, rows, strict=True) if isinstance(row, Problem)]
            kept = [not isinstance(row, Problem) for row in rows]
            lines, rows = list(compress(lines, kept)), list(compress(rows, kept))
            digests = digests and list(compress(digests, kept))
        reported = None
        if self.key_at is not None:
            reported = [str(line.cells[self.key_at] or "").strip() or None for line in lines]
        contents = _numbered(digests or ()) if self.is_hashed else None
        keys = None if contents is None else [key_of(digest, number) for digest, number in contents]
        return Batch(lines, rows, faults, contents, keys, reported, bytes_done)


def key_of(digest: str, before: int) -> str:
    """Of a row with this content, when so many with it came before in the file."""
    return f"row:{digest}:{before + 1}"


def _numbered(digests: Sequence[str]) -> list[tuple[str, int]]:
    if len(set(digests)) == len(digests):
        return [(digest, 0) for digest in digests]
    before: Counter[str] = Counter()
    found = []
    for digest in digests:
        found.append((digest, before[digest]))
        before[digest] += 1
    return found


def _batches(lines: Iterator[Line], file: IO[bytes], limit: int) -> Iterator[list[Line]]:
    """Rows in batches of at most `limit` rows and some MAX_BATCH_BYTES of the unzipped file."""
    batch: list[Line] = []
    start = file.tell()
    while some := list(islice(lines, min(LOOK, limit - len(batch)))):
        batch += some
        if len(batch) >= limit or file.tell() - start > MAX_BATCH_BYTES:
            yield batch
            batch, start = [], file.tell()
    if batch:
        yield batch


@contextmanager
def ahead(batches: Generator[Batch]) -> Iterator[Iterator[Batch]]:
    """The same batches, made by a thread of their own; it has ended when the context ends.

    While PostgreSQL takes a batch in, this process would wait. What `batches` raises is raised here, in its place.
    """
    made: Queue[Batch | BaseException | None] = Queue(maxsize=1)
    unwanted = Event()
    language = translation.get_language()

    def work() -> None:
        with translation.override(language), closing(batches):
            try:
                for batch in batches:
                    if not _put(made, batch, unwanted):
                        return
                _put(made, None, unwanted)
            except BaseException as error:
                _put(made, error, unwanted)

    thread = Thread(target=work, name="import-reader", daemon=True)
    thread.start()
    try:
        yield _taken(made)
    finally:
        unwanted.set()
        thread.join()


def _put(queue: Queue[Any], item: Any, unwanted: Event) -> bool:
    while not unwanted.is_set():
        try:
            queue.put(item, timeout=PATIENCE)
            return True
        except Full:
            continue
    return False


def _taken(queue: Queue[Any]) -> Iterator[Batch]:
    while (item := queue.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item
