"""Activity types in the native API."""

from typing import Any

from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from activities.api.activities import VIEW
from activities.api.filters import ActivityTypeFilterSet
from activities.api.quality import TypeQualitySerializer
from activities.api.serializers import (
    ActivityFieldSerializer,
    ActivityTypeInputSerializer,
    ActivityTypeSerializer,
    FieldChangeSerializer,
    FieldsInputSerializer,
    NamesInputSerializer,
    VersionSerializer,
    field_spec_from_body,
    type_names_from_body,
)
from activities.inbox import editing as inbox_editing
from activities.models import ActivityType
from activities.quality import figures
from activities.types.definition import ACTIVITY_TYPES, EDIT
from people.definitions import drafts, lifecycle
from people.rest.definitions import AFTER, LIFE_CYCLE_RIGHTS, DefinitionViewSet


class ActivityTypeViewSet(DefinitionViewSet):
    """Kinds of activities. Changes are made to a draft; the live version stays in use until the draft is approved."""

    queryset = (
        ActivityType.objects.existing()
        .select_related("live", "draft", "owner")
        .prefetch_related("live__fields", "draft__fields")
    )
    serializer_class = ActivityTypeSerializer
    filterset_class = ActivityTypeFilterSet
    unknown = gettext_lazy("There is no such activity type.")
    rights = {
        **{name: ACTIVITY_TYPES.right(action) for name, action in LIFE_CYCLE_RIGHTS.items()},
        "quality": VIEW,  # and what is not defined, which is in the inbox
        "fields": None,  # each method requires its own right
    }

    @extend_schema(request=ActivityTypeInputSerializer, responses={201: ActivityTypeSerializer})
    def create(self, request: Any) -> Response:
        """Create a type with a draft. Names that are not given are proposed."""
        body = self.validated_body(ActivityTypeInputSerializer)
        fields = [field_spec_from_body(field) for field in body["fields"]]
        activity_type = lifecycle.create_definition(ACTIVITY_TYPES, type_names_from_body(body), fields, request.user)
        location = f"{request.build_absolute_uri()}/{activity_type.pk}"
        return self.response_for_pk(activity_type.pk, 201, Location=location)

    @extend_schema(request=NamesInputSerializer, responses=ActivityTypeSerializer)
    def partial_update(self, request: Any, pk: str) -> Response:
        """Change names and description of the draft; creates a draft if there is none."""
        return self.edit(
            lambda activity_type, expected: drafts.edit_draft_names(
                activity_type, request.user, expected, **self.validated_body(NamesInputSerializer, True)
            )
        )

    @extend_schema(
        methods=["GET"], responses=ActivityFieldSerializer(many=True), operation_id="activity_types_fields_list"
    )
    @extend_schema(
        methods=["POST"],
        request=FieldsInputSerializer,
        responses={201: ActivityTypeSerializer},
        operation_id="activity_types_fields_add",
    )
    @extend_schema(
        methods=["PUT"],
        request=FieldsInputSerializer,
        responses=ActivityTypeSerializer,
        operation_id="activity_types_fields_set",
    )
    @action(["GET", "POST", "PUT"], detail=True, pagination_class=None, filter_backends=())
    def fields(self, request: Any, pk: str) -> Response:
        """List, add or set the fields of the draft, or of the live version if there is none. PUT sets all."""
        self.require(VIEW if request.method in {"GET", "HEAD"} else EDIT)
        activity_type = self.get_object()
        if request.method in {"GET", "HEAD"}:
            version = activity_type.draft or activity_type.live
            return Response(ActivityFieldSerializer(version.fields.all() if version else (), many=True).data)
        specs = [field_spec_from_body(field) for field in self.validated_body(FieldsInputSerializer)["fields"]]
        return self.edit_fields(request, specs)

    @extend_schema(
        methods=["PATCH"],
        request=FieldChangeSerializer,
        responses=ActivityTypeSerializer,
        operation_id="activity_types_fields_change",
    )
    @extend_schema(
        methods=["DELETE"],
        request=None,
        responses={200: ActivityTypeSerializer},
        operation_id="activity_types_fields_remove",
    )
    @action(["PATCH", "DELETE"], detail=True, url_path="fields/<str:api_name>")
    def field(self, request: Any, pk: str, api_name: str) -> Response:
        """Change a field of the draft, or remove it; activities already recorded keep their values."""
        if request.method == "DELETE":
            return self.edit(
                lambda activity_type, expected: drafts.remove_draft_fields(
                    activity_type, [api_name], request.user, expected
                )
            )
        change = {api_name: self.validated_body(FieldChangeSerializer, True)}
        return self.edit(
            lambda activity_type, expected: drafts.change_draft_fields(activity_type, change, request.user, expected)
        )

    @extend_schema(
        parameters=[AFTER], responses=VersionSerializer(many=True), operation_id="activity_types_versions_list"
    )
    @action(["GET"], detail=True, pagination_class=None, filter_backends=())
    def versions(self, request: Any, pk: str) -> Response:
        """List the approved versions, oldest first; a version never changes. At most 100: Link leads to the others."""
        return self.response_of_versions(VersionSerializer)

    @extend_schema(responses=VersionSerializer, operation_id="activity_types_versions_retrieve")
    @action(["GET"], detail=True, url_path="versions/<int:number>")
    def version(self, request: Any, pk: str, number: int) -> Response:
        """Get an approved version."""
        return Response(VersionSerializer(self.approved_version(number)).data)

    @extend_schema(responses=TypeQualitySerializer)
    @action(["GET"], detail=True, pagination_class=None, filter_backends=())
    def quality(self, request: Any, pk: str) -> Response:
        """Get how well the events of the last 30 days (UTC) fitted the type, by event source and library."""
        self.require(inbox_editing.VIEW)
        return Response(TypeQualitySerializer(figures.quality_of_type(self.get_object())).data)
