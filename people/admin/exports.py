"""Exports in the admin: creation, progress and download."""

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from people.admin.days import DayField
from people.admin.transfers import TransferAdmin, job_badge
from people.core.admin.base import OwnPages, require_rights
from people.core.errors import RejectedError
from people.core.source import Channel
from people.files.csv_lines import attachment
from people.files.exports import jobs as export_jobs
from people.files.exports import kinds as export_kinds
from people.files.exports.kinds import KINDS, shown_title
from people.models import Export
from people.rights import EXPORT_PERSON

State = Export.State
FORMATS = {"csv": gettext_lazy("CSV, comma"), "ssv": gettext_lazy("CSV, semicolon"), "ndjson": "NDJSON"}


class ExportForm(forms.Form):
    """The contents and the format of an export."""

    def __init__(self, *args: Any, user: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.offers = {
            f"{kind.name}:{key}": (kind, label, parameters)
            for kind in KINDS.values()
            if all(user.has_perm(right) for right in kind.rights)
            for key, label, parameters in kind.choices()
        }
        attrs = {"class": "ca-input"}
        date = {**attrs, "type": "date"}
        self.fields["contents"] = forms.ChoiceField(
            label=_("Contents"),
            choices=[(key, label) for key, (_kind, label, _parameters) in self.offers.items()],
            widget=forms.Select(attrs=attrs),
        )
        for name, label in (("since", _("Occurred from")), ("until", _("Occurred up to"))):
            help_text = _("Only for activities; days in %(zone)s.") % {"zone": timezone.get_current_timezone_name()}
            self.fields[name] = DayField(
                label=label, required=False, help_text=help_text, widget=forms.DateInput(attrs=date)
            )
        self.fields["format"] = forms.ChoiceField(
            label=_("Format"), choices=list(FORMATS.items()), widget=forms.Select(attrs=attrs)
        )

    def parameters(self) -> dict[str, Any]:
        """The parameters for `export_jobs.create`; text is made safe for spreadsheets."""
        kind, _label, offered = self.offers[self.cleaned_data["contents"]]
        parameters = {**offered, "excel_safe": self.cleaned_data["format"] != "ndjson"}
        if kind.has_dates:
            for name, days in (("since", 0), ("until", 1)):
                if day := self.cleaned_data[name]:
                    midnight = datetime.combine(day + timedelta(days=days), time(), timezone.get_current_timezone())
                    parameters[name] = midnight.isoformat()
        return parameters


@admin.register(Export)
class ExportAdmin(TransferAdmin):
    nothing_yet = gettext_lazy("Exports of people and activities appear here, ready to download.")
    list_display = ("shown_title", "shown_format", "badge", "written", "by", "created", "download")
    list_filter = ("state",)
    list_select_related = ("user",)

    def has_view_permission(self, request: HttpRequest, obj: Export | None = None) -> bool:
        is_allowed = request.user.has_perm(EXPORT_PERSON)
        return is_allowed and (obj is None or obj.is_visible_to(request.user))

    has_add_permission = has_view_permission

    def get_queryset(self, request: HttpRequest) -> Any:
        exports = super().get_queryset(request)
        return exports if request.user.is_superuser else exports.filter(user=request.user)

    @admin.display(description=gettext_lazy("Export"))
    def shown_title(self, export: Export) -> str:
        return _title(export)

    @admin.display(description=gettext_lazy("Format"), ordering="format")
    def shown_format(self, export: Export) -> str:
        return _format(export)

    @admin.display(description=gettext_lazy("rows"), ordering="rows")
    def written(self, export: Export) -> str | None:
        return None if export.rows is None else intcomma(export.rows)

    @admin.display(description=gettext_lazy("File"))
    def download(self, export: Export) -> str | None:
        if export.state != State.COMPLETED:
            return None
        return format_html('<a href="{}">{}</a>', reverse("admin:people_export_file", args=[export.pk]), _("Download"))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        require_rights(request, EXPORT_PERSON)
        return super().changelist_view(request, extra_context)

    def own_pages(self) -> OwnPages:
        return [
            ("<int:pk>/file/", self.file_view, "file"),
            ("<int:pk>/progress/", self.progress_view, "progress"),
            ("<int:pk>/cancel/", require_POST(self.cancel_view), "cancel"),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        require_rights(request, EXPORT_PERSON)
        form = ExportForm(request.POST or None, user=request.user)
        if request.method == "POST" and form.is_valid():
            kind, label, _parameters = form.offers[form.cleaned_data["contents"]]
            try:
                export = export_jobs.create_export(
                    kind.name,
                    form.parameters(),
                    request.user,
                    Channel.ADMIN,
                    format=form.cleaned_data["format"],
                    title=str(label),
                )
                export_jobs.enqueue_export(export)
            except RejectedError as refusal:
                form.add_error(None, str(refusal))
            else:
                return redirect("admin:people_export_change", export.pk)
        return self.page(request, "export_new", _("New export"), form=form)

    def row_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        export = self._find(request, pk)
        return self.page(
            request,
            "export_job",
            _title(export),
            original=_title(export),
            export=export,
            badge=job_badge(export),
            format=_format(export),
        )

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        export = self._find(request, pk)
        return render(request, "people/_export_progress.html", {"export": export, "badge": job_badge(export)})

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        try:
            export_jobs.cancel_export(self._find(request, pk))
        except RejectedError as refusal:
            messages.error(request, str(refusal))
        return redirect("admin:people_export_change", pk)

    def file_view(self, request: HttpRequest, pk: int) -> FileResponse:
        export = self._find(request, pk)
        if export.state != State.COMPLETED:
            raise Http404
        try:
            file = export_jobs.export_path(export).open("rb")
        except FileNotFoundError:
            raise Http404 from None
        response = FileResponse(file, content_type=export_kinds.CONTENT_TYPES[export.format])
        ending = "csv" if export.format in export_kinds.DELIMITERS else export.format
        response["Content-Disposition"] = attachment(f"{export.kind}-{export.created_at:%Y-%m-%d}.{ending}")
        return response

    def _find(self, request: HttpRequest, pk: int) -> Export:
        require_rights(request, EXPORT_PERSON)
        export = get_object_or_404(Export.objects.select_related("user"), pk=pk)
        if not self.has_view_permission(request, export):
            raise PermissionDenied
        return export


def _title(export: Export) -> str:
    return shown_title(export.title, export.kind) or str(export.key)


def _format(export: Export) -> str:
    return str(FORMATS.get(export.format, export.format.upper()))
