"""Actions on a whole object: one menu on the page of each, always in the same order."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core.admin.base import show_page
from people.core.errors import RejectedError
from people.rights import VIEW_STATICLIST

LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class MenuAction:
    """An entry of the menu: a link, or a button that posts."""

    label: Any
    url: str
    is_posted: bool = False
    hint: Any = ""
    is_dangerous: bool = False


def action_menu(
    *own: MenuAction,
    duplicate: str = "",
    place: str = "",
    export: tuple[MenuAction, ...] = (),
    archive: str = "",
    is_archived: bool = False,
    dangerous: tuple[MenuAction, ...] = (),
    delete: str = "",
) -> list[MenuAction]:
    """The entries in their order: those of this kind of object, then the shared ones.

    An empty address means an action that the user has no right to, or that this kind of object does not have.
    """
    shared = [
        (duplicate, MenuAction(_("Duplicate"), duplicate)),
        (place, MenuAction(_("Move to folder"), f"{place}#id_folder")),
        (place, MenuAction(_("Change owner"), f"{place}#id_owner")),
        *((action.url, action) for action in export),
        (archive, MenuAction(_("Unarchive") if is_archived else _("Archive"), archive, is_posted=True)),
        *((action.url, action) for action in dangerous),
        (delete, MenuAction(_("Delete…"), delete, is_dangerous=True)),
    ]
    return [*own, *(action for url, action in shared if url)]


def folder_actions(request: HttpRequest) -> list[MenuAction]:
    """The actions of lists of what lies in folders."""
    if not request.user.has_perm(VIEW_STATICLIST):
        return []
    return [MenuAction(_("Folders"), reverse("admin:people_staticlist_folders"))]


def show_undoable_message(request: HttpRequest, text: Any, undo: str) -> None:
    """Show a success message with a button that undoes the change by a POST to `undo`."""
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
    """Confirmation of a deletion by typing the name of the object."""

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


def duplicate_page(request: HttpRequest, row: Any, copy: Callable[[str], Any]) -> HttpResponse:
    """Page that requests the name of a copy of `row`; a POST calls `copy`, which may raise `RejectedError`."""
    form = DuplicateForm(request.POST or None, row.name)
    if request.method == "POST" and form.is_valid():
        try:
            duplicate = copy(form.cleaned_data["name"])
        except RejectedError as refusal:
            form.add_error("name", str(refusal))
        else:
            messages.success(request, _("Copied."))
            return redirect(f"{_stem(row)}_change", duplicate.pk)
    return _question(request, row, _("Duplicate %(name)s") % {"name": row}, form=form, button=_("Duplicate"))


def delete_page(request: HttpRequest, row: Any, delete: Callable[[], Any], **context: Any) -> HttpResponse:
    """Page that explains the deletion of `row`; a POST with the row's name calls `delete`.

    `context` has the `consequence`, the label of the `button`, and the `uses` of the row.
    """
    form = ConfirmForm(request.POST or None, row.name)
    if request.method == "POST" and form.is_valid():
        try:
            delete()
        except RejectedError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Deleted."))
            return redirect(f"{_stem(row)}_changelist")
    title = _("Delete %(name)s?") % {"name": row}
    return _question(request, row, title, form=form, is_dangerous=True, **context)


def _question(request: HttpRequest, row: Any, title: str, **context: Any) -> HttpResponse:
    back = reverse(f"{_stem(row)}_change", args=[row.pk])
    return show_page(request, type(row), "components/question.html", title, original=row, back=back, **context)


def _stem(row: Any) -> str:
    """The common prefix of the URL names of the row's pages."""
    return f"admin:{row._meta.app_label}_{row._meta.model_name}"
