"""Django's PostgreSQL backend with the embedded server, which starts at the first connection."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base
from django.db.utils import OperationalError
from psycopg import OperationalError as DriverError

from config.postgres.binaries import DatabaseUnavailableError
from config.postgres.server import EmbeddedPostgres


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        server = EmbeddedPostgres(Path(settings.DATA_DIR))
        if not server.is_initialised:
            _ensure_running()
        return {**super().get_connection_params(), **server.connection_parameters()}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        try:
            return super().get_new_connection(conn_params)
        except DriverError as error:
            if error.sqlstate is not None:  # the server responded: another error
                raise
        _ensure_running()
        return super().get_new_connection(conn_params)


_server: EmbeddedPostgres | None = None


def _ensure_running() -> None:
    global _server
    _server = _server or EmbeddedPostgres(Path(settings.DATA_DIR))
    try:
        _server.ensure_running()
    except DatabaseUnavailableError as error:
        raise OperationalError(str(error)) from error
