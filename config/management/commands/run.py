import os
import subprocess
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
        for arguments in PREPARATIONS:
            done = subprocess.run([sys.executable, "manage.py", *arguments], cwd=settings.BASE_DIR, check=False)
            if done.returncode:
                sys.exit(done.returncode if done.returncode > 0 else 128 - done.returncode)
        os.chdir(settings.BASE_DIR)
        environment = {
            **os.environ,
            "WEB_PORT": str(settings.PORT),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }
        sys.exit(together.run_together(together.read_procfile(settings.BASE_DIR / "Procfile"), environment))
