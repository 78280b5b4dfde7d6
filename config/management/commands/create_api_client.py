import json
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.access.clients import editing as client_editing
from people.core.errors import RejectedError


class Command(BaseCommand):
    help = "Create an API client; prints its client_id and client_secret as JSON, this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--owner", help="the user whose rights it can never exceed (the first administrator)")

    def handle(self, *args: Any, **options: Any) -> None:
        conditions = {"username": options["owner"]} if options["owner"] else {"is_superuser": True, "is_active": True}
        owner = get_user_model().objects.filter(is_api_only=False, **conditions).order_by("pk").first()
        if owner is None:
            raise CommandError(f"There is no user '{options['owner'] or 'admin'}'.")
        try:
            credentials = client_editing.create_client(options["name"], owner, None)
        except RejectedError as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(json.dumps({"client_id": credentials.client_id, "client_secret": credentials.client_secret}))
