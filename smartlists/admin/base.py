"""What the pages of smart lists share: rights, the list that a page is about, its head and tabs."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from people.core.admin.object_actions import Action, menu
from smartlists.lists import diagnostics as list_diagnostics
from smartlists.lists import editing as list_editing
from smartlists.models import SmartList, StoredEvaluation

NAME = "admin:smartlists_smartlist"


def require(request: HttpRequest, right: str) -> None:
    if not request.user.has_perm(right):
        raise PermissionDenied


def find(request: HttpRequest, pk: int) -> SmartList:
    require(request, "smartlists.view_smartlist")
    return get_object_or_404(SmartList.objects.select_related("current"), pk=pk)


def find_typed(request: HttpRequest, pk: int) -> SmartList | None:
    """The list that somebody typed into; None when it was deleted meanwhile: what was typed must not be lost."""
    require(request, "smartlists.view_smartlist")
    return SmartList.objects.select_related("current").filter(pk=pk).first()


def _tabs(smart_list: SmartList) -> list[tuple[str, str, str]]:
    labels = {
        "rules": (_("Rules"), "change"),
        "members": (_("Members"), "members"),
        "history": (_("History"), "history"),
        "text": (_("Text form"), "text"),
        "used_by": (_("Used by"), "used_by"),
    }
    return [(tab, label, reverse(f"{NAME}_{name}", args=[smart_list.pk])) for tab, (label, name) in labels.items()]


def _actions(request: HttpRequest, smart_list: SmartList) -> list[Action]:
    def address(name: str, right: str) -> str:
        return reverse(f"{NAME}_{name}", args=[smart_list.pk]) if request.user.has_perm(right) else ""

    return menu(
        duplicate=address("copy", "smartlists.add_smartlist"),
        place=address("place", list_editing.CHANGE),
        export=(Action(_("Export (CSV)"), address("export", "people.export_person")),),
        archive=address("archive", list_editing.CHANGE),
        is_archived=smart_list.is_archived,
        delete=address("remove", "smartlists.delete_smartlist"),
    )


def page(request: HttpRequest, tab: str, smart_list: SmartList | None, title: str = "", **context: Any) -> HttpResponse:
    return render(
        request,
        f"smartlists/{tab}.html",
        {
            **admin.site.each_context(request),
            "title": str(smart_list or title),
            "opts": SmartList._meta,
            "original": smart_list,
            "smart_list": smart_list,
            "tab": tab,
            "tabs": _tabs(smart_list) if smart_list else (),
            "actions": _actions(request, smart_list) if smart_list else (),
            "evaluation": _told(smart_list) if smart_list else None,
            "health": list_diagnostics.sentences(list_diagnostics.of_list(smart_list)) if smart_list else (),
            "zone": timezone.get_current_timezone_name(),
            **context,
        },
    )


def _told(smart_list: SmartList) -> StoredEvaluation | None:
    """The evaluation that the head shows: none once the rules are others."""
    current = smart_list.current
    return current if current is not None and current.rules == smart_list.rules else None
