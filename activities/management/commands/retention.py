from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from activities.log import retention
from activities.models import ActivityType
from people.core.errors import RejectedError


class Command(BaseCommand):
    help = (
        "How long activities are kept. Without options: what the next nightly run would remove. No type has a "
        "retention unless it is given one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--type", metavar="API_NAME", help="the type that --months is for")
        parser.add_argument("--months", type=int, help="keep its activities so long after they occurred; 0: for ever")
        parser.add_argument("--run", action="store_true", help="remove now what is past its time")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["months"] is not None:
            self._set(options)
        if options["run"]:
            self.stdout.write(f"{retention.run_retention():,} activities removed.")
            return
        rules = list(retention.due_removals())
        for rule in rules:
            sentence = f"{rule.retention.activity_type.api_name} is kept for {rule.retention.months} months"
            self.stdout.write(f"{sentence}: {rule.count:,} activities from before {rule.before:%Y-%m-%d} would go.")
        if not rules:
            self.stdout.write("Everything is kept for ever.")

    def _set(self, options: dict[str, Any]) -> None:
        activity_type = ActivityType.objects.existing().filter(api_name=options["type"]).first()
        if activity_type is None:
            raise CommandError(f"There is no activity type '{options['type']}'.")
        try:
            retention.set_retention(activity_type, options["months"] or None, None)
        except RejectedError as refusal:
            raise CommandError(str(refusal)) from None
