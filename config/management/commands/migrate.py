"""`manage.py migrate`, one at a time on a database."""

import time
from typing import Any

from django.core.management.commands.migrate import Command as DjangoCommand

from people.core.db import locks

POLL_SECONDS = 0.5
WAITING = "Another process is migrating this database: waiting until it has ended."


class Command(DjangoCommand):
    def handle(self, *args: Any, **options: Any) -> str | None:
        """Migrate as soon as no other process migrates this database; `--plan` and `--check` do not wait.

        Django takes no lock: of two processes that migrate at a time, one fails in the middle.
        """
        if options["plan"] or options["check_unapplied"]:
            return super().handle(*args, **options)
        is_waiting = False
        while True:
            # not waited for within PostgreSQL: an index that is built concurrently would wait for that statement
            with locks.try_session_lock(locks.LockSpace.MIGRATION, 0) as is_free:
                if is_free:
                    return super().handle(*args, **options)
            if not is_waiting:
                self.stderr.write(WAITING)
                is_waiting = True
            time.sleep(POLL_SECONDS)
