"""Submissions: the events of one request each, from its reading to its commit."""

from dataclasses import dataclass, field
from datetime import datetime

from activities.tracking.reading import ReceivedEvent
from activities.visitors.hits import HitOutcome, HitStatus
from people.core.codes import Code


@dataclass(slots=True)
class Submission:
    """The events of one request. `outcomes`: of its hits, in order, once they are committed.

    `received_at`: of a request that was kept before it was read; None: it came now.
    """

    source_id: int
    size: int
    items: list[ReceivedEvent]
    outcomes: list[HitOutcome] = field(default_factory=list)
    is_counted: bool = False  # it was counted in the use of its source, when it was kept or at an earlier try
    received_at: datetime | None = None
    is_unavailable: bool = (
        False  # a partition that it needs is missing: nothing is stored, and the client has to send it again
    )

    @property
    def number_of_hits(self) -> int:
        return sum(len(item.hits) for item in self.items)

    @property
    def is_busy(self) -> bool:
        """True if a hit has to be tried again."""
        return any(outcome.status is HitStatus.BUSY for outcome in self.outcomes)

    @property
    def is_over_quota(self) -> bool:
        return any(problem.code == Code.QUOTA_REACHED for item in self.items for problem in item.problems)

    @property
    def refused(self) -> list[ReceivedEvent]:
        return [item for item in self.items if item.problems]
