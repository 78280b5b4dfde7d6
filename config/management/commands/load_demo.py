from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import demo
from people.core.codes import Code
from people.core.errors import RejectedError


class Command(BaseCommand):
    help = "Load the demo: some 300 people, four activity types, a year of activities, lists, reports. See remove_demo."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            loaded = demo.load_demo(None)
        except RejectedError as refusal:
            if refusal.code == Code.DEMO_IS_THERE:
                self.stdout.write("Demo: loaded before.")
                return
            raise CommandError(str(refusal)) from None
        self.stdout.write(
            f"Demo: loaded {len(loaded.person_ids):,} people, {len(loaded.type_ids)} activity types and "
            f"{loaded.activities:,} activities."
        )
