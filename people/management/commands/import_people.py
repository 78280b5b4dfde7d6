from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser

from people.files.imports import guessing
from people.files.imports.command import ImportCommand
from people.files.imports.plan import ImportPlan, Mappable
from people.files.tabular import FileShape
from people.persons import import_target as person_import_target
from people.persons.upsert import UpsertAction


class Command(ImportCommand):
    kind = "people"
    help = (
        "Create and change people from a file: CSV with any delimiter, NDJSON or XLSX. Columns that are called like "
        "person fields (by API name or label) are taken; others are named with --field. Safe to run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        lookup = "how people are found: id (update only), email (default) or a unique field"
        parser.add_argument("--lookup", default="email", metavar="FIELD", help=lookup)
        parser.add_argument("--action", choices=list(UpsertAction), default=UpsertAction.UPSERT)
        parser.add_argument("--field", action="append", default=[], metavar="API_NAME=COLUMN")
        parser.add_argument("--list", type=int, metavar="ID", help="a static list: everybody in the file is put on it")
        quiet = "the older name of --backfill"
        parser.add_argument("--no-campaigns", action="store_true", help=quiet)
        parser.add_argument("--null", default="", metavar="TEXT", help="a cell of just this is empty: Marketo's null")

    def plan(self, shape: FileShape, options: dict[str, Any]) -> ImportPlan:
        items = person_import_target.PeopleTarget().mappable("")
        named_columns = dict(pair.partition("=")[::2] for pair in options["field"])
        guessed_columns = guessing.guess_columns(items, shape)
        if "email" not in {*named_columns, *guessed_columns}:
            _refuse_several(items, shape)
        return ImportPlan(
            columns={name: column for name, column in guessed_columns.items() if column not in named_columns.values()}
            | named_columns,
            lookup_field=options["lookup"],
            action=options["action"],
            zone=options["zone"],
            null_text=options["null"],
            static_list=options["list"],
            starts_campaigns=not options["no_campaigns"],
        )


def _refuse_several(items: Sequence[Mappable], shape: FileShape) -> None:
    """Raise `CommandError` where several columns are called like the e-mail address: none would be imported."""
    columns = [column for item in items if item.name == "email" for column in guessing.named_columns(item, shape)]
    if len(columns) > 1:
        raise CommandError(f"--field email=COLUMN is needed. Columns that it can be: {', '.join(columns)}.")
