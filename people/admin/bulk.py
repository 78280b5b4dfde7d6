"""The pages of bulk actions: confirmation, overview and progress."""

from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from people.admin.forms import list_choices
from people.core.admin.base import PagesAdmin, parse_ids, parse_number, require_rights
from people.directory.selection import Selection
from people.lists import static_lists
from people.models import BulkAction, StaticList
from people.persons import bulk
from people.rights import ADD_STATICLIST, VIEW_PERSON

SHOWN = 50


def bulk_urls(pages: PagesAdmin) -> list[tuple[str, Any, str]]:
    return [
        ("bulk/", lambda request: list_bulk_actions(pages, request), "bulk"),
        ("bulk/<int:pk>/", lambda request, pk: show_bulk_action(pages, request, pk), "bulk_action"),
        ("bulk/start/<str:kind>/", lambda request, kind: start_bulk_action(pages, request, kind), "bulk_start"),
    ]


def confirm_bulk_action(
    pages: PagesAdmin, request: HttpRequest, kind: str, selection: Selection, *, is_new_list: bool = False
) -> HttpResponse:
    """Confirm and start the action for the chosen people, or for all results of search and filters.

    With `is_new_list` the people are added to a static list that is made for them.
    """
    bulk_kind = bulk.KINDS[kind]
    require_rights(request, bulk_kind.right, *((ADD_STATICLIST,) if is_new_list else ()))
    if "confirmed" in request.POST:
        started = pages.try_verb(request, lambda: _start(request, kind, selection, is_new_list))
        if started:
            return redirect("admin:people_person_bulk_action", started.pk)
    count, is_exact = selection.count()
    return pages.page(
        request,
        "bulk_confirm",
        _("Make a static list") if is_new_list else bulk_kind.label,
        kind=kind,
        what=bulk_kind,
        lists=list_choices() if bulk_kind.needs_list and not is_new_list else (),
        is_new_list=is_new_list,
        name=request.POST.get("name", ""),
        count=count,
        is_exact=is_exact,
        action=request.POST.get("action", ""),
        select_across=selection.plan is not None,
        chosen=() if selection.plan is not None else request.POST.getlist("_selected_action"),
    )


@transaction.atomic
def _start(request: HttpRequest, kind: str, selection: Selection, is_new_list: bool) -> BulkAction:
    if is_new_list:
        chosen: StaticList | None = static_lists.create_static_list(request.POST.get("name", ""), request.user)
    else:
        chosen = StaticList.objects.filter(pk=parse_number(request.POST.get("static_list", ""))).first()
    return bulk.start_bulk_action(kind, selection.ids(bulk.MAX_PEOPLE + 1), request.user, chosen)


def start_bulk_action(pages: PagesAdmin, request: HttpRequest, kind: str) -> HttpResponse:
    """Start the action for the people of a form (the page of deleted people)."""
    if request.method != "POST" or kind not in bulk.KINDS:
        raise Http404
    require_rights(request, bulk.KINDS[kind].right)
    started = pages.try_verb(
        request, lambda: bulk.start_bulk_action(kind, parse_ids(request.POST.getlist("people")), request.user)
    )
    if started:
        return redirect("admin:people_person_bulk_action", started.pk)
    back = request.POST.get("back", "")
    is_own = back.startswith("/") and url_has_allowed_host_and_scheme(back, None)  # neither elsewhere nor a view's name
    return redirect(back if is_own else "admin:people_person_changelist")


def list_bulk_actions(pages: PagesAdmin, request: HttpRequest) -> HttpResponse:
    require_rights(request, VIEW_PERSON)
    bulk_actions = BulkAction.objects.select_related("static_list", "user")
    if not request.user.is_superuser:
        bulk_actions = bulk_actions.filter(user=request.user.pk)
    actions = [(action, bulk.KINDS[action.kind].label) for action in bulk_actions[:SHOWN]]
    return pages.page(request, "bulk", _("Bulk actions"), actions=actions)


def show_bulk_action(pages: PagesAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """The progress of one action; a fragment is reloaded while it runs. POST cancels."""
    require_rights(request, VIEW_PERSON)
    action = BulkAction.objects.select_related("static_list", "user").filter(pk=pk).first()
    if action is None or (action.user_id != request.user.pk and not request.user.is_superuser):
        raise Http404
    if request.method == "POST":
        pages.try_verb(
            request, lambda: bulk.cancel_bulk_action(action, request.user), _("Cancelled: the rest stays as it is.")
        )
        return redirect("admin:people_person_bulk_action", pk)
    name = "_bulk_progress" if request.headers.get("HX-Request") else "bulk_action"
    label = bulk.KINDS[action.kind].label
    title = f"{label}: {action.static_list}" if action.static_list else label
    return pages.page(request, name, title, action=action)
