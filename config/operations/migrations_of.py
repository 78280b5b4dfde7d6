"""Finds the migration that makes a missing trigger or index."""

import inspect
import sys
from collections.abc import Iterable

from django.db.migrations.loader import MigrationLoader


def how_made(names: Iterable[str]) -> list[str]:
    """The last migration that names each of these triggers or indexes, as advice."""
    migrations = sorted(MigrationLoader(None).disk_migrations.items())
    by_migration: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        naming = [key for key, migration in migrations if name in inspect.getsource(sys.modules[migration.__module__])]
        by_migration.setdefault(naming[-1] if naming else (), []).append(name)
    return [
        f"create {', '.join(of)} as manage.py sqlmigrate {' '.join(key)} shows it"
        if key
        else f"restore {', '.join(of)}"
        for key, of in by_migration.items()
    ]
