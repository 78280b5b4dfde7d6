"""Errors that do not depend on the statement: the database is unavailable, or has no room at the moment."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psycopg
from django.db import InterfaceError, OperationalError

Item = TypeVar("Item")

# a COPY raises the driver's own errors
_OUTAGES = (InterfaceError, OperationalError, psycopg.InterfaceError, psycopg.OperationalError)


def is_outage(error: BaseException) -> bool:
    """Return True if a later try may succeed: a lost connection, a deadlock, a full disk; not a statement timeout."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_outage, error.exceptions))
    timed_out = isinstance(error, psycopg.errors.QueryCanceled) or isinstance(
        error.__cause__, psycopg.errors.QueryCanceled
    )
    return isinstance(error, _OUTAGES) and not timed_out


def work_together_or_apart(
    items: Sequence[Item],
    work: Callable[[Sequence[Item]], Any],
    settle: Callable[[Item], Any],
    logger: logging.Logger,
    what: str,
) -> None:
    """Call `work` with all items, and with each alone where that raises; then `settle` each for which it raises again.

    `work` has a transaction of its own. Errors are logged, with `what` the items are; an outage is raised.
    """
    try:
        work(items)
        return
    except Exception as error:
        if is_outage(error):
            raise
        logger.exception("%s; one by one", what)
    for item in items:
        try:
            work([item])
        except Exception as error:
            if is_outage(error):
                raise
            logger.exception("%s: %s", what, item)
            settle(item)
