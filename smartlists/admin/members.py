"""The members of a smart list: the columns and order that somebody chose, search, views to keep, and the file."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from people.admin.forms import shown
from people.core.admin.base import require
from people.core.errors import RejectedError
from people.core.numerals import whole_number
from people.fields import catalog
from people.fields.catalog import FieldInfo
from people.files.exports import jobs as export_jobs
from people.models import Person, StaticList
from people.persons import export_kind as person_export_kind
from smartlists.admin import copies
from smartlists.admin.base import NAME, find, page
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import copies as list_copies
from smartlists.lists import member_order
from smartlists.models import member_views

PAGE = 100
SUGGESTED = 200  # static lists whose names are proposed
STANDARD = ("email", "company", "country")  # the columns until somebody chooses others


@dataclass(frozen=True, slots=True)
class Heading:
    """A column: where its heading leads (empty: this list is not sorted by it), and how it is sorted now."""

    label: str
    url: str = ""
    sorted: str = ""  # as aria-sort says it


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request wants to see, made fit: known columns, an order that there is."""

    columns: Sequence[FieldInfo]
    order: str
    query: str
    place: member_order.Place
    view: int | None

    @classmethod
    def of(cls, given: QueryDict, known: Mapping[str, FieldInfo], views: Sequence[member_views.MemberView]) -> "Asked":
        view = next((one for one in views if str(one.pk) == given.get("view")), None)
        names = given.getlist("columns") or (view.columns if view else STANDARD)
        order = given.get("sort", view.order if view else "")
        return cls(
            [known[name] for name in dict.fromkeys(names) if name in known][: member_views.MOST_COLUMNS],
            order if order == "-" or order.removeprefix("-") in known else "",
            given.get("q", "").strip(),
            member_order.Place.of(given.get("after", ""), given.get("before", "")),
            view.pk if view else None,
        )

    def address(self, **changes: str) -> str:
        """The address of this page with some things changed; a change of the order begins at the first page."""
        query = QueryDict(mutable=True)
        query.setlist("columns", [column.api_name for column in self.columns])
        query.update({name: value for name, value in {"sort": self.order, "q": self.query, **changes}.items() if value})
        return f"?{query.urlencode()}"


def members(request: HttpRequest, pk: int) -> HttpResponse:
    """Who is on the list as of its current evaluation."""
    smart_list = find(request, pk)
    require(request, "people.view_person")
    known, views = catalog.catalogue(), member_views.of_user(request.user)
    asked = Asked.of(request.GET, known, views)
    try:
        current = stored_evaluations.shown(smart_list, request.user)
    except RejectedError as refusal:
        return page(request, "members", smart_list, asked=asked, problem=str(refusal))
    smart_list.current = current
    everybody = current.person_ids
    found = _found(everybody, asked, known)
    people = Person.objects.live().in_bulk(found.ids)
    rows = [
        (people[one], [shown(catalog.value_of(people[one], column)) for column in asked.columns])
        for one in found.ids
        if one in people
    ]
    is_beyond = asked.place.person_id is not None and not found.ids
    names = StaticList.objects.filter(is_archived=False).order_by("name").values_list("name", flat=True)
    return page(
        request,
        "members",
        smart_list,
        asked=asked,
        found=found,
        rows=rows,
        views=views,
        headings=[_heading(column, asked, len(everybody)) for column in asked.columns],
        orders=_orders(asked, known, len(everybody)),
        is_large=len(everybody) > member_order.SORTED_WHOLE,
        offered=[(info, info in asked.columns) for info in known.values()],
        following=asked.address(after=found.following) if found.following else "",
        preceding=asked.address(before=found.preceding) if found.preceding else "",
        first=asked.address() if found.preceding or is_beyond else "",
        is_beyond=is_beyond,
        every=asked.address(q=""),
        static_lists=names[:SUGGESTED],
        copies=_copies(smart_list),
        modes=list_copies.Mode.choices,
        periods=copies.PERIODS,
        export_query=asked.address(q="", sort=""),
        sorted_limit=member_order.SORTED_WHOLE,
    )


def _copies(smart_list: Any) -> list[tuple[Any, Any]]:
    """What is filled from the list, and how often."""
    words = dict(copies.PERIODS)
    rows = smart_list.copies.select_related("static_list").order_by("static_list__name")
    return [(row, words.get(str(row.every_minutes or "")) or _every(row.every_minutes)) for row in rows]


def _every(minutes: int) -> str:
    return ngettext("every %(count)s minute", "every %(count)s minutes", minutes) % {"count": minutes}


def _found(everybody: Any, asked: Asked, known: Mapping[str, FieldInfo]) -> member_order.Found:
    if asked.query:
        return member_order.search(everybody, asked.query, PAGE)
    found = _page_at(everybody, asked, known, asked.place)
    if asked.place.is_before and not found.preceding and len(found.ids) < PAGE:  # back at the start: the page there
        return _page_at(everybody, asked, known, member_order.Place())
    return found


def _page_at(
    everybody: Any, asked: Asked, known: Mapping[str, FieldInfo], place: member_order.Place
) -> member_order.Found:
    descending, field = asked.order.startswith("-"), known.get(asked.order.removeprefix("-"))
    if field is None or not member_order.is_sortable(field, len(everybody)):
        return member_order.by_arrival(everybody, PAGE, place, descending=descending and field is None)
    return member_order.by_field(everybody, field, PAGE, place, descending=descending)


def _heading(column: FieldInfo, asked: Asked, size: int) -> Heading:
    if asked.query or not member_order.is_sortable(column, size):
        return Heading(column.shown_label)
    is_mine, descending = asked.order.removeprefix("-") == column.api_name, asked.order.startswith("-")
    turned = f"-{column.api_name}" if is_mine and not descending else column.api_name
    said = ("descending" if descending else "ascending") if is_mine else ""
    return Heading(column.shown_label, asked.address(sort=turned), said)


def _orders(asked: Asked, known: Mapping[str, FieldInfo], size: int) -> list[tuple[str, Any, bool]]:
    """The orders that there are for this list: value, words, and whether it is the one that shows."""
    offered: list[tuple[str, Any]] = [("", _("As they came, first one first")), ("-", _("As they came, latest first"))]
    for info in known.values():
        if member_order.is_sortable(info, size):
            offered.append((info.api_name, _("%(field)s, ascending") % {"field": info.shown_label}))
            offered.append((f"-{info.api_name}", _("%(field)s, descending") % {"field": info.shown_label}))
    return [(value, words, value == asked.order) for value, words in offered]


@require_POST
def view(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep the columns and the order under a name, or drop a view."""
    find(request, pk)
    back = reverse(f"{NAME}_members", args=[pk])
    if gone := whole_number(request.POST.get("forget", ""), most_digits=9):
        member_views.forget(gone, request.user)
        return redirect(back)
    order = request.POST.get("sort", "")
    try:
        kept = member_views.keep(request.POST.get("name"), request.POST.getlist("columns"), order, request.user)
    except RejectedError as refusal:
        messages.error(request, str(refusal))
        return redirect(back)
    messages.success(request, _("The view is kept."))
    return redirect(f"{back}?view={kept.pk}")


def export(request: HttpRequest, pk: int) -> Any:
    """The members whom everybody sees, as a CSV file that a spreadsheet opens safely: all fields, or `columns`."""
    smart_list = find(request, pk)
    require(request, "people.export_person")
    stored = stored_evaluations.shown(smart_list, request.user)
    known = catalog.catalogue()
    columns = [name for name in request.GET.getlist("columns") if name in known] or None
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the response closes it)
    export_jobs.write(person_export_kind.of_people(stored.person_ids, columns), "csv", file, excel_safe=True)
    file.seek(0)
    name = slugify(smart_list.name) or f"smart-list-{smart_list.pk}"
    return FileResponse(file, as_attachment=True, filename=f"{name}.csv", content_type="text/csv; charset=utf-8")
