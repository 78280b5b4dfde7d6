"""Processes kept requests exactly as if they came now with their time of arrival: the second stage of the intake.

A request leaves in the transaction that stores its events, so it is there, or everything is done. Those of one source
are processed by one process at a time, in their order; several sources share a pass.
"""

import logging
import traceback
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby

from django.db import transaction

from activities.intake.due import (
    Due,
    begin_pass,
    begin_try,
    end_pass,
    find_due,
    source_of,
    take_try_back,
    unended_passes,
)
from activities.models import EventSource, IntakeRequest
from activities.segment.messages import read_messages
from activities.segment.wire import parse_envelope
from activities.sources.authentication import Sender
from activities.tracking.agents import Agent
from activities.tracking.committing import commit_submissions
from activities.tracking.live_types import LiveTypes, load_live_types
from activities.tracking.reading import Client
from activities.tracking.submissions import Submission
from activities.visitors.hits import prepare_partitions
from people.core import metrics
from people.core.db import locks
from people.core.db.outages import is_outage
from people.core.errors import RejectedError

REQUESTS = metrics.register_counter(
    "intake_requests", "Requests of programs that were processed, or raised an error.", "outcome"
)
logger = logging.getLogger(__name__)


def process_intake() -> int:
    """Process the next requests; return their number, 0 when none can be processed now. Raises an outage."""
    busy: list[int] = []  # sources that other processes work on
    while due := find_due(busy):
        sources = sorted({request.source_id for request in due})
        with locks.try_session_locks(locks.LockSpace.INTAKE, sources) as mine:
            if mine:
                # read again: another process may have processed some of them before it freed the lock
                return _process_due(find_due([*busy, *(pk for pk in sources if pk not in mine)]), mine)
        busy += sources
    return 0


def _process_due(due: Sequence[Due], mine: Collection[int]) -> int:
    """Process requests of sources whose locks are held; return the number of those that were settled.

    Those of a pass that never ended are processed one by one, and so are those that were tried before.
    """
    types = load_live_types()
    unended = unended_passes(mine)
    together: list[Due] = []
    number = 0
    for source_id, group in _by_source(request for request in due if request.source_id in mine):
        last = max([unended.get(source_id, 0), *(request.id for request in group if request.tries)])
        apart = [request for request in group if request.id <= last]
        together += [] if apart else group
        number += _process_apart(apart, types)
    return number + _process_together(together, types)


def _by_source(requests: Iterable[Due]) -> list[tuple[int, list[Due]]]:
    ordered = sorted(requests, key=lambda request: (request.source_id, request.id))
    return [(source_id, list(group)) for source_id, group in groupby(ordered, source_of)]


def _process_together(requests: Sequence[Due], types: LiveTypes) -> int:
    """Process requests in one transaction; where that fails, those of each source, and then of one source one by one.

    Returns how many were settled.
    """
    if not requests:
        return 0
    begin_pass(requests)
    try:
        number = _process([request.id for request in requests], types)
    except Exception as error:
        if is_outage(error):
            raise
        groups = _by_source(requests)
        if len(groups) > 1:
            return sum(_process_together(group, types) for _source_id, group in groups)
        logger.exception("requests of the intake; one by one")
        return _process_apart(requests, types)
    REQUESTS.add("processed", number=number)
    return number


def _process_apart(requests: Sequence[Due], types: LiveTypes) -> int:
    """Process requests of one source one by one, up to one that has to wait; return how many were settled.

    One that raises an error is tried again later, and the others do not wait for it.
    """
    for number, request in enumerate(requests):
        begin_try(request)
        try:
            is_done = _process([request.id], types)
        except Exception as error:
            if is_outage(error):
                raise
            logger.exception("request %s of the intake", request.id)
            _note_failure(request.id, error)
            REQUESTS.add("failed")
        else:
            if not is_done:
                take_try_back(request)
                return number
            REQUESTS.add("processed")
    return len(requests)


def _process(ids: Sequence[int], types: LiveTypes) -> int:
    """Store the events of the requests, in one transaction in which the requests leave; return how many left.

    Those stay of which a visitor is being associated, or of which a partition cannot be made now.
    """
    rows = list(IntakeRequest.objects.filter(pk__in=ids).order_by("pk"))
    sources = EventSource.objects.in_bulk({row.source_id for row in rows})
    submissions = {row.pk: read_request(row, sources[row.source_id], types) for row in rows}
    # before the transaction: a partition is made in one of its own
    hits = [hit for submission in submissions.values() for item in submission.items for hit in item.hits]
    missing = prepare_partitions(hits)
    with transaction.atomic():
        present = IntakeRequest.objects.filter(pk__in=list(submissions)).order_by("pk")
        # an erase may be deleting one
        here = set(present.select_for_update(skip_locked=True).values_list("pk", flat=True))
        ready = _ready(submissions, here, missing)
        commit_submissions(list(ready.values()))
        done = [pk for pk, submission in ready.items() if not (submission.is_busy or submission.is_unavailable)]
        IntakeRequest.objects.filter(pk__in=done).delete()
        end_pass(sources)
    return len(done)


def _ready(
    submissions: Mapping[int, Submission], here: Collection[int], missing: Collection[date]
) -> dict[int, Submission]:
    """The requests of each source before the first that cannot be processed now: the order is kept."""
    ready: dict[int, Submission] = {}
    waiting: set[int] = set()  # sources
    for pk, submission in submissions.items():
        needs_missing = any(hit.sent_day in missing for item in submission.items for hit in item.hits)
        if pk not in here or needs_missing:
            waiting.add(submission.source_id)
        elif submission.source_id not in waiting:
            ready[pk] = submission
    return ready


def read_request(row: IntakeRequest, source: EventSource, types: LiveTypes) -> Submission:
    """The events of a request, read as when it came."""
    body = bytes(row.body)
    try:
        envelope = parse_envelope(row.call, body)
    except RejectedError:  # nested beyond what is read exactly: as it was read when it was acknowledged
        envelope = parse_envelope(row.call, body, is_to_check=True)
    if envelope.sent_at is None:
        envelope.sent_at = row.sent_at or None
    envelope.key = row.key
    client = Client(Sender(source, None, None), row.received_at, Agent(""), opts_out=row.opts_out)
    items = read_messages(envelope, client, types)
    return Submission(source.pk, row.size, items, is_counted=True, received_at=row.received_at)


def _note_failure(pk: int, error: Exception) -> None:
    """Note where an error was raised, nothing of what was sent; its try is counted already."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = f"{type(error).__name__} in {place.name}, line {place.lineno} of {place.filename.rpartition('/')[2]}"
    IntakeRequest.objects.filter(pk=pk).update(error=text[:255])
