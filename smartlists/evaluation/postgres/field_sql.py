"""The SQL of fields used in rules: over a row of `activity`, and over a row of `person`."""

from people.core.db import value_sql
from people.fields.catalog import FieldInfo
from smartlists.rules.vocabulary import MOMENTS, Field


def of_activity(field: Field) -> str:
    """The field's text; for the moments that every activity has, the column itself."""
    if field.api_name in MOMENTS:
        return MOMENTS[field.api_name]
    return "primary_value" if field.is_primary else value_sql.member("attributes", field.api_name)


def of_person(field: FieldInfo) -> str:
    """The column of a standard field; the text of any other field."""
    return field.api_name if field.is_standard else value_sql.member("fields", field.api_name)
