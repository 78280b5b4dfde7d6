"""Upgrade of the embedded server's data to the wheel's major version of PostgreSQL, by dump and load.

The old data stay unchanged in their place. The new data are loaded beside them, compared, and become the server's by
one rename of `postgres.json`: after an interruption the old data are still in use, and the upgrade can be repeated.
"""

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from config.operations import backups
from config.postgres.binaries import MAJOR, DatabaseUnavailableError, binaries_of, reachable_binaries
from config.postgres.server import EmbeddedPostgres


@dataclass(frozen=True, slots=True)
class PostgresUpgrade:
    """The result of an upgrade: the old major version, the backup used, and the place of the old data."""

    old_major: int
    backup: Path
    old_data: Path
    rows: int
    activities: int


def upgrade_embedded_postgres(
    data_dir: Path, backup: Path | None = None, old_binaries: Path | None = None
) -> PostgresUpgrade | None:
    """Upgrade the embedded server of `data_dir` to the wheel's PostgreSQL. Returns None if it has that version.

    Loads `backup`, or a new one taken with the old server's binaries (`old_binaries`, or those that are found).
    Raises DatabaseUnavailableError or backups.BackupError, with nothing changed.
    """
    server = EmbeddedPostgres(data_dir)
    if not server.is_initialised:
        raise DatabaseUnavailableError(f"there is no embedded database in {data_dir}")
    if not server.own():
        raise DatabaseUnavailableError("the embedded database runs: stop the product first")
    try:
        old_major = server.data_major
        if old_major == MAJOR:
            return None
        old = server.location
        if backup is None:
            backup = data_dir / "backups" / f"before-postgresql-{MAJOR}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
            binaries = binaries_of(old_major, old.user, old_binaries)
            if binaries is None:
                raise DatabaseUnavailableError(_no_binaries(old_major))
            with server.serving(replace(old, binaries=str(binaries))) as source:
                backups.take_backup(backup, source)
        manifest = backups.read_manifest(backup)
        new = replace(
            old, binaries=str(reachable_binaries(old.user)), data=str(Path(old.data).with_name(f"data-{MAJOR}"))
        )
        shutil.rmtree(new.data, ignore_errors=True)  # of an interrupted attempt
        with server.serving(new) as target:
            backups.load_backup(backup, target)
        server.move_to(new)
    finally:
        server.stop()
    rows = sum(manifest["tables"].values())
    return PostgresUpgrade(old_major, backup, Path(old.data), rows, manifest["activities"]["count"])


def _no_binaries(major: int) -> str:
    return (
        f"PostgreSQL {major} is needed once more, to read the data, and was not found. Install it (Debian: "
        f"apt-get install postgresql-{major}), or name its folder with --binaries, or name a backup that the old "
        "version of the product took with --backup"
    )
