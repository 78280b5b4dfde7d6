"""Static lists in the asset API (§4). The ids are the same as in the lead database."""

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
from config.marketo.wire.endpoint import Call
from config.marketo.wire.responses import assets_reply
from people.lists import static_lists
from people.models import StaticList
from people.rights import VIEW_STATICLIST

KIND = "Static List"


def list_static_lists(call: Call) -> HttpResponse:
    call.require(VIEW_STATICLIST)
    return assets_reply([_row(call, static_list) for static_list in page_of_assets(call, StaticList.objects.all())])


def get_static_list(call: Call, list_id: int) -> HttpResponse:
    """Return the list. [I] §4: an unknown id gives an empty result."""
    call.require(VIEW_STATICLIST)
    static_list = asset_by_id(StaticList.objects.all(), list_id)
    return assets_reply([_row(call, static_list)] if static_list else [])


def static_list_by_name(call: Call) -> HttpResponse:
    call.require(VIEW_STATICLIST)
    lists = StaticList.objects.filter(name=call.parameters.not_blank("name"))
    return assets_reply([_row(call, static_list) for static_list in lists])


def create_static_list(call: Call) -> HttpResponse:
    name, folder = call.parameters.not_blank("name"), call.parameters.not_blank("folder")
    description = call.parameters.text("description")
    with_folder = folder_of(folder)
    created = with_name_error(
        lambda: static_lists.create_static_list(name, call.user, description=description, folder=with_folder), KIND
    )
    return assets_reply([_row(call, created)])


def update_static_list(call: Call, list_id: int) -> HttpResponse:
    form = call.parameters.form
    changes = {member: call.parameters.text(member) for member in ("name", "description") if member in form}
    static_list = existing_asset(StaticList.objects.all(), list_id, KIND)
    return assets_reply(
        [_row(call, with_name_error(lambda: static_lists.change_static_list(static_list, call.user, **changes), KIND))]
    )


def delete_static_list(call: Call, list_id: int) -> HttpResponse:
    static_lists.delete_static_list(existing_asset(StaticList.objects.all(), list_id, KIND), call.user)
    return assets_reply([{"id": list_id}])


def _row(call: Call, static_list: StaticList) -> dict[str, Any]:
    return common_members(static_list) | {
        "folder": folder_row(static_list.folder_id),
        "computedUrl": page_url(call, f"ST{static_list.pk}A1"),
        "workspace": WORKSPACE,
    }
