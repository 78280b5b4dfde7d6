import signal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.postgres.binaries import DatabaseUnavailableError
from config.postgres.server import EmbeddedPostgres


class Command(BaseCommand):
    help = "Run the embedded PostgreSQL of DATA_DIR in the foreground, until it is told to stop."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DATABASE_IS_EMBEDDED:
            self.stdout.write("DATABASE_URL is set: there is no embedded database to run.")
            signal.pause()  # the process manager would treat an exit as a failure
        try:
            EmbeddedPostgres(Path(settings.DATA_DIR)).run()
        except DatabaseUnavailableError as error:
            raise CommandError(str(error)) from None
