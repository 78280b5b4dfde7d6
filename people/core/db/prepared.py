"""Statements that the server plans once a connection: those of every call, whose plan costs more than their run."""

from typing import Any

from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor

AT_ONCE = 0  # executions before a statement is prepared; Django's own never are


class _Cursor(ServerBindingCursor):
    def _send_query_prepared(self, name: bytes, pgq: Any, **options: Any) -> None:
        self._query = pgq  # psycopg forgets it for what is prepared, and connection.queries tells it
        super()._send_query_prepared(name, pgq, **options)  # type: ignore[misc]  # psycopg's, not in Django's stubs


def cursor() -> Any:
    """Like `connection.cursor()`, with its parameters sent by themselves: some need a cast, as `%s::int[]`.

    For a few statements whose text never differs.
    """
    # of both, Django's stubs do not know what is used here
    database: Any = connection
    open_cursor: Any = _Cursor
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    connection.connection.prepare_threshold = AT_ONCE
    with connection.wrap_database_errors:
        return database._prepare_cursor(open_cursor(connection.connection))
