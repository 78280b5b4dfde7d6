"""Smart lists in the admin: the change list, and the addresses of each list's pages."""

from typing import Any

from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import intcomma
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from people.core.admin.base import OwnPages, PagesAdmin, state_badge
from people.core.admin.object_actions import MenuAction, folder_actions
from people.core.admin.pagination import UncountedPaginator
from people.templatetags.moments import moment
from smartlists.admin import copies, from_people, list_pages, members, templates
from smartlists.admin.builder.views import LIST_BUILDER, suggest_values
from smartlists.models import SmartList

PAGES = {
    "members": members.members_page,
    "view": members.save_or_delete_view,
    "history": list_pages.history_page,
    "text": list_pages.text_form_page,
    "used_by": list_pages.used_by_page,
    "refresh": list_pages.refresh_smart_list,
    "export": members.export_members,
    "snapshot": copies.copy_members,
    "end_copy": copies.end_copy,
    "copy": list_pages.duplicate_smart_list_page,
    "archive": list_pages.toggle_archived,
    "place": list_pages.folder_and_owner_page,
    "schedule": list_pages.schedule_smart_list,
    "remove": list_pages.delete_smart_list_page,
}


@admin.register(SmartList)
class SmartListAdmin(PagesAdmin):
    list_display = ("shown_name", "shown_count", "shown_as_of", "folder", "owner", "changed")
    list_display_links = ("shown_name",)
    list_filter = ("is_archived", "folder", ("owner", admin.RelatedOnlyFieldListFilter))
    nothing_yet = _("A smart list finds the people who match its filters, always up to date.")
    empty_icon = "filter_alt"
    search_fields = ("name", "description")
    search_help_text = _("Name or description")
    list_select_related = ("current", "folder", "owner")
    ordering = ("name",)
    paginator = UncountedPaginator
    row_page = LIST_BUILDER.change

    def list_actions(self, request: HttpRequest) -> list[MenuAction]:
        return folder_actions(request)

    def alternative_add_action(self, request: HttpRequest) -> MenuAction | None:
        return templates.start_from_template(request, SmartList)

    def get_queryset(self, request: HttpRequest) -> Any:
        lists = super().get_queryset(request).defer("rules", "current__members", "current__joined", "current__left")
        shows_archived = "is_archived__exact" in request.GET or request.GET.get("q", "").strip()
        return lists if shows_archived else lists.filter(is_archived=False)

    @admin.display(description=_("Name"), ordering="name")
    def shown_name(self, smart_list: SmartList) -> Any:
        """The name, with a mark for archived lists, which only a search shows."""
        return format_html("{} {}", smart_list.name, state_badge(_("Archived")) if smart_list.is_archived else "")

    @admin.display(description=_("People"), ordering="current__count")
    def shown_count(self, smart_list: SmartList) -> Any:
        return None if smart_list.current is None else intcomma(smart_list.current.count)

    @admin.display(description=_("As of"), ordering="current__as_of")
    def shown_as_of(self, smart_list: SmartList) -> Any:
        if smart_list.current is None or smart_list.current.as_of is None:
            return _("not counted yet")
        return moment(smart_list.current.as_of)

    @admin.display(description=_("Changed"), ordering="updated_at")
    def changed(self, smart_list: SmartList) -> Any:
        return moment(smart_list.updated_at)

    def own_pages(self) -> OwnPages:
        return [
            ("add/", LIST_BUILDER.add, "add"),
            ("panel/", LIST_BUILDER.panel, "panel_new"),
            ("templates/", templates.list_templates_page, "templates"),
            ("of/<int:person_id>/", list_pages.lists_of_person_page, "of_person"),
            ("suggest/", suggest_values, "suggest"),
            ("from-people/", from_people.make_smart_list, "from_people"),
            ("<int:pk>/panel/", LIST_BUILDER.panel, "panel"),
            *((f"<int:pk>/{tab.replace('_', '-')}/", view, tab) for tab, view in PAGES.items()),
        ]
