"""Static lists in the asset API (§4). The ids are the same as in the lead database."""

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
from config.marketo.wire.endpoint import Call
from config.marketo.wire.responses import assets
from people.lists import static_lists
from people.models import StaticList

KIND = "Static List"


def all_lists(call: Call) -> HttpResponse:
    call.require("people.view_staticlist")
    return assets([_row(call, static_list) for static_list in search(call, StaticList.objects.all())])


def one(call: Call, list_id: int) -> HttpResponse:
    """Return the list. [I] §4: an unknown id gives an empty result."""
    call.require("people.view_staticlist")
    static_list = by_id(StaticList.objects.all(), list_id)
    return assets([_row(call, static_list)] if static_list else [])


def by_name(call: Call) -> HttpResponse:
    call.require("people.view_staticlist")
    lists = StaticList.objects.filter(name=call.parameters.not_blank("name"))
    return assets([_row(call, static_list) for static_list in lists])


def create(call: Call) -> HttpResponse:
    name, folder = call.parameters.not_blank("name"), call.parameters.not_blank("folder")
    description = call.parameters.text("description")
    with_folder = folder_of(folder)
    created = named(lambda: static_lists.create(name, call.user, description=description, folder=with_folder), KIND)
    return assets([_row(call, created)])


def update(call: Call, list_id: int) -> HttpResponse:
    form = call.parameters.form
    changes = {member: call.parameters.text(member) for member in ("name", "description") if member in form}
    static_list = existing(StaticList.objects.all(), list_id, KIND)
    return assets([_row(call, named(lambda: static_lists.change(static_list, call.user, **changes), KIND))])


def delete(call: Call, list_id: int) -> HttpResponse:
    static_lists.delete(existing(StaticList.objects.all(), list_id, KIND), call.user)
    return assets([{"id": list_id}])


def _row(call: Call, static_list: StaticList) -> dict[str, Any]:
    return common(static_list) | {
        "folder": folder_row(static_list.folder_id),
        "computedUrl": page_url(call, f"ST{static_list.pk}A1"),
        "workspace": WORKSPACE,
    }
