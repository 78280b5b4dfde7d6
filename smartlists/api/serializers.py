"""Serializers of smart lists."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from people.core.errors import Problem, problem_json
from people.rest.viewsets import (
    OwnerField,
    ProblemSerializer,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
    UTCDateTimeField,
)
from smartlists.lists.copies import LEAST_MINUTES
from smartlists.lists.editing import MAX_SCHEDULE_MINUTES
from smartlists.models.copies import ListCopy

RULES = {"$ref": "#/components/schemas/Rules"}
MAX_TEXT = 2_000
REFRESHED = "Without `evaluate_every_minutes`: evaluated hourly while that takes under 2 seconds. True by default."
MAX_RULES_TEXT = 800_000


@extend_schema_field(RULES)
class RulesField(serializers.JSONField):
    """Rules in their JSON form; `smartlists.rules` checks them."""

    def to_internal_value(self, data: Any) -> Any:
        return data


@extend_schema_field({"$ref": "#/components/schemas/Rules.filter"})
class RulesFilterField(serializers.JSONField):
    """One filter in its JSON form."""


@extend_schema_field({"$ref": "#/components/schemas/Explanation"})
class NestedExplanationField(serializers.JSONField):
    """The explanation for a nested smart list."""


class CountSerializer(StrictSerializer):
    """The result of an evaluation, shared by pages, exports and the API."""

    count = serializers.IntegerField()
    as_of = UTCDateTimeField()
    per_filter = serializers.ListField(
        child=serializers.IntegerField(), help_text="The number of people who match each filter by itself."
    )
    seconds = serializers.FloatField()
    evaluation = serializers.IntegerField(source="pk")


class SmartListSerializer(StrictSerializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    description = serializers.CharField()
    folder = serializers.IntegerField(source="folder_id", allow_null=True)
    owner = serializers.CharField(source="owner.username", allow_null=True, default=None)
    is_archived = serializers.BooleanField()
    evaluate_every_minutes = serializers.IntegerField(allow_null=True)
    refresh_automatically = serializers.BooleanField(source="is_refreshed", help_text=REFRESHED)
    rules = RulesField()
    current = CountSerializer(allow_null=True, help_text="Null before the first evaluation.")
    created_by = serializers.CharField(source="created_by.username", allow_null=True, default=None)
    created_at = UTCDateTimeField()
    updated_by = serializers.CharField(source="updated_by.username", allow_null=True, default=None)
    updated_at = UTCDateTimeField()


class RulesInputSerializer(StrictSerializer):
    """Rules, either as JSON or as text in the rules language."""

    rules = RulesField(required=False)
    text = StrictCharField(max_length=MAX_RULES_TEXT, required=False)


class SmartListInputSerializer(RulesInputSerializer):
    name = StrictCharField(max_length=255, help_text="By default the name given in the text.", required=False)
    description = StrictCharField(max_length=MAX_TEXT, allow_blank=True, required=False)
    folder = StrictIntegerField(allow_null=True, required=False, min_value=1)
    owner = OwnerField(help_text="An id or user name; null for no owner. A new list belongs to its creator by default.")
    evaluate_every_minutes = StrictIntegerField(
        allow_null=True, required=False, min_value=1, max_value=MAX_SCHEDULE_MINUTES
    )
    refresh_automatically = StrictBooleanField(required=False, help_text=REFRESHED)


class TranslatedSerializer(StrictSerializer):
    rules = RulesField()
    text = serializers.CharField()
    sentence = serializers.CharField(help_text="In the language requested by Accept-Language.")


class EvaluatedSerializer(StrictSerializer):
    count = serializers.IntegerField()
    as_of = UTCDateTimeField()
    per_filter = serializers.ListField(child=serializers.IntegerField())
    answered_by = serializers.ListField(
        child=serializers.ChoiceField(["sql", "columns"]),
        help_text="The engine that evaluated each filter: the database or the column index. Results are the same.",
    )
    seconds = serializers.FloatField()
    people = serializers.ListField(child=serializers.IntegerField(), help_text="The first hundred people, by id.")


class HealthSerializer(StrictSerializer):
    """Problems of rules that were valid when saved; the rules are still evaluated."""

    problems = ProblemSerializer(many=True)


def health_representation(problems: Iterable[Problem]) -> dict[str, Any]:
    """The members of `HealthSerializer`."""
    return {"problems": [problem_json(problem) for problem in problems]}


class SmartListMemberSerializer(StrictSerializer):
    person = serializers.IntegerField()


class PutInputSerializer(StrictSerializer):
    """The static list to copy to, and how."""

    static_list = StrictIntegerField(min_value=1, help_text="Id of a static list.")
    mode = serializers.ChoiceField(
        ListCopy.Mode.values, default="add", help_text="add: add missing members; replace: also remove everybody else."
    )


class PutSerializer(StrictSerializer):
    joined = serializers.IntegerField()
    left = serializers.IntegerField()
    as_of = UTCDateTimeField(help_text="The time of the evaluation.")


class CopyInputSerializer(PutInputSerializer):
    every_minutes = StrictIntegerField(min_value=LEAST_MINUTES, max_value=MAX_SCHEDULE_MINUTES)


class CopySerializer(StrictSerializer):
    """A scheduled copy of a smart list to a static list, with its last result."""

    id = serializers.IntegerField()
    static_list = serializers.IntegerField(source="static_list_id")
    mode = serializers.CharField()
    every_minutes = serializers.IntegerField(
        allow_null=True, help_text="The interval; null for a single copy in progress."
    )
    state = serializers.CharField()
    problem = serializers.CharField()
    joined = serializers.IntegerField(allow_null=True)
    left = serializers.IntegerField(allow_null=True)
    as_of = UTCDateTimeField(allow_null=True)
    asked_at = UTCDateTimeField()
    created_by = serializers.CharField(source="created_by.username", allow_null=True, default=None)
    created_at = UTCDateTimeField()


class EvidenceSerializer(StrictSerializer):
    id = serializers.IntegerField(help_text="The id of the activity.")
    occurred_at = UTCDateTimeField()
    step = serializers.IntegerField(help_text="The step of a sequence, from 1; otherwise 0.")


class RecordEvidenceSerializer(StrictSerializer):
    id = serializers.IntegerField(help_text="The id of the object record.")
    name = serializers.CharField(help_text="Its dedupe values.")
    updated_at = UTCDateTimeField()


class MissSerializer(StrictSerializer):
    code = serializers.CharField()
    text = serializers.CharField()


class VerdictSerializer(StrictSerializer):
    """The result of a filter for the person."""

    number = serializers.IntegerField()
    filter = RulesFilterField()
    holds = serializers.BooleanField()
    value = serializers.CharField(allow_null=True, help_text="The person's value of the field, or the aggregate.")
    times = serializers.IntegerField(
        allow_null=True, help_text="How many activities or object records satisfy the constraints."
    )
    since = UTCDateTimeField(allow_null=True, help_text="Whether the person is on the static list.")
    activities = EvidenceSerializer(many=True, help_text="The activities that satisfy the filter, at most ten.")
    records = RecordEvidenceSerializer(
        many=True, help_text="The object records that satisfy the filter, at most ten; needs the right to view them."
    )
    miss = MissSerializer(allow_null=True, help_text="The closest miss, if the filter does not match.")
    nested = NestedExplanationField(allow_null=True, help_text="The result of a nested smart list.")


class ExplanationSerializer(StrictSerializer):
    person = serializers.IntegerField()
    is_live = serializers.BooleanField()
    is_member = serializers.BooleanField()
    as_of = UTCDateTimeField()
    deciding = serializers.ListField(
        child=serializers.IntegerField(), help_text="Filters that would each change the result by itself."
    )
    verdicts = VerdictSerializer(many=True)
