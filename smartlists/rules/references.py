"""References of rules: types, fields and lists."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from people.core.kinds import Facet
from smartlists.rules import model as rules
from smartlists.rules.vocabulary import Vocabulary


def references_of_filter(item: rules.Filter, names: Vocabulary) -> Iterator[tuple[str, int]]:
    """Yield the references of one filter as (column of the reference rows, id)."""
    for api_name in rules.activity_types_of(item):
        yield "activity_type_id", names.types[api_name].id
    for api_name, field_name in rules.activity_fields_of(item):
        if field_id := names.types[api_name].fields[field_name].id:
            yield "approved_field_id", field_id
    yield from OWN_REFERENCES.of(item)(item, names)


def _object_references(item: rules.Object, names: Vocabulary) -> Iterator[tuple[str, int]]:
    object_type = names.objects[item.type]
    yield "object_type_id", object_type.id
    for name in rules.object_fields_of(item):
        if field_id := object_type.fields[name].id:
            yield "object_field_id", field_id


OWN_REFERENCES: Facet[Callable[[Any, Vocabulary], Iterable[tuple[str, int]]]] = rules.FILTERS.facet(
    "columns of the reference rows, besides activity types and their fields",
    {
        "person_field": lambda item, names: (("person_field_id", names.person_fields[item.field].id),),
        "activity": lambda _item, _names: (),
        "sequence": lambda _item, _names: (),
        "static_list": lambda item, _names: (("static_list_id", item.list),),
        "smart_list": lambda item, _names: (("used_list_id", item.list),),
        "consent": lambda _item, _names: (),
        "object": _object_references,
    },
)
