"""Uses of an object: reference rows that protect it, found through the models themselves."""

from dataclasses import dataclass

from django.db.models import PROTECT, Model
from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import Problem, RejectedError


@dataclass(frozen=True, slots=True)
class ObjectUse:
    """One object that uses another: its kind ("smart list"), its name, and the object."""

    kind: str
    name: str
    user: Model

    def __str__(self) -> str:
        return _("%(kind)s “%(name)s”") % {"kind": self.kind, "name": self.name}


def uses_of(*things: Model) -> list[ObjectUse]:
    """All objects that use any of `things`, each once, by kind and name.

    A model takes part by a reference row with a foreign key to the used object (`on_delete=PROTECT`) and a
    property `used_by` that returns the using object as users see it (a smart list, a campaign).
    """
    uses: dict[tuple[str, int], ObjectUse] = {}
    for used in things:
        for relation in used._meta.related_objects:
            model = relation.related_model
            if relation.on_delete is not PROTECT or not hasattr(model, "used_by"):
                continue
            for row in model._default_manager.filter(**{relation.field.name: used}):
                user = row.used_by
                uses[(user._meta.label, user.pk)] = ObjectUse(str(user._meta.verbose_name), str(user), user)
    return sorted(uses.values(), key=lambda use: (use.kind, use.name.lower()))


def refuse_if_used(*things: Model) -> None:
    """Raise `RejectedError` naming the users of any of `things`, if there are any."""
    uses = uses_of(*things)
    if uses:
        names = ", ".join(str(use) for use in uses)
        message = _("It is in use by %(users)s. Remove it there first.") % {"users": names}
        raise RejectedError(Problem(Code.IN_USE, message, (), "", names))
