"""Runs the dispatcher of smart campaigns: one process works, a second one stands by."""

import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from smartlists.campaigns import dispatcher


class Command(BaseCommand):
    help = "Lets people enter smart campaigns as their activities come in, and does the steps that are due."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="do what is due now, and end")

    def handle(self, *args: Any, once: bool, **options: Any) -> str:
        if once:
            dispatcher.process_all_due_work()
            return "Nothing is due any more."
        over: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, _frame: over.append(received))
        dispatcher.run_dispatcher(lambda: bool(over))
        return "Ended."
