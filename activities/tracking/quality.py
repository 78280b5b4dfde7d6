"""Counts of the events of committed requests that fitted their types, or did not."""

from collections.abc import Iterable

from activities.quality.counting import EventCounts, Key, add_counts
from activities.tracking.reading import ReceivedEvent
from activities.tracking.submissions import Submission
from activities.visitors.hits import HitStatus

_OF_VALUES = frozenset({"attributes", "primary_value"})  # the first steps of the paths of values' problems


def note_quality(submissions: Iterable[Submission]) -> None:
    """Count the events of requests that are being committed; what was sent before is not counted again."""
    counts_by_key: dict[Key, EventCounts] = {}
    for submission in submissions:
        outcomes = iter(submission.outcomes)
        for item in submission.items:
            statuses = [outcome.status for _hit in item.hits if (outcome := next(outcomes, None)) is not None]
            if item.type_id is None or not _counts(item, statuses, submission):
                continue
            counts = counts_by_key.setdefault((item.type_id, submission.source_id, item.library), EventCounts())
            counts.events += 1
            counts.unknown += bool(item.seen)
            counts.wrong += _is_wrong(item)
    add_counts(counts_by_key)


def _counts(item: ReceivedEvent, statuses: list[HitStatus], submission: Submission) -> bool:
    """True for an event that came now for the first time and was taken, or rejected for its values."""
    if HitStatus.KEPT in statuses:
        return True
    return not item.hits and _is_wrong(item) and not submission.is_busy


def _is_wrong(item: ReceivedEvent) -> bool:
    return any(problem.path and problem.path[0] in _OF_VALUES for problem in item.problems)
