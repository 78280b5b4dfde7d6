"""The loop of a process that processes what the intake keeps: it is woken by NOTIFY, and looks four times a second."""

import logging
from collections.abc import Callable
from time import sleep

from django.db import connection

from activities.intake.keeping import CHANNEL
from activities.intake.processing import process_intake
from people.core.db.outages import is_outage

POLL_SECONDS = 0.25
PAUSE_SECONDS = 1.0  # after an error
logger = logging.getLogger(__name__)


def run_second_stage(is_over: Callable[[], bool]) -> None:
    """Process requests until `is_over`; wait while the database is away."""
    while not is_over():
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"listen {CHANNEL}")
            while not is_over():
                if not process_intake():
                    for _notification in connection.connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                        pass
        except Exception as error:
            if is_outage(error):
                logger.warning("the database is not there: %s", str(error).partition("\n")[0])
            else:
                logger.exception("the intake stands still; trying again")
            connection.close()
            sleep(0 if is_over() else PAUSE_SECONDS)
    connection.close()
