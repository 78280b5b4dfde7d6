"""May somebody do this? Asked by the verbs themselves, whatever the door."""

from typing import Any

from django.contrib.auth.models import Permission
from django.utils.translation import gettext as _

from people.core.errors import NotAllowed, Problem

MAKER: Any = object()  # for an owner: whoever makes the thing, where nobody was chosen; None is nobody


def owner_of(by: Any, chosen: Any = MAKER) -> Any:
    """Whose a thing is that `by` makes: who was `chosen`, else the maker's; a program's things are its owner's."""
    return (getattr(by, "owner", None) or by) if chosen is MAKER else chosen


def require(by: Any, permission: str) -> None:
    """Raise `NotAllowed`, naming the missing right, unless user `by` has "app.codename".

    None stands for the operator at the command line and for the system itself, who may do everything.
    """
    if by is None or by.has_perm(permission):
        return
    app, codename = permission.split(".")
    right = Permission.objects.filter(content_type__app_label=app, codename=codename).first()
    message = _("This needs the right “%(right)s”.") % {"right": _(right.name) if right else permission}
    raise NotAllowed(Problem("not_allowed", message, (), permission))
