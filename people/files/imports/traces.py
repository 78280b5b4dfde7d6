"""The interface to the traces of imports in the log, implemented by the app of the log."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from people.files.models import Import


class TracedChange(NamedTuple):
    """A change of an existing person by an import, as text from the log."""

    person_id: int
    field: str
    old: str
    new: str


class ImportTraces(Protocol):
    """Finds the traces of one import in the log, between `Import.first_id` and `Import.last_id`."""

    def mark(self) -> int:
        """The greatest id assigned by the log."""
        ...

    def created(self, job: Import) -> list[int]:
        """The people created by the import, in any state."""
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


def log_traces() -> ImportTraces:
    return _registered[0]
