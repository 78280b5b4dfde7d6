"""What the collector knows of the database without asking at each request: keys and types, read every few seconds."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, connection

from activities.tracking.live_types import LiveTypes, load_live_types
from activities.tracking.senders import KnownKey, KnownKeys, read_key
from config.collector import heartbeat
from config.collector.http import HttpError

logger = logging.getLogger(__name__)
T = TypeVar("T")

TYPES_SECONDS = 2.0
NEW_TYPES_SECONDS = 0.25  # unknown names have the types read again no more often
MOST_READINGS = 200  # of keys at once; each address that an attacker makes up is one


class KnownState:
    """Keys and types; used by the event loop, reading in threads of its own."""

    def __init__(self) -> None:
        self.types: LiveTypes | None = None
        self._types_read_at = 0.0
        self._reading_types = asyncio.Lock()
        self._keys = KnownKeys()
        self._reading: dict[str, asyncio.Task[KnownKey]] = {}
        self._pool = ThreadPoolExecutor(2, "reader")

    async def find_key(self, text: str) -> KnownKey:
        """The key as it was a few seconds ago. Raises `HttpError` (503) while it cannot be read."""
        known = self._keys.find(text)
        if known is not None:
            return known
        task = self._reading.get(text)
        if task is None:
            if len(self._reading) >= MOST_READINGS:
                raise unavailable()
            task = self._reading[text] = asyncio.create_task(self.in_database(lambda: read_key(text)))
            task.add_done_callback(lambda done: self._keep(text, done))
        return await asyncio.shield(task)

    def _keep(self, text: str, done: "asyncio.Task[KnownKey]") -> None:
        self._reading.pop(text, None)
        if not done.cancelled() and done.exception() is None:
            self._keys.keep(text, done.result())

    async def current_types(self, names: Iterable[str] = ()) -> LiveTypes:
        """The types; read again where one of `names` is unknown, as it may have been approved a moment ago."""
        async with self._reading_types:
            types = self.types
            if types is None or (self._are_old() and any(types.find(name) is None for name in names)):
                types = self.types = await self.in_database(load_live_types)
                self._types_read_at = monotonic()
        return types

    def _are_old(self) -> bool:
        return monotonic() - self._types_read_at > NEW_TYPES_SECONDS

    async def in_database(self, read: Callable[[], T]) -> T:
        """What `read` gives, in a thread. Raises `HttpError` (503) while the database is away."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, _guarded, read)
        except (DatabaseError, InterfaceError):
            raise unavailable() from None

    async def keep_current(self, state: Callable[[], dict[str, int]]) -> None:
        """Read the types again and again, and tell the database of the state of this process; until cancelled."""
        while True:
            try:
                self.types = await self.in_database(load_live_types)
                self._types_read_at = monotonic()
                values = state()
                await self.in_database(lambda values=values: heartbeat.beat(values))  # type: ignore[misc]
            except HttpError:  # the database is away: what is known is used on
                pass
            except Exception:
                logger.exception("the types could not be read")
            await asyncio.sleep(TYPES_SECONDS)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def unavailable() -> HttpError:
    return HttpError(503, "unavailable", "The database cannot be reached just now.", {"Retry-After": "5"})


def _guarded(read: Callable[[], T]) -> T:
    try:
        return read()
    except (DatabaseError, InterfaceError):
        connection.close()
        raise
