"""Actions of the list of people: on its people, its columns and saved views; next and previous person."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.admin import bulk
from people.admin import merge as admin_merge
from people.admin.people_request import PeopleRequest
from people.admin.suggest import suggest_people
from people.core.admin.base import PagesAdmin, parse_ids, require_rights
from people.core.errors import RejectedError
from people.core.source import Channel
from people.directory import pages
from people.directory import views as people_views
from people.directory.query import PeopleQuery
from people.directory.selection import Selection
from people.fields import catalog
from people.files.exports import jobs as export_jobs
from people.lists import static_lists
from people.models import PeopleView, Person
from people.persons import merge as person_merge
from people.rights import ADD_STATICLIST, DELETE_PERSON, EXPORT_PERSON, VIEW_ACTIVITY, VIEW_PERSON

LIST = "admin:people_person_changelist"
VIEW = VIEW_PERSON
EXPORT = EXPORT_PERSON
MOST_CHOSEN = 1_000
# name in the form: (kind of bulk action, whether a static list is made)
BULK = {
    "add_selected": ("add_to_list", False),
    "new_list_selected": ("add_to_list", True),
    "remove_selected": ("remove_from_list", False),
    "delete_selected_people": ("delete", False),
}
RIGHTS = {
    "merge_selected": person_merge.MERGE,
    "add_selected": static_lists.CHANGE,
    "new_list_selected": ADD_STATICLIST,
    "remove_selected": static_lists.CHANGE,
    "export_selected": EXPORT,
    "delete_selected_people": DELETE_PERSON,
}


def action_urls(pages_admin: PagesAdmin) -> list[tuple[str, Any, str]]:
    return [
        ("suggest/", suggest_people, "suggest"),
        ("columns/", save_columns, "columns"),
        ("views/", lambda request: save_view(pages_admin, request), "views"),
        ("<int:pk>/neighbours/", show_neighbours, "neighbours"),
    ]


def run_action(pages_admin: PagesAdmin, request: HttpRequest) -> HttpResponse:
    """Confirm, or start, the posted action for the chosen people or for all that the address finds."""
    name = request.POST.get("action", "")
    people_request = PeopleRequest.of(request.GET, request.user, catalog.field_catalogue())
    back = reverse(LIST) + people_request.address()
    if name not in RIGHTS:
        messages.error(request, _("Choose what to do with these people."))
        return redirect(back)
    require_rights(request, VIEW, RIGHTS[name])
    chosen = parse_ids(request.POST.getlist("_selected_action"))[:MOST_CHOSEN]
    is_everything = request.POST.get("select_across") == "1"
    if not chosen and not is_everything:
        messages.error(request, _("Choose the people first."))
        return redirect(back)
    try:
        selection = Selection(chosen, pages.plan_people(people_request.query, request.user) if is_everything else None)
    except RejectedError as refusal:
        messages.error(request, str(refusal))
        return redirect(back)
    if name == "merge_selected":
        return redirect(admin_merge.merge_address(selection.ids(person_merge.MAX_LOSERS + 2)))
    if name == "export_selected":
        return _export(pages_admin, request, people_request, chosen, is_everything) or redirect(back)
    kind, is_new_list = BULK[name]
    return bulk.confirm_bulk_action(pages_admin, request, kind, selection, is_new_list=is_new_list)


def _export(
    pages_admin: PagesAdmin, request: HttpRequest, people_request: PeopleRequest, chosen: list[int], is_everything: bool
) -> HttpResponse | None:
    """Queue a CSV file with the shown columns."""
    people = {"people": people_request.query.dump()} if is_everything else {"ids": chosen}
    names = [
        "first_name",
        "last_name",
        *(name for name in people_request.columns if name not in ("first_name", "last_name")),
    ]

    def start() -> Any:
        export = export_jobs.create_export(
            "people",
            {**people, "fields": names, "excel_safe": True},
            request.user,
            Channel.ADMIN,
            title=str(people_request.view or _("People")),
        )
        export_jobs.enqueue_export(export)
        return export

    export = pages_admin.try_verb(request, start)
    return redirect("admin:people_export_change", export.pk) if export else None


def show_neighbours(request: HttpRequest, pk: int) -> HttpResponse:
    """Links to the people before and after one person in the list of the address: a fragment of the profile."""
    require_rights(request, VIEW)
    if "HX-Request" not in request.headers:
        return redirect("admin:people_person_change", pk)
    query = PeopleQuery.of_address(request.GET)
    try:
        before, after = pages.neighbours_of_person(pages.plan_people(query, request.user), pk)
    except RejectedError:
        before = after = None
    people = Person.objects.in_bulk([number for number in (before, after) if number])
    page = "activities_timeline" if request.user.has_perm(VIEW_ACTIVITY) else "people_person_change"
    context = {
        "before": people.get(before or 0),
        "after": people.get(after or 0),
        "page": f"admin:{page}",
        "within": query.address() or "all=1",
        "list_url": reverse(LIST),
    }
    return render(request, "people/_neighbours.html", context)


def save_columns(request: HttpRequest) -> HttpResponse:
    """Keep the user's columns, or show them in the view in force without keeping them."""
    require_rights(request, VIEW)
    people_request = PeopleRequest.of(QueryDict(request.POST.get("here", "")), request.user, catalog.field_catalogue())
    if request.method != "POST":
        return redirect(LIST)
    names = request.POST.getlist("columns")
    if people_request.view is not None:
        return redirect(reverse(LIST) + people_request.address(columns=",".join(names)))
    try:
        people_views.set_own_columns(None if "standard" in request.POST else names, request.user)
    except RejectedError as refusal:
        messages.error(request, str(refusal))
    return redirect(reverse(LIST) + people_request.address(columns=""))


def save_view(pages_admin: PagesAdmin, request: HttpRequest) -> HttpResponse:
    """Save, change or delete a view, or make it the one that the list opens with, by the posted verb."""
    require_rights(request, VIEW)
    if request.method != "POST":
        return redirect(LIST)
    people_request = PeopleRequest.of(QueryDict(request.POST.get("here", "")), request.user, catalog.field_catalogue())
    verb = request.POST.get("verb", "")
    if verb == "create":
        view = pages_admin.try_verb(request, lambda: _create(request, people_request), _("The view is saved."))
        return redirect(reverse(LIST) + (f"?view={view.pk}" if view else people_request.address()))
    if verb not in _VERBS or (people_request.view is None and verb != "undefault"):
        raise Http404
    run, done = _VERBS[verb]
    is_done = pages_admin.try_verb(request, lambda: run(request, people_request, people_request.view), done)
    if verb == "delete" and is_done:
        return redirect(f"{reverse(LIST)}?all=1")
    shown = (
        f"?view={people_request.view.pk}"
        if people_request.view and verb == "update" and is_done
        else people_request.address()
    )
    return redirect(reverse(LIST) + shown)


def _create(request: HttpRequest, people_request: PeopleRequest) -> PeopleView:
    return people_views.create_view(
        request.POST.get("name"),
        people_request.query,
        people_request.columns,
        request.user,
        is_shared="is_shared" in request.POST,
    )


def _rename(request: HttpRequest, _asked: PeopleRequest, view: PeopleView) -> None:
    may_share = request.user.has_perm(people_views.SHARE)
    is_shared = "is_shared" in request.POST if may_share else None
    people_views.change_view(view, request.user, name=request.POST.get("name", ""), is_shared=is_shared)


def _update(request: HttpRequest, people_request: PeopleRequest, view: PeopleView) -> None:
    people_views.change_view(view, request.user, query=people_request.query, columns=people_request.columns)


def _delete(request: HttpRequest, _asked: PeopleRequest, view: PeopleView) -> None:
    people_views.delete_view(view, request.user)


def _make_default(request: HttpRequest, _asked: PeopleRequest, view: PeopleView) -> None:
    people_views.set_default_view(view, request.user)


def _end_default(request: HttpRequest, _asked: PeopleRequest, _view: PeopleView | None) -> None:
    people_views.set_default_view(None, request.user)


_VERBS: dict[str, tuple[Any, Any]] = {
    "rename": (_rename, gettext_lazy("Saved.")),
    "update": (_update, gettext_lazy("The view is saved.")),
    "delete": (_delete, gettext_lazy("Deleted.")),
    "default": (_make_default, gettext_lazy("People now opens with this view.")),
    "undefault": (_end_default, gettext_lazy("People now opens with all people.")),
}
