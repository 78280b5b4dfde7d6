from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import translations


class Command(BaseCommand):
    help = "Bring the Spanish catalogue up to date with the sources and list what has no Spanish yet."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when something is missing")
        parser.add_argument("--compile", action="store_true", help="only write the form that Django loads")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["compile"]:
            translations.compile_catalogue()
            return
        if not options["check"]:
            translations.update_catalogue()
            translations.compile_catalogue()
        missing = translations.missing_translations()
        for message in missing:
            self.stdout.write(message)
        if missing and options["check"]:
            raise CommandError(f"{len(missing)} messages have no Spanish.")
        self.stdout.write(f"{len(missing)} messages have no Spanish.")
