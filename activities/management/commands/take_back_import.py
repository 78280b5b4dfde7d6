from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from activities.log import retention
from people.core.errors import RejectedError
from people.files.models import Import


class Command(BaseCommand):
    help = (
        "Remove every activity that an import recorded, each with a removal entry, and free its external ids, so that "
        "the corrected file can be imported. People that it created stay. Safe to run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("import_id", type=int, help="the number in the address of the import's page")
        parser.add_argument("--reason", required=True, help="kept in the log of edits")
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *args: Any, **options: Any) -> None:
        job = Import.objects.filter(pk=options["import_id"]).first()
        if job is None:
            raise CommandError(f"There is no import {options['import_id']}.")
        try:
            count = retention.take_back(job, options["reason"], None, dry_run=options["dry_run"])
        except RejectedError as refusal:
            raise CommandError(str(refusal)) from None
        prefix = "Dry run, nothing was removed: " if options["dry_run"] else ""
        self.stdout.write(f"{prefix}{count:,} activities of import {job.pk} ({job.name}) removed.")
