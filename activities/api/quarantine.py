"""Refused activities in the native API: list, correct, replay, dismiss."""

from typing import Any

from django.db.models import Q
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from activities.models.quarantine import RefusedActivity
from activities.recording import replay as recording_replay
from activities.recording.quarantine import storing
from people.core.errors import stored_problem_json
from people.core.permissions import require_permission
from people.core.source import Channel
from people.rest.filters import NUMBER_KEY, FilterColumn, StrictFilterSet, WordsFilter
from people.rest.viewsets import (
    MAX_BATCH,
    ListMixin,
    ProblemSerializer,
    RetrieveMixin,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
    UTCDateTimeField,
)

State = RefusedActivity.State


class RefusedActivityFilterSet(StrictFilterSet):
    class Meta:
        model = RefusedActivity
        fields = ()

    source = WordsFilter(
        {channel.word: Q(channel=channel) for channel in Channel}, "The channel through which it was received."
    )
    state = WordsFilter({str(state): Q(state=state) for state in State})
    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "activity_type": FilterColumn("string", "activity_type__api_name", operators=("", "in", "isempty")),
        "person": FilterColumn("integer", "person_id", operators=("", "in", "isempty")),
        "code": FilterColumn("string", is_nullable=False, operators=("", "in", "not")),
        "field": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "user": FilterColumn("integer", "user_id", operators=("", "in", "isempty")),
        "origin": FilterColumn("integer", "origin_id", operators=("", "in", "isempty")),
        "event_source": FilterColumn("integer", "event_source_id", operators=("", "in", "isempty")),
        "activity": FilterColumn("integer", "activity_id", operators=("", "in", "isempty")),
        "times": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "first_at": FilterColumn("datetime", is_nullable=False),
        "last_at": FilterColumn("datetime", is_nullable=False),
        "settled_at": FilterColumn("datetime"),
    }
    unfiltered = {
        "channel": "filtered by its word: source",
        "key": "keeps a retry from being a second row",
        "raw": "the row as it came",
        "zone": "of the row's moments, not a key to look rows up by",
        "problems": "filtered by the first one: code and field",
    }


class RefusedActivitySerializer(StrictSerializer):
    id = serializers.IntegerField()
    state = serializers.ChoiceField([str(state) for state in State])
    source = serializers.SerializerMethodField(help_text="The channel through which it was received.")  # type: ignore[assignment]  # a declared field: DRF takes it off the class
    user = serializers.IntegerField(source="user_id", allow_null=True)
    origin = serializers.IntegerField(source="origin_id", allow_null=True, help_text="The id of the import.")
    event_source = serializers.IntegerField(
        source="event_source_id", allow_null=True, help_text="The event source whose write key was used."
    )
    activity_type = serializers.CharField(source="activity_type.api_name", allow_null=True, default=None)
    row = serializers.SerializerMethodField(
        help_text="The row as received; null if it was too large or too deeply nested to keep."
    )
    errors = serializers.SerializerMethodField()  # type: ignore[assignment]  # a declared field: DRF takes it off the class
    times = serializers.IntegerField(help_text="How often it was received and rejected.")
    first_at = UTCDateTimeField()
    last_at = UTCDateTimeField()
    activity = serializers.IntegerField(
        source="activity_id", allow_null=True, help_text="The id of the activity, once the row is recorded."
    )
    settled_at = UTCDateTimeField(allow_null=True)

    @extend_schema_field({"type": "string", "enum": [channel.word for channel in Channel]})
    def get_source(self, refused: RefusedActivity) -> str:
        return Channel(refused.channel).word

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
    def get_row(self, refused: RefusedActivity) -> Any:
        return storing.load_row(refused.raw)

    @extend_schema_field(ProblemSerializer(many=True))
    def get_errors(self, refused: RefusedActivity) -> list[dict[str, str]]:
        return [stored_problem_json(problem) for problem in refused.problems]


class IdsInputSerializer(StrictSerializer):
    ids = serializers.ListField(child=StrictIntegerField(min_value=1), min_length=1, max_length=MAX_BATCH)


@extend_schema_field({"type": ["string", "number", "boolean"]})
class CorrectedValueField(serializers.JSONField):
    """Any JSON value, unchanged: `serializers.JSONField` rejects exact decimals. The replay checks the value."""

    def to_internal_value(self, data: Any) -> Any:
        return data


class ReplayInputSerializer(IdsInputSerializer):
    backfill = StrictBooleanField(
        default=True, help_text="False: the rows are treated as new, and may start campaigns."
    )


class CorrectionInputSerializer(IdsInputSerializer):
    part = StrictCharField(
        max_length=255, help_text="A member of the row (person, occurred_at, …) or the API name of a field."
    )
    value = CorrectedValueField(allow_null=True, help_text="The new value: text, a number, true, false or null.")


class ReplayedSerializer(StrictSerializer):
    recorded = serializers.IntegerField()
    refused = serializers.IntegerField()


class ChangedSerializer(StrictSerializer):
    changed = serializers.IntegerField()


class QuarantineViewSet(ListMixin, RetrieveMixin):
    """Rejected activities, kept for a limited time to be corrected and retried: the caller's own, or those of all."""

    queryset = RefusedActivity.objects.select_related("activity_type")
    serializer_class = RefusedActivitySerializer
    filterset_class = RefusedActivityFilterSet
    orderings = ("id", "-id", "last_at", "-last_at")
    rights = {
        "list": None,  # see `get_queryset`
        "retrieve": None,
        "replay": recording_replay.RIGHT,
        "dismiss": recording_replay.RIGHT,
        "correct": recording_replay.RIGHT,
    }

    def get_queryset(self) -> Any:
        if not self.request.user.has_perm(recording_replay.SEE_OTHERS):
            require_permission(self.request.user, recording_replay.RIGHT)
        return recording_replay.visible_refused_rows(self.request.user).select_related("activity_type")

    @extend_schema(request=ReplayInputSerializer, responses=ReplayedSerializer)
    @action(["POST"], detail=False)
    def replay(self, request: Any) -> Response:
        """Retry rejected rows against the current types and people; rows rejected again are kept."""
        body = self.validated_body(ReplayInputSerializer)
        result = recording_replay.replay_rows(body["ids"], request.user, backfill=body["backfill"])
        return Response({"recorded": result.recorded, "refused": result.refused})

    @extend_schema(request=IdsInputSerializer, responses=ChangedSerializer)
    @action(["POST"], detail=False)
    def dismiss(self, request: Any) -> Response:
        """Dismiss rejected rows."""
        return Response(
            {"changed": recording_replay.dismiss_rows(self.validated_body(IdsInputSerializer)["ids"], request.user)}
        )

    @extend_schema(request=CorrectionInputSerializer, responses=ChangedSerializer)
    @action(["POST"], detail=False)
    def correct(self, request: Any) -> Response:
        """Change one value in rejected rows; retry them afterwards."""
        body = self.validated_body(CorrectionInputSerializer)
        return Response(
            {"changed": recording_replay.correct_rows(body["ids"], body["part"], body["value"], request.user)}
        )
