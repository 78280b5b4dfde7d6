"""The command line of `manage.py`: errors of commands are one sentence, with exit code 1."""

import sys
from collections.abc import Sequence
from errno import ENOSPC
from os import PathLike, fsdecode
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.management import ManagementUtility
from django.db import OperationalError
from psycopg import OperationalError as DriverError

from config.postgres.binaries import DatabaseUnavailableError

INTERRUPTED = 130  # as shells have it of what ends by Ctrl-C


def run_command(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code. Faults of the product are raised, with their traceback."""
    for argument in arguments:
        if not _is_text(argument):
            return _failed(f"an argument is not text in UTF-8: {argument!r}")
    try:
        ManagementUtility(list(arguments)).execute()
    except SystemExit as end:
        return _exit_code(end.code)
    except KeyboardInterrupt:
        _failed("interrupted")
        return INTERRUPTED
    except ImproperlyConfigured as error:
        return _failed(str(error))
    except OperationalError as error:
        if not isinstance(error.__cause__, DatabaseUnavailableError | DriverError):
            raise
        return _failed(str(error).strip())
    except OSError as error:
        if not _is_of_a_named_place(error, arguments) and error.errno != ENOSPC:
            raise
        return _failed(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror))
    return 0


def _is_of_a_named_place(error: OSError, arguments: Sequence[str]) -> bool:
    """Return whether an error is about a file or folder that an argument names, of one in it, or its folder."""
    if not isinstance(error.filename, str | bytes | PathLike):
        return False
    place = Path(fsdecode(error.filename)).absolute()
    named = [Path(value).absolute() for word in arguments[2:] for value in {word, word.partition("=")[2]} if value]
    return any(place in (path, path.parent) or path in place.parents for path in named)


def _is_text(argument: str) -> bool:
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def _exit_code(code: object) -> int:
    """The number that `sys.exit` makes of its argument, whose text it writes."""
    if code is None or isinstance(code, int):
        return int(code or 0)
    print(code, file=sys.stderr)
    return 1


def _failed(reason: str) -> int:
    print(f"manage.py: {reason}", file=sys.stderr)
    return 1
