"""Filters of the native API's list of smart lists."""

from people.rest.filters import NUMBER_KEY, Column, Filters, SearchFilter
from smartlists.models import ListCopy, SmartList


class SmartListFilters(Filters):
    class Meta:
        model = SmartList
        fields = ()

    search = SearchFilter("name", "description")
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


class ListCopyFilters(Filters):
    class Meta:
        model = ListCopy
        fields = ()

    typed = {
        "id": Column("integer", is_nullable=False, operators=NUMBER_KEY),
        "static_list": Column("integer", "static_list_id", is_nullable=False, operators=("", "in")),
        "mode": Column("string", is_nullable=False, operators=("", "in")),
        "state": Column("string", is_nullable=False, operators=("", "in")),
        "every_minutes": Column("integer"),
        "joined": Column("integer"),
        "left": Column("integer"),
        "as_of": Column("datetime"),
        "asked_at": Column("datetime", is_nullable=False),
        "created_by": Column("string", "created_by__username", operators=("", "in", "isempty")),
        "created_at": Column("datetime", is_nullable=False),
    }
    unfiltered = {
        "smart_list": "is in the address",
        "progressed_at": "a sign of life of its job",
        "problem": "a sentence for people",
    }
