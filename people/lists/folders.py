"""Folders: one tree for lists, activity types and campaigns."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from people.core import audit
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.models import Folder
from people.core.permissions import require_permission
from people.datatypes import naming
from people.rights import ADD_FOLDER, CHANGE_FOLDER, DELETE_FOLDER

MAX_DEPTH = 8


@transaction.atomic
def create_folder(name: Any, by: Any, parent: Folder | None = None) -> Folder:
    """Create an empty folder. Raises `RejectedError` (`missing_value`, `name_taken`, `too_deep`), `NotAllowedError`."""
    require_permission(by, ADD_FOLDER)
    if parent is not None and len(folder_path(parent)) >= MAX_DEPTH:
        message = _("Folders can be nested at most %(limit)s deep.") % {"limit": MAX_DEPTH}
        raise RejectedError(Problem(Code.TOO_DEEP, message, ("parent",)))
    folder = Folder(name=naming.parse_name(name), parent=parent)
    _save(folder)
    audit.write_audit_entry(by, folder, "created")
    return folder


@transaction.atomic
def rename_folder(folder: Folder, by: Any, name: Any) -> Folder:
    """Rename the folder; its contents stay in it."""
    require_permission(by, CHANGE_FOLDER)
    folder.name = naming.parse_name(name)
    _save(folder)
    audit.write_audit_entry(by, folder, "changed", what="name")
    return folder


@transaction.atomic
def delete_folder(folder: Folder, by: Any) -> None:
    """Delete an empty folder. Raises `RejectedError` (`not_empty`, naming its contents), `NotAllowedError`."""
    require_permission(by, DELETE_FOLDER)
    folder = Folder.objects.select_for_update().get(pk=folder.pk)
    inside = [
        str(content)
        for relation in folder._meta.related_objects
        for content in relation.related_model._default_manager.filter(**{relation.field.name: folder})[:5]
    ]
    if inside:
        message = _("The folder is not empty: %(inside)s. Move that elsewhere first.") % {"inside": ", ".join(inside)}
        raise RejectedError(Problem(Code.NOT_EMPTY, message))
    audit.write_audit_entry(by, folder, "deleted")
    folder.delete()


def folder_path(folder: Folder) -> list[Folder]:
    """The folder and its ancestors, the outermost first."""
    steps = [folder]
    while steps[0].parent is not None:
        steps.insert(0, steps[0].parent)
    return steps


def folder_tree() -> list[tuple[str, Folder]]:
    """Every folder with its full path as text ("Sales / 2026"), sorted by path; one statement."""
    folders = {folder.pk: folder for folder in Folder.objects.all()}

    def path_of(folder: Folder) -> str:
        parent = folders.get(folder.parent_id) if folder.parent_id else None
        return f"{path_of(parent)} / {folder.name}" if parent else folder.name

    return sorted(((path_of(folder), folder) for folder in folders.values()), key=lambda row: row[0].lower())


def _save(folder: Folder) -> None:
    with naming.refuse_taken_name("folder_name_is_unique", _("There is already a folder of this name here.")):
        folder.save()
