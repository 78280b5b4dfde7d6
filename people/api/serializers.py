"""Serializers of people, person fields and static lists."""

from typing import Any

from drf_spectacular.drainage import set_override
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from people.core.source import Channel
from people.datatypes import json_schema
from people.datatypes.canonical import canonical_text
from people.datatypes.registry import BY_NAME
from people.fields.catalog import READ_ONLY, STANDARD
from people.persons.upsert import UpsertAction
from people.rest.viewsets import (
    MAX_BATCH,
    OwnerField,
    ProblemSerializer,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
    UTCDateTimeField,
)

MAX_TEXT = 2_000
DATA_TYPES = list(BY_NAME)
FREE_FIELDS = {"type": "object", "additionalProperties": True}
CHANNELS = {"type": "string", "enum": [channel.word for channel in Channel]}


class PersonValueField(serializers.Field):
    """The value of a person field. The verbs check a received value."""

    def __init__(self, data_type: str, **options: Any) -> None:
        super().__init__(**{"allow_null": True, "required": False, **options})
        set_override(self, "field", json_schema.data_type_schema(data_type))

    def to_representation(self, value: Any) -> Any:
        return _json_value(value)

    def to_internal_value(self, data: Any) -> Any:
        return data


class PersonSerializer(StrictSerializer):
    """A person. `fields` has the fields added by your team, by API name; fields without a value are left out."""

    def get_fields(self) -> dict[str, serializers.Field]:
        standard = {
            name: PersonValueField(data_type, allow_null=name not in READ_ONLY)
            for name, (_label, data_type) in STANDARD.items()
        }
        return {"id": serializers.IntegerField(), **standard, "fields": CustomFieldsField()}


def person_representation(person: Any) -> dict[str, Any]:
    """The representation that `PersonSerializer` makes of a person, without a field object per value."""
    values = [(name, getattr(person, name)) for name in STANDARD]
    standard = {name: None if value is None else _json_value(value) for name, value in values}
    return {"id": person.pk, **standard, "fields": person.fields}


def _json_value(value: Any) -> Any:
    return value if isinstance(value, int | str) or hasattr(value, "adjusted") else canonical_text(value)


@extend_schema_field(FREE_FIELDS)
class CustomFieldsField(serializers.JSONField):
    """Custom person fields, by API name."""


class PersonInputSerializer(StrictSerializer):
    """The fields to set; null removes a value."""

    def get_fields(self) -> dict[str, serializers.Field]:
        standard = {
            name: PersonValueField(data_type) for name, (_label, data_type) in STANDARD.items() if name not in READ_ONLY
        }
        return {**standard, "fields": CustomFieldsField(required=False)}


class PersonRowSerializer(PersonInputSerializer):
    """The fields of a person; `id` is allowed only if people are looked up by id."""

    def get_fields(self) -> dict[str, serializers.Field]:
        return {"id": serializers.IntegerField(required=False), **super().get_fields()}


class PeopleInputSerializer(StrictSerializer):
    people: "serializers.ListSerializer[Any]" = serializers.ListSerializer(
        child=PersonRowSerializer(), min_length=1, max_length=MAX_BATCH
    )
    lookup_field = StrictCharField(default="email", help_text="id, email or a unique person field.")
    action = serializers.ChoiceField([str(action) for action in UpsertAction], default=str(UpsertAction.UPSERT))


class PersonOutcomeSerializer(StrictSerializer):
    index = serializers.IntegerField()
    status = serializers.ChoiceField(["created", "updated", "refused"])
    id = serializers.IntegerField(required=False)
    errors = ProblemSerializer(many=True, required=False)  # type: ignore[assignment]  # a declared field: DRF takes it off the class


class PeopleSerializer(StrictSerializer):
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = PersonOutcomeSerializer(many=True, help_text="One per row, in order.")


@extend_schema_field({"type": "object", "additionalProperties": {"type": "integer"}})
class MergeChoicesField(serializers.DictField):
    """The person whose value is kept, by field."""


class MergeInputSerializer(StrictSerializer):
    losers = serializers.ListField(child=StrictIntegerField(min_value=1), min_length=1, max_length=25)
    choices = MergeChoicesField(
        child=StrictIntegerField(), required=False, help_text="The id of the person whose value is kept, by field."
    )


class MergeSerializer(StrictSerializer):
    merge = serializers.IntegerField(help_text="To undo it: POST /people/merges/{merge}/undo.")
    person = PersonSerializer()
    records_moved = serializers.IntegerField(help_text="The object records that moved to the person, deleted ones too.")
    records_replaced = serializers.IntegerField(
        help_text="The object records that others replaced, because their dedupe values came to be the same."
    )


class PersonFieldSerializer(StrictSerializer):
    id = serializers.IntegerField()
    api_name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a declared field: DRF takes it off the class
    data_type = serializers.ChoiceField(DATA_TYPES)
    description = serializers.CharField()
    choices = serializers.ListField(child=serializers.CharField(), help_text="Suggested values.")
    is_standard = serializers.BooleanField()
    is_read_only = serializers.BooleanField()
    is_hidden = serializers.BooleanField()
    is_unique = serializers.BooleanField()
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()


class PersonFieldChangeSerializer(StrictSerializer):
    label = StrictCharField(max_length=255)  # type: ignore[assignment]  # a declared field: DRF takes it off the class
    description = StrictCharField(max_length=MAX_TEXT, allow_blank=True, required=False)
    choices = serializers.ListField(child=StrictCharField(max_length=255), max_length=500, required=False)
    is_hidden = StrictBooleanField(required=False)
    is_unique = StrictBooleanField(required=False, help_text="No two people may share a value.")


class PersonFieldInputSerializer(PersonFieldChangeSerializer):
    api_name = StrictCharField(
        max_length=100, required=False, help_text="Derived from the label by default; cannot be changed later."
    )
    data_type = serializers.ChoiceField(DATA_TYPES, help_text="Cannot be changed later.")


class StaticListSerializer(StrictSerializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    description = serializers.CharField()
    folder = serializers.IntegerField(source="folder_id", allow_null=True)
    owner = serializers.CharField(source="owner.username", allow_null=True, default=None)
    is_archived = serializers.BooleanField()
    created_by = serializers.CharField(source="created_by.username", allow_null=True, default=None)
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()


class StaticListInputSerializer(StrictSerializer):
    name = StrictCharField(max_length=255)
    description = StrictCharField(max_length=MAX_TEXT, allow_blank=True, required=False)
    folder = StrictIntegerField(allow_null=True, required=False, min_value=1, help_text="Id of a folder.")
    owner = OwnerField(help_text="An id or user name; null for no owner. A new list belongs to its creator by default.")


class MemberSerializer(StrictSerializer):
    person = serializers.IntegerField(source="person_id")
    added_at = UTCDateTimeField()
    source = serializers.SerializerMethodField()  # type: ignore[assignment]  # a declared field: DRF takes it off the class
    user = serializers.IntegerField(source="user_id", allow_null=True)

    @extend_schema_field(CHANNELS)
    def get_source(self, member: Any) -> str:
        return Channel(member.channel).word


class MembersInputSerializer(StrictSerializer):
    people = serializers.ListField(
        child=StrictIntegerField(min_value=1), min_length=1, max_length=MAX_BATCH, help_text="The ids of people."
    )


class MembersSerializer(StrictSerializer):
    results = serializers.ListField(
        child=serializers.ChoiceField(["added", "already", "removed", "absent", "unknown"]), help_text="One per id."
    )
