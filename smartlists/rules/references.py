"""What rules refer to: types, fields and lists."""

from collections.abc import Iterator

from smartlists.rules import model as rules
from smartlists.rules.vocabulary import Vocabulary


def uses_of(item: rules.Filter, names: Vocabulary) -> Iterator[tuple[str, int]]:
    """What one filter names, as columns of the reference rows."""
    for api_name in rules.types_of(item):
        yield "activity_type_id", names.types[api_name].id
    for api_name, field_name in rules.fields_of(item):
        if field_id := names.types[api_name].fields[field_name].id:
            yield "approved_field_id", field_id
    if isinstance(item, rules.PersonField):
        yield "person_field_id", names.person_fields[item.field].id
    if isinstance(item, rules.StaticList):
        yield "static_list_id", item.list
    if isinstance(item, rules.SmartList):
        yield "used_list_id", item.list
