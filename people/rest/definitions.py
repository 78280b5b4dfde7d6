"""The resource of one kind of definition, such as activity types: the life cycle of drafts and versions.

A subclass has `queryset` (with live version, draft and their fields), `unknown` (the sentence of an unknown one) and
`rights`, and the actions whose bodies differ by kind: create, partial_update and those of fields.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Prefetch
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from people.core.codes import Code
from people.core.errors import BadQueryError, NotFoundError, Problem, bad_value
from people.core.numerals import whole_number
from people.definitions import checks, drafts, lifecycle
from people.definitions.kinds import MAX_VERSIONS
from people.rest.answer_size import count_rows_that_fit
from people.rest.viewsets import ListMixin, RetrieveMixin, StrictCharField, StrictSerializer

LISTED_VERSIONS = 100
AFTER = OpenApiParameter(
    "after", {"type": "integer", "minimum": 0, "default": 0}, description="Only versions with higher numbers."
)
LIFE_CYCLE_RIGHTS = {
    "destroy": "delete",
    "undelete": "delete",
    "approve": "approve",
    "return_draft": "approve",
    "discard_draft": "change",
    "retire": "approve",
    "restore": "approve",
    "create": "add",
    "partial_update": "change",
    "field": "change",
    "list": "view",
    "retrieve": "view",
    "versions": "view",
    "version": "view",
}


class ReasonInputSerializer(StrictSerializer):
    reason = StrictCharField(max_length=30_000)


class DefinitionViewSet(ListMixin, RetrieveMixin):
    lookup_value_converter = "str"
    orderings = ("id", "-id", "api_name", "-api_name")
    queryset: Any
    unknown: Any = ""
    parameters: ClassVar[Mapping[str, frozenset[str]]] = {"versions": frozenset({"after"})}

    def get_object(self) -> Any:
        """By id or API name; an API name always has a letter."""
        definition = self._by_reference(self.filter_queryset(self.get_queryset()))
        if definition is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, str(self.unknown)))
        return definition

    def _by_reference(self, definitions: Any) -> Any:
        reference = self.kwargs["pk"]
        if reference.isascii() and reference.isdigit():
            return definitions.filter(pk=int(reference[:10])).first()
        return definitions.filter(api_name=reference).first() if checks.API_NAME.fullmatch(reference) else None

    def revision(self, definition: Any) -> str:
        live = definition.live.number if definition.live else 0
        draft = f"{definition.draft.pk}.{definition.draft.revision}" if definition.draft else "0"
        return f"{definition.pk}-{live}-{draft}-{definition.state}"

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Any, pk: str) -> Response:
        """Delete a type. One that was approved is hidden: its rows stay, and its id and API name are not reused."""
        definition = self.get_object()
        self.require_match(definition)
        lifecycle.delete_definition(definition, request.user)
        return Response(status=204)

    @extend_schema(request=None)
    @action(["POST"], detail=True)
    def undelete(self, request: Any, pk: str) -> Response:
        """Restore a deleted type. 409 if it is not deleted, or if its name is in use by another type."""
        deleted = self.queryset.model.objects.exclude(deleted_at=None)
        lifecycle.undelete_definition(self._by_reference(deleted) or self.get_object(), request.user)
        return self.response_for_pk(self.get_object().pk)

    @extend_schema(request=None)
    @action(["POST"], detail=True)
    def approve(self, request: Any, pk: str) -> Response:
        """Approve the draft, which becomes the live version at once. If-Match names the draft as you read it."""
        return self.edit(lambda definition, expected: lifecycle.approve_draft(definition, request.user, expected))

    @extend_schema(request=ReasonInputSerializer)
    @action(["POST"], detail=True, url_path="return")
    def return_draft(self, request: Any, pk: str) -> Response:
        """Return the draft to its editors with a reason."""
        reason = self.validated_body(ReasonInputSerializer)["reason"]
        return self.edit(lambda definition, _expected: lifecycle.return_draft(definition, request.user, reason))

    @extend_schema(request=None)
    @action(["POST"], detail=True, url_path="discard-draft")
    def discard_draft(self, request: Any, pk: str) -> Response:
        """Discard the draft; the live version stays."""
        return self.edit(lambda definition, _expected: lifecycle.discard_draft(definition, request.user))

    @extend_schema(request=None)
    @action(["POST"], detail=True)
    def retire(self, request: Any, pk: str) -> Response:
        """Retire a type: no further rows can be written; existing ones stay usable."""
        return self.edit(lambda definition, _expected: lifecycle.retire_definition(definition, request.user))

    @extend_schema(request=None)
    @action(["POST"], detail=True)
    def restore(self, request: Any, pk: str) -> Response:
        """Reactivate a retired type: rows can be written again."""
        return self.edit(lambda definition, _expected: lifecycle.restore_definition(definition, request.user))

    def edit(self, verb: Any, status: int = 200) -> Response:
        """Call `verb` with the type and the revision that If-Match requires; respond with the changed type."""
        definition = self.get_object()
        self.require_match(definition)
        with self.expecting(definition.draft.revision if definition.draft else 0) as expected:
            verb(definition, expected)
        return self.response_for_pk(definition.pk, status)

    def response_for_pk(self, pk: int, status: int = 200, **headers: str) -> Response:
        return self.response_for(self.get_queryset().get(pk=pk), status, **headers)

    def approved_versions(self) -> Any:
        """The approved versions, the oldest first."""
        versions = self.get_object().versions.exclude(number=None).order_by("number")
        return versions.prefetch_related(Prefetch("fields"))

    def response_of_versions(self, serializer_class: type[serializers.BaseSerializer]) -> Response:
        """Versions after the one that the query names, the oldest first, and the address of the next ones in Link."""
        after = self.request.query_params.get("after", "0")
        number = whole_number(after, otherwise=-1)
        if number < 0:
            raise BadQueryError(bad_value(Code.WRONG_TYPE, _("the number of a version"), after, "after"))
        versions = list(self.approved_versions().filter(number__gt=min(number, MAX_VERSIONS))[: LISTED_VERSIONS + 1])
        rows = serializer_class(versions[:LISTED_VERSIONS], many=True).data
        count = count_rows_that_fit(rows)
        headers = {}
        if count < len(versions):
            address = self.request.build_absolute_uri(f"{self.request.path}?after={versions[count - 1].number}")
            headers["Link"] = f'<{address}>; rel="next"'
        return Response(rows[:count], headers=headers)

    def approved_version(self, number: int) -> Any:
        version = self.approved_versions().filter(number=min(number, 32_767)).first()
        if version is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is no such version.")))
        return version

    def edit_fields(self, request: Any, specs: list[Any]) -> Response:
        """Add the fields to those of the draft (POST), or make them all of its fields (PUT)."""
        verb = drafts.add_draft_fields if request.method == "POST" else drafts.set_draft_fields
        return self.edit(
            lambda definition, expected: verb(definition, specs, request.user, expected),
            201 if request.method == "POST" else 200,
        )
