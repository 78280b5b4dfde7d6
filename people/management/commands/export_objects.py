from typing import Any

from django.core.management.base import CommandParser

from people.files.exports.command import ExportCommand
from people.files.exports.kinds import ExportStatement
from people.objects.export_kind import records_statement


class Command(ExportCommand):
    help = "Write the records of an object type to a file, as `import_objects` reads it."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--type", required=True, help="API name of the object type")

    def statement(self, options: dict[str, Any]) -> ExportStatement:
        return records_statement({"object_type": options["type"]})
