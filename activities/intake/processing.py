"""Processes kept requests exactly as if they came now with their time of arrival: the second stage of the intake.

A request leaves in the transaction that stores its events, so it is there, or everything is done. Those of one source
are processed by one process at a time, in their order; several sources share a pass.
"""

import logging
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

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

EVENTS_AT_ONCE = 3_000  # of one transaction; a request that has more is one by itself
REQUESTS_AT_ONCE = 500
MAX_TRIES = 5
PAUSE = timedelta(seconds=5)  # before the second try; each later one doubles it
REQUESTS = metrics.register_counter(
    "intake_requests", "Requests of programs that were processed, or raised an error.", "outcome"
)
logger = logging.getLogger(__name__)


class _NotNowError(Exception):
    """A visitor of the request is being associated, or a partition cannot be made now."""


@dataclass(frozen=True, slots=True)
class _Due:
    """A request that is due, without its body."""

    id: int
    source_id: int
    events: int


def process_intake() -> int:
    """Process the next requests; return their number, 0 when none can be processed now. Raises an outage."""
    busy: list[int] = []  # sources that other processes work on
    while due := _find_due(busy):
        sources = sorted({request.source_id for request in due})
        with locks.try_session_locks(locks.LockSpace.INTAKE, sources) as mine:
            if mine:
                # read again: another process may have processed some of them before it freed the lock
                return _process_due(_find_due([*busy, *(pk for pk in sources if pk not in mine)]), mine)
        busy += sources
    return 0


def _find_due(without: Sequence[int]) -> list[_Due]:
    """The oldest due requests, the same number of events of each source that has some, as many as one pass takes."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select r.id, r.source_id, r.events, r.before from event_source s cross join lateral (
                select id, source_id, events, sum(events) over (order by id) - events as before from (
                    select id, source_id, events from intake_request where source_id = s.id and not is_stuck
                        and (try_at is null or try_at <= now()) order by id limit %s) as first
            ) as r where s.id <> all(%s::bigint[]) and r.before < %s order by r.source_id, r.id""",
            [REQUESTS_AT_ONCE, list(without), EVENTS_AT_ONCE],
        )
        rows = cursor.fetchall()
    share = EVENTS_AT_ONCE // max(1, len({source_id for _pk, source_id, _events, _before in rows}))
    return [
        _Due(pk, source_id, events) for pk, source_id, events, before in rows if before == 0 or before + events <= share
    ]


def _process_due(due: Sequence[_Due], mine: Iterable[int]) -> int:
    """Process requests of sources whose locks are held; together, and those of each source apart where that fails."""
    due = [request for request in due if request.source_id in set(mine)]
    if not due:
        return 0
    types = load_live_types()
    try:
        _process([request.id for request in due], types)
    except Exception as error:
        if is_outage(error):
            raise
        if not isinstance(error, _NotNowError):
            logger.exception("requests of the intake; one by one")
    else:
        REQUESTS.add("processed", number=len(due))
        return len(due)
    return sum(_process_apart([request.id for request in group], types) for _source, group in groupby(due, _source_of))


def _source_of(request: _Due) -> int:
    return request.source_id


def _process_apart(ids: Sequence[int], types: LiveTypes) -> int:
    """Process requests of one source one by one, up to one that has to wait; return how many were settled.

    One that raises an error is tried again later, and the others do not wait for it.
    """
    for number, pk in enumerate(ids):
        try:
            _process([pk], types)
        except _NotNowError:
            return number
        except Exception as error:
            if is_outage(error):
                raise
            logger.exception("request %s of the intake", pk)
            _note_failure(pk, error)
            REQUESTS.add("failed")
        else:
            REQUESTS.add("processed")
    return len(ids)


def _process(ids: Sequence[int], types: LiveTypes) -> None:
    """Store the events of the requests, in one transaction in which the requests leave. Raises `_NotNowError`."""
    rows = list(IntakeRequest.objects.filter(pk__in=ids).order_by("pk"))
    sources = EventSource.objects.in_bulk({row.source_id for row in rows})
    submissions = [read_request(row, sources[row.source_id], types) for row in rows]
    # before the transaction: a partition is made in one of its own
    if prepare_partitions([hit for submission in submissions for item in submission.items for hit in item.hits]):
        raise _NotNowError
    with transaction.atomic():
        commit_submissions(submissions)
        if any(submission.is_busy or submission.is_unavailable for submission in submissions):
            raise _NotNowError
        gone, _of_tables = IntakeRequest.objects.filter(pk__in=[row.pk for row in rows]).delete()
        if gone != len(rows):  # an erase took one of them
            raise _NotNowError


def read_request(row: IntakeRequest, source: EventSource, types: LiveTypes) -> Submission:
    """The events of a request, read as when it came."""
    envelope = parse_envelope(row.call, bytes(row.body))
    if envelope.sent_at is None:
        envelope.sent_at = row.sent_at or None
    client = Client(Sender(source, None, None), row.received_at, Agent(""), opts_out=row.opts_out)
    items = read_messages(envelope, client, types)
    return Submission(source.pk, row.size, items, is_counted=True, received_at=row.received_at)


def _note_failure(pk: int, error: Exception) -> None:
    """Note where an error was raised, nothing of what was sent; after `MAX_TRIES` the request is stuck."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = f"{type(error).__name__} in {place.name}, line {place.lineno} of {place.filename.rpartition('/')[2]}"
    tries = IntakeRequest.objects.filter(pk=pk).values_list("tries", flat=True).first() or 0
    IntakeRequest.objects.filter(pk=pk).update(
        tries=F("tries") + 1, try_at=Now() + PAUSE * 2**tries, is_stuck=tries + 1 >= MAX_TRIES, error=text[:255]
    )
