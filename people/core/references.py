"""Uses of an object: reference rows that protect it, found through the models themselves."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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


UsersOf = Callable[[Sequence[Any]], Iterable[Model]]  # the users of several objects of one class
# by the class of the used object: upper apps that keep its name, without a foreign key, and look rows up by its values
_KEY_USES: dict[type[Model], list[UsersOf]] = defaultdict(list)
# by the class of the used object: upper apps whose definitions or texts name it, without a foreign key
_NAMED_USES: dict[type[Model], list[UsersOf]] = defaultdict(list)


def register_key_uses(used: type[Model], users_of: UsersOf) -> None:
    """Register the objects that look rows up by the values of a `used` object, which must stay unique for them."""
    if users_of not in _KEY_USES[used]:
        _KEY_USES[used].append(users_of)


def register_named_uses(used: type[Model], users_of: UsersOf) -> None:
    """Register the objects whose definitions or texts name a `used` object: it can't go as long as they do."""
    if users_of not in _NAMED_USES[used]:
        _NAMED_USES[used].append(users_of)


def key_uses_of(*things: Model) -> list[ObjectUse]:
    """All registered objects that look rows up by the values of any of `things`, by kind and name."""
    return _registered_uses(_KEY_USES, things)


def _registered_uses(registry: Mapping[type[Model], list[UsersOf]], things: Iterable[Model]) -> list[ObjectUse]:
    users = [
        user for model, used in _by_class(things) for users_of in registry.get(model, ()) for user in users_of(used)
    ]
    uses = [ObjectUse(str(user._meta.verbose_name), str(user), user) for user in users]
    return sorted(uses, key=lambda use: (use.kind, use.name.lower()))


def _by_class(things: Iterable[Model]) -> Iterable[tuple[type[Model], list[Model]]]:
    """The things by their class: their users are read with as few statements for many as for one."""
    by_class: dict[type[Model], list[Model]] = defaultdict(list)
    for used in things:
        by_class[type(used)].append(used)
    return by_class.items()


def uses_of(*things: Model) -> list[ObjectUse]:
    """All objects that use any of `things`, each once, by kind and name.

    A model takes part by a reference row with a foreign key to the used object (`on_delete=PROTECT`) and a
    property `used_by` that returns the using object as users see it (a smart list, a campaign); or by
    `register_key_uses` or `register_named_uses`, where it names the used object in a definition or text.
    """
    registered = [*key_uses_of(*things), *_registered_uses(_NAMED_USES, things)]
    uses = {(use.user._meta.label, use.user.pk): use for use in registered}
    for used_model, used in _by_class(things):
        for relation in used_model._meta.related_objects:
            model = relation.related_model
            if relation.on_delete is not PROTECT or not hasattr(model, "used_by"):
                continue
            for row in model._default_manager.filter(**{f"{relation.field.name}__in": used}):
                user = row.used_by
                uses[(user._meta.label, user.pk)] = ObjectUse(str(user._meta.verbose_name), str(user), user)
    return sorted(uses.values(), key=lambda use: (use.kind, use.name.lower()))


def refuse_if_used(*things: Model) -> None:
    """Raise `RejectedError` naming the users of any of `things`, if there are any."""
    _refuse(uses_of(*things))


def refuse_if_key(*things: Model) -> None:
    """Raise `RejectedError` naming the objects that look rows up by the values of any of `things`, if there are any."""
    _refuse(key_uses_of(*things))


def _refuse(uses: list[ObjectUse]) -> None:
    if uses:
        names = ", ".join(str(use) for use in uses)
        message = _("It is in use by %(users)s. Remove it there first.") % {"users": names}
        raise RejectedError(Problem(Code.IN_USE, message, (), "", names))
