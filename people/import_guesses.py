"""What the columns of a file probably mean, and what only the team can say."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from people import conventions, importing
from people.importing import TARGETS, ExternalId, Mappable, Plan
from people.tabular import Line, Shape
from people.transfers import Import

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
    last = importing.remembered(job)
    items = TARGETS[job.kind].mappable(subject)
    if last and last.subject == subject:
        return Guess(last, open_questions(last, items, shape, lines), True)
    columns = columns_for(items, shape)
    person = _person(shape) if job.kind == "activities" else ""
    plan = Plan(
        columns=columns, subject=subject, person=person, zone=zone,
        external_id=ExternalId.COLUMN if "external_id" in columns else ExternalId.HASH,
        lookup_field="id" if _is_id(person) or (job.kind == "people" and "email" not in columns) else "email",
    )  # fmt: skip
    samples = _samples(plan, items, shape, lines)
    orders = conventions.possible_orders(_of(samples, lambda item: item.data_type in ("date", "datetime")))
    decimal = conventions.likely_decimal(_of(samples, lambda item: item.data_type in ("float", "currency")))
    plan = replace(plan, date_order=orders[0], decimal=decimal or ".")
    return Guess(plan, open_questions(plan, items, shape, lines))


def open_questions(plan: Plan, items: Sequence[Mappable], shape: Shape, lines: Sequence[Line]) -> frozenset[str]:
    """What the sample leaves open: each must be answered by a person."""
    samples = _samples(plan, items, shape, lines)
    moments = _of(samples, lambda item: item.data_type in ("date", "datetime"))
    timed = _of(samples, lambda item: item.data_type == "datetime")
    numbers = _of(samples, lambda item: item.data_type in ("float", "currency"))
    questions = set()
    if len(conventions.possible_orders(moments)) > 1:
        questions.add("date_order")
    if conventions.likely_decimal(numbers) is None:
        questions.add("decimal")
    if any(isinstance(value, str) and _CLOCK.fullmatch(value) and not _ZONED.fullmatch(value) for value in timed):
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


def _samples(
    plan: Plan, items: Sequence[Mappable], shape: Shape, lines: Sequence[Line]
) -> list[tuple[Mappable, list[Any]]]:
    known: Mapping[str, Mappable] = {item.name: item for item in items}
    found = []
    for name, column in plan.columns.items():
        if name in known and column in shape.header:
            place = shape.header.index(column)
            found.append((known[name], [line.cells[place] for line in lines if not line.problem]))
    return found


def _of(samples: Sequence[tuple[Mappable, list[Any]]], is_wanted: Callable[[Mappable], bool]) -> list[Any]:
    return [value for item, values in samples if is_wanted(item) for value in values]
