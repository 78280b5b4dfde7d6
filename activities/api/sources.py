"""Event sources in the native API: reading, editing, keys and use."""

from datetime import timedelta
from typing import Any

from django.db.models import Prefetch, Q
from django.utils.functional import cached_property
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from activities.models import EventSource, RecentEvent, SourceDay, SourceKey
from activities.sources import editing as source_editing
from activities.sources import recent, usage, user_ids
from activities.sources.keys import SHOWN_KEYS, IssuedKey, describe_key, shown_keys
from people.core.errors import stored_problem_json
from people.core.permissions import refuse_unconfirmed_session
from people.datatypes.keys import MAX_ID
from people.fields.catalog import field_catalogue
from people.rest.filters import NUMBER_KEY, FilterColumn, SearchFilter, StrictFilterSet, WordsFilter
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

MAX_OVERLAP_HOURS = source_editing.MAX_OVERLAP.days * 24


class EventSourceFilterSet(StrictFilterSet):
    class Meta:
        model = EventSource
        fields = ()

    search = SearchFilter("name")
    state = WordsFilter({"on": Q(is_on=True), "off": Q(is_on=False)})
    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "name": FilterColumn("string", is_nullable=False),
        "kind": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "site_group": FilterColumn("string", is_nullable=False),
        "consent": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "munchkin_id": FilterColumn("string", operators=("", "in", "isempty")),
        "last_seen_at": FilterColumn("datetime"),
        "created_at": FilterColumn("datetime", is_nullable=False),
        "updated_at": FilterColumn("datetime", is_nullable=False),
    }
    unfiltered = {
        "origins": "a list, not something to look a source up by",
        "user_id_field": "a setting, not a property",
        "bytes_a_day": "a limit, not a property",
        "creates_people": "a setting, not a property",
        "people_an_hour": "a limit, not a property",
        "is_on": "filtered by its word: state",
        "revision": "stands in the ETag",
        "created_by": "not shown",
    }


class SourceKeySerializer(serializers.ModelSerializer):
    key = serializers.CharField(
        source="lookup",
        help_text="The whole key of a web site; for other sources only its beginning, as the rest is secret.",
    )
    expires_at = UTCDateTimeField(
        allow_null=True, help_text="The time at which it expires or was revoked; null if none is set."
    )
    last_used_at = UTCDateTimeField(allow_null=True)
    created_at = UTCDateTimeField()

    class Meta:
        model = SourceKey
        fields = ("id", "key", "expires_at", "last_used_at", "created_at")


class EventSourceSerializer(serializers.ModelSerializer):
    state = serializers.SerializerMethodField()
    warning = serializers.SerializerMethodField(help_text="Why user ids of a program identify nobody; else null.")
    munchkin_id = serializers.CharField(allow_null=True)
    last_seen_at = UTCDateTimeField(allow_null=True)
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()
    keys = SourceKeySerializer(
        many=True, source="shown_keys", help_text="Valid keys, then the newest others; at most 20."
    )

    class Meta:
        model = EventSource
        fields = (
            "id",
            "name",
            "kind",
            "state",
            "site_group",
            "origins",
            "consent",
            "user_id_field",
            "warning",
            "munchkin_id",
            "bytes_a_day",
            "creates_people",
            "people_an_hour",
            "last_seen_at",
            "created_at",
            "updated_at",
            "keys",
        )

    @extend_schema_field({"type": "string", "nullable": True})
    def get_warning(self, source: EventSource) -> str | None:
        if not user_ids.lacks_field(source):
            return None
        return user_ids.why_unidentified(source, self._catalogue)

    @cached_property
    def _catalogue(self) -> user_ids.Catalogue:
        """Read once for a page of sources, and only where one of them needs it."""
        return field_catalogue()

    @extend_schema_field({"type": "string", "enum": ["on", "off"]})
    def get_state(self, source: EventSource) -> str:
        return "on" if source.is_on else "off"


class IssuedKeySerializer(StrictSerializer):
    """The endpoints for the sender; null where the kind of source uses none."""

    id = serializers.IntegerField(help_text="The id of the event source.")
    kind = serializers.ChoiceField(EventSource.Kind.choices)
    write_key = serializers.CharField(help_text="The secret of a source other than a web site; not shown again.")
    identity_secret = serializers.CharField(allow_null=True, help_text="The secret of a web site; not shown again.")
    collect_url = serializers.CharField(allow_null=True)
    script_url = serializers.CharField(allow_null=True)
    munchkin_id = serializers.CharField(allow_null=True)
    munchkin_script_url = serializers.CharField(allow_null=True)
    segment_host = serializers.CharField(allow_null=True)
    webhook_url = serializers.CharField(allow_null=True, help_text="The secret address of a webhook; not shown again.")


class SourceInputSerializer(StrictSerializer):
    """The members that can be changed."""

    name = StrictCharField(max_length=255)
    site_group = StrictCharField(max_length=source_editing.MAX_GROUP, required=False)
    origins = serializers.ListField(
        child=StrictCharField(max_length=255),
        required=False,
        max_length=source_editing.MAX_ORIGINS,
        help_text="The origins of a web site, like https://www.example.com or https://*.example.com.",
    )
    consent = serializers.ChoiceField(EventSource.Consent.choices, required=False)
    user_id_field = StrictCharField(
        max_length=255, required=False, allow_blank=True, help_text="A unique person field; empty for none."
    )
    munchkin_id = StrictCharField(max_length=11, required=False, allow_null=True)
    bytes_a_day = StrictIntegerField(min_value=1, max_value=source_editing.MAX_BYTES_A_DAY, required=False)
    creates_people = StrictBooleanField(
        required=False, help_text="Whether unsigned claims of pages create people; forms and signatures always may."
    )
    people_an_hour = StrictIntegerField(
        min_value=0,
        max_value=source_editing.MAX_PEOPLE_AN_HOUR,
        required=False,
        help_text="How many people such claims and forms create in an hour, at most.",
    )


class NewSourceSerializer(SourceInputSerializer):
    kind = serializers.ChoiceField(EventSource.Kind.choices)


class KeyRotationSerializer(StrictSerializer):
    overlap_hours = StrictIntegerField(
        min_value=0,
        max_value=MAX_OVERLAP_HOURS,
        default=24,
        help_text="The time for which earlier keys stay valid; 0 revokes them at once.",
    )


class KeyInputSerializer(StrictSerializer):
    key = StrictIntegerField(min_value=1, max_value=MAX_ID, help_text="The id of the key.")


class SourceDaySerializer(serializers.ModelSerializer):
    bytes = serializers.IntegerField(source="size")

    class Meta:
        model = SourceDay
        fields = ("day", "requests", "bytes", "accepted", "rejected")


class SourceUsageSerializer(StrictSerializer):
    days = SourceDaySerializer(many=True, help_text="The last 30 days (UTC) with requests, the latest first.")


class RecentEventSerializer(serializers.ModelSerializer):
    received_at = UTCDateTimeField()
    kind = serializers.CharField(help_text="As page, track, identify, batch; “request”: refused before it was read.")
    title = serializers.CharField(help_text="The page's address, the link or the name of the activity.")
    outcome = serializers.ChoiceField(RecentEvent.Outcome.choices)
    problem = serializers.SerializerMethodField(help_text="Why it was not kept; else null.")
    visitor = serializers.IntegerField(source="visitor_id", allow_null=True)

    class Meta:
        model = RecentEvent
        fields = ("number", "received_at", "kind", "title", "outcome", "problem", "visitor", "is_bot")

    @extend_schema_field(ProblemSerializer(allow_null=True))
    def get_problem(self, event: RecentEvent) -> dict[str, str] | None:
        return stored_problem_json(event.problem) if event.problem else None


class RecentEventsSerializer(StrictSerializer):
    events = RecentEventSerializer(many=True, help_text="The last 100 events of the last day, the latest first.")


class EventSourceViewSet(RevisedMixin, ListMixin, RetrieveMixin):
    """Web sites, programs and products that send events."""

    queryset = EventSource.objects.prefetch_related(Prefetch("keys", shown_keys()[:SHOWN_KEYS], "shown_keys"))
    serializer_class = EventSourceSerializer
    filterset_class = EventSourceFilterSet
    orderings = ("id", "-id")
    rights = {
        "list": source_editing.VIEW,
        "retrieve": source_editing.VIEW,
        "usage": source_editing.VIEW,
        "events": (source_editing.VIEW, VIEW_PERSON),
        "create": source_editing.ADD,
        "partial_update": source_editing.CHANGE,
        "rotate_key": source_editing.CHANGE,
        "end_key": source_editing.CHANGE,
        "identify_people": source_editing.CHANGE,
        "turn_on": source_editing.CHANGE,
        "turn_off": source_editing.CHANGE,
        "destroy": source_editing.DELETE,
    }

    @extend_schema(request=NewSourceSerializer, responses={201: IssuedKeySerializer})
    def create(self, request: Any) -> Response:
        """Create an event source. Only this response contains the secret parts of its key."""
        body = self.validated_body(NewSourceSerializer)
        refuse_unconfirmed_session(request._request)
        issued = source_editing.create_source(body.pop("name"), body.pop("kind"), request.user, **body)
        location = f"{request.build_absolute_uri()}/{issued.key.source_id}"
        return self._with_key(issued, 201, Location=location)

    @extend_schema(request=SourceInputSerializer, responses=EventSourceSerializer)
    def partial_update(self, request: Any, pk: int) -> Response:
        """Change an event source; takes effect at once. The kind cannot be changed."""
        return self.change_from_body(
            SourceInputSerializer, source_editing.change_source, needs_confirmation=source_editing.needs_confirmation
        )

    destroy = delete_action(
        source_editing.delete_source, "Delete an event source that has never sent an event, with its keys."
    )

    @extend_schema(request=KeyRotationSerializer, responses=IssuedKeySerializer)
    @action(["POST"], detail=True, url_path="rotate-key")
    def rotate_key(self, request: Any, pk: int) -> Response:
        """Issue a new write key. Only this response contains its secret parts; earlier keys stay valid for a while."""
        source = self.get_object()
        overlap = timedelta(hours=self.validated_body(KeyRotationSerializer)["overlap_hours"])
        refuse_unconfirmed_session(request._request)
        return self._with_key(source_editing.rotate_key(source, request.user, overlap), 200)

    @extend_schema(request=KeyInputSerializer, responses=EventSourceSerializer)
    @action(["POST"], detail=True, url_path="end-key")
    def end_key(self, request: Any, pk: int) -> Response:
        """Revoke a key at once."""
        source = self.get_object()
        source_editing.end_key(source, self.validated_body(KeyInputSerializer)["key"], request.user)
        return self.response_for(self.get_object())

    @extend_schema(request=None, responses=EventSourceSerializer)
    @action(["POST"], detail=True, url_path="identify-people")
    def identify_people(self, request: Any, pk: int) -> Response:
        """Identify people by a program's user ids, in the unique person field “userId”, created where it is missing."""
        source = self.get_object()
        refuse_unconfirmed_session(request._request)
        source_editing.identify_people(source, request.user)
        return self.response_for(self.get_object())

    turn_on = verb_action("turn_on", source_editing.turn_on, "Turn an event source on again.")
    turn_off = verb_action(
        "turn_off",
        source_editing.turn_off,
        "Turn an event source off: nothing is accepted from it. Keys and settings are kept.",
    )

    @extend_schema(responses=SourceUsageSerializer)
    @action(["GET"], detail=True)
    def usage(self, request: Any, pk: int) -> Response:
        """Get the daily usage of an event source."""
        days = usage.last_days(self.get_object())
        return Response({"days": SourceDaySerializer(days, many=True).data})

    @extend_schema(responses=RecentEventsSerializer)
    @action(["GET"], detail=True)
    def events(self, request: Any, pk: int) -> Response:
        """Get the last events that an event source sent, with the result of each."""
        rows = recent.recent_events(self.get_object().pk)
        return Response({"events": RecentEventSerializer(rows, many=True).data})

    def _with_key(self, issued: IssuedKey, status: int, **headers: str) -> Response:
        return Response(describe_key(issued), status, headers={"Cache-Control": "no-store", **headers})
