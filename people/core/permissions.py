"""Permission checks, made by the verbs themselves whatever the channel."""

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Q
from django.utils.translation import gettext as _

from people.core.errors import NotAllowedError, Problem

MAKER: Any = object()  # for an owner: whoever makes the thing, where nobody was chosen; None is nobody


def owner_of(by: Any, chosen: Any = MAKER) -> Any:
    """Whose a thing is that `by` makes: who was `chosen`, else the maker's; a program's things are its owner's."""
    return (getattr(by, "owner", None) or by) if chosen is MAKER else chosen


def require(by: Any, permission: str) -> None:
    """Raise `NotAllowedError`, naming the missing right, unless user `by` has "app.codename".

    None stands for the operator at the command line and for the system itself, who may do everything.
    """
    if by is None or by.has_perm(permission):
        return
    app, codename = permission.split(".")
    right = Permission.objects.filter(content_type__app_label=app, codename=codename).first()
    message = _("This needs the right “%(right)s”.") % {"right": _(right.name) if right else permission}
    raise NotAllowedError(Problem("not_allowed", message, (), permission))


def own_or_all(by: Any, right_to_others: str) -> Q:
    """Condition on rows with a `user`: those of `by` and of the API clients of `by`; with the right, everybody's."""
    if by is None or by.has_perm(right_to_others):
        return Q()
    return Q(user=by.pk) | Q(user__owner=by.pk)
