"""Errors that say nothing about what was tried: the database is away, or has no room for it now."""

import psycopg
from django.db import InterfaceError, OperationalError

# the driver's own come out of a COPY
_OUTAGES = (InterfaceError, OperationalError, psycopg.InterfaceError, psycopg.OperationalError)


def is_outage(error: BaseException) -> bool:
    """Whether the same may go well later: a lost connection, a deadlock, a full disk; not a statement out of time."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_outage, error.exceptions))
    timed_out = isinstance(error, psycopg.errors.QueryCanceled) or isinstance(
        error.__cause__, psycopg.errors.QueryCanceled
    )
    return isinstance(error, _OUTAGES) and not timed_out
