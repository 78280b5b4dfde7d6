"""Import targets: the kinds of rows that files can hold."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from django.utils.translation import gettext_lazy

from people.core.errors import Problem
from people.core.source import Source
from people.files.imports.plan import BatchResults, ImportPlan, ImportStatus, Mappable, RowHit, RowResult
from people.files.imports.undoing import UndoneRecords
from people.files.models import Import
from people.files.tabular import FileShape


class ImportTarget(ABC):
    """One kind of row that files can hold: names, parsing and recording of its columns."""

    kind: str
    label: Any
    rights: tuple[str, ...]
    batch = 5_000
    has_external_ids = False
    keeps_refused = False  # `keep` stores refused rows
    rows_are_people = False  # a row that is added is a person who was created
    defaults: Mapping[str, Any] = MappingProxyType({})  # parts of its plans that differ from those of `ImportPlan`
    # the results that its rows can have, as they are counted, and what a row that changed nothing is called
    statuses: tuple[ImportStatus, ...] = (ImportStatus.ADDED, ImportStatus.REPEATED, ImportStatus.REFUSED)
    repeated_label: Any = gettext_lazy("already imported")
    repeated_word = "already imported"  # in the summary of the command, which is in English

    def subjects(self) -> list[tuple[str, Any]]:
        """(subject, label) of each possible subject of the rows of one file."""
        return [("", self.label)]

    def batch_of(self, plan: ImportPlan) -> int:
        """The number of rows of a transaction, which may record at most 10,000 activities."""
        return self.batch

    def rights_of(self, plan: ImportPlan) -> tuple[str, ...]:
        """The rights, in addition to `rights`, that a user needs for the plan."""
        return ()

    @abstractmethod
    def mappable(self, subject: str) -> list[Mappable]:
        """The targets to which columns can be mapped; `subject` as in `ImportPlan`."""

    def labels(self, subject: str) -> dict[str, Any]:
        """The labels of the parts of a row, by their names in the paths of problems."""
        return {item.name: item.label for item in self.mappable(subject)}

    @abstractmethod
    def problems(self, plan: ImportPlan, shape: FileShape) -> Iterable[Problem]:
        """The problems of the plan, in addition to those checked for every target."""

    @abstractmethod
    def reader(self, plan: ImportPlan, shape: FileShape) -> "Reader":
        """The function from the cells of rows to rows for `record`; called in another thread, without the database."""

    @abstractmethod
    def record(self, rows: Sequence[Any], plan: ImportPlan, source: Source, *, dry_run: bool) -> BatchResults:
        """Write the rows within the caller's transaction."""

    def identities(self, rows: Sequence[Any], plan: ImportPlan) -> dict[int, tuple[str, str]]:
        """The identities of the rows that have one, by their places."""
        identities = ((place, self.identity(row, plan)) for place, row in enumerate(rows))
        return {place: identity for place, identity in identities if identity}

    def identity(self, row: Any, plan: ImportPlan) -> tuple[str, str] | None:
        """(key, content): rows of one file with the same key mean the same; None for a row without a key."""
        return None

    @abstractmethod
    def repeated_row_result(self, is_same: bool, plan: ImportPlan) -> RowResult:
        """The result of a row whose key occurred before in the file, with the same or with other content."""

    def optional(self, plan: ImportPlan) -> Collection[str]:
        """The names of required items and keys that need no column with this plan."""
        return ()

    def needs_lookup_choice(self, plan: ImportPlan) -> bool:
        """True where a user has to choose how existing people or records are found; ids always need a decision."""
        return plan.lookup_field == "id" or plan.lookup_field not in plan.columns

    def person_columns(self, shape: FileShape, emails: Sequence[str]) -> list[str] | None:
        """The columns that can name the person of a row, `emails` those with addresses; None if the plan names none."""
        return None

    def hits(self, rows: Sequence[Any], plan: ImportPlan) -> dict[int, RowHit]:
        """By the rows' places, the existing people or records that the rows of a preview would change or be about."""
        return {}

    def links(self, job: Import, user: Any) -> list[tuple[str, str]]:
        """(label, address) of pages where `user` may see the imported or the refused rows."""
        return []

    def keyed(self, rows: Sequence[Any], external_ids: Sequence[str | None]) -> Sequence[Any]:
        """The rows with these external ids; for kinds that have them."""
        return rows

    def keep(self, rows: Sequence[Any], results: Sequence[RowResult], plan: ImportPlan, source: Source) -> int:
        """Store refused rows so that they can be replayed, for kinds that support it; the number left out."""
        return 0

    def settled(self, keys: Collection[str]) -> set[str]:
        """The keys of refused rows that were recorded elsewhere since; the rows are locked for `settle`."""
        return set()

    def settle(self, recorded: Mapping[str, int | None]) -> None:
        """Mark refused rows, by their keys, as recorded now (under these ids, where they are known)."""
        return None

    def undo_rights(self, job: Import) -> tuple[str, ...]:
        """The rights that undoing the import needs for its records."""
        return ()

    def preview_undo(self, job: Import) -> UndoneRecords:
        """The result of `undo` if it ran now, for rows that are neither people nor activities; nothing is changed."""
        return UndoneRecords()

    def undo(self, job: Import, source: Source, track: Callable[[UndoneRecords], None]) -> None:
        """Undo the rows of the import part by part; `track` gets what a part did, in its transaction."""
        return None

    @abstractmethod
    def stored(self, row: Any, plan: ImportPlan) -> Sequence[tuple[str, str]]:
        """(label, value) pairs of a row as it will be stored, for the preview."""


# From the cells of rows: a row for `record` of each, or, in a list, a `Problem`; and for `ExternalId.HASH` the digests
# of their contents (32 hexadecimal digits).
Reader = Callable[[Sequence[Sequence[Any]]], tuple[Sequence[Any], list[str] | None]]
Convert = Callable[[Any], Any]
TARGETS: dict[str, ImportTarget] = {}


def reader_of_columns(columns: Sequence[tuple[str, int, Convert]], null_text: str) -> Reader:
    """A reader that makes a dictionary of each row: name → converted cell, None for a cell that is `null_text`.

    `columns`: (name, place of the cell, conversion). With an empty `null_text` no cell is None.
    """

    def read(table: Sequence[Sequence[Any]]) -> tuple[list[Any], None]:
        return [
            {
                name: None if null_text and cells[place] == null_text else convert(cells[place])
                for name, place, convert in columns
            }
            for cells in table
        ], None

    return read


def register_target(target: ImportTarget) -> None:
    TARGETS[target.kind] = target
