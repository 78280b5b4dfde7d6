"""Nobody gives, changes or takes over more than they may do themselves: users and roles within somebody's rights."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet


def own_rights(user: Any) -> QuerySet[Permission]:
    """The rights of somebody who is no superuser, as rows."""
    return Permission.objects.filter(Q(user=user) | Q(group__user=user))


def roles_within(user: Any) -> QuerySet[Group]:
    """The roles that hold no right which `user` has not."""
    if user.is_superuser:
        return Group.objects.all()
    beyond = Permission.objects.exclude(pk__in=own_rights(user).values("pk"))
    return Group.objects.exclude(permissions__in=beyond)


def is_within(user: Any, other: Any) -> bool:
    """Whether `other` may do nothing that `user` may not do."""
    if user.is_superuser:
        return True
    # those that are granted: Django says of somebody inactive that they may do nothing
    beyond = own_rights(other).exclude(pk__in=own_rights(user).values("pk"))
    return not other.is_superuser and not beyond.exists()
