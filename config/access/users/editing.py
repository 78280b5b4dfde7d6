"""Change of a user's data and roles."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.translation import gettext as _

from config.access.models import User
from config.access.rights import CHANGE_USER
from config.access.users import limits, role_audit
from config.access.users.addresses import refuse_taken_address
from people.core import audit
from people.core.codes import Code
from people.core.errors import NotAllowedError, Problem
from people.core.permissions import require_permission

CHANGE = CHANGE_USER
FIELDS = ("username", "first_name", "last_name", "email", "language")


def is_access_wider(user: Any, groups: Iterable[Group], email: str) -> bool:
    """Return whether a change gives access that `user` lacks: a role, or an address that a provider may vouch for."""
    return email != user.email or not {group.pk for group in groups} <= set(user.groups.values_list("pk", flat=True))


@transaction.atomic
def change_user(user: Any, by: Any, groups: Iterable[Group], **values: str) -> Any:
    """Set exactly the roles `groups` and the validated `values` of FIELDS.

    Raises `NotAllowedError` if `user` has more rights than `by`, or would have them afterwards, and `RejectedError`
    (`name_taken`) for another user's address.
    """
    require_permission(by, CHANGE)
    locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    before, group_ids = list(locked.groups.all()), {group.pk for group in groups}
    added = group_ids - {group.pk for group in before}
    if by is not None and not limits.has_rights_of(by, locked):
        message = _("%(name)s can do more than you.") % {"name": locked.get_username()}
        raise NotAllowedError(Problem(Code.NOT_ALLOWED, message, (), CHANGE))
    if by is not None and added - set(limits.roles_grantable_by(by).filter(pk__in=added).values_list("pk", flat=True)):
        message = _("You can't give a role that can do more than you.")
        raise NotAllowedError(Problem(Code.NOT_ALLOWED, message, ("role",), CHANGE))
    changed = [name for name in FIELDS if name in values and getattr(locked, name) != values[name]]
    if "email" in changed:
        refuse_taken_address(values["email"], locked)
    for name in changed:
        setattr(locked, name, values[name])
    if changed:
        locked.save(update_fields=changed)
        audit.write_audit_entry(by, locked, "changed", what=", ".join(changed))
    locked.groups.set(group_ids)
    rights = list(locked.user_permissions.all())
    role_audit.note_role_changes(locked, {"groups": before, "user_permissions": rights}, by)
    return locked
