"""Log of slow statements (SLOW_QUERY_MS), one line each: the text, never the values."""

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from django.conf import settings
from django.db.backends.signals import connection_created
from django.http import HttpRequest

SHOWN = 2_000

request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)
_log = logging.getLogger("config.observability.slow_queries")


def watch_statements() -> None:
    """Time the statements of every new connection; called when the app starts."""
    connection_created.connect(_watch_connection, dispatch_uid="slow_queries")


def _watch_connection(connection: Any, **_more: Any) -> None:
    if settings.SLOW_QUERY_MS is not None and _timed not in connection.execute_wrappers:
        connection.execute_wrappers.append(_timed)


def _timed(execute: Callable[..., Any], sql: Any, parameters: Any, many: bool, context: Any) -> Any:
    started = time.perf_counter()
    try:
        return execute(sql, parameters, many, context)
    finally:
        milliseconds = (time.perf_counter() - started) * 1000
        if settings.SLOW_QUERY_MS is not None and milliseconds > settings.SLOW_QUERY_MS:
            statement = " ".join(str(sql).split())[:SHOWN]
            facts = {"milliseconds": round(milliseconds, 1), "statement": statement, "route": _route()}
            _log.warning("slow query: %.0f ms: %s", milliseconds, statement, extra={"facts": facts})


def _route() -> str:
    current = request.get()
    return current.resolver_match.route if current is not None and current.resolver_match else ""
