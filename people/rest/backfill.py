"""The parameter `backfill` of the native API: what a request records is about the past on purpose."""

from dataclasses import replace

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter

from people.core.codes import Code
from people.core.errors import BadQueryError, bad_value
from people.core.source import Source
from people.rest.viewsets import ResourceViewSet

BACKFILL = OpenApiParameter(
    "backfill",
    str,
    enum=["true", "false"],
    description="true: this is about the past. It is on the timeline and in smart lists, and starts no campaign.",
)
TAKES_BACKFILL = frozenset({BACKFILL.name})  # the query parameters of an action that takes it


class BackfillMixin(ResourceViewSet):
    """A view set with actions that take the parameter; they name it in `parameters`."""

    @property
    def source(self) -> Source:
        text = self.request.query_params.get(BACKFILL.name, "false")
        if text not in ("true", "false"):
            raise BadQueryError(bad_value(Code.WRONG_TYPE, _("true or false"), text, BACKFILL.name))
        return replace(super().source, is_backfill=text == "true")
