"""Names of types, fields and lists in rules: from object to shown name, and from name to object."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from people.datatypes.canonical import text_key
from people.datatypes.naming import name_key
from smartlists.rules.vocabulary import FieldOwner, Vocabulary, VocabularyField, VocabularyObject


def plain_key(name: str) -> str:
    """The comparison key of names of fields and lists: case and surrounding blanks are ignored."""
    return text_key(name.strip())


class Index:
    """Objects of one kind by all names that users can write for them.

    `tiers` are tried in turn: a name in an earlier tier hides the same name in a later one. Exact API names come last.
    """

    def __init__(
        self, *tiers: Iterable[tuple[str, Any]], api_names: Iterable[str] = (), key: Callable[[str], str] = plain_key
    ) -> None:
        self._key = key
        self._tiers: list[dict[str, list[Any]]] = []
        self._labels: dict[str, str] = {}
        for tier in tiers:
            objects: dict[str, list[Any]] = {}
            for label, item in tier:
                objects.setdefault(key(label), []).append(item)
                self._labels.setdefault(key(label), label)
            self._tiers.append(objects)
        self._api_names = frozenset(api_names)

    def find(self, name: str) -> list[Any]:
        """The objects that `name` can mean: none when it is unknown, several when it is ambiguous."""
        wanted_key = self._key(name)
        for tier in self._tiers:
            if wanted_key in tier:
                return tier[wanted_key]
        return [name] if name in self._api_names else []

    def has_api_name(self, name: str) -> bool:
        return name in self._api_names

    def closest(self, name: str) -> str:
        """The existing name most similar to `name`, or an empty text."""
        names = {**{self._key(api_name): api_name for api_name in self._api_names}, **self._labels}
        close = get_close_matches(self._key(name)[:100], names, n=1, cutoff=0.5)
        return names[close[0]] if close else ""

    def means_only(self, label: str, item: Any) -> bool:
        """True if `label` identifies `item` and no other object."""
        return self.find(label) == [item]


class Naming:
    """The name indexes of one catalogue, each built when first needed."""

    def __init__(self, catalogue: Vocabulary) -> None:
        self.catalogue = catalogue
        self._fields: dict[tuple[bool, str], Index] = {}

    @cached_property
    def types(self) -> Index:
        types = self.catalogue.types.values()
        return Index(
            ((row.filter_name, row.api_name) for row in types),
            ((row.name, row.api_name) for row in types),
            ((row.shown_filter_name, row.api_name) for row in types),
            ((row.shown_name, row.api_name) for row in types),
            api_names=self.catalogue.types,
            key=name_key,
        )

    @cached_property
    def objects(self) -> Index:
        objects = self.catalogue.objects.values()
        return Index(((row.name, row.api_name) for row in objects), api_names=self.catalogue.objects, key=name_key)

    @cached_property
    def person_fields(self) -> Index:
        fields = self.catalogue.person_fields
        return Index(
            ((field.label, name) for name, field in fields.items()),
            ((field.shown_label, name) for name, field in fields.items()),
            api_names=fields,
        )

    @cached_property
    def static_lists(self) -> Index:
        return _of_lists(self.catalogue.static_lists)

    @cached_property
    def smart_lists(self) -> Index:
        return _of_lists(self.catalogue.smart_lists)

    def fields_of(self, owner: FieldOwner | None) -> Index:
        """The fields of all approved versions of an activity type or object type; empty for an unknown type."""
        key = (isinstance(owner, VocabularyObject), owner.api_name if owner else "")
        if key not in self._fields:
            fields = [field for field in owner.fields.values() if field.id] if owner else []
            self._fields[key] = Index(
                ((field.name, field.api_name) for field in fields if field.is_live),
                ((field.shown_name, field.api_name) for field in fields if field.is_live),
                api_names=[field.api_name for field in fields],
            )
        return self._fields[key]

    def type_label(self, api_name: str) -> str:
        vocabulary_type = self.catalogue.types.get(api_name)
        return vocabulary_type.filter_name if vocabulary_type else api_name

    def shown_type_label(self, api_name: str) -> str:
        """The label on pages, in the reader's language."""
        vocabulary_type = self.catalogue.types.get(api_name)
        return vocabulary_type.shown_filter_name if vocabulary_type else api_name

    def person_label(self, api_name: str) -> str:
        field = self.catalogue.person_fields.get(api_name)
        return field.label if field else api_name

    def shown_person_label(self, api_name: str) -> str:
        """The label on pages, in the reader's language; text forms use `person_label`, the same for all readers."""
        field = self.catalogue.person_fields.get(api_name)
        return field.shown_label if field else api_name

    def shown_object_label(self, api_name: str) -> str:
        """The name of an object type on pages."""
        object_type = self.catalogue.objects.get(api_name)
        return object_type.shown_name if object_type else api_name


def fields_of_owner(owner: FieldOwner | None) -> Mapping[str, VocabularyField]:
    """The fields of an activity type or object type; none of an unknown type."""
    return owner.fields if owner else {}


def field_label(owner: FieldOwner | None, api_name: str) -> str:
    """The name of a field as stored, the same for all readers."""
    field = fields_of_owner(owner).get(api_name)
    return field.name if field else api_name


def shown_field_label(owner: FieldOwner | None, api_name: str) -> str:
    """The name of a field on pages, in the reader's language."""
    field = fields_of_owner(owner).get(api_name)
    return field.shown_name if field else api_name


def _of_lists(lists: Mapping[int, str]) -> Index:
    return Index((name, pk) for pk, name in lists.items())
