from typing import Any

from django.core.management.base import BaseCommand

from config.collector.server import run_collector


class Command(BaseCommand):
    help = "Take what web pages send, on COLLECTOR_PORT, until told to stop."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        run_collector()
