"""The collector's part of the intake: its bound, and the processes that process what is kept."""

import asyncio
import logging
import os
import sys
from collections import Counter
from contextlib import suppress

from django.conf import settings

from activities.intake.keeping import KeptRequest
from activities.intake.state import has_share, intake_shares
from config.collector.http import HttpError
from config.collector.known import KnownState, unavailable_error
from config.observability import outages

LOOK_SECONDS = 2.0
RETRY_AFTER = 10  # seconds, while the intake is full
RESTART_SECONDS = 2.0
END_SECONDS = 10.0
logger = logging.getLogger(__name__)


class IntakeRoom:
    """The room of each source in the intake: as it was a moment ago, less what this process has kept since."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[int, int]] = {}  # requests and bytes by source, when it was looked at
        self._kept_by_all = (0, 0)
        self._new: Counter[int] = Counter()  # requests kept since
        self._new_size: Counter[int] = Counter()
        self._new_by_all = (0, 0)
        self._has_room = True

    def take(self, request: KeptRequest) -> None:
        """Take room for a request that is going to be kept. Raises `HttpError` (503)."""
        if not self._has_room:
            raise unavailable_error(outages.DISK_FULL)
        size, source_id = len(request.body), request.source_id
        requests, kept_size = self._kept.get(source_id, (0, 0))
        mine = requests + self._new[source_id], kept_size + self._new_size[source_id]
        of_all = self._kept_by_all[0] + self._new_by_all[0], self._kept_by_all[1] + self._new_by_all[1]
        if not has_share(mine, of_all, size):
            message = "Too much waits to be processed. Send it again later."
            raise HttpError(503, "busy", message, {"Retry-After": str(RETRY_AFTER)})
        self._new[source_id] += 1
        self._new_size[source_id] += size
        self._new_by_all = self._new_by_all[0] + 1, self._new_by_all[1] + size

    def note(self, kept: dict[int, tuple[int, int]], before: tuple[Counter[int], Counter[int]]) -> None:
        """Take over what was looked at. `before`: what this process had kept when the look began."""
        # requests that were kept meanwhile may be counted twice until the next look
        self._kept, self._new, self._new_size = kept, self._new - before[0], self._new_size - before[1]
        self._kept_by_all = sum(one[0] for one in kept.values()), sum(one[1] for one in kept.values())
        self._new_by_all = self._new.total(), self._new_size.total()

    async def keep_current(self, known: KnownState) -> None:
        """Look at the intake repeatedly, until cancelled. While the database is away, nothing can be kept anyway."""
        while True:
            try:
                self._has_room = outages.has_room()
                before = self._new.copy(), self._new_size.copy()
                self.note(await known.in_database(intake_shares), before)
            except HttpError:
                pass
            except Exception:
                logger.exception("the intake could not be looked at")
            await asyncio.sleep(LOOK_SECONDS)


async def keep_processing() -> None:
    """Run a process that works on the intake, until cancelled; in place of one that has ended start another."""
    command = ("manage.py", "intake", "--with-parent", str(os.getpid()))
    while True:
        try:
            process = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=settings.BASE_DIR)
        except OSError:  # no memory, or no room for another process: maybe for a moment only
            logger.exception("the process of the intake could not be started; trying again")
            await asyncio.sleep(RESTART_SECONDS)
            continue
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            await _end(process)
            raise
        logger.warning("the process of the intake ended with %s; starting another one", status)
        await asyncio.sleep(RESTART_SECONDS)


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):  # it has ended by itself
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), END_SECONDS)
        except TimeoutError:  # its transaction is rolled back, and the requests stay
            process.kill()
