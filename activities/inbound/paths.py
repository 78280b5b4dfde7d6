"""Places of values in the content of a call: paths of names and numbers, and the leaves that a mapping can choose.

A path is a list of steps: a name for an object, a number for a list, and once at most `EACH` for every entry of a list,
each of which becomes an activity of its own.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from people.core.errors import quoted_value

EACH = None
Step = str | int | None
Path = Sequence[Step]
MAX_STEPS, MAX_STEP = 30, 255
MAX_LEAVES = 400
MAX_SHOWN = 120
SEPARATOR = " › "


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of a sample that can be chosen. `key`: the path as JSON text, for forms."""

    path: tuple[Step, ...]
    value: Any

    @property
    def key(self) -> str:
        return path_key(self.path)

    @property
    def label(self) -> str:
        return path_label(self.path)

    @property
    def shown(self) -> str:
        return quoted_value(self.value, MAX_SHOWN)


def path_key(path: Path) -> str:
    return json.dumps(list(path))


def path_label(path: Path) -> str:
    """The path in words, step by step, different for different paths; `EACH` and numbers of entries have own words."""
    return SEPARATOR.join(_step_label(step) for step in path)


def _step_label(step: Step) -> str:
    if step is EACH:
        return _("each")
    if isinstance(step, int):
        return _("no. %(number)s") % {"number": step + 1}
    return json.dumps(step) if _is_ambiguous(step) else step


def _is_ambiguous(name: str) -> bool:
    """True for a name that would read as something else, or not be read back: it is shown as JSON text."""
    reads_as_number = re.escape(_("no. %(number)s") % {"number": 0}).replace("0", r"\d+")
    return (
        name != name.strip()
        or quoted_value(name) != name
        or name.startswith('"')
        or SEPARATOR.strip() in name
        or name in ("", _("each"))
        or re.fullmatch(reads_as_number, name) is not None
    )


def is_path(value: Any) -> bool:
    """True for a list of steps with at most one `EACH`."""
    return (
        isinstance(value, list)
        and 0 < len(value) <= MAX_STEPS
        and all(step is EACH or (type(step) is int and step >= 0) or _is_name(step) for step in value)
        and sum(step is EACH for step in value) <= 1
    )


def _is_name(step: Any) -> bool:
    return isinstance(step, str) and len(step) <= MAX_STEP


def value_at(content: Any, path: Path) -> Any:
    """The value at a path without `EACH`; None where there is none."""
    for step in path:
        if isinstance(step, str) and isinstance(content, dict):
            content = content.get(step)
        elif isinstance(step, int) and isinstance(content, list) and step < len(content):
            content = content[step]
        else:
            return None
    return content


def split_at_each(path: Path) -> tuple[tuple[Step, ...] | None, tuple[Step, ...]]:
    """The list's path and the path in each entry; None and the whole path where nothing is repeated."""
    steps = tuple(path)
    if EACH not in steps:
        return None, steps
    place = steps.index(EACH)
    return steps[:place], steps[place + 1 :]


def leaves_of(contents: Iterable[Any]) -> list[Leaf]:
    """The values of several calls that can be chosen: each path once, with its first value, in the order of calls."""
    leaves: dict[str, Leaf] = {}
    for content in contents:
        for path, value in _walk(content, ()):
            if len(leaves) >= MAX_LEAVES:
                return list(leaves.values())
            leaf = Leaf(path, value)
            if leaf.key not in leaves or leaves[leaf.key].value in (None, ""):
                leaves[leaf.key] = leaf
    return list(leaves.values())


def _walk(value: Any, path: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], Any]]:
    if len(path) >= MAX_STEPS:
        return
    if isinstance(value, dict):
        for name, member in value.items():
            if _is_name(name):
                yield from _walk(member, (*path, name))
    elif isinstance(value, list):
        if value and EACH not in path:
            yield from _walk(value[0], (*path, EACH))
        if value:
            yield from _walk(value[0], (*path, 0))
    else:
        yield path, value
