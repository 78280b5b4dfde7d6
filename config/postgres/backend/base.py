"""Django's PostgreSQL backend with the embedded server, which starts at the first connection."""

from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base
from django.db.utils import OperationalError
from psycopg import OperationalError as DriverError
from psycopg.errors import ConnectionTimeout

from config.postgres.binaries import DatabaseUnavailableError
from config.postgres.server import EmbeddedPostgres

OUTAGE_SECONDS = 3.0  # for which a server that was there before is waited for: its owner starts it again in one
AGAIN_SECONDS = 5.0  # after which it is waited for again
AWAY = "the embedded database does not answer"


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        server = EmbeddedPostgres(Path(settings.DATA_DIR))
        if not server.is_initialised:
            _ensure_running()
        return {**super().get_connection_params(), **server.connection_parameters()}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        global _was_there
        try:
            connection = super().get_new_connection(conn_params)
        except DriverError as error:
            if error.sqlstate is not None:  # the server responded: another error
                raise
            if _was_there and isinstance(error, ConnectionTimeout):  # it hangs: none is started beside it
                raise
            _ensure_running()
            connection = super().get_new_connection(conn_params)
        _was_there = True
        return connection


_server: EmbeddedPostgres | None = None
_was_there = False  # True once this process was connected
_missed_at = float("-inf")  # when it was waited for in vain
_waiting = Lock()  # held by the thread that waits


def _ensure_running() -> None:
    """Wait until the server runs: for a minute at the start of a process, for some seconds later.

    Only one thread waits, and none right after one waited in vain: a server without room on its disk stays away, and
    waiting requests would hold every thread, also those that report it.
    """
    if not _waiting.acquire(blocking=False):
        raise OperationalError(AWAY)
    try:
        _wait_for_server()
    finally:
        _waiting.release()


def _wait_for_server() -> None:
    global _server, _missed_at
    if monotonic() - _missed_at < AGAIN_SECONDS:
        raise OperationalError(AWAY)
    is_start = not _was_there and _missed_at == float("-inf")
    _server = _server or EmbeddedPostgres(Path(settings.DATA_DIR))
    try:
        _server.ensure_running(None if is_start else OUTAGE_SECONDS)
    except DatabaseUnavailableError as error:
        _missed_at = monotonic()
        raise OperationalError(str(error)) from error
