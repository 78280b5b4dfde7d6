"""Inbound webhooks in the native API: their settings, mappings, calls and replays."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from activities.api.sources import IssuedKeySerializer
from activities.inbound import editing, replaying
from activities.inbound.recipes import OTHER, RECIPES
from activities.inbound.trying import try_mapping
from activities.models import InboundMapping, InboundReplay, InboundWebhook
from activities.models.inbound import MAX_CALLS_A_MINUTE
from activities.sources import editing as source_editing
from activities.sources.keys import describe_key
from people.core.codes import Code
from people.core.errors import NotFoundError, Problem, problem_json, quoted_value
from people.core.messages import sentence as _
from people.core.permissions import refuse_unconfirmed_session
from people.datatypes.keys import MAX_ID
from people.rest.filters import NUMBER_KEY, FilterColumn, SearchFilter, StrictFilterSet
from people.rest.object_actions import RevisedMixin, delete_action, verb_action
from people.rest.viewsets import (
    ListMixin,
    ProblemSerializer,
    RetrieveMixin,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
    UTCDateTimeField,
)
from people.rights import VIEW_PERSON

PATH = {"type": "array", "items": {"type": ["string", "integer", "null"]}}
_PATH_HELP = "Names of members and numbers of entries, from the outside in; null once, for every entry of a list."


class InboundWebhookFilterSet(StrictFilterSet):
    class Meta:
        model = InboundWebhook
        fields = ()

    search = SearchFilter("source__name")
    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "event_source": FilterColumn("integer", "source_id", is_nullable=False, operators=("", "in")),
        "product": FilterColumn("string", "recipe", is_nullable=False, operators=("", "in")),
        "signature": FilterColumn("string", is_nullable=False, operators=("", "in")),
    }
    unfiltered = {
        "source": "filtered by its id: event_source",
        "recipe": "filtered by its word: product",
        "signature_header": "a setting, not a property",
        "secret": "a secret",
        "secret_key_name": "the key that seals the secret",
        "id_header": "a setting, not a property",
        "id_path": "a setting, not a property",
        "calls_a_minute": "a limit, not a property",
        "revision": "stands in the ETag",
    }


class InboundWebhookSerializer(serializers.ModelSerializer):
    event_source = serializers.IntegerField(source="source_id", help_text="The id of its event source.")
    name = serializers.CharField(source="source.name")
    state = serializers.SerializerMethodField()
    product = serializers.CharField(source="recipe")
    has_secret = serializers.SerializerMethodField(help_text="Whether signatures can be checked.")
    id_path = serializers.SerializerMethodField(help_text=_PATH_HELP)
    last_seen_at = UTCDateTimeField(source="source.last_seen_at", allow_null=True)

    class Meta:
        model = InboundWebhook
        fields = (
            "id",
            "event_source",
            "name",
            "state",
            "product",
            "signature",
            "signature_header",
            "has_secret",
            "id_header",
            "id_path",
            "calls_a_minute",
            "last_seen_at",
        )

    @extend_schema_field({"type": "string", "enum": ["on", "off"]})
    def get_state(self, webhook: InboundWebhook) -> str:
        return "on" if webhook.source.is_on else "off"

    def get_has_secret(self, webhook: InboundWebhook) -> bool:
        return webhook.secret is not None

    @extend_schema_field(PATH)
    def get_id_path(self, webhook: InboundWebhook) -> Any:
        return webhook.id_path


@extend_schema_field(PATH)
class PathField(serializers.JSONField):
    """A place in the content of a call; the verb checks it."""


class InboundSettingsSerializer(StrictSerializer):
    """The settings by which calls are verified, and repeats recognised."""

    signature = serializers.ChoiceField(InboundWebhook.Signature.choices, required=False)
    signature_header = StrictCharField(max_length=editing.MAX_HEADER, required=False, allow_blank=True)
    secret = StrictCharField(
        max_length=editing.MAX_SECRET, required=False, help_text="What the product signs with; never shown."
    )
    id_header = StrictCharField(max_length=editing.MAX_HEADER, required=False, allow_blank=True)
    id_path = PathField(required=False, help_text=_PATH_HELP)
    calls_a_minute = StrictIntegerField(min_value=1, max_value=MAX_CALLS_A_MINUTE, required=False)


class NewInboundWebhookSerializer(InboundSettingsSerializer):
    name = StrictCharField(max_length=255)
    product = serializers.ChoiceField([(name, name) for name in RECIPES], default=OTHER)


class CallReplayInputSerializer(StrictSerializer):
    backfill = StrictBooleanField(default=True, help_text="Whether they are history, for which nothing starts.")


class CallReplaySerializer(serializers.ModelSerializer):
    backfill = serializers.BooleanField(source="is_backfill", help_text="Whether they are history.")
    problem = serializers.CharField(source="fault", help_text="Why it failed; empty otherwise.")
    total = serializers.IntegerField(help_text="Calls that waited when it was started.")
    progress = serializers.IntegerField(help_text="Calls that were looked at so far.")
    calls = serializers.IntegerField(help_text="Calls that a mapping took.")
    recorded = serializers.IntegerField(help_text="Activities that were recorded now.")
    refused = serializers.IntegerField(help_text="Activities that are still rejected.")
    broken = serializers.IntegerField(help_text="Calls that could not be processed; they still wait, with the reason.")
    created_at = UTCDateTimeField()
    finished_at = UTCDateTimeField(allow_null=True)

    class Meta:
        model = InboundReplay
        fields = (
            *("id", "state", "problem", "backfill", "total", "progress", "calls", "recorded", "refused", "broken"),
            *("created_at", "finished_at"),
        )


class InboundWebhookViewSet(RevisedMixin, ListMixin, RetrieveMixin):
    """Secret addresses that other products call."""

    queryset = InboundWebhook.objects.select_related("source")
    serializer_class = InboundWebhookSerializer
    filterset_class = InboundWebhookFilterSet
    orderings = ("id", "-id")
    rights = {
        "list": editing.VIEW,
        "retrieve": editing.VIEW,
        "create": source_editing.ADD,
        "partial_update": source_editing.CHANGE,
        "replay": (editing.CHANGE, editing.RECORD),
        "latest_replay": editing.VIEW,
    }

    @extend_schema(request=NewInboundWebhookSerializer, responses={201: IssuedKeySerializer})
    def create(self, request: Any) -> Response:
        """Create an inbound webhook. Only this response contains its secret address, `webhook_url`."""
        body = self.validated_body(NewInboundWebhookSerializer)
        refuse_unconfirmed_session(request._request)
        issued = editing.create_webhook(body.pop("name"), body.pop("product"), request.user, **body)
        location = f"{request.build_absolute_uri()}/{issued.key.source.inbound_webhook.pk}"
        return Response(describe_key(issued), 201, headers={"Cache-Control": "no-store", "Location": location})

    @extend_schema(request=InboundSettingsSerializer, responses=InboundWebhookSerializer)
    def partial_update(self, request: Any, pk: int) -> Response:
        """Change how calls are checked and known; takes effect at once."""
        return self.change_from_body(
            InboundSettingsSerializer, editing.change_webhook, needs_confirmation=editing.needs_confirmation
        )

    @extend_schema(request=CallReplayInputSerializer, responses={202: CallReplaySerializer})
    @action(["POST"], detail=True)
    def replay(self, request: Any, pk: int) -> Response:
        """Start recording the calls that were rejected or not mapped, by the mappings that are on; each activity once.

        While one is in progress that one is returned; 409 if it differs in `backfill`.
        """
        body = self.validated_body(CallReplayInputSerializer)
        replay = replaying.start_replay(self.get_object().source, request.user, backfill=body["backfill"])
        return Response(CallReplaySerializer(replay).data, 202)

    @extend_schema(responses=CallReplaySerializer)
    @replay.mapping.get
    def latest_replay(self, request: Any, pk: int) -> Response:
        """Get the state of the latest replay; 404 before the first one."""
        replay = replaying.last_replay(self.get_object().source)
        if replay is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("No calls of this webhook have been replayed yet.")))
        return Response(CallReplaySerializer(replay).data)


# --- Mappings --------------------------------------------------------------------------------------------------


class InboundMappingFilterSet(StrictFilterSet):
    class Meta:
        model = InboundMapping
        fields = ()

    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "name": FilterColumn("string", is_nullable=False),
        "activity_type": FilterColumn("string", "activity_type__api_name", operators=("", "in", "isempty")),
        "created_at": FilterColumn("datetime", is_nullable=False),
        "updated_at": FilterColumn("datetime", is_nullable=False),
    }
    unfiltered = {
        "source": "is in the address",
        "place": "the order in which mappings are asked",
        "definition": "rules, not a property",
        "is_on": "a webhook has few mappings",
        "revision": "stands in the ETag",
        "created_by": "not shown",
    }


@extend_schema_field({"type": "object", "additionalProperties": True})
class DefinitionField(serializers.JSONField):
    """The definition of a mapping; the verb checks it, with the path of every problem."""


class InboundMappingSerializer(serializers.ModelSerializer):
    activity_type = serializers.CharField(source="activity_type.api_name", allow_null=True, default=None)
    state = serializers.SerializerMethodField()
    definition = DefinitionField(help_text="Where values come from; see docs/inbound-webhooks.md.")
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()

    class Meta:
        model = InboundMapping
        fields = ("id", "name", "state", "activity_type", "definition", "created_at", "updated_at")

    @extend_schema_field({"type": "string", "enum": ["on", "off"]})
    def get_state(self, mapping: InboundMapping) -> str:
        return "on" if mapping.is_on else "off"


class MappingInputSerializer(StrictSerializer):
    name = StrictCharField(max_length=255)
    activity_type = StrictCharField(
        max_length=255, required=False, allow_null=True, help_text="The API name of one of your types."
    )
    definition = DefinitionField(required=False, help_text="Where values come from; see docs/inbound-webhooks.md.")


class TriedActivitySerializer(StrictSerializer):
    call = serializers.IntegerField(help_text="The id of the call.")
    person = serializers.CharField(help_text="The value by which the person is looked up.")
    occurred_at = serializers.CharField()
    primary_value = serializers.CharField(allow_null=True)
    attributes = serializers.DictField(child=serializers.CharField(), help_text="Values as text, before any check.")
    problems = ProblemSerializer(many=True, help_text="Why it would be rejected; empty for a good one.")


class TurnOnInputSerializer(StrictSerializer):
    revision = StrictIntegerField(min_value=1, help_text="The revision that was tried, as the trial names it.")


class TrialSerializer(StrictSerializer):
    revision = serializers.IntegerField(help_text="The revision of the mapping that was tried.")
    calls = serializers.IntegerField(help_text="The number of the newest calls that were tried.")
    left_to_others = serializers.IntegerField(help_text="Calls that this mapping does not take.")
    problems = ProblemSerializer(many=True, help_text="Why the mapping cannot be switched on.")
    activities = TriedActivitySerializer(many=True)


def _mapping_values(_mapping: InboundMapping, body: dict[str, Any]) -> dict[str, Any]:
    """The body as the verb takes it."""
    return body | ({"activity_type": editing.find_type(body["activity_type"])} if "activity_type" in body else {})


class InboundMappingViewSet(RevisedMixin, ListMixin, RetrieveMixin):
    """The mappings of an inbound webhook, by which its calls become activities."""

    queryset = InboundMapping.objects.select_related("activity_type", "source")
    serializer_class = InboundMappingSerializer
    filterset_class = InboundMappingFilterSet
    orderings = ("id", "-id")
    rights = {
        "list": editing.VIEW,
        "retrieve": editing.VIEW,
        "create": editing.CHANGE,
        "partial_update": editing.CHANGE,
        "destroy": editing.CHANGE,
        "trial": (editing.VIEW, VIEW_PERSON),
        "turn_on": editing.CHANGE,
        "turn_off": editing.CHANGE,
    }

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(source__inbound_webhook=min(self.kwargs.get("webhook", 0), MAX_ID))

    def list(self, request: Any, webhook: int) -> Response:
        """List the mappings of a webhook."""
        find_webhook(webhook)
        return super().list(request)

    def retrieve(self, request: Any, webhook: int, pk: int) -> Response:
        """Get a mapping."""
        return super().retrieve(request)

    @extend_schema(request=MappingInputSerializer, responses={201: InboundMappingSerializer})
    def create(self, request: Any, webhook: int) -> Response:
        """Create a mapping, switched off."""
        body = self.validated_body(MappingInputSerializer)
        activity_type = editing.find_type(body.get("activity_type"))
        source = find_webhook(webhook).source
        mapping = editing.add_mapping(source, body["name"], request.user, body.get("definition"), activity_type)
        return self.response_for(mapping, 201, Location=f"{request.build_absolute_uri()}/{mapping.pk}")

    @extend_schema(request=MappingInputSerializer, responses=InboundMappingSerializer)
    def partial_update(self, request: Any, webhook: int, pk: int) -> Response:
        """Change a mapping; one that is on has to stay complete."""
        return self.change_from_body(MappingInputSerializer, editing.change_mapping, _mapping_values)

    destroy = delete_action(editing.delete_mapping, "Delete a mapping that is off; calls and activities stay.")

    @extend_schema(responses=TrialSerializer)
    @action(["GET"], detail=True)
    def trial(self, request: Any, webhook: int, pk: int) -> Response:
        """Get what the newest calls would become; nothing is recorded."""
        mapping = self.get_object()
        trial = try_mapping(mapping)
        return Response(
            {
                "revision": mapping.revision,
                "calls": trial.calls,
                "left_to_others": trial.others,
                "problems": [problem_json(problem) for problem in trial.problems],
                "activities": [_tried(row) for row in trial.rows],
            }
        )

    @extend_schema(request=TurnOnInputSerializer, responses=InboundMappingSerializer)
    @action(["POST"], detail=True, url_path="turn-on")
    def turn_on(self, request: Any, webhook: int, pk: int) -> Response:
        """Activate this mapping: later calls become activities; 409 if it changed since the trial."""
        mapping = self.get_object()
        revision = self.validated_body(TurnOnInputSerializer)["revision"]
        return self.response_for(editing.turn_on_mapping(mapping, request.user, expected_revision=revision))

    turn_off = verb_action("turn_off", editing.turn_off_mapping, "Have the mapping take no more calls; they are kept.")


def _tried(tried: Any) -> dict[str, Any]:
    row = tried.mapped.row
    return {
        "call": tried.call.pk,
        "person": quoted_value(getattr(row.person, "value", "")),
        "occurred_at": row.occurred_at,
        "primary_value": None if row.primary_value is None else quoted_value(row.primary_value),
        "attributes": {name: quoted_value(value) for name, value in row.attributes if value is not None},
        "problems": [problem_json(problem) for problem in tried.problems],
    }


def find_webhook(pk: int) -> InboundWebhook:
    webhook = InboundWebhook.objects.select_related("source").filter(pk=min(pk, MAX_ID)).first()
    if webhook is None:
        raise NotFoundError(Problem(Code.NOT_FOUND, _("There is no such webhook.")))
    return webhook
