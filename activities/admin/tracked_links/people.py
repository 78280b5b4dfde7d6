"""The page of people's own links: how an e-mail tool merges them in, and a file of those of a static list."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from activities.links import editing, sharing
from activities.links.addresses import TOKEN, short_address
from activities.models import TrackedLink
from people.core.admin.base import OwnPages, PagesAdmin, parse_number, require_rights
from people.datatypes.formulas import guard_formula
from people.files.csv_lines import csv_lines, csv_reply
from people.models import StaticList
from people.rights import VIEW_PERSON, VIEW_STATICLIST

COLUMNS = ("person_id", "email", "name", "link", "link_token")
SHOWN_LISTS = 500


class PeopleLinkPages(PagesAdmin):
    """The pages of people's own links, for the admin of links."""

    if TYPE_CHECKING:

        def find_link(self, request: HttpRequest, pk: int) -> TrackedLink: ...

        def link_tab(self, request: HttpRequest, link: TrackedLink, tab: str, **context: Any) -> HttpResponse: ...

    def own_pages(self) -> OwnPages:
        return [
            ("<int:pk>/people/", require_safe(self.people_page), "people"),
            ("<int:pk>/people/file/", require_POST(self.people_file), "people_file"),
        ]

    def may_make_links(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perms([editing.CHANGE, VIEW_PERSON]))

    def people_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The page with the address for e-mail tools, and the lists whose links can be downloaded."""
        require_rights(request, editing.CHANGE, VIEW_PERSON)
        link = self.find_link(request, pk)
        may_export = request.user.has_perms([sharing.EXPORTS, VIEW_STATICLIST])
        lists = StaticList.objects.filter(is_archived=False).order_by("name")[:SHOWN_LISTS] if may_export else ()
        return self.link_tab(
            request,
            link,
            "people",
            merged=f"{short_address(link)}?{TOKEN}={{{{link_token}}}}",
            lists=lists,
            may_export=may_export,
            last_day=sharing.last_day(),
        )

    def people_file(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """A CSV file of the own links of a static list's members; formulas are defused."""
        require_rights(request, editing.CHANGE, VIEW_PERSON, sharing.EXPORTS, VIEW_STATICLIST)
        link = self.find_link(request, pk)
        static_list = StaticList.objects.filter(pk=parse_number(request.POST.get("list"))).first()
        if static_list is None:
            messages.error(request, _("Choose a static list."))
            return redirect("admin:activities_trackedlink_people", link.pk)
        rows = sharing.file_of_links(link, static_list, request.user)
        lines = csv_lines(_cells(rows), is_exact=True)  # a token is to be used as it is
        return csv_reply(lines, f"{link.code}-people.csv")


def _cells(rows: Iterator[tuple[int, str, str, str, str]]) -> Iterator[Sequence[Any]]:
    yield COLUMNS
    for person_id, email, name, url, token in rows:
        yield [person_id, guard_formula(email), guard_formula(name), url, token]
