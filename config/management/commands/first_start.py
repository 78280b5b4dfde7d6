import os
import secrets
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import translation

from config import demo
from people.core import installation
from people.core.models import Installation

USERNAME = "admin"


class Command(BaseCommand):
    help = (
        "Make the first administrator, once, and load the demo (DEMO=0: do not). With ADMIN_PASSWORD or one of "
        "INSTANCE_TIME_ZONE, INSTANCE_CURRENCY, INSTANCE_LANGUAGE the installation is set up from the environment; "
        "else its page asks the administrator at the first visit."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if get_user_model().objects.filter(is_superuser=True).exists():
            self.stdout.write("First start: done before.")
            return
        preset = os.environ.get("ADMIN_PASSWORD", "")
        password = preset or secrets.token_urlsafe(12)
        with transaction.atomic():
            get_user_model().objects.create_superuser(USERNAME, password=password, must_change_password=not preset)
            self._make_installation()
            loaded = self._load_demo() if settings.WITH_DEMO else None
        password_text = "the one in ADMIN_PASSWORD" if preset else password
        self.stdout.write(f"First start: user {USERNAME}, password {password_text} (not shown again).")
        if loaded:
            self.stdout.write(
                f"First start: loaded the demo, {len(loaded.person_ids)} people and {loaded.activities:,} activities "
                "(python manage.py remove_demo takes them away)."
            )

    def _make_installation(self) -> None:
        names = ("TIME_ZONE", "CURRENCY", "LANGUAGE")
        environment = {name.lower(): value for name in names if (value := os.environ.get(f"INSTANCE_{name}"))}
        if not environment and not os.environ.get("ADMIN_PASSWORD"):
            return
        values = {"time_zone": "UTC", "currency": "USD", "language": "en"} | environment
        zone, currency = values["time_zone"], values["currency"].upper()
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise CommandError(f"INSTANCE_TIME_ZONE: '{zone}' is not a time zone like Europe/Madrid.") from None
        if len(currency) != 3 or not (currency.isalpha() and currency.isascii()):
            raise CommandError(f"INSTANCE_CURRENCY: '{currency}' is not a code like EUR.")
        if values["language"] not in dict(settings.LANGUAGES):
            raise CommandError(f"INSTANCE_LANGUAGE: '{values['language']}' is neither en nor es.")
        Installation.objects.get_or_create(pk=1, defaults=values | {"currency": currency})
        installation.clear_installation_cache()

    def _load_demo(self) -> demo.Loaded:
        with translation.override(installation.current_installation().language):
            return demo.load_demo(None)
