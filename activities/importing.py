"""Activities from a file: streamed, in batches that commit, each row found good or reported."""

import csv
import gzip
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from itertools import islice
from string import Formatter
from typing import IO, Any

from activities import recording
from activities.recording import Lookup, NewActivity, Outcome, Status
from people import exact_json
from people.problems import located
from people.sources import Source

BATCH = 5_000
MAX_CELL = 131_072
FIRST_ROW = 2  # of a file with a header line

Row = Mapping[str, Any]


class BadFile(Exception):
    """The file cannot be read as what it claims to be; nothing more of it was recorded."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column says what. `person_template` makes the lookup value: "customer{customer_id}@example.com"."""

    activity_type: str
    person_template: str
    occurred_at: str
    primary_value: str
    attributes: Mapping[str, str]  # API name of a field: column
    external_id: str | None = None
    person_field: str = "email"
    create_people: bool = False

    def columns(self) -> set[str]:
        named = {self.occurred_at, self.primary_value, self.external_id, *self.attributes.values()}
        return {name for name in named if name} | template_columns(self.person_template)


@dataclass(slots=True)
class Report:
    """How an import went. `failures` holds the first ones; `on_failure` was told of every one."""

    counts: Counter[Status] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.counts.total()


def template_parts(template: str) -> list[tuple[str, str | None]]:
    """The (text, column) pairs of a template. Raises BadFile for anything but plain {column} places."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise BadFile(f"'{template}': {error}") from None
    if any(name is not None and (not name or spec or conversion) for _text, name, spec, conversion in parts):
        raise BadFile(f"'{template}': only plain places like {{customer_id}} are understood")
    return [(text, name) for text, name, _spec, _conversion in parts]


def template_columns(template: str) -> set[str]:
    """The columns that a template names; see `template_parts`."""
    return {name for _text, name in template_parts(template) if name}


def run(
    rows: Iterable[Row],
    mapping: Columns,
    source: Source,
    *,
    zone: tzinfo = UTC,
    dry_run: bool = False,
    on_failure: Callable[[int, Row, Outcome], None] = lambda number, row, outcome: None,
    track: Callable[[int], None] = lambda rows: None,
) -> Report:
    """Record every row of `rows` by `mapping`; return the counts.

    Commits every 5,000 rows. A row that was recorded before, by its external id, counts as repeated. `track`
    is told of progress, `on_failure` of each refused row with its number in the file.
    """
    report = Report()
    remaining = iter(rows)
    template = template_parts(mapping.person_template)
    while batch := list(islice(remaining, BATCH)):
        start = report.rows
        activities = [_new_activity(row, mapping, template) for row in batch]
        outcomes = recording.record(activities, source, zone=zone, dry_run=dry_run)
        for index, outcome in enumerate(outcomes):
            report.counts[outcome.status] += 1
            if outcome.status is Status.REFUSED:
                _report(report, start + index, batch[index], outcome, on_failure)
        track(len(batch))
    return report


def _report(report: Report, index: int, row: Row, outcome: Outcome, on_failure: Callable[..., None]) -> None:
    on_failure(index + FIRST_ROW, row, outcome)
    if len(report.failures) < 20:
        report.failures += [located(problem.under(index), FIRST_ROW) for problem in outcome.problems]


def _new_activity(row: Row, mapping: Columns, template: list[tuple[str, str | None]]) -> NewActivity:
    get = row.get
    return NewActivity(
        _person(row, mapping, template),
        mapping.activity_type,
        get(mapping.occurred_at),
        get(mapping.primary_value),
        [(name, get(column)) for name, column in mapping.attributes.items()],
        get(mapping.external_id) if mapping.external_id else None,
    )


def _person(row: Row, mapping: Columns, template: list[tuple[str, str | None]]) -> Any:
    # by hand, because str.format() would follow attributes of what it is given
    value = "".join([f"{text}{'' if name is None else row.get(name, '')}" for text, name in template])
    if mapping.person_field == "id":
        return int(value) if value.isascii() and value.isdigit() and len(value) < 11 else value
    return Lookup(value, mapping.person_field, mapping.create_people)


@contextmanager
def opened(name: str) -> Iterator[IO[bytes]]:
    """The file called `name`, unzipped if it is gzip; "-" is standard input. Raises BadFile."""
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        with open(name, "rb") as file:
            if file.read(2) == b"\x1f\x8b":
                file.seek(0)
                with gzip.open(file) as unzipped:
                    yield unzipped  # type: ignore[misc]
            else:
                file.seek(0)
                yield file
    except (OSError, EOFError) as error:
        raise BadFile(f"{name}: {error}") from None


def csv_rows(file: IO[bytes], delimiter: str = ",") -> Iterator[Row]:
    """The rows of a CSV file in UTF-8, with or without byte order mark, by the names in its first line.

    Raises BadFile: no header, a name twice, a line with too many or too few cells, other encodings.
    """
    csv.field_size_limit(MAX_CELL)
    lines = (line.decode("utf-8-sig" if number == 0 else "utf-8") for number, line in enumerate(file))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    number = 1
    try:
        header = next(reader, None)
        _check_header(header)
        width = len(header)  # type: ignore[arg-type]
        for number, cells in enumerate(reader, FIRST_ROW):
            if not cells:
                continue
            if len(cells) != width:
                raise BadFile(f"row {number} has {len(cells)} cells, the header {width}")
            yield dict(zip(header, cells, strict=True))  # type: ignore[arg-type]
    except UnicodeDecodeError as error:
        raise BadFile(f"after row {number}: not UTF-8 ({error.reason})") from None
    except csv.Error as error:
        raise BadFile(f"after row {number}: {error}") from None


def _check_header(header: list[str] | None) -> None:
    if not header:
        raise BadFile("the file is empty: a first line with the names of the columns is needed")
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise BadFile(f"the header has '{twice[0]}' twice")


def ndjson_rows(file: IO[bytes]) -> Iterator[Row]:
    """The objects of a file with one JSON object a line. Raises BadFile."""
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = exact_json.loads(line)
        except exact_json.InvalidJSON as error:
            raise BadFile(f"row {number}: {error}") from None
        if not isinstance(row, dict):
            raise BadFile(f"row {number} is not a JSON object")
        yield row


FORMATS: dict[str, Callable[[IO[bytes]], Iterator[Row]]] = {"csv": csv_rows, "ndjson": ndjson_rows}
