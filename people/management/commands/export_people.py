from typing import Any

from django.core.management.base import CommandError, CommandParser

from people.files.exports.command import ExportCommand
from people.files.exports.kinds import ExportStatement
from people.models import StaticList
from people.persons import export_kind as person_export_kind


class Command(ExportCommand):
    help = "Write people to a file, as `import_people` reads it."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--fields", nargs="+", metavar="API_NAME", help="by default every field that is shown")
        parser.add_argument("--static-list", metavar="NAME", help="only its members")

    def statement(self, options: dict[str, Any]) -> ExportStatement:
        parameters: dict[str, Any] = {"fields": options["fields"]}
        if options["static_list"]:
            static_list = StaticList.objects.filter(name__iexact=options["static_list"]).first()
            if static_list is None:
                raise CommandError(f"There is no static list '{options['static_list']}'.")
            parameters["static_list"] = static_list.pk
        return person_export_kind.people_statement(parameters)
