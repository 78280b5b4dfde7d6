"""What the builder lets people choose: types, fields and lists by the names that they know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

from activities.models import FIRST_CUSTOM_ID
from people.datatypes import DataType
from smartlists.catalogue import Catalogue, Type
from smartlists.models import SmartList

RECENT, RECENT_LISTS = 6, 10


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """One field that a condition can name."""

    api_name: str
    label: str
    data_type: DataType


class Choices:
    """The choices of one page; `besides` is the smart list that is edited, which is no choice for itself."""

    def __init__(self, catalogue: Catalogue, besides: int | None = None) -> None:
        self.catalogue = catalogue
        self.besides = besides

    @cached_property
    def person_fields(self) -> Mapping[str, FieldChoice]:
        return {
            name: FieldChoice(name, info.shown_label, info.data_type)
            for name, info in self.catalogue.person_fields.items()
        }

    @cached_property
    def types(self) -> Sequence[Type]:
        """Types that have a filter: the team's own first, newest first, then the standard ones."""
        return sorted(self.catalogue.types.values(), key=lambda one: (one.id < FIRST_CUSTOM_ID, -one.id))

    @property
    def own_types(self) -> Sequence[Type]:
        return [one for one in self.types if one.id >= FIRST_CUSTOM_ID]

    @property
    def standard_types(self) -> Sequence[Type]:
        return [one for one in self.types if one.id < FIRST_CUSTOM_ID]

    def fields_of(self, type_name: str) -> Mapping[str, FieldChoice]:
        """The fields of a type, the primary one first, and the moments that every activity has."""
        found = self.catalogue.types.get(type_name)
        labels = {"@occurred_at": _("Date of activity"), "@recorded_at": _("Date recorded")}
        fields = found.fields.values() if found else ()
        return {
            field.api_name: FieldChoice(field.api_name, labels.get(field.api_name, field.name), field.data_type)
            for field in fields
        }

    @cached_property
    def static_lists(self) -> Mapping[int, str]:
        return _by_name(self.catalogue.static_lists)

    @cached_property
    def smart_lists(self) -> Mapping[int, str]:
        return _by_name({pk: name for pk, name in self.catalogue.smart_lists.items() if pk != self.besides})

    @cached_property
    def recent(self) -> Sequence[tuple[str, str]]:
        """What the lists that were changed last filter by, as choices to add; the latest first."""
        latest = SmartList.objects.filter(is_archived=False).order_by("-updated_at").values_list("rules", flat=True)
        named = {one: label for rules in latest[:RECENT_LISTS] for rule in rules["filters"]
                 if (one := _choice_of(rule)) and (label := self._label_of(one))}  # fmt: skip
        return list(named.items())[:RECENT]

    def _label_of(self, choice: str) -> str:
        """How a choice to add is called; empty when there is none of the kind any more."""
        kind, _colon, what = choice.partition(":")
        if kind == "activity":
            return self.catalogue.types[what].filter_name if what in self.catalogue.types else ""
        if kind == "person_field":
            return self.person_fields[what].label if what in self.person_fields else ""
        return (self.static_lists if kind == "static_list" else self.smart_lists).get(int(what), "")

    def first_type(self) -> str:
        return self.types[0].api_name if self.types else ""


def _choice_of(rule: Mapping[str, Any]) -> str:
    name = _NAMED_BY.get(rule["kind"])
    return f"{rule['kind']}:{rule[name]}" if name else ""


_NAMED_BY = {"activity": "type", "person_field": "field", "static_list": "list", "smart_list": "list"}


def _by_name(lists: Mapping[int, str]) -> Mapping[int, str]:
    return dict(sorted(lists.items(), key=lambda item: item[1].casefold()))
