"""Serializers of campaigns and their results."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from people.rest.viewsets import StrictCharField, StrictIntegerField, StrictSerializer, UTCDateTimeField
from smartlists.api.serializers import HealthSerializer
from smartlists.campaigns import results as campaign_results
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.running import step_counts
from smartlists.campaigns.running.step_counts import STEP_FIGURES
from smartlists.models import CampaignEntry, CampaignRun, SmartCampaign, StepOutcome

DEFINITION = {"type": "object", "description": "Triggers, audience, qualification and steps: docs/campaigns.md."}


@extend_schema_field(DEFINITION)
class DefinitionField(serializers.JSONField):
    """The definition of a campaign; `smartlists.campaigns.definitions.model` checks it."""


class CampaignInputSerializer(StrictSerializer):
    name = StrictCharField(max_length=255)
    description = StrictCharField(allow_blank=True, required=False)
    definition = DefinitionField(required=False)


class ActivationSerializer(HealthSerializer):
    """The problems that prevent you from activating the campaign as it is; `can_activate`: true without any."""

    can_activate = serializers.BooleanField()


class CampaignSerializer(serializers.ModelSerializer):
    activated_at = UTCDateTimeField(allow_null=True)
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()
    definition = DefinitionField()

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


class LatencySerializer(StrictSerializer):
    p50 = serializers.FloatField(
        help_text="The median time in seconds from recording to the first step, over the latest people."
    )
    p95 = serializers.FloatField()
    of = StrictIntegerField(help_text="The number of people on which the figure is based.")


class StepCountsSerializer(StrictSerializer):
    path = serializers.CharField(help_text="As in the steps of entries: the position from 0; in branches 2.0.1.")
    do = serializers.ChoiceField(choices=sorted(campaign_definition.STEPS.classes))
    reached = StrictIntegerField(help_text="People who came to the step; those who still wait for it included.")
    waiting = StrictIntegerField(help_text="People who wait for the step; at a wait, those whose wait is not over.")
    done = StrictIntegerField()
    nothing = StrictIntegerField(help_text="People the step had nothing to do for.")
    queued = StrictIntegerField(help_text="People whose call or email is on its way.")
    failed = StrictIntegerField()
    branches = serializers.ListField(
        child=StrictIntegerField(), help_text="For an if/else step, the people by branch, the others last."
    )


class SummarySerializer(StrictSerializer):
    entered = StrictIntegerField()
    finished = StrictIntegerField()
    failed = StrictIntegerField(help_text="People who finished although a step failed.")
    skipped = serializers.DictField(child=StrictIntegerField(), help_text="The number of skipped people, by reason.")
    latency = LatencySerializer(allow_null=True)
    steps = StepCountsSerializer(
        many=True, help_text="Each step of the version that people entered last, of at most its latest 10,000 entries."
    )


class RunInputSerializer(StrictSerializer):
    smart_list = StrictIntegerField(min_value=1)
    cap = StrictIntegerField(
        min_value=1, help_text="The maximum number of people; the run is rejected if there are more."
    )


class RunSerializer(StrictSerializer):
    id = StrictIntegerField()
    count = StrictIntegerField()


class CampaignRunSerializer(serializers.ModelSerializer):
    smart_list = StrictIntegerField(
        source="smart_list_id",
        allow_null=True,
        help_text="The list whose members enter; null for the audience, or for given people.",
    )
    count = StrictIntegerField(help_text="The number of people who enter; 0 before it begins.")
    problem = serializers.CharField(
        source="fault", help_text="The error of the run, or of its last attempt; empty if there is none."
    )
    requested_at = UTCDateTimeField()
    due_at = UTCDateTimeField(help_text="The time at which a scheduled run begins, or the next attempt is made.")

    class Meta:
        model = CampaignRun
        fields = ("id", "state", "smart_list", "count", "entered", "problem", "tries", "requested_at", "due_at")


class StepSerializer(serializers.ModelSerializer):
    at = UTCDateTimeField()

    class Meta:
        model = StepOutcome
        fields = ("path", "do", "outcome", "detail", "at")


class EntrySerializer(serializers.ModelSerializer):
    person = serializers.IntegerField(source="person_id")
    activity = serializers.IntegerField(source="activity_id", allow_null=True)
    record = serializers.IntegerField(
        source="record_id", allow_null=True, help_text="The object record that triggered."
    )
    entered_at = UTCDateTimeField()
    due_at = UTCDateTimeField()
    finished_at = UTCDateTimeField(allow_null=True)
    steps = StepSerializer(source="outcomes", many=True)

    class Meta:
        model = CampaignEntry
        fields = (
            "id",
            "person",
            "activity",
            "record",
            "trigger",
            "state",
            "reason",
            "path",
            "entered_at",
            "due_at",
            "finished_at",
            "steps",
        )


def summary_representation(
    summary: campaign_results.CampaignSummary, counted: step_counts.CampaignSteps | None
) -> dict[str, Any]:
    """The members of `SummarySerializer`."""
    latency = summary.latency
    return {
        "entered": summary.entered,
        "finished": summary.finished,
        "failed": summary.failed,
        "skipped": dict(summary.skipped),
        "latency": latency and {"p50": latency.p50, "p95": latency.p95, "of": latency.of},
        "steps": [
            {name: getattr(counts, name) for name in ("path", "reached", *STEP_FIGURES)}
            | {"do": campaign_definition.STEPS.name_of(counts.step), "branches": list(counts.branches)}
            for counts in (counted.steps if counted else ())
        ],
    }
