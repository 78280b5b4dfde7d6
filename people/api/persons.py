"""People in the native API."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from people import lookup as people_lookup
from people.api.filters import PersonFilterSet
from people.api.parsing import person_row_from_body, person_row_or_problems, with_custom_field_paths
from people.api.serializers import (
    MergeInputSerializer,
    MergeSerializer,
    PeopleInputSerializer,
    PeopleSerializer,
    PersonInputSerializer,
    PersonSerializer,
    person_representation,
)
from people.core.codes import Code
from people.core.errors import ConflictError, NotFoundError, Problem, UnprocessableError, bad_value, problem_json
from people.datatypes import keys as datatype_keys
from people.datatypes.keys import MAX_BIG_ID
from people.models import Person
from people.objects import personal_data as object_data
from people.persons import deletion, upsert
from people.persons import merge as person_merge
from people.persons.upsert import UpsertAction, UpsertStatus
from people.privacy import erasure
from people.rest.backfill import BACKFILL, TAKES_BACKFILL, BackfillMixin
from people.rest.object_actions import RevisedMixin
from people.rest.viewsets import ListMixin, RetrieveMixin, batch_rows, note_people_in_reply, refuse_unknown_members
from people.rights import (
    ADD_PERSON,
    CHANGE_PERSON,
    DELETE_PERSON,
    ERASE_PERSON,
    MERGE_PERSON,
    RESTORE_PERSON,
    VIEW_PERSON,
)

VIEW, CHANGE = VIEW_PERSON, CHANGE_PERSON
CONFLICTS = frozenset({Code.PERSON_EXISTS, Code.VALUE_TAKEN, Code.TOO_LATE, Code.NOT_DELETED})


class PersonViewSet(RevisedMixin, BackfillMixin, ListMixin, RetrieveMixin):
    """People, with their fields."""

    queryset = Person.objects.live()
    serializer_class = PersonSerializer
    filterset_class = PersonFilterSet
    orderings = ("id", "-id", "created_at", "-created_at", "updated_at", "-updated_at")
    indexed_filters = frozenset({"id", "id__in", "email", "email__in"})
    rights = {
        "list": VIEW,
        "retrieve": VIEW,
        "create": ADD_PERSON,
        "partial_update": CHANGE,
        "destroy": DELETE_PERSON,
        "batch": CHANGE,
        "restore": RESTORE_PERSON,
        "erase": ERASE_PERSON,
        "merge": MERGE_PERSON,
        "undo_merge": MERGE_PERSON,
    }
    parameters: ClassVar[Mapping[str, frozenset[str]]] = dict.fromkeys(
        ("create", "partial_update", "batch"), TAKES_BACKFILL
    )

    def get_object(self) -> Person:
        """The live person; for the id of a merged person, the winner."""
        pk = self.kwargs["pk"]
        winner_id = people_lookup.person_ids_by_id([pk]).get(pk) if 0 < pk <= datatype_keys.MAX_ID else None
        return self._person(winner_id)

    def _person(self, pk: int | None) -> Person:
        person = None if pk is None else self.get_queryset().filter(pk=pk).first()
        if person is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("there is no such person")))
        note_people_in_reply(self.request, {person.pk, self.kwargs.get("pk", person.pk)})
        return person

    def fast_rows(self, things: Iterable[Person]) -> list[dict[str, Any]]:
        return [person_representation(person) for person in things]

    def response_for(self, thing: Person, status: int = 200, **headers: str) -> Response:
        if self.kwargs.get("pk", thing.pk) != thing.pk:
            headers["Content-Location"] = self.request.build_absolute_uri(f"/api/v1/people/{thing.pk}")
        return super().response_for(thing, status, **headers)

    @extend_schema(parameters=[BACKFILL], request=PersonInputSerializer, responses={201: PersonSerializer})
    def create(self, request: Any) -> Response:
        """Create a person. 409 if another person has the e-mail address, or the value of a unique field."""
        values = person_row_from_body(request.data)
        kind = UpsertAction.CREATE if values.get("email") not in (None, "") else UpsertAction.DUPLICATE
        (outcome,) = upsert.upsert_people([values], self.source, "email", kind)
        person = self._person(_accepted_id(outcome))
        return self.response_for(person, 201, Location=f"{request.build_absolute_uri()}/{person.pk}")

    @extend_schema(parameters=[BACKFILL], request=PersonInputSerializer, responses=PersonSerializer)
    def partial_update(self, request: Any, pk: int) -> Response:
        """Change fields of a person; null removes a value."""
        person = self.get_object()
        self.require_match(person)
        with self.expecting(person.revision) as expected:
            outcome = upsert.update_person(person, person_row_from_body(request.data), self.source, expected)
        return self.response_for(self._person(_accepted_id(outcome)))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Any, pk: int) -> Response:
        """Delete a person, who is removed from all lists and pages and can be restored for a limited time."""
        person = self.get_object()
        self.require_match(person)
        (outcome,) = deletion.delete_people([person.pk], request.user, self.source)
        _raise_problems(outcome.problems)
        return Response(status=204)

    @extend_schema(parameters=[BACKFILL], request=PeopleInputSerializer, responses=PeopleSerializer)
    @action(["POST"], detail=False)
    def batch(self, request: Any) -> Response:
        """Create or update up to 1,000 people; each row is accepted or rejected on its own.

        Rows are committed in transactions of up to 10,000 values; with an `Idempotency-Key`, all in one transaction.
        """
        refuse_unknown_members(request.data, ("people", "lookup_field", "action"))
        kind = request.data.get("action", UpsertAction.UPSERT)
        if not isinstance(kind, str) or kind not in set(UpsertAction):
            raise UnprocessableError(bad_value(Code.WRONG_TYPE, ", ".join(UpsertAction), kind, "action"))
        lookup = request.data.get("lookup_field", "email")
        if not isinstance(lookup, str):
            raise UnprocessableError(bad_value(Code.WRONG_TYPE, _("the API name of a field"), lookup, "lookup_field"))
        if kind != UpsertAction.UPDATE:
            self.require(ADD_PERSON)
        rows = [person_row_or_problems(row) for row in batch_rows(request.data, "people")]
        valid_rows = [row for row in rows if isinstance(row, dict)]
        parts = list(upsert.split_rows(valid_rows))
        if len(parts) > 1 and request.headers.get("Idempotency-Key") is not None:
            limit = f"{upsert.MAX_BATCH:,}"
            message = _("With an Idempotency-Key a call takes at most %(limit)s values of people.") % {"limit": limit}
            raise UnprocessableError(Problem(Code.TOO_LARGE, message, ("people",), limit))
        outcomes = iter(
            [
                outcome
                for part in parts
                for outcome in upsert.upsert_people(part, self.source, lookup, UpsertAction(kind))
            ]
        )
        results = []
        for index, row in enumerate(rows):
            result = _outcome_json(next(outcomes)) if isinstance(row, dict) else _refusal_json(row)
            results.append({"index": index, **result})
        sums = {str(status): sum(result["status"] == status for result in results) for status in UpsertStatus}
        note_people_in_reply(request, {result["id"] for result in results if "id" in result})
        return Response({**sums, "results": results})

    @extend_schema(request=None, responses=PersonSerializer)
    @action(["POST"], detail=True)
    def restore(self, request: Any, pk: int) -> Response:
        """Restore a deleted person, with their lists."""
        (outcome,) = deletion.restore_people([pk], request.user, self.source)
        _raise_problems(outcome.problems)
        return self.response_for(self._person(pk))

    @extend_schema(request=None, responses={204: None})
    @action(["POST"], detail=True)
    def erase(self, request: Any, pk: int) -> Response:
        """Erase a person and those merged into them: all their data is deleted for good."""
        if not Person.objects.filter(pk=min(pk, datatype_keys.MAX_ID)).exclude(state=Person.State.ERASED).exists():
            raise NotFoundError(Problem(Code.NOT_FOUND, _("there is no such person")))
        erasure.erase_people([pk], request.user, self.source)
        return Response(status=204)

    @extend_schema(request=MergeInputSerializer, responses=MergeSerializer)
    @action(["POST"], detail=True)
    def merge(self, request: Any, pk: int) -> Response:
        """Merge other people into this person; their ids then refer to this person."""
        winner = self.get_object()
        self.require_match(winner)
        body = self.validated_body(MergeInputSerializer)
        merge = person_merge.merge_people(
            winner.pk, body["losers"], request.user, self.source, choices=body.get("choices")
        )
        note_people_in_reply(request, {winner.pk, *body["losers"]})
        moved, replaced = object_data.records_of_merge(merge)
        person = self.show(self._person(winner.pk))
        return Response({"merge": merge.pk, "person": person, "records_moved": moved, "records_replaced": replaced})

    @extend_schema(request=None, responses={204: None}, operation_id="people_merges_undo")
    @action(["POST"], detail=False, url_path="merges/<int:merge_id>/undo")
    def undo_merge(self, request: Any, merge_id: int) -> Response:
        """Undo a merge: the merged people are restored, with their former activities and lists."""
        person_merge.undo_merge(min(merge_id, MAX_BIG_ID), request.user, self.source)
        return Response(status=204)


def _accepted_id(outcome: upsert.UpsertOutcome) -> int | None:
    """The id of the written person. Raises `RejectedError` for a refused row."""
    _raise_problems(outcome.problems)
    return outcome.person_id


def _raise_problems(problems: Iterable[Problem]) -> None:
    """Raise the error whose status fits the problems; without problems, do nothing."""
    problems = with_custom_field_paths(problems)
    if not problems:
        return
    if any(problem.code == Code.UNKNOWN_PERSON for problem in problems):
        raise NotFoundError(*problems)
    raise (ConflictError if all(problem.code in CONFLICTS for problem in problems) else UnprocessableError)(*problems)


def _outcome_json(outcome: upsert.UpsertOutcome) -> dict[str, Any]:
    if outcome.status is UpsertStatus.REFUSED:
        return _refusal_json(with_custom_field_paths(outcome.problems))
    return {"status": str(outcome.status), "id": outcome.person_id}


def _refusal_json(problems: Iterable[Problem]) -> dict[str, Any]:
    return {"status": str(UpsertStatus.REFUSED), "errors": [problem_json(problem) for problem in problems]}
