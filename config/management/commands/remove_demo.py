from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import demo
from people.core.codes import Code
from people.core.errors import RejectedError


class Command(BaseCommand):
    help = "Remove what load_demo brought: people, activity types, activities. What you made yourself stays."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            removed = demo.remove_demo(None)
        except RejectedError as refusal:
            if refusal.code == Code.NO_DEMO:
                self.stdout.write("Demo: there is none to remove.")
                return
            raise CommandError(str(refusal)) from None
        for sentence in removed.kept:
            self.stderr.write(sentence)
        self.stdout.write(
            f"Demo: removed {removed.people:,} people, {removed.types} activity types and "
            f"{removed.activities:,} activities."
        )
