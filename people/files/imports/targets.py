"""Import targets: the kinds of rows that files can hold."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from people.core.errors import Problem
from people.core.source import Source
from people.files.imports.plan import BatchResults, ImportPlan, Mappable, PersonHit, RowResult
from people.files.models import Import
from people.files.tabular import FileShape


class ImportTarget(ABC):
    """One kind of row that files can hold: names, parsing and recording of its columns."""

    kind: str
    label: Any
    rights: tuple[str, ...]
    batch = 5_000
    has_external_ids = False
    rows_are_people = False  # a row that is added is a person who was created

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

    def hits(self, rows: Sequence[Any], plan: ImportPlan) -> dict[int, PersonHit]:
        """By the rows' places, the existing people that the rows of a preview would change or be about."""
        return {}

    def links(self, job: Import, user: Any) -> list[tuple[str, str]]:
        """(label, address) of pages where `user` may see the imported or the refused rows."""
        return []

    def keyed(self, rows: Sequence[Any], external_ids: Sequence[str | None]) -> Sequence[Any]:
        """The rows with these external ids; for kinds that have them."""
        return rows

    def keep(self, rows: Sequence[Any], results: Sequence[RowResult], plan: ImportPlan, source: Source) -> None:
        """Store refused rows so that they can be replayed; for kinds that support it."""
        return None

    def settled(self, keys: Collection[str]) -> set[str]:
        """The keys of refused rows that were recorded elsewhere since; the rows are locked for `settle`."""
        return set()

    def settle(self, recorded: Mapping[str, int | None]) -> None:
        """Mark refused rows, by their keys, as recorded now (under these ids, where they are known)."""
        return None

    @abstractmethod
    def stored(self, row: Any, plan: ImportPlan) -> Sequence[tuple[str, str]]:
        """(label, value) pairs of a row as it will be stored, for the preview."""


# From the cells of rows: a row for `record` of each, or, in a list, a `Problem`; and for `ExternalId.HASH` the digests
# of their contents (32 hexadecimal digits).
Reader = Callable[[Sequence[Sequence[Any]]], tuple[Sequence[Any], list[str] | None]]
TARGETS: dict[str, ImportTarget] = {}


def register_target(target: ImportTarget) -> None:
    TARGETS[target.kind] = target
