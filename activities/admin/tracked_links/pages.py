"""The pages of tracked links: their list, a new one, how one was clicked, and what leads where."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_POST, require_safe

from activities.admin.tracked_links.people import PeopleLinkPages
from activities.admin.tracked_links.settings_form import LinkForm
from activities.links import editing, figures
from activities.links.addresses import short_address, target_address
from activities.log import intervals
from activities.models import LinkClick, TrackedLink
from activities.qr_codes import png_file, svg_code, svg_file
from people.core.admin import charts
from people.core.admin.base import OwnPages, parse_number, require_rights, state_badge, tabs_of
from people.core.admin.object_actions import MenuAction, action_menu
from people.core.admin.pagination import UncountedPaginator
from people.core.errors import RejectedError
from people.datatypes.keys import MAX_BIG_ID
from people.models import Person
from people.rights import VIEW_PERSON
from people.templatetags.change_lists import sparkline

PAGE = "admin:activities_trackedlink"
SHOWN_CLICKS = 20
TABS: tuple[tuple[str, Any, str], ...] = (
    ("overview", gettext_lazy("Clicks"), "change"),
    ("people", gettext_lazy("Personal links"), "people"),
    ("settings", gettext_lazy("Settings"), "settings"),
    ("history", gettext_lazy("Destinations"), "destinations"),
)
SWITCHES = {
    "on": (editing.turn_on, gettext_lazy("Turned on. The link works again.")),
    "off": (editing.turn_off, gettext_lazy("Turned off. Whoever follows the link sees that it has ended.")),
}
CODES = {"svg": (svg_file, "image/svg+xml"), "png": (png_file, "image/png")}


@admin.register(TrackedLink)
class TrackedLinkAdmin(PeopleLinkPages):
    nothing_yet = gettext_lazy(
        "A tracked link is a short address for print, partners and emails of any tool. It leads to a page of yours and "
        "says who came."
    )
    list_display = ("shown_name", "badge", "channel")
    search_fields = ("name", "code")
    list_filter = ("is_on", "channel")
    ordering = ("-pk",)
    list_per_page = 25
    paginator = UncountedPaginator

    def own_pages(self) -> OwnPages:
        return [
            ("add/", self.add_page, "add"),
            ("<int:pk>/settings/", self.settings_page, "settings"),
            ("<int:pk>/destinations/", require_safe(self.history_page), "destinations"),
            ("<int:pk>/code.<slug:extension>", require_safe(self.code_file), "code"),
            ("<int:pk>/do/<slug:verb>/", require_POST(self.run_action), "do"),
            *super().own_pages(),
        ]

    @admin.display(description=gettext_lazy("Name"), ordering="name")
    def shown_name(self, link: TrackedLink) -> str:
        shown = (link, short_address(link).partition("://")[2])
        return format_html('<span class="ca-name__text">{}<span class="ca-name__more">{}</span></span>', *shown)

    @admin.display(description=gettext_lazy("State"))
    def badge(self, link: TrackedLink) -> str:
        if not link.is_on:
            return state_badge(pgettext("link", "Off"))
        if link.expires_at is not None and link.expires_at <= timezone.now():
            return state_badge(pgettext("link", "Over"), "wait")
        return state_badge(pgettext("link", "On"), "good")

    def get_list_display(self, request: HttpRequest) -> Any:
        """Figures are read once a page, for its rows; threads share the admin."""
        figures_by_id: dict[int, tuple[figures.LinkFigures, list[int]]] = {}

        def figures_of(link: TrackedLink) -> tuple[figures.LinkFigures, list[int]]:
            if link.pk not in figures_by_id:
                page = getattr(request, "shown_links", None) or [link.pk]
                days = figures.clicks_by_day(page)
                figures_by_id.update(
                    {
                        pk: (row, [clicks for _day, clicks, _machines in days[pk]])
                        for pk, row in figures.figures_of(page).items()
                    }
                )
            return figures_by_id[link.pk]

        @admin.display(description=_("People"))
        def people(link: TrackedLink) -> str:
            return people_text(figures_of(link)[0].people)

        @admin.display(description=_("Clicks"))
        def clicks(link: TrackedLink) -> str:
            row, days = figures_of(link)
            shown = (intcomma(row.clicks), sparkline(days) if any(days) else "")
            return format_html('<span class="ca-figure"><span class="ca-figure__number">{}</span>{}</span>', *shown)

        @admin.display(description=_("Machines"))
        def machines(link: TrackedLink) -> str:
            return intcomma(figures_of(link)[0].machines)

        @admin.display(description=_("Last click (UTC)"))
        def last(link: TrackedLink) -> Any:
            day = figures_of(link)[0].last_day
            return date_format(day) if day else None

        return [*super().get_list_display(request), people, clicks, machines, last]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        changelist.result_list = list(changelist.result_list)
        request.shown_links = [link.pk for link in changelist.result_list]  # type: ignore[attr-defined]
        return changelist

    # --- One link ---------------------------------------------------------------------------------------------

    def add_page(self, request: HttpRequest) -> HttpResponse:
        """The editor of a new link."""
        require_rights(request, editing.ADD)
        return self._edit(request, None)

    def settings_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The settings of a link; to be changed by those who may."""
        return self._edit(request, self.find_link(request, pk))

    def row_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The overview of a link: its address, figures, days and the latest clicks."""
        link = self.find_link(request, pk)
        sees_people, with_machines = request.user.has_perm(VIEW_PERSON), "machines" in request.GET
        before = min(parse_number(request.GET.get("before")) or MAX_BIG_ID, MAX_BIG_ID)
        rows = figures.latest_clicks(link, SHOWN_CLICKS, before, machines=with_machines)
        days = figures.clicks_by_day([link.pk])[link.pk]
        numbers = figures.exact_figures([link.pk])[link.pk]
        return self.link_tab(
            request,
            link,
            "overview",
            numbers=numbers,
            chart=_chart(days) if any(clicks or machines for _day, clicks, machines in days) else "",
            days=days,
            running=charts.Partial.RUNNING,
            clicks=_with_people(rows[:SHOWN_CLICKS], sees_people),
            next_page=rows[SHOWN_CLICKS - 1].pk if len(rows) > SHOWN_CLICKS else None,
            with_machines=with_machines,
            address=short_address(link),
            target=target_address(link),
            code=mark_safe(svg_code(short_address(link))),
        )

    def history_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The destinations that a link had, the newest first."""
        link = self.find_link(request, pk)
        rows = link.destinations.select_related("changed_by").order_by("-pk")[:200]
        return self.link_tab(request, link, "history", rows=rows)

    def code_file(self, request: HttpRequest, pk: int, extension: str) -> HttpResponse:
        """The QR code of the short address as a file: SVG for print of any size, PNG for documents."""
        link = self.find_link(request, pk)
        if extension not in CODES:
            raise Http404
        draw, content_type = CODES[extension]
        headers = {"Content-Disposition": f'attachment; filename="{link.code}.{extension}"'}
        return HttpResponse(draw(short_address(link)), content_type=content_type, headers=headers)

    def run_action(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        """Turn a link off or on, or delete it."""
        link, by = self.find_link(request, pk), request.user
        if verb == "delete":
            done = _("Deleted. Its address won't be used again.")
            if self.try_verb(request, lambda: editing.delete_link(link, by), done):
                return redirect(f"{PAGE}_changelist")
        else:
            self.try_listed_verb(request, SWITCHES, verb, link)
        return redirect(f"{PAGE}_change", pk)

    def find_link(self, request: HttpRequest, pk: int) -> TrackedLink:
        require_rights(request, editing.VIEW)
        links = TrackedLink.objects.select_related("website", "owner")
        link: TrackedLink = get_object_or_404(links, pk=min(pk, MAX_BIG_ID))
        return link

    def link_tab(self, request: HttpRequest, link: TrackedLink, tab: str, **context: Any) -> HttpResponse:
        """One tab of the page of a link."""
        hidden = {"people"} if not self.may_make_links(request) else set()
        return self.page(
            request,
            f"link_{tab}",
            link.name,
            link=link,
            original=link,
            badge=self.badge(link),
            tabs=[entry for entry in tabs_of(link, TABS) if entry[0] not in hidden],
            tab=tab,
            actions=self._actions(request, link),
            **context,
        )

    def _actions(self, request: HttpRequest, link: TrackedLink) -> list[MenuAction]:
        if not request.user.has_perm(editing.CHANGE):
            return []
        verb, label = ("off", _("Turn off")) if link.is_on else ("on", _("Turn on"))
        return action_menu(MenuAction(label, reverse(f"{PAGE}_do", args=[link.pk, verb]), is_posted=True))

    # --- Settings ---------------------------------------------------------------------------------------------

    def _edit(self, request: HttpRequest, link: TrackedLink | None) -> HttpResponse:
        form = LinkForm(request.POST or None, link)
        if request.method == "POST":
            require_rights(request, editing.CHANGE if link else editing.ADD)
            if form.is_valid() and (saved := self._saved(request, link, form)):
                return redirect(f"{PAGE}_change", saved.pk)
        context = {
            "form": form,
            "may_change": request.user.has_perm(editing.CHANGE if link else editing.ADD),
            "status": 422 if form.errors else 200,
        }
        if link is None:
            return self.page(request, "link_settings", _("New tracked link"), original=None, **context)
        return self.link_tab(
            request,
            link,
            "settings",
            revision=request.POST.get("revision", link.revision),
            address=short_address(link),
            may_delete=request.user.has_perm(editing.DELETE) and not link.clicks.exists() and not link.days.exists(),
            **context,
        )

    def _saved(self, request: HttpRequest, link: TrackedLink | None, form: LinkForm) -> TrackedLink | None:
        values = form.values()
        try:
            if link is None:
                saved = editing.create_link(values.pop("name"), values.pop("destination"), request.user, **values)
            else:
                revision = parse_number(request.POST.get("revision", ""), link.revision)
                saved = editing.change_link(link, request.user, expected_revision=revision, **values)
        except RejectedError as refusal:
            form.show(refusal)
            return None
        messages.success(request, _("Saved. The link leads there within seconds."))
        return saved


def people_text(number: int) -> str:
    """A number of people as lists show it: exact up to a bound."""
    most = figures.MOST_PEOPLE
    return intcomma(number) if number <= most else f"{intcomma(most)}+"


def _chart(days: list[tuple[Any, int, int]]) -> str:
    labels = [date_format(day, "MONTH_DAY_FORMAT") for day, _clicks, _machines in days]
    series = [
        charts.ChartSeries(_("People's clicks"), [clicks for _day, clicks, _machines in days]),
        charts.ChartSeries(_("Machines"), [machines for _day, _clicks, machines in days]),
    ]
    dates = [day for day, _clicks, _machines in days]
    partial = intervals.partial_days(dates, dates[-1])  # they end today
    return charts.chart_json(labels, _("days"), series, is_stacked=True, partial=partial)


def _with_people(clicks: list[LinkClick], sees_people: bool) -> list[tuple[LinkClick, Any, str]]:
    """Each click with its person, for those who see people, and a badge of its result."""
    ids = {click.person_id for click in clicks if click.person_id is not None} if sees_people else set()
    people = Person.objects.live().in_bulk(ids)
    return [(click, people.get(click.person_id), click_badge(click)) for click in clicks]


def click_badge(click: LinkClick) -> str:
    """The badge with the result of a click."""
    if click.is_machine:
        return state_badge(_("Machine"), "wait")
    if click.state == LinkClick.State.REFUSED:
        return state_badge(click.get_state_display(), "bad")
    if click.person_id is not None:
        return state_badge(_("Recorded"), "good")
    return state_badge(_("Visitor")) if click.visitor_id is not None else state_badge(_("Counted"))
