from typing import Any

from django.core.management.commands.check import Command as CheckCommand

from config.operations import doctor


class Command(CheckCommand):
    """Django's own, with the checks of the doctor. Only here: `migrate` runs all that is registered when it starts."""

    def handle(self, *app_labels: Any, **options: Any) -> None:
        doctor.register()
        super().handle(*app_labels, **options)
