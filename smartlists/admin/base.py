"""Shared parts of the pages of smart lists: finding the list, the head and the tabs."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core.admin.base import require_rights, show_page, tabs_of
from people.core.admin.object_actions import MenuAction, action_menu
from people.rights import EXPORT_PERSON
from smartlists.lists import diagnostics as list_diagnostics
from smartlists.lists import editing as list_editing
from smartlists.models import SmartList, StoredEvaluation
from smartlists.rights import ADD_SMARTLIST, DELETE_SMARTLIST, VIEW_SMARTLIST

NAME = "admin:smartlists_smartlist"
TABS = (
    ("rules", gettext_lazy("Rules"), "change"),
    ("members", gettext_lazy("Members"), "members"),
    ("history", gettext_lazy("History"), "history"),
    ("text", gettext_lazy("Text form"), "text"),
    ("used_by", gettext_lazy("Used by"), "used_by"),
)


def find_smart_list(request: HttpRequest, pk: int) -> SmartList:
    require_rights(request, VIEW_SMARTLIST)
    return get_object_or_404(SmartList.objects.select_related("current"), pk=pk)


def find_edited_smart_list(request: HttpRequest, pk: int) -> SmartList | None:
    """The list being edited; None when it was deleted meanwhile, so that the typed input can be shown again."""
    require_rights(request, VIEW_SMARTLIST)
    return SmartList.objects.select_related("current").filter(pk=pk).first()


def _actions(request: HttpRequest, smart_list: SmartList) -> list[MenuAction]:
    def address(name: str, right: str) -> str:
        return reverse(f"{NAME}_{name}", args=[smart_list.pk]) if request.user.has_perm(right) else ""

    return action_menu(
        duplicate=address("copy", ADD_SMARTLIST),
        place=address("place", list_editing.CHANGE),
        export=(MenuAction(_("Export (CSV)"), address("export", EXPORT_PERSON)),),
        archive=address("archive", list_editing.CHANGE),
        is_archived=smart_list.is_archived,
        delete=address("remove", DELETE_SMARTLIST),
    )


def smart_list_page(
    request: HttpRequest, tab: str, smart_list: SmartList | None, title: str = "", **context: Any
) -> HttpResponse:
    head = {
        "smart_list": smart_list,
        "tab": tab,
        "tabs": tabs_of(smart_list, TABS),
        "actions": _actions(request, smart_list) if smart_list else (),
        "original": smart_list,
        "evaluation": _current_evaluation(smart_list) if smart_list else None,
        "health": list_diagnostics.problem_messages(list_diagnostics.smart_list_problems(smart_list))
        if smart_list
        else (),
        "zone": timezone.get_current_timezone_name(),
    }
    return show_page(request, SmartList, tab, str(smart_list or title), **{**head, **context})


def _current_evaluation(smart_list: SmartList) -> StoredEvaluation | None:
    """The current evaluation; None when the rules have changed since."""
    current = smart_list.current
    return current if current is not None and current.rules == smart_list.rules else None
