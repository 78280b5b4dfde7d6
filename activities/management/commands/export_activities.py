from typing import Any

from django.core.management.base import CommandParser

from activities.log import export_kind as activities_exporting
from people.files.exports.command import ExportCommand
from people.files.exports.kinds import ExportStatement


class Command(ExportCommand):
    help = "Write activities to a file. Of one type each field has a column; of several, one column has them all."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--type",
            action="append",
            dest="types",
            metavar="API_NAME",
            help="may be repeated; by default every custom type",
        )
        parser.add_argument("--since", metavar="MOMENT", help="occurred then or later")
        parser.add_argument("--until", metavar="MOMENT", help="occurred before then")

    def statement(self, options: dict[str, Any]) -> ExportStatement:
        return activities_exporting.activities_statement({name: options[name] for name in ("types", "since", "until")})
