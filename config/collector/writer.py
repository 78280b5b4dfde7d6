"""The single thread that commits: all queued submissions in one transaction, without a timer."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import Any, Protocol

import psycopg
from django.db import InterfaceError, OperationalError, connection

from activities.tracking.committing import commit_submissions
from config.observability import outages
from people.core import metrics

logger = logging.getLogger(__name__)

MAX_GROUP = 1_000  # hits or items in one transaction
COMMIT_WAIT = 6.0  # seconds for which a request waits for its commit; senders give up after some ten
EXPIRY_SECONDS = 0.5
BUSY_SECONDS = 5.0  # for which a visitor that is being associated is waited for
BUSY_PAUSE = 0.02
COMMIT_SECONDS = metrics.register_histogram("collector_commit_seconds", "Commits of the collector.")


class QueueFullError(Exception):
    """The queue of submissions is full."""


class NotCommittedError(Exception):
    """The submission was not committed, or the result is unknown: the client has to send it again.

    `outage`: the reason, if it is known.
    """

    def __init__(self, outage: outages.Outage | None = None) -> None:
        super().__init__()
        self.outage = outage


class Committable(Protocol):
    """The part of a request to be committed, such as a `Submission`."""

    is_unavailable: bool

    @property
    def number_of_hits(self) -> int:
        """Its weight in the queue."""

    @property
    def items(self) -> Sequence[Any]:
        """Its parts; they weigh where they are more."""

    @property
    def is_busy(self) -> bool:
        """True where it has to be tried again."""


@dataclass(slots=True, eq=False)
class _Entry:
    submission: Committable
    future: "asyncio.Future[None]"
    deadline: float
    wait_ends: float


class Writer(threading.Thread):
    """Takes submissions from an event loop, and completes their futures after the commit."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        max_hits: int,
        commit: Callable[[Sequence[Any]], None] = commit_submissions,
    ) -> None:
        super().__init__(name="writer", daemon=True)
        self._loop, self._max_hits, self._commit_all = loop, max_hits, commit
        self._queue: deque[_Entry] = deque()
        self._ready = threading.Condition()
        self._is_stopping = False
        self._unanswered: deque[_Entry] = deque()  # in the order of their coming; those that are done stay for a while
        self._expiry: asyncio.TimerHandle | None = None
        self.waiting = 0  # hits, or items where these are more, in the queue

    def submit(self, submission: Committable) -> "asyncio.Future[None]":
        """A future of the commit, which raises `NotCommittedError`. Raises `QueueFullError`."""
        weight = _weight(submission)
        with self._ready:
            if (self.waiting and self.waiting + weight > self._max_hits) or self._is_stopping:
                raise QueueFullError
            now = monotonic()
            entry = _Entry(submission, self._loop.create_future(), now + BUSY_SECONDS, now + COMMIT_WAIT)
            self._queue.append(entry)
            self.waiting += weight
            self._ready.notify()
        self._unanswered.append(entry)
        if self._expiry is None:  # one timer for all: one for each request costs more than its hit's validation
            self._expiry = self._loop.call_later(EXPIRY_SECONDS, self._expire)
        return entry.future

    def _expire(self) -> None:
        """Answer requests that have waited for `COMMIT_WAIT`; their hits may be committed later, and are known then."""
        now = monotonic()
        while self._unanswered and (self._unanswered[0].future.done() or self._unanswered[0].wait_ends < now):
            _fulfil([self._unanswered.popleft().future], NotCommittedError())
        self._expiry = self._loop.call_later(EXPIRY_SECONDS, self._expire) if self._unanswered else None

    def stop(self) -> None:
        """Commit all accepted submissions, and end."""
        with self._ready:
            self._is_stopping = True
            self._ready.notify()
        self.join()

    def run(self) -> None:
        while group := self._take():
            self._commit(group)
        connection.close()

    def _take(self) -> list[_Entry]:
        with self._ready:
            self._ready.wait_for(lambda: self._queue or self._is_stopping)
            group, hits = [], 0
            while self._queue and hits < MAX_GROUP:
                entry = self._queue.popleft()
                hits += _weight(entry.submission)
                group.append(entry)
            self.waiting -= hits
            return group

    def _commit(self, group: list[_Entry]) -> None:
        failures = self._try(group)
        if failures is None:
            self._settle(group)
        elif isinstance(failures, NotCommittedError):
            self._finish(group, failures)
        else:  # one of them is faulty: it must not fail the others
            for entry in group:
                if failure := self._try([entry]):
                    self._finish([entry], failure)
                else:
                    self._settle([entry])

    def _settle(self, group: list[_Entry]) -> None:
        """Complete submissions that were committed, or queue them again."""
        unavailable = [entry for entry in group if entry.submission.is_unavailable]
        busy = [entry for entry in group if entry.submission.is_busy and not entry.submission.is_unavailable]
        others = {*unavailable, *busy}
        self._finish(unavailable, NotCommittedError())
        self._finish([entry for entry in group if entry not in others])
        self._wait_for_visitors(busy, only_busy=len(busy) == len(group))

    def _try(self, group: list[_Entry]) -> Exception | None:
        """Commit; after a lost connection once more, as message ids keep a row from being stored twice."""
        outage = None
        for is_last in (False, True):
            started = perf_counter()
            try:
                self._commit_all([entry.submission for entry in group])
            except (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError) as error:
                connection.close()
                outage = outages.find_outage(error)
                if is_last:
                    logger.warning("the database took nothing: %s", str(error).partition("\n")[0])
            except Exception as error:
                connection.close()
                if len(group) == 1:
                    logger.exception("a request could not be committed")
                return error
            else:
                COMMIT_SECONDS.observe(perf_counter() - started)
                return None
        return NotCommittedError(outage)

    def _wait_for_visitors(self, busy: list[_Entry], only_busy: bool) -> None:
        """Queue hits again until their visitor's association is committed, for a limited time."""
        now = monotonic()
        self._finish([entry for entry in busy if now > entry.deadline], NotCommittedError())
        again = [entry for entry in busy if now <= entry.deadline]
        with self._ready:
            self._queue.extendleft(reversed(again))
            self.waiting += sum(_weight(entry.submission) for entry in again)
            if again and only_busy and len(self._queue) == len(again):
                self._ready.wait(BUSY_PAUSE)

    def _finish(self, entries: list[_Entry], failure: Exception | None = None) -> None:
        if entries:
            self._loop.call_soon_threadsafe(_fulfil, [entry.future for entry in entries], failure)


def _weight(submission: Committable) -> int:
    """The work of a commit: items without hits are noted, counted or kept for review, too."""
    return max(submission.number_of_hits, len(submission.items), 1)


def _fulfil(futures: Sequence["asyncio.Future[None]"], failure: Exception | None) -> None:
    for future in futures:
        if future.done():  # its client has disconnected
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)
