import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from activities.models import EventSource
from activities.sources import editing as source_editing
from activities.sources.keys import describe_key
from people.core.errors import RejectedError


class Command(BaseCommand):
    help = "Create an event source; prints its write key and identity secret as JSON, this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "--origin",
            action="append",
            default=[],
            metavar="URL",
            help="a web site that may send, like https://www.example.com (may be repeated); without: a server program",
        )
        parser.add_argument(
            "--user-id-field", help="the unique person field of the sender's user ids (a server program: userId)"
        )
        parser.add_argument("--munchkin-id", help="the site's Munchkin ID, like 123-ABC-456")

    def handle(self, *args: Any, **options: Any) -> None:
        kind = EventSource.Kind.BROWSER if options["origin"] else EventSource.Kind.SERVER
        values = {"origins": options["origin"], "munchkin_id": options["munchkin_id"]}
        if options["user_id_field"] is not None:
            values["user_id_field"] = options["user_id_field"]
        try:
            issued = source_editing.create_source(options["name"], kind, None, **values)
        except RejectedError as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(json.dumps(describe_key(issued)))
