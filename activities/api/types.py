"""Activity types in the native API."""

from typing import Any

from django.db.models import Prefetch
from django.utils.translation import gettext as _
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
    ReasonInputSerializer,
    VersionSerializer,
    field_spec_from_body,
    type_names_from_body,
)
from activities.inbox import editing as inbox_editing
from activities.models import ActivityField, ActivityType, ActivityVersion
from activities.quality import figures
from activities.types.definition import ACTIVITY_TYPES, APPROVE, DELETE, EDIT
from people.core.codes import Code
from people.core.errors import NotFoundError, Problem
from people.definitions import checks, drafts, lifecycle
from people.rest.viewsets import ListMixin, RetrieveMixin


class ActivityTypeViewSet(ListMixin, RetrieveMixin):
    """Kinds of activities. Changes are made to a draft; the live version stays in use until the draft is approved."""

    queryset = (
        ActivityType.objects.existing()
        .select_related("live", "draft", "owner")
        .prefetch_related("live__fields", "draft__fields")
    )
    serializer_class = ActivityTypeSerializer
    filterset_class = ActivityTypeFilterSet
    lookup_value_converter = "str"
    orderings = ("id", "-id", "api_name", "-api_name")
    rights = {
        "list": VIEW,
        "retrieve": VIEW,
        "versions": VIEW,
        "version": VIEW,
        "quality": VIEW,  # and what is not defined, which is in the inbox
        "create": "activities.add_activitytype",
        "partial_update": EDIT,
        "destroy": DELETE,
        "undelete": DELETE,
        "fields": None,  # each method requires its own right
        "field": EDIT,
        "approve": APPROVE,
        "return_draft": APPROVE,
        "discard_draft": EDIT,
        "retire": APPROVE,
        "restore": APPROVE,
    }

    def get_object(self) -> ActivityType:
        """By id or API name; an API name always has a letter."""
        activity_type = self._by_reference(self.filter_queryset(self.get_queryset()))
        if activity_type is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is no such activity type.")))
        return activity_type

    def _by_reference(self, types: Any) -> ActivityType | None:
        reference = self.kwargs["pk"]
        if reference.isascii() and reference.isdigit():
            return types.filter(pk=int(reference[:10])).first()
        return types.filter(api_name=reference).first() if checks.API_NAME.fullmatch(reference) else None

    def revision(self, activity_type: ActivityType) -> str:
        live = activity_type.live.number if activity_type.live else 0
        draft = f"{activity_type.draft.pk}.{activity_type.draft.revision}" if activity_type.draft else "0"
        return f"{activity_type.pk}-{live}-{draft}-{activity_type.state}"

    @extend_schema(request=ActivityTypeInputSerializer, responses={201: ActivityTypeSerializer})
    def create(self, request: Any) -> Response:
        """Create a type with a draft. Names that are not given are proposed."""
        body = self.validated_body(ActivityTypeInputSerializer)
        fields = [field_spec_from_body(field) for field in body["fields"]]
        activity_type = lifecycle.create_definition(ACTIVITY_TYPES, type_names_from_body(body), fields, request.user)
        location = f"{request.build_absolute_uri()}/{activity_type.pk}"
        return self._response_for_pk(activity_type.pk, 201, Location=location)

    @extend_schema(request=NamesInputSerializer, responses=ActivityTypeSerializer)
    def partial_update(self, request: Any, pk: str) -> Response:
        """Change names and description of the draft; creates a draft if there is none."""
        return self._edit(
            lambda activity_type, expected: drafts.edit_draft_names(
                activity_type, request.user, expected, **self.validated_body(NamesInputSerializer, True)
            )
        )

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Any, pk: str) -> Response:
        """Delete a type. An approved type is hidden: its activities stay, and its id and API name are not reused."""
        activity_type = self.get_object()
        self.require_match(activity_type)
        lifecycle.delete_definition(activity_type, request.user)
        return Response(status=204)

    @extend_schema(request=None, responses=ActivityTypeSerializer)
    @action(["POST"], detail=True)
    def undelete(self, request: Any, pk: str) -> Response:
        """Restore a deleted type. 409 if it is not deleted, or if its name is in use by another type."""
        deleted = self.queryset.model.objects.exclude(deleted_at=None)
        lifecycle.undelete_definition(self._by_reference(deleted) or self.get_object(), request.user)
        return self._response_for_pk(self.get_object().pk)

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
        verb = drafts.add_draft_fields if request.method == "POST" else drafts.set_draft_fields
        return self._edit(
            lambda activity_type, expected: verb(activity_type, specs, request.user, expected),
            201 if request.method == "POST" else 200,
        )

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
            return self._edit(
                lambda activity_type, expected: drafts.remove_draft_fields(
                    activity_type, [api_name], request.user, expected
                )
            )
        change = {api_name: self.validated_body(FieldChangeSerializer, True)}
        return self._edit(
            lambda activity_type, expected: drafts.change_draft_fields(activity_type, change, request.user, expected)
        )

    @extend_schema(responses=VersionSerializer(many=True), operation_id="activity_types_versions_list")
    @action(["GET"], detail=True, pagination_class=None, filter_backends=())
    def versions(self, request: Any, pk: str) -> Response:
        """List the approved versions, oldest first; a version never changes."""
        return Response(VersionSerializer(self._versions(), many=True).data)

    @extend_schema(responses=VersionSerializer, operation_id="activity_types_versions_retrieve")
    @action(["GET"], detail=True, url_path="versions/<int:number>")
    def version(self, request: Any, pk: str, number: int) -> Response:
        """Get an approved version."""
        version = self._versions().filter(number=number).first()
        if version is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is no such version.")))
        return Response(VersionSerializer(version).data)

    @extend_schema(request=None, responses=ActivityTypeSerializer)
    @action(["POST"], detail=True)
    def approve(self, request: Any, pk: str) -> Response:
        """Approve the draft, which becomes the live version at once. If-Match names the draft as you read it."""
        return self._edit(
            lambda activity_type, expected: lifecycle.approve_draft(activity_type, request.user, expected)
        )

    @extend_schema(responses=TypeQualitySerializer)
    @action(["GET"], detail=True, pagination_class=None, filter_backends=())
    def quality(self, request: Any, pk: str) -> Response:
        """Get how well the events of the last 30 days (UTC) fitted the type, by event source and library."""
        self.require(inbox_editing.VIEW)
        return Response(TypeQualitySerializer(figures.quality_of_type(self.get_object())).data)

    @extend_schema(request=ReasonInputSerializer, responses=ActivityTypeSerializer)
    @action(["POST"], detail=True, url_path="return")
    def return_draft(self, request: Any, pk: str) -> Response:
        """Return the draft to its editors with a reason."""
        reason = self.validated_body(ReasonInputSerializer)["reason"]
        return self._edit(lambda activity_type, _expected: lifecycle.return_draft(activity_type, request.user, reason))

    @extend_schema(request=None, responses=ActivityTypeSerializer)
    @action(["POST"], detail=True, url_path="discard-draft")
    def discard_draft(self, request: Any, pk: str) -> Response:
        """Discard the draft; the live version stays."""
        return self._edit(lambda activity_type, _expected: lifecycle.discard_draft(activity_type, request.user))

    @extend_schema(request=None, responses=ActivityTypeSerializer)
    @action(["POST"], detail=True)
    def retire(self, request: Any, pk: str) -> Response:
        """Retire a type: no further activities can be recorded; existing ones stay usable."""
        return self._edit(lambda activity_type, _expected: lifecycle.retire_definition(activity_type, request.user))

    @extend_schema(request=None, responses=ActivityTypeSerializer)
    @action(["POST"], detail=True)
    def restore(self, request: Any, pk: str) -> Response:
        """Reactivate a retired type: activities can be recorded again."""
        return self._edit(lambda activity_type, _expected: lifecycle.restore_definition(activity_type, request.user))

    def _edit(self, verb: Any, status: int = 200) -> Response:
        """Call `verb` with the type and the revision that If-Match requires; respond with the changed type."""
        activity_type = self.get_object()
        self.require_match(activity_type)
        with self.expecting(activity_type.draft.revision if activity_type.draft else 0) as expected:
            verb(activity_type, expected)
        return self._response_for_pk(activity_type.pk, status)

    def _response_for_pk(self, pk: int, status: int = 200, **headers: str) -> Response:
        return self.response_for(self.get_queryset().get(pk=pk), status, **headers)

    def _versions(self) -> Any:
        fields = Prefetch("fields", ActivityField.objects.all())
        versions = ActivityVersion.objects.filter(activity_type=self.get_object(), number__isnull=False)
        return versions.order_by("number").prefetch_related(fields)
