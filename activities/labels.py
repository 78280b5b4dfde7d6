"""Names of activity types and their fields as pages show them."""

from django.utils.translation import gettext


def localized_name(name: str, is_standard: bool) -> str:
    """`name` in the active language where the product ships the type; the names of custom types are never translated.

    Stored values, text forms and interfaces for programs keep `name`.
    """
    return gettext(name) if is_standard and name else name
