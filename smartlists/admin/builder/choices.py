"""The builder's choices: types, fields and lists by their shown names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

from activities.models import FIRST_CUSTOM_ID
from people.datatypes.registry import DataType
from smartlists.catalog import Catalogue
from smartlists.models import SmartList
from smartlists.rules.model import EXCLUDE_BOTS, FILTERS, INCLUDE_BOTS
from smartlists.rules.vocabulary import BACKFILL, FieldOwner, VocabularyObject, VocabularyType

RECENT, RECENT_LISTS = 6, 10


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """One field that a condition can name."""

    api_name: str
    label: str
    data_type: DataType
    gone: str = ""  # reason why no new condition can use it; existing conditions keep working
    is_read_only: bool = False  # maintained by the product: usable in conditions, not in changes


class Choices:
    """The choices of one page; `besides` is the id of the edited smart list, which cannot use itself."""

    def __init__(self, catalogue: Catalogue, besides: int | None = None) -> None:
        self.catalogue = catalogue
        self.besides = besides

    @cached_property
    def person_fields(self) -> Mapping[str, FieldChoice]:
        return {
            name: FieldChoice(
                name, info.shown_label, info.data_type, _("hidden") if info.is_hidden else "", info.is_read_only
            )
            for name, info in self.catalogue.person_fields.items()
        }

    @property
    def offered_person_fields(self) -> Sequence[FieldChoice]:
        return [field for field in self.person_fields.values() if not field.gone]

    @property
    def changeable_person_fields(self) -> Sequence[FieldChoice]:
        """The fields that a step can change."""
        return [field for field in self.person_fields.values() if not field.is_read_only]

    @cached_property
    def types(self) -> Sequence[VocabularyType]:
        """Types that have a filter: the team's own first, newest first, then the standard ones."""
        return sorted(
            self.catalogue.types.values(),
            key=lambda activity_type: (activity_type.id < FIRST_CUSTOM_ID, -activity_type.id),
        )

    @property
    def own_types(self) -> Sequence[VocabularyType]:
        return [activity_type for activity_type in self.types if activity_type.id >= FIRST_CUSTOM_ID]

    @property
    def standard_types(self) -> Sequence[VocabularyType]:
        return [activity_type for activity_type in self.types if activity_type.id < FIRST_CUSTOM_ID]

    @cached_property
    def objects(self) -> Sequence[VocabularyObject]:
        """Object types by name."""
        return sorted(self.catalogue.objects.values(), key=lambda object_type: object_type.name.casefold())

    def fields_of(self, type_name: str) -> Mapping[str, FieldChoice]:
        """The fields of an activity type, the primary one first, then what every activity has."""
        return self._fields_of(self.catalogue.types.get(type_name))

    def fields_of_object(self, type_name: str) -> Mapping[str, FieldChoice]:
        """The fields of an object type, the dedupe fields first, then what every record has."""
        return self._fields_of(self.catalogue.objects.get(type_name))

    def _fields_of(self, owner: FieldOwner | None) -> Mapping[str, FieldChoice]:
        labels = {
            "@occurred_at": _("Date of activity"),
            "@recorded_at": _("Date recorded"),
            BACKFILL: _("Recorded as history"),
            "@created_at": _("Date added"),
            "@updated_at": _("Date of last change"),
        }
        fields = owner.fields.values() if owner else ()
        return {
            field.api_name: FieldChoice(
                field.api_name,
                labels.get(field.api_name, field.shown_name),
                field.data_type,
                "" if field.is_live else _("removed"),
                is_read_only=not field.id,
            )
            for field in fields
        }

    def fields_of_card(self, owner: Mapping[str, Any]) -> Mapping[str, FieldChoice]:
        """The fields that the conditions of a card, or of a step of a sequence, can name."""
        is_object = owner.get("kind") == "object"
        return self.fields_of_object(owner["type"]) if is_object else self.fields_of(owner["type"])

    def bots_of(self, owner: Mapping[str, Any]) -> str:
        """The choice on bots of an activity card or a step; empty for a type that does not mark them."""
        return owner.get("bots", INCLUDE_BOTS) if self.new_bots(owner["type"]) else ""

    def new_bots(self, type_name: str) -> Mapping[str, str]:
        """The choice on bots of a new card: they are left out if the type marks them."""
        activity_type = self.catalogue.types.get(type_name)
        return {"bots": EXCLUDE_BOTS} if activity_type is not None and activity_type.marks_bots else {}

    @cached_property
    def static_lists(self) -> Mapping[int, str]:
        """Static lists by name, archived ones last and marked."""
        return _by_name(self.catalogue.static_lists, self.catalogue.archived_static_lists)

    @cached_property
    def smart_lists(self) -> Mapping[int, str]:
        """Smart lists by name, archived ones last and marked."""
        without_edited = {pk: name for pk, name in self.catalogue.smart_lists.items() if pk != self.besides}
        return _by_name(without_edited, self.catalogue.archived_smart_lists)

    @property
    def offered_static_lists(self) -> Mapping[int, str]:
        return _without(self.static_lists, self.catalogue.archived_static_lists)

    @property
    def offered_smart_lists(self) -> Mapping[int, str]:
        return _without(self.smart_lists, self.catalogue.archived_smart_lists)

    def lists_of(self, kind: str, list_id: Any) -> Mapping[int, str]:
        """The options of a card's select: lists in use, and the chosen one even if it is archived."""
        all_lists, offered = (
            (self.static_lists, self.offered_static_lists)
            if kind == "static_list"
            else (self.smart_lists, self.offered_smart_lists)
        )
        return {pk: name for pk, name in all_lists.items() if pk in offered or pk == list_id}

    @cached_property
    def recent(self) -> Sequence[tuple[str, str]]:
        """Filters of the most recently changed lists, as choices to add; the latest first."""
        latest = SmartList.objects.filter(is_archived=False).order_by("-updated_at").values_list("rules", flat=True)
        labels = {
            choice: label
            for rules in latest[:RECENT_LISTS]
            for rule in rules["filters"]
            if (choice := _choice_of(rule)) and (label := self._label_of(choice))
        }
        return list(labels.items())[:RECENT]

    def _label_of(self, choice: str) -> str:
        """The label of a choice to add; empty when its field, type or list no longer exists."""
        kind, _colon, what = choice.partition(":")
        return CHOICE_LABELS[kind](self, what)

    def label_of_type(self, api_name: str) -> str:
        """The filter name of an activity type; empty when the type no longer exists."""
        activity_type = self.catalogue.types.get(api_name)
        return activity_type.shown_filter_name if activity_type else ""

    def label_of_object(self, api_name: str) -> str:
        """The name of an object type; empty when the type no longer exists."""
        object_type = self.catalogue.objects.get(api_name)
        return object_type.shown_name if object_type else ""

    def label_of_person_field(self, api_name: str) -> str:
        """The label of a person field that a new condition can use; else empty."""
        field = self.person_fields.get(api_name)
        return field.label if field and not field.gone else ""

    def first_type(self) -> str:
        return self.types[0].api_name if self.types else ""


def _choice_of(rule: Mapping[str, Any]) -> str:
    name = NAMING_KEYS.get(rule["kind"])
    return f"{rule['kind']}:{rule[name]}" if name else ""


NAMING_KEYS = FILTERS.facet(
    "key of its subject in the JSON form; empty: several subjects",
    {
        "person_field": "field",
        "activity": "type",
        "sequence": "",
        "static_list": "list",
        "smart_list": "list",
        "consent": "",
        "object": "type",
    },
)
CHOICE_LABELS = FILTERS.facet(
    "label among the choices to add",
    {
        "person_field": Choices.label_of_person_field,
        "activity": Choices.label_of_type,
        "sequence": lambda _choices, _what: "",
        "static_list": lambda choices, what: choices.offered_static_lists.get(int(what), ""),
        "smart_list": lambda choices, what: choices.offered_smart_lists.get(int(what), ""),
        "consent": lambda _choices, _what: "",
        "object": Choices.label_of_object,
    },
)


def selectable_fields(fields: Iterable[FieldChoice], current: FieldChoice | None = None) -> list[FieldChoice]:
    """The fields that a new condition can use, and the currently chosen one."""
    return [field for field in fields if not field.gone or field is current]


def _by_name(lists: Mapping[int, str], archived: frozenset[int]) -> Mapping[int, str]:
    labels = {pk: _("%(name)s (archived)") % {"name": name} if pk in archived else name for pk, name in lists.items()}
    return dict(sorted(labels.items(), key=lambda item: (item[0] in archived, item[1].casefold())))


def _without(lists: Mapping[int, str], archived: frozenset[int]) -> Mapping[int, str]:
    return {pk: name for pk, name in lists.items() if pk not in archived}
