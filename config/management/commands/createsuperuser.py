"""Django's command, with the rule of the product's pages that no two users have the same email address."""

import os
from contextlib import nullcontext
from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.core.management.base import CommandError
from django.db import transaction

from config.access.users.addresses import is_address_taken

TAKEN = "Another user has this address."


class Command(createsuperuser.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        """Create the user; without questions in one transaction, so that no other user gets the address in between.

        A transaction that waits for answers would be ended, and block changes of addresses.
        """
        with nullcontext() if options["interactive"] else transaction.atomic():
            self._create(*args, **options)

    def _create(self, *args: Any, **options: Any) -> None:
        email = options["email"] or ("" if options["interactive"] else os.environ.get("DJANGO_SUPERUSER_EMAIL", ""))
        if is_address_taken(email):
            raise CommandError(TAKEN)
        super().handle(*args, **options)

    def get_input_data(self, field: Any, message: str, default: Any = None) -> Any:
        """Prompt for a value. None, after an error message, makes the caller prompt again."""
        value = super().get_input_data(field, message, default)
        if field.name == "email" and value and is_address_taken(value):
            self.stderr.write(f"Error: {TAKEN}")
            return None
        return value
