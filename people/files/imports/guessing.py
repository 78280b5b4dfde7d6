"""Guesses of the meanings of a file's columns, and the questions that only a user can answer."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from people.core.codes import Code
from people.core.errors import Problem, quoted_value, refuse_if
from people.core.messages import sentence as _
from people.core.messages import sentence_lazy
from people.datatypes import file_formats, written_dates
from people.datatypes.file_formats import EXCEL_PIVOT, LATE_PIVOT, DateOrder
from people.datatypes.parsing import EMAIL
from people.files.imports import jobs as import_jobs
from people.files.imports.plan import ExternalId, ImportPlan, Mappable, column_key
from people.files.imports.presets import ImportPreset, complete_plan, free_columns, recognised_preset, with_values_above
from people.files.imports.targets import TARGETS, ImportTarget
from people.files.models import Import
from people.files.tabular import FileLine, FileShape

MAX_NAMED = 10  # columns named in one refusal


@dataclass(frozen=True, slots=True)
class PlanGuess:
    """An initial plan, and the parts of it that the file leaves open.

    The questions are named as in `ImportPlan`: `date_order`, `decimal`, `pivot`, `zone`, `lookup_field`.

    `is_remembered`: the plan is that of the last file with these columns.

    `candidates`: (column, sample value) pairs by the name of an item, or "person", that the plan leaves out because
    several columns can be it.
    """

    plan: ImportPlan
    questions: frozenset[str]
    is_remembered: bool = False
    is_chosen: bool = False  # a user chose the plan for this file
    candidates: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    preset: ImportPreset | None = None  # the preset of the product that wrote the file


def guess_plan(
    job: Import, subject: str, zone: str, lines: Sequence[FileLine], preset: ImportPreset | None = None
) -> PlanGuess:
    """The plan for `job` about `subject`; `zone` is used where moments have none. `lines` are the first rows.

    `preset`: the one that a user chose; without it, one that recognises the file fills in what is certain.
    """
    shape = FileShape.from_json(job.shape)
    last = import_jobs.remembered_plan(job)
    target = TARGETS[job.kind]
    items = target.mappable(subject)
    known_preset = (preset or recognised_preset(job.kind, shape)) if subject else None
    above = import_jobs.rows_above_header(job) if known_preset else ()
    if last and last.subject == subject and preset is None:
        # the list belonged to that file: people are put on a list only when a user chooses it
        last = replace(last, static_list=None)
        last = with_values_above(last, known_preset, items, above) if known_preset else last
        return PlanGuess(last, open_questions(last, target, shape, lines), True, preset=known_preset)
    # ids of another system look like ours: people are looked up by id only when a user chooses it
    columns = guess_columns([item for item in items if item.is_guessed], shape)
    plan = ImportPlan(
        free_columns(columns, preset) if preset else columns, subject=subject, zone=zone, **target.defaults
    )
    if known_preset:
        plan = complete_plan(plan, known_preset, items, above, is_chosen=preset is not None)
    return replace(_guess_rest(plan, target, shape, lines), preset=known_preset)


def _guess_rest(plan: ImportPlan, target: ImportTarget, shape: FileShape, lines: Sequence[FileLine]) -> PlanGuess:
    """The plan completed from the values of the first rows: the only column that an item can be, and the notations."""
    items = target.mappable(plan.subject)
    columns, planned = dict(plan.columns), {*plan.columns, *plan.constants, *(["person"] if plan.person else [])}
    candidates = {
        name: names for name, names in candidate_columns(target, items, shape, lines).items() if name not in planned
    }
    for name in [name for name in candidates if name != "person"]:
        free = [column for column in candidates[name] if column not in columns.values()]
        if len(candidates[name]) == len(free) == 1:
            columns[name] = free[0]
        if not free or name in columns:
            del candidates[name]
    person = plan.person
    if len(candidates.get("person", ())) == 1:
        person = "{" + candidates.pop("person")[0] + "}"
    orders = file_formats.possible_orders(_dates(columns, items, shape, lines))
    decimal = file_formats.likely_decimal(_amounts(columns, items, shape, lines))
    plan = replace(
        plan,
        columns=columns,
        person=person,
        date_order=orders[0],
        decimal=decimal or ".",
        external_id=ExternalId.COLUMN if "external_id" in columns else ExternalId.HASH,
    )
    samples = {name: _with_samples(names, shape, lines) for name, names in candidates.items()}
    return PlanGuess(plan, open_questions(plan, target, shape, lines), candidates=samples)


def candidate_columns(
    target: ImportTarget, items: Sequence[Mappable], shape: FileShape, lines: Sequence[FileLine]
) -> dict[str, list[str]]:
    """The columns that can be what is never changed afterwards or finds a person, by name of the item or "person".

    Columns called like the item come before those whose values fit it. Items without any column are left out.
    """
    emails, moments = _emails(shape, lines), _mostly_moments(shape, lines)
    candidates = {}
    for item in items:
        if _is_settled_once(item):
            by_type = {"email": emails if item.is_key else [], "datetime": moments}
            fitting = by_type.get(item.data_type, [])
            candidates[item.name] = named_columns(item, shape) or fitting
    if (person_columns := target.person_columns(shape, emails)) is not None:
        candidates["person"] = person_columns
    return {name: columns for name, columns in candidates.items() if columns}


def _is_settled_once(item: Mappable) -> bool:
    """True for what an imported row keeps for good, and for what finds the person or record that it is about."""
    return item.is_required or item.is_key


def named_columns(item: Mappable, shape: FileShape) -> list[str]:
    """The columns with the item's own name or label, or else with one of its other names."""
    for names in ((item.name.rpartition(".")[2], item.label), item.aliases):
        keys = {column_key(str(name)) for name in names} - {""}
        if columns := [column for column in shape.header if column_key(column) in keys]:
            return columns
    return []


def _with_samples(columns: Sequence[str], shape: FileShape, lines: Sequence[FileLine]) -> list[tuple[str, str]]:
    """Each column with its first value, or an empty text."""
    values = dict(_by_column(shape, lines))
    return [(column, next((str(v).strip() for v in values[column] if v not in (None, "")), "")) for column in columns]


def _open_columns(plan: ImportPlan, kind: str, shape: FileShape, lines: Sequence[FileLine]) -> Iterator[Problem]:
    """A problem for each item that the plan leaves out and that several columns can be."""
    target = TARGETS[kind]
    items = target.mappable(plan.subject)
    planned = {*plan.columns, *plan.constants, *(["person"] if plan.person else []), *target.optional(plan)}
    for name, columns in candidate_columns(target, items, shape, lines).items():
        if name not in planned and len(columns) > 1:
            pairs = _with_samples(columns[:MAX_NAMED], shape, lines)
            expected = ", ".join(f"{column} ({quoted_value(sample)})" for column, sample in pairs)
            path = ("person",) if name == "person" else ("columns", name)
            yield Problem(Code.MISSING_VALUE, _("several columns could be this one: choose which"), path, expected)


def open_questions(
    plan: ImportPlan, target: ImportTarget, shape: FileShape, lines: Sequence[FileLine]
) -> frozenset[str]:
    """The questions that the sample leaves open, each for a user to answer. Only mapped columns count."""
    items = target.mappable(plan.subject)
    moments = _dates(plan.columns, items, shape, lines)
    questions = set()
    if len(file_formats.possible_orders(moments)) > 1:
        questions.add("date_order")
    births = {item.name for item in items if file_formats.is_birth_date_field(item.name)}
    others = {name: column for name, column in plan.columns.items() if name not in births}
    if file_formats.has_open_century(_dates(others, items, shape, lines)):
        questions.add("pivot")
    if target.needs_lookup_choice(plan):
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

    For channels without a dialogue: open questions raise `RejectedError` (`notation_open`; `missing_value` where
    several columns can be what is not mapped), each path naming the missing part of the plan.
    """
    refuse_if(_open_columns(plan, kind, shape, lines))
    items = TARGETS[kind].mappable(plan.subject)
    moments = _dates(plan.columns, items, shape, lines)
    amounts = _amounts(plan.columns, items, shape, lines)
    left_open = open_questions(plan, TARGETS[kind], shape, lines)
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
    """The column with the name of each item; no column twice.

    What is never changed afterwards, or finds people, is left out where several columns have its name.
    """
    by_key = {column_key(column): column for column in reversed(shape.header)}
    columns: dict[str, str] = {}
    for item in items:
        if _is_settled_once(item) and len(named_columns(item, shape)) > 1:
            continue
        for name in (item.name.rpartition(".")[2], item.label, *item.aliases):
            column = by_key.get(column_key(str(name)))
            if column is not None and column not in columns.values():
                columns[item.name] = column
                break
    return columns


def contrary_columns(columns: Mapping[str, str], items: Sequence[Mappable]) -> list[tuple[str, str]]:
    """(column, label of the item) for each column whose name is contrary to the item that it is mapped to."""
    return [
        (column, item.label)
        for item in items
        if (column := columns.get(item.name)) and column_key(column) in {column_key(name) for name in item.contrary}
    ]


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


def _mostly_moments(shape: FileShape, lines: Sequence[FileLine]) -> list[str]:
    """The columns with dates in at least half of the values, or dates and times: some write “--” for none."""
    columns = []
    for column, values in _by_column(shape, lines):
        texts = [value for value in values if value not in (None, "")]
        dates = [text for text in texts if isinstance(text, str) and file_formats.is_date(text)]
        if dates and 2 * len(dates) >= len(texts):
            columns.append(column)
    return columns


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
