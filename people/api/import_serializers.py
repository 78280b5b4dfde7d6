"""Serializers of imports: representations and request bodies."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from people.api.serializers import CHANNELS
from people.core.errors import stored_problem_json
from people.core.source import Channel
from people.datatypes import exact_json
from people.datatypes.keys import MAX_ID
from people.files.imports import jobs as import_jobs
from people.files.imports import plan as import_plan
from people.files.imports import presets
from people.files.models import Import, ImportFailure
from people.files.tabular import FileShape
from people.persons import import_undo
from people.rest.viewsets import (
    ProblemSerializer,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
    UTCDateTimeField,
)

TAKEN_BACK = {
    "type": ["object", "null"],
    "properties": {
        "reason": {"type": "string"},
        "at": {"type": "string", "format": "date-time"},
        "activities": {"type": "integer", "description": "The number of activities removed."},
        "people": {"type": "integer", "description": "The number of people deleted."},
        "kept": {"type": "object", "additionalProperties": {"type": "integer"}},
        "records": {"type": "integer", "description": "The number of records of objects deleted."},
        "records_put_back": {"type": "integer", "description": "The number of records with their former values again."},
        "records_kept": {"type": "object", "additionalProperties": {"type": "integer"}},
        "is_done": {"type": "boolean"},
        "has_failed": {"type": "boolean", "description": "It stopped early; `error` gives the reason."},
    },
    "required": [
        "reason",
        "at",
        "activities",
        "people",
        "kept",
        "records",
        "records_put_back",
        "records_kept",
        "is_done",
        "has_failed",
    ],
}


class ImportSerializer(StrictSerializer):
    id = serializers.IntegerField()
    kind = serializers.CharField()
    name = serializers.CharField(help_text="The name of the file.")
    state = serializers.ChoiceField([str(state) for state in Import.State])
    percent = serializers.IntegerField()
    columns = serializers.SerializerMethodField(help_text="The column names in the header row.")
    plan = serializers.SerializerMethodField(help_text="The meaning of the columns.")
    added = serializers.IntegerField()
    updated = serializers.IntegerField()
    repeated = serializers.IntegerField(help_text="Rows that had been imported before.")
    refused = serializers.IntegerField()
    not_kept = serializers.IntegerField(
        help_text="The number of rejected rows that can't be corrected in the product: there was no room to keep them."
    )
    created = serializers.IntegerField(help_text="The number of people created, or, after a check, to be created.")
    rows_above = serializers.IntegerField(
        help_text="Rows above the header, which are left out. Send header_row if the wrong row was taken."
    )
    blank_rows = serializers.IntegerField(
        help_text="Blank rows that were left out, counted when the whole file is checked or imported."
    )
    rows_left_out = serializers.IntegerField(
        help_text="Rows left out by the plan's only_rows and ends_at, counted like blank_rows."
    )
    preset = serializers.SerializerMethodField(
        help_text="The import preset of this file, if it is one of another product that is recognised; else null."
    )
    taken_back = serializers.SerializerMethodField(
        help_text="The result of undoing the import; null if it was not undone."
    )
    error = serializers.CharField(source="fault")
    source = serializers.SerializerMethodField()  # type: ignore[assignment]
    user = serializers.CharField(source="user.username", allow_null=True, default=None)
    created_at = UTCDateTimeField()
    started_at = UTCDateTimeField(allow_null=True)
    finished_at = UTCDateTimeField(allow_null=True)

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_columns(self, job: Import) -> list[str]:
        return list(job.shape.get("header", ()))

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
    def get_plan(self, job: Import) -> Any:
        return job.plan

    @extend_schema_field({"type": ["string", "null"]})
    def get_preset(self, job: Import) -> str | None:
        preset = presets.recognised_preset(job.kind, FileShape.from_json(job.shape))
        return preset.name if preset else None

    @extend_schema_field(CHANNELS)
    def get_source(self, job: Import) -> str:
        return Channel(job.channel).word

    @extend_schema_field(TAKEN_BACK)
    def get_taken_back(self, job: Import) -> Any:
        if not job.undo:
            return None
        undo = {name: job.undo[name] for name in ("reason", "at", "activities", "people", "kept")}
        # imports that a version without objects undid have none
        later = {"records": 0, "records_put_back": 0, "records_kept": {}}
        undo |= {name: job.undo.get(name, default) for name, default in later.items()}
        has_failed = import_undo.has_failed(job)
        return {**undo, "is_done": job.wish != Import.Wish.UNDO and not has_failed, "has_failed": has_failed}


class TakeBackInputSerializer(StrictSerializer):
    """The reason for undoing the import."""

    reason = StrictCharField(max_length=import_undo.MAX_REASON, help_text="Noted in the audit log.")


class ChangeSerializer(StrictSerializer):
    person_id = serializers.IntegerField()
    field = serializers.CharField()
    old = serializers.CharField(allow_blank=True)
    new = serializers.CharField(allow_blank=True)


class UndoneRecordsSerializer(StrictSerializer):
    deleted = serializers.IntegerField(help_text="Created by the import; they can be restored.")
    put_back = serializers.IntegerField(help_text="Changed by the import; they would get their former values back.")
    kept = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Records that would stay as they are, by reason: changed, deleted, refused.",
    )


class TakeBackSerializer(StrictSerializer):
    """The effects of undoing an import now."""

    activities = serializers.IntegerField(help_text="Activities that would be removed.")
    people = serializers.IntegerField(
        help_text="People created by the import who would be deleted; they can be restored."
    )
    kept = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="People created by the import who would stay, by the table that holds data of them.",
    )
    records = UndoneRecordsSerializer(help_text="Records of objects.")
    changed = serializers.IntegerField(help_text="Changed values of existing people, which would stay.")
    changes = ChangeSerializer(many=True, help_text=f"The first {import_undo.SHOWN} of these values.")


class PlanInputSerializer(StrictSerializer):
    """The meaning of the columns of a file."""

    columns = serializers.DictField(
        child=StrictCharField(max_length=255),
        required=False,
        help_text="The name of the column, by field. Required without a preset.",
    )
    preset = StrictCharField(
        max_length=64,
        required=False,
        help_text="Fill in what this plan leaves out as this import preset does; `preset` of the import names the one "
        "that recognises the file. What was filled in is in the answer's plan.",
    )
    subject = StrictCharField(
        max_length=255, required=False, help_text="The API name of the activity type or object type."
    )
    person = StrictCharField(
        max_length=255,
        required=False,
        help_text='For activities: the column that identifies the person, in braces, like "{email}".',
    )
    lookup_field = StrictCharField(
        max_length=100,
        required=False,
        help_text="How people are found: email, id or a unique field. For objects: dedupe_fields, id or guid.",
    )
    create_people = StrictBooleanField(required=False)
    action = serializers.ChoiceField(["upsert", "create", "update"], required=False)
    external_id = serializers.ChoiceField([str(choice) for choice in import_plan.ExternalId], required=False)
    zone = StrictCharField(
        max_length=64, required=False, help_text="The time zone of times without one, like Europe/Madrid."
    )
    date_order = serializers.ChoiceField(
        [str(choice) for choice in import_jobs.DateOrder],
        required=False,
        help_text="The order in dates like 3/4/2026. Required if the file is ambiguous, as are decimal and pivot.",
    )
    decimal = serializers.ChoiceField([".", ","], required=False)
    static_list = StrictIntegerField(required=False, allow_null=True, min_value=1, max_value=MAX_ID)
    null_text = StrictCharField(max_length=64, required=False, allow_blank=True)
    starts_campaigns = StrictBooleanField(
        required=False, help_text="Whether the imported rows may start smart campaigns. By default true."
    )
    backfill = StrictBooleanField(
        required=False,
        help_text="Whether the rows are history, which starts no campaign; the opposite of starts_campaigns.",
    )
    pivot = serializers.ChoiceField(
        [30, 70], required=False, help_text="The first two-digit year that belongs to the 1900s."
    )
    keep_apostrophes = StrictBooleanField(required=False)
    constants = serializers.DictField(
        child=StrictCharField(max_length=1_000), required=False, help_text="Fixed values for all rows, by field."
    )
    only_rows = serializers.DictField(
        child=serializers.ListField(child=StrictCharField(max_length=1_000), min_length=1, max_length=100),
        required=False,
        help_text="By column: rows with another value there are left out, and counted.",
    )
    ends_at = StrictCharField(
        max_length=1_000,
        required=False,
        help_text="The table ends above the row of which this text is the only filled cell; what follows is left out.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The parts of a plan: `backfill` is stored as `starts_campaigns`, the name that earlier versions use."""
        if "columns" not in attrs and "preset" not in attrs:
            raise serializers.ValidationError({"columns": self.fields["columns"].error_messages["required"]})
        backfill = attrs.pop("backfill", None)
        if backfill is None:
            return attrs
        if attrs.get("starts_campaigns", not backfill) is backfill:
            raise serializers.ValidationError({"backfill": _("starts_campaigns says the opposite")})
        return {**attrs, "starts_campaigns": not backfill}


class FailureSerializer(StrictSerializer):
    row = serializers.IntegerField()
    raw = serializers.SerializerMethodField(help_text="The row as it is in the file.")
    errors = serializers.SerializerMethodField()  # type: ignore[assignment]

    @extend_schema_field({})
    def get_raw(self, failure: ImportFailure) -> Any:
        row = exact_json.load_stored_json(failure.raw)
        return failure.raw if row is None else row

    @extend_schema_field(ProblemSerializer(many=True))
    def get_errors(self, failure: ImportFailure) -> list[dict[str, str]]:
        return [stored_problem_json(problem) for problem in failure.problems]
