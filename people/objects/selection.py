"""The selection of a type's records for a page or export: words, a field's value, a state, or an import's records."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.db.models.fields.json import KeyTextTransform

from people.core.source import Channel
from people.datatypes.keys import MAX_BIG_ID
from people.models import ObjectChange, ObjectRecord
from people.objects.schema import ObjectSchema
from people.rest.filters import FilterColumn, cast_expression, column_filters

# parameters with the number of an import: the records that it created, and those that it changed
OF_IMPORT = {"added_by": ObjectChange.Kind.ADDED, "changed_by": ObjectChange.Kind.CHANGED}
PARAMETERS = ("state", "q", "field", "value", *OF_IMPORT)


def selected_records(schema: ObjectSchema, parameters: Mapping[str, Any]) -> tuple[QuerySet[ObjectRecord], str]:
    """The records of a type that `parameters` select, and why the value of a field was not understood.

    `state`: "" those that are not deleted, "deleted", or "waiting" for what a link names; `q`: words that a record's
    name begins with; `field` with `value`; `added_by` or `changed_by`: the number of an import. Unknown ones select
    nothing.
    """
    state = _text(parameters, "state")
    rows = ObjectRecord.objects.filter(Q(deleted_at__isnull=state != "deleted"), object_type=schema.type_id)
    if state == "waiting":
        rows = rows.waiting()
    for name, kind in OF_IMPORT.items():
        if (number := import_number(parameters, name)) is not None:
            changes = ObjectChange.objects.filter(channel=Channel.IMPORT, origin_id=number, kind=kind, undoes_id=None)
            rows = rows.filter(pk__in=changes.filter(object_type_id=schema.type_id).values("record_id"))
    if text := _text(parameters, "q"):
        rows = rows.beginning_with(text)
    field, value = schema.fields.get(_text(parameters, "field")), _text(parameters, "value")
    if field is None or not value:
        return rows, ""
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


def _text(parameters: Mapping[str, Any], name: str) -> str:
    return str(parameters.get(name) or "").replace("\0", " ").strip()
