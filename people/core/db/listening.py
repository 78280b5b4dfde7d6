"""Loops of processes that work off what is stored in the database, and are woken by NOTIFY."""

import logging
from collections.abc import Callable
from time import sleep

from django.db import connection

from people.core.db.outages import is_outage

POLL_SECONDS = 0.25
PAUSE_SECONDS = 1.0


def keep_running(run: Callable[[], None], is_over: Callable[[], bool], logger: logging.Logger, problem: str) -> None:
    """Call `run` until `is_over`, with a pause after each return; errors are logged, as the `problem`.

    After an error the connection is closed: so it waits while the database is unavailable.
    """
    while not is_over():
        try:
            run()
        except Exception as error:
            if is_outage(error):
                logger.warning("the database is not there: %s", str(error).partition("\n")[0])
            else:
                logger.exception(problem)
            connection.close()
        sleep(0 if is_over() else PAUSE_SECONDS)


def work_when_notified(channel: str, work: Callable[[], int], is_over: Callable[[], bool]) -> None:
    """Call `work` until `is_over`: at once after it has done something, else after a notification or `POLL_SECONDS`."""
    with connection.cursor() as cursor:
        cursor.execute(f"listen {channel}")
    while not is_over():
        if not work():
            for _notification in connection.connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                pass
