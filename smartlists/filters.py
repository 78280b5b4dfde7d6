"""Filters of the native API's list of smart lists."""

from people.filtering import NUMBER_KEY, Column, Filters
from smartlists.models import SmartList


class SmartListFilters(Filters):
    class Meta:
        model = SmartList
        fields = ()

    typed = {
        "id": Column("integer", is_nullable=False, operators=NUMBER_KEY),
        "name": Column("string", is_nullable=False),
        "description": Column("text", is_nullable=False, operators=("contains",)),
        "folder": Column("integer", operators=("", "in", "isempty")),
        "owner": Column("string", "owner__username", operators=("", "in", "isempty")),
        "is_archived": Column("boolean", is_nullable=False),
        "evaluate_every_minutes": Column("integer"),
        "current": Column("integer", "current__count", operators=("", "gt", "gte", "lt", "lte", "isempty")),
        "created_by": Column("string", "created_by__username", operators=("", "in", "isempty")),
        "updated_by": Column("string", "updated_by__username", operators=("", "in", "isempty")),
        "created_at": Column("datetime", is_nullable=False),
        "updated_at": Column("datetime", is_nullable=False),
    }
    unfiltered = {"rules": "a whole, not something to look a list up by", "revision": "stands in the ETag"}
