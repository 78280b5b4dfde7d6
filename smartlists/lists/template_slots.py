"""Slots of templates of smart lists and campaigns: types, fields and lists that their user chooses.

A slot offers what exists and proposes what its name suggests; a template is filled only where every slot has a value.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from activities.models import FIRST_CUSTOM_ID
from smartlists.catalog import Catalogue
from smartlists.rules.model import EXCLUDE_BOTS, INCLUDE_BOTS
from smartlists.rules.vocabulary import VocabularyType

Json = dict[str, Any]
Option = tuple[str, str]  # value and label
TYPE, NUMBER, DAY, LIST = "type", "number", "day", "list"
MAX_OPTIONS = 200


@dataclass(frozen=True, slots=True)
class Slot:
    """One choice of a template. Options whose value or label has one of `words` are proposed, the first one first.

    Without such an option the first of the team's own types is proposed if `is_any`, else nothing.
    `missing` is shown where the installation has no option.
    """

    name: str
    kind: str
    label: Any
    missing: Any
    words: tuple[str, ...] = ()
    is_any: bool = False

    def options(self, names: Catalogue) -> Sequence[Option]:
        """The choices of the slot as (value, label), the team's own first; at most `MAX_OPTIONS`."""
        return list(_OPTIONS[self.kind](names))[:MAX_OPTIONS]

    def proposed(self, names: Catalogue) -> str:
        """The value to begin with; empty for none."""
        options = self.options(names)
        texts = [(value, f"{value} {label}".casefold()) for value, label in options]
        matches = (value for word in self.words for value, text in texts if word in text)
        return next(matches, options[0][0] if self.is_any and options else "")


@dataclass(frozen=True, slots=True)
class Template:
    """A smart list or campaign to begin with: `build` returns its JSON form from the value of each slot."""

    key: str
    name: Any
    description: Any  # its purpose and users
    icon: str
    slots: tuple[Slot, ...]
    build: Callable[..., Json]


def chosen_values(slots: Iterable[Slot], names: Catalogue, chosen: Mapping[str, str]) -> Mapping[str, str] | None:
    """The value of each slot: the given one if it is an option, else the proposed one; None where one lacks."""
    values = {}
    for slot in slots:
        allowed = {value for value, _label in slot.options(names)}
        value = chosen.get(slot.name, "")
        values[slot.name] = value if value in allowed else slot.proposed(names)
    return values if all(values.values()) else None


def activity_filter(names: Catalogue, type_name: str, *constraints: Json, **more: Any) -> Json:
    """A filter on activities of a type, without those of bots where the type marks them."""
    return {"kind": "activity", "did": True, **activity_of(names, type_name, *constraints), **more}


def activity_of(names: Catalogue, type_name: str, *constraints: Json) -> Json:
    """An activity as filters, steps of sequences and triggers name it."""
    bots = EXCLUDE_BOTS if names.types[type_name].marks_bots else INCLUDE_BOTS
    return {"type": type_name, "constraints": list(constraints), **({"bots": bots} if bots != INCLUDE_BOTS else {})}


def occurred_at(operator: str, *values: str) -> Json:
    """A condition on the moment of the activity."""
    return {"field": "@occurred_at", "operator": operator, "values": list(values)}


def _offered_types(names: Catalogue) -> list[VocabularyType]:
    """Types in use: the team's own first, newest first, then the standard ones."""
    return sorted(
        (activity_type for activity_type in names.types.values() if not activity_type.is_retired),
        key=lambda activity_type: (activity_type.id < FIRST_CUSTOM_ID, -activity_type.id),
    )


def _types(names: Catalogue) -> Iterator[Option]:
    return ((activity_type.api_name, activity_type.shown_name) for activity_type in _offered_types(names))


def _numbers(names: Catalogue) -> Iterator[Option]:
    """Number fields of the team's own types, as "type.field"."""
    for activity_type in _offered_types(names):
        if activity_type.id >= FIRST_CUSTOM_ID:
            for field in activity_type.fields.values():
                if field.id and field.is_live and field.data_type.is_number:
                    yield f"{activity_type.api_name}.{field.api_name}", f"{activity_type.name}: {field.name}"


def _days(names: Catalogue) -> Iterator[Option]:
    """Person fields of dates that users enter and that can lie ahead."""
    for info in names.person_fields.values():
        if (
            info.api_name != "date_of_birth"
            and info.data_type.is_moment
            and not info.is_hidden
            and not info.is_read_only
        ):
            yield info.api_name, info.shown_label


def _lists(names: Catalogue) -> Iterator[Option]:
    for pk, name in sorted(names.smart_lists.items(), key=lambda item: item[1].casefold()):
        if pk not in names.archived_smart_lists:
            yield str(pk), name


_OPTIONS: Mapping[str, Callable[[Catalogue], Iterable[Option]]] = {
    TYPE: _types,
    NUMBER: _numbers,
    DAY: _days,
    LIST: _lists,
}
