"""Imports and exports in the native API."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.http import FileResponse
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import is_form_media_type
from rest_framework.response import Response

from people.api.import_serializers import (
    FailureSerializer,
    ImportSerializer,
    PlanInputSerializer,
    TakeBackInputSerializer,
    TakeBackSerializer,
)
from people.api.transfer_filters import ExportFilterSet, ImportFailureFilterSet, ImportFilterSet
from people.core.codes import Code
from people.core.errors import BadQueryError, ConflictError, NotFoundError, Problem, bad_value, quoted_value
from people.core.numerals import whole_number
from people.core.source import Channel
from people.datatypes.keys import MAX_BIG_ID, MAX_ID
from people.files.exports import jobs as export_jobs
from people.files.exports import kinds as export_kinds
from people.files.imports import guessing, presets
from people.files.imports import jobs as import_jobs
from people.files.imports import targets as import_targets
from people.files.imports.plan import ImportPlan
from people.files.models import Export, Import, ImportFailure
from people.files.tabular import ENCODINGS, MAX_HEADER_ROW, FileShape
from people.persons import import_undo
from people.rest.viewsets import (
    ListMixin,
    RetrieveMixin,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
    UTCDateTimeField,
)
from people.rights import EXPORT_PERSON

FILE_TYPES = ("text/csv", "application/x-ndjson", "application/gzip", "application/octet-stream")
CHUNK = 64 * 1024


class FileParser(BaseParser):
    """Leaves the body unread; `ImportViewSet.create` reads it. Refuses forms: the check of a session reads them."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        if is_form_media_type(media_type or ""):
            raise UnsupportedMediaType(media_type)
        return stream


class ImportViewSet(ListMixin, RetrieveMixin):
    """Imports of files: upload a file, map its columns, start the import and follow its progress."""

    queryset = Import.objects.select_related("user")
    serializer_class = ImportSerializer
    filterset_class = ImportFilterSet
    orderings = ("-id", "id")
    # the rights depend on the kind of file
    rights: ClassVar = dict.fromkeys(
        ("list", "retrieve", "create", "plan", "check", "start", "resume", "pause", "cancel"), None
    ) | dict.fromkeys(("take_back", "do_take_back"), import_undo.RIGHT)
    parameters: ClassVar = {"create": frozenset({"kind", "name", "encoding", "header_row"})}

    def get_queryset(self) -> Any:
        user = self.request.user
        return import_jobs.visible_imports(user).select_related("user").filter(kind__in=_kinds_of(user))

    def get_parsers(self) -> list[Any]:
        is_upload = self.request is not None and self.request.method == "POST" and not self.detail
        return [FileParser()] if is_upload else super().get_parsers()

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "kind",
                str,
                required=True,
                enum=["people", "activities", "objects"],
                description="What the rows of the file are.",
            ),
            OpenApiParameter(
                "name", str, description="The name of the file: .csv, .tsv or .ndjson, optionally with .gz."
            ),
            OpenApiParameter(
                "encoding",
                str,
                enum=ENCODINGS,
                description="The encoding of a CSV file; by default detected as UTF-8 or UTF-16.",
            ),
            OpenApiParameter(
                "header_row",
                {"type": "integer", "minimum": 1, "maximum": MAX_HEADER_ROW},
                description="The number of the header row; by default detected.",
            ),
        ],
        request={media_type: {"type": "string", "format": "binary"} for media_type in FILE_TYPES},
        responses={201: ImportSerializer},
    )
    def create(self, request: Any) -> Response:
        """Upload a file. The body is the content of the file, of any length."""
        raw = request._request
        if raw.content_type not in FILE_TYPES:
            raise UnsupportedMediaType(raw.content_type)
        kind, name = request.query_params.get("kind", ""), request.query_params.get("name", "file.csv")
        if kind not in import_targets.TARGETS or "\0" in name:
            expected = ", ".join(import_targets.TARGETS)
            message = _("expected %(expected)s") % {"expected": expected}
            raise BadQueryError(Problem(Code.UNKNOWN_KIND, message, ("kind",), expected, kind[:80]))
        shape = _shape_options(request.query_params)
        is_marked = not raw.headers.get("Content-Length") and raw.META.get("wsgi.input_terminated")
        chunks = _chunks(raw.META["wsgi.input"] if is_marked else raw)
        job = import_jobs.upload_file(chunks, name, kind, request.user, Channel.API, **shape)
        return self.response_for(job, 201, Location=request.build_absolute_uri(f"/api/v1/imports/{job.pk}"))

    @extend_schema(request=PlanInputSerializer, responses=ImportSerializer)
    @action(["PUT"], detail=True)
    def plan(self, request: Any, pk: int) -> Response:
        """Set the plan of an import: the meaning of its columns."""
        job = self.get_object()
        body = self.validated_body(PlanInputSerializer)
        import_jobs.require_import_rights(job, request.user)
        lines = import_jobs.sample_rows(job) if job.stored_as else ()
        shape, preset = FileShape.from_json(job.shape), body.pop("preset", None)
        above = import_jobs.rows_above_header(job) if preset and job.stored_as else ()
        chosen = ImportPlan(**{**import_targets.TARGETS[job.kind].defaults, **body})
        plan = presets.plan_with_preset(chosen, preset, job.kind, shape, above)
        plan = guessing.settle_plan(plan, body, job.kind, shape, lines)
        import_jobs.set_plan(job, plan, request.user)
        return self.response_for(job)

    @extend_schema(request=None, responses={202: ImportSerializer})
    @action(["POST"], detail=True)
    def check(self, request: Any, pk: int) -> Response:
        """Check the whole file in the background without importing it."""
        return self._step("check")

    @extend_schema(request=None, responses={202: ImportSerializer})
    @action(["POST"], detail=True)
    def start(self, request: Any, pk: int) -> Response:
        """Start an import in the background."""
        return self._step("start")

    @extend_schema(request=None, responses={202: ImportSerializer})
    @action(["POST"], detail=True)
    def resume(self, request: Any, pk: int) -> Response:
        """Resume an import at the row where it stopped."""
        return self._step("resume")

    @extend_schema(request=None, responses={202: ImportSerializer})
    @action(["POST"], detail=True)
    def pause(self, request: Any, pk: int) -> Response:
        """Pause an import after the rows in progress; it can be resumed."""
        return self._stop(Import.Wish.PAUSE)

    @extend_schema(request=None, responses={202: ImportSerializer})
    @action(["POST"], detail=True)
    def cancel(self, request: Any, pk: int) -> Response:
        """Cancel an import for good; imported rows stay."""
        return self._stop(Import.Wish.CANCEL)

    @extend_schema(request=None, responses=TakeBackSerializer)
    @action(["GET"], detail=True, url_path="take-back")
    def take_back(self, request: Any, pk: int) -> Response:
        """Preview what undoing an import would do. Nothing is changed."""
        return Response(TakeBackSerializer(import_undo.preview_import_undo(self.get_object(), request.user)).data)

    @extend_schema(request=TakeBackInputSerializer, responses={202: ImportSerializer})
    @take_back.mapping.post
    def do_take_back(self, request: Any, pk: int) -> Response:
        """Undo an import in the background: what it recorded, created and changed, unless it changed since."""
        job = self.get_object()
        import_undo.request_import_undo(job, self.validated_body(TakeBackInputSerializer)["reason"], request.user)
        return self.response_for(job, 202)

    def _step(self, verb: str) -> Response:
        job = self.get_object()
        import_jobs.take_step(job, verb, self.request.user)
        return self.response_for(self.get_object(), 202)

    def _stop(self, wish: str) -> Response:
        import_jobs.stop_import(self.get_object(), wish, self.request.user)
        return self.response_for(self.get_object(), 202)


def _kinds_of(user: Any) -> list[str]:
    """The kinds of files that the user may import. Raises `NotAllowedError` when there is none."""
    kinds = [kind for kind, target in import_targets.TARGETS.items() if all(map(user.has_perm, target.rights))]
    if not kinds:
        import_jobs.require_kind_rights(next(iter(import_targets.TARGETS)), user)
    return kinds


def _shape_options(parameters: Any) -> dict[str, Any]:
    """The file's encoding and header row, where the query names them. Raises `BadQueryError`."""
    options: dict[str, Any] = {}
    encoding, row = parameters.get("encoding"), parameters.get("header_row")
    if encoding is not None:
        if encoding not in ENCODINGS:
            expected = ", ".join(ENCODINGS)
            message = _("expected %(expected)s") % {"expected": expected}
            raise BadQueryError(
                Problem(Code.UNKNOWN_ENCODING, message, ("encoding",), expected, quoted_value(encoding))
            )
        options["encoding"] = encoding
    if row is not None:
        number = whole_number(row, most_digits=5)
        if not 1 <= number <= MAX_HEADER_ROW:
            expected = _("a whole number from 1 to %(limit)s") % {"limit": MAX_HEADER_ROW}
            raise BadQueryError(bad_value(Code.OUT_OF_RANGE, expected, row, "header_row"))
        options["header_row"] = number
    return options


def _chunks(body: Any) -> Iterator[bytes]:
    """The pieces of the body. Raises `BadQueryError` where it ends too early."""
    try:
        yield from iter(lambda: body.read(CHUNK), b"")
    except OSError:
        message = _("The body ended too early. Send the request again.")
        raise BadQueryError(Problem(Code.INCOMPLETE_BODY, message)) from None


class ImportFailureViewSet(ListMixin):
    """List the rejected rows of an import."""

    queryset = ImportFailure.objects.all()
    serializer_class = FailureSerializer
    filterset_class = ImportFailureFilterSet
    orderings = ("row",)
    key = "row"
    rights: ClassVar = {"list": None}  # those of the kind of file

    def get_queryset(self) -> Any:
        jobs = import_jobs.visible_imports(self.request.user).filter(kind__in=_kinds_of(self.request.user))
        job = jobs.filter(pk=min(self.kwargs["job"], MAX_BIG_ID)).first()
        if job is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is nothing at this address.")))
        return super().get_queryset().filter(of=job)


class ParametersInputSerializer(StrictSerializer):
    """The contents of a file: `types`, `since`, `until` of activities; `fields`, `static_list`, `smart_list` of people;
    `object_type` of objects.
    """

    types = serializers.ListField(child=StrictCharField(max_length=255), required=False, min_length=1, max_length=100)
    since = StrictCharField(max_length=40, required=False)
    until = StrictCharField(max_length=40, required=False)
    fields = serializers.ListField(  # type: ignore[assignment]  # a declared field: DRF takes it off the class
        child=StrictCharField(max_length=100), required=False, min_length=1, max_length=500
    )
    object_type = StrictCharField(max_length=255, required=False)
    static_list = StrictIntegerField(required=False, min_value=1, max_value=MAX_ID)
    smart_list = StrictIntegerField(required=False, min_value=1, max_value=MAX_ID)


class ExportInputSerializer(StrictSerializer):
    kind = StrictCharField(max_length=16, help_text="activities, people, objects or smart_list.")
    format = serializers.ChoiceField(["csv", "tsv", "ssv", "ndjson"], default="csv")
    parameters = ParametersInputSerializer(required=False)
    title = StrictCharField(max_length=255, required=False, allow_blank=True)


@extend_schema_field({"type": "object", "additionalProperties": True})
class ExportParametersField(serializers.DictField):
    """The parameters of an export; the members depend on its kind."""


class ExportSerializer(StrictSerializer):
    id = serializers.IntegerField()
    kind = serializers.CharField()
    parameters = ExportParametersField()
    title = serializers.CharField()
    format = serializers.CharField()
    state = serializers.ChoiceField([str(state) for state in Export.State])
    rows = serializers.IntegerField(allow_null=True)
    size = serializers.IntegerField(allow_null=True)
    checksum = serializers.CharField(help_text="The SHA-256 checksum of the file, once it is ready.")
    error = serializers.CharField(source="fault")
    created_at = UTCDateTimeField()
    started_at = UTCDateTimeField(allow_null=True)
    finished_at = UTCDateTimeField(allow_null=True)


class ExportViewSet(ListMixin, RetrieveMixin):
    """Exports of data as files. Each user sees their own."""

    queryset = Export.objects.all()
    serializer_class = ExportSerializer
    filterset_class = ExportFilterSet
    orderings = ("-id", "id")
    rights: ClassVar = dict.fromkeys(("list", "retrieve", "create", "cancel", "file"), EXPORT_PERSON)
    conflicting_reads: ClassVar = frozenset({"file"})

    def get_queryset(self) -> Any:
        exports = super().get_queryset()
        user = self.request.user
        return exports if user.is_superuser else exports.filter(user=user)

    @extend_schema(request=ExportInputSerializer, responses={202: ExportSerializer})
    def create(self, request: Any) -> Response:
        """Request an export; the file is written in the background."""
        body = self.validated_body(ExportInputSerializer)
        export = export_jobs.create_export(
            body["kind"],
            body.get("parameters", {}),
            request.user,
            Channel.API,
            format=body["format"],
            title=body.get("title", ""),
        )
        export_jobs.enqueue_export(export)
        return self.response_for(export, 202, Location=request.build_absolute_uri(f"/api/v1/exports/{export.pk}"))

    @extend_schema(request=None, responses=ExportSerializer)
    @action(["POST"], detail=True)
    def cancel(self, request: Any, pk: int) -> Response:
        """Cancel an export that is not ready yet."""
        export = self.get_object()
        export_jobs.cancel_export(export)
        return self.response_for(export)

    @extend_schema(responses={(200, "text/csv"): OpenApiResponse({"type": "string"}, "The file.")})
    @action(["GET"], detail=True)
    def file(self, request: Any, pk: int) -> Any:
        """Download the file. 409 if it is not ready yet, or not available any more."""
        export = self.get_object()
        path = export_jobs.export_path(export)
        if export.state != Export.State.COMPLETED or not path.exists():
            raise ConflictError(
                Problem(Code.NOT_READY, _("The export is: %(state)s.") % {"state": export.get_state_display()})
            )
        return FileResponse(path.open("rb"), content_type=export_kinds.CONTENT_TYPES[export.format], filename=path.name)
