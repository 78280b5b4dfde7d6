"""A database for the tests, copied from one that was migrated before: a second instead of a migration a run.

The template's name holds a digest of all migrations and requirements, so a change of either makes a new one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import Error, connection

PREFIX = "ca_template_"


def copy_template() -> None:
    """Make the tests' database anew from the template, or drop it where there is no template yet."""
    with _server() as cursor:
        cursor.execute(f'drop database if exists "{test_database()}" with (force)')
        cursor.execute("select 1 from pg_database where datname = %s", [_template()])
        if cursor.fetchone():
            cursor.execute(f'create database "{test_database()}" template "{_template()}"')


def keep_template() -> None:
    """Keep what was migrated just now for the next run, and drop what older migrations made."""
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
    digest.update(Path(__file__).read_bytes())
    return PREFIX + digest.hexdigest()
