"""The calls of inbound webhooks in the native API."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from activities.api.inbound import find_webhook
from activities.inbound import editing
from activities.models import InboundCall
from people.core.errors import stored_problem_json
from people.datatypes.keys import MAX_ID
from people.rest.filters import NUMBER_KEY, FilterColumn, StrictFilterSet
from people.rest.viewsets import ListMixin, ProblemSerializer, RetrieveMixin, UTCDateTimeField
from people.rights import VIEW_PERSON


class InboundCallFilterSet(StrictFilterSet):
    class Meta:
        model = InboundCall
        fields = ()

    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "state": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "mapping": FilterColumn("integer", "mapping_id", operators=("", "in", "isempty")),
        "received_at": FilterColumn("datetime", is_nullable=False),
    }
    unfiltered = {
        "source": "is in the address",
        "content_type": "not something to look a call up by",
        "body": "another's text",
        "row_key": "an id by which repeats are detected",
        "recorded": "numbers of activities",
        "failed": "numbers of activities",
        "person_ids": "people are found by their activities",
        "problems": "sentences",
    }


class InboundCallSerializer(serializers.ModelSerializer):
    mapping = serializers.IntegerField(source="mapping_id", allow_null=True)
    received_at = UTCDateTimeField()
    recorded = serializers.SerializerMethodField(help_text="The number of its activities that are in the log.")
    rejected = serializers.SerializerMethodField(help_text="The number of its activities that were rejected.")
    problems = serializers.SerializerMethodField()

    class Meta:
        model = InboundCall
        fields: tuple[str, ...] = ("id", "state", "mapping", "received_at", "recorded", "rejected", "problems")

    def get_recorded(self, call: InboundCall) -> int:
        return len(call.recorded)

    def get_rejected(self, call: InboundCall) -> int:
        return len(call.failed)

    @extend_schema_field(ProblemSerializer(many=True))
    def get_problems(self, call: InboundCall) -> Any:
        return [stored_problem_json(problem) for problem in call.problems or ()]


class InboundCallDetailSerializer(InboundCallSerializer):
    body = serializers.CharField(help_text="The content as JSON text, as it came.")

    class Meta(InboundCallSerializer.Meta):
        fields = (*InboundCallSerializer.Meta.fields, "content_type", "body")


class InboundCallViewSet(ListMixin, RetrieveMixin):
    """The calls that an inbound webhook received."""

    queryset = InboundCall.objects.all()
    serializer_class = InboundCallSerializer
    filterset_class = InboundCallFilterSet
    orderings = ("-id", "id")
    # the problems in the list quote values of people
    rights = {"list": (editing.VIEW, VIEW_PERSON), "retrieve": (editing.VIEW, VIEW_PERSON)}

    def get_serializer_class(self) -> Any:
        return InboundCallDetailSerializer if self.action == "retrieve" else InboundCallSerializer

    def get_queryset(self) -> Any:
        calls = super().get_queryset()
        calls = calls if self.action == "retrieve" else calls.defer("body")
        return calls.filter(source__inbound_webhook=min(self.kwargs.get("webhook", 0), MAX_ID))

    def list(self, request: Any, webhook: int) -> Response:
        """List the calls of a webhook, latest first."""
        find_webhook(webhook)
        return super().list(request)

    def retrieve(self, request: Any, webhook: int, pk: int) -> Response:
        """Get a call with its content."""
        return super().retrieve(request)
