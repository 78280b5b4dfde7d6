"""Static lists and their members in the native API."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from people.api.filters import StaticListFilterSet, StaticListMemberFilterSet
from people.api.serializers import (
    MemberSerializer,
    MembersInputSerializer,
    MembersSerializer,
    StaticListInputSerializer,
    StaticListSerializer,
)
from people.core.codes import Code
from people.core.errors import NotFoundError, Problem, UnprocessableError, bad_value
from people.core.models import Folder
from people.core.permissions import find_owner
from people.datatypes.keys import MAX_BIG_ID
from people.lists import static_lists
from people.lists.static_lists import Membership
from people.models import StaticList, StaticListMember
from people.rest.backfill import BACKFILL, TAKES_BACKFILL, BackfillMixin
from people.rest.viewsets import ListMixin, RetrieveMixin, lock_for_update
from people.rights import ADD_STATICLIST, DELETE_STATICLIST, VIEW_STATICLIST


class StaticListViewSet(ListMixin, RetrieveMixin):
    """Lists whose members are added by hand or by a program."""

    queryset = StaticList.objects.select_related("owner", "created_by")
    serializer_class = StaticListSerializer
    filterset_class = StaticListFilterSet
    orderings = ("id", "-id")
    rights = {
        "list": VIEW_STATICLIST,
        "retrieve": VIEW_STATICLIST,
        "create": ADD_STATICLIST,
        "partial_update": static_lists.CHANGE,
        "destroy": DELETE_STATICLIST,
        "archive": static_lists.CHANGE,
        "unarchive": static_lists.CHANGE,
    }

    def revision(self, static_list: StaticList) -> str:
        return f"{static_list.pk}-{static_list.updated_at.timestamp():.6f}"

    @extend_schema(request=StaticListInputSerializer, responses={201: StaticListSerializer})
    def create(self, request: Any) -> Response:
        """Create an empty list."""
        static_list = static_lists.create_static_list(
            by=request.user, **_with_place(self.validated_body(StaticListInputSerializer))
        )
        location = f"{request.build_absolute_uri()}/{static_list.pk}"
        return self._response_for_pk(static_list.pk, 201, Location=location)

    @extend_schema(request=StaticListInputSerializer, responses=StaticListSerializer)
    def partial_update(self, request: Any, pk: int) -> Response:
        """Change name, description, folder or owner."""
        body = self.validated_body(StaticListInputSerializer, partial=True)
        return self._edit(
            lambda static_list: static_lists.change_static_list(
                static_list, request.user, **_with_place(body, static_list.owner_id)
            )
        )

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Any, pk: int) -> Response:
        """Delete a list; its people stay. 409 if it is in use."""
        with transaction.atomic():
            static_list = self.get_object()
            self.require_match(static_list)
            static_lists.delete_static_list(static_list, request.user)
        return Response(status=204)

    @extend_schema(request=None, responses=StaticListSerializer)
    @action(["POST"], detail=True)
    def archive(self, request: Any, pk: int) -> Response:
        """Archive a list; its members and uses stay."""
        return self._edit(lambda static_list: static_lists.archive_static_list(static_list, request.user))

    @extend_schema(request=None, responses=StaticListSerializer)
    @action(["POST"], detail=True)
    def unarchive(self, request: Any, pk: int) -> Response:
        """Unarchive the list."""
        return self._edit(lambda static_list: static_lists.unarchive_static_list(static_list, request.user))

    def _edit(self, verb: Any) -> Response:
        with transaction.atomic():
            static_list = lock_for_update(self.get_object())
            self.require_match(static_list)
            verb(static_list)
        return self._response_for_pk(static_list.pk)

    def _response_for_pk(self, pk: int, status: int = 200, **headers: str) -> Response:
        return self.response_for(self.get_queryset().get(pk=pk), status, **headers)


def _with_place(body: dict[str, Any], owner_id: int | None = None) -> dict[str, Any]:
    """The validated body, with folder and owner as objects; `owner_id` is the present owner of the list."""
    if "owner" in body:
        body = {**body, "owner": find_owner(body["owner"], owner_id)}
    if body.get("folder") is None:
        return body
    folder = Folder.objects.filter(pk=body["folder"]).first()
    if folder is None:
        raise UnprocessableError(bad_value(Code.UNKNOWN_FOLDER, _("the id of a folder"), body["folder"], "folder"))
    return {**body, "folder": folder}


class StaticListMemberViewSet(BackfillMixin, ListMixin):
    """List the members of a static list."""

    queryset = StaticListMember.objects.all()
    serializer_class = MemberSerializer
    filterset_class = StaticListMemberFilterSet
    orderings = ("person_id",)
    key = "person_id"
    lookup_field, lookup_url_kwarg = "person_id", "person"
    rights = {
        "list": VIEW_STATICLIST,
        "create": static_lists.CHANGE,
        "remove": static_lists.CHANGE,
        "destroy": static_lists.CHANGE,
    }
    parameters: ClassVar[Mapping[str, frozenset[str]]] = dict.fromkeys(("create", "remove", "destroy"), TAKES_BACKFILL)

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(static_list=self._static_list())

    @extend_schema(parameters=[BACKFILL], request=MembersInputSerializer, responses={200: MembersSerializer})
    def create(self, request: Any, static_list: int) -> Response:
        """Add up to 1,000 people to a list; people who are members already are left unchanged."""
        return self._change_members(static_lists.add_members)

    @extend_schema(parameters=[BACKFILL], request=MembersInputSerializer, responses=MembersSerializer)
    @action(["POST"], detail=False)
    def remove(self, request: Any, static_list: int) -> Response:
        """Remove up to 1,000 people from a list."""
        return self._change_members(static_lists.remove_members)

    @extend_schema(
        request=None,
        responses={204: None},
        parameters=[BACKFILL, OpenApiParameter("person", int, OpenApiParameter.PATH, description="The person's id.")],
    )
    def destroy(self, request: Any, static_list: int, person: int) -> Response:
        """Remove a person from a list."""
        (outcome,) = static_lists.remove_members(self._static_list(), [person], self.source)
        if outcome is not Membership.REMOVED:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("This person is not on the list.")))
        return Response(status=204)

    def _change_members(self, verb: Any) -> Response:
        person_ids = self.validated_body(MembersInputSerializer)["people"]
        return Response({"results": [str(outcome) for outcome in verb(self._static_list(), person_ids, self.source)]})

    def _static_list(self) -> StaticList:
        static_list = StaticList.objects.filter(pk=min(self.kwargs["static_list"], MAX_BIG_ID)).first()
        if static_list is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is no such static list.")))
        return static_list
