"""Events and properties of requests without a definition: their waiting rows, and their counts."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from activities.inbox import sightings
from activities.inbox.sightings import Kind, Seen
from activities.tracking.submissions import Submission
from activities.visitors.hits import Hit, HitStatus
from people.core.codes import Code
from people.core.errors import Problem
from people.core.messages import sentence as _


def place_waiting_events(submissions: Iterable[Submission]) -> None:
    """Give events without a type the row of the inbox under which they wait; none where no more of them are kept.

    Events of one commit share the room that there is.
    """
    items = [item for submission in submissions for item in submission.items if item.seen and _waits(item.hits)]
    if not items:
        return
    rows = sightings.find_or_add([item.seen[0] for item in items])
    waiting = [(item, hit, hit.waiting) for item in items for hit in item.hits if hit.waiting is not None]
    places = sightings.place_events(rows, [(item.seen[0].key, len(event.raw)) for item, _hit, event in waiting])
    for (item, hit, event), place in zip(waiting, places, strict=True):
        event.sighting_id = place
        if place is None:
            if hit.is_hint:  # the people of events that are not kept are not kept either
                hit.identity = None
            message = _("The inbox has no room for more events of this name or source now: this one is only counted.")
            item.not_kept = Problem(Code.UNKNOWN_TYPE, message)


def note_undefined_names(submissions: Iterable[Submission]) -> None:
    """Count the names of requests that are being committed; what was sent or is tried again is not counted again."""
    seen: list[Seen] = []
    kept: defaultdict[int, list[int]] = defaultdict(list)
    for submission in submissions:
        outcomes = iter(submission.outcomes)
        for item in submission.items:
            results = [outcome for _hit in item.hits if (outcome := next(outcomes, None)) is not None]
            statuses = [outcome.status for outcome in results]
            is_repeat = HitStatus.REPEATED in statuses or (not item.hits and submission.is_busy)
            if is_repeat or HitStatus.BUSY in statuses or (item.problems and not item.is_blocked):
                continue
            if item.seen:
                visitor_id = next((outcome.visitor_id for outcome in results if outcome.visitor_id is not None), None)
                seen += [_with_visitor(entry, visitor_id) for entry in item.seen]
            for hit, status in zip(item.hits, statuses, strict=False):
                if hit.waiting is not None and hit.waiting.sighting_id is not None and status is HitStatus.KEPT:
                    kept[hit.waiting.sighting_id].append(len(hit.waiting.raw))
    sightings.note_seen(seen, kept)


def _waits(hits: Iterable[Hit]) -> bool:
    return any(hit.waiting is not None for hit in hits)


def _with_visitor(entry: Seen, visitor_id: int | None) -> Seen:
    """The name with the visitor whose sample it brought; names of events have none."""
    return entry if entry.kind == Kind.EVENT else replace(entry, visitor_id=visitor_id)
