from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from config import backups
from people import upkeep


class Command(BaseCommand):
    help = (
        "Load a backup into this installation's database, which must be empty, and compare it with what was dumped. "
        "Stop web and worker first. A backup of an older version is migrated."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument("--replace", action="store_true", help="throw away what is in the database now")

    def handle(self, *args: Any, **options: Any) -> None:
        folder = options["folder"]
        try:
            manifest = backups.read(folder)
            target = backups.parameters()
            if not options["replace"] and not backups.is_empty(target):
                raise CommandError("The database is not empty; --replace throws away what is in it.")
            connection.close()
            backups.load(folder, target, options["replace"])
            backups.restore_files(folder)
        except backups.BackupError as error:
            raise CommandError(str(error)) from None
        call_command("migrate", verbosity=0)
        upkeep.note(upkeep.Upkeep.RESTORE, manifest["taken_at"])
        rows = sum(manifest["tables"].values())
        self.stdout.write(
            f"Restored {rows:,} rows as of {manifest['taken_at']}, {manifest['activities']['count']:,} of them "
            "activities; counts and digests are those of the backup. Ids go on after a gap."
        )
