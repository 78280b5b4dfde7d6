"""The key of a question: which right a page names to whom."""

from typing import Any

from django import template

from config.access.users import asking

register = template.Library()


@register.simple_tag(takes_context=True)
def ask_key(context: dict[str, Any], right: str, path: str) -> str:
    """What lets the reader of this page ask who has `right`, for the page at `path`."""
    return asking.key(context["request"].user, right, path)
