"""Import presets: files of other products that are recognised by their header, and how their columns are mapped.

A preset fills in what a plan leaves out; it replaces nothing, and the importing user confirms the plan. The next one is
one `register_preset`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.messages import sentence as _
from people.files import shape_guess
from people.files.imports.plan import ImportPlan, Mappable
from people.files.imports.targets import TARGETS
from people.files.tabular import FileShape

MOMENT = "occurred_at"


@dataclass(frozen=True, slots=True)
class PresetColumn:
    """A column of the file, or a name above its table, and the names, in any language, of the items that it fills.

    `item`: the `Mappable` that it fills if nothing has such a name and a user chose the preset.
    """

    column: str
    names: tuple[str, ...]
    item: str = ""


@dataclass(frozen=True, slots=True)
class ImportPreset:
    """One file of another product.

    `header`: columns that only this file has together, by which it is recognised and its table found below others.
    `subject`: what its rows are about unless a user chooses something else. `moments`: the columns that can be the
    moment, the preset's choice first. `above`: values in the row below a name above the table. `constants`: by names
    of `Mappable`s. `null_text`, `only_rows` and `ends_at` as in `ImportPlan`.
    """

    name: str
    label: Any
    kind: str
    header: tuple[str, ...]
    subject: str = ""
    person: str = ""
    moments: tuple[str, ...] = ()
    columns: tuple[PresetColumn, ...] = ()
    above: tuple[PresetColumn, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    null_text: str = ""
    only_rows: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ends_at: str = ""


PRESETS: dict[str, ImportPreset] = {}


def register_preset(preset: ImportPreset) -> None:
    PRESETS[preset.name] = preset
    shape_guess.KNOWN_HEADERS[preset.name] = frozenset(preset.header)


def recognised_preset(kind: str, shape: FileShape) -> ImportPreset | None:
    """The preset of whose header the file has every column."""
    columns = set(shape.header)
    matching = (preset for preset in PRESETS.values() if preset.kind == kind and columns.issuperset(preset.header))
    return next(matching, None)


def preset_of_file(name: str, kind: str, shape: FileShape) -> ImportPreset:
    """The preset called `name`, for this file. Raises `RejectedError` where there is none, or it is of another file."""
    presets = {preset.name: preset for preset in PRESETS.values() if preset.kind == kind}
    preset = presets.get(name)
    if preset is None:
        message = _("there is no such import preset")
        raise RejectedError(Problem(Code.UNKNOWN_KIND, message, ("preset",), ", ".join(presets), name))
    if missing := [column for column in preset.header if column not in shape.header]:
        message = _("the file doesn't fit this preset: the column “%(name)s” is missing") % {"name": missing[0]}
        raise RejectedError(Problem(Code.UNKNOWN_COLUMN, message, ("preset",), ", ".join(preset.header), missing[0]))
    return preset


def complete_plan(
    plan: ImportPlan,
    preset: ImportPreset,
    items: Sequence[Mappable],
    above: Sequence[Sequence[Any]],
    *,
    is_chosen: bool = True,
) -> ImportPlan:
    """`plan` with what it leaves out filled in by the preset.

    `items` are those of the plan's subject, `above` the rows above the table. Unless a user chose the preset, the
    moment stays open where the subject has a field for one of the columns that can be it, and columns fill only items
    that are named like them.
    """
    columns, constants = dict(plan.columns), dict(plan.constants)
    names = {item.name for item in items}
    if MOMENT in names - {*columns, *constants} and (is_chosen or not {*preset.moments} & {*columns.values()}):
        columns[MOMENT] = preset.moments[0]
    for place in preset.columns:
        item = _item_of(place, items, is_chosen)
        if item and item not in {*columns, *constants} and place.column not in columns.values():
            columns[item] = place.column
    for place in preset.above:
        item, value = _item_of(place, items, is_chosen), _value_above(place.column, above)
        if item and value and item not in columns:
            constants.setdefault(item, value)
    for name, value in preset.constants.items():
        if name in names - {*columns}:
            constants.setdefault(name, value)
    return replace(
        plan,
        columns=columns,
        constants=constants,
        person=plan.person or preset.person,
        null_text=plan.null_text or preset.null_text,
        only_rows=plan.only_rows or preset.only_rows,
        ends_at=plan.ends_at or preset.ends_at,
    )


def plan_with_preset(
    plan: ImportPlan, name: str | None, kind: str, shape: FileShape, above: Sequence[Sequence[Any]]
) -> ImportPlan:
    """`plan` completed by the preset called `name`; unchanged without a name. Raises `RejectedError`."""
    if not name:
        return plan
    preset = preset_of_file(name, kind, shape)
    plan = replace(plan, subject=plan.subject or preset.subject)
    return complete_plan(plan, preset, TARGETS[kind].mappable(plan.subject), above)


def with_values_above(
    plan: ImportPlan, preset: ImportPreset, items: Sequence[Mappable], above: Sequence[Sequence[Any]]
) -> ImportPlan:
    """The plan of an earlier file with the values above this file's table instead of those above that one's."""
    constants = dict(plan.constants)
    for place in preset.above:
        if constants.pop(item := _item_of(place, items, True), "") and (value := _value_above(place.column, above)):
            constants[item] = value
    return replace(plan, constants=constants)


def free_columns(columns: Mapping[str, str], preset: ImportPreset) -> dict[str, str]:
    """The guessed columns of items without those for which the preset has an item of its own."""
    own = {*preset.moments[:1], *(place.column for place in preset.columns)}
    return {name: column for name, column in columns.items() if column not in own}


def _item_of(place: PresetColumn, items: Sequence[Mappable], is_chosen: bool) -> str:
    """The name of the item that a column fills; empty if there is none."""
    keys = {_key(name) for name in place.names}
    for item in items:
        if keys & {_key(str(name)) for name in (item.name.rpartition(".")[2], item.label, *item.aliases)}:
            return item.name
    return place.item if is_chosen else ""


def _value_above(name: str, rows: Sequence[Sequence[Any]]) -> str:
    """The value in the row below `name`; empty if there is none."""
    for names, cells in pairwise(rows):
        texts = [str(cell or "").strip() for cell in names]
        if name in texts and texts.index(name) < len(cells):
            return str(cells[texts.index(name)] or "").strip()
    return ""


def _key(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def left_out_sentences(plan: ImportPlan) -> Iterable[str]:
    """Sentences on the rows left out: those with other values in some columns, and all below the end of the table."""
    for column, values in plan.only_rows.items():
        shown = {"column": column, "values": ", ".join(values)}
        yield _("Only rows with “%(column)s” %(values)s are imported.") % shown
    if plan.ends_at:
        yield _("Rows from “%(text)s” on are left out.") % {"text": plan.ends_at}
