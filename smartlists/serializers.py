"""Smart lists as the native API's JSON has them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from people.rest import Moment, Strict, Text, Whole

RULES = {"$ref": "#/components/schemas/Rules"}
MAX_TEXT = 2_000
MAX_RULES_TEXT = 800_000


@extend_schema_field(RULES)
class RulesField(serializers.JSONField):
    """Rules in their JSON form; `smartlists.rules` checks them."""

    def to_internal_value(self, data: Any) -> Any:
        return data


class CountShown(Strict):
    """What an evaluation found; every page, export and reply shows the same one."""

    count = serializers.IntegerField()
    as_of = Moment()
    per_filter = serializers.ListField(
        child=serializers.IntegerField(), help_text="How many people each filter finds by itself."
    )
    seconds = serializers.FloatField()
    evaluation = serializers.IntegerField(source="pk")


class SmartListShown(Strict):
    id = serializers.IntegerField()
    name = serializers.CharField()
    description = serializers.CharField()
    folder = serializers.IntegerField(source="folder_id", allow_null=True)
    is_archived = serializers.BooleanField()
    evaluate_every_minutes = serializers.IntegerField(allow_null=True)
    rules = RulesField()
    current = CountShown(allow_null=True, help_text="Null before the first evaluation.")
    created_by = serializers.CharField(source="created_by.username", allow_null=True, default=None)
    created_at = Moment()
    updated_by = serializers.CharField(source="updated_by.username", allow_null=True, default=None)
    updated_at = Moment()


class RulesGiven(Strict):
    """Rules: as JSON, or as text in their own language. One of the two."""

    rules = RulesField(required=False)
    text = Text(max_length=MAX_RULES_TEXT, required=False)


class SmartListGiven(RulesGiven):
    name = Text(max_length=255, help_text="Else the one in the text.", required=False)
    description = Text(max_length=MAX_TEXT, allow_blank=True, required=False)
    folder = Whole(allow_null=True, required=False, min_value=1)
    evaluate_every_minutes = Whole(allow_null=True, required=False, min_value=1, max_value=44_640)


class TranslatedShown(Strict):
    rules = RulesField()
    text = serializers.CharField()
    sentence = serializers.CharField(help_text="In the language that Accept-Language asks for.")


class EvaluatedShown(Strict):
    count = serializers.IntegerField()
    as_of = Moment()
    per_filter = serializers.ListField(child=serializers.IntegerField())
    seconds = serializers.FloatField()
    people = serializers.ListField(child=serializers.IntegerField(), help_text="The first hundred, by id.")


class SmartListMemberShown(Strict):
    person = serializers.IntegerField()
