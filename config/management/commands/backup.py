from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.operations import backups
from people.core import maintenance


class Command(BaseCommand):
    help = (
        "Write a backup: the database, files and secret key, and what has to be in them. It holds personal data and "
        "secrets: only its owner can read it. Runs while everything else does."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", nargs="?", type=Path, help="a new folder (DATA_DIR/backups/<time>)")

    def handle(self, *args: Any, **options: Any) -> None:
        name = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        folder = options["folder"] or settings.DATA_DIR / "backups" / name
        try:
            manifest = backups.take_backup(folder)
        except backups.BackupError as error:
            raise CommandError(str(error)) from None
        maintenance.record_maintenance(maintenance.MaintenanceRun.BACKUP, str(folder))
        rows = sum(manifest["tables"].values())
        self.stdout.write(
            f"Backup written to {folder}: {rows:,} rows, {manifest['activities']['count']:,} of them activities."
        )
