"""Smart lists in the asset API (§4): reading, cloning, deleting. Their members are available by bulk export only."""

from typing import Any

from django.http import HttpResponse

from config.marketo.resources.assets import (
    WORKSPACE,
    by_id,
    common,
    existing,
    folder_of,
    folder_row,
    named,
    page_url,
    search,
)
from config.marketo.resources.smart_list_rules import shown
from config.marketo.wire.endpoint import Call
from config.marketo.wire.responses import assets
from smartlists.lists import editing as list_editing
from smartlists.models import SmartList

KIND = "Smart List"


def all_lists(call: Call) -> HttpResponse:
    call.require("smartlists.view_smartlist")
    return assets([_row(call, smart_list) for smart_list in search(call, SmartList.objects.all())])


def one(call: Call, list_id: int) -> HttpResponse:
    """Return the list, with its rules if `includeRules` is set. [I] §4: an unknown id gives an empty result."""
    call.require("smartlists.view_smartlist")
    smart_list = by_id(SmartList.objects.all(), list_id)
    if smart_list is None:
        return assets([])
    rules = {"rules": shown(smart_list.parsed)} if call.parameters.flag("includeRules") else {}
    return assets([_row(call, smart_list) | rules])


def by_name(call: Call) -> HttpResponse:
    call.require("smartlists.view_smartlist")
    lists = SmartList.objects.filter(name=call.parameters.not_blank("name"))
    return assets([_row(call, smart_list) for smart_list in lists])


def clone(call: Call, list_id: int) -> HttpResponse:
    """Create a list with the same rules; a public client sends name and folder in the query."""
    call.require("smartlists.view_smartlist")
    smart_list = existing(SmartList.objects.all(), list_id, KIND)
    name, folder = call.parameters.not_blank("name"), folder_of(call.parameters.not_blank("folder"))
    description = call.parameters.text("description")
    cloned = named(
        lambda: list_editing.create(name, smart_list.parsed, call.user, description=description, folder=folder), KIND
    )
    return assets([_row(call, cloned)])


def delete(call: Call, list_id: int) -> HttpResponse:
    list_editing.delete(existing(SmartList.objects.all(), list_id, KIND), call.user)
    return assets([{"id": list_id}])


def _row(call: Call, smart_list: SmartList) -> dict[str, Any]:
    return common(smart_list) | {
        "url": page_url(call, f"SL{smart_list.pk}A1LA1"),
        "folder": folder_row(smart_list.folder_id),
        "workspace": WORKSPACE,
    }
