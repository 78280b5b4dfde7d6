from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from config.operations import backups
from people.core import maintenance


class Command(BaseCommand):
    help = (
        "Load a backup into this installation's database, which must be empty, and compare it with what was dumped. "
        "Stop web and worker first. A backup of an older version is migrated. After a recovery by PostgreSQL's own "
        "means (base backup and WAL) --after-recovery opens the gap in the ids, and nothing else."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, nargs="?")
        parser.add_argument("--after-recovery", action="store_true", help="only have ids go on after a gap")
        parser.add_argument("--replace", action="store_true", help="throw away what is in the database now")

    def handle(self, *args: Any, **options: Any) -> None:
        folder = options["folder"]
        if options["after_recovery"] == bool(folder):
            raise CommandError("Name the folder of a backup, or say --after-recovery.")
        if options["after_recovery"]:
            self._after_recovery()
            return
        try:
            manifest = backups.read_manifest(folder)
            target = backups.database_parameters()
            if not options["replace"] and not backups.is_database_empty(target):
                raise CommandError("The database is not empty; --replace throws away what is in it.")
            connection.close()
            with backups.staged_files(folder) as files:
                backups.load_backup(folder, target, options["replace"])
                self._place(files)
        except backups.BackupError as error:
            raise CommandError(str(error)) from None
        call_command("migrate", verbosity=0)
        maintenance.record_maintenance(maintenance.MaintenanceRun.RESTORE, manifest["taken_at"])
        rows = sum(manifest["tables"].values())
        self.stdout.write(
            f"Restored {rows:,} rows as of {manifest['taken_at']}, {manifest['activities']['count']:,} of them "
            f"activities, and {len(files.names):,} files; counts and digests are those of the backup. Ids go on after "
            "a gap."
        )

    def _place(self, files: backups.StagedFiles) -> None:
        try:
            files.place()
        except OSError as error:
            raise CommandError(
                f"The database is restored, its files are not: {error}. Mend that and run this again with --replace."
            ) from None

    def _after_recovery(self) -> None:
        last = backups.open_id_gaps(backups.database_parameters())
        maintenance.record_maintenance(maintenance.MaintenanceRun.RESTORE, "by PostgreSQL's own means")
        self.stdout.write(
            f"Ids go on after a gap: activities after {last['activity_id_seq']:,}, people after "
            f"{last['person_id_seq']:,}. Next: python manage.py verify_activities"
        )
