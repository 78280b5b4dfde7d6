"""The dispatcher's process: one that works, and others that wait to take its place.

It is woken by NOTIFY when something was recorded, and looks by itself four times a second. Whatever it does is whole
or not done when it is killed; a database that is gone it waits for.
"""

import logging
from collections.abc import Callable
from time import monotonic, sleep

from django.db import connection

from activities.recording.notify import CHANNEL
from people.core.db import locks
from people.core.db.outages import is_outage
from smartlists.campaigns import engine as campaign_engine
from smartlists.campaigns import isolated, triggers
from smartlists.campaigns import runs as campaign_runs
from smartlists.campaigns import scheduling as campaign_scheduling

POLL_SECONDS = 0.25
STANDBY_SECONDS = 1.0
SELDOM_SECONDS = 1.0  # between two looks at runs and smart lists
logger = logging.getLogger(__name__)


def dispatch(is_over: Callable[[], bool] = lambda: False) -> None:
    """Work until `is_over`; while another process does, stand by."""
    while not is_over():
        try:
            with locks.alone(locks.Space.DISPATCHER, 0) as is_mine:
                if is_mine:
                    _work(is_over)
            sleep(0 if is_over() else STANDBY_SECONDS)
        except Exception as error:  # one bad batch must not end the process that all campaigns live by
            if is_outage(error):
                logger.warning("the database is not there: %s", error)
            else:
                logger.exception("a batch failed; trying again")
            connection.close()
            sleep(0 if is_over() else STANDBY_SECONDS)


def _work(is_over: Callable[[], bool]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"listen {CHANNEL}")
    looked_at = 0.0
    while not is_over():
        seldom = monotonic() - looked_at > SELDOM_SECONDS
        if seldom:
            looked_at = monotonic()
        if not once(seldom=seldom):
            _sleep()


def once(*, seldom: bool = True) -> int:
    """One look at everything that may be due; return how much was found, 0 when there is nothing left to do.

    What goes wrong with one part keeps no other from its work; it is raised at the end.
    """
    looks: list[Callable[[], int]] = [_read_on, campaign_engine.run_due]
    if seldom:
        looks[1:1] = [campaign_scheduling.start_due, campaign_runs.enter_runs, campaign_runs.enter_list_changes]
    return isolated.done_by_each(looks)


def _read_on() -> int:
    batch = triggers.advance()
    return batch.entered + batch.has_more


def drain() -> None:
    """Do all that is due now: for tests, and for an operator's `dispatch --once`."""
    while once():
        pass


def _sleep() -> None:
    """Until something is recorded, or for a moment."""
    for _notification in connection.connection.notifies(timeout=POLL_SECONDS, stop_after=1):
        pass
