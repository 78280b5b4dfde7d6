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

from people.api.import_serializers import FailureShown, ImportShown, PlanGiven, TakeBackGiven, TakeBackShown
from people.api.transfer_filters import ExportFilters, FailureFilters, ImportFilters
from people.core.codes import Code
from people.core.errors import BadQueryError, ConflictError, NotFoundError, Problem, bad_value, show
from people.core.numerals import whole_number
from people.core.source import Channel
from people.datatypes.keys import MAX_BIG_ID, MAX_ID
from people.files.exports import jobs as export_jobs
from people.files.exports import kinds as export_kinds
from people.files.imports import guessing
from people.files.imports import jobs as import_jobs
from people.files.imports import targets as import_targets
from people.files.imports.plan import Plan
from people.files.models import Export, Import, ImportFailure
from people.files.tabular import ENCODINGS, MAX_HEADER_ROW, Shape
from people.persons import import_undo
from people.rest.viewsets import Listed, Moment, Retrieved, Strict, Text, Whole

FILE_TYPES = ("text/csv", "application/x-ndjson", "application/gzip", "application/octet-stream")
CHUNK = 64 * 1024


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
    ) | dict.fromkeys(("take_back", "do_take_back"), import_undo.RIGHT)
    parameters: ClassVar = {"create": frozenset({"kind", "name", "encoding", "header_row"})}

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
            OpenApiParameter("encoding", str, enum=ENCODINGS, description="Of a CSV file; by default UTF-8 or UTF-16."),
            OpenApiParameter(
                "header_row",
                {"type": "integer", "minimum": 1, "maximum": MAX_HEADER_ROW},
                description="The row with the names of the columns; by default the one that looks like it.",
            ),
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
            raise BadQueryError(Problem(Code.UNKNOWN_KIND, message, ("kind",), known, kind[:80]))
        given_shape = _known(request.query_params)
        is_marked = not raw.headers.get("Content-Length") and raw.META.get("wsgi.input_terminated")
        chunks = _chunks(raw.META["wsgi.input"] if is_marked else raw)
        job = import_jobs.upload(chunks, name, kind, request.user, Channel.API, **given_shape)
        return self.shown(job, 201, Location=request.build_absolute_uri(f"/api/v1/imports/{job.pk}"))

    @extend_schema(request=PlanGiven, responses=ImportShown)
    @action(["PUT"], detail=True)
    def plan(self, request: Any, pk: int) -> Response:
        """Say what the columns mean."""
        job = self.get_object()
        given = self.given(PlanGiven)
        import_jobs.require_for(job, request.user)
        lines = import_jobs.sample(job) if job.stored_as else ()
        plan = guessing.settled(Plan(**given), given, job.kind, Shape.from_json(job.shape), lines)
        import_jobs.set_plan(job, plan, request.user)
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

    @extend_schema(request=None, responses=TakeBackShown)
    @action(["GET"], detail=True, url_path="take-back")
    def take_back(self, request: Any, pk: int) -> Response:
        """What taking the import back would do now. Nothing is changed."""
        return Response(TakeBackShown(import_undo.preview(self.get_object(), request.user)).data)

    @extend_schema(request=TakeBackGiven, responses={202: ImportShown})
    @take_back.mapping.post
    def do_take_back(self, request: Any, pk: int) -> Response:
        """Remove its activities, and delete whom it created and nothing else has touched, in the background."""
        job = self.get_object()
        import_undo.take_back(job, self.given(TakeBackGiven)["reason"], request.user)
        return self.shown(job, 202)

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


def _known(parameters: Any) -> dict[str, Any]:
    """What the caller says of the file's shape. Raises `BadQueryError`."""
    known: dict[str, Any] = {}
    encoding, row = parameters.get("encoding"), parameters.get("header_row")
    if encoding is not None:
        if encoding not in ENCODINGS:
            expected = ", ".join(ENCODINGS)
            message = _("expected %(expected)s") % {"expected": expected}
            raise BadQueryError(Problem(Code.UNKNOWN_ENCODING, message, ("encoding",), expected, show(encoding)))
        known["encoding"] = encoding
    if row is not None:
        number = whole_number(row, most_digits=5)
        if not 1 <= number <= MAX_HEADER_ROW:
            expected = _("a whole number from 1 to %(limit)s") % {"limit": MAX_HEADER_ROW}
            raise BadQueryError(bad_value(Code.OUT_OF_RANGE, expected, row, "header_row"))
        known["header_row"] = number
    return known


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
        job = jobs.filter(pk=min(self.kwargs["job"], MAX_BIG_ID)).first()
        if job is None:
            raise NotFoundError(Problem(Code.NOT_FOUND, _("There is nothing at this address.")))
        return super().get_queryset().filter(of=job)


class ParametersGiven(Strict):
    """What the file holds: of activities `types`, `since`, `until`; of people `fields`, `static_list`, `smart_list`."""

    types = serializers.ListField(child=Text(max_length=255), required=False, min_length=1, max_length=100)
    since = Text(max_length=40, required=False)
    until = Text(max_length=40, required=False)
    fields = serializers.ListField(  # type: ignore[assignment]  # a declared field: DRF takes it off the class
        child=Text(max_length=100), required=False, min_length=1, max_length=500
    )
    static_list = Whole(required=False, min_value=1, max_value=MAX_ID)
    smart_list = Whole(required=False, min_value=1, max_value=MAX_ID)


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
                Problem(Code.NOT_READY, _("The export is: %(state)s.") % {"state": found.get_state_display()})
            )
        return FileResponse(path.open("rb"), content_type=export_kinds.CONTENT_TYPES[found.format], filename=path.name)
