"""Filters of the native API's lists: every field with the operators of its type.

`?last_name__startswith=Mc&created_at__gte=2026-01-01`. Text is compared without case; `__in` takes a list with
commas; `__isempty=true` matches rows without a value. Negative operators match these rows, too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Any, ClassVar

import django_filters
from django import forms
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Lower
from django.db.models.lookups import (
    Contains,
    EndsWith,
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNull,
    LessThan,
    LessThanOrEqual,
    StartsWith,
)
from django.utils.translation import gettext as _

from people.core import words
from people.core.codes import Code
from people.core.db import value_sql
from people.core.errors import Problem, quoted_value
from people.datatypes import json_schema
from people.datatypes.canonical import text_key
from people.datatypes.parsing import BadValueError, is_blank
from people.datatypes.registry import BY_NAME, DataType

MAX_VALUES = 300
NOT_FILTERS = frozenset({"cursor", "page_size", "ordering", "fields"})  # parameters of every list


@dataclass(frozen=True, slots=True)
class FilterOperator:
    """A comparison: the suffix of the parameter's name, and the condition on the left side and canonical values."""

    suffix: str
    condition: Callable[[Any, Any], Any]
    is_list: bool = False
    is_flag: bool = False

    def name(self, field: str) -> str:
        return f"{field}__{self.suffix}" if self.suffix else field


_IS = FilterOperator("", Exact)
_IS_NOT = FilterOperator("not", lambda left, value: Q(IsNull(left, True)) | ~Q(Exact(left, value)))
_IN = FilterOperator("in", In, is_list=True)
_IS_EMPTY = FilterOperator("isempty", IsNull, is_flag=True)
_ORDER = (
    FilterOperator("gt", GreaterThan),
    FilterOperator("gte", GreaterThanOrEqual),
    FilterOperator("lt", LessThan),
    FilterOperator("lte", LessThanOrEqual),
)
_TEXT = (
    _IS,
    _IS_NOT,
    _IN,
    FilterOperator("startswith", StartsWith),
    FilterOperator("endswith", EndsWith),
    FilterOperator("contains", Contains),
)


def _operators(data_type: DataType) -> tuple[FilterOperator, ...]:
    if data_type.is_number:
        return (_IS, _IS_NOT, _IN, *_ORDER)
    if data_type.is_moment:
        return (_IS, *_ORDER)
    return (_IS,) if data_type.name == "boolean" else _TEXT


_OUTPUT: Mapping[str, type[models.Field]] = {
    "boolean": models.BooleanField,
    "date": models.DateField,
    "datetime": models.DateTimeField,
}


@dataclass(frozen=True, slots=True)
class FilterColumn:
    """The left side of a filter: a column by its name, or an expression whose text is cast to `data_type`."""

    data_type: str
    source: Any = ""
    is_nullable: bool = True
    operators: Sequence[str] | None = None  # suffixes, a selection of those of the data type

    def allowed_operators(self) -> tuple[FilterOperator, ...]:
        operators = (*_operators(BY_NAME[self.data_type]), *((_IS_EMPTY,) if self.is_nullable else ()))
        return tuple(operator for operator in operators if self.operators is None or operator.suffix in self.operators)

    def left(self, name: str) -> Any:
        column = F(self.source or name) if isinstance(self.source, str) else self.source
        return Lower(column) if is_text_type(self.data_type) else column


NUMBER_KEY = ("", "in", "gt", "gte", "lt", "lte")


def is_text_type(data_type: str) -> bool:
    return BY_NAME[data_type].is_text


def cast_expression(data_type: str, text: Any) -> Func:
    """The expression that casts the expression `text` to `data_type`, for comparisons."""
    is_number = BY_NAME[data_type].is_number
    output = models.DecimalField() if is_number else _OUTPUT.get(data_type, models.TextField)()
    return Func(text, template=value_sql.cast_sql(data_type, "%(expressions)s"), output_field=output)


def _read_as(data_type: str, operator: FilterOperator) -> str:
    """The data type of a filter's value, wider than the column's: a part of an address, any number for an amount."""
    if operator.is_flag:
        return "boolean"
    if is_text_type(data_type):
        return "string"
    return "float" if data_type == "currency" else data_type


class FilterValueField(forms.Field):
    """A value of a data type, or a list of values with commas."""

    def __init__(self, *, data_type: str, operator: FilterOperator, **options: Any) -> None:
        super().__init__(**options)
        self.data_type = BY_NAME[data_type]
        self.operator = operator

    def clean(self, value: Any) -> Any:
        if value is None:
            return None
        if not self.operator.is_list:
            return self._value(value)
        parts = value.split(",")
        if len(parts) > MAX_VALUES:
            raise forms.ValidationError(_("at most 300 values"), Code.TOO_MANY_VALUES)
        return [self._value(part) for part in parts]

    def _value(self, raw: str) -> Any:
        if is_blank(raw):
            raise forms.ValidationError(_("a value is needed; __isempty=true finds what has none"), Code.MISSING_VALUE)
        try:
            value = self.data_type.parse(raw, UTC)
        except BadValueError as error:
            message = _("expected %(expected)s, got “%(got)s”")
            parameters = {"expected": str(error.expected), "got": quoted_value(raw)}
            raise forms.ValidationError(message, error.code, parameters) from None
        if isinstance(value, float):
            return Decimal(repr(value))
        return text_key(value) if isinstance(value, str) else value


# text with something but white space, as Python sees it; in a list, without commas
_NOT_BLANK = r"[^\s\u001c-\u001f\u0085]"
_PART = r"^[^,]*[^\s\u001c-\u001f\u0085,][^,]*$"


class TypedFilter(django_filters.Filter):
    """One operator on one column."""

    field_class = FilterValueField

    def __init__(self, left: Any, data_type: str, operator: FilterOperator, description: str = "") -> None:
        data_type = _read_as(data_type, operator)
        super().__init__(label=operator.suffix or "is", data_type=data_type, operator=operator)
        self.left = left
        self.operator = operator
        self.description = description
        schema = json_schema.data_type_schema(data_type)
        if data_type == "string":
            schema = {**schema, "minLength": 1, "pattern": _PART if operator.is_list else _NOT_BLANK}
        if operator.is_list:
            schema = {"type": "array", "items": schema, "minItems": 1, "maxItems": MAX_VALUES}
        self.schema = schema

    def filter(self, queryset: Any, value: Any) -> Any:
        return queryset if value is None else queryset.filter(self.operator.condition(self.left, value))


class WordsField(forms.Field):
    """A list with commas, of words out of a fixed set."""

    def __init__(self, *, words: Sequence[str], **options: Any) -> None:
        super().__init__(**options)
        self.words = words

    def clean(self, value: Any) -> Any:
        if value is None:
            return None
        chosen = value.split(",")
        for word in chosen:
            if word not in self.words:
                parameters = {"expected": ", ".join(self.words), "got": quoted_value(word)}
                raise forms.ValidationError(_("expected %(expected)s, got “%(got)s”"), Code.WRONG_TYPE, parameters)
        return chosen


class WordsFilter(django_filters.Filter):
    """`?state=draft,retired`: rows that satisfy the condition of any of the words."""

    field_class = WordsField

    def __init__(self, conditions: Mapping[str, Q], description: str = "") -> None:
        super().__init__(label="is", words=list(conditions))
        self.conditions = conditions
        self.description = description
        self.schema = {"type": "array", "items": {"type": "string", "enum": list(conditions)}, "minItems": 1}

    def filter(self, queryset: Any, value: Any) -> Any:
        if value is None:
            return queryset
        condition = Q()
        for word in value:
            condition |= self.conditions[word]
        return queryset.filter(condition)


class SearchFilter(TypedFilter):
    """`?search=gar luc`: each word begins a word of one of `columns`; or the rows that `find(rows, text)` returns."""

    def __init__(self, *columns: Any, find: Callable[[Any, str], Any] | None = None) -> None:
        super().__init__(
            None, "string", _IS, "Matches where each word is the beginning of a word; ignores case and accents."
        )
        self.find = find or (lambda rows, text: words.filter_by_words(rows, text, *columns))

    def filter(self, queryset: Any, value: Any) -> Any:
        return queryset if value is None else self.find(queryset, value)


def column_filters(name: str, left: Any, column: FilterColumn) -> dict[str, TypedFilter]:
    return {
        operator.name(name): TypedFilter(left, column.data_type, operator) for operator in column.allowed_operators()
    }


class StrictFilterSet(django_filters.FilterSet):
    """The filters of a list: those of the table `typed`, declared ones, and `dynamic` ones.

    `unfiltered` maps the model's fields without a filter to the reason.
    """

    base_filters: dict[str, django_filters.Filter]  # of the class: all; of an instance: those of the request
    typed: ClassVar[Mapping[str, FilterColumn]] = {}
    unfiltered: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def get_filters(cls) -> dict[str, django_filters.Filter]:
        filters: dict[str, django_filters.Filter] = super().get_filters()
        for name, column in cls.typed.items():
            filters.update(column_filters(name, column.left(name), column))
        return filters

    def __init__(self, data: Any = None, queryset: Any = None, **options: Any) -> None:
        # only the filters of the request are set up: a list may have hundreds
        requested = data or {}
        self.base_filters = {name: item for name, item in type(self).base_filters.items() if name in requested}
        self.base_filters.update(self.dynamic(requested))
        super().__init__(data, queryset, **options)

    def dynamic(self, data: Any) -> Mapping[str, django_filters.Filter]:
        """Filters on custom fields, for the parameters in `data` that name a custom field."""
        return {}

    @classmethod
    def parameter_names(cls) -> list[str]:
        """The names of all parameters, for the problem of an unknown one."""
        return list(cls.base_filters)

    def problems(self) -> list[Problem]:
        """The problems of the values."""
        return [_problem(name, error) for name, errors in self.form.errors.as_data().items() for error in errors]


def _problem(name: str, error: Any) -> Problem:
    parameters = error.params or {}
    return Problem(
        error.code or Code.WRONG_TYPE,
        " ".join(error.messages),
        (name,),
        str(parameters.get("expected", "")),
        str(parameters.get("got", "")),
    )
