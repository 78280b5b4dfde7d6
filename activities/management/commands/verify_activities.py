from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from activities.log import verify


class Command(BaseCommand):
    help = (
        "Prove that no activity is missing or altered: every closed day is added up again and compared with what was "
        "written down when it ended. Removals with their entries are accounted for. Exit code 1 when a day does not "
        "add up."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--close", action="store_true", help="only write down the sums of days that are over")
        parser.add_argument(
            "--head",
            action="append",
            default=[],
            metavar="'DAY DIGEST'",
            help="a head of the chain that was noted elsewhere, as backups and the status page show it",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        closed = verify.close_days()
        if options["close"]:
            self.stdout.write(f"{closed} days closed.")
            return
        try:
            noted = [finding for head in options["head"] if (finding := verify.compare_head(head))]
        except ValueError as error:
            raise CommandError(f"'{error}' is no head: a day and its digest are needed, as in 2026-11-20 5f…") from None
        findings = verify.verify_log() + noted
        for finding in findings:
            self.stderr.write(str(finding))
        days = verify.ActivityDay.objects.count()
        if findings:
            self.stdout.write(f"{len(findings)} of {days} days do not add up.")
            raise SystemExit(1)
        self.stdout.write(f"{days} days verified: nothing is missing, nothing was altered.")
        if head := verify.chain_head():
            self.stderr.write(f"Head of the chain, to be noted elsewhere: {head[0]} {head[1]}")
