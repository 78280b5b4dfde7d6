"""Kinds of export files: a right, the statement that selects the rows, the formats."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from importlib.util import find_spec
from typing import Any

from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.messages import sentence as _
from people.datatypes.formulas import FORMULA, NUMBER


@dataclass(frozen=True, slots=True)
class ExportColumn:
    """One column of a file: its name and the SQL of its value. Only text can be a formula to a spreadsheet."""

    name: str
    sql: str
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class ExportStatement:
    """The content of a file: columns of `source` (everything after FROM), with its parameters by name."""

    columns: Sequence[ExportColumn]
    source: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExportKind:
    """One kind of file.

    `statement` checks its parameters and raises `RejectedError`; so does `check`, set where making the statement is
    expensive. `null` stands for no value. A file that `is_exact` has every text unchanged: its reader removes no '.
    A user needs all `rights` to export. `choices` are offered on pages: (key, label, parameters); with `has_dates` the
    parameters `since` and `until` narrow them.
    """

    name: str
    label: Any
    rights: tuple[str, ...]
    statement: Callable[[Mapping[str, Any]], ExportStatement]
    check: Callable[[Mapping[str, Any]], Any] | None = None
    null: str = ""
    choices: Callable[[], Sequence[tuple[str, Any, Mapping[str, Any]]]] = tuple
    has_dates: bool = False
    is_exact: bool = False


# escaped for placeholders and literals of SQL
_FORMULA, _NUMBER = (pattern.replace("%", "%%").replace("'", "''") for pattern in (FORMULA, NUMBER))
KINDS: dict[str, ExportKind] = {}
DELIMITERS = {"csv": ",", "tsv": "\t", "ssv": ";"}
FORMATS = (*DELIMITERS, "ndjson", "parquet")
CONTENT_TYPES = {
    "csv": "text/csv;charset=UTF-8",
    "tsv": "text/tab-separated-values;charset=UTF-8",
    "ssv": "text/csv;charset=UTF-8",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}


def register_export_kind(kind: ExportKind) -> None:
    KINDS[kind.name] = kind


def require_parquet() -> None:
    """Raise `RejectedError` (`no_pyarrow`) where Parquet cannot be written: pyarrow is not a requirement."""
    if find_spec("pyarrow") is None:
        message = _("Parquet needs the Python package pyarrow on the server, which is not installed.")
        raise RejectedError(Problem(Code.NO_PYARROW, message, ("format",)))


class Marks(Enum):
    """The texts that get a leading ', which an import removes."""

    NONE = "none"  # the reader removes none
    ESCAPES = "escapes"  # texts that would lose a ' of their own
    GUARDS = "guards"  # these, and texts that a spreadsheet would read as a formula


def select_sql(statement: ExportStatement, marks: Marks = Marks.NONE) -> str:
    """The statement as SQL, with places for its parameters."""
    values = [
        f"{_MARKED[marks](column.sql) if column.is_text else column.sql} as {_quoted(column.name)}"
        for column in statement.columns
    ]
    return f"select {', '.join(values)} from {statement.source}"


def json_select_sql(statement: ExportStatement) -> str:
    return f"select row_to_json(r) from ({select_sql(statement)}) r"


def _safe_sql(sql: str) -> str:
    return f"case when ({sql}) ~ '{_FORMULA}' and ({sql}) !~ '{_NUMBER}' then '''' || ({sql}) else {sql} end"


def _escaped_sql(sql: str) -> str:
    """The SQL of `formulas.escape_apostrophe`."""
    rest = f"substr({sql}, 2)"
    is_doubtful = f"({sql}) ~ '^''' and {rest} ~ '{_FORMULA}' and {rest} !~ '{_NUMBER}'"
    return f"case when {is_doubtful} then '''' || ({sql}) else {sql} end"


_MARKED: Mapping[Marks, Callable[[str], str]] = {
    Marks.NONE: lambda sql: sql,
    Marks.ESCAPES: _escaped_sql,
    Marks.GUARDS: _safe_sql,
}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def moment_sql(sql: str) -> str:
    """SQL of a moment as ISO 8601 text in UTC; a fraction only where there is one."""
    whole = """'YYYY-MM-DD"T"HH24:MI:SS"Z"'"""
    exact = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
    in_utc = f"({sql}) at time zone 'UTC'"
    return f"to_char({in_utc}, case when date_trunc('second', {sql}) = {sql} then {whole} else {exact} end)"


def shown_title(title: str, kind: str) -> str:
    """The title of an export: the one that its form gave it, else the label of its kind; empty for an unknown kind."""
    return title or (str(KINDS[kind].label) if kind in KINDS else "")
