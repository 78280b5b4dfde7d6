"""Refused activities in the admin."""

import json
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from activities.admin.quarantine.forms import AS_NEW, CorrectionForm, RefusedRowForm, value_labels
from activities.admin.timeline import VIEW as TIMELINE
from activities.inbound.processing import call_of_row
from activities.models import Activity, RefusedActivity
from activities.recording import replay as recording_replay
from activities.recording.quarantine import storing
from activities.templatetags.activity_tags import picture
from people.core.admin.base import OwnPages, PagesAdmin, require_rights, state_badge
from people.core.admin.pagination import UncountedPaginator
from people.core.errors import located_message, restore_problem
from people.models import Person
from people.rights import VIEW_PERSON
from people.templatetags.moments import moment

State = RefusedActivity.State
BADGES = {State.WAITING: "wait", State.REPLAYED: "good", State.DISMISSED: ""}
SELECTED = "_selected_action"


def _sentences(row: RefusedActivity) -> list[str]:
    labels = value_labels(row)
    return [located_message(restore_problem(problem), labels=labels) for problem in row.problems]


def _person_of(row: RefusedActivity, user: Any) -> Person | None:
    """The person for whom the row was recorded, if `user` may see their timeline."""
    if row.activity_id is None or not user.has_perms(TIMELINE):
        return None
    activity = Activity.objects.filter(pk=row.activity_id).first()
    return Person.objects.live().filter(pk=activity.person_id).first() if activity else None


def _recorded_message(row: RefusedActivity, user: Any) -> str:
    """The message that names what was recorded, with a link to the timeline."""
    person = _person_of(row, user)
    if person is None:
        return _("%(type)s is recorded.") % {"type": row.activity_type}
    text = _("%(type)s is recorded for %(person)s.") % {"type": row.activity_type, "person": person}
    return format_html(
        '{} <a href="{}">{}</a>', text, reverse("admin:activities_timeline", args=[person.pk]), _("View")
    )


class RefusedRowStateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [*State.choices, ("all", _("All"))]

    def choices(self, changelist: Any) -> Any:
        for value, label in self.lookup_choices:
            selected = (self.value() or State.WAITING) == value
            query = changelist.get_query_string({self.parameter_name: value})
            yield {"selected": selected, "query_string": query, "display": label}

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        state = self.value() or State.WAITING
        return queryset if state == "all" else queryset.filter(state=state)


@admin.register(RefusedActivity)
class RefusedActivityAdmin(PagesAdmin):
    nothing_yet = gettext_lazy(
        "Rows that an import or a program sends and that are not valid wait here to be corrected."
    )
    about = format_lazy(
        gettext_lazy(
            "Activities that an import or a program sent and that couldn't be recorded. Open one, correct what is "
            "marked and retry; dismiss what you don't need. Up to {size} MB are kept per sender and day; any more are "
            "only counted."
        ),
        size=settings.QUARANTINE_BYTES_A_DAY // 1024**2,
    )
    list_display = ("what", "problem", "badge", "sender", "times", "last_time")
    list_filter = (RefusedRowStateFilter, "code", "channel", ("activity_type", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("user", "activity_type__live")
    paginator = UncountedPaginator
    actions = ("replay_selected", "replay_as_new_selected", "correct_selected", "dismiss_selected")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_allowed = request.user.has_perm(recording_replay.RIGHT) and request.user.has_perm(VIEW_PERSON)
        return is_allowed and (
            obj is None or recording_replay.visible_refused_rows(request.user).filter(pk=obj.pk).exists()
        )

    has_module_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        # their labels are in the sentences of every row
        return recording_replay.visible_refused_rows(request.user).prefetch_related("activity_type__live__fields")

    @admin.display(description=gettext_lazy("Activity"))
    def what(self, row: RefusedActivity) -> str:
        if row.activity_type is None:
            return str(row)
        return format_html(
            '<span class="ca-name">{}<span>{}</span></span>', picture(row.activity_type), row.activity_type
        )

    @admin.display(description=gettext_lazy("Problem"))
    def problem(self, row: RefusedActivity) -> str:
        return format_html('<span class="ca-problem">{}</span>', "; ".join(_sentences(row))[:300])

    @admin.display(description=gettext_lazy("Sent by"))
    def sender(self, row: RefusedActivity) -> str:
        """The user whose program or file it was, and the channel."""
        channel = row.get_channel_display()
        return f"{row.user} · {channel}" if row.user else channel

    @admin.display(description=gettext_lazy("Received"), ordering="last_at")
    def last_time(self, row: RefusedActivity) -> str:
        return moment(row.last_at)

    @admin.display(description=gettext_lazy("State"))
    def badge(self, row: RefusedActivity) -> str:
        return state_badge(row.get_state_display(), BADGES[State(row.state)])

    @admin.action(description=gettext_lazy("Retry as history: no campaign starts"))
    def replay_selected(self, request: HttpRequest, queryset: Any) -> None:
        self._replay(request, list(queryset.values_list("pk", flat=True)), backfill=True)

    @admin.action(description=gettext_lazy("Retry as if just received: campaigns start"))
    def replay_as_new_selected(self, request: HttpRequest, queryset: Any) -> None:
        self._replay(request, list(queryset.values_list("pk", flat=True)), backfill=False)

    @admin.action(description=gettext_lazy("Dismiss"))
    def dismiss_selected(self, request: HttpRequest, queryset: Any) -> None:
        count = recording_replay.dismiss_rows(list(queryset.values_list("pk", flat=True)), request.user)
        text = ngettext("%(count)s row dismissed.", "%(count)s rows dismissed.", count)
        messages.success(request, text % {"count": count})

    @admin.action(description=gettext_lazy("Correct a value or rename a field…"))
    def correct_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        rows = list(queryset.filter(state=State.WAITING).exclude(raw="").order_by("pk")[: recording_replay.MAX_ROWS])
        form = CorrectionForm(request.POST if "apply" in request.POST else None, rows=rows)
        if "apply" in request.POST and form.is_valid():
            changed = form.apply(request.user)
            text = ngettext("%(count)s row changed.", "%(count)s rows changed.", changed)
            messages.success(request, text % {"count": changed})
            if form.cleaned_data["replay"]:
                self._replay(request, [row.pk for row in rows], backfill=not form.cleaned_data["as_new"])
            return redirect("admin:activities_refusedactivity_changelist")
        return self.page(
            request,
            "refused_correct",
            _("Correct rejected activities"),
            form=form,
            rows=rows,
            selected=SELECTED,
            action="correct_selected",
            problems=sorted({text for row in rows for text in _sentences(row)})[:20],
        )

    def _replay(self, request: HttpRequest, ids: list[int], backfill: bool) -> None:
        result = recording_replay.replay_rows(ids, request.user, backfill=backfill)
        if len(ids) == result.recorded == 1:
            messages.success(request, _recorded_message(RefusedActivity.objects.get(pk=ids[0]), request.user))
        elif result.recorded:
            text = ngettext("%(count)s activity recorded.", "%(count)s activities recorded.", result.recorded)
            messages.success(request, text % {"count": result.recorded})
        if result.refused:
            text = ngettext(
                "%(count)s activity is still rejected: see what it needs, correct it and retry, or dismiss it.",
                "%(count)s activities are still rejected: see what they need, correct them and retry, or dismiss them.",
                result.refused,
            )
            messages.warning(request, text % {"count": result.refused})

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        require_rights(request, recording_replay.RIGHT, VIEW_PERSON)
        return super().changelist_view(request, extra_context)

    def own_pages(self) -> OwnPages:
        return [("<int:pk>/", self.row_view, "row")]

    def row_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        return redirect("admin:activities_refusedactivity_row", pk)

    def row_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One row: the received values, the problems, and a field to correct each value."""
        require_rights(request, recording_replay.RIGHT, VIEW_PERSON)
        row = get_object_or_404(RefusedActivity.objects.select_related("activity_type__live", "user"), pk=pk)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        received = storing.load_row(row.raw)
        is_open = row.state == State.WAITING and received is not None
        form = RefusedRowForm(request.POST or None, row=row) if is_open else None
        if request.method == "POST" and "dismiss" in request.POST:
            self.dismiss_selected(request, RefusedActivity.objects.filter(pk=pk))
            return self._after(request, pk)
        if form is not None and request.method == "POST" and form.is_valid():
            form.apply(request.user)
            self._replay(request, [pk], backfill=not form.cleaned_data[AS_NEW])
            return self._after(request, pk)
        return self.page(
            request,
            "refused_row",
            str(row),
            row=row,
            call=call_of_row(received["external_id"]) if received else None,
            form=form,
            problems=[] if form and form.names_all_faults else _sentences(row),
            following=self._following(request, pk) if is_open else None,
            badge=self.badge(row),
            person=_person_of(row, request.user),
            raw=json.dumps(received, indent=2) if received else "",
        )

    def _following(self, request: HttpRequest, pk: int) -> RefusedActivity | None:
        """The next waiting row of the list after this one, and after the last one the first."""
        others = recording_replay.visible_refused_rows(request.user).filter(state=State.WAITING).exclude(pk=pk)
        newest_first = others.order_by("-pk").select_related("activity_type__live")
        return newest_first.filter(pk__lt=pk).first() or newest_first.first()

    def _after(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The row again while it is rejected; else the next one, or the row as it was recorded where none is left."""
        is_waiting = RefusedActivity.objects.filter(pk=pk, state=State.WAITING).exists()
        following = None if is_waiting else self._following(request, pk)
        return redirect("admin:activities_refusedactivity_row", following.pk if following else pk)
