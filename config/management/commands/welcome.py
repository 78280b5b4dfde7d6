import signal
import time
import urllib.request
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Wait until the web server answers, say where it is, then wait to be stopped (for `make run`)."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        address = f"http://127.0.0.1:{settings.PORT}"
        for _attempt in range(600):
            if self._answers(address):
                break
            time.sleep(0.1)
        else:
            self.stderr.write(f"{address} does not answer within a minute; the lines above say why.")
        self.stdout.write(
            f"\n  Custom Activities is running at {address}\n"
            f"  Log in at {address}/admin/ as “admin”; the password was printed at the first start\n"
            "  (a new one: python manage.py changepassword admin).\n"
            "  Try: Activity types → Add; the README shows how to record activities with curl.\n"
            "  Ctrl-C stops everything.\n"
        )
        signal.pause()

    def _answers(self, address: str) -> bool:
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=2) as reply:
                return reply.status == 200
        except OSError:
            return False
