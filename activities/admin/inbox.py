"""The inbox: received names without a definition, and the page of one name with its actions."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST

from activities.admin.base import find_type
from activities.inbox import editing, proposals, replay, waiting
from activities.inbox.days import counts_by_day
from activities.inbox.sightings import HAS_COME
from activities.models import ActivityType, Sighting
from activities.rights import ADD_ACTIVITYTYPE, CHANGE_ACTIVITYTYPE, VIEW_EVENTSOURCE
from people.core.admin.base import OwnPages, PagesAdmin, parse_number, problem_text, require_rights, state_badge
from people.core.admin.object_actions import MenuAction
from people.core.admin.pagination import UncountedPaginator
from people.core.errors import quoted_value, restore_problem
from people.datatypes.keys import MAX_BIG_ID
from people.datatypes.registry import CHOICES_FOR_PEOPLE
from people.rights import ADD_PERSONFIELD, VIEW_PERSON
from people.templatetags.change_lists import sparkline
from people.templatetags.moments import moment

PAGE = "admin:activities_sighting"
BADGES = {"new": "wait", "mapped": "good", "ignored": "", "blocked": "bad"}
MAX_SHOWN = 4_000  # characters of one event
MAX_TYPES = 500
DECISIONS: dict[str, tuple[Callable[[Sighting, Any], Sighting], Any]] = {
    "ignore": (editing.ignore_name, gettext_lazy("Ignored: it is only counted from now on.")),
    "block": (editing.block_name, gettext_lazy("Blocked: events of this name are rejected from now on.")),
    "reopen": (editing.reopen_name, gettext_lazy("It is new again.")),
}


@admin.register(Sighting)
class SightingAdmin(PagesAdmin):
    nothing_yet = gettext_lazy(
        "Events from web sites and programs that no activity type takes yet appear here. "
        "Turn them into a type, or ignore them."
    )
    about = gettext_lazy(
        "Names that your web sites and programs send and that nothing takes yet. Make a type of each, map it to one of "
        "yours, or ignore it."
    )
    list_display = ("name_and_kind", "source", "times", "waits", "last_time", "badge")
    list_filter = ("state", "kind", ("source", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("source",)
    search_fields = ("name",)
    ordering = ("-last_at",)
    paginator = UncountedPaginator

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(HAS_COME)

    def alternative_add_action(self, request: HttpRequest) -> MenuAction | None:
        may_see = request.user.has_perm(VIEW_EVENTSOURCE)
        address = reverse("admin:activities_eventsource_changelist")
        return MenuAction(gettext_lazy("Event sources"), address) if may_see else None

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The list, whose names have their events by day as `by_day`."""
        changelist = super().get_changelist_instance(request)
        sightings = list(changelist.result_list)
        counts = counts_by_day([sighting.pk for sighting in sightings])
        for sighting in sightings:
            sighting.by_day = counts.get(sighting.pk)
        changelist.result_list = sightings
        return changelist

    def own_pages(self) -> OwnPages:
        return [
            ("<int:pk>/do/<slug:verb>/", require_POST(self.run_action), "do"),
            ("<int:pk>/replay/", require_GET(self.replay_page), "replay"),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.display(description=gettext_lazy("Name"), ordering="name")
    def name_and_kind(self, sighting: Sighting) -> str:
        kind = sighting.get_kind_display()
        return format_html('<bdi>{}</bdi><span class="ca-name__more">{}</span>', sighting, kind)

    @admin.display(description=gettext_lazy("Times, and by day"), ordering="count")
    def times(self, sighting: Sighting) -> str:
        """The number, with that of each of the last days as a small chart."""
        by_day = getattr(sighting, "by_day", None)
        number = format_html('<span class="ca-figure__number">{}</span>', intcomma(sighting.count))
        return format_html('<span class="ca-figure">{}{}</span>', number, sparkline(by_day) if by_day else "")

    @admin.display(description=gettext_lazy("Waiting"), ordering="kept")
    def waits(self, sighting: Sighting) -> str:
        return intcomma(sighting.kept) if sighting.kind == Sighting.Kind.EVENT else "—"

    @admin.display(description=gettext_lazy("Last seen"), ordering="last_at")
    def last_time(self, sighting: Sighting) -> str:
        return moment(sighting.last_at)

    @admin.display(description=gettext_lazy("State"))
    def badge(self, sighting: Sighting) -> str:
        return state_badge(sighting.get_state_display(), BADGES[sighting.state])

    def row_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One name: how often, from where, what it looks like, and what may become of it."""
        require_rights(request, editing.VIEW)
        sighting = _find(pk)
        user = request.user
        may_see = user.has_perm(VIEW_PERSON)
        type_for = waiting.type_for(sighting)
        is_event = sighting.kind == Sighting.Kind.EVENT and bool(sighting.name_key)
        return self.page(
            request,
            "sighting",
            str(sighting),
            sighting=sighting,
            badge=self.badge(sighting),
            is_event=is_event,
            shapes=waiting.waiting_shapes(sighting) if may_see else [],
            events=_shown_events(sighting) if may_see and is_event else [],
            similar=proposals.similar_types(sighting) if is_event and sighting.state == Sighting.State.NEW else [],
            type_for=type_for,
            left_out=replay.left_out(sighting, type_for) if type_for and sighting.kept else (),
            types=_own_types() if is_event else [],
            by_day=(by_day := counts_by_day([sighting.pk]).get(sighting.pk, [])),
            by_day_sum=sum(by_day),
            libraries=sorted(sighting.libraries.items(), key=lambda pair: -pair[1]),
            replay=replay.last_replay(sighting),
            may_change=user.has_perm(editing.CHANGE),
            may_create=is_event and may_see and user.has_perm(ADD_ACTIVITYTYPE),
            may_replay=is_event and user.has_perms([editing.CHANGE, replay.RIGHT]),
            field_address=_field_address(sighting) if may_see and user.has_perm(ADD_PERSONFIELD) else "",
            may_add_field=sighting.kind == Sighting.Kind.PROPERTY and user.has_perm(CHANGE_ACTIVITYTYPE),
        )

    def run_action(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        """Decide about the name, or replay what waits under it."""
        require_rights(request, editing.VIEW)
        sighting = _find(pk)
        if verb == "map":
            self._map(request, sighting, parse_number(request.POST.get("type")))
        elif verb == "field":
            if self.try_verb(request, lambda: editing.add_to_draft(sighting, request.user), _("Added to the draft.")):
                return redirect("admin:activities_activitytype_fields", sighting.activity_type_id)
        elif verb == "forget":
            if self.try_verb(request, lambda: editing.forget_name(sighting, request.user), _("Forgotten.")) is not None:
                return redirect(f"{PAGE}_changelist")
        elif verb == "replay":
            self._replay(request, sighting)
        else:
            self.try_listed_verb(request, DECISIONS, verb, sighting)
        return redirect(f"{PAGE}_change", pk)

    def replay_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The fragment with the progress of the latest replay; once that has ended, the page is loaded again."""
        require_rights(request, editing.VIEW)
        sighting = _find(pk)
        last = replay.last_replay(sighting)
        response = self.page(request, "_inbox_replay", str(sighting), sighting=sighting, replay=last)
        if last is None or not last.is_running:
            response["HX-Refresh"] = "true"
        return response

    def _map(self, request: HttpRequest, sighting: Sighting, pk: int) -> None:
        if pk not in {activity_type.pk for activity_type in _own_types()}:
            messages.error(request, _("Choose an activity type from the list."))
            return
        activity_type = find_type(request, pk)
        done = _("Mapped to “%(type)s”.") % {"type": activity_type}
        self.try_verb(request, lambda: editing.map_to_type(sighting, activity_type, request.user), done)

    def _replay(self, request: HttpRequest, sighting: Sighting) -> None:
        result = self.try_verb(request, lambda: replay.start_replay(sighting, request.user))
        if result is None or result.is_running or result.problem:  # the page shows how far it is
            return
        if result.recorded:
            text = ngettext(
                "%(count)s event is being recorded, at its original time. No campaign starts.",
                "%(count)s events are being recorded, at their original times. No campaign starts.",
                result.recorded,
            )
            messages.success(request, text % {"count": result.recorded})
        if result.refused:
            text = ngettext(
                "%(count)s event doesn't fit the type and stays here.",
                "%(count)s events don't fit the type and stay here.",
                result.refused,
            )
            messages.warning(request, text % {"count": result.refused})
        if not result.recorded and not result.refused:
            messages.info(request, _("Nothing is waiting any more."))


def _find(pk: int) -> Sighting:
    rows = Sighting.objects.select_related("source", "activity_type__live", "activity_type__draft")
    return get_object_or_404(rows, pk=min(pk, MAX_BIG_ID))


def _field_address(sighting: Sighting) -> str:
    """The page that makes a person field of a trait, filled in; empty for other names."""
    if sighting.kind != Sighting.Kind.TRAIT or not sighting.name_key:
        return ""
    field = proposals.propose_field(
        sighting.name, next(iter(waiting.waiting_shapes(sighting)), None), CHOICES_FOR_PEOPLE
    )
    filled = {"label": field.name, "api_name": field.api_name, "data_type": field.data_type}
    return f"{reverse('admin:people_personfield_add')}?{urlencode(filled)}"


def _own_types() -> Sequence[ActivityType]:
    types = ActivityType.objects.existing().filter(is_standard=False, retired_at=None)
    return sorted(types.select_related("live", "draft")[:MAX_TYPES], key=str)


def _shown_events(sighting: Sighting) -> list[tuple[Any, str, list[str]]]:
    """The newest events that wait: when, as they were sent, and why the latest replay left them."""
    return [
        (
            event,
            quoted_value(event.raw, MAX_SHOWN),
            [problem_text(restore_problem(problem)) for problem in event.problems or ()],
        )
        for event in waiting.newest_events(sighting)
    ]
