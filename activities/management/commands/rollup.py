from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from activities.log import rollup


class Command(BaseCommand):
    help = "Bring the counts per type and day, and the suggested values, up to date with the log of activities."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rebuild", action="store_true", help="throw them away and read the whole log again")
        parser.add_argument("--check", action="store_true", help="compare the counts with the log, changing nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            self._check()
            return
        read = rollup.rebuild_rollup() if options["rebuild"] else rollup.catch_up_rollup()
        self.stdout.write(f"{read} ids of the log read; the counts are up to date.")

    def _check(self) -> None:
        wrong = rollup.rollup_differences()
        for difference in wrong[:20]:
            self.stderr.write(
                f"type {difference.activity_type_id}, {difference.day}: "
                f"{difference.stored} stored, {difference.in_log} in the log; "
                f"of bots {difference.stored_bots} stored, {difference.bots_in_log} in the log"
            )
        if wrong:
            raise CommandError(f"{len(wrong)} days are wrong; run `manage.py rollup --rebuild`.")
        self.stdout.write("Every day's count is what the log says.")
