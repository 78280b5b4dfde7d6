"""Imports in the admin: upload, map, preview, check, import, report."""

from collections.abc import Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, npgettext, pgettext_lazy
from django.views.decorators.http import require_POST

from people.admin import import_results
from people.admin.import_forms import PlanForm, ShapeForm, UploadForm, import_contents
from people.admin.transfers import TransferAdmin, job_badge
from people.core import installation
from people.core.admin.base import OwnPages, require_rights
from people.core.errors import RejectedError, located_message, quoted_value
from people.core.permissions import user_source
from people.core.source import Channel
from people.files import tabular
from people.files.csv_lines import file_reply
from people.files.encodings import encoding_choices
from people.files.imports import guessing, presets
from people.files.imports import jobs as import_jobs
from people.files.imports import report as import_report
from people.files.imports.plan import ImportPlan, ImportStatus
from people.files.imports.reader import ImportReader
from people.files.imports.targets import TARGETS
from people.files.tabular import FileShape
from people.models import Import, StaticList
from people.rights import ADD_PERSON

PREVIEW_ROWS = 10
State = Import.State


@admin.register(Import)
class ImportAdmin(TransferAdmin):
    nothing_yet = gettext_lazy("Import people, activities or objects from a file: CSV, Excel or NDJSON.")
    list_display = ("name", "contents", "badge", "counted", "by", "created")
    list_filter = ("state",)
    search_fields = ("name",)
    list_select_related = ("user",)

    def has_view_permission(self, request: HttpRequest, obj: Import | None = None) -> bool:
        targets = TARGETS.values() if obj is None else [TARGETS[obj.kind]]
        is_allowed = any(all(request.user.has_perm(right) for right in target.rights) for target in targets)
        return is_allowed and (obj is None or import_jobs.visible_imports(request.user).filter(pk=obj.pk).exists())

    has_add_permission = has_view_permission

    def get_queryset(self, request: HttpRequest) -> Any:
        return import_jobs.visible_imports(request.user)

    @admin.display(description=gettext_lazy("Contents"))
    def contents(self, job: Import) -> str:
        subject = (job.plan or {}).get("subject")
        return f"{TARGETS[job.kind].label}: {subject}" if subject else str(TARGETS[job.kind].label)

    @admin.display(description=gettext_lazy("Rows"))
    def counted(self, job: Import) -> str:
        texts = [f"{intcomma(count)} {label}" for count, label in _counts(job) if count]
        if job.created and not TARGETS[job.kind].rows_are_people:
            texts.append(_("%(count)s people created") % {"count": intcomma(job.created)})
        return ", ".join(texts)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied(ADD_PERSON)
        return super().changelist_view(request, extra_context)

    def own_pages(self) -> OwnPages:
        return [
            ("<int:pk>/step/<str:step>/", require_POST(self.step_view), "step"),
            ("<int:pk>/progress/", self.progress_view, "progress"),
            ("<int:pk>/report/", self.report_view, "report"),
            ("<int:pk>/columns/", self.columns_view, "columns"),
            ("<int:pk>/people/", self.people_view, "people"),
            ("<int:pk>/list/", require_POST(self.list_view), "list"),
            ("<int:pk>/take-back/", self.take_back_view, "take_back"),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Upload a file."""
        choices = import_contents(request.user)
        if not choices:
            raise PermissionDenied(ADD_PERSON)
        usual = next((value for value, _label in choices if value.startswith("people:")), None)
        initial = {"contents": request.GET.get("contents") or usual}
        form = UploadForm(request.POST or None, request.FILES or None, contents=choices, initial=initial)
        if request.method == "POST" and form.is_valid():
            kind, _colon, subject = form.cleaned_data["contents"].partition(":")
            file = form.cleaned_data["file"]
            try:
                job = import_jobs.upload_file(file.chunks(), file.name or "", kind, request.user)
            except RejectedError as refusal:
                form.add_error("file", str(refusal))
            else:
                return _to_columns(job, subject)
        return self.page(request, "import_upload", _("Import a file"), form=form, current=1)

    def row_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The state of the import: progress, and the report."""
        job = self._find(request, pk)
        if not job.plan:
            return _to_columns(job, request.GET.get("subject", ""))
        progress = _progress(job, request.user)
        return self.page(request, "import_job", job.name, current=_STEP_OF.get(State(job.state), 4), **progress)

    def columns_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Map the columns; the same page previews rows as they will be stored."""
        job = self._find(request, pk)
        if not job.stored_as or job.is_running or job.position:
            return redirect("admin:people_import_change", pk)
        subject = request.POST.get("subject", request.GET.get("subject", (job.plan or {}).get("subject", "")))
        if "reshape" in request.POST:
            self._reshape(request, job)
            return _to_columns(job, subject)
        if request.POST.get("encoding") in tabular.ENCODINGS and FileShape.from_json(job.shape).is_encoding_open:
            self._read_as(request, job, request.POST["encoding"])
        try:
            lines = import_jobs.sample_rows(job)
        except RejectedError as refusal:  # uploaded to a version that did not read the first rows
            messages.error(request, str(refusal))
            return redirect("admin:people_import_changelist")
        return self._mapping_page(request, job, subject, lines)

    def _mapping_page(self, request: HttpRequest, job: Import, subject: str, lines: Sequence[Any]) -> HttpResponse:
        """The form of the columns; after a valid POST with the preview of its plan."""
        shape = FileShape.from_json(job.shape)
        preset_name = request.GET.get("preset", "")
        try:
            preset = presets.preset_of_file(preset_name, job.kind, shape) if preset_name else None
        except RejectedError as refusal:
            raise Http404 from refusal
        guess = _plan_or_guess(job, subject, lines, preset)
        target = TARGETS[job.kind]
        form = PlanForm(
            request.POST or None,
            kind=job.kind,
            shape=shape,
            items=target.mappable(subject),
            guess=guess,
            lines=lines,
            encodings=encoding_choices(import_jobs.read_head(job)) if shape.is_encoding_open else (),
        )
        preview = None
        if request.method == "POST" and form.is_valid() and _save_plan(job, form, subject, request.user):
            preview = _preview(job, lines)
        return self.page(
            request,
            "import_columns",
            job.name,
            job=job,
            form=form,
            subject=subject,
            guess=guess,
            is_asking=_is_asking(form, guess, preset),
            contrary=guessing.contrary_columns(form.chosen_columns, form.items),
            preset=preset,
            preview=preview,
            shape=shape,
            text_above=[tabular.row_text(cells) for cells in import_jobs.rows_above_header(job)],
            shape_form=ShapeForm(shape=shape) if shape.format != "ndjson" else None,
            label=dict(target.subjects()).get(subject, target.label),
            current=2,
        )

    def _read_as(self, request: HttpRequest, job: Import, encoding: str) -> None:
        """Read the file in the chosen encoding, with the other parts of its shape unchanged."""
        shape_parts = {name: job.shape[name] for name in ("format", "delimiter", "header_row") if name in job.shape}
        try:
            import_jobs.reshape_import(job, **shape_parts, encoding=encoding)
        except RejectedError as refusal:
            messages.error(request, str(refusal))

    def _reshape(self, request: HttpRequest, job: Import) -> None:
        form = ShapeForm(request.POST, shape=FileShape.from_json(job.shape))
        if not form.is_valid():
            return
        try:
            import_jobs.reshape_import(job, format=job.shape["format"], **form.cleaned_data)
        except RejectedError as refusal:
            messages.error(request, str(refusal))

    def step_view(self, request: HttpRequest, pk: int, step: str) -> HttpResponse:
        job = self._find(request, pk)
        try:
            if step in import_jobs.STEPS:
                import_jobs.take_step(job, step, request.user)
            elif step in import_jobs.STOPS:
                import_jobs.stop_import(job, step, request.user)
            else:
                raise Http404
        except RejectedError as refusal:
            messages.error(request, str(refusal))
        return redirect("admin:people_import_change", pk)

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of the page that changes while the job runs; it is reloaded until the job has ended."""
        return render(request, "people/_import_progress.html", _progress(self._find(request, pk), request.user))

    def report_view(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """The refused rows as a file."""
        job = self._find(request, pk)
        name = import_report.report_file_name(job)
        return file_reply(import_report.report_lines(job), name, "text/plain;charset=UTF-8")

    def people_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return import_results.show_created_people(self, request, self._find(request, pk))

    def list_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return import_results.create_list_of_people(request, self._find(request, pk))

    def take_back_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return import_results.undo_import(self, request, self._find(request, pk))

    def _find(self, request: HttpRequest, pk: int) -> Import:
        job = get_object_or_404(Import.objects.select_related("user"), pk=pk)
        if not self.has_view_permission(request, job):
            require_rights(request, *TARGETS[job.kind].rights)
            raise PermissionDenied
        return job


def _counts(job: Import) -> list[tuple[int, Any]]:
    """(number of rows, the name of the result) of each result that rows of this kind can have."""
    target = TARGETS[job.kind]
    is_check = job.state in (State.CHECKING, State.CHECKED)

    def label(status: ImportStatus, number: int) -> Any:
        if status == ImportStatus.ADDED:
            return _("to be added") if is_check else npgettext("rows of a file", "added", "added", number)
        if status == ImportStatus.UPDATED:
            return npgettext("rows of a file", "updated", "updated", number)
        if status == ImportStatus.REFUSED:
            return npgettext("rows of a file", "rejected", "rejected", number)
        return target.repeated_label

    return [(number, label(status, number)) for status in target.statuses for number in [getattr(job, status)]]


_STEP_OF = {State.UPLOADED: 3, State.CHECKING: 3, State.CHECKED: 3}


def _is_asking(form: PlanForm, guess: guessing.PlanGuess, preset: presets.ImportPreset | None) -> bool:
    """True if a question that the file leaves open has no answer yet; a zone has one, at first the installation's."""
    is_first = not form.is_bound and preset is None
    names = (name for name in guess.questions if name in form.fields)
    return any(not form[name].value() or (name == "zone" and is_first) for name in names)


def _plan_or_guess(
    job: Import, subject: str, lines: Sequence[Any], preset: presets.ImportPreset | None
) -> guessing.PlanGuess:
    """The plan chosen for this subject; without one, or with a preset, the guess from the file."""
    if job.plan and job.plan["subject"] == subject and preset is None:
        return guessing.PlanGuess(ImportPlan.from_json(job.plan), frozenset(), is_chosen=True)
    return guessing.guess_plan(job, subject, installation.current_installation().time_zone, lines, preset)


def _save_plan(job: Import, form: PlanForm, subject: str, user: Any) -> bool:
    """Set the plan of a valid form; False after adding errors to the form."""
    try:
        import_jobs.set_plan(job, form.plan(subject), user)
    except RejectedError as refusal:
        form.show(refusal)
        return False
    return True


def _to_columns(job: Import, subject: str) -> HttpResponse:
    response = redirect("admin:people_import_columns", job.pk)
    response["Location"] += f"?subject={subject}"
    return response


def _preview(job: Import, lines: Any) -> list[dict[str, Any]]:
    """Rows as they will be stored, each with its problems; nothing is stored."""
    target, plan = TARGETS[job.kind], import_jobs.import_plan(job)
    reader = ImportReader(target, plan, FileShape.from_json(job.shape))
    batch = reader.batch(list(islice(reader.kept(lines), PREVIEW_ROWS)))
    results = (
        target.record(batch.rows, plan, user_source(Channel.IMPORT, job.user), dry_run=True) if batch.lines else None
    )
    labels = target.labels(plan.subject)
    hits = target.hits(batch.rows, plan) if batch.lines else {}
    rows: list[dict[str, Any]] = [
        {"number": line.number, "values": [], "problems": [located_message(problem, labels=labels)]}
        for line, problem in batch.faults
    ]
    for place, (line, row) in enumerate(zip(batch.lines, batch.rows, strict=True)):
        values = [(label, quoted_value(value)) for label, value in target.stored(row, plan)]
        hit = hits.get(place)
        problems = results[place].problems if results else ()
        messages = [located_message(problem, labels=labels) for problem in problems]
        status = results[place].status if results else ImportStatus.ADDED
        outcome = (_RESULTS | {ImportStatus.REPEATED: capfirst(target.repeated_label)})[status]
        rows.append({"number": line.number, "values": values, "problems": messages, "hit": hit, "outcome": outcome})
    rows.sort(key=itemgetter("number"))
    return rows


# the effect of a good row of the preview
_RESULTS: dict[ImportStatus, Any] = {
    ImportStatus.ADDED: pgettext_lazy("row of a file", "New"),
    ImportStatus.UPDATED: pgettext_lazy("row of a file", "Update"),
    ImportStatus.REFUSED: "",
}


def _label(job: Import) -> Any:
    target, subject = TARGETS[job.kind], (job.plan or {}).get("subject", "")
    return dict(target.subjects()).get(subject) or f"{target.label}: {subject}"


def _progress(job: Import, user: Any) -> dict[str, Any]:
    labels = {} if job.is_running else TARGETS[job.kind].labels((job.plan or {}).get("subject", ""))
    faults = [] if job.is_running else import_report.common_faults(job, 20, labels=labels)
    failures = [] if job.is_running else list(job.failures.order_by("row")[:20])
    failed_rows = [(failure.row, import_report.problem_sentences(failure, labels)) for failure in failures]
    unkept = 0 if job.is_running or not job.stored_as else job.refused - job.failures.count()
    return {
        "job": job,
        "faults": faults,
        "failures": failed_rows,
        "unkept": max(0, unkept),
        "badge": job_badge(job),
        "counts": _counts(job),
        "shows_created": job.created and not TARGETS[job.kind].rows_are_people,
        "is_check": job.state == State.CHECKED,
        "may": import_jobs.possible_steps(job),
        "label": _label(job),
        "links": import_results.result_links(job, user),
        "undone": import_results.undo_summary(job),
        "into": StaticList.objects.filter(pk=(job.plan or {}).get("static_list") or 0).first(),
    }
