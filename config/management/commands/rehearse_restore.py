import tempfile
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.operations import backups
from config.postgres.server import DATABASE, EmbeddedPostgres
from people.core import maintenance


class Command(BaseCommand):
    help = (
        "Restore a backup into a server made for this and thrown away, compare counts and digests, and unpack the "
        "files and the secret key."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            Path(scratch).chmod(0o711)  # the server's user passes through
            server = EmbeddedPostgres(Path(scratch) / "data")
            try:
                manifest = backups.read_manifest(options["folder"])
                server.start()
                backups.load_backup(options["folder"], server.connection_parameters() | {"dbname": DATABASE})
                with backups.staged_files(options["folder"], Path(scratch)) as files:
                    key = "the secret key" if files.key else "SECRET_KEY of the environment"
            except backups.BackupError as error:
                raise CommandError(str(error)) from None
            finally:
                server.stop()
        rows, activities = sum(manifest["tables"].values()), manifest["activities"]["count"]
        maintenance.record_maintenance(maintenance.MaintenanceRun.REHEARSAL, manifest["taken_at"])
        self.stdout.write(
            f"Rehearsed in {time.monotonic() - started:.0f} s: {len(manifest['tables'])} tables with {rows:,} rows and "
            f"the digest of {activities:,} activities are as they were at {manifest['taken_at']}; {len(files.names):,} "
            f"files can be unpacked, and {key} is there."
        )
