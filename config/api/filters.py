"""Strict filter backend: rejects unknown query parameters."""

from difflib import get_close_matches
from typing import Any

from django.utils.translation import gettext as _
from django_filters.rest_framework import DjangoFilterBackend

from people.core.codes import Code
from people.core.errors import BadQueryError, Problem, quoted_value
from people.rest.filters import NOT_FILTERS

LIST_PARAMETERS = NOT_FILTERS
OBJECT_PARAMETERS = frozenset({"fields", "format"})
MAX_SHOWN = 5  # unknown parameters of one request
CLOSEST = 5  # similar known names shown for each
CLOSE_ENOUGH = 0.5


class StrictFilterBackend(DjangoFilterBackend):
    """Raises `BadQueryError` with the closest names for an unknown filter, and the expected form for a bad value."""

    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        if view.detail:
            refuse_unknown(request, OBJECT_PARAMETERS, sorted(OBJECT_PARAMETERS))
            return queryset
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None:
            refuse_unknown(request, LIST_PARAMETERS, sorted(LIST_PARAMETERS))
            return queryset
        refuse_unknown(
            request, {*filterset.filters, *LIST_PARAMETERS}, [*filterset.parameter_names(), *sorted(LIST_PARAMETERS)]
        )
        if problems := filterset.problems():
            raise BadQueryError(*problems)
        return filterset.qs


def refuse_unknown(request: Any, allowed: Any, known: list[str]) -> None:
    """Raise `BadQueryError` for parameters that are not `allowed`, each with the closest names of `known`."""
    unknown = [quoted_value(name) for name in request.query_params if name not in allowed]
    if unknown:
        raise BadQueryError(*(_unknown(name, known) for name in unknown[:MAX_SHOWN]))


def _unknown(name: str, known: list[str]) -> Problem:
    near = ", ".join(get_close_matches(name, known, CLOSEST, CLOSE_ENOUGH))
    message = (
        _("there is no filter '%(name)s'; the closest are %(near)s") if near else _("there is no filter '%(name)s'")
    )
    return Problem(Code.UNKNOWN_FILTER, message % {"name": name, "near": near}, (name,), near, name)
