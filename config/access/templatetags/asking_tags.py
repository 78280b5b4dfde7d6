"""The template tag for the key of a request for help, which ties a right to the page that names it."""

from typing import Any

from django import template

from config.access.users import asking

register = template.Library()


@register.simple_tag(takes_context=True)
def ask_key(context: dict[str, Any], right: str, path: str) -> str:
    """The key with which the reader of this page can request help with `path` from the holders of `right`."""
    return asking.help_key(context["request"].user, right, path)
