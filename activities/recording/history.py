"""Marketo's history of standard activities: a team that moves here brings its past, as back-fill and with a right."""

from functools import cache
from typing import Any

from activities.recording.recorder import NO_STANDARD_TYPES
from activities.recording.rows import NewActivity
from activities.rights import RECORD_STANDARD_ACTIVITY
from activities.types.marketo_history import ATTRIBUTE_NAMES, HISTORY_TYPES, WHOLE_VALUES
from activities.types.standard_shapes import TYPES
from activities.types.standard_values import clip_values
from people.datatypes.parsing import MAX_STRING, is_blank
from people.files.imports.plan import ImportPlan

RIGHT = RECORD_STANDARD_ACTIVITY


def history_types(plan: ImportPlan, user: Any) -> frozenset[int]:
    """The ids of the standard types that an import of `user` (None: a command's) may record by this plan."""
    return HISTORY_TYPES if is_history(plan) and is_allowed(user) else NO_STANDARD_TYPES


def is_history(plan: ImportPlan) -> bool:
    """Return True if an import by this plan may include standard types: as back-fill, with types from a column."""
    return not plan.starts_campaigns and not plan.subject


def is_allowed(user: Any) -> bool:
    """Return True if `user` (None: an operator) may record the history of standard activities."""
    return user is None or (user.is_active and user.has_perm(RIGHT))


def fit_row(row: NewActivity) -> None:
    """Give a row of one of Marketo's types the names and lengths of the product's fields; other rows stay.

    Marketo's names of attributes become API names, and texts are cut to what their fields hold, as what arrives from
    the web is: a past that was recorded elsewhere is never rejected for its length.
    """
    type_id = row.activity_type
    if type(type_id) is not int or type_id not in HISTORY_TYPES:
        return
    names = _api_names(type_id)
    type_names = names.keys() | names.values()
    # Marketo's blank attributes are left out where the product has no field for them
    attributes = [
        (names.get(name, name), value) for name, value in row.attributes if name in type_names or not is_blank(value)
    ]
    row_names = {name for name, _value in attributes}
    for short, whole in WHOLE_VALUES.items():
        value = next((value for name, value in attributes if name == short), None)
        if isinstance(value, str) and len(value) > MAX_STRING and whole not in row_names and whole in names.values():
            attributes.append((whole, value))
    row.primary_value, row.attributes = clip_values(type_id, row.primary_value, attributes)


@cache
def _api_names(type_id: int) -> dict[str, str]:
    """The API names of a standard type's fields by the names that Marketo's files have."""
    fields = TYPES[type_id].fields()
    marketo = {name: api_name for (type_of_name, api_name), name in ATTRIBUTE_NAMES.items() if type_of_name == type_id}
    return {str(field.name): field.api_name for field in fields} | marketo
