"""Template tags for short components of `templates/components/`."""

from typing import Any

from django import template

register = template.Library()


@register.inclusion_tag("components/empty.html")
def empty_state(
    icon: str, sentence: Any, url: str = "", button: Any = "", is_quiet: bool = False, other: Any = None
) -> dict[str, Any]:
    """An empty state: an icon, a sentence on the purpose of the page, and a button if the user can add something.

    `other` is a second way to add, as a `MenuAction`.
    """
    return {"icon": icon, "sentence": sentence, "url": url, "button": button, "is_quiet": is_quiet, "other": other}
