"""A database for the tests, copied from one that was migrated before: a second instead of a migration a run.

The template's name holds a digest of all migrations, standard types and requirements, so a change of any makes a new
one. One worker makes it, and the others wait for it: two that migrate at the same time take twice as long.

    python -m tests.template_database

makes it where it is missing, which `make test` does while it lints.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

import django
from django.conf import settings
from django.db import Error, connection

from tests import database_reset

PREFIX = "ca_template_"

_turn: list[IO[str]] = []  # the locked file of the worker that makes the template


def copy_template() -> None:
    """Make the tests' database anew from the template, or drop it where there is no template yet."""
    with _server() as cursor:
        cursor.execute(f'drop database if exists "{test_database()}" with (force)')
        if not _is_there(cursor):
            _take_turn()
        if _is_there(cursor):
            cursor.execute(f'create database "{test_database()}" template "{_template()}"')
            _end_turn()


def keep_template() -> None:
    """Keep what was migrated just now for the next run, and drop what older migrations made."""
    try:
        _keep()
    finally:
        _end_turn()


def make_template() -> None:
    """Migrate a database of its own for the template, unless it is there."""
    connection.settings_dict["TEST"]["NAME"] = "test_template"
    with _server() as cursor:
        if _is_there(cursor):
            return
    copy_template()
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False, keepdb=True)
    database_reset.keep()
    keep_template()
    connection.close()
    with _server() as cursor:
        cursor.execute(f'drop database if exists "{test_database()}" with (force)')


def _keep() -> None:
    with _server() as cursor:
        cursor.execute("select datname from pg_database where datname like %s", [f"{PREFIX}%"])
        known = {name for (name,) in cursor.fetchall()}
        if _template() in known:
            return
        migrated = connection.settings_dict["NAME"]
        connection.close()
        try:
            cursor.execute(f'create database "{_template()}" template "{migrated}"')
            for name in known:
                cursor.execute(f'drop database if exists "{name}"')
        except Error:  # another worker does it
            return


def _is_there(cursor: Any) -> bool:
    cursor.execute("select 1 from pg_database where datname = %s", [_template()])
    return cursor.fetchone() is not None


def _take_turn() -> None:
    """Wait until no other worker makes a template."""
    file = (Path(settings.DATA_DIR) / "template.lock").open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    _turn.append(file)


def _end_turn() -> None:
    while _turn:
        _turn.pop().close()


@contextmanager
def _server() -> Iterator[Any]:
    with connection._nodb_cursor() as cursor:
        yield cursor


def test_database() -> str:
    return connection.creation._get_test_db_name()


def _template() -> str:
    digest = blake2b(digest_size=8)
    for file in sorted([*settings.BASE_DIR.glob("*/migrations/*.py"), *settings.BASE_DIR.glob("*/*/migrations/*.py")]):
        digest.update(file.read_bytes())
    digest.update((settings.BASE_DIR / "requirements" / "base.txt").read_bytes())
    digest.update(
        (settings.BASE_DIR / "activities/types/standard_shapes.py").read_bytes()
    )  # installed after migrations
    digest.update(Path(__file__).read_bytes())
    return PREFIX + digest.hexdigest()


if __name__ == "__main__":
    django.setup()
    make_template()
