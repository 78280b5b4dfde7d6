"""What campaigns and their results look like over the native API."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from people.rest.viewsets import Moment, Strict, Text, Whole
from smartlists.campaigns import results as campaign_results
from smartlists.models import CampaignEntry, CampaignRun, SmartCampaign, StepOutcome

DEFINITION = {"type": "object", "description": "Triggers, audience, qualification and steps: docs/campaigns.md."}


@extend_schema_field(DEFINITION)
class Definition(serializers.JSONField):
    pass


class CampaignGiven(Strict):
    name = Text(max_length=255)
    description = Text(allow_blank=True, required=False)
    definition = Definition(required=False)


class CampaignShown(serializers.ModelSerializer):
    activated_at = Moment(allow_null=True)
    created_at = Moment()
    updated_at = Moment()
    definition = Definition()

    class Meta:
        model = SmartCampaign
        fields = (
            "id",
            "name",
            "description",
            "state",
            "definition",
            "revision",
            "activated_at",
            "created_at",
            "updated_at",
        )


class LatencyShown(Strict):
    p50 = serializers.FloatField(help_text="Seconds from recording to the first step, of half of the latest people.")
    p95 = serializers.FloatField()
    of = Whole(help_text="How many people this is told from.")


class SummaryShown(Strict):
    entered = Whole()
    finished = Whole()
    failed = Whole(help_text="Finished, but a step failed.")
    skipped = serializers.DictField(child=Whole(), help_text="How many were skipped, by reason.")
    latency = LatencyShown(allow_null=True)


class RunGiven(Strict):
    smart_list = Whole(min_value=1)
    cap = Whole(min_value=1, help_text="The largest number of people that is meant; more are refused.")


class RunShown(Strict):
    id = Whole()
    count = Whole()


class RunOfCampaign(serializers.ModelSerializer):
    smart_list = Whole(
        source="smart_list_id",
        allow_null=True,
        help_text="Whose members it takes in; null: the audience, or named people.",
    )
    count = Whole(help_text="How many people it takes in; 0 before it begins.")
    problem = serializers.CharField(source="fault", help_text="Why it failed, or the last try of it; else empty.")
    requested_at = Moment()
    due_at = Moment(help_text="When a scheduled run begins, or the next try is made.")

    class Meta:
        model = CampaignRun
        fields = ("id", "state", "smart_list", "count", "entered", "problem", "tries", "requested_at", "due_at")


class StepShown(serializers.ModelSerializer):
    at = Moment()

    class Meta:
        model = StepOutcome
        fields = ("path", "do", "outcome", "detail", "at")


class EntryShown(serializers.ModelSerializer):
    person = serializers.IntegerField(source="person_id")
    activity = serializers.IntegerField(source="activity_id", allow_null=True)
    entered_at = Moment()
    due_at = Moment()
    finished_at = Moment(allow_null=True)
    steps = StepShown(source="outcomes", many=True)

    class Meta:
        model = CampaignEntry
        fields = (
            "id",
            "person",
            "activity",
            "trigger",
            "state",
            "reason",
            "path",
            "entered_at",
            "due_at",
            "finished_at",
            "steps",
        )


def summary(found: campaign_results.Summary) -> dict[str, Any]:
    latency = found.latency
    return {
        "entered": found.entered,
        "finished": found.finished,
        "failed": found.failed,
        "skipped": dict(found.skipped),
        "latency": latency and {"p50": latency.p50, "p95": latency.p95, "of": latency.of},
    }
