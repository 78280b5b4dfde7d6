"""Template filters and tags of the activity pages."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput
from django.utils.formats import number_format
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from activities import labels
from activities.models import ActivityField, ActivityType
from people.datatypes.canonical import text_key
from people.datatypes.registry import BY_NAME

register = template.Library()


@register.filter
def example(field: ActivityField) -> str:
    """A value of the field's data type in the active locale, as an example: “like 1250.50”."""
    data_type = BY_NAME[field.data_type]
    text = number_format(Decimal(data_type.example)) if data_type.is_number else data_type.example
    return _("like %(example)s") % {"example": text}


@register.filter
def purpose_name(purpose: str) -> str:
    """The purpose of a consent as pages show it."""
    return labels.purpose_name(purpose)


@register.filter
def shown_as(field: ActivityField, activity_type: ActivityType) -> str:
    """The field's name, in the active language where the product ships its type."""
    return labels.localized_name(field.name, activity_type.is_standard)


@register.filter
def is_checkbox(field: BoundField) -> bool:
    return isinstance(field.field.widget, CheckboxInput)


@register.filter
def marked(text: str, query: str | None) -> SafeString:
    """`text` with every occurrence of `query` marked, ignoring case."""
    key = text_key((query or "").strip())
    folded = text_key(text)
    if not key or len(folded) != len(text):
        return conditional_escape(text)
    parts, start = [], 0
    while (place := folded.find(key, start)) >= 0:
        parts += [conditional_escape(text[start:place]), format_html("<mark>{}</mark>", text[place : place + len(key)])]
        start = place + len(key)
    return SafeString("".join([*parts, conditional_escape(text[start:])]))


@register.simple_tag
def picture(activity_type: ActivityType, size: str = "") -> SafeString:
    """The icon of a type in its colour; hidden from screen readers, which read the name beside it."""
    more = f" ca-picture--{size}" if size else ""
    return format_html(
        '<span class="ca-picture ca-colour-{}{}" aria-hidden="true">{}</span>',
        activity_type.shown_colour,
        more,
        activity_type.shown_icon,
    )


@register.filter
def item(mapping: Mapping[Any, Any], key: Any) -> Any:
    return mapping.get(key)
