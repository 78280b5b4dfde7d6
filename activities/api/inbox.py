"""The inbox in the native API: names without a definition, decisions about them, and replays."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from activities.inbox import editing, replay, waiting
from activities.inbox.sightings import HAS_COME
from activities.models import ActivityType, InboxReplay, Sighting
from activities.rights import ADD_ACTIVITYTYPE, CHANGE_ACTIVITYTYPE
from people.core.codes import Code
from people.core.errors import NotFoundError, Problem, RejectedError, bad_value
from people.core.messages import sentence as _
from people.rest.filters import NUMBER_KEY, FilterColumn, SearchFilter, StrictFilterSet
from people.rest.object_actions import verb_action
from people.rest.viewsets import ListMixin, RetrieveMixin, StrictCharField, StrictSerializer, UTCDateTimeField
from people.rights import VIEW_PERSON


class SightingFilterSet(StrictFilterSet):
    class Meta:
        model = Sighting
        fields = ()

    search = SearchFilter("name")
    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "kind": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "name": FilterColumn("string", is_nullable=False),
        "state": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "event_source": FilterColumn("integer", "source_id", is_nullable=False, operators=("", "in")),
        "activity_type": FilterColumn("string", "activity_type__api_name", operators=("", "in", "isempty")),
        "count": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "waiting": FilterColumn("integer", "kept", is_nullable=False, operators=NUMBER_KEY),
        "dropped": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "first_at": FilterColumn("datetime", is_nullable=False),
        "last_at": FilterColumn("datetime", is_nullable=False),
    }
    unfiltered = {
        "source": "filtered by its id: event_source",
        "scope": "the type of a property: activity_type",
        "name_key": "how names are compared; filtered by name",
        "fields": "a setting, not a property",
        "kept": "filtered by its word: waiting",
        "kept_bytes": "a limit, not a property",
        "libraries": "counts, not something to look a name up by",
        "samples": "not shown",
        "is_announced": "for notices, not a property",
    }


class ShapeSerializer(StrictSerializer):
    """A property as it came; no values of people."""

    path = serializers.CharField(help_text="The name; members of nested objects are joined with “_”.")
    data_type = serializers.CharField(help_text="The data type that every value has.")
    likely = serializers.CharField(help_text="The data type that most values have.")
    share = serializers.FloatField(help_text="The share of the values that have it, from 0 to 1.")
    seen = serializers.IntegerField(help_text="The number of values that were looked at.")
    presence = serializers.FloatField(help_text="The share of the events that have the property, from 0 to 1.")


class SightingSerializer(serializers.ModelSerializer):
    event_source = serializers.IntegerField(source="source_id")
    activity_type = serializers.CharField(source="activity_type.api_name", allow_null=True, default=None)
    waiting = serializers.IntegerField(source="kept", help_text="Events that wait to be recorded.")
    dropped = serializers.IntegerField(
        help_text="Events that were only counted: newer ones took their place, or too many came at once."
    )
    fields_by_path = serializers.DictField(
        source="fields", child=serializers.CharField(), help_text="API names of fields by the property that they take."
    )
    libraries = serializers.DictField(child=serializers.IntegerField())
    first_at = UTCDateTimeField()
    last_at = UTCDateTimeField()

    class Meta:
        model = Sighting
        fields: tuple[str, ...] = (
            "id",
            "kind",
            "name",
            "state",
            "event_source",
            "activity_type",
            "fields_by_path",
            "count",
            "waiting",
            "dropped",
            "libraries",
            "first_at",
            "last_at",
        )


class SightingDetailSerializer(SightingSerializer):
    shapes = serializers.SerializerMethodField(
        help_text="The properties of the newest waiting events, at most 1,000 events."
    )
    left_out = serializers.SerializerMethodField(
        help_text="Properties of these events that no field of the approved type takes: a replay does not keep them."
    )

    class Meta(SightingSerializer.Meta):
        fields = (*SightingSerializer.Meta.fields, "shapes", "left_out")

    @extend_schema_field(ShapeSerializer(many=True))
    def get_shapes(self, sighting: Sighting) -> Any:
        return ShapeSerializer(waiting.waiting_shapes(sighting), many=True).data

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_left_out(self, sighting: Sighting) -> Any:
        activity_type = waiting.type_for(sighting)
        return replay.left_out(sighting, activity_type) if activity_type else []


class MapInputSerializer(StrictSerializer):
    activity_type = StrictCharField(max_length=255, help_text="The API name of one of your types; it may be a draft.")
    fields_by_path = serializers.DictField(
        child=StrictCharField(max_length=255),
        required=False,
        help_text="API names of fields by the property that they take; “@event” is the event's own name.",
    )


class EventReplaySerializer(serializers.ModelSerializer):
    """A replay of the events of a name, and how far it is."""

    state = serializers.ChoiceField(InboxReplay.State.choices)
    problem = serializers.CharField(source="fault", help_text="Why it failed; empty otherwise.")
    total = serializers.IntegerField(help_text="Events that waited when it was started.")
    progress = serializers.IntegerField(help_text="Events that were looked at so far.")
    replayed = serializers.IntegerField(source="recorded", help_text="Events that are being recorded.")
    refused = serializers.IntegerField(help_text="Events that don't fit the type and still wait.")
    left_out = serializers.ListField(
        child=serializers.CharField(), help_text="Properties that no field took; their values are not kept."
    )
    created_at = UTCDateTimeField()
    finished_at = UTCDateTimeField(allow_null=True)

    class Meta:
        model = InboxReplay
        fields = (
            *("id", "state", "problem", "total", "progress", "replayed", "refused", "left_out"),
            *("created_at", "finished_at"),
        )


class TypeOfNameSerializer(StrictSerializer):
    name = StrictCharField(max_length=255, required=False, help_text="The name of the type; proposed if not given.")


class ForgottenNameSerializer(StrictSerializer):
    deleted_events = serializers.IntegerField(help_text="Events that waited and are deleted.")


class InboxViewSet(ListMixin, RetrieveMixin):
    """Names of events, properties and traits that were received and have no definition."""

    queryset = Sighting.objects.filter(HAS_COME).select_related("activity_type")
    serializer_class = SightingSerializer
    filterset_class = SightingFilterSet
    orderings = ("id", "-id", "last_at", "-last_at")
    rights = {
        "list": editing.VIEW,
        "retrieve": editing.VIEW,
        "map": editing.CHANGE,
        "create_type": (editing.CHANGE, ADD_ACTIVITYTYPE, VIEW_PERSON),
        "add_field": (editing.CHANGE, CHANGE_ACTIVITYTYPE),
        "ignore": editing.CHANGE,
        "block": editing.CHANGE,
        "reopen": editing.CHANGE,
        "forget": editing.CHANGE,
        "replay": editing.CHANGE,
        "latest_replay": editing.VIEW,
    }

    def get_serializer_class(self) -> Any:
        return SightingDetailSerializer if self.action == "retrieve" else SightingSerializer

    @extend_schema(request=MapInputSerializer, responses=SightingSerializer)
    @action(["POST"], detail=True)
    def map(self, request: Any, pk: int) -> Response:
        """Map events of this name to an activity type, once it is approved."""
        sighting, body = self.get_object(), self.validated_body(MapInputSerializer)
        activity_type = ActivityType.objects.existing().filter(api_name=body["activity_type"]).first()
        if activity_type is None:
            expected = _("the API name of an existing activity type")
            raise RejectedError(bad_value(Code.UNKNOWN_TYPE, expected, body["activity_type"], "activity_type"))
        return self.response_for(editing.map_to_type(sighting, activity_type, request.user, body.get("fields_by_path")))

    @extend_schema(request=TypeOfNameSerializer, responses={201: SightingSerializer})
    @action(["POST"], detail=True, url_path="create-type")
    def create_type(self, request: Any, pk: int) -> Response:
        """Create a draft for events of this name, with fields for their properties, and map the name to it."""
        sighting, body = self.get_object(), self.validated_body(TypeOfNameSerializer)
        editing.create_proposed_type(sighting, request.user, body.get("name", ""))
        return self.response_for(self.get_object(), 201)

    @extend_schema(request=None, responses=SightingSerializer)
    @action(["POST"], detail=True, url_path="add-field")
    def add_field(self, request: Any, pk: int) -> Response:
        """Add a field for this property to the draft of its type; a draft is created if there is none."""
        editing.add_to_draft(self.get_object(), request.user)
        return self.response_for(self.get_object())

    ignore = verb_action("ignore", editing.ignore_name, "Only count the name from now on.")
    block = verb_action("block", editing.block_name, "Reject events of this name from now on.")
    reopen = verb_action("reopen", editing.reopen_name, "Take the decision about the name back.")

    @extend_schema(request=None, responses=ForgottenNameSerializer)
    @action(["POST"], detail=True)
    def forget(self, request: Any, pk: int) -> Response:
        """Delete the name with the events that wait; sent again, it is new."""
        return Response({"deleted_events": editing.forget_name(self.get_object(), request.user)})

    @extend_schema(request=None, responses={200: EventReplaySerializer, 202: EventReplaySerializer})
    @action(["POST"], detail=True)
    def replay(self, request: Any, pk: int) -> Response:
        """Record the events that waited, each once, at their original times; no campaign starts.

        200 with the result where at most 1,000 events waited; else 202, and a job continues: `GET` is its state. While
        one is in progress that one is returned.
        """
        started = replay.start_replay(self.get_object(), request.user)
        return Response(EventReplaySerializer(started).data, 202 if started.is_running else 200)

    @extend_schema(responses=EventReplaySerializer)
    @replay.mapping.get
    def latest_replay(self, request: Any, pk: int) -> Response:
        """Get the state of the latest replay; 404 before the first one."""
        last = replay.last_replay(self.get_object())
        if last is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("No events of this name have been replayed yet.")))
        return Response(EventReplaySerializer(last).data)
