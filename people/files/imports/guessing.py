"""What the columns of a file probably mean, and what only the team can say."""

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
from people.files.imports.plan import ExternalId, Mappable, Plan
from people.files.imports.targets import TARGETS
from people.files.models import Import
from people.files.tabular import Line, Shape


@dataclass(frozen=True, slots=True)
class Guess:
    """A plan to begin with, and the parts of it that the file leaves open.

    They are called as in `Plan`: `date_order`, `decimal`, `pivot`, `zone`, `lookup_field`.

    `is_remembered`: it is how the last file with these columns was understood.
    """

    plan: Plan
    questions: frozenset[str]
    is_remembered: bool = False
    is_chosen: bool = False  # for this very file


def guess_plan(job: Import, subject: str, zone: str, lines: Sequence[Line]) -> Guess:
    """The plan for `job` about `subject`; `zone` is taken where moments have none. `lines` are the first rows."""
    shape = Shape.from_json(job.shape)
    last = import_jobs.remembered(job)
    items = TARGETS[job.kind].mappable(subject)
    if last and last.subject == subject:
        # the list was that file's: nobody is put on one unasked
        return Guess(replace(last, static_list=None), open_questions(last, items, shape, lines), True)
    # the ids of another system look like ours: nobody is looked up by one unasked
    columns = columns_for([item for item in items if item.name != "id"], shape)
    emails = _emails(shape, lines)
    if job.kind == "people" and "email" not in columns and emails and emails[0] not in columns.values():
        columns["email"] = emails[0]
    moments = _moments(shape, lines)
    for item in items:  # what happened when is needed, and hardly ever called as we call it
        if item.is_required and item.data_type == "datetime" and item.name not in columns:
            free = [column for column in moments if column not in columns.values()]
            columns |= {item.name: free[0]} if free else {}
    person = _person(shape, emails) if job.kind == "activities" else ""
    orders = file_formats.possible_orders(_dates(columns, items, shape, lines))
    decimal = file_formats.likely_decimal(_amounts(columns, items, shape, lines))
    plan = Plan(
        columns=columns,
        subject=subject,
        person=person,
        zone=zone,
        date_order=orders[0],
        decimal=decimal or ".",
        external_id=ExternalId.COLUMN if "external_id" in columns else ExternalId.HASH,
    )
    return Guess(plan, open_questions(plan, items, shape, lines))


def open_questions(plan: Plan, items: Sequence[Mappable], shape: Shape, lines: Sequence[Line]) -> frozenset[str]:
    """What the sample leaves open: each must be answered by a person. Only columns that mean something count."""
    moments = _dates(plan.columns, items, shape, lines)
    questions = set()
    if len(file_formats.possible_orders(moments)) > 1:
        questions.add("date_order")
    births = {item.name for item in items if file_formats.is_birth(item.name)}
    others = {name: column for name, column in plan.columns.items() if name not in births}
    if file_formats.has_open_century(_dates(others, items, shape, lines)):
        questions.add("pivot")
    if not _has_lookup(plan):
        questions.add("lookup_field")
    if file_formats.likely_decimal(_amounts(plan.columns, items, shape, lines)) is None:
        questions.add("decimal")
    if any(written.clock and not written.zone for text in moments if (written := written_dates.read(text))):
        questions.add("zone")
    return frozenset(questions)


def settled(plan: Plan, given: Collection[str], kind: str, shape: Shape, lines: Sequence[Line]) -> Plan:
    """`plan` with those notations that were not `given` as the first rows say them.

    For channels that cannot ask: what the rows leave open raises `RejectedError` (`notation_open`), each path naming
    the part of the plan to give.
    """
    items = TARGETS[kind].mappable(plan.subject)
    moments = _dates(plan.columns, items, shape, lines)
    amounts = _amounts(plan.columns, items, shape, lines)
    left_open = open_questions(plan, items, shape, lines)
    refuse_if(
        Problem(Code.NOTATION_OPEN, message, (name,), ", ".join(choices))
        for name, (message, choices) in _NOTATIONS.items()
        if name in left_open and name not in given
    )
    order, decimal = file_formats.possible_orders(moments)[0], file_formats.likely_decimal(amounts)
    return replace(
        plan,
        date_order=plan.date_order if "date_order" in given else order,
        decimal=plan.decimal if "decimal" in given else decimal or plan.decimal,
    )


# what only the team can say of a file's notations, as a refusal says it, and what can be said
_NOTATIONS: dict[str, tuple[Any, Sequence[str]]] = {
    "date_order": (sentence_lazy("the dates can be read in more than one order: say which"), [*DateOrder]),
    "decimal": (sentence_lazy("the numbers leave open which mark is the decimal mark: say which"), [".", ","]),
    "pivot": (
        sentence_lazy("years of two digits may be of either century: say from which on they are of the 1900s"),
        [str(EXCEL_PIVOT), str(LATE_PIVOT)],
    ),
}


def columns_for(items: Sequence[Mappable], shape: Shape) -> dict[str, str]:
    """Each item's column: the one called like it; no column twice."""
    by_key = {_key(column): column for column in reversed(shape.header)}
    found: dict[str, str] = {}
    for item in items:
        for name in (item.name.rpartition(".")[2], item.label, *item.aliases):
            column = by_key.get(_key(str(name)))
            if column is not None and column not in found.values():
                found[item.name] = column
                break
    return found


def _key(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _has_lookup(plan: Plan) -> bool:
    """Whether people are found by an e-mail address or unique field of the file; ids are a question every time."""
    if plan.person:
        return plan.lookup_field != "id" and not _is_id(plan.person)
    return plan.lookup_field in plan.columns and plan.lookup_field != "id"


def _person(shape: Shape, emails: Sequence[str]) -> str:
    """The column that says who: an e-mail address, or else one that is called like an id of ours."""
    for wanted in ("email", "emailaddress", "mail", "correo", "correoelectronico"):
        for column in shape.header:
            if _key(column) == wanted:
                return "{" + column + "}"
    called = [column for column in shape.header if _key(column) in ("personid", "leadid")]
    return "".join("{" + column + "}" for column in [*emails, *called][:1])


def _is_id(person: str) -> bool:
    return _key(person) in ("personid", "leadid", "id")


def _emails(shape: Shape, lines: Sequence[Line]) -> list[str]:
    """The columns whose values are e-mail addresses."""
    found = []
    for column, values in _by_column(shape, lines):
        texts = [value.strip() for value in values if isinstance(value, str) and value.strip()]
        if texts and all(map(EMAIL.fullmatch, texts)):
            found.append(column)
    return found


def _dates(columns: Mapping[str, str], items: Sequence[Mappable], shape: Shape, lines: Sequence[Line]) -> list[str]:
    """The texts in the columns that are mapped to dates and moments."""
    kinds = {item.name for item in items if item.data_type in ("date", "datetime")}
    wanted = {column for name, column in columns.items() if name in kinds}
    cells = [value for column, values in _by_column(shape, lines) if column in wanted for value in values]
    return [cell for cell in cells if isinstance(cell, str) and cell.strip()]


def _moments(shape: Shape, lines: Sequence[Line]) -> dict[str, list[str]]:
    """The columns that hold dates, or dates and times, and nothing else; with their values."""
    found = {}
    for column, values in _by_column(shape, lines):
        texts = [value for value in values if value not in (None, "")]
        if texts and all(isinstance(value, str) and file_formats.is_date(value) for value in texts):
            found[column] = texts
    return found


def _amounts(columns: Mapping[str, str], items: Sequence[Mappable], shape: Shape, lines: Sequence[Line]) -> list[Any]:
    numbers = {
        item.name
        for item in items
        if item.data_type in ("float", "currency", "integer", "score", "percent") and item.name != "id"
    }
    wanted = {column for name, column in columns.items() if name in numbers}
    return [value for column, values in _by_column(shape, lines) if column in wanted for value in values]


def _by_column(shape: Shape, lines: Sequence[Line]) -> Iterator[tuple[str, list[Any]]]:
    good = [line.cells for line in lines if not line.problem]
    for place, column in enumerate(shape.header):
        yield column, [cells[place] for cells in good]
