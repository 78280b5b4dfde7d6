"""Commits several requests in one transaction: hits, refused activities, and the use of the sources."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date
from typing import Any

from django.db import transaction
from django.utils import timezone

from activities.models import FIRST_CUSTOM_ID
from activities.recording import sql as recording_sql
from activities.recording.quarantine import storing
from activities.sources.recent import note_recent_events
from activities.sources.usage import Use, note_uses, uses_by_source
from activities.tracking.inbox import note_undefined_names, place_waiting_events
from activities.tracking.quality import note_quality
from activities.tracking.reading import ReceivedEvent
from activities.tracking.seen import seen_events
from activities.tracking.submissions import Submission
from activities.visitors import hits as visitor_hits
from activities.visitors.erased import burnt_visitors
from activities.visitors.hits import HitOutcome, HitStatus
from people.core import metrics
from people.core.codes import Code
from people.core.db.committed_counts import CommittedCounts
from people.core.errors import Problem
from people.core.messages import sentence as _
from people.core.source import Channel, Source

QUARANTINED_A_DAY = 10_000  # of one source and process; more are counted and not stored
HITS = metrics.register_counter("tracking_hits", "Hits of web pages, by outcome.", "outcome")
_quarantined: Counter[tuple[int, date]] = Counter()
_counts = CommittedCounts(_quarantined.update)


def commit_submissions(submissions: Sequence[Submission]) -> None:
    """Commit all submissions in one transaction, and set their `outcomes`.

    After an exception nothing is committed, and each of them may be submitted again. A day whose partition cannot be
    made fails the submissions that need it, and no others.
    """
    hits = [hit for submission in submissions for item in submission.items for hit in item.hits]
    if missing := visitor_hits.prepare_partitions(hits):
        submissions = [submission for submission in submissions if not _mark_unavailable(submission, missing)]
        hits = [hit for submission in submissions for item in submission.items for hit in item.hits]
    new_visitors: Counter[int] = Counter()
    with transaction.atomic():
        place_waiting_events(submissions)
        retired = _retired_types(submissions)
        outcomes = iter(visitor_hits.append_hits([hit for hit in hits if hit.type_id not in retired], new_visitors))
        for submission in submissions:
            submission.outcomes = [
                _retired_outcome() if hit.type_id in retired else next(outcomes)
                for item in submission.items
                for hit in item.hits
            ]
            _set_problems(submission)
        _forget_erased(submissions)
        counted = [submission for submission in submissions if not submission.is_busy]
        _quarantine(counted)
        note_undefined_names(submissions)
        note_recent_events(seen_events(counted))
        note_quality(submissions)
        note_uses(_uses(submissions, counted, new_visitors))
        transaction.on_commit(lambda: _measure(counted))
    for submission in submissions:
        submission.is_counted = True


def _mark_unavailable(submission: Submission, days: Collection[date]) -> bool:
    """Set and return whether the submission needs one of the days."""
    submission.is_unavailable = any(hit.sent_day in days for item in submission.items for hit in item.hits)
    return submission.is_unavailable


def _retired_types(submissions: Sequence[Submission]) -> set[int]:
    """The ids of custom types that were retired since the hits were checked."""
    items = [item for submission in submissions for item in submission.items if item.has_row]
    ids = {hit.type_id for item in items for hit in item.hits if (hit.type_id or 0) >= FIRST_CUSTOM_ID}
    if not ids:
        return set()
    states = recording_sql.states_of_types([pk for pk in ids if pk is not None])
    return {pk for pk in ids if pk and ((state := states.get(pk)) is None or state.is_retired or state.is_deleted)}


def _retired_outcome() -> HitOutcome:
    problem = Problem(Code.RETIRED_TYPE, _("the activity type is retired"), ("activity_type",))
    return HitOutcome(HitStatus.REFUSED, (problem,))


def _set_problems(submission: Submission) -> None:
    """Give each item the problems of its hits."""
    remaining = iter(submission.outcomes)
    for item in submission.items:
        for outcome in [next(remaining) for _hit in item.hits]:
            if outcome.problems:
                item.problems = tuple(outcome.problems)


def _forget_erased(submissions: Iterable[Submission]) -> None:
    """Drop what would be noted or quarantined of visitors whose person was erased, as their hits are dropped."""
    items = [
        item
        for submission in submissions
        for item in submission.items
        if item.visitor is not None and (item.problems or item.seen)
    ]
    burnt = burnt_visitors({item.visitor for item in items if item.visitor is not None})
    for item in items:
        if item.visitor in burnt:
            item.problems, item.row, item.later_row, item.seen, item.title = (), None, None, [], ""


def _quarantine(submissions: Iterable[Submission]) -> None:
    today = timezone.now().astimezone(UTC).date()
    by_source: dict[int, list[ReceivedEvent]] = {}
    pending = _counts.pending()
    for submission in submissions:
        for item in submission.items:
            if item.problems and item.read_row() is not None and item.problems[0].code != Code.QUOTA_REACHED:
                by_source.setdefault(submission.source_id, []).append(item)
    for source_id, items in sorted(by_source.items()):
        room = max(0, QUARANTINED_A_DAY - _quarantined[source_id, today] - pending[source_id, today])
        kept = items[:room]
        names = {item.row.activity_type for item in kept if item.row and isinstance(item.row.activity_type, str)}
        rows = [item.row for item in kept if item.row is not None]
        types: dict[Any, int] = dict(recording_sql.ids_of_types([name for name in names if name.isidentifier()]))
        types |= {row.activity_type: row.activity_type for row in rows if type(row.activity_type) is int}
        source = Source(Channel.EVENTS, event_source_id=source_id)
        storing.keep_refused_rows(rows, kept, source, UTC, types)
        _counts.note({(source_id, today): len(kept)})


def _uses(
    submissions: Iterable[Submission], counted: Iterable[Submission], new_visitors: Counter[int]
) -> dict[int, Use]:
    uses = uses_by_source(submission for submission in submissions if not submission.is_counted)
    for submission in counted:
        use = uses.setdefault(submission.source_id, Use())
        use.rejected += len(submission.refused)
        use.accepted += len(submission.items) - len(submission.refused)
    for source_id, number in new_visitors.items():
        uses.setdefault(source_id, Use()).new_visitors += number
    return uses


def _measure(submissions: Iterable[Submission]) -> None:
    counts: Counter[str] = Counter()
    for submission in submissions:
        counts.update(outcome.status.value for outcome in submission.outcomes if not outcome.problems)
        counts.update(str(item.problems[0].code) for item in submission.refused)
        counts[HitStatus.DROPPED.value] += sum(not item.hits and not item.problems for item in submission.items)
    for outcome, number in counts.items():
        if number:
            HITS.add(outcome, number=number)
