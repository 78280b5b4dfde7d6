"""Processes the requests of programs that the collector keeps; a collector starts one such process by itself."""

import os
import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from activities.intake.processing import process_intake
from activities.intake.state import intake_state, retry_stuck_requests
from config.collector.second_stage import run_second_stage
from config.server.garbage import spare_loaded_objects
from people.core import counters


class Command(BaseCommand):
    help = "Processes the requests of programs that were acknowledged, until told to stop."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        way = parser.add_mutually_exclusive_group()
        way.add_argument("--once", action="store_true", help="process what can be processed now, and end")
        way.add_argument("--state", action="store_true", help="print what waits, and end")
        way.add_argument("--retry", action="store_true", help="have requests that are stuck tried again, and end")
        way.add_argument("--with-parent", type=int, metavar="PID", help="end when this parent process has")

    def handle(self, *args: Any, once: bool, state: bool, retry: bool, with_parent: int | None, **options: Any) -> str:
        if retry:
            return f"{retry_stuck_requests()} requests are tried again."
        if state or once:
            while once and process_intake():
                pass
            now = intake_state()
            return f"{now.requests} requests wait, {now.size:,} bytes, {now.stuck} of them are stuck."
        over: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, _frame: over.append(received))
        spare_loaded_objects()
        run_second_stage(lambda: bool(over) or (with_parent is not None and os.getppid() != with_parent))
        counters.stop_flusher()
        return "Ended."
