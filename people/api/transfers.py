"""Imports and exports over the native API."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.http import FileResponse
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.response import Response

from people.api.transfer_filters import ExportFilters, FailureFilters, ImportFilters
from people.core.errors import ConflictError, Problem, told
from people.core.refusals import BadQueryError, NotFoundError
from people.core.source import Channel
from people.datatypes import exact_json
from people.files.exports import jobs as export_jobs
from people.files.exports import kinds as export_kinds
from people.files.imports import jobs as import_jobs
from people.files.imports import plan as import_plan
from people.files.imports import targets as import_targets
from people.files.imports.plan import Plan
from people.files.models import Export, Import, ImportFailure
from people.rest.viewsets import LARGEST_ID, FaultShown, Listed, Moment, Retrieved, Strict, Text, Whole, YesNo

FILE_TYPES = ("text/csv", "application/x-ndjson", "application/gzip", "application/octet-stream")
CHUNK = 64 * 1024
CHANNELS = {"type": "string", "enum": [channel.word for channel in Channel]}


class ImportShown(Strict):
    id = serializers.IntegerField()
    kind = serializers.CharField()
    name = serializers.CharField(help_text="Of the file.")
    state = serializers.ChoiceField([str(state) for state in Import.State])
    percent = serializers.IntegerField()
    columns = serializers.SerializerMethodField(help_text="The names in the file's heading.")
    plan = serializers.SerializerMethodField(help_text="How the columns are understood.")
    added = serializers.IntegerField()
    updated = serializers.IntegerField()
    repeated = serializers.IntegerField(help_text="Rows that were there before.")
    refused = serializers.IntegerField()
    error = serializers.CharField(source="fault")
    source = serializers.SerializerMethodField()  # type: ignore[assignment]  # a declared field: DRF takes it off the class
    user = serializers.CharField(source="user.username", allow_null=True, default=None)
    created_at = Moment()
    started_at = Moment(allow_null=True)
    finished_at = Moment(allow_null=True)

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_columns(self, job: Import) -> list[str]:
        return list(job.shape.get("header", ()))

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
    def get_plan(self, job: Import) -> Any:
        return job.plan

    @extend_schema_field(CHANNELS)
    def get_source(self, job: Import) -> str:
        return Channel(job.channel).word


class PlanGiven(Strict):
    """How the columns of a file are understood."""

    columns = serializers.DictField(child=Text(max_length=255), help_text="Field by field, the column's name.")
    subject = Text(max_length=255, required=False, help_text="The activity type's API name.")
    person = Text(max_length=255, required=False, help_text='Of activities: a column in braces, like "{email}".')
    lookup_field = Text(max_length=100, required=False)
    create_people = YesNo(required=False)
    action = serializers.ChoiceField(["upsert", "create", "update"], required=False)
    external_id = serializers.ChoiceField([str(one) for one in import_plan.ExternalId], required=False)
    zone = Text(max_length=64, required=False, help_text="Of moments without one, like Europe/Madrid.")
    date_order = serializers.ChoiceField([str(one) for one in import_jobs.DateOrder], required=False)
    decimal = serializers.ChoiceField([".", ","], required=False)
    static_list = Whole(required=False, allow_null=True, min_value=1, max_value=2**31 - 1)
    null_text = Text(max_length=64, required=False, allow_blank=True)
    starts_campaigns = YesNo(
        required=False, help_text="Of people: whether changes start smart campaigns. By default true."
    )
    pivot = serializers.ChoiceField([30, 70], required=False, help_text="Two-digit years from it on are of the 1900s.")
    keep_apostrophes = YesNo(required=False)
    constants = serializers.DictField(
        child=Text(max_length=1_000), required=False, help_text="Field by field, a value that every row has."
    )


class FailureShown(Strict):
    row = serializers.IntegerField()
    raw = serializers.SerializerMethodField(help_text="The row as it stood in the file.")
    errors = serializers.SerializerMethodField()  # type: ignore[assignment]  # a declared field: DRF takes it off the class

    @extend_schema_field({})
    def get_raw(self, failure: ImportFailure) -> Any:
        came = exact_json.kept(failure.raw)
        return failure.raw if came is None else came

    @extend_schema_field(FaultShown(many=True))
    def get_errors(self, failure: ImportFailure) -> list[dict[str, str]]:
        return [told(one) for one in failure.problems]


class FileParser(BaseParser):
    """A file, which `Imports.create` reads by itself."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return stream


class Imports(Listed, Retrieved):
    """Files that are brought in: upload one, say what its columns mean, start it, follow it."""

    queryset = Import.objects.select_related("user")
    serializer_class = ImportShown
    filterset_class = ImportFilters
    orderings = ("-id", "id")
    # each kind of file has rights of its own
    rights: ClassVar = dict.fromkeys(
        ("list", "retrieve", "create", "plan", "check", "start", "resume", "pause", "cancel"), None
    )

    def get_queryset(self) -> Any:
        user = self.request.user
        return import_jobs.visible_to(user).select_related("user").filter(kind__in=_kinds_of(user))

    def get_parsers(self) -> list[Any]:
        is_upload = self.request is not None and self.request.method == "POST" and not self.detail
        return [FileParser()] if is_upload else super().get_parsers()

    @extend_schema(
        parameters=[
            OpenApiParameter("kind", str, required=True, enum=["people", "activities"]),
            OpenApiParameter("name", str, description="The file's name: .csv, .tsv, .ndjson, also with .gz."),
        ],
        request={media_type: {"type": "string", "format": "binary"} for media_type in FILE_TYPES},
        responses={201: ImportShown},
    )
    def create(self, request: Any) -> Response:
        """Upload a file: its bytes are the body, of any length."""
        raw = request._request
        if raw.content_type not in FILE_TYPES:
            raise UnsupportedMediaType(raw.content_type)
        kind, name = request.query_params.get("kind", ""), request.query_params.get("name", "file.csv")
        if kind not in import_targets.TARGETS or "\0" in name:
            known = ", ".join(import_targets.TARGETS)
            message = _("expected %(expected)s") % {"expected": known}
            raise BadQueryError(Problem("unknown_kind", message, ("kind",), known, kind[:80]))
        is_marked = not raw.headers.get("Content-Length") and raw.META.get("wsgi.input_terminated")
        job = import_jobs.upload(
            _chunks(raw.META["wsgi.input"] if is_marked else raw), name, kind, request.user, Channel.API
        )
        return self.shown(job, 201, Location=request.build_absolute_uri(f"/api/v1/imports/{job.pk}"))

    @extend_schema(request=PlanGiven, responses=ImportShown)
    @action(["PUT"], detail=True)
    def plan(self, request: Any, pk: int) -> Response:
        """Say what the columns mean."""
        job = self.get_object()
        import_jobs.set_plan(job, Plan(**self.given(PlanGiven)), request.user)
        return self.shown(job)

    @extend_schema(request=None, responses={202: ImportShown})
    @action(["POST"], detail=True)
    def check(self, request: Any, pk: int) -> Response:
        """Check the whole file, in the background, without keeping anything."""
        return self._step("check")

    @extend_schema(request=None, responses={202: ImportShown})
    @action(["POST"], detail=True)
    def start(self, request: Any, pk: int) -> Response:
        """Import the file, in the background."""
        return self._step("start")

    @extend_schema(request=None, responses={202: ImportShown})
    @action(["POST"], detail=True)
    def resume(self, request: Any, pk: int) -> Response:
        """Go on at the row where it stopped."""
        return self._step("resume")

    @extend_schema(request=None, responses={202: ImportShown})
    @action(["POST"], detail=True)
    def pause(self, request: Any, pk: int) -> Response:
        """Stop after the rows under way; it can be resumed."""
        return self._stop(Import.Wish.PAUSE)

    @extend_schema(request=None, responses={202: ImportShown})
    @action(["POST"], detail=True)
    def cancel(self, request: Any, pk: int) -> Response:
        """Stop for good; what was imported stays."""
        return self._stop(Import.Wish.CANCEL)

    def _step(self, verb: str) -> Response:
        job = self.get_object()
        import_jobs.step(job, verb, self.request.user)
        return self.shown(self.get_object(), 202)

    def _stop(self, wish: str) -> Response:
        import_jobs.stop(self.get_object(), wish, self.request.user)
        return self.shown(self.get_object(), 202)


def _kinds_of(user: Any) -> list[str]:
    """The kinds of files that the user may bring in. Raises `NotAllowedError` when there is none."""
    kinds = [kind for kind, target in import_targets.TARGETS.items() if all(map(user.has_perm, target.rights))]
    if not kinds:
        import_jobs.require(next(iter(import_targets.TARGETS)), user)
    return kinds


def _chunks(body: Any) -> Iterator[bytes]:
    return iter(lambda: body.read(CHUNK), b"")


class ImportFailures(Listed):
    """The rows of an import that were refused."""

    queryset = ImportFailure.objects.all()
    serializer_class = FailureShown
    filterset_class = FailureFilters
    orderings = ("row",)
    key = "row"
    rights: ClassVar = {"list": None}  # those of the kind of file

    def get_queryset(self) -> Any:
        jobs = import_jobs.visible_to(self.request.user).filter(kind__in=_kinds_of(self.request.user))
        job = jobs.filter(pk=min(self.kwargs["job"], LARGEST_ID)).first()
        if job is None:
            raise NotFoundError(Problem("not_found", _("There is nothing at this address.")))
        return super().get_queryset().filter(of=job)


class ParametersGiven(Strict):
    """What the file holds: of activities `types`, `since`, `until`; of people `fields`, `static_list`, `smart_list`."""

    types = serializers.ListField(child=Text(max_length=255), required=False, min_length=1, max_length=100)
    since = Text(max_length=40, required=False)
    until = Text(max_length=40, required=False)
    fields = serializers.ListField(  # type: ignore[assignment]  # a declared field: DRF takes it off the class
        child=Text(max_length=100), required=False, min_length=1, max_length=500
    )
    static_list = Whole(required=False, min_value=1, max_value=2**31 - 1)
    smart_list = Whole(required=False, min_value=1, max_value=2**31 - 1)


class ExportGiven(Strict):
    kind = Text(max_length=16, help_text="activities, people or smart_list.")
    format = serializers.ChoiceField(["csv", "tsv", "ssv", "ndjson"], default="csv")
    parameters = ParametersGiven(required=False)
    title = Text(max_length=255, required=False, allow_blank=True)


@extend_schema_field({"type": "object", "additionalProperties": True})
class ExportParameters(serializers.DictField):
    """What was asked for; its members are the kind's."""


class ExportShown(Strict):
    id = serializers.IntegerField()
    kind = serializers.CharField()
    parameters = ExportParameters()
    title = serializers.CharField()
    format = serializers.CharField()
    state = serializers.ChoiceField([str(state) for state in Export.State])
    rows = serializers.IntegerField(allow_null=True)
    size = serializers.IntegerField(allow_null=True)
    checksum = serializers.CharField(help_text="SHA-256 of the file, once it is ready.")
    error = serializers.CharField(source="fault")
    created_at = Moment()
    started_at = Moment(allow_null=True)
    finished_at = Moment(allow_null=True)


class Exports(Listed, Retrieved):
    """Files that were asked for. Everybody sees their own."""

    queryset = Export.objects.all()
    serializer_class = ExportShown
    filterset_class = ExportFilters
    orderings = ("-id", "id")
    rights: ClassVar = dict.fromkeys(("list", "retrieve", "create", "cancel", "file"), "people.export_person")

    def get_queryset(self) -> Any:
        everything = super().get_queryset()
        user = self.request.user
        return everything if user.is_superuser else everything.filter(user=user)

    @extend_schema(request=ExportGiven, responses={202: ExportShown})
    def create(self, request: Any) -> Response:
        """Ask for a file; it is written in the background."""
        given = self.given(ExportGiven)
        made = export_jobs.create(
            given["kind"],
            given.get("parameters", {}),
            request.user,
            Channel.API,
            format=given["format"],
            title=given.get("title", ""),
        )
        export_jobs.enqueue(made)
        return self.shown(made, 202, Location=request.build_absolute_uri(f"/api/v1/exports/{made.pk}"))

    @extend_schema(request=None, responses=ExportShown)
    @action(["POST"], detail=True)
    def cancel(self, request: Any, pk: int) -> Response:
        """Stop an export before it is ready."""
        found = self.get_object()
        export_jobs.cancel(found)
        return self.shown(found)

    @extend_schema(responses={(200, "text/csv"): OpenApiResponse({"type": "string"}, "The file.")})
    @action(["GET"], detail=True)
    def file(self, request: Any, pk: int) -> Any:
        """The file itself. 409 while it is not ready, or no more."""
        found = self.get_object()
        path = export_jobs.path_of(found)
        if found.state != Export.State.COMPLETED or not path.exists():
            raise ConflictError(
                Problem("not_ready", _("The export is: %(state)s.") % {"state": found.get_state_display()})
            )
        return FileResponse(path.open("rb"), content_type=export_kinds.CONTENT_TYPES[found.format], filename=path.name)
