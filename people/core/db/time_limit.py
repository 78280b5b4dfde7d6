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

    Inside another transaction the former limit is put back at the end, as PostgreSQL keeps a setting of a finished
    savepoint until the transaction ends; a savepoint that is rolled back puts it back itself.
    """
    is_inner = connection.in_atomic_block
    try:
        with transaction.atomic():
            former = _set_limit(f"{seconds * 1000:.0f}")
            yield
            if is_inner:
                _set_limit(former)
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        raise StatementTooSlowError from None


def _set_limit(value: str) -> str:
    """Set the limit of this transaction, in milliseconds or with a unit; return the one before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select current_setting('statement_timeout'), set_config('statement_timeout', %s, true)", [value]
        )
        former: str = cursor.fetchone()[0]
    return former
