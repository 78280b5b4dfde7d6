"""The activity types of the admin: list, type page, form, and the steps of a type's life."""

from dataclasses import asdict
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from activities import differences, drafting, lifecycle, naming, timeline
from activities.forms import TypeForms
from activities.models import ActivityType
from people import used_by
from people.problems import Refused

# step: (button, verb, what to say when it is done)
STEPS: dict[str, tuple[Any, Any, Any]] = {
    "approve": (
        gettext_lazy("Approve"),
        lifecycle.approve,
        gettext_lazy("Approved: the filter and the trigger exist now."),
    ),
    "discard": (
        gettext_lazy("Discard draft"),
        lifecycle.discard_draft,
        gettext_lazy("The draft is gone; the live version is unchanged."),
    ),
    "retire": (
        gettext_lazy("Retire"),
        lifecycle.retire,
        gettext_lazy("Retired: no new activities; what was recorded stays."),
    ),
    "restore": (
        gettext_lazy("Restore"),
        lifecycle.restore,
        gettext_lazy("Restored: activities can be recorded again."),
    ),
    "delete": (gettext_lazy("Delete"), lifecycle.delete, gettext_lazy("Deleted.")),
}
State = ActivityType.State
# the next steps of each state, the primary one first
NEXT: dict[str, tuple[str, ...]] = {
    State.DRAFT: ("approve", "edit", "delete"),
    State.APPROVED: ("edit", "retire", "delete"),
    State.APPROVED_WITH_DRAFT: ("approve", "edit", "discard", "retire", "delete"),
    State.RETIRED: ("restore", "delete"),
    State.DELETED: (),
}


@admin.register(ActivityType)
class ActivityTypeAdmin(ModelAdmin):
    list_display = ("shown_name", "state_badge", "api_name", "id")
    search_fields = ("api_name", "live__name", "draft__name")
    search_help_text = gettext_lazy("Name or API name")
    list_select_related = ("live", "draft")
    show_full_result_count = False
    actions = None

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).existing().order_by("is_standard", "-id")

    @admin.display(description=gettext_lazy("Name"))
    def shown_name(self, activity_type: ActivityType) -> str:
        return str(activity_type)

    @admin.display(description=gettext_lazy("State"))
    def state_badge(self, activity_type: ActivityType) -> str:
        state = activity_type.state
        label = _("Standard") if activity_type.is_standard else state.label
        return format_html('<span class="ca-badge ca-badge--{}">{}</span>', state, label)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("names/", wrap(self.names_view), name="activities_activitytype_names"),
            path("<int:pk>/edit/", wrap(self.edit_view), name="activities_activitytype_edit"),
            path("<int:pk>/step/<str:step>/", wrap(self.step_view), name="activities_activitytype_step"),
            path("timeline/<int:person_id>/", wrap(timeline.show), name="activities_timeline"),
            path("record/<int:person_id>/", wrap(timeline.record), name="activities_record"),
            *super().get_urls(),
        ]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # deleting is a step of the type page, not Django's own page

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        forms = TypeForms(request.POST or None)
        if request.method == "POST" and forms.is_valid():
            try:
                created = lifecycle.create(forms.names.names, forms.specs, request.user)
            except Refused as refusal:
                forms.show(refusal)
            else:
                messages.success(request, _("Created as a draft. Approve it when it is right."))
                return redirect("admin:activities_activitytype_change", created.pk)
        return self._page(request, "form", _("New activity type"), forms=forms)

    def names_view(self, request: HttpRequest) -> HttpResponse:
        """The names that follow from `name`, while it is typed."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return JsonResponse(asdict(naming.propose(request.GET.get("name", "")[:255], get_language() or "en")))

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        activity_type = self._find(request, pk)
        if not self.has_change_permission(request, activity_type) or activity_type.is_standard:
            raise PermissionDenied
        revision = activity_type.draft.revision if activity_type.draft else 0
        forms = TypeForms(request.POST or None, activity_type.draft or activity_type.live, revision)
        if request.method == "POST" and forms.is_valid():
            try:
                names = forms.names
                drafting.rewrite(activity_type, names.names, forms.specs, request.user, names.cleaned_data["revision"])
            except Refused as refusal:
                forms.show(refusal)
            else:
                messages.success(request, _("Saved in the draft."))
                return redirect("admin:activities_activitytype_change", pk)
        return self._page(
            request, "form", _("Change %(name)s") % {"name": activity_type}, forms=forms, activity_type=activity_type
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        activity_type = self._find(request, int(object_id) if object_id.isdigit() else 0)
        following = () if activity_type.is_standard else NEXT[activity_type.state]
        steps = [step for step in following if self._may(request, step)]
        return self._page(
            request, "type", str(activity_type), activity_type=activity_type, version=activity_type.shown,
            steps=[(step, STEPS[step][0] if step in STEPS else _("Change")) for step in steps],
            changes=_changes(activity_type), history=activity_type.versions.exclude(number=None).order_by("-number"),
            uses=used_by.users_of(activity_type, *activity_type.approved_fields.all()),
        )  # fmt: skip

    def step_view(self, request: HttpRequest, pk: int, step: str) -> HttpResponse:
        """Show what a step will do; do it on POST."""
        activity_type = self._find(request, pk)
        if step not in STEPS or activity_type.is_standard or not self._may(request, step):
            raise PermissionDenied
        button, verb, done = STEPS[step]
        if request.method == "POST":
            revision = request.POST.get("revision", "")
            try:
                if step == "approve":
                    verb(activity_type, request.user, int(revision) if revision.isdigit() else None)
                else:
                    verb(activity_type, request.user)
            except Refused as refusal:
                messages.error(request, str(refusal))
                return redirect("admin:activities_activitytype_change", pk)
            messages.success(request, done)
            if step == "delete":
                return redirect("admin:activities_activitytype_changelist")
            return redirect("admin:activities_activitytype_change", pk)
        return self._page(
            request, "step", f"{button}: {activity_type}", activity_type=activity_type, step=step, button=button,
            changes=_changes(activity_type), version=activity_type.draft or activity_type.live,
            removed=lifecycle.fields_to_be_removed(activity_type),
        )  # fmt: skip

    def _may(self, request: HttpRequest, step: str) -> bool:
        rights = {"edit": lifecycle.EDIT, "discard": lifecycle.EDIT, "delete": "activities.delete_activitytype"}
        return request.user.has_perm(rights.get(step, lifecycle.APPROVE))

    def _find(self, request: HttpRequest, pk: int) -> ActivityType:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return get_object_or_404(ActivityType.objects.existing().with_versions(), pk=pk)

    def _page(self, request: HttpRequest, name: str, title: str, **context: Any) -> HttpResponse:
        return render(request, f"activities/{name}.html", {
            **self.admin_site.each_context(request), "title": title, "opts": self.opts, **context,
        })  # fmt: skip


def _changes(activity_type: ActivityType) -> list[str]:
    return differences.between(activity_type.live, activity_type.draft) if activity_type.draft else []
