"""Smart lists in the asset API (§4): reading, cloning, deleting. Their members are available by bulk export only."""

from typing import Any

from django.http import HttpResponse

from config.marketo.resources.assets import (
    WORKSPACE,
    asset_by_id,
    common_members,
    existing_asset,
    folder_of,
    folder_row,
    page_of_assets,
    page_url,
    with_name_error,
)
from config.marketo.resources.smart_list_rules import marketo_rules
from config.marketo.wire.endpoint import Call
from config.marketo.wire.responses import assets_reply
from smartlists.lists import editing as list_editing
from smartlists.models import SmartList
from smartlists.rights import VIEW_SMARTLIST

KIND = "Smart List"


def list_smart_lists(call: Call) -> HttpResponse:
    call.require(VIEW_SMARTLIST)
    return assets_reply([_row(call, smart_list) for smart_list in page_of_assets(call, SmartList.objects.all())])


def get_smart_list(call: Call, list_id: int) -> HttpResponse:
    """Return the list, with its rules if `includeRules` is set. [I] §4: an unknown id gives an empty result."""
    call.require(VIEW_SMARTLIST)
    smart_list = asset_by_id(SmartList.objects.all(), list_id)
    if smart_list is None:
        return assets_reply([])
    rules = {"rules": marketo_rules(smart_list.parsed)} if call.parameters.flag("includeRules") else {}
    return assets_reply([_row(call, smart_list) | rules])


def smart_list_by_name(call: Call) -> HttpResponse:
    call.require(VIEW_SMARTLIST)
    lists = SmartList.objects.filter(name=call.parameters.not_blank("name"))
    return assets_reply([_row(call, smart_list) for smart_list in lists])


def clone_smart_list(call: Call, list_id: int) -> HttpResponse:
    """Create a list with the same rules; a public client sends name and folder in the query."""
    call.require(VIEW_SMARTLIST)
    smart_list = existing_asset(SmartList.objects.all(), list_id, KIND)
    name, folder = call.parameters.not_blank("name"), folder_of(call.parameters.not_blank("folder"))
    description = call.parameters.text("description")
    cloned = with_name_error(
        lambda: list_editing.create_smart_list(
            name, smart_list.parsed, call.user, description=description, folder=folder
        ),
        KIND,
    )
    return assets_reply([_row(call, cloned)])


def delete_smart_list(call: Call, list_id: int) -> HttpResponse:
    list_editing.delete_smart_list(existing_asset(SmartList.objects.all(), list_id, KIND), call.user)
    return assets_reply([{"id": list_id}])


def _row(call: Call, smart_list: SmartList) -> dict[str, Any]:
    return common_members(smart_list) | {
        "url": page_url(call, f"SL{smart_list.pk}A1LA1"),
        "folder": folder_row(smart_list.folder_id),
        "workspace": WORKSPACE,
    }
