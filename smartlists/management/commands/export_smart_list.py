from typing import Any

from django.core.management.base import CommandError, CommandParser

from people.files.exports.command import ExportCommand
from people.files.exports.kinds import ExportStatement
from smartlists.lists import export_kind as list_exporting
from smartlists.models import SmartList


class Command(ExportCommand):
    help = "Write the people on a smart list to a file: those that its page shows."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="of the smart list")
        super().add_arguments(parser)
        parser.add_argument("--fields", nargs="+", metavar="API_NAME", help="by default every field that is shown")

    def statement(self, options: dict[str, Any]) -> ExportStatement:
        smart_list = SmartList.objects.filter(name__iexact=options["name"]).first()
        if smart_list is None:
            raise CommandError(f"There is no smart list '{options['name']}'.")
        return list_exporting.members_statement({"smart_list": smart_list.pk, "fields": options["fields"]})
