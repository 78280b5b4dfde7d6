"""Object types in the native API."""

from typing import Any

from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from people.api.objects.filters import ObjectTypeFilterSet
from people.api.objects.serializers import (
    ObjectFieldChangeSerializer,
    ObjectFieldSerializer,
    ObjectFieldsInputSerializer,
    ObjectNamesInputSerializer,
    ObjectTypeInputSerializer,
    ObjectTypeSerializer,
    ObjectVersionSerializer,
    field_spec_from_body,
    names_from_body,
)
from people.definitions import drafts, lifecycle
from people.models import ObjectType
from people.objects.definition import OBJECT_TYPES, show_on_person
from people.rest.definitions import AFTER, LIFE_CYCLE_RIGHTS, DefinitionViewSet


class ObjectTypeViewSet(DefinitionViewSet):
    """Kinds of objects. Changes are made to a draft; the live version stays in use until the draft is approved."""

    queryset = ObjectType.objects.existing().with_versions().select_related("owner")
    serializer_class = ObjectTypeSerializer
    filterset_class = ObjectTypeFilterSet
    unknown = gettext_lazy("There is no such object type.")
    rights = {
        **{name: OBJECT_TYPES.right(action) for name, action in LIFE_CYCLE_RIGHTS.items()},
        "fields": None,  # each method requires its own right
    }

    def revision(self, definition: Any) -> str:
        return f"{super().revision(definition)}-{definition.is_shown_on_person:d}"

    @extend_schema(request=ObjectTypeInputSerializer, responses={201: ObjectTypeSerializer})
    def create(self, request: Any) -> Response:
        """Create an object type with a draft."""
        body = self.validated_body(ObjectTypeInputSerializer)
        fields = [field_spec_from_body(field) for field in body["fields"]]
        object_type = lifecycle.create_definition(OBJECT_TYPES, names_from_body(body), fields, request.user)
        return self.response_for_pk(object_type.pk, 201, Location=f"{request.build_absolute_uri()}/{object_type.pk}")

    @extend_schema(request=ObjectNamesInputSerializer, responses=ObjectTypeSerializer)
    def partial_update(self, request: Any, pk: str) -> Response:
        """Change names and description of the draft; creates a draft if there is none."""

        def change(object_type: ObjectType, expected: int | None) -> None:
            body = self.validated_body(ObjectNamesInputSerializer, True)
            if "is_shown_on_person" in body:
                show_on_person(object_type, request.user, body.pop("is_shown_on_person"))
            if body:
                drafts.edit_draft_names(object_type, request.user, expected, **body)

        return self.edit(change)

    @extend_schema(methods=["GET"], responses=ObjectFieldSerializer(many=True), operation_id="object_types_fields_list")
    @extend_schema(
        methods=["POST"],
        request=ObjectFieldsInputSerializer,
        responses={201: ObjectTypeSerializer},
        operation_id="object_types_fields_add",
    )
    @extend_schema(
        methods=["PUT"],
        request=ObjectFieldsInputSerializer,
        responses=ObjectTypeSerializer,
        operation_id="object_types_fields_set",
    )
    @action(["GET", "POST", "PUT"], detail=True, pagination_class=None, filter_backends=())
    def fields(self, request: Any, pk: str) -> Response:
        """List, add or set the fields of the draft, or of the live version if there is none. PUT sets all."""
        self.require(OBJECT_TYPES.right("view" if request.method in {"GET", "HEAD"} else "change"))
        object_type = self.get_object()
        if request.method in {"GET", "HEAD"}:
            version = object_type.draft or object_type.live
            return Response(ObjectFieldSerializer(version.fields.all() if version else (), many=True).data)
        specs = [field_spec_from_body(field) for field in self.validated_body(ObjectFieldsInputSerializer)["fields"]]
        return self.edit_fields(request, specs)

    @extend_schema(
        methods=["PATCH"],
        request=ObjectFieldChangeSerializer,
        responses=ObjectTypeSerializer,
        operation_id="object_types_fields_change",
    )
    @extend_schema(
        methods=["DELETE"],
        request=None,
        responses={200: ObjectTypeSerializer},
        operation_id="object_types_fields_remove",
    )
    @action(["PATCH", "DELETE"], detail=True, url_path="fields/<str:api_name>")
    def field(self, request: Any, pk: str, api_name: str) -> Response:
        """Change a field of the draft, or remove it; records keep their values."""
        if request.method == "DELETE":
            return self.edit(
                lambda object_type, expected: drafts.remove_draft_fields(
                    object_type, [api_name], request.user, expected
                )
            )
        change = {api_name: self.validated_body(ObjectFieldChangeSerializer, True)}
        return self.edit(
            lambda object_type, expected: drafts.change_draft_fields(object_type, change, request.user, expected)
        )

    @extend_schema(
        parameters=[AFTER], responses=ObjectVersionSerializer(many=True), operation_id="object_types_versions_list"
    )
    @action(["GET"], detail=True, pagination_class=None, filter_backends=())
    def versions(self, request: Any, pk: str) -> Response:
        """List the approved versions, oldest first; a version never changes. At most 100: Link leads to the others."""
        return self.response_of_versions(ObjectVersionSerializer)

    @extend_schema(responses=ObjectVersionSerializer, operation_id="object_types_versions_retrieve")
    @action(["GET"], detail=True, url_path="versions/<int:number>")
    def version(self, request: Any, pk: str, number: int) -> Response:
        """Get an approved version."""
        return Response(ObjectVersionSerializer(self.approved_version(number)).data)
