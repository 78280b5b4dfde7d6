"""Smart lists in the admin: the list of lists, and the addresses of each list's pages."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from people.core.admin.pagination import UncountedPaginator
from people.core.numerals import whole_number
from people.templatetags.moments import moment
from smartlists.admin import copies, list_pages, members
from smartlists.admin.builder import views as builder_views
from smartlists.models import SmartList

PAGES = {
    "members": members.members,
    "view": members.view,
    "history": list_pages.history,
    "text": list_pages.text,
    "used_by": list_pages.used_by_page,
    "refresh": list_pages.refresh,
    "export": members.export,
    "snapshot": copies.put,
    "end_copy": copies.end,
    "copy": list_pages.copy,
    "archive": list_pages.archive,
    "place": list_pages.place,
    "schedule": list_pages.schedule,
    "remove": list_pages.remove,
}


@admin.register(SmartList)
class SmartListAdmin(ModelAdmin):
    list_display = ("shown_name", "shown_count", "shown_as_of", "folder", "owner", "updated_at")
    list_display_links = ("shown_name",)
    list_filter = ("is_archived", "folder", ("owner", admin.RelatedOnlyFieldListFilter))
    list_before_template = "people/_lists_links.html"
    nothing_yet = _("A smart list finds the people for whom its filters hold, always up to date.")
    empty_icon = "filter_alt"
    search_fields = ("name", "description")
    search_help_text = _("Name or description")
    list_select_related = ("current", "folder", "owner")
    ordering = ("name",)
    paginator = UncountedPaginator
    show_full_result_count = False
    actions = None

    def get_queryset(self, request: HttpRequest) -> Any:
        lists = super().get_queryset(request).defer("rules", "current__members", "current__joined", "current__left")
        is_asked_for = "is_archived__exact" in request.GET or request.GET.get("q", "").strip()
        return lists if is_asked_for else lists.filter(is_archived=False)

    @admin.display(description=_("Name"), ordering="name")
    def shown_name(self, smart_list: SmartList) -> Any:
        """With a mark that says why a list is found by searching only."""
        archived = format_html(' <span class="ca-badge">{}</span>', _("Archived")) if smart_list.is_archived else ""
        return format_html("{}{}", smart_list.name, archived)

    @admin.display(description=_("People"), ordering="current__count")
    def shown_count(self, smart_list: SmartList) -> Any:
        return "—" if smart_list.current is None else smart_list.current.count

    @admin.display(description=_("As of"), ordering="current__as_of")
    def shown_as_of(self, smart_list: SmartList) -> Any:
        if smart_list.current is None or smart_list.current.as_of is None:
            return _("not counted yet")
        return moment(smart_list.current.as_of)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        name = "smartlists_smartlist"
        return [
            path("add/", wrap(builder_views.add), name=f"{name}_add"),
            path("panel/", wrap(builder_views.panel), name=f"{name}_panel_new"),
            path("of/<int:person_id>/", wrap(list_pages.of_person), name=f"{name}_of_person"),
            path("suggest/", wrap(builder_views.suggest), name=f"{name}_suggest"),
            path("<int:pk>/panel/", wrap(builder_views.panel), name=f"{name}_panel"),
            *(
                path(f"<int:pk>/{tab.replace('_', '-')}/", wrap(view), name=f"{name}_{tab}")
                for tab, view in PAGES.items()
            ),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return builder_views.change(request, whole_number(object_id))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # deleting is a step of the list's own page, not Django's
