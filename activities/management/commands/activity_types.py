import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from activities.models import ActivityType
from activities.types import files as type_files
from people.core.errors import RejectedError, located_message
from people.datatypes import exact_json


class Command(BaseCommand):
    help = "Bring activity types in from a JSON file, or write them to one (“-” is standard input or output)."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        importing = verbs.add_parser("import", help="create types, or change drafts to match the file")
        importing.add_argument("file")
        importing.add_argument("--approve", action="store_true", help="approve what was created or changed")
        importing.add_argument("--dry-run", action="store_true", help="show what would happen, change nothing")
        exporting = verbs.add_parser("export", help="write the custom types")
        exporting.add_argument("file")
        exporting.add_argument("--only", nargs="+", metavar="API_NAME", help="these types only")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['verb']}")(options)

    def _import(self, options: dict[str, Any]) -> None:
        try:
            content = exact_json.load_exact_json(_read(options["file"]))
            results = type_files.import_types(content, None, approve=options["approve"], dry_run=options["dry_run"])
        except exact_json.InvalidJSONError as error:
            raise CommandError(f"{options['file']} is not JSON: {error}") from None
        except RejectedError as refusal:
            raise CommandError("\n".join(located_message(problem) for problem in refusal.problems)) from None
        prefix = "Dry run, nothing was changed: " if options["dry_run"] else ""
        lines = [
            f"{result.api_name} {result.what}{' and approved' if result.is_approved else ''}" for result in results
        ]
        self.stdout.write(prefix + (", ".join(lines) or "no types in the file") + ".")

    def _export(self, options: dict[str, Any]) -> None:
        types = ActivityType.objects.custom().existing().with_versions()
        if options["only"]:
            missing = set(options["only"]) - set(types.values_list("api_name", flat=True))
            if missing:
                raise CommandError(f"There is no activity type {', '.join(sorted(missing))}.")
            types = types.filter(api_name__in=options["only"])
        text = json.dumps(type_files.types_as_document(types), indent=2, ensure_ascii=False)
        if options["file"] == "-":
            self.stdout.write(text)
            return
        with open(options["file"], "w", encoding="utf-8") as file:
            file.write(text + "\n")
        self.stdout.write(f"{len(types)} types written to {options['file']}.")


def _read(name: str) -> bytes:
    try:
        if name == "-":
            return sys.stdin.buffer.read()
        with open(name, "rb") as file:
            return file.read()
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from None
