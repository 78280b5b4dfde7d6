"""The rights that clients and tokens can be given, as a form offers them."""

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

from config.access.clients.editing import DEFAULT_RIGHTS, OWN_APPS
from config.access.users.roles import ROLES

# what Django's own rights say, which it names in English only
VERBS = {
    "view": gettext_lazy("See %(things)s"),
    "add": gettext_lazy("Add %(things)s"),
    "change": gettext_lazy("Change %(things)s"),
    "delete": gettext_lazy("Delete %(things)s"),
}

# what somebody would give a program; the rights of tables that only the product itself writes are left out
OFFERED = frozenset(DEFAULT_RIGHTS).union(*ROLES.values(), {"people.export_person", "people.erase_person"})


def groups(user: Any) -> list[tuple[str, list[tuple[str, str]]]]:
    """The rights that `user` has, app by app: (title, [("app.codename", label), …])."""
    found: dict[str, list[tuple[str, str]]] = {app: [] for app in OWN_APPS}
    for right, row in _rows().items():
        if right in OFFERED and user.has_perm(right):
            found[row.content_type.app_label].append((right, label(row)))
    return [(str(apps.get_app_config(app).verbose_name), rights) for app, rights in found.items() if rights]


def offered_rows() -> Q:
    """Condition on the rows of the rights that somebody would give."""
    conditions = (
        Q(content_type__app_label=app, codename=name) for app, name in (right.split(".") for right in OFFERED)
    )
    return reduce(or_, conditions)


def names(wanted: Sequence[str]) -> dict[str, str]:
    """Those of the rights `wanted` ("app.codename") that there are, each in the reader's words."""
    codenames = [right.partition(".")[2] for right in wanted]
    rows = {_name(row): row for row in _own_permissions().filter(codename__in=codenames)}
    return {right: label(rows[right]) for right in wanted if right in rows}


def _own_permissions() -> QuerySet[Permission]:
    return Permission.objects.select_related("content_type").filter(content_type__app_label__in=OWN_APPS)


def _name(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"


def _rows() -> dict[str, Permission]:
    """Every right of ours by its name, those about one thing together, seeing first."""
    verbs = list(VERBS)

    def place(row: Permission) -> tuple[str, int]:
        verb = row.codename.partition("_")[0]
        return row.content_type.model, verbs.index(verb) if verb in verbs else len(verbs)

    return {_name(row): row for row in sorted(_own_permissions(), key=place)}


def label(permission: Permission) -> str:
    """A right in the reader's words: "Delete static lists"."""
    verb, _underscore, name = permission.codename.partition("_")
    model = permission.content_type.model_class()
    if verb in VERBS and model is not None and name == model._meta.model_name:
        return str(VERBS[verb]) % {"things": model._meta.verbose_name_plural}
    return _(permission.name)


class RightsField(forms.MultipleChoiceField):
    """Tick boxes of what `user` may give, those of `chosen` that they may not give among them, ticked."""

    def __init__(self, user: Any, chosen: Sequence[str], **options: Any) -> None:
        self.groups = groups(user)
        offered = {right for _title, rights in self.groups for right, _label in rights}
        kept = [(right, label(row)) for right, row in _rows().items() if right in {*chosen} - offered]
        if kept:
            self.groups.append((_("Others"), kept))
        choices = [choice for _title, rights in self.groups for choice in rights]
        super().__init__(choices=choices, initial=[*chosen], widget=forms.CheckboxSelectMultiple, **options)
