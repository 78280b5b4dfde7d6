"""Activity types and activities over the native API."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Prefetch
from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.response import Response
from rest_framework.settings import api_settings

from activities import draft_checks, drafting, lifecycle, reading, recording, streaming
from activities.filters import OF_THE_LOG, ActivityFilters, ActivityTypeFilters, narrows_by_more_than_the_log_orders
from activities.models import Activity, ActivityField, ActivityType, ActivityVersion
from activities.receiving import Receiver
from activities.recording import NewActivity, Status
from activities.serializers import (
    ActivityGiven,
    ActivityShown,
    BatchGiven,
    BatchShown,
    FieldChange,
    FieldsGiven,
    FieldShown,
    NamesGiven,
    ReasonGiven,
    TypeGiven,
    TypeShown,
    ValidatedShown,
    VersionShown,
    names,
    shown_quickly,
    spec,
)
from people.problems import Conflict, NotAllowed, Problem
from people.refusals import BadQuery, NotFound, Unprocessable
from people.rest import Listed, Retrieved, refuse_unknown_members, rows_of

VIEW = "activities.view_activitytype"
EDIT = lifecycle.EDIT
APPROVE = lifecycle.APPROVE
STREAM = "application/x-ndjson"


class ActivityTypes(Listed, Retrieved):
    """What can happen. Changes go to a draft; people and programs see the live version until it is approved."""

    queryset = (
        ActivityType.objects.existing()
        .select_related("live", "draft", "owner")
        .prefetch_related("live__fields", "draft__fields")
    )
    serializer_class = TypeShown
    filterset_class = ActivityTypeFilters
    lookup_value_converter = "str"
    orderings = ("id", "-id", "api_name", "-api_name")
    rights = {
        "list": VIEW,
        "retrieve": VIEW,
        "versions": VIEW,
        "version": VIEW,
        "create": "activities.add_activitytype",
        "partial_update": EDIT,
        "destroy": lifecycle.DELETE,
        "undelete": lifecycle.DELETE,
        "fields": None,  # each method asks for its own
        "field": EDIT,
        "approve": APPROVE,
        "return_draft": APPROVE,
        "discard_draft": EDIT,
        "retire": APPROVE,
        "restore": APPROVE,
    }

    def get_object(self) -> ActivityType:
        """By id or API name; an API name always has a letter."""
        found = self._of_reference(self.filter_queryset(self.get_queryset()))
        if found is None:
            raise NotFound(Problem("not_found", _("There is no such activity type.")))
        return found

    def _of_reference(self, types: Any) -> ActivityType | None:
        reference = self.kwargs["pk"]
        by = {"pk": int(reference[:10])} if reference.isascii() and reference.isdigit() else {"api_name": reference}
        return types.filter(**by).first() if "pk" in by or draft_checks.API_NAME.fullmatch(reference) else None

    def revision(self, found: ActivityType) -> str:
        live = found.live.number if found.live else 0
        draft = f"{found.draft.pk}.{found.draft.revision}" if found.draft else "0"
        return f"{found.pk}-{live}-{draft}-{found.state}"

    @extend_schema(request=TypeGiven, responses={201: TypeShown})
    def create(self, request: Any) -> Response:
        """Create a type with a draft. Names that are left out are proposed."""
        given = self.given(TypeGiven)
        made = lifecycle.create(names(given), [spec(field) for field in given["fields"]], request.user)
        return self._now(made.pk, 201, Location=f"{request.build_absolute_uri()}/{made.pk}")

    @extend_schema(request=NamesGiven, responses=TypeShown)
    def partial_update(self, request: Any, pk: str) -> Response:
        """Change names and description of the draft; opens one when there is none."""
        return self._edit(
            lambda found, expected: drafting.edit(found, request.user, expected, **self.given(NamesGiven, True))
        )

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Any, pk: str) -> Response:
        """Delete a type. One that was approved is hidden: its activities stay, its id and API name are not reused."""
        found = self.get_object()
        self.require_match(found)
        lifecycle.delete(found, request.user)
        return Response(status=204)

    @extend_schema(request=None, responses=TypeShown)
    @action(["POST"], detail=True)
    def undelete(self, request: Any, pk: str) -> Response:
        """Bring a deleted type back as it was. 409 when it is not deleted, or when another has taken its name."""
        deleted = self.queryset.model.objects.exclude(deleted_at=None)
        lifecycle.undelete(self._of_reference(deleted) or self.get_object(), request.user)
        return self._now(self.get_object().pk)

    @extend_schema(methods=["GET"], responses=FieldShown(many=True), operation_id="activity_types_fields_list")
    @extend_schema(
        methods=["POST"], request=FieldsGiven, responses={201: TypeShown}, operation_id="activity_types_fields_add"
    )
    @extend_schema(methods=["PUT"], request=FieldsGiven, responses=TypeShown, operation_id="activity_types_fields_set")
    @action(["GET", "POST", "PUT"], detail=True, pagination_class=None, filter_backends=())
    def fields(self, request: Any, pk: str) -> Response:
        """The fields of the draft, or of the live version without one. POST adds, PUT sets all, in order."""
        self.require(VIEW if request.method in {"GET", "HEAD"} else EDIT)
        found = self.get_object()
        if request.method in {"GET", "HEAD"}:
            version = found.draft or found.live
            return Response(FieldShown(version.fields.all() if version else (), many=True).data)
        given = [spec(field) for field in self.given(FieldsGiven)["fields"]]
        verb = drafting.add_fields if request.method == "POST" else drafting.set_fields
        return self._edit(
            lambda one, expected: verb(one, given, request.user, expected), 201 if request.method == "POST" else 200
        )

    @extend_schema(
        methods=["PATCH"], request=FieldChange, responses=TypeShown, operation_id="activity_types_fields_change"
    )
    @extend_schema(
        methods=["DELETE"], request=None, responses={200: TypeShown}, operation_id="activity_types_fields_remove"
    )
    @action(["PATCH", "DELETE"], detail=True, url_path="fields/<str:api_name>")
    def field(self, request: Any, pk: str, api_name: str) -> Response:
        """Change one field of the draft, or take it out; activities recorded before keep their values."""
        if request.method == "DELETE":
            return self._edit(lambda found, expected: drafting.remove_fields(found, [api_name], request.user, expected))
        change = {api_name: self.given(FieldChange, True)}
        return self._edit(lambda found, expected: drafting.change_fields(found, change, request.user, expected))

    @extend_schema(responses=VersionShown(many=True), operation_id="activity_types_versions_list")
    @action(["GET"], detail=True, pagination_class=None, filter_backends=())
    def versions(self, request: Any, pk: str) -> Response:
        """Every approved version, oldest first; none ever changes."""
        return Response(VersionShown(self._versions(), many=True).data)

    @extend_schema(responses=VersionShown, operation_id="activity_types_versions_retrieve")
    @action(["GET"], detail=True, url_path="versions/<int:number>")
    def version(self, request: Any, pk: str, number: int) -> Response:
        """One approved version."""
        found = self._versions().filter(number=number).first()
        if found is None:
            raise NotFound(Problem("not_found", _("There is no such version.")))
        return Response(VersionShown(found).data)

    @extend_schema(request=None, responses=TypeShown)
    @action(["POST"], detail=True)
    def approve(self, request: Any, pk: str) -> Response:
        """Make the draft the live version; recording with it starts at once. With If-Match: the one you saw."""
        return self._edit(lambda found, expected: lifecycle.approve(found, request.user, expected))

    @extend_schema(request=ReasonGiven, responses=TypeShown)
    @action(["POST"], detail=True, url_path="return")
    def return_draft(self, request: Any, pk: str) -> Response:
        """Send the draft back to its editors, saying why."""
        reason = self.given(ReasonGiven)["reason"]
        return self._edit(lambda found, _expected: lifecycle.return_draft(found, request.user, reason))

    @extend_schema(request=None, responses=TypeShown)
    @action(["POST"], detail=True, url_path="discard-draft")
    def discard_draft(self, request: Any, pk: str) -> Response:
        """Throw the draft away; the live version stays as it is."""
        return self._edit(lambda found, _expected: lifecycle.discard_draft(found, request.user))

    @extend_schema(request=None, responses=TypeShown)
    @action(["POST"], detail=True)
    def retire(self, request: Any, pk: str) -> Response:
        """Take no more activities of the type; those there are stay usable."""
        return self._edit(lambda found, _expected: lifecycle.retire(found, request.user))

    @extend_schema(request=None, responses=TypeShown)
    @action(["POST"], detail=True)
    def restore(self, request: Any, pk: str) -> Response:
        """Let a retired type take activities again."""
        return self._edit(lambda found, _expected: lifecycle.restore(found, request.user))

    def _edit(self, verb: Any, status: int = 200) -> Response:
        """Do `verb` to the type with the revision that If-Match stands for, and show what became of it."""
        found = self.get_object()
        self.require_match(found)
        with self.expecting(found.draft.revision if found.draft else 0) as expected:
            verb(found, expected)
        return self._now(found.pk, status)

    def _now(self, pk: int, status: int = 200, **headers: str) -> Response:
        return self.shown(self.get_queryset().get(pk=pk), status, **headers)

    def _versions(self) -> Any:
        fields = Prefetch("fields", ActivityField.objects.all())
        versions = ActivityVersion.objects.filter(activity_type=self.get_object(), number__isnull=False)
        return versions.order_by("number").prefetch_related(fields)


class LogPagination(api_settings.DEFAULT_PAGINATION_CLASS):  # type: ignore[misc,name-defined]
    """By id: the log, each activity exactly once, also while others record. By time: what an index serves.

    A page of the log always has a cursor to come back with, also when nothing is after it yet. Ordered by
    time, what is recorded meanwhile may or may not be seen.
    """

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Activity]:
        self.request, self.view = request, view
        if self.ordering() != "id":
            _require_index(request.query_params)
            return super().paginate_queryset(queryset, request, view)
        state = self.decoded()
        last_id = state[1] if state is not None else 0
        if state is not None and not (state[0] == "log" and type(last_id) is int and 0 <= last_id < 2**63):
            raise self.bad_cursor()
        page = view.page_of_log(queryset, reading.Position(None, 0, last_id), self.size())
        self.has_more = page.has_more
        self.cursor = self.encoded(["log", page.position.last_id])
        return list(page.activities)


def _require_index(parameters: Any) -> None:
    types = parameters.get("activity_type", "")
    if "person" in parameters or "person__email" in parameters or (types and "," not in types):
        return
    message = _("To order by time, name a person or one activity type.")
    raise BadQuery(Problem("unknown_ordering", message, ("ordering",), "id", parameters.get("ordering", "")))


class Lines(BaseParser):
    """NDJSON, which `Activities.stream` reads by itself."""

    media_type = STREAM

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return stream


class Activities(Listed, Retrieved):
    """What people did. Written once, never changed."""

    queryset = Activity.objects.all()
    serializer_class = ActivityShown
    filterset_class = ActivityFilters
    pagination_class = LogPagination
    orderings = ("id", "occurred_at", "-occurred_at")
    served = OF_THE_LOG
    rights = {
        "list": "activities.view_activity",
        "retrieve": "activities.view_activity",
        "create": "activities.record_activity",
        "batch": "activities.record_activity",
        "validate": "activities.record_activity",
        "stream": "activities.record_activity",
    }

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "api_names": self._api_names()}

    def _api_names(self) -> dict[int, str]:
        return dict(ActivityType.objects.values_list("pk", "api_name"))

    def shown_quickly(self, things: Iterable[Any]) -> list[dict[str, Any]]:
        api_names = self._api_names()
        return [shown_quickly(thing, api_names) for thing in things]

    def page_of_log(self, queryset: Any, position: reading.Position, limit: int) -> reading.Page:
        """What the indexes of the log serve comes in three statements; everything else is looked for."""
        parameters = self.request.query_params
        if narrows_by_more_than_the_log_orders(parameters):
            return reading.search(position, queryset, limit)
        filters = self.filterset_class(parameters, queryset)
        filters.form.is_valid()
        given = filters.form.cleaned_data
        types = given.get("activity_type")
        if types is None:
            types = list(ActivityType.objects.values_list("pk", flat=True))
        people = [pk for pk in [given.get("person"), *(given.get("person__in") or ())] if pk is not None]
        return reading.read(position, types, people or None, limit)

    @extend_schema(request=ActivityGiven, responses={201: ActivityShown, 200: ActivityShown})
    def create(self, request: Any) -> Response:
        """Record one activity. 200 when its external id was recorded before with the same content."""
        row = self._receiver().translate(request.data)
        if isinstance(row, list):
            recording.count_refused([streaming.named_type(request.data)], self.source)
            raise self._refusal(row)
        (outcome,) = recording.record([row], self.source)
        if outcome.status is Status.REFUSED:
            raise self._refusal(outcome.problems)
        activity = self.get_queryset().get(pk=outcome.activity_id)
        request._request.person_ids = {activity.person_id}
        location = f"{request.build_absolute_uri()}/{activity.pk}"
        return self.shown(activity, 201 if outcome.status is Status.ADDED else 200, Location=location)

    @extend_schema(request=BatchGiven, responses=BatchShown)
    @action(["POST"], detail=False)
    def batch(self, request: Any) -> Response:
        """Record up to 1,000 activities in one transaction; each row is added or refused on its own."""
        return self._record(dry_run=False)

    @extend_schema(request=BatchGiven, responses=ValidatedShown)
    @action(["POST"], detail=False)
    def validate(self, request: Any) -> Response:
        """Check up to 1,000 activities as recording would, and keep nothing."""
        return self._record(dry_run=True)

    @extend_schema(
        request={STREAM: ActivityGiven},
        responses={(200, STREAM): OpenApiResponse({"type": "string"}, "One outcome a line, then their sum.")},
    )
    @action(["POST"], detail=False, parser_classes=[Lines])
    def stream(self, request: Any) -> Any:
        """Record any number of activities, one JSON object a line.

        Chunks of a thousand lines are committed as they come; the outcomes follow after the body, one a line, then
        `{"summary": …}`. Sent again after a hang-up, rows with an external id are not doubled; with an
        Idempotency-Key, a row without one gets `<key>:<line number>`.
        """
        raw = request._request
        if raw.content_type != STREAM:
            raise UnsupportedMediaType(raw.content_type)
        # what has no length is read to the end that the server marks
        is_marked = not raw.headers.get("Content-Length") and raw.META.get("wsgi.input_terminated")
        body = raw.META["wsgi.input"] if is_marked else raw
        key = getattr(raw, "idempotency_key", None) or ""
        try:
            spool = streaming.record(body.read, self.source, self._receiver().translate, key)
        except OSError:
            message = _("The body ended before its time. What came in whole thousands of lines is recorded.")
            raise BadQuery(Problem("incomplete_body", message)) from None
        return StreamingHttpResponse(iter(lambda: spool.read(streaming.READ_BYTES), b""), content_type=STREAM)

    def _receiver(self) -> Receiver:
        return Receiver(self.request.user)

    def _record(self, dry_run: bool) -> Response:
        refuse_unknown_members(self.request.data, ("activities",))
        receiver = self._receiver()
        given = rows_of(self.request.data, "activities")
        translated = [receiver.translate(row) for row in given]
        good = [row for row in translated if isinstance(row, NewActivity)]
        outcomes = iter(recording.record(good, self.source, dry_run=dry_run))
        if not dry_run and len(good) < len(given):
            misshapen = [row for row, read in zip(given, translated, strict=True) if isinstance(read, list)]
            recording.count_refused([streaming.named_type(row) for row in misshapen], self.source)
        results = []
        for index, row in enumerate(translated):
            shown = streaming.shown(next(outcomes)) if isinstance(row, NewActivity) else streaming.refused(row)
            if dry_run and shown["status"] == Status.ADDED:
                shown = {"status": "valid"}
            results.append({"index": index, **shown})
        words = ("valid" if dry_run else "added", "repeated", "refused")
        sums = {word: sum(result["status"] == word for result in results) for word in words}
        return Response({**sums, "results": results})

    def _refusal(self, problems: Any) -> Exception:
        if any(problem.code == "not_allowed" for problem in problems):
            return NotAllowed(*problems)
        if all(problem.code == "external_id_reused" for problem in problems):
            return Conflict(*problems)
        return Unprocessable(*problems)
