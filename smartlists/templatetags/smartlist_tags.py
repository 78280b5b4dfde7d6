"""Shared markup of the cards of the two builders."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

_ICON_BUTTON = (
    '<button class="{css}" type="submit" name="do" value="{action}" title="{label}" aria-label="{label}">'
    '<span class="material-symbols-outlined" aria-hidden="true">{icon}</span></button>'
)


@register.simple_tag
def icon_button(icon: str, label: str, action: str, place: str | int | None = None, css: str = "") -> SafeString:
    """A button that is an icon only: posts `do=action`, or `do=action:place`; `css` adds classes."""
    return format_html(
        _ICON_BUTTON,
        css=f"ca-icon-button {css}".strip(),
        action=action if place is None else f"{action}:{place}",
        label=label,
        icon=icon,
    )
