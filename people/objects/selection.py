"""The selection of a type's records for a page or export: words, values of fields, a state, or an import's records."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.http import QueryDict
from django.utils.translation import gettext as _

from people.core.errors import quoted_value
from people.core.source import Channel
from people.core.words import filter_by_word_vector
from people.datatypes.keys import MAX_BIG_ID
from people.models import ObjectChange, ObjectRecord
from people.objects.schema import ObjectSchema, RecordField
from people.querysets import record_words, waits_for_link
from people.rest.filters import FilterColumn, cast_expression, column_filters

# parameters with the number of an import: the records that it created, and those that it changed
OF_IMPORT = {"added_by": ObjectChange.Kind.ADDED, "changed_by": ObjectChange.Kind.CHANGED}
MAX_CONDITIONS = 5  # fields with a value
PARAMETERS = ("state", "q", "field", "value", *OF_IMPORT)


def selected_records(schema: ObjectSchema, parameters: Mapping[str, Any]) -> tuple[QuerySet[ObjectRecord], str]:
    """The records of a type that `parameters` select, and why the value of a field was not understood.

    `state`: "" those that are not deleted, "deleted", or "waiting" for what a link names; `q`: words that a record's
    name begins with; `field` with `value`, each one text or a list of up to MAX_CONDITIONS; `added_by` or `changed_by`:
    the number of an import. A field that the type does not have, or one too many, is a problem, too.
    """
    state = _text(parameters, "state")
    of_state = Q(deleted_at__isnull=state != "deleted")
    rows: QuerySet[ObjectRecord] = ObjectRecord.objects.filter(of_state, object_type=schema.type_id)
    if state == "waiting":
        rows = rows.filter(waits_for_link())
    for name, kind in OF_IMPORT.items():
        if (number := import_number(parameters, name)) is not None:
            changes = ObjectChange.objects.filter(channel=Channel.IMPORT, origin_id=number, kind=kind, undoes_id=None)
            rows = rows.filter(pk__in=changes.filter(object_type_id=schema.type_id).values("record_id"))
    if text := _text(parameters, "q"):
        rows = filter_by_word_vector(rows, text, record_words())
    conditions = complete_conditions(parameters)
    if len(conditions) > MAX_CONDITIONS:
        return rows, _("Filter by at most %(number)s fields at once.") % {"number": MAX_CONDITIONS}
    for name, value in conditions:
        field = schema.fields.get(name)
        if field is None:
            return rows, _("There is no field “%(name)s”.") % {"name": quoted_value(name)}
        rows, problem = _with_value(rows, field, value)
        if problem:
            return rows, problem
    return rows, ""


def field_conditions(parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The pairs of a field's API name and a value in `parameters`, all of which a record has to have."""
    names, values = _texts(parameters, "field"), _texts(parameters, "value")
    return list(zip(names, values, strict=False))


def complete_conditions(parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The pairs of `field_conditions` that have both a field and a value."""
    return [(name, value) for name, value in field_conditions(parameters) if name and value]


def _with_value(rows: QuerySet[ObjectRecord], field: RecordField, value: str) -> tuple[QuerySet[ObjectRecord], str]:
    """The rows with the value in the field, and why it was not understood."""
    left = cast_expression(field.data_type.name, KeyTextTransform(field.api_name, "fields"))
    is_equal = column_filters(field.api_name, left, FilterColumn(field.data_type.name))[field.api_name]
    try:
        cleaned = is_equal.field.clean(value)
    except ValidationError as error:
        return rows, f"{field.name}: {' '.join(error.messages)}"
    return is_equal.filter(rows, cleaned), ""


def import_number(parameters: Mapping[str, Any], name: str) -> int | None:
    """The number of an import in `parameters`; None if there is none."""
    text = _text(parameters, name)
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_BIG_ID))
    return min(int(text), MAX_BIG_ID) if is_number else None


def _texts(parameters: Mapping[str, Any], name: str) -> list[str]:
    """All texts of one name: of an address, or as an export keeps them."""
    found = parameters.getlist(name) if isinstance(parameters, QueryDict) else parameters.get(name) or []
    return [str(text).replace("\0", " ").strip() for text in (found if isinstance(found, list) else [found])]


def _text(parameters: Mapping[str, Any], name: str) -> str:
    return str(parameters.get(name) or "").replace("\0", " ").strip()
