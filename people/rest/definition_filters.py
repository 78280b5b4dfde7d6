"""Filters of the lists of all kinds of definitions: by state, and by the columns that all kinds have."""

from collections.abc import Mapping

from django.db.models import F, Q
from django.db.models.functions import Coalesce

from people.rest.filters import FilterColumn

DEFINITION_STATES: Mapping[str, Q] = {
    "draft": Q(live=None, retired_at=None),
    "approved": Q(live__isnull=False, draft=None, retired_at=None),
    "approved_with_draft": Q(live__isnull=False, draft__isnull=False, retired_at=None),
    "retired": Q(retired_at__isnull=False),
}
LIFE_CYCLE_COLUMNS: Mapping[str, FilterColumn] = {
    "live": FilterColumn("integer", "live__number", operators=("", "isempty")),
    "draft": FilterColumn("integer", "draft", operators=("isempty",)),
    "folder": FilterColumn("integer", "folder", operators=("", "in", "isempty")),
    "owner": FilterColumn("string", "owner__username", operators=("", "in", "isempty")),
    "created_at": FilterColumn("datetime", is_nullable=False),
    "updated_at": FilterColumn("datetime", is_nullable=False),
    "retired_at": FilterColumn("datetime"),
}


def shown_attribute(attribute: str) -> Coalesce:
    """An attribute of the live version, or of the draft before the first approval."""
    return Coalesce(F(f"live__{attribute}"), F(f"draft__{attribute}"))
