"""The SQL of fields used in rules: over a row of `activity`, `object_record` or `person`."""

from people.core.db import value_sql
from people.fields.catalog import FieldInfo
from smartlists.rules.vocabulary import COMMON, RECORD_MOMENTS, VocabularyField


def activity_field_sql(field: VocabularyField) -> str:
    """The field's text; for what every activity has, the value of the type itself."""
    if field.api_name in COMMON:
        return COMMON[field.api_name]
    return "primary_value" if field.is_primary else value_sql.json_member_sql("attributes", field.api_name)


def record_field_sql(field: VocabularyField) -> str:
    """The field's text; for what every record has, the value of the type itself."""
    return RECORD_MOMENTS.get(field.api_name) or value_sql.json_member_sql("fields", field.api_name)


def person_field_sql(field: FieldInfo) -> str:
    """The column of a standard field; the text of any other field."""
    return field.api_name if field.is_standard else value_sql.json_member_sql("fields", field.api_name)
