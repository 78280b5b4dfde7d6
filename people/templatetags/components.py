"""Components of `templates/components/` that are short enough for a tag of their own."""

from typing import Any

from django import template

register = template.Library()


@register.inclusion_tag("components/empty.html")
def empty_state(icon: str, sentence: Any, url: str = "", button: Any = "", is_quiet: bool = False) -> dict[str, Any]:
    """A place with nothing in it: an icon, what the place is for, and a button where the reader may fill it."""
    return {"icon": icon, "sentence": sentence, "url": url, "button": button, "is_quiet": is_quiet}
