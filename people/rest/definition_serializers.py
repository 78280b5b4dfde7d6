"""Members that the serializers of every kind of definition have: types, their versions and fields."""

from typing import Any, ClassVar

from rest_framework import serializers

from people.datatypes.registry import BY_NAME
from people.rest.viewsets import StrictCharField, StrictSerializer, UTCDateTimeField

DATA_TYPES = [name for name, data_type in BY_NAME.items() if data_type.for_activities]
MAX_TEXT = 30_000

# Docstrings of these classes would be descriptions of the schemas of their subclasses.


class OrderedSerializer(StrictSerializer):
    order: ClassVar[tuple[str, ...]] = ()  # the order of members in replies, those of base classes among them

    def get_fields(self) -> Any:
        members = super().get_fields()
        return {name: members[name] for name in self.order} if self.order else members


class DefinitionVersionSerializer(OrderedSerializer):
    number = serializers.IntegerField(allow_null=True)
    name = serializers.CharField()
    description = serializers.CharField()
    created_at = UTCDateTimeField()
    approved_at = UTCDateTimeField(allow_null=True)
    return_reason = serializers.CharField(help_text="Why an approver sent the draft back.")


class DefinitionSerializer(OrderedSerializer):
    id = serializers.IntegerField()
    api_name = serializers.CharField()
    name = serializers.CharField(
        source="live_or_draft.name",
        help_text="Taken from the live version, or from the draft before the first approval.",
    )
    folder = serializers.IntegerField(source="folder_id", allow_null=True)
    owner = serializers.CharField(source="owner.username", allow_null=True, default=None)
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()
    retired_at = UTCDateTimeField(allow_null=True)


class FieldSerializer(StrictSerializer):
    api_name = serializers.CharField()
    name = serializers.CharField()
    data_type = serializers.CharField()
    description = serializers.CharField()


class FieldInputSerializer(StrictSerializer):
    api_name = StrictCharField(max_length=255, required=False, help_text="Proposed from the name by default.")
    name = StrictCharField(max_length=255)
    data_type = serializers.ChoiceField(DATA_TYPES, default="string")
    description = StrictCharField(max_length=MAX_TEXT, allow_blank=True, default="")


class FieldChangeInputSerializer(StrictSerializer):
    name = StrictCharField(max_length=255)
    data_type = serializers.ChoiceField(DATA_TYPES)
    description = StrictCharField(max_length=MAX_TEXT, allow_blank=True)
