"""Filters of the native API's lists of activity types and activities."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import django_filters
from django import forms
from django.db.models import Case, F, Q, When
from django.db.models.fields.json import KeyTextTransform
from django.utils.translation import gettext as _

from activities.log import external_ids
from activities.models import Activity, ActivityType, ApprovedField
from activities.querysets import is_backfill_expression
from people.core.codes import Code
from people.core.errors import BadQueryError, Problem, quoted_value
from people.core.source import Channel
from people.definitions import checks
from people.models import Person
from people.rest.definition_filters import DEFINITION_STATES, LIFE_CYCLE_COLUMNS, shown_attribute
from people.rest.filters import (
    NUMBER_KEY,
    FilterColumn,
    FilterValueField,
    SearchFilter,
    StrictFilterSet,
    TypedFilter,
    WordsFilter,
    cast_expression,
    column_filters,
)

MAX_VALUES = 300
MAX_SAME_KEY = 1_000  # activities of one external id that a list takes
ATTRIBUTE = "attributes."
LOG_FILTERS = frozenset({"activity_type", "person", "person__in"})  # filters that the log's indexes serve


class ActivityTypeFilterSet(StrictFilterSet):
    class Meta:
        model = ActivityType
        fields = ()

    search = SearchFilter(
        "api_name", shown_attribute("name"), shown_attribute("filter_name"), shown_attribute("trigger_name")
    )
    state = WordsFilter(DEFINITION_STATES)
    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "api_name": FilterColumn("string", is_nullable=False),
        "name": FilterColumn("string", shown_attribute("name"), is_nullable=False),
        "filter_name": FilterColumn("string", shown_attribute("filter_name"), is_nullable=False),
        "trigger_name": FilterColumn("string", shown_attribute("trigger_name"), is_nullable=False),
        "description": FilterColumn("text", shown_attribute("description"), is_nullable=False, operators=("contains",)),
        "is_standard": FilterColumn("boolean", is_nullable=False),
        **LIFE_CYCLE_COLUMNS,
    }
    unfiltered = {
        "deleted_at": "deleted types are on no list",
        "icon": "a picture for pages",
        "colour": "a picture for pages",
    }


class TypesField(forms.Field):
    """A list with commas of activity types, by API name or id; cleaned to their ids."""

    def clean(self, value: Any) -> Any:
        if value is None:
            return None
        references = value.split(",")
        if len(references) > MAX_VALUES:
            raise forms.ValidationError(_("at most 300 values"), Code.TOO_MANY_VALUES)
        names = [word for word in references if checks.API_NAME.fullmatch(word)]
        numbers = [int(word) for word in references if word.isascii() and word.isdigit() and len(word) <= 9]
        ids_by_name = dict(
            ActivityType.objects.existing()
            .filter(Q(api_name__in=names) | Q(pk__in=numbers))
            .values_list("api_name", "pk")
        )
        known_names = {*ids_by_name, *(str(pk) for pk in ids_by_name.values())}
        for word in references:
            if word not in known_names:
                parameters = {"expected": _("an activity type's API name or id"), "got": quoted_value(word)}
                raise forms.ValidationError(_("there is no activity type “%(got)s”"), Code.UNKNOWN_TYPE, parameters)
        return sorted(ids_by_name.values())


class TypesFilter(django_filters.Filter):
    field_class = TypesField
    description = "API names or ids."
    schema = {"type": "array", "items": {"type": "string"}, "minItems": 1}

    def filter(self, queryset: Any, value: Any) -> Any:
        return queryset if value is None else queryset.filter(activity_type_id__in=value)


class EmailFilter(TypedFilter):
    """Activities of the people with an e-mail address."""

    def __init__(self) -> None:
        super().__init__(
            None,
            "email",
            FilterColumn("email").allowed_operators()[0],
            "Activities of all people with this e-mail address.",
        )

    def filter(self, queryset: Any, value: Any) -> Any:
        if value is None:
            return queryset
        people = Person.objects.live().with_email([value]).values_list("pk", flat=True)[:MAX_VALUES]
        return queryset.filter(person_id__in=list(people))


class ExternalIdField(FilterValueField):
    """One external id, compared exactly."""

    def __init__(self, **options: Any) -> None:
        super().__init__(data_type="string", operator=FilterColumn("string").allowed_operators()[0], **options)

    def clean(self, value: Any) -> Any:
        if value is not None:
            self._value(value)
        return value


class ExternalIdFilter(django_filters.Filter):
    """Activities recorded with an external id, of the people and types of the other parameters."""

    field_class = ExternalIdField
    description = "The exact external id. If more than 1,000 activities have it, filter by person or type as well."
    schema = TypedFilter(None, "string", FilterColumn("string").allowed_operators()[0]).schema

    def filter(self, queryset: Any, value: Any) -> Any:
        if value is None:
            return queryset
        filters = self.parent.form.cleaned_data
        people = [pk for pk in [filters.get("person"), *(filters.get("person__in") or ())] if pk is not None]
        ids = external_ids.activities_with(value, people or None, filters.get("activity_type"), MAX_SAME_KEY + 1)
        if len(ids) > MAX_SAME_KEY:
            message = _("More than 1,000 activities have this external id. Name a person or an activity type, too.")
            raise BadQueryError(Problem(Code.TOO_MANY_VALUES, message, ("external_id",)))
        return queryset.filter(pk__in=ids)


class ActivityFilterSet(StrictFilterSet):
    """Filters of activities. `attributes.amount__gt=500` compares a field of an approved version by its data type."""

    class Meta:
        model = Activity
        fields = ()

    activity_type = TypesFilter(label="is")
    person__email = EmailFilter()
    external_id = ExternalIdFilter(label="is")
    source = WordsFilter(
        {channel.word: Q(channel=channel) for channel in Channel}, "The channel through which it was received."
    )
    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "person": FilterColumn("integer", "person_id", is_nullable=False, operators=("", "in")),
        "version": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "occurred_at": FilterColumn("datetime", is_nullable=False),
        "recorded_at": FilterColumn("datetime", is_nullable=False),
        "primary_value": FilterColumn("string"),
        "user": FilterColumn("integer", "user_id", operators=("", "in", "isempty")),
        "origin": FilterColumn("integer", "origin_id", operators=("", "in", "isempty")),
        "original_person": FilterColumn("integer", "original_person_id", operators=("", "in", "isempty")),
        "backfill": FilterColumn("boolean", is_backfill_expression(), is_nullable=False),
    }
    unfiltered = {
        "flags": "filtered by what they say: backfill",
        "attributes": "filtered by field: attributes.<api_name>",
        "channel": "filtered by its word: source",
        "activity_type_id": "filtered by API name or id: activity_type",
    }

    @cached_property
    def type_ids(self) -> list[int] | None:
        return self.form.cleaned_data.get("activity_type")

    def dynamic(self, data: Any) -> Mapping[str, django_filters.Filter]:
        api_names = {name.removeprefix(ATTRIBUTE).partition("__")[0] for name in data if name.startswith(ATTRIBUTE)}
        api_names = {name for name in api_names if checks.API_NAME.fullmatch(name)}
        if not api_names:
            return {}
        fields_by_name: dict[str, dict[str, list[ApprovedField]]] = {}
        for field in ApprovedField.objects.filter(api_name__in=api_names).select_related("activity_type"):
            if _is_in_filter(field.activity_type, data.get("activity_type")):
                fields_by_name.setdefault(field.api_name, {}).setdefault(field.data_type, []).append(field)
        filters: dict[str, django_filters.Filter] = {}
        for name, by_type in fields_by_name.items():
            # of fields of one name with different data types in several types, the first data type applies
            data_type, fields = next(iter(sorted(by_type.items())))
            filters.update(
                column_filters(ATTRIBUTE + name, _attribute(name, data_type, fields), FilterColumn(data_type))
            )
        return {name: item for name, item in filters.items() if name in data}

    @classmethod
    def parameter_names(cls) -> list[str]:
        return [*super().parameter_names(), f"{ATTRIBUTE}<api_name>"]


def _is_in_filter(activity_type: ActivityType, references: str | None) -> bool:
    return references is None or not {activity_type.api_name, str(activity_type.pk)}.isdisjoint(references.split(","))


def _attribute(name: str, data_type: str, fields: list[ApprovedField]) -> Case:
    """The value of a field, cast only in rows of types that have the field with this data type."""
    branches = []
    for is_primary, text in ((False, KeyTextTransform(name, "attributes")), (True, F("primary_value"))):
        ids = [field.activity_type_id for field in fields if field.is_primary is is_primary]
        if ids:
            branches.append(When(activity_type_id__in=ids, then=cast_expression(data_type, text)))
    return Case(*branches, default=None)


def has_filters_beyond_log_indexes(data: Any) -> bool:
    """True when the parameters filter by more than types and people, which the log's indexes serve."""
    return not set(data) <= LOG_FILTERS | {"cursor", "page_size", "ordering", "fields"}
