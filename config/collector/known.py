"""Keys and types, cached for a few seconds instead of being read at each request."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from time import monotonic
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from activities.inbox.names import MAX_NAME
from activities.sources.authentication import KeyRejectedError
from activities.sources.recent import REFUSED_REQUEST, Outcome, SeenEvent, note_recent_events
from activities.tracking.live_types import LiveTypes, load_live_types
from activities.tracking.senders import FRESH_SECONDS, USABLE_SECONDS, KnownKey, KnownKeys, read_key
from activities.visitors.partitions import make_days
from config.collector.http import HttpError
from config.observability import collector_heartbeat, outages

logger = logging.getLogger(__name__)
T = TypeVar("T")

TYPES_SECONDS = 2.0
NEW_TYPES_SECONDS = 0.25  # the least time between two reads of the types for unknown names
MOST_UNKNOWN = 10_000  # unknown names that are remembered; with so many, types are read by the beat alone
MOST_REFUSALS = 100
REREAD_SECONDS = 0.25  # the time for which a request waits for a key to be read again
READ_SECONDS = 4.0  # for which anything waits for the database, which may be frozen
MOST_READINGS = 200  # reads of keys at once; each made-up address of an attacker causes one


class KnownState:
    """Cached keys and types; used by the event loop, read in threads."""

    def __init__(self) -> None:
        self.types: LiveTypes | None = None
        self._types_read_at = 0.0
        self._reading_types = asyncio.Lock()
        self._unknown: set[tuple[int | None, str]] = set()  # names that no type had since the last beat, by source
        self._keys = KnownKeys()
        self._reading: dict[str, asyncio.Task[KnownKey]] = {}
        self._reading_unknown: dict[str, asyncio.Task[KnownKey]] = {}
        self._reading_links = {True: 0, False: 0}
        self._pool = ThreadPoolExecutor(2, "reader")
        self._pool_of_unknown = ThreadPoolExecutor(1, "reader-of-unknown")
        self._refusals: deque[SeenEvent] = deque(maxlen=MOST_REFUSALS)  # for the live pages, until the next beat

    async def find_key(self, text: str, oldest: float = USABLE_SECONDS) -> KnownKey:
        """The key as it was a few seconds ago, or up to `oldest` seconds ago if reading it again takes long.

        Raises `HttpError` (503) if it cannot be read and is not cached.
        """
        known = self._keys.find(text)
        if known is not None and known.age < FRESH_SECONDS:
            return known
        is_key = known is not None and known.key is not None
        usable = known if is_key and known is not None and known.age < oldest else None
        try:
            task = self._begin_reading(text, is_key)
            if usable is None:
                return await asyncio.shield(task)
            done, _waiting = await asyncio.wait({task}, timeout=REREAD_SECONDS)
            return task.result() if done else usable
        except HttpError:
            if usable is None:
                raise
            return usable

    def _begin_reading(self, text: str, is_key: bool) -> "asyncio.Task[KnownKey]":
        """The task that reads a key; known keys have slots of their own, which made-up keys cannot fill."""
        reading, pool = (self._reading, self._pool) if is_key else (self._reading_unknown, self._pool_of_unknown)
        task = reading.get(text)
        if task is None:
            if len(reading) >= MOST_READINGS:
                raise unavailable_error()
            task = reading[text] = asyncio.create_task(self.in_database(lambda: read_key(text), pool))
            task.add_done_callback(lambda done: self._keep(reading, text, done))
        return task

    def _keep(self, reading: "dict[str, asyncio.Task[KnownKey]]", text: str, done: "asyncio.Task[KnownKey]") -> None:
        reading.pop(text, None)
        if not done.cancelled() and done.exception() is None:
            self._keys.keep(text, done.result())

    async def read_link(self, read: Callable[[], T], *, is_known: bool) -> T:
        """Return what `read` reads of a link, as keys are read: made-up codes have slots and a thread of their own.

        Raises `HttpError` (503).
        """
        self._reading_links[is_known] += 1
        try:
            if self._reading_links[is_known] > MOST_READINGS:
                raise unavailable_error()
            return await self.in_database(read, self._pool if is_known else self._pool_of_unknown)
        finally:
            self._reading_links[is_known] -= 1

    def note_refusal(self, known: KnownKey, refusal: KeyRejectedError, came_from: str) -> None:
        """Note a request that was refused as a whole, for the live page of the key's source."""
        if known.key is not None:
            source_id, problem = known.key.source_id, refusal.problems[0]
            self._refusals.append(SeenEvent(source_id, REFUSED_REQUEST, came_from, Outcome.REFUSED, problem))

    async def current_types(self, names: Iterable[str] = (), source_id: int | None = None) -> LiveTypes:
        """The types; read again if one of `names` is unknown, as it may have been approved a moment ago.

        `source_id`: of the source whose events have these names, without it they are names of types. A name that is
        still unknown is not looked up again before the next beat; requests without new names never wait. A request
        with new names is answered by a reading that began after it came, which it shares with those beside it. Raises
        `HttpError` (503).
        """
        wanted, came_at = list(names), monotonic()
        if self.types is not None and not self._unknown_of(self.types, wanted, source_id):
            return self.types
        try:
            return await asyncio.wait_for(self._types_with(wanted, source_id, came_at), READ_SECONDS)
        except TimeoutError:
            raise unavailable_error() from None

    async def _types_with(self, names: Sequence[str], source_id: int | None, came_at: float) -> LiveTypes:
        async with self._reading_types:
            types = self.types
            if types is None or self._unknown_of(types, names, source_id):
                if types is None or self._types_read_at < came_at:
                    await asyncio.sleep(self._types_read_at + NEW_TYPES_SECONDS - monotonic())
                    types = await self._read_types()
                self._unknown.update(self._unknown_of(types, names, source_id))
        return types

    async def _read_types(self) -> LiveTypes:
        """Read the types; callers hold the lock, so that no older reading replaces a newer one."""
        began_at = monotonic()
        self.types = await self.in_database(load_live_types)
        self._types_read_at = began_at
        return self.types

    def _unknown_of(
        self, types: LiveTypes, names: Iterable[str], source_id: int | None
    ) -> list[tuple[int | None, str]]:
        """The names that neither a type nor a decision has, without those looked up since the last beat."""
        if len(self._unknown) >= MOST_UNKNOWN:
            return []
        clipped = (name[: MAX_NAME + 1] for name in names)  # no type has a longer name
        return [
            (source_id, name)
            for name in clipped
            if (source_id, name) not in self._unknown
            and not (types.find(name) if source_id is None else types.knows_event(source_id, name))
        ]

    async def in_database(self, read: Callable[[], T], pool: ThreadPoolExecutor | None = None) -> T:
        """The result of `read`, run in a thread. Raises `HttpError` (503) while the database is unavailable.

        A frozen server refuses nothing: the thread waits for it, the request only for `READ_SECONDS`.
        """
        reading = asyncio.get_running_loop().run_in_executor(pool or self._pool, _guarded, read)
        try:
            return await asyncio.wait_for(reading, READ_SECONDS)
        except TimeoutError:
            raise unavailable_error() from None
        except (DatabaseError, InterfaceError) as error:
            raise unavailable_error(outages.find_outage(error)) from None

    async def keep_current(self, state: Callable[[], dict[str, int]]) -> None:
        """Read the types repeatedly, and write the heartbeat of this process, until cancelled.

        The partitions that may be missing until the nightly job has run are created first.
        """
        has_days = False
        while True:
            try:
                async with self._reading_types:
                    await self._read_types()
                    self._unknown.clear()
                values = state()
                await self.in_database(lambda values=values: collector_heartbeat.write_heartbeat(values))  # type: ignore[misc]
                await self._store_refusals()
                if not has_days:
                    await self.in_database(lambda: make_days(timezone.now().astimezone(UTC).date()))
                    has_days = True
            except HttpError:  # the database is unavailable: the cached state stays in use
                pass
            except Exception:
                logger.exception("the types could not be read")
            await asyncio.sleep(TYPES_SECONDS)

    async def _store_refusals(self) -> None:
        refusals = list(self._refusals)
        self._refusals.clear()
        if refusals:
            await self.in_database(lambda: note_recent_events(refusals))

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._pool_of_unknown.shutdown(cancel_futures=True)


def unavailable_error(outage: outages.Outage | None = None) -> HttpError:
    """The answer while nothing can be read or kept: the request is to be sent again."""
    if outage is None or outage is outages.TIMEOUT:  # the sender requested nothing that could be less
        outage = outages.current_outage()
    return HttpError(503, outage.code, str(outage.message), {"Retry-After": str(outage.retry_after)})


def _guarded(read: Callable[[], T]) -> T:
    """The result of `read`, which is called a second time if an old connection is broken."""
    was_open = connection.connection is not None
    try:
        return read()
    except (DatabaseError, InterfaceError):
        is_broken = connection.connection is None or connection.connection.closed
        connection.close()
        if not (was_open and is_broken):
            raise
    try:
        return read()
    except (DatabaseError, InterfaceError):
        connection.close()
        raise
