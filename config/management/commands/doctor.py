from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from config.operations import doctor


class Command(BaseCommand):
    help = "Examine this running installation and show remedies of what is wrong. Exit code 1 when something is."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--deep", action="store_true", help="verify the digests of every day, too")

    def handle(self, *args: Any, **options: Any) -> None:
        ill = 0
        for finding in doctor.run_checks(options["deep"]):
            ill += not finding.is_well
            self.stdout.write(f"{'ok' if finding.is_well else 'NOT OK':<7} {finding.check:<13} {finding.state}")
            if finding.advice:
                self.stdout.write(f"{'':<21} → {finding.advice}")
        if ill:
            raise SystemExit(1)
