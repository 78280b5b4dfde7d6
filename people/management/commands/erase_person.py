from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from people.core.errors import RejectedError
from people.core.source import Channel, Source
from people.privacy import erasure
from people.privacy import search as privacy_search


class Command(BaseCommand):
    help = "Erase people for good, everywhere, and search every table and file for what is left of them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("person_id", nargs="+", help="the ids of the people")
        parser.add_argument("--dry-run", action="store_true", help="show what would go, erase nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        ids = options["person_id"]
        try:
            preview = erasure.preview_erase(ids, None)
            if options["dry_run"]:
                rows = ", ".join(f"{count} {label}" for label, count in preview.rows)
                self.stdout.write(f"Dry run, nothing was erased: {rows} of people {_listed(preview.person_ids)}.")
                return
            identity = erasure.erase_people(ids, None, Source(Channel.COMMAND))
        except RejectedError as error:
            raise CommandError("\n".join(str(problem.message) for problem in error.problems)) from None
        self.stderr.write("Searching every table …")
        traces = privacy_search.find_traces(identity)
        if traces:
            places = ", ".join(f"{trace.place} ({trace.rows})" for trace in traces)
            raise CommandError(f"Erased people {_listed(identity.person_ids)}; others still name them in {places}.")
        self.stdout.write(f"Erased people {_listed(identity.person_ids)}; nothing is left of them.")


def _listed(person_ids: Any) -> str:
    return ", ".join(map(str, person_ids))
