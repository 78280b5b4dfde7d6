"""Names of activity types and their fields as pages say them."""

from django.utils.translation import gettext


def shown(name: str, is_standard: bool) -> str:
    """`name` in the reader's language where the product ships the type; a team's own names are as the team wrote them.

    What is stored, what text forms say and what programs read stays `name`.
    """
    return gettext(name) if is_standard and name else name
