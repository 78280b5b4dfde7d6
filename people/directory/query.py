"""The query of the list of people: words, filters and an order, in the forms of addresses and of saved views."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from django.http import QueryDict

from people.core.numerals import whole_number
from people.datatypes.keys import MAX_ID
from people.directory.filters import KINDS, MAX_FILTERS, MAX_TEXT, FieldFilter, Filter, ReferenceFilter
from people.directory.orders import ORDERS

FIELD = "f"  # parameter of a filter by field: field:operator:value
_SHORT = {"unsubscribed": "unsubscribed", "invalid": "email_invalid"}  # older parameters with the value "yes"


@dataclass(frozen=True, slots=True)
class PeopleQuery:
    """Words, filters (all of them must hold) and the name of an order."""

    text: str = ""
    filters: tuple[Filter, ...] = ()
    order: str = ""

    @property
    def is_unfiltered(self) -> bool:
        return not self.text and not self.filters

    @classmethod
    def of_address(cls, parameters: QueryDict) -> Self:
        """Parse an address; filters are checked where they are applied, so that the page can name a wrong one."""
        filters: list[Filter] = []
        for packed in parameters.getlist(FIELD):
            field, _colon, rest = packed.partition(":")
            operator, _colon, value = rest.partition(":")
            filters.append(FieldFilter(field[:MAX_TEXT], operator[:MAX_TEXT], value[: MAX_TEXT + 1].replace("\0", "")))
        filters += [FieldFilter(field, "is", "true") for name, field in _SHORT.items() if parameters.get(name) == "yes"]
        for kind in KINDS:
            ids = (whole_number(text, -1, most_digits=10) for text in parameters.getlist(kind))
            filters += [ReferenceFilter(kind, pk) for pk in ids if 0 < pk <= MAX_ID]
        text = parameters.get("q", "").replace("\0", " ").strip()[:MAX_TEXT]
        order = parameters.get("sort", "")
        return cls(text, tuple(dict.fromkeys(filters))[:MAX_FILTERS], order if order in ORDERS else "")

    def address(self, **more: str) -> str:
        """The parameters of an address, without a question mark."""
        query = QueryDict(mutable=True)
        for item in self.filters:
            if isinstance(item, FieldFilter):
                query.appendlist(FIELD, f"{item.field}:{item.operator}:{item.value}")
            else:
                query.appendlist(item.kind, str(item.id))
        query.update({name: value for name, value in {"q": self.text, "sort": self.order, **more}.items() if value})
        return query.urlencode(safe=":")

    def without(self, item: Filter) -> Self:
        return replace(self, filters=tuple(other for other in self.filters if other != item))

    def dump(self) -> dict[str, Any]:
        """The JSON form."""
        filters = [
            {"field": item.field, "operator": item.operator, "value": item.value}
            if isinstance(item, FieldFilter)
            else {"kind": item.kind, "id": item.id}
            for item in self.filters
        ]
        return {"text": self.text, "filters": filters, "order": self.order}

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> Self:
        """Load the output of `dump`."""
        filters: list[Filter] = [
            FieldFilter(**part) if "field" in part else ReferenceFilter(**part) for part in dumped.get("filters", ())
        ]
        return cls(dumped.get("text", ""), tuple(filters), dumped.get("order", ""))
