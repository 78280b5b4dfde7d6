from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.cluster import distribute, tables, undistribute


class Command(BaseCommand):
    help = (
        "Distribute the log over the workers of a Citus cluster whose coordinator DATABASE_URL names. Stop web and "
        "worker first, and start them again afterwards. Safe to run again. --undo brings the log back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="print every statement and run none")
        parser.add_argument("--undo", action="store_true", help="bring the log from the workers to the coordinator")
        parser.add_argument(
            "--parts",
            type=int,
            default=distribute.PARTS,
            help="into how many parts the log is cut: as many as cores will ever read it (default %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["parts"] <= 1_024:
            raise CommandError("--parts: from 1 to 1,024.")
        refusals = list(
            undistribute.undistribution_obstacles() if options["undo"] else distribute.distribution_obstacles()
        )
        steps = (
            undistribute.undistribution_steps() if options["undo"] else distribute.distribution_steps(options["parts"])
        )
        if options["dry_run"]:
            for step in steps:
                self.stdout.write(f"-- {step.title}{' (done before)' if step.is_done else ''}")
                for statement in ("begin", *step.statements, "commit"):
                    self.stdout.write(f"{statement};")
        if refusals:
            raise CommandError("This cannot be done as it is:\n" + "\n".join(f"- {line}" for line in refusals))
        if options["dry_run"]:
            return
        count = distribute.run_steps(steps, self.stderr.write)
        self.stdout.write(_END[options["undo"]].format(tables=len(tables.DISTRIBUTED), done=count))


_END = {
    False: "{tables} tables are distributed ({done} steps now). Start web and worker, then run: python manage.py "
    "doctor",
    True: "{tables} tables are on this server ({done} steps now). Start web and worker, then run: python manage.py "
    "doctor --deep. Once all is well, drop the extension: docs/scaling.md",
}
