"""Orders of the list of people: those that an index serves."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from people.querysets import SEARCHED


@dataclass(frozen=True, slots=True)
class PeopleOrder:
    """An order by `key` (SQL over `p`; empty: by id), then by id in the same direction.

    People without a value of a text come last.
    """

    label: str | Promise
    key: str = ""
    is_descending: bool = False
    is_text: bool = False
    column: str = ""  # the field with this order


def _text_orders() -> dict[str, PeopleOrder]:
    labels = {
        "email": (gettext_lazy("Email, A to Z"), gettext_lazy("Email, Z to A")),
        "first_name": (gettext_lazy("First name, A to Z"), gettext_lazy("First name, Z to A")),
        "last_name": (gettext_lazy("Last name, A to Z"), gettext_lazy("Last name, Z to A")),
        "company": (gettext_lazy("Company, A to Z"), gettext_lazy("Company, Z to A")),
    }
    return {
        f"{'-' * is_descending}{name}": PeopleOrder(label, f"lower(p.{name})", is_descending, True, name)
        for name in SEARCHED
        for is_descending, label in zip((False, True), labels[name], strict=True)
    }


ORDERS: Mapping[str, PeopleOrder] = {
    "": PeopleOrder(gettext_lazy("Newest first"), is_descending=True),
    "id": PeopleOrder(gettext_lazy("Oldest first")),
    **_text_orders(),
}
