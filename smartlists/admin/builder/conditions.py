"""The inputs of one condition on a card: a field, an operator and its values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.http import urlencode

from activities.log import rollup
from people.persons import suggestions as person_suggestions
from smartlists.admin.builder.choices import FieldChoice
from smartlists.admin.builder.inputs import input_kind
from smartlists.admin.builder.labels import OPERATORS, Choice
from smartlists.rules import periods


@dataclass(slots=True)
class ConditionInputs:
    """One field, an operator and its values, as inputs called `name`.…"""

    name: str
    fields: Sequence[FieldChoice]
    chosen: FieldChoice | None
    operator: str
    values: Sequence[str]
    empty: str = ""
    errors: Sequence[str] = ()
    of: str = ""  # API name of the field's activity type; empty: a person field, or one of an object type
    removal: str = ""  # value of the "remove" button; empty: no such button
    allows_empty: bool = False
    has_suggestions: bool = True

    @property
    def operators(self) -> list[Choice]:
        return [(name, OPERATORS[name]) for name in self.chosen.data_type.operators] if self.chosen else []

    @property
    def inputs(self) -> str:
        """The kind of inputs for the values: none, one, two, lines, period, frame or boolean."""
        return input_kind(self.operator, self.chosen.data_type) if self.chosen else "none"

    @property
    def suggestions(self) -> str:
        """The query string of the address that suggests values; empty where there are no suggestions."""
        if self.chosen is None or not self.has_suggestions:
            return ""
        name, data_type = self.chosen.api_name, self.chosen.data_type.name
        if not (
            rollup.has_suggestions(data_type, self.of, name) if self.of else data_type in person_suggestions.SUGGESTED
        ):
            return ""
        return urlencode({"type": self.of, "field": self.chosen.api_name})

    @property
    def input_type(self) -> str:
        if self.chosen is None:
            return "text"
        data_type = self.chosen.data_type
        if data_type.is_moment and all(_is_date(value) for value in self.values):
            return "date"
        return "number" if data_type.is_number else "text"

    @property
    def example(self) -> str:
        return self.chosen.data_type.example if self.chosen else ""

    @property
    def lines(self) -> str:
        return "\n".join(self.values)

    @property
    def rows(self) -> int:
        return max(1, min(8, len(self.values)))

    @property
    def first(self) -> str:
        return self.values[0] if self.values else ""

    @property
    def second(self) -> str:
        return self.values[1] if len(self.values) > 1 else ""

    @property
    def amount(self) -> str:
        period = periods.parse_period(self.first)
        return str(period[0]) if period else self.first.partition(" ")[0]

    @property
    def unit(self) -> str:
        period = periods.parse_period(self.first)
        return f"{period[1]}s" if period else "days"


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return len(value) == 10
