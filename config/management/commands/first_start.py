import os
import secrets
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from people.models import Installation


class Command(BaseCommand):
    help = (
        "Make the first administrator and this installation's settings, once. ADMIN_PASSWORD, INSTANCE_TIME_ZONE, "
        "INSTANCE_CURRENCY and INSTANCE_LANGUAGE are honoured."
    )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        self._make_installation()
        users = get_user_model().objects
        if users.filter(is_superuser=True).exists():
            self.stdout.write("First start: done before.")
            return
        given = os.environ.get("ADMIN_PASSWORD", "")
        password = given or secrets.token_urlsafe(12)
        users.create_superuser("admin", password=password)
        shown = "the one in ADMIN_PASSWORD" if given else password
        self.stdout.write(f"First start: user admin, password {shown} (not shown again).")

    def _make_installation(self) -> None:
        zone = os.environ.get("INSTANCE_TIME_ZONE", "UTC")
        currency = os.environ.get("INSTANCE_CURRENCY", "USD").upper()
        language = os.environ.get("INSTANCE_LANGUAGE", "en")
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise CommandError(f"INSTANCE_TIME_ZONE: '{zone}' is not a time zone like Europe/Madrid.") from None
        if len(currency) != 3 or not currency.isalpha():
            raise CommandError(f"INSTANCE_CURRENCY: '{currency}' is not a code like EUR.")
        if language not in {"en", "es"}:
            raise CommandError(f"INSTANCE_LANGUAGE: '{language}' is neither en nor es.")
        Installation.objects.get_or_create(
            pk=1, defaults={"time_zone": zone, "currency": currency, "language": language}
        )
