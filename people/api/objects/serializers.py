"""Serializers of object types and their records.

The attribute `fields` of a serializer below is the JSON member of that name. REST framework removes declared fields
from the class, so the attribute does not hide `Serializer.fields`.
"""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from people.core.codes import Code
from people.core.source import Channel
from people.datatypes.exact_json import RepeatedKeys
from people.datatypes.keys import MAX_BIG_ID
from people.fields.editing import proposed_api_name
from people.models import ObjectChange, ObjectType
from people.objects.definition import ObjectFieldSpec, ObjectNames
from people.objects.outcomes import RECORD_ACTIONS, RECORD_KEYS, RECORD_STATUSES, RecordAction, RecordKey
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
    StrictIntegerField,
    StrictSerializer,
    UTCDateTimeField,
)

STATES = [state.value for state in ObjectType.State]
KINDS = [kind.name.lower() for kind in ObjectChange.Kind]
LINK_TO = "“person” or the API name of an approved object type; empty for a field that links to nothing."
LINK_BY = "“id”, “email” or a unique person field; “id”, “guid” or the only dedupe field of an object type."


class ObjectFieldSerializer(FieldSerializer):
    is_dedupe = serializers.BooleanField()
    link_to = serializers.CharField(help_text=LINK_TO)
    link_by = serializers.CharField(help_text=LINK_BY)


class ObjectVersionSerializer(DefinitionVersionSerializer):
    """A version of an object type; the draft has no number."""

    order = (
        *("number", "name", "plural_name", "description", "fields"),
        *("created_at", "approved_at", "return_reason"),
    )
    plural_name = serializers.CharField()
    fields = ObjectFieldSerializer(many=True)  # type: ignore[assignment]  # a declared field: DRF takes it off the class


class ObjectTypeSerializer(DefinitionSerializer):
    order = (
        *("id", "api_name", "name", "state", "live", "draft", "is_shown_on_person", "folder", "owner"),
        *("created_at", "updated_at", "retired_at"),
    )
    state = serializers.ChoiceField(STATES)
    live = ObjectVersionSerializer(allow_null=True)
    draft = ObjectVersionSerializer(allow_null=True)
    is_shown_on_person = serializers.BooleanField()


class ObjectFieldInputSerializer(FieldInputSerializer):
    is_dedupe = StrictBooleanField(default=False, help_text="One to three fields together tell records apart.")
    link_to = StrictCharField(max_length=255, allow_blank=True, default="", help_text=LINK_TO)
    link_by = StrictCharField(max_length=255, allow_blank=True, default="", help_text=LINK_BY)


def field_spec_from_body(body: dict[str, Any]) -> ObjectFieldSpec:
    """The field of a validated body; without an API name, one is proposed from the name."""
    return ObjectFieldSpec(**{"api_name": proposed_api_name(body["name"]), **body})


class ObjectFieldChangeSerializer(FieldChangeInputSerializer):
    is_dedupe = StrictBooleanField()
    link_to = StrictCharField(max_length=255, allow_blank=True)
    link_by = StrictCharField(max_length=255, allow_blank=True)


class ObjectFieldsInputSerializer(StrictSerializer):
    fields = ObjectFieldInputSerializer(many=True)  # type: ignore[assignment]  # a declared field: DRF takes it off the class


class ObjectNamesInputSerializer(StrictSerializer):
    name = StrictCharField(max_length=255)
    plural_name = StrictCharField(max_length=255)
    description = StrictCharField(max_length=MAX_TEXT, allow_blank=True)
    api_name = StrictCharField(max_length=255, help_text="Can't be changed after the first approval.")
    is_shown_on_person = StrictBooleanField(help_text="Applies at once, to all versions.")


class ObjectTypeInputSerializer(StrictSerializer):
    name = StrictCharField(max_length=255)
    plural_name = StrictCharField(max_length=255)
    api_name = StrictCharField(max_length=255, required=False, help_text="Proposed from the name by default.")
    description = StrictCharField(max_length=MAX_TEXT, allow_blank=True, default="")
    fields = ObjectFieldInputSerializer(many=True)  # type: ignore[assignment]  # a declared field: DRF takes it off the class


def names_from_body(body: dict[str, Any]) -> ObjectNames:
    """The names in a validated body; without an API name, one is proposed from the name."""
    api_name = body.get("api_name", proposed_api_name(body["name"]))
    return ObjectNames(api_name, body["name"], body["plural_name"], body["description"])


@extend_schema_field({"$ref": "#/components/schemas/ObjectValues"})
class ValuesField(serializers.Field):
    """Values by API name of their fields; fields without a value are left out. The verbs check received values."""

    default_error_messages = {"invalid": _("Expected an object of fields and their values.")}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            self.fail("invalid")
        if isinstance(data, RepeatedKeys):
            raise serializers.ValidationError(_("A name is given twice."), Code.GIVEN_TWICE)
        return data

    def to_representation(self, value: Any) -> Any:
        return value


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": {
            "type": "array",
            "items": {"type": ["string", "number", "boolean", "null"]},
            "minItems": 2,
            "maxItems": 2,
        },
    }
)
class ChangesField(serializers.JSONField):
    """The old and the new value of each changed field, by API name; null is no value."""


class ObjectRecordSerializer(StrictSerializer):
    id = serializers.IntegerField()
    guid = serializers.UUIDField()
    object_type = serializers.CharField()
    name = serializers.CharField(help_text="The dedupe values.")
    person = serializers.IntegerField(
        allow_null=True, help_text="Null while the link waits for somebody, and without a link."
    )
    linked_record = serializers.IntegerField(allow_null=True, help_text="The record of another type that it links to.")
    is_waiting = serializers.BooleanField(help_text="A link names nobody, or no record, yet.")
    values = ValuesField()
    version = serializers.IntegerField()
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()
    deleted_at = UTCDateTimeField(allow_null=True, help_text="Only the answers to an undo have deleted records.")
    replaced_by = serializers.IntegerField(
        allow_null=True,
        help_text="The record that replaced this one: both had the same dedupe values, and this one is deleted.",
    )


class ObjectValuesInputSerializer(StrictSerializer):
    """The values to set; null removes a value."""

    values = ValuesField()


class ObjectRecordInputSerializer(StrictSerializer):
    """One record of a batch: its values, and its id or guid where rows are named by it."""

    id = StrictIntegerField(min_value=1, max_value=MAX_BIG_ID, required=False)
    guid = serializers.UUIDField(required=False)
    values = ValuesField(required=False)


@extend_schema_field(ObjectRecordInputSerializer)
class RowField(serializers.Field):
    """Any JSON: `rows` checks each row, so that a malformed one is refused without the others."""

    def run_validation(self, data: Any = empty) -> Any:
        return data


class ObjectBatchInputSerializer(StrictSerializer):
    records = serializers.ListField(child=RowField(), min_length=1, max_length=MAX_BATCH)
    key = serializers.ChoiceField(RECORD_KEYS, default=RecordKey.DEDUPE.value)
    action = serializers.ChoiceField(RECORD_ACTIONS, default=RecordAction.UPSERT.value)


class ObjectRemovalInputSerializer(StrictSerializer):
    records = serializers.ListField(child=RowField(), min_length=1, max_length=MAX_BATCH)
    key = serializers.ChoiceField(RECORD_KEYS, default=RecordKey.DEDUPE.value)


class ObjectOutcomeSerializer(StrictSerializer):
    index = serializers.IntegerField()
    status = serializers.ChoiceField(RECORD_STATUSES)
    id = serializers.IntegerField(required=False)
    guid = serializers.UUIDField(required=False)
    errors = ProblemSerializer(many=True, required=False)  # type: ignore[assignment]  # a declared field


class ObjectBatchSerializer(StrictSerializer):
    """The outcome of each row, in order."""

    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    deleted = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = ObjectOutcomeSerializer(many=True)


class ObjectChangeSerializer(StrictSerializer):
    """One change of a record. `changes` has the old and the new value of each field."""

    id = serializers.IntegerField()
    record = serializers.IntegerField(help_text="Another one where that gave way to the record.")
    kind = serializers.ChoiceField(KINDS)
    changes = ChangesField()
    person = serializers.IntegerField(allow_null=True)
    changed_at = UTCDateTimeField()
    source = serializers.ChoiceField([channel.word for channel in Channel])  # type: ignore[assignment]  # a declared field
    user = serializers.CharField(allow_null=True)
    undoes = serializers.IntegerField(allow_null=True, help_text="The change that this one took back.")
    replaced_by = serializers.IntegerField(
        allow_null=True,
        help_text="The record to which this one gave way, or by which it was replaced until it was restored.",
    )


class ObjectHistorySerializer(StrictSerializer):
    """A page of the history, the newest change first."""

    results = ObjectChangeSerializer(many=True)
    next_before = serializers.IntegerField(
        allow_null=True, help_text="`before` of the next page; null on the last one."
    )
