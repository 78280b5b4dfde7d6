import asyncio
import signal
import time
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError, connection
from procrastinate.contrib.django import app
from procrastinate.exceptions import ConnectorException

from config.operations import unknown_jobs

AGAIN_AFTER = 2.0  # seconds


class Command(BaseCommand):
    help = (
        "Do background jobs until told to stop: those that have begun are finished. When the database goes away, "
        "wait for it to come back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=int, default=4, help="jobs at a time (4)")

    def handle(self, *args: Any, **options: Any) -> None:
        while not self._has_begun():
            time.sleep(AGAIN_AFTER)
        asyncio.run(self._serve(options["concurrency"]))

    def _has_begun(self) -> bool:
        try:
            unknown_jobs.requeue_unknown_jobs()
        except OperationalError:
            connection.close()
            self._report_retry()
            return False
        return True

    def _report_retry(self) -> None:
        self.stderr.write(f"worker: the database is not there; again in {AGAIN_AFTER:.0f} s")

    async def _serve(self, concurrency: int) -> None:
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        while not stopping.is_set():
            await self._work(concurrency, stopping)
            if not stopping.is_set():
                self._report_retry()
                await _wait(asyncio.ensure_future(asyncio.sleep(AGAIN_AFTER)), stopping)

    async def _work(self, concurrency: int, stopping: asyncio.Event) -> None:
        """Run procrastinate's worker until `stopping` is set or one of its connections ends."""
        try:
            with app.replace_connector(app.connector.get_worker_connector()):  # type: ignore[attr-defined]
                async with app.open_async():
                    work = app.run_worker_async(concurrency=concurrency, install_signal_handlers=False)
                    await _wait(asyncio.ensure_future(work), stopping)
        except (ConnectorException, psycopg.OperationalError):  # the pool that opens raises the driver's own
            pass


async def _wait(work: "asyncio.Future[Any]", stopping: asyncio.Event) -> None:
    """Wait for `work`, and cancel it when `stopping` is set."""
    stopped = asyncio.ensure_future(stopping.wait())
    await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not work.done():
        work.cancel()
        await asyncio.wait((work,))
    if not work.cancelled():
        work.result()
