"""Object records in the native API."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from people.api.objects.filters import ObjectRecordFilterSet
from people.api.objects.rows import KEYS, outcomes_of_bodies, paths_under_values, row_from_values
from people.api.objects.serializers import (
    ObjectBatchInputSerializer,
    ObjectBatchSerializer,
    ObjectHistorySerializer,
    ObjectRecordSerializer,
    ObjectRemovalInputSerializer,
    ObjectValuesInputSerializer,
)
from people.core.codes import Code
from people.core.errors import ConflictError, NotFoundError, Problem, UnprocessableError, problem_json
from people.core.source import Channel
from people.datatypes.keys import MAX_BIG_ID
from people.definitions import checks
from people.models import ObjectChange, ObjectRecord, ObjectType
from people.objects import queries, records, removal
from people.objects.outcomes import RecordAction, RecordKey, RecordOutcome, RecordStatus
from people.objects.schema import ObjectSchema, live_schema
from people.rest.backfill import BACKFILL, TAKES_BACKFILL, BackfillMixin
from people.rest.object_actions import RevisedMixin
from people.rest.query import read_query
from people.rest.viewsets import ListMixin, RetrieveMixin, note_people_in_reply

CONFLICTS = frozenset({Code.RECORD_EXISTS, Code.VALUE_TAKEN, Code.NOT_DELETED})
MISSING = frozenset({Code.UNKNOWN_RECORD})


class HistoryQuerySerializer(serializers.Serializer):
    before = serializers.IntegerField(min_value=1, max_value=MAX_BIG_ID, required=False)


class ObjectRecordViewSet(RevisedMixin, BackfillMixin, ListMixin, RetrieveMixin):
    """Records of one object type: facts about people that can change."""

    queryset = ObjectRecord.objects.existing()
    serializer_class = ObjectRecordSerializer
    filterset_class = ObjectRecordFilterSet
    orderings = ("id", "-id")
    indexed_filters = frozenset({"id", "id__in", "person", "person__in"})
    rights = {
        "list": records.VIEW,
        "retrieve": records.VIEW,
        "history": records.VIEW,
        "create": records.ADD,
        "partial_update": records.CHANGE,
        "batch": records.CHANGE,
        "destroy": records.DELETE,
        "delete_batch": records.DELETE,
        "restore": records.DELETE,
        "undo": records.CHANGE,
    }
    parameters: ClassVar[Mapping[str, frozenset[str]]] = {
        **dict.fromkeys(
            ("create", "partial_update", "batch", "destroy", "delete_batch", "restore", "undo"), TAKES_BACKFILL
        ),
        "history": frozenset({"before"}),
    }

    @cached_property
    def object_type(self) -> ObjectType:
        """The type that the address names by API name; deleted ones are not found."""
        name = self.kwargs["object_type"]
        types = ObjectType.objects.approved()
        object_type = types.filter(api_name=name).first() if checks.API_NAME.fullmatch(name) else None
        if object_type is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is no approved object type with this API name.")))
        return object_type

    @cached_property
    def schema_of_type(self) -> ObjectSchema:
        return live_schema(self.object_type)

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(object_type=self.object_type.pk)

    def get_object(self) -> ObjectRecord:
        """The record; for the id of one that was replaced, the one that stays. Only its own id deletes a record."""
        record = queries.record_that_stays(self.object_type, self.kwargs["pk"])
        if record is not None and record.pk != self.kwargs["pk"] and self.action == "destroy":
            message = _("There is no such record any more: record %(id)s replaced it.") % {"id": record.pk}
            raise NotFoundError(Problem(Code.NOT_FOUND, message, got=str(self.kwargs["pk"])))
        return self._found(record)

    def response_for(self, thing: ObjectRecord, status: int = 200, **headers: str) -> Response:
        if self.kwargs.get("pk", thing.pk) != thing.pk:
            address = f"/api/v1/objects/{self.object_type.api_name}/{thing.pk}"
            headers["Content-Location"] = self.request.build_absolute_uri(address)
        return super().response_for(thing, status, **headers)

    def fast_rows(self, things: Iterable[ObjectRecord]) -> list[dict[str, Any]]:
        rows = list(things)
        note_people_in_reply(self.request, {row.person_id for row in rows if row.person_id})
        return [_record_json(row, self.schema_of_type) for row in rows]

    @extend_schema(parameters=[BACKFILL], request=ObjectValuesInputSerializer, responses={201: ObjectRecordSerializer})
    def create(self, request: Any, object_type: str) -> Response:
        """Create a record. 409 if there is one with its dedupe values."""
        values = self.validated_body(ObjectValuesInputSerializer)["values"]
        row = row_from_values(values)
        (outcome,) = records.upsert_records(self.object_type, [row], self.source, action=RecordAction.CREATE)
        record = self._accepted(outcome)
        return self.response_for(record, 201, Location=f"{request.build_absolute_uri()}/{record.pk}")

    @extend_schema(parameters=[BACKFILL], request=ObjectValuesInputSerializer, responses=ObjectRecordSerializer)
    def partial_update(self, request: Any, object_type: str, pk: int) -> Response:
        """Change values of a record; null removes a value."""
        record = self.get_object()
        self.require_match(record)
        values = self.validated_body(ObjectValuesInputSerializer)["values"]
        with self.expecting(record.revision) as expected:
            outcome = records.update_record(record, row_from_values(values), self.source, expected)
        return self.response_for(self._accepted(outcome))

    @extend_schema(parameters=[BACKFILL], request=None, responses={204: None})
    def destroy(self, request: Any, object_type: str, pk: int) -> Response:
        """Delete a record. It can be restored, and its history stays."""
        record = self.get_object()
        self.require_match(record)
        rows = [{"id": record.pk}]
        with self.expecting(record.revision) as expected:
            (outcome,) = removal.delete_records(
                self.object_type,
                rows,
                self.source,
                key=RecordKey.ID,
                expected_revisions={} if expected is None else {record.pk: expected},
            )
        _raise_problems(outcome.problems)
        return Response(status=204)

    @extend_schema(parameters=[BACKFILL], request=ObjectBatchInputSerializer, responses=ObjectBatchSerializer)
    @action(["POST"], detail=False)
    def batch(self, request: Any, object_type: str) -> Response:
        """Create or update up to 1,000 records; each row is accepted or rejected on its own.

        By the dedupe fields, each row has all of them; by `id` or `guid`, records are only updated, and that of a
        replaced record means the one that stays.
        """
        body = self.validated_body(ObjectBatchInputSerializer)
        if body["key"] == RecordKey.DEDUPE and body["action"] != RecordAction.UPDATE:
            self.require(records.ADD)
        key, action = RecordKey(body["key"]), RecordAction(body["action"])

        def write(rows: list[dict[str, Any]]) -> Sequence[RecordOutcome]:
            return records.upsert_records(
                self.object_type, rows, self.source, key=key, action=action, follows_replaced=True
            )

        return self._outcomes(outcomes_of_bodies(body["records"], write))

    @extend_schema(parameters=[BACKFILL], request=ObjectRemovalInputSerializer, responses=ObjectBatchSerializer)
    @action(["POST"], detail=False, url_path="delete")
    def delete_batch(self, request: Any, object_type: str) -> Response:
        """Delete up to 1,000 records, named by their dedupe values, ids or guids.

        The id or guid of a replaced record deletes nothing; each row is accepted or rejected on its own.
        """
        body = self.validated_body(ObjectRemovalInputSerializer)

        def delete(rows: list[dict[str, Any]]) -> Sequence[RecordOutcome]:
            return removal.delete_records(self.object_type, rows, self.source, key=RecordKey(body["key"]))

        return self._outcomes(outcomes_of_bodies(body["records"], delete))

    @extend_schema(parameters=[BACKFILL], request=None, responses=ObjectRecordSerializer)
    @action(["POST"], detail=True)
    def restore(self, request: Any, object_type: str, pk: int) -> Response:
        """Restore a deleted record. 409 if it is not deleted, or if another record has its dedupe values by now."""
        (outcome,) = removal.restore_records(self.object_type, [pk], self.source)
        return self.response_for(self._accepted(outcome))

    @extend_schema(
        parameters=[OpenApiParameter("before", int, description="The changes before this one, by its id.")],
        responses=ObjectHistorySerializer,
    )
    @action(["GET"], detail=True, pagination_class=None, filter_backends=())
    def history(self, request: Any, object_type: str, pk: int) -> Response:
        """The changes of a record, the newest first, 50 a page; of a deleted one, too.

        Among them are those by which other records gave way to it when the dedupe values of both came to name the same
        person or record, with all their values.
        """
        record = self._record(ObjectRecord.objects.filter(object_type=self.object_type), pk)
        before = read_query(HistoryQuerySerializer(data=request.query_params)).get("before")
        changes = queries.history_of_record(record.pk, before, queries.PAGE + 1)
        page = changes[: queries.PAGE]
        note_people_in_reply(request, {change.person_id for change in page if change.person_id})
        rest = page[-1].pk if len(changes) > len(page) else None
        return Response({"results": [_change_json(change) for change in page], "next_before": rest})

    @extend_schema(parameters=[BACKFILL], request=None, responses=ObjectRecordSerializer)
    @action(["POST"], detail=True, url_path="history/<int:change_id>/undo")
    def undo(self, request: Any, object_type: str, pk: int, change_id: int) -> Response:
        """Take a change back: its fields get their former values, or the record is deleted or restored again.

        The answer is the record after it: a deleted one has `deleted_at`.
        """
        changes = ObjectChange.objects.filter(object_type_id=self.object_type.pk, record_id=min(pk, MAX_BIG_ID))
        change = changes.filter(pk=min(change_id, MAX_BIG_ID)).first()
        if change is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is no such change of this record.")))
        if change.kind != ObjectChange.Kind.CHANGED:
            self.require(records.DELETE)
        return self.response_for(self._accepted(removal.undo_change(change, self.source)))

    def _record(self, rows: Any, pk: int) -> ObjectRecord:
        return self._found(rows.filter(pk=min(pk, MAX_BIG_ID)).first())

    def _found(self, record: ObjectRecord | None) -> ObjectRecord:
        if record is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is no such record.")))
        return record

    def _accepted(self, outcome: RecordOutcome) -> ObjectRecord:
        """The written record. Raises the error whose status fits the problems of a refused row."""
        _raise_problems(outcome.problems)
        return self._record(ObjectRecord.objects.all(), outcome.record_id or 0)

    def _outcomes(self, outcomes: Sequence[RecordOutcome]) -> Response:
        results = [{"index": place, **_outcome_json(outcome)} for place, outcome in enumerate(outcomes)]
        names = (RecordStatus.CREATED, RecordStatus.UPDATED, RecordStatus.DELETED, RecordStatus.REFUSED)
        sums = {str(status): sum(outcome.status is status for outcome in outcomes) for status in names}
        ids = [outcome.record_id for outcome in outcomes if outcome.record_id]
        people = ObjectRecord.objects.filter(pk__in=ids, person_id__isnull=False).values_list("person_id", flat=True)
        note_people_in_reply(self.request, {pk for pk in people if pk})
        return Response({**sums, "results": results})


def _record_json(record: ObjectRecord, schema: ObjectSchema) -> dict[str, Any]:
    return {
        "id": record.pk,
        "guid": str(record.guid),
        "object_type": schema.api_name,
        "name": record.name,
        "person": record.person_id,
        "linked_record": record.linked_id,
        "is_waiting": record.is_waiting,
        "values": {name: value for name, value in record.fields.items() if name in schema.fields},
        "version": record.version,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "deleted_at": record.deleted_at,
        "replaced_by": record.replaced_by_id if record.deleted_at else None,
    }


def _change_json(change: ObjectChange) -> dict[str, Any]:
    return {
        "id": change.pk,
        "record": change.record_id,
        "kind": ObjectChange.Kind(change.kind).name.lower(),
        "changes": change.changes,
        "person": change.person_id,
        "changed_at": change.changed_at,
        "source": Channel(change.channel).word,
        "user": change.user.get_username() if change.user else None,
        "undoes": change.undoes_id,
        "replaced_by": change.replaced_by_id,
    }


def _outcome_json(outcome: RecordOutcome) -> dict[str, Any]:
    if outcome.problems:
        errors = [problem_json(problem) for problem in outcome.problems]
        return {"status": str(outcome.status), "errors": errors}
    return {"status": str(outcome.status), "id": outcome.record_id, "guid": str(outcome.guid)}


def _raise_problems(problems: Sequence[Problem]) -> None:
    """Raise the error whose status fits the problems; without problems, do nothing."""
    if not problems:
        return
    codes = {problem.code for problem in problems}
    error = UnprocessableError
    if codes <= CONFLICTS:
        error = ConflictError  # type: ignore[assignment]
    elif codes <= MISSING and not any(problem.path[:1] and problem.path[0] not in KEYS for problem in problems):
        error = NotFoundError  # type: ignore[assignment]
    raise error(*paths_under_values(problems))
