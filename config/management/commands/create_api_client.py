import json
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.access import clients
from people.problems import Refused


class Command(BaseCommand):
    help = "Create an API client; prints its client_id and client_secret as JSON, this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--owner", default="admin", help="the user whose rights it can never exceed (admin)")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = get_user_model().objects.filter(username=options["owner"], is_api_only=False).first()
        if owner is None:
            raise CommandError(f"There is no user '{options['owner']}'.")
        try:
            credentials = clients.create(options["name"], owner, None)
        except Refused as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(json.dumps({"client_id": credentials.client_id, "client_secret": credentials.client_secret}))
