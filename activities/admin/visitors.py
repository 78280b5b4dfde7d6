"""The pages of visitors: their list, the page of one for support, and the browsers of a person."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe
from psycopg.errors import QueryCanceled

from activities.admin.timeline import VIEW, find_person
from activities.consent.state import consents_of_person
from activities.models import Association, EventSource, Visitor, VisitorActivity
from activities.rights import VIEW_ACTIVITY
from activities.visitors import devices, ownership, undoing
from activities.visitors.days import days_of_visitor
from activities.visitors.glances import Glance, glances_of
from people.core.admin.base import OwnPages, PagesAdmin, parse_number, request_source, require_rights, state_badge
from people.core.admin.pagination import UncountedPaginator
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.permissions import require_permission
from people.datatypes.keys import MAX_BIG_ID, MAX_ID
from people.models import Person
from people.rights import VIEW_PERSON
from people.templatetags.moments import moment

PAGE = "admin:activities_visitor"
UTM_LABELS = {
    "utm_source": gettext_lazy("UTM Source"),
    "utm_medium": gettext_lazy("UTM Medium"),
    "utm_campaign": gettext_lazy("UTM Campaign"),
    "utm_term": gettext_lazy("UTM Term"),
    "utm_content": gettext_lazy("UTM Content"),
}
BADGES = {"free": "", "owned": "good", "shared": "wait", "burnt": "bad"}


@admin.register(Visitor)
class VisitorAdmin(PagesAdmin):
    nothing_yet = gettext_lazy("Browsers that visit your web sites appear here, known or not.")
    about = gettext_lazy("Browsers that visited your web sites. Until one is recognized, what it does waits here.")
    list_display_links = ("device",)
    list_display = ("person", "device", "badge", "origin", "pages", "source", "first_seen", "last_seen")
    list_per_page = 50
    list_filter = ("state", ("first_source", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("first_source",)
    ordering = ("-id",)
    paginator = UncountedPaginator

    def own_pages(self) -> OwnPages:
        return [
            ("<int:pk>/do/<slug:verb>/", require_POST(self.run_action), "do"),
            ("visits/<int:source_id>/", require_safe(show_visits), "visits"),
        ]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The list, whose visitors have their present person as `owner`, and a `glance`."""
        changelist = super().get_changelist_instance(request)
        visitors = list(changelist.result_list)
        present = Association.objects.filter(visitor__in=visitors, to_at=None, undone_at=None)
        owners = dict(present.values_list("visitor_id", "person_id"))
        people = Person.objects.live().in_bulk(owners.values())
        glances = glances_of([visitor.pk for visitor in visitors])
        for visitor in visitors:
            visitor.owner = people.get(owners.get(visitor.pk))
            visitor.glance = glances.get(visitor.pk, Glance())
        changelist.result_list = visitors
        return changelist

    def get_list_display(self, request: HttpRequest) -> Sequence[str]:
        may_see_people = request.user.has_perm(VIEW_PERSON)
        left_out = "badge" if may_see_people else "person"
        return [name for name in self.list_display if name != left_out]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=gettext_lazy("State"), ordering="state")
    def badge(self, visitor: Visitor) -> str:
        return state_badge(visitor.get_state_display(), BADGES[visitor.state])

    @admin.display(description=gettext_lazy("Visitor"), ordering="id")
    def device(self, visitor: Visitor) -> str:
        device = visitor.glance.device  # type: ignore[attr-defined]
        return format_html('{}<span class="ca-name__more">{}</span>', device, visitor) if device else str(visitor)

    @admin.display(description=gettext_lazy("Person"))
    def person(self, visitor: Visitor) -> str:
        """The present person; else the state, in words."""
        person = getattr(visitor, "owner", None)
        if person is None:
            return self.badge(visitor)
        address = reverse("admin:activities_timeline", args=[person.pk])
        badge = self.badge(visitor) if visitor.state == Visitor.State.SHARED else ""
        return format_html('<a href="{}"><bdi>{}</bdi></a> {}', address, person, badge)

    @admin.display(description=gettext_lazy("Came from"))
    def origin(self, visitor: Visitor) -> str | None:
        return visitor.glance.origin or None  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("Pages"))
    def pages(self, visitor: Visitor) -> str | None:
        """The number of pages, with the last one."""
        glance: Glance = visitor.glance  # type: ignore[attr-defined]
        if not glance.pages:
            return None
        number = f"{glance.pages}+" if glance.is_bounded else glance.pages
        return format_html(
            '{}<span class="ca-name__more ca-line"><bdi title="{}">{}</bdi></span>',
            number,
            glance.last_page,
            glance.last_page,
        )

    @admin.display(description=gettext_lazy("Web site"))
    def source(self, visitor: Visitor) -> str:
        return str(visitor.first_source or "—")

    @admin.display(description=gettext_lazy("First seen"))
    def first_seen(self, visitor: Visitor) -> str:
        return moment(visitor.first_at)

    @admin.display(description=gettext_lazy("Last seen"), ordering="last_at")
    def last_seen(self, visitor: Visitor) -> str:
        return moment(visitor.last_at)

    def row_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One visitor: its owner, and its newest rows with the result of each."""
        require_rights(request, ownership.VIEW)
        visitor = get_object_or_404(
            devices.with_associations(Visitor.objects.select_related("first_source")), pk=min(pk, MAX_BIG_ID)
        )
        associations: list[Association] = visitor.shown_associations  # type: ignore[attr-defined]  # prefetched
        may_see_people = request.user.has_perm(VIEW_PERSON)
        people = Person.objects.in_bulk([association.person_id for association in associations])
        may_associate = request.user.has_perm(ownership.RIGHT) and visitor.state != Visitor.State.BURNT
        owners = (people.get(one.person_id) for one in associations if not (one.to_at or one.undone_at))
        owner = next((person for person in owners if person and person.is_live), None) if may_see_people else None
        may_see_values = request.user.has_perm(VIEW_ACTIVITY)
        return self.page(
            request,
            "visitor",
            str(owner or _("Unknown visitor")),
            visitor=visitor,
            first_at=_first_seen(visitor, rows := devices.newest_visitor_rows(visitor)),
            owner=owner,
            glance=(glance := glances_of([visitor.pk]).get(visitor.pk, Glance())),
            campaign=[(name, UTM_LABELS[name], value) for name, value in glance.campaign],
            most=devices.MAX_ROWS,
            consents=consents_of_person(owner.pk) if owner and may_see_values else None,
            badge=self.badge(visitor),
            associations=_shown_associations(associations, people if may_see_people else {}, may_associate),
            may_associate=may_associate and may_see_people,
            may_see_people=may_see_people,
            may_see_values=may_see_values,
            days=days_of_visitor(rows),
            is_bounded=len(rows) == devices.MAX_ROWS,
            waiting=(waiting := devices.count_waiting(visitor)),
            waiting_text=intcomma(waiting) + ("+" if waiting == devices.MAX_COUNT else ""),
            zone=timezone.get_current_timezone_name(),
        )

    def run_action(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        """Associate the visitor with a person, or undo an association."""
        require_rights(request, ownership.VIEW)
        visitor = get_object_or_404(Visitor, pk=min(pk, MAX_BIG_ID))
        if verb == "associate":
            self.try_verb(request, lambda: _associate(request, visitor), _("The visitor belongs to this person now."))
        elif verb == "undo":
            association_id = min(parse_number(request.POST.get("association", "")), MAX_BIG_ID)
            get_object_or_404(Association, pk=association_id, visitor=visitor)
            self.try_verb(
                request,
                lambda: undoing.undo_association(association_id, request.user),
                _("Undone. The activities are waiting with the visitor again."),
            )
        else:
            raise Http404
        return redirect(f"{PAGE}_change", pk)


def _first_seen(visitor: Visitor, rows: Sequence[VisitorActivity]) -> datetime:
    """The moment of the first sign of the visitor: of what came late, the moment it happened."""
    return min([visitor.first_at, *(row.occurred_at for row in rows)])


def _shown_associations(
    associations: Iterable[Association], people: Mapping[int, Person], may_associate: bool
) -> list[tuple[Association, Person | None, bool]]:
    """Each association with its person of `people`, and whether the user may undo it."""
    return [
        (association, people.get(association.person_id), may_associate and undoing.undo_problem(association) is None)
        for association in associations
    ]


def _associate(request: HttpRequest, visitor: Visitor) -> None:
    require_permission(request.user, ownership.RIGHT)
    require_permission(request.user, VIEW_PERSON)  # the answer discloses which ids are people
    typed = request.POST.get("person", "").strip()
    person_id = min(parse_number(typed), MAX_ID)
    if not person_id:
        expected = _("expected the id of an existing person")
        raise RejectedError(Problem(Code.UNKNOWN_PERSON, expected, ("person",), "", typed[:80]))
    ownership.associate_visitor(
        visitor.pk, person_id, Association.Evidence.SERVER, request_source(request), by=request.user
    )


def show_visits(request: HttpRequest, source_id: int) -> HttpResponse:
    """Visits and visitors of an event source by day: a fragment of its page."""
    require_rights(request, ownership.VIEW)
    source = get_object_or_404(EventSource, pk=min(source_id, MAX_BIG_ID))
    try:
        days = devices.visits_by_day(source.pk)
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        days = None
    return render(request, "activities/_visits.html", {"eventsource": source, "days": days})


def show_devices(request: HttpRequest, person_id: int) -> HttpResponse:
    """The browsers of a person and their first visit: a fragment beside the timeline, a page without scripts."""
    person = find_person(request, person_id, *VIEW)
    context = {
        "person": person,
        "devices": devices.devices_of([person.pk]),
        "first": (first := devices.first_visit(person.pk)),
        "referring_site": devices.referring_site(first.referrer) if first else "",
        "may_see_visitors": request.user.has_perm(ownership.VIEW),
    }
    return render(request, "activities/_devices.html", context)
