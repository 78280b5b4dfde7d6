"""Users and roles within a user's own rights: no user gives, changes or takes over more than these."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet


def granted_rights(user: Any) -> QuerySet[Permission]:
    """The rights of a user who is no superuser, as rows."""
    return Permission.objects.filter(Q(user=user) | Q(group__user=user))


def roles_grantable_by(user: Any) -> QuerySet[Group]:
    """The roles whose rights `user` has all."""
    if user.is_superuser:
        return Group.objects.all()
    beyond = Permission.objects.exclude(pk__in=granted_rights(user).values("pk"))
    return Group.objects.exclude(permissions__in=beyond)


def has_rights_of(user: Any, other: Any) -> bool:
    """Return whether `user` has every right of `other`."""
    if user.is_superuser:
        return True
    # the granted rows: `has_perm` is always false for an inactive user
    beyond = granted_rights(other).exclude(pk__in=granted_rights(user).values("pk"))
    return not other.is_superuser and not beyond.exists()
