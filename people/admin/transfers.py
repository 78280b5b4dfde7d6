"""Helpers shared by the pages of imports and exports."""

import tempfile
from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core.admin.base import PagesAdmin, state_badge
from people.core.admin.pagination import UncountedPaginator
from people.core.source import Channel
from people.files.exports import jobs as export_jobs
from people.files.exports.kinds import CONTENT_TYPES, KINDS
from people.models import Export, Import
from people.templatetags.moments import moment

AT_ONCE = 20_000  # rows of a file that is written while its reader waits
BADGES = {
    Import.State.COMPLETE: "good",
    Import.State.FAILED: "bad",
    Import.State.CANCELLED: "bad",
    Import.State.PAUSED: "wait",
    Import.State.IMPORTING: "info",
    Import.State.CHECKING: "info",
    Export.State.COMPLETED: "good",
    Export.State.PROCESSING: "info",
    Export.State.QUEUED: "info",
}


def job_badge(job: Import | Export) -> str:
    return state_badge(job.get_state_display(), BADGES.get(type(job).State(job.state), ""))


class TransferAdmin(PagesAdmin):
    """Base class of the lists of imports and exports."""

    paginator = UncountedPaginator
    list_per_page = 50

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    @admin.display(description=gettext_lazy("State"))
    def badge(self, job: Import | Export) -> str:
        return job_badge(job)

    @admin.display(description=gettext_lazy("Created"), ordering="created_at")
    def created(self, job: Import | Export) -> Any:
        return moment(job.created_at)

    @admin.display(description=gettext_lazy("User"), ordering="user__username")
    def by(self, job: Import | Export) -> Any:
        return job.user


def export_response(
    request: HttpRequest, kind: str, parameters: Mapping[str, Any], *, title: str, name: str
) -> HttpResponse | FileResponse:
    """The CSV file of an export of this kind as the reply, named `name`; its text is safe in spreadsheets.

    A file of more than AT_ONCE rows is written in the background instead: a redirect to the page of that export.
    Raises `RejectedError` where too many exports are waiting.
    """
    statement = KINDS[kind].statement(parameters)
    if export_jobs.count_rows(statement, AT_ONCE + 1) > AT_ONCE:
        values = {**parameters, "excel_safe": True}
        export = export_jobs.create_export(kind, values, request.user, Channel.ADMIN, title=title)
        export_jobs.enqueue_export(export)
        messages.info(request, _("The file is long, so it is written in the background."))
        return redirect("admin:people_export_change", export.pk)
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the response closes it)
    export_jobs.write_export(statement, "csv", file, excel_safe=True)
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=f"{name}.csv", content_type=CONTENT_TYPES["csv"])
