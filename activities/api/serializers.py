"""Serializers of activity types and activities.

The attribute `fields` of a serializer below is the JSON member of that name. REST framework removes declared fields
from the class, so the attribute does not hide `Serializer.fields`.
"""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from activities.consent.state import Consent
from activities.log.external_ids import external_ids_of
from activities.models import Activity, ActivityType
from activities.types import name_proposals
from activities.types.definition import ActivityFieldSpec, TypeNames
from people.core.source import Channel
from people.datatypes.canonical import moment_text
from people.datatypes.keys import MAX_ID
from people.rest.definition_serializers import (
    MAX_TEXT,
    DefinitionSerializer,
    DefinitionVersionSerializer,
    FieldChangeInputSerializer,
    FieldInputSerializer,
    FieldSerializer,
)
from people.rest.viewsets import (
    MAX_BATCH,
    ProblemSerializer,
    StrictBooleanField,
    StrictCharField,
    StrictSerializer,
    UTCDateTimeField,
)


class ActivityFieldSerializer(FieldSerializer):
    is_primary = serializers.BooleanField()


class VersionSerializer(DefinitionVersionSerializer):
    """A version of a type; the draft has no number."""

    order = (
        *("number", "name", "description", "filter_name", "trigger_name", "fields"),
        *("created_at", "approved_at", "return_reason"),
    )
    filter_name = serializers.CharField()
    trigger_name = serializers.CharField()
    fields = ActivityFieldSerializer(many=True)  # type: ignore[assignment]  # a declared field: DRF takes it off the class


class ActivityTypeSerializer(DefinitionSerializer):
    order = (
        *("id", "api_name", "name", "state", "is_standard", "live", "draft", "folder", "owner"),
        *("created_at", "updated_at", "retired_at"),
    )
    state = serializers.ChoiceField([state.value for state in ActivityType.State])
    is_standard = serializers.BooleanField()
    live = VersionSerializer(allow_null=True)
    draft = VersionSerializer(allow_null=True)


class FieldChangeSerializer(FieldChangeInputSerializer):
    pass


class ActivityFieldInputSerializer(FieldInputSerializer):
    is_primary = StrictBooleanField(default=False)


def field_spec_from_body(body: dict[str, Any]) -> ActivityFieldSpec:
    """The field of a validated body; without an API name, one is proposed from the name."""
    return ActivityFieldSpec(**{"api_name": name_proposals.propose_api_name(body["name"]), **body})


class NamesInputSerializer(StrictSerializer):
    name = StrictCharField(max_length=255)
    description = StrictCharField(max_length=MAX_TEXT, allow_blank=True)
    filter_name = StrictCharField(max_length=255)
    trigger_name = StrictCharField(max_length=255)
    api_name = StrictCharField(max_length=255, help_text="Can't be changed after the first approval.")


class ActivityTypeInputSerializer(StrictSerializer):
    """Names that are not given are proposed from `name`: for "Deposit Check" the filter name is "Deposited Check"."""

    name = StrictCharField(max_length=255)
    api_name = StrictCharField(max_length=255, required=False)
    filter_name = StrictCharField(max_length=255, required=False)
    trigger_name = StrictCharField(max_length=255, required=False)
    description = StrictCharField(max_length=MAX_TEXT, allow_blank=True, default="")
    fields = ActivityFieldInputSerializer(many=True, help_text="Exactly one is primary.")  # type: ignore[assignment]  # a declared field: DRF takes it off the class


def type_names_from_body(body: dict[str, Any]) -> TypeNames:
    """The names in a validated body; missing ones are proposed from `name`."""
    proposed = name_proposals.propose_names(body["name"])
    return TypeNames(
        body.get("api_name", proposed.api_name),
        body["name"],
        body.get("filter_name", proposed.filter_name),
        body.get("trigger_name", proposed.trigger_name),
        body["description"],
    )


class FieldsInputSerializer(StrictSerializer):
    fields = ActivityFieldInputSerializer(many=True, allow_empty=False)  # type: ignore[assignment]  # a declared field: DRF takes it off the class


class ActivitySerializer(StrictSerializer):
    id = serializers.IntegerField()
    person = serializers.IntegerField(source="person_id")
    activity_type = serializers.SerializerMethodField(help_text="API name.")
    version = serializers.IntegerField(help_text="The version of the type that validated the activity.")
    external_id = serializers.SerializerMethodField(help_text="The sender's id of the activity, or null.")
    occurred_at = UTCDateTimeField()
    recorded_at = UTCDateTimeField()
    primary_value = serializers.CharField(allow_null=True)
    attributes = serializers.SerializerMethodField()
    source = serializers.SerializerMethodField(help_text="The channel through which it was received.")  # type: ignore[assignment]  # a declared field: DRF takes it off the class
    user = serializers.IntegerField(source="user_id", allow_null=True)
    origin = serializers.IntegerField(
        source="origin_id", allow_null=True, help_text="The id of the import or campaign that recorded it."
    )
    original_person = serializers.IntegerField(source="original_person_id", allow_null=True)
    backfill = serializers.BooleanField(
        source="is_backfill", help_text="Recorded as history: it starts only campaigns that include history."
    )

    def get_external_id(self, activity: Activity) -> str | None:
        return external_ids_of([activity]).get(activity.pk)

    def get_activity_type(self, activity: Activity) -> str:
        return self.context["api_names"][activity.activity_type_id]

    @extend_schema_field({"type": "object", "additionalProperties": True})
    def get_attributes(self, activity: Activity) -> dict[str, Any]:
        return activity.attributes

    @extend_schema_field({"type": "string", "enum": [channel.word for channel in Channel]})
    def get_source(self, activity: Activity) -> str:
        return Channel(activity.channel).word


_SOURCES = {int(channel): channel.word for channel in Channel}


def activity_representation(
    activity: Any, api_names: Mapping[int, str], external_ids: Mapping[int, str]
) -> dict[str, Any]:
    """The representation that `ActivitySerializer` makes of an activity, without a field object per value."""
    return {
        "id": activity.id,
        "person": activity.person_id,
        "activity_type": api_names[activity.activity_type_id],
        "version": activity.version,
        "external_id": external_ids.get(activity.id),
        "occurred_at": moment_text(activity.occurred_at),
        "recorded_at": moment_text(activity.recorded_at),
        "primary_value": activity.primary_value,
        "attributes": activity.attributes,
        "source": _SOURCES[activity.channel],
        "user": activity.user_id,
        "origin": activity.origin_id,
        "original_person": activity.original_person_id,
        "backfill": activity.is_backfill,
    }


# a separate component: generators make no class for an object inside a choice
PERSON_KEY = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "description": "One identifying field with its value.",
    "properties": {"email": {"type": "string", "format": "email"}},
    "additionalProperties": {"type": ["string", "integer"]},
}
PERSON = {
    "description": "A person's id, or an object with one identifying field: e-mail or a unique person field.",
    "oneOf": [{"type": "integer", "minimum": 1, "maximum": MAX_ID}, {"$ref": "#/components/schemas/PersonKey"}],
    "examples": [{"email": "ann@example.com"}],
}


@extend_schema_field(PERSON)
class PersonReferenceField(serializers.JSONField):
    """Documents how a row names its person; `receiving` reads it."""


class ActivityInputSerializer(StrictSerializer):
    """An activity to record, validated by the live version of its type."""

    activity_type = serializers.CharField(help_text="API name of an approved type.")
    person = PersonReferenceField()
    occurred_at = serializers.DateTimeField(help_text="ISO 8601; UTC if no zone is given.")
    primary_value = serializers.JSONField(required=False, help_text="The value of the primary field.")
    attributes = serializers.DictField(required=False, help_text="Secondary fields by API name.")
    external_id = serializers.CharField(
        max_length=255,
        required=False,
        allow_null=True,
        help_text="Your own id of the activity; it is recorded once per person and type, however often it is sent.",
    )
    create_person = serializers.BooleanField(required=False, help_text="Create the person if there is none.")


class BatchInputSerializer(StrictSerializer):
    activities: "serializers.ListSerializer[Any]" = serializers.ListSerializer(
        child=ActivityInputSerializer(), min_length=1, max_length=MAX_BATCH
    )


class OutcomeSerializer(StrictSerializer):
    index = serializers.IntegerField()
    status = serializers.ChoiceField(["added", "repeated", "refused", "valid"])
    id = serializers.IntegerField(required=False)
    errors = ProblemSerializer(many=True, required=False)  # type: ignore[assignment]  # a declared field: DRF takes it off the class
    kept = serializers.BooleanField(
        required=False, help_text="False if a rejected row was not kept to be corrected, as there is no room for it."
    )


class BatchSerializer(StrictSerializer):
    added = serializers.IntegerField()
    repeated = serializers.IntegerField()
    refused = serializers.IntegerField()
    not_kept = serializers.IntegerField(
        required=False,
        help_text="The number of rejected rows that were not kept to be corrected; absent if there are none.",
    )
    results = OutcomeSerializer(many=True, help_text="One per row, in order.")


class ValidatedSerializer(StrictSerializer):
    valid = serializers.IntegerField()
    repeated = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = OutcomeSerializer(many=True)


class ConsentQuerySerializer(StrictSerializer):
    person = serializers.IntegerField(min_value=1, max_value=MAX_ID)
    at = UTCDateTimeField(required=False, help_text="A moment; now by default.")


class ConsentSerializer(StrictSerializer):
    """The consent that counts for one purpose."""

    purpose = serializers.CharField()
    state = serializers.SerializerMethodField()
    since = UTCDateTimeField()
    text = serializers.CharField(help_text="What the person agreed to, or said.")
    text_version = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # a declared field: DRF takes it off the class
    url = serializers.CharField()
    activity = serializers.IntegerField(source="activity_id", help_text="Id of the activity that recorded the consent.")

    @extend_schema_field({"type": "string", "enum": ["given", "withdrawn"]})
    def get_state(self, consent: Consent) -> str:
        return "given" if consent.is_given else "withdrawn"


class PersonConsentsSerializer(StrictSerializer):
    # generators of clients name a variable as the class: no schema may be called as a member of it
    person = serializers.IntegerField()
    consents = ConsentSerializer(many=True, help_text="One a purpose; what was never spoken of is not there.")
