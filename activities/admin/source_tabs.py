"""The pages that every kind of event source has: what arrives now, and for programs how to connect one."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_safe

from activities.models import EventSource
from activities.sources import connections, recent
from activities.sources import editing as source_editing
from activities.sources.arrivals import group_arrivals
from people.core.admin.base import OwnPages, PagesAdmin, require_rights, tabs_of
from people.datatypes.keys import MAX_ID
from people.rights import VIEW_PERSON

Tabs = tuple[tuple[str, Any, str], ...]
SETTINGS_TAB = ("settings", gettext_lazy("Settings and use"), "change")
LIVE_TAB = ("live", pgettext_lazy("web site", "Live"), "live")
WEBSITE_TABS: Tabs = (
    SETTINGS_TAB,
    ("install", gettext_lazy("Install"), "install"),
    ("forms", gettext_lazy("Forms"), "forms"),
    LIVE_TAB,
)
PROGRAM_TABS: Tabs = (SETTINGS_TAB, ("connect", gettext_lazy("Connect"), "connect"), LIVE_TAB)


def source_tabs(source: EventSource) -> list[tuple[str, Any, str]]:
    """The tabs of a source's page, as its kind has them."""
    return tabs_of(source, WEBSITE_TABS if source.is_browser else PROGRAM_TABS)


class SourcePages(PagesAdmin):
    """The pages of every event source, for its admin."""

    def own_pages(self) -> OwnPages:
        return [
            ("<int:pk>/connect/", require_safe(self.connect_page), "connect"),
            ("<int:pk>/live/", require_safe(self.live_page), "live"),
        ]

    def connect_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Lines that send a first event; the secret key is not kept, so a placeholder stands for it."""
        source = self.find_source(request, pk)
        if source.is_browser:
            raise Http404
        lines = connections.connection_examples()
        return self.source_tab(request, source, "connect", lines=lines, placeholder=connections.KEY_PLACEHOLDER)

    def live_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The last events with their results, equal ones together; a fragment of the rows while the page is visible."""
        require_rights(request, VIEW_PERSON)
        source = self.find_source(request, pk)
        rows = group_arrivals(recent.recent_events(source.pk))
        if request.headers.get("HX-Request"):
            return render(request, "activities/_source_events.html", {"rows": rows, "eventsource": source})
        return self.source_tab(request, source, "live", rows=rows, kept=recent.KEPT)

    def source_tab(
        self, request: HttpRequest, source: EventSource, tab: str, name: str = "", **context: Any
    ) -> HttpResponse:
        """One tab of the page of a source. `name`: of its template, if not the one of the tab."""
        shown = {"eventsource": source, "tabs": source_tabs(source), "tab": tab}
        return self.page(request, name or f"source_{tab}", source.name, **shown, **context)

    def find_source(self, request: HttpRequest, pk: int) -> EventSource:
        require_rights(request, source_editing.VIEW)
        source: EventSource = get_object_or_404(EventSource, pk=min(pk, MAX_ID))
        return source
