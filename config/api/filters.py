"""Filters, applied strictly: a parameter that nobody reads is a fault, not something to skip."""

from typing import Any

from django.utils.translation import gettext as _
from django_filters.rest_framework import DjangoFilterBackend

from people.core.errors import Problem, show
from people.core.refusals import BadQuery
from people.rest.filters import NOT_FILTERS

OF_LISTS = NOT_FILTERS
OF_THINGS = frozenset({"fields", "format"})


class StrictFilterBackend(DjangoFilterBackend):
    """Raises `BadQuery` naming the known filters for an unknown one, and what was expected for a bad value."""

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
            raise BadQuery(*problems)
        return filterset.qs


def refuse_unknown(request: Any, allowed: Any, known: list[str]) -> None:
    unknown = [name for name in request.query_params if name not in allowed]
    if unknown:
        names = ", ".join(known)
        message = _("there is no filter '%(name)s'; there are %(known)s")
        raise BadQuery(
            *(
                Problem(
                    "unknown_filter", message % {"name": show(name), "known": names}, (show(name),), names, show(name)
                )
                for name in unknown[:20]
            )
        )
