"""Rejects unknown query parameters."""

from difflib import get_close_matches
from typing import Any

from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import BadQueryError, Problem, quoted_value

OBJECT_PARAMETERS = frozenset({"fields", "format"})  # parameters of every action
MAX_SHOWN = 5  # unknown parameters of one request
CLOSEST = 5  # similar known names shown for each
CLOSE_ENOUGH = 0.5


def refuse_unknown(request: Any, allowed: Any, known_names: list[str]) -> None:
    """Raise `BadQueryError` for parameters that are not `allowed`, each with the closest names of `known`."""
    unknown = [quoted_value(name) for name in request.query_params if name not in allowed]
    if unknown:
        raise BadQueryError(*(_unknown(name, known_names) for name in unknown[:MAX_SHOWN]))


def _unknown(name: str, known_names: list[str]) -> Problem:
    near = ", ".join(get_close_matches(name, known_names, CLOSEST, CLOSE_ENOUGH))
    message = (
        _("there is no filter '%(name)s'; the closest are %(near)s") if near else _("there is no filter '%(name)s'")
    )
    return Problem(Code.UNKNOWN_FILTER, message % {"name": name, "near": near}, (name,), near, name)
