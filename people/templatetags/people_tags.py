"""Avatars of people and users, pictures of object types: initials or an icon on a stable colour."""

from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()
COLOURS = 10  # of the palette in css/people.css


def initials(name: str) -> str:
    """The first letters of the first and the last word: "LN" of "Lucía Núñez", "A" of "ana@example.com"."""
    words = [word for word in name.partition("@")[0].split() if word[0].isalnum()]
    return "".join(word[0] for word in dict.fromkeys([*words[:1], *words[-1:]])).upper()[:2] or "–"


@register.simple_tag
def avatar(name: str, number: int | None, size: str = "") -> SafeString:
    """A disc with the initials of `name`, coloured by the id `number`; hidden from screen readers."""
    colour = (number or 0) % COLOURS
    more = f" ca-avatar--{size}" if size else ""
    return format_html(
        '<span class="ca-avatar ca-colour-{}{}" aria-hidden="true">{}</span>', colour, more, initials(str(name))
    )


@register.simple_tag
def object_picture(object_type: Any, size: str = "") -> SafeString:
    """The icon of an object type in a colour by its id; hidden from screen readers, which read the name beside it."""
    more = f" ca-picture--{size}" if size else ""
    colour, icon = object_type.pk % COLOURS, object_type.shown_icon
    return format_html('<span class="ca-picture ca-colour-{}{}" aria-hidden="true">{}</span>', colour, more, icon)
