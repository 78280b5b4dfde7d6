from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from people import deleting, traces
from people.problems import Refused
from people.sources import Door, Source


class Command(BaseCommand):
    help = "Erase people for good, everywhere, and search every table and file for what is left of them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("person_id", nargs="+", help="the ids of the people")
        parser.add_argument("--dry-run", action="store_true", help="say what would go, erase nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        ids = options["person_id"]
        try:
            preview = deleting.preview_erase(ids, None)
            if options["dry_run"]:
                rows = ", ".join(f"{count} {label}" for label, count in preview.rows)
                self.stdout.write(f"Dry run, nothing was erased: {rows} of people {_listed(preview.person_ids)}.")
                return
            identity = deleting.erase(ids, None, Source(Door.COMMAND))
        except Refused as refusal:
            raise CommandError("\n".join(str(problem.message) for problem in refusal.problems)) from None
        self.stderr.write("Searching every table …")
        left = traces.find(identity)
        if left:
            places = ", ".join(f"{trace.place} ({trace.rows})" for trace in left)
            raise CommandError(f"Erased people {_listed(identity.person_ids)}; others still name them in {places}.")
        self.stdout.write(f"Erased people {_listed(identity.person_ids)}; nothing is left of them.")


def _listed(person_ids: Any) -> str:
    return ", ".join(map(str, person_ids))
