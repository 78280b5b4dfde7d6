"""Audit entries of changes of a user's roles and rights."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy

from people.core import audit

NOTHING = "–"

audit.register_actions(
    {
        "roles_changed": (2, gettext_lazy("Roles and permissions: granted %(given)s, removed %(taken)s")),
        "superuser_given": (2, gettext_lazy("Made a superuser")),
        "superuser_taken": (2, gettext_lazy("No longer a superuser")),
        "deactivated": (2, gettext_lazy("Deactivated")),
        "reactivated": (2, gettext_lazy("Reactivated")),
    }
)
# field: its new value: the action of the entry
FLAGS = {
    "is_superuser": {True: "superuser_given", False: "superuser_taken"},
    "is_active": {True: "reactivated", False: "deactivated"},
}


def note_role_changes(user: Any, before: Mapping[str, Any], by: Any) -> None:
    """Record how roles and rights of `user` differ from `before`, a form's initial values (empty: a new user)."""
    before_names = _names(before.get("groups", ())) | _names(before.get("user_permissions", ()))
    after_names = _names(user.groups.all()) | _names(user.user_permissions.all())
    if before_names != after_names:
        added, removed = (
            ", ".join(sorted(names)) or NOTHING for names in (after_names - before_names, before_names - after_names)
        )
        audit.write_audit_entry(by, user, "roles_changed", given=added, taken=removed)
    for field, actions in FLAGS.items():
        value = getattr(user, field)
        if value != before.get(field, value):  # a field that the form did not have stays as it was
            audit.write_audit_entry(by, user, actions[value])


def _names(granted: Iterable[Any]) -> set[str]:
    """Roles by their names, rights as "people.view_person"."""
    return {f"{row.content_type.app_label}.{row.codename}" if hasattr(row, "codename") else row.name for row in granted}
