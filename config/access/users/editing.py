"""Changing what is kept of a user, and which roles they have."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.translation import gettext as _

from config.access.models import User
from config.access.users import limits, role_audit
from people.core import audit
from people.core.codes import Code
from people.core.errors import NotAllowedError, Problem
from people.core.permissions import require

CHANGE = "access.change_user"
FIELDS = ("username", "first_name", "last_name", "email", "language")


@transaction.atomic
def change(user: Any, by: Any, groups: Iterable[Group], **values: str) -> Any:
    """Give `user` exactly the roles `groups`, and the `values` of FIELDS, which were checked.

    Raises `NotAllowedError` where `user` may do more than `by`, or would afterwards.
    """
    require(by, CHANGE)
    held = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    had, wanted = list(held.groups.all()), {group.pk for group in groups}
    given = wanted - {group.pk for group in had}
    if by is not None and not limits.is_within(by, held):
        message = _("%(name)s may do more than you.") % {"name": held.get_username()}
        raise NotAllowedError(Problem(Code.NOT_ALLOWED, message, (), CHANGE))
    if by is not None and given - set(limits.roles_within(by).filter(pk__in=given).values_list("pk", flat=True)):
        message = _("You can't give a role that may do more than you.")
        raise NotAllowedError(Problem(Code.NOT_ALLOWED, message, ("role",), CHANGE))
    changed = [name for name in FIELDS if name in values and getattr(held, name) != values[name]]
    for name in changed:
        setattr(held, name, values[name])
    if changed:
        held.save(update_fields=changed)
        audit.note(by, held, "changed", what=", ".join(changed))
    held.groups.set(wanted)
    rights = list(held.user_permissions.all())
    role_audit.note_changes(held, {"groups": had, "user_permissions": rights}, by)
    return held
