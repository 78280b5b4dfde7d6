"""Query parameters that nobody reads: a fault, not something to skip."""

from difflib import get_close_matches
from typing import Any

from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import BadQueryError, Problem, show

OF_THINGS = frozenset({"fields", "format"})  # parameters of every action
MAX_TOLD = 5  # unknown parameters of one request
CLOSEST = 5  # known ones told for each
CLOSE_ENOUGH = 0.5


def refuse_unknown(request: Any, allowed: Any, known: list[str]) -> None:
    """Raise `BadQueryError` for parameters that are not `allowed`, each with those of `known` that come closest."""
    unknown = [show(name) for name in request.query_params if name not in allowed]
    if unknown:
        raise BadQueryError(*(_unknown(name, known) for name in unknown[:MAX_TOLD]))


def _unknown(name: str, known: list[str]) -> Problem:
    near = ", ".join(get_close_matches(name, known, CLOSEST, CLOSE_ENOUGH))
    message = (
        _("there is no filter '%(name)s'; the closest are %(near)s") if near else _("there is no filter '%(name)s'")
    )
    return Problem(Code.UNKNOWN_FILTER, message % {"name": name, "near": near}, (name,), near, name)
