"""Proposes a mapping from calls that came: the place of an e-mail address, of the moment, and of each field's name."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from activities.inbound.paths import Leaf
from activities.inbound.recipes import RECIPES
from activities.inbox.names import name_key
from activities.models import ActivityVersion

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s]+")
_MOMENTS = ("occurredat", "happenedat", "timestamp", "createdat", "created", "eventts", "date", "time", "at")
_WORDS = ("event", "type", "eventtype", "action", "topic", "trigger", "triggerevent")
MAX_WORDS_SHOWN = 20


def propose_definition(
    leaves: Sequence[Leaf], version: ActivityVersion | None, recipe_name: str, definition: Mapping[str, Any]
) -> dict[str, Any]:
    """The definition with what it lacks and what the values of calls show; nothing is replaced."""
    proposed = {name: value for name, value in definition.items() if value}
    person = dict(proposed.get("person") or {"field": "email", "create": False})
    if not {"path", "constant"} & person.keys() and (email := _email(leaves)):
        person["path"] = list(email.path)
    proposed["person"] = person
    if "occurred_at" not in proposed and "occurred_at" not in definition and (moment := _moment(leaves)):
        proposed["occurred_at"] = {"path": list(moment.path)}
    if version is not None:
        _propose_fields(proposed, leaves, version, recipe_name)
    return proposed


def kinds_of_calls(leaves: Sequence[Leaf]) -> Leaf | None:
    """The value that distinguishes kinds of calls, such as the name of an event; None where no call has one."""
    return next((leaf for leaf in leaves if len(leaf.path) == 1 and _last_key(leaf) in _WORDS), None)


def _email(leaves: Sequence[Leaf]) -> Leaf | None:
    emails = [leaf for leaf in leaves if isinstance(leaf.value, str) and _EMAIL.fullmatch(leaf.value.strip())]
    return next((leaf for leaf in emails if "email" in _last_key(leaf)), emails[0] if emails else None)


def _moment(leaves: Sequence[Leaf]) -> Leaf | None:
    by_key = {_last_key(leaf): leaf for leaf in reversed(leaves)}
    return next((by_key[key] for key in _MOMENTS if key in by_key), None)


def _propose_fields(
    proposed: dict[str, Any], leaves: Sequence[Leaf], version: ActivityVersion, recipe_name: str
) -> None:
    """Give each field of the type the value that is called like it."""
    by_key = {_last_key(leaf): leaf.path for leaf in reversed(leaves)}
    hundredths: set[str] = set()
    words = set(((proposed.get("when") or {}).get("values")) or ())
    for ready in RECIPES[recipe_name].mappings if recipe_name in RECIPES else ():
        if words & set(ready.words):
            by_key |= {name_key(word): tuple(path) for word, path in ready.attributes.items()}
            hundredths = {name_key(word) for word in ready.hundredths}
    attributes = dict(proposed.get("attributes") or {})
    for info in version.fields.all():
        key = next((key for key in (name_key(info.api_name), name_key(info.name)) if key in by_key), None)
        if key is None or (proposed.get("primary") if info.is_primary else info.api_name in attributes):
            continue
        origin: dict[str, Any] = {"path": list(by_key[key])}
        if key in hundredths:
            origin["hundredths"] = True
        if info.is_primary:
            proposed["primary"] = origin
        else:
            attributes[info.api_name] = origin
    proposed["attributes"] = attributes


def _last_key(leaf: Leaf) -> str:
    name = next((step for step in reversed(leaf.path) if isinstance(step, str)), "")
    return name_key(name)
