from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from people.core.source import Channel, Source
from people.objects.identity import earlier


class Command(BaseCommand):
    help = (
        "Merge object records with the same dedupe values, which merges of people left before they compared records: "
        "the one changed last stays, the others are kept in its history. No campaign starts. Safe to run again, and "
        "beside everything else."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            self.stdout.write(f"{earlier.count_earlier_doubles():,} records would be replaced.")
            return
        number = 0
        for replaced in earlier.settle_earlier_doubles(Source(Channel.SYSTEM)):
            number += replaced
            self.stderr.write(f"{number:,} records replaced so far")
        self.stdout.write(f"{number:,} records replaced by the ones that were changed last.")
