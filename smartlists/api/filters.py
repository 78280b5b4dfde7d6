"""Filters of the native API's list of smart lists."""

from people.rest.filters import NUMBER_KEY, FilterColumn, SearchFilter, StrictFilterSet
from smartlists.models import ListCopy, SmartList


class SmartListFilterSet(StrictFilterSet):
    class Meta:
        model = SmartList
        fields = ()

    search = SearchFilter("name", "description")
    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "name": FilterColumn("string", is_nullable=False),
        "description": FilterColumn("text", is_nullable=False, operators=("contains",)),
        "folder": FilterColumn("integer", operators=("", "in", "isempty")),
        "owner": FilterColumn("string", "owner__username", operators=("", "in", "isempty")),
        "is_archived": FilterColumn("boolean", is_nullable=False),
        "evaluate_every_minutes": FilterColumn("integer"),
        "refresh_automatically": FilterColumn("boolean", "is_refreshed", is_nullable=False),
        "current": FilterColumn("integer", "current__count", operators=("", "gt", "gte", "lt", "lte", "isempty")),
        "created_by": FilterColumn("string", "created_by__username", operators=("", "in", "isempty")),
        "updated_by": FilterColumn("string", "updated_by__username", operators=("", "in", "isempty")),
        "created_at": FilterColumn("datetime", is_nullable=False),
        "updated_at": FilterColumn("datetime", is_nullable=False),
    }
    unfiltered = {"rules": "a whole, not something to look a list up by", "revision": "stands in the ETag"}


class ListCopyFilterSet(StrictFilterSet):
    class Meta:
        model = ListCopy
        fields = ()

    typed = {
        "id": FilterColumn("integer", is_nullable=False, operators=NUMBER_KEY),
        "static_list": FilterColumn("integer", "static_list_id", is_nullable=False, operators=("", "in")),
        "mode": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "state": FilterColumn("string", is_nullable=False, operators=("", "in")),
        "every_minutes": FilterColumn("integer"),
        "joined": FilterColumn("integer"),
        "left": FilterColumn("integer"),
        "as_of": FilterColumn("datetime"),
        "asked_at": FilterColumn("datetime", is_nullable=False),
        "created_by": FilterColumn("string", "created_by__username", operators=("", "in", "isempty")),
        "created_at": FilterColumn("datetime", is_nullable=False),
    }
    unfiltered = {
        "smart_list": "is in the address",
        "progressed_at": "a sign of life of its job",
        "problem": "a sentence for people",
    }
