"""What the asset API's modules share: finding, paging and folders (§4), and its stubs."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpResponse

from config.marketo.wire.endpoint import Call
from config.marketo.wire.responses import MarketoError, asset_timestamp, assets, invalid
from people.core.codes import Code
from people.core.errors import RejectedError, show
from people.core.models import Folder
from people.datatypes import keys as datatype_keys
from people.datatypes.parsing import BadValueError, parse_moment

WORKSPACE = "Default"
ROOT = {"id": 1, "type": "Folder", "name": "Default"}  # [I] the one system folder: where things without a folder are
# [I] §4: our folders have Marketo's ids from here on, so that none is the root's
FIRST_FOLDER = 1_000
_FOLDER_ID = re.compile(r"""["']?id["']?\s*:\s*["']?(\d{1,9})""")

M = TypeVar("M", bound=Model)


def search(call: Call, found: QuerySet[M]) -> QuerySet[M]:
    """A page of `found`: folder, earliestUpdatedAt, latestUpdatedAt, offset and maxReturn as asked for."""
    offset, limit = call.parameters.window()
    given = call.parameters.text("folder")
    if given:
        folder = folder_of(given)
        found = found.filter(folder=folder) if folder else found.filter(folder__isnull=True)
    earliest, latest = _moment(call, "earliestUpdatedAt"), _moment(call, "latestUpdatedAt")
    if earliest and latest and latest <= earliest:
        raise MarketoError("701", "latestUpdatedAt must be after earliestUpdatedAt")
    if earliest:
        found = found.filter(updated_at__gte=earliest)
    if latest:
        found = found.filter(updated_at__lte=latest)
    return found.order_by("pk")[offset : offset + limit]


def by_id(found: QuerySet[M], number: int) -> M | None:
    return found.filter(pk=min(number, datatype_keys.MAX_ID)).first()


def existing(found: QuerySet[M], number: int, kind: str) -> M:
    """Raises 702; [I] §4: its words."""
    row = by_id(found, number)
    if row is None:
        raise MarketoError("702", f"{kind} not found for id {min(number, datatype_keys.MAX_ID)}")
    return row


def folder_of(given: str) -> Folder | None:
    """The folder that `{"id": 12, "type": "Folder"}` or `12` names, as a public client misspells it, too.

    None is the root. Raises 710 when there is none.
    """
    number = folder_number(given)
    if type(number) is not int or not 0 < number <= datatype_keys.MAX_ID:
        raise MarketoError("701", f"folder is invalid: '{show(given)}'")
    if number == ROOT["id"]:
        return None
    folder = Folder.objects.filter(pk=number - FIRST_FOLDER).first()
    if folder is None:
        raise MarketoError("710", f"Parent folder not found for id {number}")
    return folder


def folder_number(given: str) -> Any:
    """The id in a parameter that names a folder; None where there is no id in it."""
    try:
        parsed = json.loads(given)
        return parsed["id"] if isinstance(parsed, dict) else parsed
    except (ValueError, KeyError, RecursionError):
        found = _FOLDER_ID.search(given)
        return int(found[1]) if found else None


def folder_row(folder_id: int | None) -> dict[str, Any]:
    return {"id": ROOT["id"] if folder_id is None else FIRST_FOLDER + folder_id, "type": "Folder"}


def common(row: Any) -> dict[str, Any]:
    """The members that every asset has; no description when it is empty."""
    found = {"id": row.pk, "name": row.name}
    if row.description:
        found["description"] = row.description
    return found | {"createdAt": asset_timestamp(row.created_at), "updatedAt": asset_timestamp(row.updated_at)}


def page_url(call: Call, fragment: str) -> str:
    """[I] §4: an address of the form that Marketo gives."""
    return call.request.build_absolute_uri(f"/#{fragment}")


def named(verb: Callable[[], M], kind: str) -> M:
    """§4: what `verb` makes; the asset API has its own words for a name that is taken."""
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
        raise invalid(text, "Datetime") from None


def nothing(call: Call, **_arguments: Any) -> HttpResponse:
    """§4: neighbours that clients ask before they start; there are none of these here."""
    call.parameters.window()
    return assets([])
