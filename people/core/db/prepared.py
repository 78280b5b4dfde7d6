"""Statements prepared once a connection: frequent ones whose planning takes longer than their execution."""

from typing import Any

from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor

AT_ONCE = 0  # executions before a statement is prepared; Django's own never are


class _Cursor(ServerBindingCursor):
    def _send_query_prepared(self, name: bytes, pgq: Any, **options: Any) -> None:
        self._query = pgq  # psycopg drops it for prepared statements, and connection.queries shows it
        super()._send_query_prepared(name, pgq, **options)  # type: ignore[misc]  # psycopg's, not in Django's stubs


def prepared_cursor() -> Any:
    """Like `connection.cursor()`, but with parameters bound by the server: some need a cast, as `%s::int[]`.

    Only for the few statements with a constant text.
    """
    # Django's stubs lack the attributes of both that are used here
    database: Any = connection
    open_cursor: Any = _Cursor
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    connection.connection.prepare_threshold = AT_ONCE
    with connection.wrap_database_errors:
        return database._prepare_cursor(open_cursor(connection.connection))
