"""Person fields in the native API."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from people.api.filters import PersonFieldFilterSet
from people.api.serializers import PersonFieldChangeSerializer, PersonFieldInputSerializer, PersonFieldSerializer
from people.core.codes import Code
from people.core.errors import NotFoundError, Problem
from people.fields import editing as field_editing
from people.models import PersonField
from people.rest.viewsets import ListMixin, RetrieveMixin, lock_for_update
from people.rights import ADD_PERSONFIELD, CHANGE_PERSONFIELD, DELETE_PERSONFIELD, VIEW_PERSONFIELD


class PersonFieldViewSet(ListMixin, RetrieveMixin):
    """The fields of people: standard fields and those added by your team."""

    queryset = PersonField.objects.all()
    serializer_class = PersonFieldSerializer
    filterset_class = PersonFieldFilterSet
    lookup_field = "api_name"
    lookup_value_converter = "str"
    orderings = ("id", "-id", "api_name", "-api_name")
    rights = {
        "list": VIEW_PERSONFIELD,
        "retrieve": VIEW_PERSONFIELD,
        "create": ADD_PERSONFIELD,
        "partial_update": CHANGE_PERSONFIELD,
        "destroy": DELETE_PERSONFIELD,
    }

    def revision(self, field: PersonField) -> str:
        return f"{field.pk}-{field.updated_at.timestamp():.6f}"

    def get_object(self) -> PersonField:
        if not field_editing.API_NAME.fullmatch(self.kwargs["api_name"]):
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is nothing at this address.")))
        return super().get_object()

    @extend_schema(request=PersonFieldInputSerializer, responses={201: PersonFieldSerializer})
    def create(self, request: Any) -> Response:
        """Add a person field."""
        body = self.validated_body(PersonFieldInputSerializer)
        field = field_editing.create_person_field(
            body.pop("label"), body.pop("data_type"), request.user, is_api_created=True, **body
        )
        return self.response_for(field, 201, Location=f"{request.build_absolute_uri()}/{field.api_name}")

    @extend_schema(request=PersonFieldChangeSerializer, responses=PersonFieldSerializer)
    def partial_update(self, request: Any, api_name: str) -> Response:
        """Change a field's label, description, choices, or whether it is hidden or unique."""
        body = self.validated_body(PersonFieldChangeSerializer, partial=True)
        with transaction.atomic():
            field = lock_for_update(self.get_object())
            self.require_match(field)
            field = field_editing.change_person_field(field, request.user, **body)
        return self.response_for(field)

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Any, api_name: str) -> Response:
        """Delete a field added by your team, with its values."""
        with transaction.atomic():
            field = lock_for_update(self.get_object())
            self.require_match(field)
            field_editing.delete_person_field(field, request.user)
        return Response(status=204)
