from typing import Any

from django.core.management.base import CommandError, CommandParser

from people.files.imports import guessing
from people.files.imports.command import ImportCommand
from people.files.imports.plan import ImportPlan
from people.files.tabular import FileShape
from people.objects.import_target import ObjectsTarget
from people.objects.outcomes import RECORD_ACTIONS, RECORD_KEYS, RecordAction, RecordKey


class Command(ImportCommand):
    kind = "objects"
    help = (
        "Create and change records of one object type from a file: CSV with any delimiter, NDJSON or XLSX. Columns "
        "that are called like fields (by API name or name) are taken; others are named with --field. An empty cell "
        "removes a value. Safe to run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--type", required=True, help="API name of the object type")
        lookup = "how records are found: by their dedupe fields (default), or by a column with their id or GUID"
        parser.add_argument("--key", choices=RECORD_KEYS, default=str(RecordKey.DEDUPE), help=lookup)
        parser.add_argument("--action", choices=RECORD_ACTIONS, default=str(RecordAction.UPSERT))
        parser.add_argument("--field", action="append", default=[], metavar="API_NAME=COLUMN")
        parser.add_argument("--null", default="", metavar="TEXT", help="a cell of just this is empty")

    def plan(self, shape: FileShape, options: dict[str, Any]) -> ImportPlan:
        target = ObjectsTarget()
        items = target.mappable(options["type"])
        if not items:
            raise CommandError(f"There is no approved object type '{options['type']}'.")
        named_columns = dict(pair.partition("=")[::2] for pair in options["field"])
        candidates = [item for item in items if item.is_guessed or item.name == options["key"]]
        guessed_columns = guessing.guess_columns(candidates, shape)
        used = named_columns.values()
        columns = {name: column for name, column in guessed_columns.items() if column not in used}
        return ImportPlan(
            columns=columns | named_columns,
            subject=options["type"],
            lookup_field=options["key"],
            action=options["action"],
            zone=options["zone"],
            null_text=options["null"],
        )
