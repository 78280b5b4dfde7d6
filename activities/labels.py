"""Names of activity types and their fields as pages show them."""

from django.utils.translation import gettext, pgettext

# the end of a standard type's name where the team has a type of that name
CLASH_SUFFIX = " (system)"


def localized_name(name: str, is_standard: bool) -> str:
    """`name` in the active language where the product ships the type; the names of custom types are never translated.

    Stored values, text forms and interfaces for programs keep `name`.
    """
    if not is_standard or not name:
        return name
    stem = name.removesuffix(CLASH_SUFFIX)
    return gettext(name) if stem == name else gettext("%(name)s (system)") % {"name": gettext(stem)}


def purpose_name(purpose: str) -> str:
    """The purpose of a consent: the product's own in the active language, others as the team wrote them."""
    return pgettext("purpose of a consent", "email") if purpose == "email" else purpose
