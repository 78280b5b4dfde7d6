"""Records a stream: any number of lines, in constant memory, committed in chunks.

Outcomes are spooled while the body is read and answered after it, one line each. Sent again, a stream completes
what a hang-up cut off: rows with an external id are there already, and with a key every row has one.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import IO, Any

import orjson
from django.utils.translation import gettext as _

from activities.recording import recorder
from activities.recording import rows as recording_rows
from activities.recording.rows import NewActivity, Status
from people.core.codes import Code
from people.core.errors import Problem, fault
from people.core.source import Source
from people.datatypes import exact_json
from people.datatypes.parsing import is_blank

CHUNK_LINES, CHUNK_BYTES = 1_000, 4 * 1024 * 1024
MAX_LINE = 1024 * 1024
READ_BYTES = 64 * 1024
SPOOL_BYTES = 1024 * 1024
# refusals are told one by one in so many bytes and as many again as the lines have; then by runs of lines
TOLD_BYTES = 1024 * 1024

_WORDS = {status: status.encode() for status in Status}

Reader = Callable[[int], bytes]
# a parsed line, checked for its structure: what to record, or what is wrong with it
Translate = Callable[[Any], NewActivity | list[Problem]]


@dataclass(slots=True)
class Line:
    """One line that is not blank: its number from 1 and its text; None when it is too long to be kept."""

    number: int
    text: bytes | None


def record(read: Reader, source: Source, translate: Translate, key: str = "") -> IO[bytes]:
    """Record every line of what `read` gives; return the outcomes as NDJSON, rewound, ending with their sum.

    Where refusals would take much more than the lines themselves, those that follow each other are told in one line.
    With `key` a row without an external id gets "<key>:<line number>". A last line without a line break counts
    unless the body was cut off, which `read` says by raising OSError: what was committed by then stays.
    """
    spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 (the reply closes it)
    counts: Counter[str] = Counter()
    refusals = Refusals(TOLD_BYTES)
    for chunk in _chunks(lines(read)):
        refusals.left += sum(len(line.text or b"") for line in chunk)
        spool.write(_record_chunk(chunk, source, translate, key, counts, refusals))
    spool.write(refusals.run())
    total = {"lines": sum(counts.values()), **{str(status): counts[status] for status in Status}}
    spool.write(orjson.dumps({"summary": total}) + b"\n")
    spool.seek(0)
    return spool


@dataclass(slots=True)
class Refusals:
    """How refusals are told, so that the answer is bounded by the body."""

    left: int
    first: int = 0  # line of the run that is not told yet; 0 for none
    last: int = 0

    def tell(self, number: int, problems: Any) -> bytes:
        """What is said of a refused line now."""
        if self.left > 0:
            text = exact_json.dumps({"line": number, **refused(problems)}, str) + b"\n"
            self.left -= len(text)
            return self.run() + text
        self.first, self.last = self.first or number, number
        return b""

    def run(self) -> bytes:
        """What is said of the lines refused since then, when another outcome follows."""
        if not self.first:
            return b""
        message = _("Refused, like the lines before; send it alone to be told why.")
        problem = fault(Problem(Code.MORE_REFUSED, message))
        told = {"line": self.first, "to_line": self.last, "status": str(Status.REFUSED), "errors": [problem]}
        self.first = 0
        return orjson.dumps(told) + b"\n"


def lines(read: Reader) -> Iterator[Line]:
    """The lines of a body that are not blank, at most MAX_LINE of it in memory at once."""
    number, rest, is_skipping = 0, b"", False
    while block := read(READ_BYTES):
        *whole, rest = (rest + block).split(b"\n")
        for text in whole:
            number += 1
            if is_skipping:
                is_skipping = False
                yield Line(number, None)
            elif text.strip():
                yield Line(number, text if len(text) <= MAX_LINE else None)
        if len(rest) > MAX_LINE:
            rest, is_skipping = b"", True
    if is_skipping or rest.strip():
        yield Line(number + 1, None if is_skipping else rest)


def _chunks(found: Iterator[Line]) -> Iterator[list[Line]]:
    chunk: list[Line] = []
    size = 0
    for line in found:
        chunk.append(line)
        size += len(line.text or b"")
        if len(chunk) >= CHUNK_LINES or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _record_chunk(
    chunk: list[Line], source: Source, translate: Translate, key: str, counts: Counter[str], refusals: Refusals
) -> bytes:
    """The outcomes of the lines, one a line; `counts` counts them by status."""
    named: list[Any] = []  # by lines that are refused for their structure: what they give as their type
    translated = [(line.number, _translate(line, translate, named)) for line in chunk]
    rows = [_with_key(row, key, number) for number, row in translated if type(row) is NewActivity]
    outcomes = iter(recorder.record(rows, source))
    recorder.count_refused(named, source)
    said = []
    for number, row in translated:
        outcome = next(outcomes) if type(row) is NewActivity else None
        if outcome is not None and outcome.status is not Status.REFUSED:
            assert outcome.activity_id is not None
            counts[outcome.status] += 1
            said.append(refusals.run())
            said.append(b'{"line":%d,"status":"%s","id":%d}\n' % (number, _WORDS[outcome.status], outcome.activity_id))
        else:
            counts[Status.REFUSED] += 1
            problems = row if outcome is None else outcome.problems
            said.append(refusals.tell(number, problems))
    return b"".join(said)


def _translate(line: Line, translate: Translate, named: list[Any]) -> NewActivity | list[Problem]:
    given: Any = None
    try:
        if line.text is None:
            return _refuse([Problem(Code.TOO_LARGE, _("a line may have at most 1,048,576 bytes"))], given, named)
        given = exact_json.loads(line.text, mark_repeats=True)
    except exact_json.InvalidJSONError as error:
        return _refuse(
            [Problem(Code.INVALID_JSON, _("the line is not JSON: %(fault)s") % {"fault": error})], given, named
        )
    row = translate(given)
    return row if type(row) is NewActivity else _refuse(row, given, named)


def _refuse(problems: Any, given: Any, named: list[Any]) -> Any:
    named.append(named_type(given))
    return problems


def named_type(given: Any) -> Any:
    """What a row that may be anything gives as its activity type."""
    return given.get("activity_type") if isinstance(given, dict) else None


def _with_key(row: NewActivity, key: str, number: int) -> NewActivity:
    return replace(row, external_id=f"{key}:{number}") if key and is_blank(row.external_id) else row


def shown(outcome: recording_rows.Outcome) -> dict[str, Any]:
    """What became of one row, as batches and streams answer it."""
    if outcome.status is Status.REFUSED:
        return refused(outcome.problems)
    return {"status": str(outcome.status), "id": outcome.activity_id}


def refused(problems: Any) -> dict[str, Any]:
    return {"status": str(Status.REFUSED), "errors": [fault(problem) for problem in problems]}
