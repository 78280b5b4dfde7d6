"""The loop of a process that processes what the intake keeps."""

import logging
from collections.abc import Callable

from django.db import connection

from activities.intake.keeping import CHANNEL
from activities.intake.processing import process_intake
from people.core.db.listening import keep_running, work_when_notified

logger = logging.getLogger(__name__)


def run_second_stage(is_over: Callable[[], bool]) -> None:
    """Process requests until `is_over`; wait while the database is away."""

    def run() -> None:
        work_when_notified(CHANNEL, process_intake, is_over)

    keep_running(run, is_over, logger, "the intake stands still; trying again")
    connection.close()
