"""Columns of the list of people: person fields, and columns that other apps compute for the people of a page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.fields.catalog import FieldInfo

MOST_COLUMNS = 20
STANDARD = ("email", "company", "country")
EMAIL = "email"


@dataclass(frozen=True, slots=True)
class ComputedColumn:
    """A computed column. Its name has a point, which names of person fields have not."""

    name: str
    label: str | Promise
    sql: str  # of its value for a file, over a row `p` of `person`
    is_number: bool = False
    is_default: bool = True  # shown to who has chosen no columns


@dataclass(frozen=True, slots=True)
class ColumnSource:
    """Some computed columns that one bounded statement reads, with the right to see them.

    `values` returns by person and name of the column what a page shows; it is called once a page.
    """

    columns: Sequence[ComputedColumn]
    right: str
    values: Callable[[Sequence[int]], Mapping[int, Mapping[str, Any]]]


SOURCES: list[ColumnSource] = []


def register_column_source(source: ColumnSource) -> None:
    """Register computed columns; called by their app when it starts."""
    SOURCES.append(source)


def computed_columns(by: Any) -> dict[str, ComputedColumn]:
    """The computed columns that user `by` may see, by name."""
    return {column.name: column for source in SOURCES if by.has_perm(source.right) for column in source.columns}


def computed_values(names: Sequence[str], person_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The values of computed columns by person and name; one statement for each source that has one of `names`."""
    values: dict[int, dict[str, Any]] = {person_id: {} for person_id in person_ids}
    for source in SOURCES:
        if person_ids and any(column.name in names for column in source.columns):
            for person_id, row in source.values(person_ids).items():
                values[person_id].update(row)
    return values


def default_columns(by: Any) -> list[str]:
    """The columns of a user who has chosen none."""
    return [*STANDARD, *(name for name, column in computed_columns(by).items() if column.is_default)]


def parse_columns(names: Sequence[str], fields: Mapping[str, FieldInfo], by: Any) -> list[str]:
    """Checked names of columns, each once. Raises `RejectedError` (`unknown_column`, `too_many_values`)."""
    known_names = {*fields, *computed_columns(by)}
    if unknown := [name for name in names if name not in known_names]:
        message = _("There is no column “%(name)s”.") % {"name": str(unknown[0])[:80]}
        raise RejectedError(Problem(Code.UNKNOWN_COLUMN, message, ("columns",), "", str(unknown[0])[:80]))
    if len(set(names)) > MOST_COLUMNS:
        message = _("At most %(limit)s columns can be shown.") % {"limit": MOST_COLUMNS}
        raise RejectedError(Problem(Code.TOO_MANY_VALUES, message, ("columns",)))
    return list(dict.fromkeys(names))
