"""Ends a process's waits for a database server that no longer responds: one that is frozen, or out of reach.

A refused or lost connection is an error at once, and statements have their timeouts on the server. A server that hangs
gives neither: libpq would wait for ever, and with it every thread of a web process. A long statement is as silent as a
server that hangs, so the server is tested on a new connection before a wait is ended.
"""

from collections.abc import Generator
from threading import Lock
from time import monotonic
from typing import Any

import psycopg
from django.db import connection as default_connection
from django.db.backends.signals import connection_created

SILENT_SECONDS = 2.0  # without any answer, after which the server is tested
ASKING_SECONDS = 3  # for a new connection
KNOWN_SECONDS = 5.0  # for which the server's state is taken to last; the next wait tests it again
AWAY_SECONDS = 0.5  # for which a server that is known not to respond is waited for
AWAY = "the database server does not answer"


class _Pulse:
    """True if the server accepted connections when this process last tried. One thread tries at a time."""

    def __init__(self) -> None:
        self._asking = Lock()
        self._known_until = float("-inf")
        self.is_away = False

    @property
    def patience(self) -> float:
        """The seconds without an answer after which a wait tests the server's state."""
        return AWAY_SECONDS if self.is_away else SILENT_SECONDS

    def ask(self, parameters: dict[str, Any]) -> bool:
        """True where the server does not respond. `parameters`: of a connection to it."""
        if monotonic() >= self._known_until and self._asking.acquire(blocking=False):
            try:
                self.is_away = not _answers(parameters)
                self._known_until = monotonic() + KNOWN_SECONDS
            finally:
                self._asking.release()
        return self.is_away


def end_silent_waits(connect_seconds: int = ASKING_SECONDS) -> None:
    """Bound the waits of this process; before its first connection."""
    default_connection.settings_dict["OPTIONS"].setdefault("connect_timeout", connect_seconds)
    connection_created.connect(_watch, dispatch_uid="silence")


_pulse = _Pulse()


def _watch(connection: Any, **_more: Any) -> None:
    """Bound the waits of the driver's connection."""
    driver, parameters = connection.connection, connection.get_connection_params()
    wait = driver.wait
    driver.wait = lambda steps, *args, **named: wait(_until_silence(steps, driver, parameters), *args, **named)


def _until_silence(
    steps: Generator[Any, Any, Any], driver: "psycopg.Connection[Any]", parameters: dict[str, Any]
) -> Generator[Any, Any, Any]:
    """The steps of a call of libpq, which yield what they wait for. Raises `psycopg.OperationalError`.

    psycopg sends what is ready, or nothing every tenth of a second.
    """
    ready, heard_at = None, monotonic()
    try:
        while True:
            wanted = steps.send(ready)
            ready = yield wanted
            if ready:
                heard_at = monotonic()
            elif monotonic() - heard_at > _pulse.patience and _pulse.ask(parameters):
                driver.pgconn.finish()  # the statements that were sent may be done or not
                raise psycopg.OperationalError(AWAY)
    except StopIteration as end:
        return end.value


def _answers(parameters: dict[str, Any]) -> bool:
    """True where the server accepts a connection, or refuses it with a reason."""
    try:
        psycopg.connect(**{**parameters, "connect_timeout": ASKING_SECONDS}).close()
    except psycopg.OperationalError as error:
        return error.sqlstate is not None
    return True
