"""Saved views of the list of people: private ones of a user, and shared ones."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core import audit
from people.core.codes import Code
from people.core.errors import NotAllowedError, Problem, RejectedError
from people.core.permissions import require_permission
from people.core.personal_data import Erasing, stored_text_forms
from people.datatypes import naming
from people.directory import columns as directory_columns
from people.directory.filters import MAX_FILTERS
from people.directory.query import PeopleQuery
from people.fields import catalog
from people.models import PeopleListSettings, PeopleView
from people.rights import SHARE_PEOPLEVIEW, VIEW_PERSON

VIEW = VIEW_PERSON
SHARE = SHARE_PEOPLEVIEW
MOST_VIEWS = 50  # of one user

audit.register_actions(
    {
        "view_shared": (2, gettext_lazy("Shared with everybody who sees people")),
        "view_unshared": (2, gettext_lazy("Shared no longer")),
        "handed_over": (2, gettext_lazy("Handed over to %(owner)s")),
    }
)


def views_of_user(by: Any) -> list[PeopleView]:
    """The user's own views and those shared with them, by name; at most 200."""
    rows = PeopleView.objects.filter(Q(owner=by) | Q(is_shared=True)).select_related("owner")
    return list(rows.order_by(Lower("name"), "pk")[:200])


@transaction.atomic
def create_view(
    name: Any, query: PeopleQuery, columns: Sequence[str], by: Any, *, is_shared: bool = False
) -> PeopleView:
    """Save a view under a name that no other view of the user has.

    Raises `RejectedError` (`missing_value`, `name_taken`, `unknown_column`, `too_many_values`), `NotAllowedError`.
    """
    require_permission(by, VIEW)
    if is_shared:
        require_permission(by, SHARE)
    view = PeopleView(owner=by, name=naming.parse_name(name), is_shared=is_shared)
    _set_content(view, query, columns, by)
    if PeopleView.objects.filter(owner=by).count() >= MOST_VIEWS:
        message = _("At most %(limit)s views can be kept.") % {"limit": MOST_VIEWS}
        raise RejectedError(Problem(Code.TOO_MANY_VALUES, message, ("name",)))
    _save(view)
    audit.write_audit_entry(by, view, "created")
    return view


@transaction.atomic
def change_view(
    view: PeopleView,
    by: Any,
    *,
    name: Any = None,
    is_shared: bool | None = None,
    query: PeopleQuery | None = None,
    columns: Sequence[str] | None = None,
) -> PeopleView:
    """Rename, share or unshare a view, or replace what it shows; None leaves a part unchanged.

    Raises as `create_view` does, and `NotAllowedError` for another user's view without the right to share.
    """
    view = _lock(view, by)
    before = (view.name, view.is_shared, view.query, view.columns)
    if is_shared is not None and is_shared != view.is_shared:
        require_permission(by, SHARE)
        view.is_shared = is_shared
    if name is not None:
        view.name = naming.parse_name(name)
    if query is not None or columns is not None:
        _set_content(view, query or PeopleQuery.load(view.query), view.columns if columns is None else columns, by)
    if before == (view.name, view.is_shared, view.query, view.columns):
        return view
    _save(view)
    if not view.is_shared:
        PeopleListSettings.objects.filter(default_view=view).exclude(user=view.owner_id).update(default_view=None)
    _write_entries(view, by, before)
    return view


def _write_entries(view: PeopleView, by: Any, before: tuple[str, bool, Any, Any]) -> None:
    name, is_shared, *content = before
    if view.name != name:
        audit.write_audit_entry(by, view, "changed", what="name")
    if view.is_shared != is_shared:
        audit.write_audit_entry(by, view, "view_shared" if view.is_shared else "view_unshared")
    if content != [view.query, view.columns]:
        audit.write_audit_entry(by, view, "changed", what="filters, columns")


@transaction.atomic
def delete_view(view: PeopleView, by: Any) -> None:
    """Delete a view. Raises `RejectedError` (`unknown_name`), `NotAllowedError` as `change_view` does."""
    view = _lock(view, by)
    audit.write_audit_entry(by, view, "deleted")
    view.delete()


@transaction.atomic
def hand_over_view(view: PeopleView, owner: Any, by: Any) -> None:
    """Make another user the owner of a shared view; a number is added to a name that this user has in use."""
    view = PeopleView.objects.select_for_update(of=("self",)).get(pk=view.pk)
    taken_names = PeopleView.objects.filter(owner=owner).values_list("name", flat=True)
    view.owner, view.name = owner, naming.numbered_name(view.name, taken_names, " {}")
    _save(view)
    audit.write_audit_entry(by, view, "handed_over", owner=owner.get_username())


def may_change_view(view: PeopleView, by: Any) -> bool:
    """True for the owner, and for users with the right to share where the view is shared."""
    return view.owner_id == by.pk or (view.is_shared and by.has_perm(SHARE))


def people_list_settings(by: Any) -> PeopleListSettings:
    """The user's settings of the list, saved or not; with the default view unless it is shared no longer."""
    settings = PeopleListSettings.objects.select_related("default_view").filter(user=by).first()
    return settings or PeopleListSettings(user=by)


def set_default_view(view: PeopleView | None, by: Any) -> None:
    """Make `view` the one that the list opens with; None: all people."""
    require_permission(by, VIEW)
    PeopleListSettings.objects.update_or_create(user=by, defaults={"default_view": view})


def set_own_columns(columns: Sequence[str] | None, by: Any) -> None:
    """Keep the user's columns; None: the standard ones. Raises `RejectedError` as `create_view` does."""
    require_permission(by, VIEW)
    checked = None if columns is None else directory_columns.parse_columns(columns, catalog.field_catalogue(), by)
    PeopleListSettings.objects.update_or_create(user=by, defaults={"columns": checked})


def erase_from_views(erasing: Erasing) -> None:
    """Remove the filters and searches that contain a text of the erased people."""
    texts = [text.lower() for text in erasing.texts if text]
    for view in PeopleView.objects.select_for_update().order_by("pk"):
        if any(form in str(view.query).lower() for form in stored_text_forms(texts)):
            view.query = query_without_texts(view.query, texts)
            view.save(update_fields=["query"])


def query_without_texts(query: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """The JSON form of a query without searches and values that contain one of `texts` (lower case)."""

    def names_somebody(text: str) -> bool:
        return any(part in text.lower() for part in texts)

    return {
        **query,
        "text": "" if names_somebody(query.get("text", "")) else query.get("text", ""),
        "filters": [part for part in query.get("filters", ()) if not names_somebody(str(part.get("value", "")))],
    }


def _set_content(view: PeopleView, query: PeopleQuery, columns: Sequence[str], by: Any) -> None:
    if len(query.filters) > MAX_FILTERS:
        message = _("At most %(limit)s filters can be combined.") % {"limit": MAX_FILTERS}
        raise RejectedError(Problem(Code.TOO_MANY_FILTERS, message, ("filters",)))
    view.query = query.dump()
    view.columns = directory_columns.parse_columns(columns, catalog.field_catalogue(), by)


def _save(view: PeopleView) -> None:
    message = _("You have a view of this name already.")
    with naming.refuse_taken_name("people_view_name_is_unique", message, got=view.name):
        view.save()


def _lock(view: PeopleView, by: Any) -> PeopleView:
    require_permission(by, VIEW)
    locked = PeopleView.objects.select_for_update(of=("self",)).select_related("owner").filter(pk=view.pk).first()
    if locked is None or not (locked.owner_id == by.pk or locked.is_shared):
        raise RejectedError(Problem(Code.UNKNOWN_NAME, _("The view is no longer there."), ("view",)))
    if not may_change_view(locked, by):
        message = _("Only %(owner)s, or somebody who may share views, can change this view.")
        raise NotAllowedError(Problem(Code.NOT_ALLOWED, message % {"owner": locked.owner.get_username()}, (), SHARE))
    return locked
