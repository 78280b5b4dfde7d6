from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands.check import Command as CheckCommand

from config.operations import system_checks


class Command(CheckCommand):
    """Django's check with the doctor's checks. Registered only here: `migrate` runs registered checks at its start."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--at-start", action="store_true", help="leave out processes that are about to start")

    def handle(self, *app_labels: Any, **options: Any) -> None:
        system_checks.register_checks(options.pop("at_start", False))
        super().handle(*app_labels, **options)
