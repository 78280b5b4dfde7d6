import signal
import time
import urllib.request
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

_WELCOME = """
  Custom Activities is running at {address}

  Sign in     {address}/admin/ as “admin”; the password is in the output of the first start
              (a new one: python manage.py changepassword admin)
  Try         People: open a timeline, record an activity by hand
              Home: open the demo site and watch visits arrive
              Activity types → Add: define one of your own and approve it
              README.md: record activities from a program, with curl; load a real file
  Ctrl-C stops everything; make run continues where you left off.
"""


class Command(BaseCommand):
    help = "Wait until the web server answers, print its address, then wait to be stopped (for `make run`)."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        address = f"http://127.0.0.1:{settings.PORT}"
        for _attempt in range(600):
            if self._answers(address):
                break
            time.sleep(0.1)
        else:
            self.stderr.write(f"{address} does not answer within a minute; the lines above say why.")
        self.stdout.write(_WELCOME.format(address=address))
        signal.pause()

    def _answers(self, address: str) -> bool:
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=2) as reply:
                return reply.status == 200
        except OSError:
            return False
