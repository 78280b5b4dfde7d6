"""Scheduled copies of a smart list to static lists, in the native API."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from people.core.codes import Code
from people.core.errors import NotFoundError, Problem, UnprocessableError, bad_value
from people.datatypes.keys import MAX_BIG_ID
from people.lists import static_lists
from people.models import StaticList
from people.rest.viewsets import ListMixin
from smartlists.api.filters import ListCopyFilterSet
from smartlists.api.serializers import CopyInputSerializer, CopySerializer
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import copies as list_copies
from smartlists.models import ListCopy, SmartList


def static_list_from_body(body: dict[str, Any]) -> StaticList:
    """The static list of a validated body. Raises `UnprocessableError` for an unknown id."""
    static_list = StaticList.objects.filter(pk=min(body["static_list"], MAX_BIG_ID)).first()
    if static_list is None:
        problem = bad_value(Code.UNKNOWN_LIST, _("the id of a static list"), body["static_list"], "static_list")
        raise UnprocessableError(problem)
    return static_list


class SmartListCopyViewSet(ListMixin):
    """Static lists that a job fills from a smart list on a schedule."""

    queryset = ListCopy.objects.select_related("created_by")
    serializer_class = CopySerializer
    filterset_class = ListCopyFilterSet
    orderings = ("id", "-id")
    rights = {"list": stored_evaluations.VIEW, "create": static_lists.CHANGE, "destroy": static_lists.CHANGE}
    lookup_field, lookup_url_kwarg = "pk", "copy"

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(smart_list_id=min(self.kwargs.get("smart_list", 0), MAX_BIG_ID))

    def list(self, request: Any, smart_list: int) -> Response:
        """List the scheduled copies of a smart list to static lists, with their last results."""
        self._smart_list()
        return super().list(request)

    @extend_schema(request=CopyInputSerializer, responses={201: CopySerializer})
    def create(self, request: Any, smart_list: int) -> Response:
        """Copy the members to a static list now and at an interval; replaces an earlier schedule for the same list."""
        source, body = self._smart_list(), self.validated_body(CopyInputSerializer)
        copy = list_copies.plan_copy(
            source, static_list_from_body(body), request.user, mode=body["mode"], every_minutes=body["every_minutes"]
        )
        return self.response_for(self.get_queryset().get(pk=copy.pk), 201)

    @extend_schema(
        request=None,
        responses={204: None},
        parameters=[OpenApiParameter("copy", int, OpenApiParameter.PATH, description="The id of the scheduled copy.")],
    )
    def destroy(self, request: Any, smart_list: int, copy: int) -> Response:
        """Stop copying to the static list; its members stay."""
        plans = self.get_queryset().select_related("static_list", "smart_list")
        plan = plans.filter(pk=min(copy, MAX_BIG_ID)).first()
        if plan is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is nothing at this address.")))
        list_copies.end_copy(plan, request.user)
        return Response(status=204)

    def _smart_list(self) -> SmartList:
        smart_list = SmartList.objects.filter(pk=min(self.kwargs["smart_list"], MAX_BIG_ID)).first()
        if smart_list is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is no such smart list.")))
        return smart_list
