"""Checks of query parameters: unknown ones, those given twice, and values."""

from difflib import get_close_matches
from itertools import islice
from typing import Any

from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import BadQueryError, Problem, quoted_value

OBJECT_PARAMETERS = frozenset({"fields"})  # parameters of every action
MAX_SHOWN = 5  # unknown parameters of one request
CLOSEST = 5  # similar known names shown for each
CLOSE_ENOUGH = 0.5
_CODES = {"required": Code.MISSING_VALUE, "min_value": Code.OUT_OF_RANGE, "max_value": Code.OUT_OF_RANGE}


def refuse_unknown(request: Any, allowed: Any, known_names: list[str]) -> None:
    """Raise `BadQueryError` for parameters that are not `allowed`, each with the closest names of `known_names`.

    A parameter that is given twice is refused, too: only one of its values would be read.
    """
    parameters = request.query_params
    unknown = (name for name in parameters if name not in allowed)
    problems = [_unknown(quoted_value(name), known_names) for name in islice(unknown, MAX_SHOWN)]
    repeated = (name for name in parameters if name in allowed and len(parameters.getlist(name)) > 1)
    problems += [_repeated(name, parameters.getlist(name)) for name in islice(repeated, MAX_SHOWN)]
    if problems:
        raise BadQueryError(*problems)


def read_query(parameters: Any) -> dict[str, Any]:
    """The checked values of the serializer `parameters` of a query. Raises `BadQueryError`, never as for a body."""
    if not parameters.is_valid():
        raise BadQueryError(
            *(
                Problem(_CODES.get(error.code, Code.WRONG_TYPE), str(error), (name,))
                for name, errors in parameters.errors.items()
                for error in errors
            )
        )
    values: dict[str, Any] = parameters.validated_data
    return values


def _repeated(name: str, values: list[str]) -> Problem:
    message = _(
        "“%(name)s” is given %(count)s times; give it once, with commas between several values where it takes them"
    )
    parameters = {"name": name, "count": len(values)}
    got = ", ".join(quoted_value(value) for value in values[:MAX_SHOWN])
    return Problem(Code.GIVEN_TWICE, message % parameters, (name,), "", got)


def _unknown(name: str, known_names: list[str]) -> Problem:
    near = ", ".join(get_close_matches(name, known_names, CLOSEST, CLOSE_ENOUGH))
    message = (
        _("there is no filter “%(name)s”; the closest are %(near)s") if near else _("there is no filter “%(name)s”")
    )
    return Problem(Code.UNKNOWN_FILTER, message % {"name": name, "near": near}, (name,), near, name)
