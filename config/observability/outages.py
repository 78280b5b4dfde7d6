"""Responses while the database is unavailable or after a statement took too long: 503 with Retry-After.

Recovery needs no action: Django opens a new connection at the next request after the database is back.
"""

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from psycopg import errors

from config.postgres.server import FLOOR_BYTES, EmbeddedPostgres
from people.core.codes import Code

TOO_LONG = (errors.QueryCanceled, errors.LockNotAvailable)


@dataclass(frozen=True, slots=True)
class Outage:
    """The reason why a request cannot be served at present."""

    code: str
    message: str | Promise
    retry_after: int  # seconds


DISK_FULL = Outage(
    "disk_full", _("The disk of the database is full: nothing can be written until its operator frees up space."), 60
)
TIMEOUT = Outage(Code.TIMEOUT, _("This took too long and was stopped. Ask for less, or try again later."), 10)
UNAVAILABLE = Outage("unavailable", _("The database cannot be reached just now. Try again in a moment."), 5)


def find_outage(error: BaseException | None) -> Outage | None:
    """Return the outage that caused an exception; None for any other error."""
    if isinstance(error, OperationalError | InterfaceError):
        error = error.__cause__
    elif not isinstance(
        error, errors.OperationalError | errors.InterfaceError
    ):  # errors of a COPY come from the driver itself
        return None
    if isinstance(error, errors.DiskFull):
        return DISK_FULL
    return TIMEOUT if isinstance(error, TOO_LONG) else current_outage()


def current_outage() -> Outage:
    """The reason why the database is unavailable, as far as it shows without the database."""
    return UNAVAILABLE if has_room() else DISK_FULL


def has_room() -> bool:
    """False where the embedded database's disk is full; another server reports that itself."""
    return not settings.DATABASE_IS_EMBEDDED or EmbeddedPostgres(Path(settings.DATA_DIR)).free_bytes() >= FLOOR_BYTES


def limit_statements(seconds: float) -> None:
    """Set the statement timeout of this process; for web processes, before the first connection."""
    options = connection.settings_dict["OPTIONS"]
    options["options"] = f"{options.get('options', '')} -c statement_timeout={round(seconds * 1000)}"
