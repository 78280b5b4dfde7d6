"""Visitors in the native API: who they are, what waits, associating one with a person, and undoing it."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from activities.models import Association, Visitor
from activities.visitors import devices, ownership, undoing
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.messages import sentence as _
from people.datatypes.keys import MAX_ID
from people.rest.filters import NUMBER_KEY, FilterColumn, StrictFilterSet
from people.rest.viewsets import (
    ListMixin,
    RetrieveMixin,
    StrictIntegerField,
    StrictSerializer,
    UTCDateTimeField,
    note_people_in_reply,
)
from people.rights import VIEW_PERSON

EVIDENCE = {
    Association.Evidence.SERVER: "server",
    Association.Evidence.FORM: "form",
    Association.Evidence.EMAIL_TOKEN: "email_token",
    Association.Evidence.CLAIM: "claim",
}


class VisitorFilterSet(StrictFilterSet):
    class Meta:
        model = Visitor
        fields = ()

    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "site_group": FilterColumn("string", is_nullable=False),
        "state": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "first_source": FilterColumn("integer", "first_source_id", operators=("", "in", "isempty")),
        "first_at": FilterColumn("datetime", is_nullable=False),
        "last_at": FilterColumn("datetime", is_nullable=False),
    }
    unfiltered = {"token_hash": "proves who a browser is, and is shown to nobody"}


class AssociationSerializer(serializers.ModelSerializer):
    person = serializers.IntegerField(source="person_id")
    evidence = serializers.SerializerMethodField()
    event_source = serializers.IntegerField(source="event_source_id", allow_null=True)
    from_at = UTCDateTimeField()
    to_at = UTCDateTimeField(allow_null=True, help_text="Null while the visitor belongs to the person.")
    created_at = UTCDateTimeField()
    undone_at = UTCDateTimeField(allow_null=True)

    class Meta:
        model = Association
        fields = ("id", "person", "evidence", "event_source", "from_at", "to_at", "created_at", "undone_at")

    @extend_schema_field({"type": "string", "enum": list(EVIDENCE.values())})
    def get_evidence(self, association: Association) -> str:
        return EVIDENCE[Association.Evidence(association.evidence)]


class VisitorSerializer(serializers.ModelSerializer):
    first_source = serializers.IntegerField(source="first_source_id", allow_null=True)
    first_at = UTCDateTimeField()
    last_at = UTCDateTimeField(help_text="Exact to the hour.")
    associations = AssociationSerializer(many=True, source="shown_associations", help_text="The newest 20.")

    class Meta:
        model = Visitor
        fields = ("id", "site_group", "state", "first_source", "first_at", "last_at", "associations")


class AssociateInputSerializer(StrictSerializer):
    person = StrictIntegerField(min_value=1, max_value=MAX_ID, help_text="The id of the person.")


class UndoInputSerializer(StrictSerializer):
    association = StrictIntegerField(min_value=1, help_text="The id of the association.")


class VisitorViewSet(ListMixin, RetrieveMixin):
    """Browsers seen on web sites, and the people they belong to."""

    queryset = Visitor.objects.all()
    serializer_class = VisitorSerializer
    filterset_class = VisitorFilterSet
    orderings = ("id", "-id")
    rights = {"list": ownership.VIEW, "retrieve": ownership.VIEW, "associate": ownership.RIGHT, "undo": ownership.RIGHT}

    def get_queryset(self) -> Any:
        return devices.with_associations(super().get_queryset())

    @extend_schema(request=AssociateInputSerializer, responses=VisitorSerializer)
    @action(["POST"], detail=True)
    def associate(self, request: Any, pk: int) -> Response:
        """Assign a visitor to a person from now on; what the first owner's browser did before is theirs, too."""
        self.require(VIEW_PERSON)  # the answer discloses whether there is such a person
        visitor = self.get_object()
        person_id = self.validated_body(AssociateInputSerializer)["person"]
        ownership.associate_visitor(visitor.pk, person_id, Association.Evidence.SERVER, self.source, by=request.user)
        return self._changed(request, visitor)

    @extend_schema(request=UndoInputSerializer, responses=VisitorSerializer)
    @action(["POST"], detail=True)
    def undo(self, request: Any, pk: int) -> Response:
        """Undo an association within 30 days: its activities leave the log and wait with the visitor again."""
        visitor = self.get_object()
        association_id = self.validated_body(UndoInputSerializer)["association"]
        if not visitor.associations.filter(pk=association_id).exists():
            problem = Problem(Code.UNKNOWN_ASSOCIATION, _("the visitor has no such association"), ("association",))
            raise RejectedError(problem)
        undoing.undo_association(association_id, request.user)
        return self._changed(request, visitor)

    def _changed(self, request: Any, visitor: Visitor) -> Response:
        changed = self.get_queryset().get(pk=visitor.pk)
        note_people_in_reply(request, {association.person_id for association in changed.shown_associations})
        return self.response_for(changed)
