"""What the columns of a file probably mean, and what only the team can say."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from people.datatypes import file_formats
from people.files.imports import jobs as import_jobs
from people.files.imports.plan import ExternalId, Mappable, Plan
from people.files.imports.targets import TARGETS
from people.files.models import Import
from people.files.tabular import Line, Shape

_ZONED = re.compile(r".*(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})\s*")
_CLOCK = re.compile(r".*[0-9]{1,2}:[0-9]{2}.*")


@dataclass(frozen=True, slots=True)
class Guess:
    """A plan to begin with, and the parts of it that the file leaves open: `date_order`, `decimal`, `zone`.

    `is_remembered`: it is how the last file with these columns was understood.
    """

    plan: Plan
    questions: frozenset[str]
    is_remembered: bool = False


def guess_plan(job: Import, subject: str, zone: str, lines: Sequence[Line]) -> Guess:
    """The plan for `job` about `subject`; `zone` is taken where moments have none. `lines` are the first rows."""
    shape = Shape.from_json(job.shape)
    last = import_jobs.remembered(job)
    items = TARGETS[job.kind].mappable(subject)
    if last and last.subject == subject:
        # the list was that file's: nobody is put on one unasked
        return Guess(replace(last, static_list=None), open_questions(last, items, shape, lines), True)
    columns = columns_for(items, shape)
    moments = _moments(shape, lines)
    for item in items:  # what happened when is needed, and hardly ever called as we call it
        if item.is_required and item.data_type == "datetime" and item.name not in columns:
            free = [column for column in moments if column not in columns.values()]
            columns |= {item.name: free[0]} if free else {}
    person = _person(shape) if job.kind == "activities" else ""
    orders = file_formats.possible_orders(value for values in moments.values() for value in values)
    decimal = file_formats.likely_decimal(_amounts(columns, items, shape, lines))
    plan = Plan(
        columns=columns, subject=subject, person=person, zone=zone, date_order=orders[0], decimal=decimal or ".",
        external_id=ExternalId.COLUMN if "external_id" in columns else ExternalId.HASH,
        lookup_field="id" if _is_id(person) or (job.kind == "people" and "email" not in columns) else "email",
    )  # fmt: skip
    return Guess(plan, open_questions(plan, items, shape, lines))


def open_questions(plan: Plan, items: Sequence[Mappable], shape: Shape, lines: Sequence[Line]) -> frozenset[str]:
    """What the sample leaves open: each must be answered by a person."""
    moments = [value for values in _moments(shape, lines).values() for value in values]
    questions = set()
    if len(file_formats.possible_orders(moments)) > 1:
        questions.add("date_order")
    if file_formats.likely_decimal(_amounts(plan.columns, items, shape, lines)) is None:
        questions.add("decimal")
    if any(_CLOCK.fullmatch(value) and not _ZONED.fullmatch(value) for value in moments):
        questions.add("zone")
    return frozenset(questions)


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


def _person(shape: Shape) -> str:
    """The column that says who: an e-mail address, or else an id."""
    for wanted in ("email", "emailaddress", "mail", "correo", "correoelectronico", "personid", "leadid", "id"):
        for column in shape.header:
            if _key(column) == wanted:
                return "{" + column + "}"
    return ""


def _is_id(person: str) -> bool:
    return _key(person) in ("personid", "leadid", "id")


def _moments(shape: Shape, lines: Sequence[Line]) -> dict[str, list[str]]:
    """The columns that hold dates, or dates and times, and nothing else; with their values."""
    found = {}
    for column, values in _by_column(shape, lines):
        texts = [value for value in values if value not in (None, "")]
        if texts and all(isinstance(value, str) and file_formats.is_date(value) for value in texts):
            found[column] = texts
    return found


def _amounts(
    columns: Mapping[str, str], items: Sequence[Mappable], shape: Shape, lines: Sequence[Line]
) -> list[Any]:  # fmt: skip
    fractions = {item.name for item in items if item.data_type in ("float", "currency")}
    wanted = {column for name, column in columns.items() if name in fractions}
    return [value for column, values in _by_column(shape, lines) if column in wanted for value in values]


def _by_column(shape: Shape, lines: Sequence[Line]) -> Iterator[tuple[str, list[Any]]]:
    good = [line.cells for line in lines if not line.problem]
    for place, column in enumerate(shape.header):
        yield column, [cells[place] for cells in good]
