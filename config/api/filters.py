"""Strict filter backend: rejects unknown query parameters."""

from typing import Any

from django_filters.rest_framework import DjangoFilterBackend

from people.core.errors import BadQueryError
from people.rest.filters import NOT_FILTERS
from people.rest.query import OBJECT_PARAMETERS, refuse_unknown

LIST_PARAMETERS = NOT_FILTERS


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
