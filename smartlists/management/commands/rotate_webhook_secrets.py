"""Reseals the secrets of webhooks, event sources and kiosks under the current key, the first in WEBHOOK_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from activities.forms import kiosk_links
from activities.inbound import editing as inbound_editing
from activities.models import Form, InboundWebhook, SourceKey
from activities.sources import editing as source_editing
from activities.sources import sealing
from people.core.errors import RejectedError
from smartlists.models import Webhook
from smartlists.webhooks import editing as webhook_editing


class Command(BaseCommand):
    help = (
        "Seals secrets of webhooks, event sources and kiosks under the first of WEBHOOK_KEYS; older ones may go then."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="show what would be done, and change nothing")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> str:
        if dry_run:
            name = sealing.current_key_name()
            count = Webhook.objects.exclude(secret=None).exclude(secret_key_name=name).count()
            count += SourceKey.objects.exclude(identity_secret=None).exclude(identity_key_name=name).count()
            count += InboundWebhook.objects.exclude(secret=None).exclude(secret_key_name=name).count()
            count += Form.objects.exclude(kiosk_sealed=None).exclude(kiosk_sealed_under=name).count()
            return f"{count} secrets lie under another key than “{sealing.current_key_name()}”."
        try:
            count = webhook_editing.reseal_secrets() + source_editing.reseal_secrets()
            count += inbound_editing.reseal_secrets() + kiosk_links.reseal_links()
            return f"{count} secrets were sealed under “{sealing.current_key_name()}”."
        except RejectedError as refusal:
            raise CommandError(str(refusal)) from None
