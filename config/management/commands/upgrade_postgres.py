from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.operations import postgres_upgrade
from config.operations.backups import BackupError
from config.postgres.binaries import MAJOR, DatabaseUnavailableError


class Command(BaseCommand):
    help = (
        f"Have the embedded database go on with PostgreSQL {MAJOR}, which this version of the product brings: dump "
        "with the old server, load into a new one beside it, compare. Stop the product first. The old data stay."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--backup", type=Path, help="load this backup, which the old version took")
        parser.add_argument("--binaries", type=Path, help="folder of the old server's programs (it is looked for)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DATABASE_IS_EMBEDDED:
            raise CommandError("DATABASE_URL is set: upgrade that server by its own means, see docs/upgrading.md.")
        try:
            result = postgres_upgrade.upgrade_embedded_postgres(
                Path(settings.DATA_DIR), options["backup"], options["binaries"]
            )
        except (DatabaseUnavailableError, BackupError) as error:
            raise CommandError(str(error)) from None
        if result is None:
            self.stdout.write(f"Nothing to do: the data are of PostgreSQL {MAJOR}.")
            return
        self.stdout.write(
            f"From PostgreSQL {result.old_major} to {MAJOR}: {result.rows:,} rows, {result.activities:,} of them "
            f"activities; counts and digests are those of {result.backup}. The old data are in {result.old_data}: "
            "delete them when you are content."
        )
