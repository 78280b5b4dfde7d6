"""The rights of clients and tokens, as forms offer them."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

from django import forms
from django.apps import apps
from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.rights import RECORD_STANDARD_ACTIVITY
from config.access.clients.editing import DEFAULT_RIGHTS, OWN_APPS
from config.access.roles import ROLES
from people.rights import ERASE_PERSON, EXPORT_PERSON

# labels of Django's own rights, which it names in English only
VERBS = {
    "view": gettext_lazy("See %(things)s"),
    "add": gettext_lazy("Add %(things)s"),
    "change": gettext_lazy("Change %(things)s"),
    "delete": gettext_lazy("Delete %(things)s"),
}

# the rights offered for programs; those of tables that only the product itself writes are left out
OFFERED = frozenset(DEFAULT_RIGHTS).union(*ROLES.values(), {EXPORT_PERSON, ERASE_PERSON, RECORD_STANDARD_ACTIVITY})


def rights_by_app(user: Any) -> list[tuple[str, list[tuple[str, str]]]]:
    """The offered rights that `user` has, by app: (title, [("app.codename", label), …])."""
    by_app: dict[str, list[tuple[str, str]]] = {app: [] for app in OWN_APPS}
    for right, row in _rows().items():
        if right in OFFERED and user.has_perm(right):
            by_app[row.content_type.app_label].append((right, right_label(row)))
    return [(str(apps.get_app_config(app).verbose_name), rights) for app, rights in by_app.items() if rights]


def offered_rights_condition() -> Q:
    """Condition on the rows of the offered rights."""
    conditions = (
        Q(content_type__app_label=app, codename=name) for app, name in (right.split(".") for right in OFFERED)
    )
    return reduce(or_, conditions)


def right_labels(requested: Sequence[str]) -> dict[str, str]:
    """The labels of those rights of `requested` ("app.codename") that exist, in the reader's language."""
    codenames = [right.partition(".")[2] for right in requested]
    rows = {_name(row): row for row in _own_permissions().filter(codename__in=codenames)}
    return {right: right_label(rows[right]) for right in requested if right in rows}


def _own_permissions() -> QuerySet[Permission]:
    return Permission.objects.select_related("content_type").filter(content_type__app_label__in=OWN_APPS)


def _name(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"


def _rows() -> dict[str, Permission]:
    """All rights of the product by name, grouped by model, viewing first."""
    verbs = list(VERBS)

    def place(row: Permission) -> tuple[str, int]:
        verb = row.codename.partition("_")[0]
        return row.content_type.model, verbs.index(verb) if verb in verbs else len(verbs)

    return {_name(row): row for row in sorted(_own_permissions(), key=place)}


def right_label(permission: Permission) -> str:
    """The label of a right in the reader's language: "Delete static lists"."""
    verb, _underscore, name = permission.codename.partition("_")
    model = permission.content_type.model_class()
    if verb in VERBS and model is not None and name == model._meta.model_name:
        return str(VERBS[verb]) % {"things": model._meta.verbose_name_plural}
    return _(permission.name)


class RightsField(forms.MultipleChoiceField):
    """Check boxes of the rights that `user` may give, and of further ones in `chosen`, which stay checked."""

    def __init__(self, user: Any, chosen: Sequence[str], **options: Any) -> None:
        self.groups = rights_by_app(user)
        offered = {right for _title, rights in self.groups for right, _label in rights}
        others = [(right, right_label(row)) for right, row in _rows().items() if right in {*chosen} - offered]
        if others:
            self.groups.append((_("Others"), others))
        choices = [choice for _title, rights in self.groups for choice in rights]
        super().__init__(choices=choices, initial=[*chosen], widget=forms.CheckboxSelectMultiple, **options)
