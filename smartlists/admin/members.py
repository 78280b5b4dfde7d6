"""The members of a smart list: chosen columns and order, search, saved views, and the CSV file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from people.admin.transfers import export_response
from people.core.admin.base import require_rights
from people.core.errors import RejectedError
from people.core.numerals import whole_number
from people.datatypes.display import localized_value
from people.fields import catalog
from people.fields.catalog import FieldInfo
from people.models import Person, StaticList
from people.rights import EXPORT_PERSON, VIEW_PERSON
from smartlists.admin import copies
from smartlists.admin.base import NAME, find_smart_list, smart_list_page
from smartlists.admin.list_pages import INTERVALS
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import copies as list_copies
from smartlists.lists import member_order
from smartlists.models import member_views

PAGE = 100
SUGGESTED = 200  # static lists whose names are suggested
STANDARD = ("email", "company", "country")  # the default columns


@dataclass(frozen=True, slots=True)
class ColumnHeading:
    """A column heading: its sort link (empty: this list cannot be sorted by it), and the present sort order."""

    label: str
    url: str = ""
    sorted: str = ""  # value of aria-sort


@dataclass(frozen=True, slots=True)
class MembersRequest:
    """The parameters of a request, restricted to existing columns and orders."""

    columns: Sequence[FieldInfo]
    order: str
    query: str
    place: member_order.PagePosition
    view: int | None

    @classmethod
    def of(cls, query: QueryDict, fields: Mapping[str, FieldInfo], views: Sequence[member_views.MemberView]) -> Self:
        view = next((saved for saved in views if str(saved.pk) == query.get("view")), None)
        names = query.getlist("columns") or (view.columns if view else STANDARD)
        order = query.get("sort", view.order if view else "")
        return cls(
            [fields[name] for name in dict.fromkeys(names) if name in fields][: member_views.MOST_COLUMNS],
            order if order == "-" or order.removeprefix("-") in fields else "",
            query.get("q", "").strip(),
            member_order.PagePosition.of(query.get("after", ""), query.get("before", "")),
            view.pk if view else None,
        )

    def address(self, **changes: str) -> str:
        """The address of this page with changed parameters; a change of the order begins at the first page."""
        query = QueryDict(mutable=True)
        query.setlist("columns", [column.api_name for column in self.columns])
        query.update({name: value for name, value in {"sort": self.order, "q": self.query, **changes}.items() if value})
        return f"?{query.urlencode()}"


def members_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The members of the list as of its current evaluation."""
    smart_list = find_smart_list(request, pk)
    require_rights(request, VIEW_PERSON)
    fields, views = catalog.field_catalogue(), member_views.member_views_of_user(request.user)
    parameters = MembersRequest.of(request.GET, fields, views)
    try:
        current = stored_evaluations.current_or_new_evaluation(smart_list, request.user)
    except RejectedError as refusal:
        return smart_list_page(request, "members", smart_list, parameters=parameters, problem=str(refusal))
    smart_list.current = current
    person_ids = current.person_ids
    member_page = _members_page(person_ids, parameters, fields)
    is_past_end = parameters.place.person_id is not None and not member_page.ids
    names = StaticList.objects.filter(is_archived=False).order_by("name").values_list("name", flat=True)
    return smart_list_page(
        request,
        "members",
        smart_list,
        parameters=parameters,
        member_page=member_page,
        rows=_rows(member_page.ids, parameters.columns),
        views=views,
        headings=[_heading(column, parameters, len(person_ids)) for column in parameters.columns],
        orders=_orders(parameters, fields, len(person_ids)),
        is_large=len(person_ids) > member_order.SORTED_WHOLE,
        offered=[(info, info in parameters.columns) for info in fields.values()],
        following=parameters.address(after=member_page.following) if member_page.following else "",
        preceding=parameters.address(before=member_page.preceding) if member_page.preceding else "",
        first=parameters.address() if member_page.preceding or is_past_end else "",
        is_beyond=is_past_end,
        every=parameters.address(q=""),
        static_lists=names[:SUGGESTED],
        **_copies_context(smart_list),
        export_query=parameters.address(q="", sort=""),
        sorted_limit=member_order.SORTED_WHOLE,
        **_refresh_note(smart_list, current),
    )


def _refresh_note(smart_list: Any, current: Any) -> dict[str, Any]:
    """Template context: when the list was refreshed, and in words when it is next and why, in the user's zone."""
    plan, minutes = stored_evaluations.refresh_plan(smart_list), smart_list.evaluate_every_minutes
    due = timezone.localtime(max(plan.at, timezone.now())) if plan.at else None
    is_today = due is not None and due.date() == timezone.localdate()
    moment = date_format(due, "TIME_FORMAT" if is_today else "DATETIME_FORMAT") if due else ""
    every = dict(INTERVALS).get(minutes or 0) or _every(minutes or 0)
    note = str(_REFRESH_NOTES[plan.reason]) % {"moment": moment, "every": every}
    return {"refreshed_at": current.as_of, "refresh_note": note}


_REFRESH_NOTES = {
    "automatic": gettext_lazy("Next about %(moment)s: automatically every hour, as counting is quick."),
    "schedule": gettext_lazy("Next about %(moment)s: %(every)s, as scheduled."),
    "slow": gettext_lazy("Not refreshed automatically: the last count took 2 seconds or longer, or failed."),
    "on_request": gettext_lazy("Not refreshed automatically: only when somebody asks."),
    "archived": gettext_lazy("Not refreshed automatically: the list is archived."),
}


def _rows(person_ids: Sequence[int], columns: Sequence[FieldInfo]) -> list[tuple[Person, list[Any]]]:
    """The live people, each with the values of the columns as they are shown."""
    people = Person.objects.live().in_bulk(person_ids)
    return [
        (person, [localized_value(catalog.person_value(person, column), column.api_name) for column in columns])
        for person_id in person_ids
        if (person := people.get(person_id))
    ]


def _copies_context(smart_list: Any) -> dict[str, Any]:
    return {"copies": _copies(smart_list), "modes": list_copies.Mode.choices, "periods": copies.PERIODS}


def _copies(smart_list: Any) -> list[tuple[Any, Any]]:
    """The copies of the list, each with its interval in words."""
    words = dict(copies.PERIODS)
    rows = smart_list.copies.select_related("static_list").order_by("static_list__name")
    return [(row, words.get(str(row.every_minutes or "")) or _every(row.every_minutes)) for row in rows]


def _every(minutes: int) -> str:
    return ngettext("every %(count)s minute", "every %(count)s minutes", minutes) % {"count": minutes}


def _members_page(
    person_ids: Any, parameters: MembersRequest, fields: Mapping[str, FieldInfo]
) -> member_order.MemberPage:
    if parameters.query:
        return member_order.search_members(person_ids, parameters.query, PAGE)
    member_page = _page_at(person_ids, parameters, fields, parameters.place)
    if (
        parameters.place.is_before and not member_page.preceding and len(member_page.ids) < PAGE
    ):  # before the start: show the first page
        return _page_at(person_ids, parameters, fields, member_order.PagePosition())
    return member_page


def _page_at(
    person_ids: Any, parameters: MembersRequest, fields: Mapping[str, FieldInfo], place: member_order.PagePosition
) -> member_order.MemberPage:
    descending, field = parameters.order.startswith("-"), fields.get(parameters.order.removeprefix("-"))
    if field is None or not member_order.is_sortable_field(field, len(person_ids)):
        return member_order.page_by_arrival(person_ids, PAGE, place, descending=descending and field is None)
    return member_order.page_by_field(person_ids, field, PAGE, place, descending=descending)


def _heading(column: FieldInfo, parameters: MembersRequest, size: int) -> ColumnHeading:
    if parameters.query or not member_order.is_sortable_field(column, size):
        return ColumnHeading(column.shown_label)
    is_sorted_by, descending = parameters.order.removeprefix("-") == column.api_name, parameters.order.startswith("-")
    reversed_order = f"-{column.api_name}" if is_sorted_by and not descending else column.api_name
    direction = ("descending" if descending else "ascending") if is_sorted_by else ""
    return ColumnHeading(column.shown_label, parameters.address(sort=reversed_order), direction)


def _orders(parameters: MembersRequest, fields: Mapping[str, FieldInfo], size: int) -> list[tuple[str, Any, bool]]:
    """The orders available for this list: value, label, and whether it is the present one."""
    orders: list[tuple[str, Any]] = [("", _("Oldest first")), ("-", _("Newest first"))]
    for info in fields.values():
        if member_order.is_sortable_field(info, size):
            orders.append((info.api_name, _("%(field)s, ascending") % {"field": info.shown_label}))
            orders.append((f"-{info.api_name}", _("%(field)s, descending") % {"field": info.shown_label}))
    return [(value, words, value == parameters.order) for value, words in orders]


@require_POST
def save_or_delete_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Save the columns and the order under a name, or delete a view."""
    find_smart_list(request, pk)
    back = reverse(f"{NAME}_members", args=[pk])
    if view_id := whole_number(request.POST.get("forget", ""), most_digits=9):
        member_views.delete_member_view(view_id, request.user)
        return redirect(back)
    order = request.POST.get("sort", "")
    try:
        saved_view = member_views.save_member_view(
            request.POST.get("name"), request.POST.getlist("columns"), order, request.user
        )
    except RejectedError as refusal:
        messages.error(request, str(refusal))
        return redirect(back)
    messages.success(request, _("The view was saved."))
    return redirect(f"{back}?view={saved_view.pk}")


def export_members(request: HttpRequest, pk: int) -> Any:
    """The members in the current evaluation, as a CSV file that is safe in spreadsheets: all fields, or `columns`."""
    smart_list = find_smart_list(request, pk)
    require_rights(request, EXPORT_PERSON)
    stored_evaluations.current_or_new_evaluation(smart_list, request.user)
    fields = catalog.field_catalogue()
    columns = [name for name in request.GET.getlist("columns") if name in fields] or None
    parameters = {"smart_list": smart_list.pk, "fields": columns}
    name = slugify(smart_list.name) or f"smart-list-{smart_list.pk}"
    try:
        return export_response(request, "smart_list", parameters, title=smart_list.name, name=name)
    except RejectedError as refusal:
        messages.error(request, str(refusal))
        return redirect(f"{NAME}_change", smart_list.pk)
