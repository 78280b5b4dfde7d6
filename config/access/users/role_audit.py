"""Which roles and rights somebody got or lost, as audit entries."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy

from people.core import audit

NOTHING = "–"

audit.describe(
    {
        "roles_changed": (2, gettext_lazy("Roles and rights: given %(given)s, taken %(taken)s")),
        "superuser_given": (2, gettext_lazy("Made a superuser")),
        "superuser_taken": (2, gettext_lazy("Is no superuser any more")),
        "deactivated": (2, gettext_lazy("Deactivated")),
        "activated": (2, gettext_lazy("Activated again")),
    }
)
# what a form's field says before and after: what that is called
FLAGS = {
    "is_superuser": {True: "superuser_given", False: "superuser_taken"},
    "is_active": {True: "activated", False: "deactivated"},
}


def note_changes(user: Any, before: Mapping[str, Any], by: Any) -> None:
    """Leave entries of how roles and rights of `user` differ from `before`, a form's first values; none: a new user."""
    had = _names(before.get("groups", ())) | _names(before.get("user_permissions", ()))
    has = _names(user.groups.all()) | _names(user.user_permissions.all())
    if had != has:
        given, taken = (", ".join(sorted(names)) or NOTHING for names in (has - had, had - has))
        audit.note(by, user, "roles_changed", given=given, taken=taken)
    for field, actions in FLAGS.items():
        now = getattr(user, field)
        if now != before.get(field, now):  # a field that the form did not have stays as it was
            audit.note(by, user, actions[now])


def _names(granted: Iterable[Any]) -> set[str]:
    """Roles by their names, rights as "people.view_person"."""
    return {f"{one.content_type.app_label}.{one.codename}" if hasattr(one, "codename") else one.name for one in granted}
