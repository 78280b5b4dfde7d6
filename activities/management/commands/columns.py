"""The column index of this node: builds, compares, shows and removes it."""

import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from activities.log.columns import builder, session, state, verify
from activities.log.columns.builder import IndexBusyError
from activities.log.columns.relation import NotHeldError
from people.core.db import citus
from people.core.errors import RejectedError

SHOWN = 20


class Command(BaseCommand):
    help = (
        "The column index of this node (DATA_DIR/columns), from which smart lists are answered where that is exact. "
        "It can be removed and built anew at any time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        build = actions.add_parser("build", help="bring it up to date with the log")
        build.add_argument("--anew", action="store_true", help="use nothing of what is there")
        build.add_argument("--keep", action="store_true", help="go on until told to stop")
        actions.add_parser("verify", help="compare it with the log, type by type; changes nothing")
        actions.add_parser("status", help="show what there is")
        actions.add_parser("drop", help="remove it")

    def handle(self, *args: Any, action: str, **options: Any) -> str:
        try:
            return str(getattr(self, action)(**options))
        except (IndexBusyError, NotHeldError, RejectedError, OSError, session.Error) as error:
            raise CommandError(str(error)) from None

    def build(self, anew: bool, keep: bool, **options: Any) -> str:
        if keep:
            over: list[int] = []
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda received, _frame: over.append(received))
            builder.build_continuously(lambda: bool(over))
            return "Ended."
        if not settings.COLUMN_INDEX:
            raise CommandError("COLUMN_INDEX is off: nothing would be answered from it. See docs/settings.md.")
        if citus.is_distributed():
            raise CommandError("The log lies on a cluster: the column index works on one server only.")
        built = builder.build_index(anew=anew)
        for type_id, why in built.manifest.left_out.items():
            self.stderr.write(f"type {type_id} is left out: {why}")
        return f"{built.rows:,} rows written for {len(built.types)} types; {state.index_summary()}"

    def verify(self, **options: Any) -> str:
        agree, findings = verify.verify_index()
        for finding in findings[:SHOWN]:
            self.stderr.write(str(finding))
        if findings:
            raise CommandError(f"{len(findings)} differences; run `manage.py columns build --anew`.")
        return f"{agree} types agree with the log, and all people with their table."

    def status(self, **options: Any) -> str:
        return state.index_summary()

    def drop(self, **options: Any) -> str:
        return "The column index was removed." if builder.drop_index() else "There was no column index."
