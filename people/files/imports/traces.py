"""The interface to the traces of imports in the log, implemented by the app of the log."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from people.files.models import Import


class TracedChange(NamedTuple):
    """A change of an existing person by an import, as text from the log."""

    person_id: int
    field: str
    old: str
    new: str


class Created(NamedTuple):
    """A person created by an import, and the log entry of the creation."""

    activity_id: int
    person_id: int


class ImportTraces(Protocol):
    """Finds the traces of one import in the log, between `Import.first_id` and `Import.last_id`."""

    def mark(self) -> int:
        """The greatest id assigned by the log."""
        ...

    def created(self, job: Import, after: int = 0, limit: int = 1_000, *, is_live: bool = False) -> list[Created]:
        """The people created by the import, in any state or, with `is_live`, the live ones.

        In the order of the log: at most `limit` with log ids greater than `after`.
        """
        ...

    def recorded(self, job: Import) -> int:
        """The number of the import's activities in the log, without those recorded by the product itself."""
        ...

    def remove(self, job: Import, by: Any, track: Callable[[int], None]) -> int:
        """Remove these activities from the log, each with a removal entry, and free their external ids."""
        ...

    def changes(self, job: Import, limit: int) -> tuple[int, Sequence[TracedChange]]:
        """The number of changed values of people who existed before the import, and the first `limit` changes."""
        ...


_registered: list[ImportTraces] = []


def register_traces(traces: ImportTraces) -> None:
    """Register the log; called when the app starts."""
    _registered[:] = [traces]


def people_created(job: Import, step: int = 10_000) -> Iterator[int]:
    """Yield the ids of all people created by the import, in any state."""
    after = 0
    while rows := log_traces().created(job, after, step):
        yield from (created.person_id for created in rows)
        after = rows[-1].activity_id


def log_traces() -> ImportTraces:
    """The traces of imports in the log, as registered by `activities`."""
    return _registered[0]
