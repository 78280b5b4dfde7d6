from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.access.sign_in import mfa


class Command(BaseCommand):
    help = (
        "Take authenticator app, passkeys and recovery codes from a user who lost them, and end their sessions. The "
        "password stays. Leaves an audit entry."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--dry-run", action="store_true", help="only show what there is")

    def handle(self, *args: Any, **options: Any) -> None:
        user = get_user_model().objects.filter(username=options["username"], is_api_only=False).first()
        if user is None:
            raise CommandError(f"There is no user '{options['username']}'.")
        if options["dry_run"]:
            state = "has a second step" if mfa.has_second_step(user) else "has no second step"
            self.stdout.write(f"{user.get_username()} {state}. Nothing was changed.")
            return
        count = mfa.reset_second_step(user, None)
        self.stdout.write(f"Took {count} ways of a second step from {user.get_username()}; every session is ended.")
