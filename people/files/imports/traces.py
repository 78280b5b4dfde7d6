"""What imports leave in the log, asked of the app above that keeps it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from people.files.models import Import


class Change(NamedTuple):
    """A value that an import gave a person who was known: as the log has it, in text."""

    person_id: int
    field: str
    old: str
    new: str


class Created(NamedTuple):
    """A person whom an import created, and the entry of the log that says so."""

    activity_id: int
    person_id: int


class Traces(Protocol):
    """Finds what one import left in the log, between `Import.first_id` and `Import.last_id`."""

    def mark(self) -> int:
        """The greatest id that the log has given out."""
        ...

    def created(self, job: Import, after: int = 0, limit: int = 1_000, *, is_live: bool = False) -> list[Created]:
        """The people whom the import created, whatever has become of them, or those who are there; in the order of
        the log, at most `limit` from the entry `after` on.
        """
        ...

    def recorded(self, job: Import) -> int:
        """How many activities of the import are in the log, those not counted that the product recorded besides."""
        ...

    def remove(self, job: Import, by: Any, track: Callable[[int], None]) -> int:
        """Take these activities out of the log, each with a removal entry, and free their external ids."""
        ...

    def changes(self, job: Import, limit: int) -> tuple[int, Sequence[Change]]:
        """How many values of people known before the import changed, and the first `limit` of them."""
        ...


_registered: list[Traces] = []


def register(traces: Traces) -> None:
    """Make the log known; called when the app starts."""
    _registered[:] = [traces]


def people_created(job: Import, step: int = 10_000) -> Iterator[int]:
    """The ids of all people whom the import created, whatever has become of them."""
    after = 0
    while some := of_log().created(job, after, step):
        yield from (one.person_id for one in some)
        after = some[-1].activity_id


def of_log() -> Traces:
    return _registered[0]
