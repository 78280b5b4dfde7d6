"""Activities in the native API."""

from collections import Counter
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any, ClassVar

from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.response import Response
from rest_framework.settings import api_settings

from activities.api.filters import LOG_FILTERS, ActivityFilterSet, has_filters_beyond_log_indexes
from activities.api.serializers import (
    ActivityInputSerializer,
    ActivitySerializer,
    BatchInputSerializer,
    BatchSerializer,
    ConsentQuerySerializer,
    ConsentSerializer,
    PersonConsentsSerializer,
    ValidatedSerializer,
    activity_representation,
)
from activities.consent.state import CONSENTS, consents_of_person
from activities.log import reader as log_reader
from activities.log.external_ids import external_ids_of
from activities.models import Activity, ActivityType
from activities.recording import counts, recorder
from activities.recording import stream as recording_stream
from activities.recording.parsing import ActivityParser
from activities.recording.rows import RecordStatus
from activities.rights import RECORD_ACTIVITY, VIEW_ACTIVITY, VIEW_ACTIVITYTYPE
from people import lookup as people_lookup
from people.core.codes import Code
from people.core.errors import (
    BadQueryError,
    ConflictError,
    NotAllowedError,
    NotFoundError,
    Problem,
    RejectedError,
    UnprocessableError,
)
from people.datatypes.keys import MAX_BIG_ID
from people.rest.backfill import BACKFILL, TAKES_BACKFILL, BackfillMixin
from people.rest.query import read_query
from people.rest.viewsets import ListMixin, RetrieveMixin, batch_rows, note_people_in_reply, refuse_unknown_members

VIEW = VIEW_ACTIVITYTYPE
STREAM = "application/x-ndjson"


class LogPagination(api_settings.DEFAULT_PAGINATION_CLASS):  # type: ignore[name-defined]
    """Pages ordered by id, from the log, or by time, from an index.

    Ordered by id, each activity is read exactly once, also during concurrent recording. Each page has a cursor for
    the next request, also the last one. Ordered by time, concurrently recorded activities may be missed.
    """

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Activity]:
        self.request, self.view = request, view
        if self.ordering() != "id":
            _require_index(request.query_params)
            return super().paginate_queryset(queryset, request, view)
        state = self.decoded()
        last_id = state[1] if state is not None else 0
        if state is not None and not (state[0] == "log" and type(last_id) is int and 0 <= last_id <= MAX_BIG_ID):
            raise self.bad_cursor()
        page = view.page_of_log(queryset, log_reader.ReadPosition(None, 0, last_id), self.size())
        self.has_more = page.has_more
        self.cursor = self.encoded(["log", page.position.last_id])
        return list(page.activities)

    def cursor_after(self, row: Any) -> str:
        if self.ordering() != "id":
            return str(super().cursor_after(row))
        return self.encoded(["log", row.pk])


def _require_index(parameters: Any) -> None:
    types = parameters.get("activity_type", "")
    if "person" in parameters or "person__email" in parameters or (types and "," not in types):
        return
    message = _("To order by time, name a person or one activity type.")
    raise BadQueryError(Problem(Code.UNKNOWN_ORDERING, message, ("ordering",), "id", parameters.get("ordering", "")))


class NDJSONParser(BaseParser):
    """Leaves an NDJSON body unread; `ActivityViewSet.stream` reads it."""

    media_type = STREAM

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return stream


class ActivityViewSet(BackfillMixin, ListMixin, RetrieveMixin):
    """Activities of people. An activity is never changed after it was recorded."""

    queryset = Activity.objects.all()
    serializer_class = ActivitySerializer
    filterset_class = ActivityFilterSet
    pagination_class = LogPagination
    orderings = ("id", "occurred_at", "-occurred_at")
    indexed_filters = LOG_FILTERS
    rights = {
        "list": VIEW_ACTIVITY,
        "retrieve": VIEW_ACTIVITY,
        "create": RECORD_ACTIVITY,
        "batch": RECORD_ACTIVITY,
        "validate": RECORD_ACTIVITY,
        "stream": RECORD_ACTIVITY,
        "consents": VIEW_ACTIVITY,
    }
    parameters: ClassVar[Mapping[str, frozenset[str]]] = {
        **dict.fromkeys(("create", "batch", "validate", "stream"), TAKES_BACKFILL),
        "consents": frozenset({"person", "at"}),
    }

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "api_names": self._api_names()}

    def _api_names(self) -> dict[int, str]:
        return dict(ActivityType.objects.values_list("pk", "api_name"))

    def fast_rows(self, things: Iterable[Any]) -> list[dict[str, Any]]:
        things, api_names = list(things), self._api_names()
        external_ids = external_ids_of(things)
        return [activity_representation(thing, api_names, external_ids) for thing in things]

    def page_of_log(
        self, queryset: Any, position: log_reader.ReadPosition, limit: int
    ) -> log_reader.ActivityPage[log_reader.ActivityRow] | log_reader.ActivityPage[Activity]:
        """A page of the log: in three statements where its indexes serve the filters, else by a search."""
        parameters = self.request.query_params
        if has_filters_beyond_log_indexes(parameters):
            return log_reader.search_activities(position, queryset, limit)
        filters = self.filterset_class(parameters, queryset)
        filters.form.is_valid()
        cleaned = filters.form.cleaned_data
        types = cleaned.get("activity_type")
        if types is None:
            types = list(ActivityType.objects.values_list("pk", flat=True))
        people = [pk for pk in [cleaned.get("person"), *(cleaned.get("person__in") or ())] if pk is not None]
        return log_reader.read_activities(position, types, people or None, limit)

    @extend_schema(
        parameters=[BACKFILL],
        request=ActivityInputSerializer,
        responses={201: ActivitySerializer, 200: ActivitySerializer},
    )
    def create(self, request: Any) -> Response:
        """Record an activity. 200 if an activity with this external id and the same content exists already."""
        row = self._receiver().translate(request.data)
        if isinstance(row, list):
            counts.count_refused([recording_stream.type_reference(request.data)], self.source)
            raise self._error_of(row)
        (outcome,) = recorder.record_activities([row], self.source, may_record=CONSENTS)
        if outcome.status is RecordStatus.REFUSED:
            error = self._error_of(outcome.problems)
            if outcome.is_left_out:
                error.members = {"kept": False}
            raise error
        activity = self.get_queryset().get(pk=outcome.activity_id)
        note_people_in_reply(request, {activity.person_id})
        location = f"{request.build_absolute_uri()}/{activity.pk}"
        return self.response_for(activity, 201 if outcome.status is RecordStatus.ADDED else 200, Location=location)

    @extend_schema(parameters=[BACKFILL], request=BatchInputSerializer, responses=BatchSerializer)
    @action(["POST"], detail=False)
    def batch(self, request: Any) -> Response:
        """Record up to 1,000 activities in one transaction; each row is accepted or rejected on its own."""
        return self._record(dry_run=False)

    @extend_schema(parameters=[BACKFILL], request=BatchInputSerializer, responses=ValidatedSerializer)
    @action(["POST"], detail=False)
    def validate(self, request: Any) -> Response:
        """Validate up to 1,000 activities without recording them."""
        return self._record(dry_run=True)

    @extend_schema(
        parameters=[BACKFILL],
        request={STREAM: ActivityInputSerializer},
        responses={(200, STREAM): OpenApiResponse({"type": "string"}, "One outcome per line, then a summary.")},
    )
    @action(["POST"], detail=False, parser_classes=[NDJSONParser])
    def stream(self, request: Any) -> Any:
        """Record any number of activities, one JSON object per line.

        Each thousand lines are committed as they are received; the response has one outcome per line, then
        `{"summary": …}`. If the body is sent again, rows with an external id are not recorded twice; with an
        Idempotency-Key, a row without an external id gets `<key>:<line number>`.
        """
        raw = request._request
        if raw.content_type != STREAM:
            raise UnsupportedMediaType(raw.content_type)
        # a body without a length is read to the end that the server marks
        is_marked = not raw.headers.get("Content-Length") and raw.META.get("wsgi.input_terminated")
        body = raw.META["wsgi.input"] if is_marked else raw
        key = getattr(raw, "idempotency_key", None) or ""
        try:
            spool = recording_stream.record_stream(body.read, self.source, self._receiver(), key)
        except OSError:
            message = _("The body ended too early. What came in whole thousands of lines is recorded.")
            raise BadQueryError(Problem(Code.INCOMPLETE_BODY, message)) from None
        return StreamingHttpResponse(iter(lambda: spool.read(recording_stream.READ_BYTES), b""), content_type=STREAM)

    @extend_schema(parameters=[ConsentQuerySerializer], responses=PersonConsentsSerializer)
    @action(["GET"], detail=False)
    def consents(self, request: Any) -> Response:
        """The consents of a person, purpose by purpose, now or at a moment.

        Consents are recorded as the activities `consentGiven` and `consentWithdrawn`; the latest counts. What is
        recorded for the purpose “email” subscribes or unsubscribes the person.
        """
        parameters = request.query_params.dict()
        query = read_query(ConsentQuerySerializer(data=parameters, context=self.get_serializer_context()))
        winner_id = people_lookup.person_ids_by_id([query["person"]]).get(query["person"])
        if winner_id is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("there is no such person")))
        note_people_in_reply(request, {winner_id, query["person"]})
        consents = consents_of_person(winner_id, query.get("at"))
        return Response({"person": winner_id, "consents": ConsentSerializer(consents, many=True).data})

    def _receiver(self) -> ActivityParser:
        return ActivityParser(self.request.user)

    def _record(self, dry_run: bool) -> Response:
        refuse_unknown_members(self.request.data, ("activities",))
        rows = batch_rows(self.request.data, "activities")
        outcomes = recording_stream.record_values(rows, self.source, self._receiver(), dry_run=dry_run)
        statuses = Counter(map(attrgetter("status"), outcomes))
        added = "valid" if dry_run else "added"
        results = [
            {"index": index, "status": added}
            if dry_run and outcome.status is RecordStatus.ADDED
            else {"index": index, **recording_stream.outcome_as_dict(outcome)}
            for index, outcome in enumerate(outcomes)
        ]
        sums = {
            added: statuses[RecordStatus.ADDED],
            "repeated": statuses[RecordStatus.REPEATED],
            "refused": statuses[RecordStatus.REFUSED],
        }
        if sums["refused"] and (not_kept := sum(outcome.is_left_out for outcome in outcomes)):
            sums[recording_stream.NOT_KEPT] = not_kept
        return Response({**sums, "results": results})

    def _error_of(self, problems: Any) -> RejectedError:
        if any(problem.code == Code.NOT_ALLOWED for problem in problems):
            return NotAllowedError(*problems)
        if all(problem.code == Code.EXTERNAL_ID_REUSED for problem in problems):
            return ConflictError(*problems)
        return UnprocessableError(*problems)
