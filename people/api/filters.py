"""Filters of the native API's lists of people, person fields, static lists and their members."""

from collections.abc import Mapping
from typing import Any

import django_filters
from django.db.models import Exists, OuterRef, Q
from django.db.models.fields.json import KeyTextTransform

from people.core.source import Channel
from people.datatypes.registry import BY_NAME
from people.fields.catalog import STANDARD
from people.models import Person, PersonField, StaticList, StaticListMember
from people.rest.filters import (
    NUMBER_KEY,
    FilterColumn,
    SearchFilter,
    StrictFilterSet,
    TypedFilter,
    WordsFilter,
    cast_expression,
    column_filters,
)

CUSTOM = "fields."


class OnListFilter(TypedFilter):
    """People who are on one of some static lists."""

    def __init__(self) -> None:
        operator = FilterColumn("integer").allowed_operators()[2]
        super().__init__(None, "integer", operator, "Members of any of these static lists, given by id.")

    def filter(self, queryset: Any, value: Any) -> Any:
        if value is None:
            return queryset
        members = StaticListMember.objects.filter(person_id=OuterRef("pk"), static_list_id__in=value)
        return queryset.filter(Exists(members))


class PersonFilterSet(StrictFilterSet):
    """Filters of people. `fields.plan=gold` compares a custom field by its data type."""

    class Meta:
        model = Person
        fields = ()

    search = SearchFilter(find=lambda people, text: people.newest_beginning_with(text))
    static_list = OnListFilter()
    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        **{
            name: FilterColumn(data_type, is_nullable=name not in {"created_at", "updated_at"})
            for name, (_label, data_type) in STANDARD.items()
        },
    }
    unfiltered = {
        "fields": "filtered by field: fields.<api_name>",
        "revision": "stands in the ETag",
        "state": "only live people are listed",
        "state_changed_at": "only live people are listed",
        "merged_into": "only live people are listed",
    }

    def dynamic(self, data: Any) -> Mapping[str, django_filters.Filter]:
        api_names = {name.removeprefix(CUSTOM).partition("__")[0] for name in data if name.startswith(CUSTOM)}
        api_names = {name for name in api_names if name.isascii() and name.isprintable()}
        filters: dict[str, django_filters.Filter] = {}
        for field in PersonField.objects.custom().filter(api_name__in=api_names) if api_names else ():
            left = cast_expression(field.data_type, KeyTextTransform(field.api_name, "fields"))
            filters.update(column_filters(CUSTOM + field.api_name, left, FilterColumn(field.data_type)))
        return {name: item for name, item in filters.items() if name in data}

    @classmethod
    def parameter_names(cls) -> list[str]:
        return [*super().parameter_names(), f"{CUSTOM}<api_name>"]


class PersonFieldFilterSet(StrictFilterSet):
    class Meta:
        model = PersonField
        fields = ()

    search = SearchFilter("label", "api_name")
    data_type = WordsFilter({name: Q(data_type=name) for name in BY_NAME})
    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "api_name": FilterColumn("string", is_nullable=False),
        "label": FilterColumn("string", is_nullable=False),
        "description": FilterColumn("text", is_nullable=False, operators=("contains",)),
        "is_standard": FilterColumn("boolean", is_nullable=False),
        "is_read_only": FilterColumn("boolean", is_nullable=False),
        "is_hidden": FilterColumn("boolean", is_nullable=False),
        "is_unique": FilterColumn("boolean", is_nullable=False),
        "is_api_created": FilterColumn("boolean", is_nullable=False),
        "created_at": FilterColumn("datetime", is_nullable=False),
        "updated_at": FilterColumn("datetime", is_nullable=False),
    }
    unfiltered = {"choices": "suggestions for people who type, not something to look a field up by"}


class StaticListFilterSet(StrictFilterSet):
    class Meta:
        model = StaticList
        fields = ()

    search = SearchFilter("name", "description")
    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "name": FilterColumn("string", is_nullable=False),
        "description": FilterColumn("text", is_nullable=False, operators=("contains",)),
        "folder": FilterColumn("integer", operators=("", "in", "isempty")),
        "owner": FilterColumn("string", "owner__username", operators=("", "in", "isempty")),
        "is_archived": FilterColumn("boolean", is_nullable=False),
        "created_by": FilterColumn("string", "created_by__username", operators=("", "in", "isempty")),
        "created_at": FilterColumn("datetime", is_nullable=False),
        "updated_at": FilterColumn("datetime", is_nullable=False),
    }


class StaticListMemberFilterSet(StrictFilterSet):
    class Meta:
        model = StaticListMember
        fields = ()

    source = WordsFilter(
        {channel.word: Q(channel=channel) for channel in Channel}, "The channel through which the person was added."
    )
    typed = {
        "person": FilterColumn("integer", "person_id", is_nullable=False, operators=NUMBER_KEY),
        "added_at": FilterColumn("datetime", is_nullable=False),
        "user": FilterColumn("integer", "user_id", operators=("", "in", "isempty")),
        "origin": FilterColumn("integer", "origin_id", operators=("", "in", "isempty")),
    }
    unfiltered = {"static_list": "stands in the address", "channel": "filtered by its word: source"}
