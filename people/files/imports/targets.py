"""Import targets: what the rows of a file become."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from people.core.errors import Problem
from people.core.source import Source
from people.files.imports.plan import Hit, Mappable, Plan, Result, Results
from people.files.models import Import
from people.files.tabular import Shape


class Target(ABC):
    """One kind of row that files can hold: how its columns are called, read and recorded."""

    kind: str
    label: Any
    rights: tuple[str, ...]
    batch = 5_000
    has_external_ids = False
    rows_are_people = False  # a row that is added is a person who was created

    def subjects(self) -> list[tuple[str, Any]]:
        """(subject, label) of each thing that the rows of one file can be about."""
        return [("", self.label)]

    def batch_of(self, plan: Plan) -> int:
        """How many rows a transaction takes: none leaves more than 10,000 activities in the log."""
        return self.batch

    def rights_of(self, plan: Plan) -> tuple[str, ...]:
        """What a user needs besides `rights` for what the plan does."""
        return ()

    @abstractmethod
    def mappable(self, subject: str) -> list[Mappable]:
        """What columns can be mapped to; `subject` as in `Plan`."""

    def labels(self, subject: str) -> dict[str, Any]:
        """What marketers call the parts of a row, by their names in the paths of problems."""
        return {item.name: item.label for item in self.mappable(subject)}

    @abstractmethod
    def problems(self, plan: Plan, shape: Shape) -> Iterable[Problem]:
        """What is wrong with the plan besides what holds for every target."""

    @abstractmethod
    def reader(self, plan: Plan, shape: Shape) -> "Reader":
        """What turns the cells of rows into rows for `record`; called in another thread, it asks no database."""

    @abstractmethod
    def record(self, rows: Sequence[Any], plan: Plan, source: Source, *, dry_run: bool) -> Results:
        """Write the rows within the caller's transaction."""

    def identities(self, rows: Sequence[Any], plan: Plan) -> dict[int, tuple[str, str]]:
        """The identities of the rows that have one, by their places."""
        found = ((place, self.identity(row, plan)) for place, row in enumerate(rows))
        return {place: identity for place, identity in found if identity}

    def identity(self, row: Any, plan: Plan) -> tuple[str, str] | None:
        """(key, content): rows of one file with the same key mean the same thing; None when a row has no key."""
        return None

    @abstractmethod
    def again(self, is_same: bool, plan: Plan) -> Result:
        """What becomes of a row whose key came before in the file, with the same or with other content."""

    def hits(self, rows: Sequence[Any], plan: Plan) -> dict[int, Hit]:
        """By their places, whom the rows of a preview would change or be about, of the people who are known."""
        return {}

    def links(self, job: Import, user: Any) -> list[tuple[str, str]]:
        """(label, address) of pages where `user` may look at what came in, or what was refused."""
        return []

    def keyed(self, rows: Sequence[Any], external_ids: Sequence[str | None]) -> Sequence[Any]:
        """The rows with these external ids; for kinds that have them."""
        return rows

    def keep(self, rows: Sequence[Any], results: Sequence[Result], plan: Plan, source: Source) -> None:
        """Keep refused rows where they can be recorded after all; for kinds that do so."""
        return None

    def settled(self, keys: Collection[str]) -> set[str]:
        """Which of the refused rows with these keys were recorded elsewhere since; they are held for `settle`."""
        return set()

    def settle(self, recorded: Mapping[str, int | None]) -> None:
        """Refused rows, by their keys, are recorded now (under these ids, where they are known)."""
        return None

    @abstractmethod
    def stored(self, row: Any, plan: Plan) -> Sequence[tuple[str, str]]:
        """(label, value) pairs of a row as it will be stored, for the preview."""


# From the cells of rows: what `record` takes of each, or, in a list, a `Problem`; and for `ExternalId.HASH` the digests
# of their contents (32 hexadecimal digits).
Reader = Callable[[Sequence[Sequence[Any]]], tuple[Sequence[Any], list[str] | None]]
TARGETS: dict[str, Target] = {}


def register(target: Target) -> None:
    TARGETS[target.kind] = target
