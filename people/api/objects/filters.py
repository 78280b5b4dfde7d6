"""Filters of the native API's lists of object types and records."""

from collections.abc import Mapping
from typing import Any

import django_filters
from django.db.models.fields.json import KeyTextTransform

from people.models import ApprovedObjectField, ObjectRecord, ObjectType
from people.querysets import waits_for_link
from people.rest.definition_filters import DEFINITION_STATES, LIFE_CYCLE_COLUMNS, shown_attribute
from people.rest.filters import (
    NUMBER_KEY,
    FilterColumn,
    SearchFilter,
    StrictFilterSet,
    WordsFilter,
    cast_expression,
    column_filters,
)

VALUES = "values."


class ObjectTypeFilterSet(StrictFilterSet):
    class Meta:
        model = ObjectType
        fields = ()

    search = SearchFilter("api_name", shown_attribute("name"), shown_attribute("plural_name"))
    state = WordsFilter(DEFINITION_STATES)
    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "api_name": FilterColumn("string", is_nullable=False),
        "name": FilterColumn("string", shown_attribute("name"), is_nullable=False),
        "plural_name": FilterColumn("string", shown_attribute("plural_name"), is_nullable=False),
        "description": FilterColumn("text", shown_attribute("description"), is_nullable=False, operators=("contains",)),
        "is_shown_on_person": FilterColumn("boolean", is_nullable=False),
        **LIFE_CYCLE_COLUMNS,
    }
    unfiltered = {"deleted_at": "deleted types are on no list"}


class ObjectRecordFilterSet(StrictFilterSet):
    """Filters of the records of one type. `values.colour=red` compares a field by its data type."""

    class Meta:
        model = ObjectRecord
        fields = ()

    search = SearchFilter(find=lambda records, text: records.beginning_with(text))
    is_waiting = WordsFilter(
        {"true": waits_for_link(), "false": ~waits_for_link()},
        "Records with a link that names nobody, or no record, yet.",
    )
    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "name": FilterColumn("string", is_nullable=False),
        "person": FilterColumn("integer", "person_id", operators=("", "in", "isempty")),
        "linked_record": FilterColumn("integer", "linked_id", operators=("", "in", "isempty")),
        "version": FilterColumn("integer", is_nullable=False),
        "created_at": FilterColumn("datetime", is_nullable=False),
        "updated_at": FilterColumn("datetime", is_nullable=False),
    }
    unfiltered = {
        "guid": "stands in a batch, as the key of its rows",
        "object_type": "stands in the address",
        "person_id": "filtered as person",
        "linked": "filtered as linked_record",
        "person_key": "the value of the link is one of the values",
        "linked_key": "the value of the link is one of the values",
        "dedupe_hash": "the dedupe values are among the values",
        "fields": "filtered by field: values.<api_name>",
        "revision": "stands in the ETag",
        "deleted_at": "deleted records are on no list",
        "replaced_by_id": "replaced records are deleted",
    }

    def __init__(self, data: Any = None, queryset: Any = None, **options: Any) -> None:
        self.request = options.get("request")  # `dynamic` reads it before the base class sets it
        super().__init__(data, queryset, **options)

    def dynamic(self, data: Any) -> Mapping[str, django_filters.Filter]:
        api_names = {name.removeprefix(VALUES).partition("__")[0] for name in data if name.startswith(VALUES)}
        api_names = {name for name in api_names if name.isascii() and name.isprintable()}
        if not api_names or self.request is None:
            return {}
        object_type = self.request.parser_context["kwargs"]["object_type"]
        fields = ApprovedObjectField.objects.filter(object_type__api_name=object_type, api_name__in=api_names)
        filters: dict[str, django_filters.Filter] = {}
        for field in fields:
            left = cast_expression(field.data_type, KeyTextTransform(field.api_name, "fields"))
            filters.update(column_filters(VALUES + field.api_name, left, FilterColumn(field.data_type)))
        return {name: item for name, item in filters.items() if name in data}

    @classmethod
    def parameter_names(cls) -> list[str]:
        return [*super().parameter_names(), f"{VALUES}<api_name>"]
