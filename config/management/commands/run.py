import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.server import together

PREPARATIONS = (
    ("migrate", "--verbosity", "0"),
    ("messages", "--compile"),
    ("collectstatic", "--noinput", "--verbosity", "0"),
    ("first_start",),
)


class Command(BaseCommand):
    help = (
        "Prepare the database and files, then run all processes of the Procfile until Ctrl-C (for `make run`). "
        "One at a time for a DATA_DIR."
    )
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            together.lock_folder(settings.DATA_DIR)
        except together.RunningError as error:
            raise CommandError(str(error)) from None
        parent = os.getppid() if "MAKELEVEL" in os.environ else None  # make, which does not hand on SIGKILL
        os.chdir(settings.BASE_DIR)
        environment = {
            **os.environ,
            "WEB_PORT": str(settings.PORT),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }
        preparations = [[sys.executable, "manage.py", *arguments] for arguments in PREPARATIONS]
        commands = together.read_procfile(settings.BASE_DIR / "Procfile")
        sys.exit(together.run_together(commands, environment, preparations, parent))
