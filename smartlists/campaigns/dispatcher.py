"""The dispatcher process: one process works, the others are on standby.

NOTIFY wakes it when an activity was recorded; it also polls four times a second. When it is killed, each piece of
work is complete or not done at all. It waits while the database is unavailable.
"""

import logging
from collections.abc import Callable, Iterable
from time import monotonic

from activities.recording.notify import CHANNEL
from activities.visitors.due_work import registered_work
from people.core.db import locks
from people.core.db.listening import keep_running, work_when_notified
from people.core.db.outages import is_outage
from smartlists.campaigns import engine as campaign_engine
from smartlists.campaigns import triggers
from smartlists.campaigns.running import backlog as campaign_backlog
from smartlists.campaigns.running import record_dates, record_triggers
from smartlists.campaigns.running import runs as campaign_runs
from smartlists.campaigns.running import scheduling as campaign_scheduling

SELDOM_SECONDS = 1.0  # between two checks of runs and smart lists
logger = logging.getLogger(__name__)


def run_dispatcher(is_over: Callable[[], bool] = lambda: False) -> None:
    """Work until `is_over`; stand by while another process works."""

    def run() -> None:
        with locks.try_session_lock(locks.LockSpace.DISPATCHER, 0) as is_mine:
            if is_mine:
                work_when_notified(CHANNEL, _SeldomAndOften().process, is_over)

    # one failing batch must not end the process, on which all campaigns depend
    keep_running(run, is_over, logger, "a batch failed; trying again")


class _SeldomAndOften:
    """The due work of a dispatcher; runs and smart lists are checked every `SELDOM_SECONDS`."""

    def __init__(self) -> None:
        self.checked_at = 0.0

    def process(self) -> int:
        if seldom := monotonic() - self.checked_at > SELDOM_SECONDS:
            self.checked_at = monotonic()
        return process_due_work(seldom=seldom)


def process_due_work(*, seldom: bool = True) -> int:
    """Process what may be due once; return how much was processed, 0 when nothing is left to do.

    An error of one part does not keep the others from their work; it is raised at the end.
    """
    parts: list[Callable[[], int]] = [
        _process_log_batch,
        campaign_backlog.catch_up,
        record_triggers.enter_record_changes,
        campaign_engine.run_due_steps,
    ]
    if seldom:
        parts[3:3] = [
            campaign_scheduling.queue_due_runs,
            campaign_runs.enter_runs,
            campaign_runs.enter_list_changes,
            record_dates.enter_reached_dates,
        ]
    # registered work first: the triggers read the activities that it records at once
    return _run_each([*registered_work(), *parts])


def _run_each(parts: Iterable[Callable[[], int]]) -> int:
    """Call all `parts`; return the sum of their results.

    Raises an outage at once, as the lock that makes this process the only one ends with the connection; any other
    error after the remaining parts are done.
    """
    errors: list[Exception] = []
    total = 0
    for part in parts:
        try:
            total += part()
        except Exception as error:
            if is_outage(error):
                raise
            errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else ExceptionGroup("parts of the work failed", errors)
    return total


def _process_log_batch() -> int:
    """Read the next part of the log for all campaigns at once; for each on its own where that raises an error."""
    try:
        batch = triggers.process_log_batch()
    except Exception as error:
        if is_outage(error):
            raise
        logger.exception("a part of the log; reading it for each campaign on its own")
        batch = campaign_backlog.process_log_batch_apart()
    return batch.entered + batch.has_more


def process_all_due_work() -> None:
    """Process all that is due now: for tests, and for an operator's `dispatch --once`."""
    while process_due_work():
        pass
