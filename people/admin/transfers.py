"""Helpers shared by the pages of imports and exports."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from people.core.admin.base import PagesAdmin, state_badge
from people.core.admin.pagination import UncountedPaginator
from people.models import Export, Import
from people.templatetags.moments import moment

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


def attachment_header(name: str) -> str:
    """The Content-Disposition of a download."""
    plain = name.encode("ascii", "replace").decode().replace('"', "'").replace("?", "_")
    return f'attachment; filename="{plain}"'
