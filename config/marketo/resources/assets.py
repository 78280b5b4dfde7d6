"""Common parts of the asset API's modules: search, paging and folders (§4), and stubs."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpResponse

from config.marketo.wire.endpoint import Call
from config.marketo.wire.responses import MarketoError, asset_timestamp, assets_reply, invalid_value
from people.core.codes import Code
from people.core.errors import RejectedError, quoted_value
from people.core.models import Folder
from people.datatypes import keys as datatype_keys
from people.datatypes.parsing import BadValueError, parse_moment

WORKSPACE = "Default"
ROOT = {
    "id": 1,
    "type": "Folder",
    "name": "Default",
}  # [I] the one system folder, which holds all things without a folder
# [I] §4: ids of the product's folders start here in the Marketo API, so that none is the root's
FIRST_FOLDER = 1_000
_FOLDER_ID = re.compile(r"""["']?id["']?\s*:\s*["']?(\d{1,9})""")

M = TypeVar("M", bound=Model)


def page_of_assets(call: Call, rows: QuerySet[M]) -> QuerySet[M]:
    """Return a page of `rows` by the parameters folder, earliestUpdatedAt, latestUpdatedAt, offset and maxReturn."""
    offset, limit = call.parameters.window()
    folder_text = call.parameters.text("folder")
    if folder_text:
        folder = folder_of(folder_text)
        rows = rows.filter(folder=folder) if folder else rows.filter(folder__isnull=True)
    earliest, latest = _moment(call, "earliestUpdatedAt"), _moment(call, "latestUpdatedAt")
    if earliest and latest and latest <= earliest:
        raise MarketoError("701", "latestUpdatedAt must be after earliestUpdatedAt")
    if earliest:
        rows = rows.filter(updated_at__gte=earliest)
    if latest:
        rows = rows.filter(updated_at__lte=latest)
    return rows.order_by("pk")[offset : offset + limit]


def asset_by_id(rows: QuerySet[M], number: int) -> M | None:
    return rows.filter(pk=min(number, datatype_keys.MAX_ID)).first()


def existing_asset(rows: QuerySet[M], number: int, kind: str) -> M:
    """Return the row with this id. Raises 702; [I] §4: its message."""
    row = asset_by_id(rows, number)
    if row is None:
        raise MarketoError("702", f"{kind} not found for id {min(number, datatype_keys.MAX_ID)}")
    return row


def folder_of(text: str) -> Folder | None:
    """Return the folder of `{"id": 12, "type": "Folder"}` or `12`; also accepts the misspelling of a public client.

    None is the root. Raises 710 if there is none.
    """
    number = folder_number(text)
    if type(number) is not int or not 0 < number <= datatype_keys.MAX_ID:
        raise MarketoError("701", f"folder is invalid: '{quoted_value(text)}'")
    if number == ROOT["id"]:
        return None
    folder = Folder.objects.filter(pk=number - FIRST_FOLDER).first()
    if folder is None:
        raise MarketoError("710", f"Parent folder not found for id {number}")
    return folder


def folder_number(text: str) -> Any:
    """Return the id in a parameter that identifies a folder; None if it contains no id."""
    try:
        parsed = json.loads(text)
        return parsed["id"] if isinstance(parsed, dict) else parsed
    except (ValueError, KeyError, RecursionError):
        match = _FOLDER_ID.search(text)
        return int(match[1]) if match else None


def folder_row(folder_id: int | None) -> dict[str, Any]:
    return {"id": ROOT["id"] if folder_id is None else FIRST_FOLDER + folder_id, "type": "Folder"}


def common_members(row: Any) -> dict[str, Any]:
    """Return the members that every asset has; without an empty description."""
    members = {"id": row.pk, "name": row.name}
    if row.description:
        members["description"] = row.description
    return members | {"createdAt": asset_timestamp(row.created_at), "updatedAt": asset_timestamp(row.updated_at)}


def page_url(call: Call, fragment: str) -> str:
    """[I] §4: return an address in Marketo's format."""
    return call.request.build_absolute_uri(f"/#{fragment}")


def with_name_error(verb: Callable[[], M], kind: str) -> M:
    """§4: return the result of `verb`; the asset API has its own error for a taken name."""
    try:
        return verb()
    except RejectedError as refusal:
        if refusal.code == Code.NAME_TAKEN:
            raise MarketoError("709", f"{kind} with the same name already exists") from None
        raise


def _moment(call: Call, name: str) -> datetime | None:
    text = call.parameters.text(name)
    try:
        return parse_moment(text) if text else None
    except BadValueError:
        raise invalid_value(text, "Datetime") from None


def no_assets(call: Call, **_arguments: Any) -> HttpResponse:
    """§4: return an empty list: resources that the product lacks and that clients read when they start."""
    call.parameters.window()
    return assets_reply([])
