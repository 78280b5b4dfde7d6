"""What can be done with a whole object: one menu on the page of each, always in the same order."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Action:
    """An entry of the menu: a link, or a button that posts."""

    label: Any
    url: str
    is_posted: bool = False
    hint: Any = ""
    is_dangerous: bool = False


def menu(
    *own: Action,
    duplicate: str = "",
    place: str = "",
    export: tuple[Action, ...] = (),
    archive: str = "",
    is_archived: bool = False,
    dangerous: tuple[Action, ...] = (),
    delete: str = "",
) -> list[Action]:
    """The entries in their order: those of this kind of object, then those that every kind may have.

    An address that is empty is an action that the reader may not take, or that this kind of object does not know.
    """
    shared = [
        (duplicate, Action(_("Duplicate"), duplicate)),
        (place, Action(_("Move to folder"), f"{place}#id_folder")),
        (place, Action(_("Change owner"), f"{place}#id_owner")),
        *((action.url, action) for action in export),
        (archive, Action(_("Take out of the archive") if is_archived else _("Archive"), archive, is_posted=True)),
        *((action.url, action) for action in dangerous),
        (delete, Action(_("Delete…"), delete, is_dangerous=True)),
    ]
    return [*own, *(action for url, action in shared if url)]


def say_undoable(request: HttpRequest, text: Any, undo: str) -> None:
    """Tell that something was done, with a button that posts to `undo` and takes it back."""
    messages.success(request, text, extra_tags=undo)


class DuplicateForm(forms.Form):
    """The name of a copy."""

    name = forms.CharField(
        label=gettext_lazy("Name of the copy"),
        max_length=LONGEST_NAME,
        widget=forms.TextInput({"class": "ca-input", "autocomplete": "off"}),
    )

    def __init__(self, data: Any, original: str) -> None:
        proposed = _("Copy of %(name)s") % {"name": original}
        super().__init__(data, initial={"name": proposed[:LONGEST_NAME]})


class ConfirmForm(forms.Form):
    """The name of what is to be deleted, typed by whoever deletes it."""

    confirm = forms.CharField(widget=forms.TextInput({"class": "ca-input", "autocomplete": "off"}))

    def __init__(self, data: Any, name: str) -> None:
        super().__init__(data)
        self.name = name
        self.fields["confirm"].label = _("Type “%(name)s” to delete it") % {"name": name}

    def clean_confirm(self) -> str:
        typed: str = self.cleaned_data["confirm"]
        if typed != self.name.strip():
            raise forms.ValidationError(_("That isn't the name. Nothing was deleted."))
        return typed
