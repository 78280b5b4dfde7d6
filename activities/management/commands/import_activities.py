from typing import Any

from django.core.management.base import CommandError, CommandParser

from activities.models import ActivityType
from activities.recording import import_target as activities_importing
from activities.recording.file_rows import FIELD
from activities.recording.import_target import MARKETO, ActivitiesTarget
from people.files.imports import guessing
from people.files.imports.command import ImportCommand
from people.files.imports.plan import ExternalId, ImportPlan
from people.files.tabular import FileShape


class Command(ImportCommand):
    kind = "activities"
    help = (
        "Record the activities of a file: CSV with any delimiter, NDJSON or XLSX. Rows with an external id are "
        "recorded once, however often the file is imported; without one a row's content stands for it. A bulk "
        "extract of Marketo's activities (its eight columns) needs no options."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--type", help="API name of the activity type")
        parser.add_argument("--type-column", metavar="COLUMN", help="the column with the type, where types are mixed")
        parser.add_argument(
            "--person", metavar="TEMPLATE", help="who did it: a column like {email}, or a text with columns in it"
        )
        parser.add_argument("--person-field", help="id, email (default) or a unique person field")
        parser.add_argument("--create-people", action="store_true", help="create people who are not known yet")
        parser.add_argument("--occurred-at", metavar="COLUMN")
        parser.add_argument("--primary", metavar="COLUMN", help="the column of the primary field")
        parser.add_argument(
            "--field",
            action="append",
            default=[],
            metavar="API_NAME=COLUMN",
            help="a secondary field; without any, columns called like fields are taken",
        )
        parser.add_argument("--attributes", metavar="COLUMN", help="a column with the fields as a JSON object")
        keys = parser.add_mutually_exclusive_group()
        keys.add_argument("--external-id", metavar="COLUMN")
        keys.add_argument("--no-external-id", action="store_true", help="importing the file again records it again")

    def plan(self, shape: FileShape, options: dict[str, Any]) -> ImportPlan:
        more = {
            "lookup_field": options["person_field"],
            "create_people": options["create_people"],
            "zone": options["zone"],
        }
        more = {name: value for name, value in more.items() if value is not None}
        if activities_importing.is_marketo_extract(shape) and not options["occurred_at"]:
            return self._marketo(options, more)
        if not (options["type"] or options["type_column"]):
            raise CommandError("--type is needed.")
        columns = {
            "activity_type": options["type_column"],
            "occurred_at": options["occurred_at"],
            "primary_value": options["primary"],
            "attributes": options["attributes"],
            "external_id": options["external_id"],
            **self._fields(shape, options),
        }
        return ImportPlan(
            columns={name: column for name, column in columns.items() if column},
            subject=options["type"] or "",
            person=options["person"] or "",
            external_id=_external_id(options),
            **more,
        )

    def _marketo(self, options: dict[str, Any], more: dict[str, Any]) -> ImportPlan:
        if not options["person_field"]:
            raise CommandError(
                "--person-field is needed: the person field that holds Marketo's lead ids."
                " With --person-field id they are taken for ids of people of this installation."
            )
        if options["type"]:
            columns = {name: MARKETO[name] for name in MARKETO if name not in ("person", "activity_type")}
            more |= {"subject": options["type"], "columns": columns}
        if options["person"]:
            more["person"] = options["person"]
        return activities_importing.marketo_plan(**more)

    def _fields(self, shape: FileShape, options: dict[str, Any]) -> dict[str, str]:
        if not options["type"]:
            return {}
        activity_type = ActivityType.objects.recordable().filter(api_name=options["type"]).first()
        if activity_type is None or activity_type.live is None:
            raise CommandError(f"There is no approved activity type '{options['type']}'.")
        names = [field.api_name for field in activity_type.live.fields.all() if not field.is_primary]
        pairs = [pair.partition("=")[::2] for pair in options["field"]]
        columns_by_field = dict(pairs)
        if len(columns_by_field) < len(pairs):
            raise CommandError("--field: one field is given two columns.")
        unknown = [name for name in columns_by_field if name not in names]
        if unknown:
            raise CommandError(
                f"--field: '{unknown[0]}' is not a field of {options['type']}; there are {', '.join(names)}."
            )
        if columns_by_field or options["attributes"]:
            return {FIELD + name: column for name, column in columns_by_field.items()}
        items = [item for item in ActivitiesTarget().mappable(options["type"]) if item.name.startswith(FIELD)]
        used_columns = {options["occurred_at"], options["primary"], options["external_id"]}
        guessed = guessing.guess_columns(items, shape)
        return {name: column for name, column in guessed.items() if column not in used_columns}


def _external_id(options: dict[str, Any]) -> str:
    if options["no_external_id"]:
        return ExternalId.NONE
    return ExternalId.COLUMN if options["external_id"] else ExternalId.HASH
