"""Folders in the asset API (§4): lists, single folders, contents. One system folder holds all others."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Min, Model, QuerySet
from django.http import HttpResponse

from config.marketo.resources.assets import FIRST_FOLDER, ROOT, WORKSPACE, folder_of, folder_row
from config.marketo.wire.endpoint import Call
from config.marketo.wire.responses import MarketoError, asset_timestamp, assets_reply
from people.core import installation
from people.core.models import Folder
from people.models import StaticList
from people.rights import VIEW_STATICLIST
from smartlists.models import SmartCampaign, SmartList
from smartlists.rights import VIEW_SMARTCAMPAIGN, VIEW_SMARTLIST

VIEW = VIEW_STATICLIST
# [I] §4: the default of `maxDepth`
DEPTH, MAX_DEPTH = 2, 20
# kinds of things in a folder by Marketo's name, each with the right to see it
CONTENTS: Mapping[str, tuple[type[Model], str]] = {
    "Static List": (StaticList, VIEW),
    "Smart List": (SmartList, VIEW_SMARTLIST),
    "Smart Campaign": (SmartCampaign, VIEW_SMARTCAMPAIGN),
}


class FolderTree:
    """All folders with their paths, read once; None stands for the system folder."""

    def __init__(self) -> None:
        self.folders = {folder.pk: folder for folder in Folder.objects.order_by("pk")}
        self.inside: dict[int | None, list[int]] = {}
        for folder in self.folders.values():
            self.inside.setdefault(folder.parent_id, []).append(folder.pk)
        self.root_created_at = _installation_created_at()

    def below(self, top: int | None, depth: int) -> list[int | None]:
        """Return `top` and its descendants down to `depth` levels, each after its parent."""
        folder_ids: list[int | None] = [top]
        level: list[int | None] = [top]
        for _step in range(depth):
            level = [pk for parent in level for pk in self.inside.get(parent, [])]
            folder_ids += level
        return folder_ids

    def row(self, folder_id: int | None) -> dict[str, Any]:
        """Return a folder. [I] §4: it has no description; the system folder's dates are the installation's creation."""
        folder = self.folders.get(folder_id) if folder_id is not None else None
        reference = folder_row(folder_id)
        return {
            "name": folder.name if folder else ROOT["name"],
            "description": None,
            "createdAt": asset_timestamp(folder.created_at if folder else self.root_created_at),
            "updatedAt": asset_timestamp(folder.updated_at if folder else self.root_created_at),
            "url": None,
            "folderId": reference,
            "folderType": "List" if folder else "Zone",
            "parent": folder_row(folder.parent_id) if folder else None,
            "path": self._path(folder),
            "isArchive": False,
            "isSystem": folder is None,
            "accessZoneId": 1,
            "workspace": WORKSPACE,
            "id": reference["id"],
        }

    def _path(self, folder: Folder | None) -> str:
        names: list[str] = []
        while folder is not None:
            names.insert(0, folder.name)
            folder = self.folders.get(folder.parent_id) if folder.parent_id else None
        return "/".join(["", str(ROOT["name"]), *names])


def _installation_created_at() -> datetime:
    """Return when the installation was set up; before that, when its first user was created."""
    created_at: datetime | None = installation.current_installation().created_at
    if created_at is None:
        created_at = get_user_model().objects.aggregate(first=Min("date_joined"))["first"]
    return created_at or datetime.fromtimestamp(0, UTC)


def list_folders(call: Call) -> HttpResponse:
    """Return a page of the folders from `root` down to `maxDepth`."""
    call.require(VIEW)
    offset, limit = call.parameters.window()
    root = call.parameters.text("root")
    top = folder_of(root) if root else None
    depth = call.parameters.numbers("maxDepth")
    tree = FolderTree()
    folder_ids = tree.below(top.pk if top else None, min(depth[0], MAX_DEPTH) if depth else DEPTH)
    return assets_reply([tree.row(folder_id) for folder_id in folder_ids[offset : offset + limit]])


def get_folder(call: Call, folder_id: int) -> HttpResponse:
    """Return the folder. [I] §4: an unknown id gives an empty result."""
    call.require(VIEW)
    tree = FolderTree()
    own_id = _own_id(folder_id)
    return assets_reply([tree.row(own_id)] if own_id is None or own_id in tree.folders else [])


def folder_by_name(call: Call) -> HttpResponse:
    """Return the oldest folder with this name, below `root` if that is given."""
    call.require(VIEW)
    name, root = call.parameters.not_blank("name"), call.parameters.text("root")
    top = folder_of(root) if root else None
    tree = FolderTree()
    rows = [tree.row(folder_id) for folder_id in tree.below(top.pk if top else None, MAX_DEPTH)]
    return assets_reply(sorted((row for row in rows if row["name"] == name), key=lambda row: row["id"])[:1])


def folder_contents(call: Call, folder_id: int) -> HttpResponse:
    """Return a page of the folders, lists and campaigns in a folder, by kind and id."""
    call.require(VIEW)
    offset, limit = call.parameters.window()
    inside, end = _own_id(folder_id), offset + limit
    if inside is not None and not Folder.objects.filter(pk=inside).exists():
        raise MarketoError("702", f"Folder not found for id {folder_id}")
    rows: list[dict[str, Any]] = [
        folder_row(pk)
        for pk in _ids(Folder.objects.filter(parent=inside), end)  # None: is null
    ]
    for word, (model, right) in CONTENTS.items():
        if call.user.has_perm(right):
            rows += [{"id": pk, "type": word} for pk in _ids(model._default_manager.filter(folder=inside), end)]
    return assets_reply(rows[offset:end])


def _ids(rows: QuerySet[Any], limit: int) -> list[int]:
    return list(rows.order_by("pk").values_list("pk", flat=True)[:limit])


def _own_id(number: int) -> int | None:
    """Return the product's id of a folder by Marketo's; None: the system folder. Other low numbers match no folder."""
    return None if number == ROOT["id"] else min(number, 2**62) - FIRST_FOLDER
