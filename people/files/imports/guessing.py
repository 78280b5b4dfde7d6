"""Guesses of the meanings of a file's columns, and the questions that only a user can answer."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from people.core.codes import Code
from people.core.errors import Problem, refuse_if
from people.core.messages import sentence_lazy
from people.datatypes import file_formats, written_dates
from people.datatypes.file_formats import EXCEL_PIVOT, LATE_PIVOT, DateOrder
from people.datatypes.parsing import EMAIL
from people.files.imports import jobs as import_jobs
from people.files.imports.plan import ExternalId, ImportPlan, Mappable
from people.files.imports.targets import TARGETS
from people.files.models import Import
from people.files.tabular import FileLine, FileShape


@dataclass(frozen=True, slots=True)
class PlanGuess:
    """An initial plan, and the parts of it that the file leaves open.

    The questions are named as in `ImportPlan`: `date_order`, `decimal`, `pivot`, `zone`, `lookup_field`.

    `is_remembered`: the plan is that of the last file with these columns.
    """

    plan: ImportPlan
    questions: frozenset[str]
    is_remembered: bool = False
    is_chosen: bool = False  # a user chose the plan for this file


def guess_plan(job: Import, subject: str, zone: str, lines: Sequence[FileLine]) -> PlanGuess:
    """The plan for `job` about `subject`; `zone` is used where moments have none. `lines` are the first rows."""
    shape = FileShape.from_json(job.shape)
    last = import_jobs.remembered_plan(job)
    items = TARGETS[job.kind].mappable(subject)
    if last and last.subject == subject:
        # the list belonged to that file: people are put on a list only when a user chooses it
        return PlanGuess(replace(last, static_list=None), open_questions(last, items, shape, lines), True)
    # ids of another system look like ours: people are looked up by id only when a user chooses it
    columns = guess_columns([item for item in items if item.name != "id"], shape)
    emails = _emails(shape, lines)
    if job.kind == "people" and "email" not in columns and emails and emails[0] not in columns.values():
        columns["email"] = emails[0]
    moments = _moments(shape, lines)
    for item in items:  # moments are required, and their columns rarely have our name
        if item.is_required and item.data_type == "datetime" and item.name not in columns:
            free = [column for column in moments if column not in columns.values()]
            columns |= {item.name: free[0]} if free else {}
    person = _person(shape, emails) if job.kind == "activities" else ""
    orders = file_formats.possible_orders(_dates(columns, items, shape, lines))
    decimal = file_formats.likely_decimal(_amounts(columns, items, shape, lines))
    plan = ImportPlan(
        columns=columns,
        subject=subject,
        person=person,
        zone=zone,
        date_order=orders[0],
        decimal=decimal or ".",
        external_id=ExternalId.COLUMN if "external_id" in columns else ExternalId.HASH,
    )
    return PlanGuess(plan, open_questions(plan, items, shape, lines))


def open_questions(
    plan: ImportPlan, items: Sequence[Mappable], shape: FileShape, lines: Sequence[FileLine]
) -> frozenset[str]:
    """The questions that the sample leaves open, each for a user to answer. Only mapped columns count."""
    moments = _dates(plan.columns, items, shape, lines)
    questions = set()
    if len(file_formats.possible_orders(moments)) > 1:
        questions.add("date_order")
    births = {item.name for item in items if file_formats.is_birth_date_field(item.name)}
    others = {name: column for name, column in plan.columns.items() if name not in births}
    if file_formats.has_open_century(_dates(others, items, shape, lines)):
        questions.add("pivot")
    if not _has_lookup(plan):
        questions.add("lookup_field")
    if file_formats.likely_decimal(_amounts(plan.columns, items, shape, lines)) is None:
        questions.add("decimal")
    if any(
        written.clock and not written.zone for text in moments if (written := written_dates.parse_written_date(text))
    ):
        questions.add("zone")
    return frozenset(questions)


def settle_plan(
    plan: ImportPlan, given_names: Collection[str], kind: str, shape: FileShape, lines: Sequence[FileLine]
) -> ImportPlan:
    """`plan` with the notations that are not in `given_names` derived from the first rows.

    For channels without a dialogue: open questions raise `RejectedError` (`notation_open`), each path naming the
    missing part of the plan.
    """
    items = TARGETS[kind].mappable(plan.subject)
    moments = _dates(plan.columns, items, shape, lines)
    amounts = _amounts(plan.columns, items, shape, lines)
    left_open = open_questions(plan, items, shape, lines)
    refuse_if(
        Problem(Code.NOTATION_OPEN, message, (name,), ", ".join(choices))
        for name, (message, choices) in _NOTATIONS.items()
        if name in left_open and name not in given_names
    )
    order, decimal = file_formats.possible_orders(moments)[0], file_formats.likely_decimal(amounts)
    return replace(
        plan,
        date_order=plan.date_order if "date_order" in given_names else order,
        decimal=plan.decimal if "decimal" in given_names else decimal or plan.decimal,
    )


# notations that only a user can decide: the message of the refusal, and the choices
_NOTATIONS: dict[str, tuple[Any, Sequence[str]]] = {
    "date_order": (sentence_lazy("the dates can be read in more than one order: say which"), [*DateOrder]),
    "decimal": (sentence_lazy("the numbers don't show which mark is the decimal mark: say which"), [".", ","]),
    "pivot": (
        sentence_lazy("two-digit years can be in either century: say from which year on they are in the 1900s"),
        [str(EXCEL_PIVOT), str(LATE_PIVOT)],
    ),
}


def guess_columns(items: Sequence[Mappable], shape: FileShape) -> dict[str, str]:
    """The column with the name of each item; no column twice."""
    by_key = {_key(column): column for column in reversed(shape.header)}
    columns: dict[str, str] = {}
    for item in items:
        for name in (item.name.rpartition(".")[2], item.label, *item.aliases):
            column = by_key.get(_key(str(name)))
            if column is not None and column not in columns.values():
                columns[item.name] = column
                break
    return columns


def _key(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _has_lookup(plan: ImportPlan) -> bool:
    """True where people are found by an e-mail address or unique field of the file; ids always need a decision."""
    if plan.person:
        return plan.lookup_field != "id" and not _is_id(plan.person)
    return plan.lookup_field in plan.columns and plan.lookup_field != "id"


def _person(shape: FileShape, emails: Sequence[str]) -> str:
    """The template of the person: a column of e-mail addresses, or else one named like our ids."""
    for key in ("email", "emailaddress", "mail", "correo", "correoelectronico"):
        for column in shape.header:
            if _key(column) == key:
                return "{" + column + "}"
    id_columns = [column for column in shape.header if _key(column) in ("personid", "leadid")]
    return "".join("{" + column + "}" for column in [*emails, *id_columns][:1])


def _is_id(person: str) -> bool:
    return _key(person) in ("personid", "leadid", "id")


def _emails(shape: FileShape, lines: Sequence[FileLine]) -> list[str]:
    """The columns whose values are e-mail addresses."""
    columns = []
    for column, values in _by_column(shape, lines):
        texts = [value.strip() for value in values if isinstance(value, str) and value.strip()]
        if texts and all(map(EMAIL.fullmatch, texts)):
            columns.append(column)
    return columns


def _dates(
    columns: Mapping[str, str], items: Sequence[Mappable], shape: FileShape, lines: Sequence[FileLine]
) -> list[str]:
    """The texts in the columns that are mapped to dates and moments."""
    kinds = {item.name for item in items if item.data_type in ("date", "datetime")}
    date_columns = {column for name, column in columns.items() if name in kinds}
    cells = [value for column, values in _by_column(shape, lines) if column in date_columns for value in values]
    return [cell for cell in cells if isinstance(cell, str) and cell.strip()]


def _moments(shape: FileShape, lines: Sequence[FileLine]) -> dict[str, list[str]]:
    """The columns that contain only dates, or dates and times; with their values."""
    texts_by_column = {}
    for column, values in _by_column(shape, lines):
        texts = [value for value in values if value not in (None, "")]
        if texts and all(isinstance(value, str) and file_formats.is_date(value) for value in texts):
            texts_by_column[column] = texts
    return texts_by_column


def _amounts(
    columns: Mapping[str, str], items: Sequence[Mappable], shape: FileShape, lines: Sequence[FileLine]
) -> list[Any]:
    numbers = {
        item.name
        for item in items
        if item.data_type in ("float", "currency", "integer", "score", "percent") and item.name != "id"
    }
    number_columns = {column for name, column in columns.items() if name in numbers}
    return [value for column, values in _by_column(shape, lines) if column in number_columns for value in values]


def _by_column(shape: FileShape, lines: Sequence[FileLine]) -> Iterator[tuple[str, list[Any]]]:
    good = [line.cells for line in lines if not line.problem]
    for place, column in enumerate(shape.header):
        yield column, [cells[place] for cells in good]
