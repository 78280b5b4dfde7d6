"""A limit of time for statements, for lists whose filters no index may serve."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled


class StatementTooSlowError(Exception):
    """A statement was cancelled at the limit of its time."""


@contextmanager
def statement_limit(seconds: float) -> Iterator[None]:
    """Cancel statements in this block after `seconds` each. Raises `StatementTooSlowError`.

    The block is a transaction of its own, as PostgreSQL keeps a setting of a finished savepoint until the transaction
    ends. Raises `RuntimeError` inside another one.
    """
    try:
        with transaction.atomic(durable=True):
            with connection.cursor() as cursor:
                cursor.execute("select set_config('statement_timeout', %s, true)", [f"{seconds * 1000:.0f}"])
            yield
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        raise StatementTooSlowError from None
