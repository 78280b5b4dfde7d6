"""Errors that do not depend on the statement: the database is unavailable, or has no room at the moment."""

import psycopg
from django.db import InterfaceError, OperationalError

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
