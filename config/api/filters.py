"""Filters, applied strictly: a parameter that nobody reads is a fault, not something to skip."""

from typing import Any

from django_filters.rest_framework import DjangoFilterBackend

from people.core.errors import BadQueryError
from people.rest.filters import NOT_FILTERS
from people.rest.query import OF_THINGS, refuse_unknown

OF_LISTS = NOT_FILTERS


class StrictFilterBackend(DjangoFilterBackend):
    """Raises `BadQueryError` naming the closest filters for an unknown one, and what was expected for a bad value."""

    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        if view.detail:
            refuse_unknown(request, OF_THINGS, sorted(OF_THINGS))
            return queryset
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None:
            refuse_unknown(request, OF_LISTS, sorted(OF_LISTS))
            return queryset
        refuse_unknown(request, {*filterset.filters, *OF_LISTS}, [*filterset.known(), *sorted(OF_LISTS)])
        if problems := filterset.problems():
            raise BadQueryError(*problems)
        return filterset.qs
