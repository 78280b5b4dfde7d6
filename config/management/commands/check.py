from typing import Any

from django.core.management.commands.check import Command as CheckCommand

from config.operations import doctor


class Command(CheckCommand):
    """Django's check with the doctor's checks. Registered only here: `migrate` runs registered checks at its start."""

    def handle(self, *app_labels: Any, **options: Any) -> None:
        doctor.register_checks()
        super().handle(*app_labels, **options)
