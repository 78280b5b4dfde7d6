"""A limit of time for statements, for lists whose filters no index may serve."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled


class StatementTooSlowError(Exception):
    """A statement was cancelled at the limit of its time."""


@contextmanager
def statement_limit(seconds: float) -> Iterator[None]:
    """Cancel statements in this block, a transaction, after `seconds` each. Raises `StatementTooSlowError`."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("select set_config('statement_timeout', %s, true)", [f"{seconds * 1000:.0f}"])
            yield
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        raise StatementTooSlowError from None
