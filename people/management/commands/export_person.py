import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from people.core.errors import RejectedError
from people.privacy import export as privacy_export


class Command(BaseCommand):
    help = "Write everything that is known about one person as JSON (“-”: to standard output)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("person_id", help="the id of the person")
        parser.add_argument("file", nargs="?", default="-")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            pieces = privacy_export.export_person(options["person_id"], None)
        except RejectedError as error:
            raise CommandError(str(error)) from None
        if options["file"] == "-":
            for piece in pieces:
                sys.stdout.write(piece)
            return
        with open(options["file"], "w", encoding="utf-8") as file:
            size = sum(file.write(piece) for piece in pieces)
        self.stdout.write(f"Person {options['person_id']} written to {options['file']}, {size} characters.")
