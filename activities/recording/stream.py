"""Records a stream: any number of lines, in constant memory, committed in chunks.

Outcomes are spooled while the body is read and answered after it, one line each. A stream that was cut off can be
sent again: rows with an external id are not recorded twice, and with a key every row has an external id.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import orjson
from django.utils.translation import gettext as _

from activities.consent.state import CONSENTS
from activities.recording import column_recorder, recorder
from activities.recording.counts import count_refused
from activities.recording.parsing import ActivityParser
from activities.recording.rows import NewActivity, RecordOutcome, RecordStatus
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, problem_json
from people.core.source import Source
from people.datatypes import exact_json
from people.datatypes.parsing import is_blank

CHUNK_LINES, CHUNK_BYTES = 1_000, 4 * 1024 * 1024
MAX_LINE = 1024 * 1024
READ_BYTES = 64 * 1024
SPOOL_BYTES = 1024 * 1024
# refusals are reported one by one in this many bytes plus the size of the lines; after that by runs of lines
DETAILED_BYTES = 1024 * 1024
NOT_KEPT = "not_kept"  # the number of refused rows for which there was no room

_WORDS = {status: status.encode() for status in RecordStatus}
_TEXTS = {status: str(status.value) for status in RecordStatus}  # a member's `value` is a call each time

Reader = Callable[[int], bytes]


@dataclass(slots=True)
class StreamLine:
    """One line that is not blank: its number from 1, and its text; None for a line over the limit."""

    number: int
    text: bytes | None


def record_stream(read: Reader, source: Source, parser: ActivityParser, key: str = "") -> IO[bytes]:
    """Record every line that `read` returns; return the outcomes as NDJSON, rewound, ending with their sums.

    Where refusals would take much more space than the lines, consecutive refusals are reported in one line.
    With `key` a row without an external id gets "<key>:<line number>". A last line without a line break counts
    unless the body was cut off: then `read` raises OSError, and chunks committed before stay.
    """
    spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 (the reply closes it)
    counts: Counter[str] = Counter()
    refusals = Refusals(DETAILED_BYTES)
    for chunk in _chunks(read_lines(read)):
        refusals.remaining_bytes += sum(len(line.text or b"") for line in chunk)
        spool.write(_record_chunk(chunk, source, parser, key, counts, refusals))
    spool.write(refusals.run())
    by_status = {str(status): counts[status] for status in RecordStatus}
    total = {"lines": sum(by_status.values()), **by_status}
    if counts[NOT_KEPT]:
        total[NOT_KEPT] = counts[NOT_KEPT]
    spool.write(orjson.dumps({"summary": total}) + b"\n")
    spool.seek(0)
    return spool


@dataclass(slots=True)
class Refusals:
    """Reports refusals in a size bounded by the size of the body."""

    remaining_bytes: int
    first: int = 0  # line of the run that is not reported yet; 0 for none
    last: int = 0

    def add(self, number: int, outcome: RecordOutcome) -> bytes:
        """The reply for a refused line; empty where the line joins a run."""
        if self.remaining_bytes > 0:
            text = exact_json.dump_exact_json({"line": number, **outcome_as_dict(outcome)}, str) + b"\n"
            self.remaining_bytes -= len(text)
            return self.run() + text
        self.first, self.last = self.first or number, number
        return b""

    def run(self) -> bytes:
        """The reply for the pending run of refused lines; empty where there is none."""
        if not self.first:
            return b""
        message = _("Rejected, like the lines before it; send it on its own to see why.")
        problem = problem_json(Problem(Code.MORE_REFUSED, message))
        reply = {"line": self.first, "to_line": self.last, "status": str(RecordStatus.REFUSED), "errors": [problem]}
        self.first = 0
        return orjson.dumps(reply) + b"\n"


def read_lines(read: Reader) -> Iterator[StreamLine]:
    """The lines of a body that are not blank, at most MAX_LINE of it in memory at once."""
    number, tail, is_skipping = 0, b"", False
    while block := read(READ_BYTES):
        *texts, tail = (tail + block).split(b"\n")
        for text in texts:
            number += 1
            if is_skipping:
                is_skipping = False
                yield StreamLine(number, None)
            elif text.strip():
                yield StreamLine(number, text if len(text) <= MAX_LINE else None)
        if len(tail) > MAX_LINE:
            tail, is_skipping = b"", True
    if is_skipping or tail.strip():
        yield StreamLine(number + 1, None if is_skipping else tail)


def _chunks(lines: Iterator[StreamLine]) -> Iterator[list[StreamLine]]:
    chunk: list[StreamLine] = []
    size = 0
    for line in lines:
        chunk.append(line)
        size += len(line.text or b"")
        if len(chunk) >= CHUNK_LINES or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _record_chunk(
    chunk: list[StreamLine], source: Source, parser: ActivityParser, key: str, counts: Counter[str], refusals: Refusals
) -> bytes:
    """The outcomes of the lines, one a line; `counts` counts them by status."""
    values: list[Any] = []
    unreadable: dict[int, RecordOutcome] = {}
    for line in chunk:
        try:
            values.append(_with_key(_parse(line), key, line.number))
        except RejectedError as error:
            unreadable[line.number] = RecordOutcome(RecordStatus.REFUSED, None, error.problems)
    count_refused([None] * len(unreadable), source)
    outcomes = iter(record_values(values, source, parser))
    replies = []
    for line in chunk:
        outcome = unreadable.get(line.number) or next(outcomes)
        counts[outcome.status] += 1
        if outcome.status is RecordStatus.REFUSED:
            counts[NOT_KEPT] += outcome.is_left_out
            replies.append(refusals.add(line.number, outcome))
        else:
            assert outcome.activity_id is not None
            replies.append(refusals.run())
            replies.append(
                b'{"line":%d,"status":"%s","id":%d}\n' % (line.number, _WORDS[outcome.status], outcome.activity_id)
            )
    return b"".join(replies)


def record_values(
    values: Sequence[Any], source: Source, parser: ActivityParser, *, dry_run: bool = False
) -> list[RecordOutcome]:
    """Record up to 10,000 activities, given as JSON values, in one transaction; return one outcome a value, in order.

    The outcome of a value without the structure of an activity has its problems; it is counted, not kept.
    """
    columns = parser.columns(values)
    if columns is not None:
        recorded = column_recorder.record_columns(
            columns, source, may_record=CONSENTS, dry_run=dry_run, keep_refused=True
        )
        return recorded.outcomes()
    translated = [parser.translate(value) for value in values]
    rows = [row for row in translated if isinstance(row, NewActivity)]
    outcomes = iter(recorder.record_activities(rows, source, may_record=CONSENTS, dry_run=dry_run))
    if not dry_run and len(rows) < len(values):
        misshapen = [value for value, row in zip(values, translated, strict=True) if not isinstance(row, NewActivity)]
        count_refused([type_reference(value) for value in misshapen], source)
    return [
        next(outcomes) if isinstance(row, NewActivity) else RecordOutcome(RecordStatus.REFUSED, None, row)
        for row in translated
    ]


def _parse(line: StreamLine) -> Any:
    """The JSON value of a line. Raises `RejectedError`."""
    if line.text is None:
        raise RejectedError(Problem(Code.TOO_LARGE, _("a line may have at most 1,048,576 bytes")))
    try:
        return exact_json.load_exact_json(line.text, mark_repeats=True)
    except exact_json.InvalidJSONError as error:
        message = _("the line is not JSON: %(fault)s") % {"fault": error}
        raise RejectedError(Problem(Code.INVALID_JSON, message)) from None


def type_reference(row: Any) -> Any:
    """The activity type of a row that may be any JSON value; None without one."""
    return row.get("activity_type") if isinstance(row, dict) else None


def _with_key(value: Any, key: str, number: int) -> Any:
    if key and isinstance(value, dict) and is_blank(value.get("external_id")):
        value["external_id"] = f"{key}:{number}"
    return value


def outcome_as_dict(outcome: RecordOutcome) -> dict[str, Any]:
    """The outcome of one row, as batches and streams answer it."""
    text = _TEXTS[outcome.status]
    if outcome.status is RecordStatus.REFUSED:
        reply = {"status": text, "errors": [problem_json(problem) for problem in outcome.problems]}
        return {**reply, "kept": False} if outcome.is_left_out else reply
    return {"status": text, "id": outcome.activity_id}
