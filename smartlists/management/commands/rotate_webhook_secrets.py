"""Reseals the secrets of webhooks under the current key, the first in WEBHOOK_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from people.core.errors import RejectedError
from smartlists.models import Webhook
from smartlists.webhooks import editing as webhook_editing
from smartlists.webhooks import secrets as webhook_secrets


class Command(BaseCommand):
    help = "Seals every webhook's secret under the first key of WEBHOOK_KEYS; older keys may go from there then."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> str:
        if dry_run:
            count = (
                Webhook.objects.exclude(secret=None).exclude(secret_key_name=webhook_secrets.current_key_name()).count()
            )
            return f"{count} secrets lie under another key than “{webhook_secrets.current_key_name()}”."
        try:
            return (
                f"{webhook_editing.reseal_secrets()} secrets were sealed under “{webhook_secrets.current_key_name()}”."
            )
        except RejectedError as refusal:
            raise CommandError(str(refusal)) from None
