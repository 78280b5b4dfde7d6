"""The builder's cards: what the page shows for rules that are right, wrong or half-typed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.log import rollup
from people.core.errors import Problem
from people.datatypes.registry import DataType
from people.persons import suggestions as person_suggestions
from smartlists.admin.builder import form as builder_form
from smartlists.admin.builder.choices import Choices, FieldChoice, offered
from smartlists.admin.builder.labels import INVERSIONS, OPERATORS, Choice
from smartlists.rules import operators, periods
from smartlists.rules.model import FILTERS
from smartlists.rules.operators import Shape
from smartlists.rules.parsing import AGGREGATES, aggregate_type

Json = dict[str, Any]
CONDITIONS = frozenset({"constraints", "aggregate"})  # parts of a card whose problems stand beside their own inputs


@dataclass(slots=True)
class Condition:
    """One field, an operator and its values, as inputs called `name`.…"""

    name: str
    fields: Sequence[FieldChoice]
    chosen: FieldChoice | None
    operator: str
    values: Sequence[str]
    empty: str = ""
    errors: Sequence[str] = ()
    of: str = ""  # API name of the activity type whose field it is; empty: a person's
    removal: str = ""  # what the "remove" button says; empty: it has none
    allows_empty: bool = False

    @property
    def operators(self) -> list[Choice]:
        return [(name, OPERATORS[name]) for name in self.chosen.data_type.operators] if self.chosen else []

    @property
    def inputs(self) -> str:
        """Which inputs the values get: none, one, two, lines, period, frame or boolean."""
        return inputs_of(self.operator, self.chosen.data_type) if self.chosen else "none"

    @property
    def suggestions(self) -> str:
        """The query of the address that proposes values; empty where there is nothing to propose."""
        if (
            self.chosen is None
            or self.chosen.data_type.name not in (rollup if self.of else person_suggestions).SUGGESTED
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
        found = periods.read(self.first)
        return str(found[0]) if found else self.first.partition(" ")[0]

    @property
    def unit(self) -> str:
        found = periods.read(self.first)
        return f"{found[1]}s" if found else "days"


@dataclass(slots=True)
class Step:
    """One step of a sequence card."""

    name: str
    place: str
    type: str
    conditions: Sequence[Condition]
    addable: Sequence[FieldChoice]
    within_days: Any
    is_negated: bool
    is_first: bool
    is_last: bool
    can_go: bool


@dataclass(slots=True)
class Card:
    """One numbered filter."""

    index: int
    kind: str
    title: str
    rules: Json
    conditions: Sequence[Condition] = ()
    addable: Sequence[FieldChoice] = ()
    aggregate: Condition | None = None
    steps: Sequence[Step] = ()
    errors: Sequence[str] = ()
    sentence: str = ""
    lists: Mapping[int, str] = field(default_factory=dict)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = f"filters.{self.index}"

    @property
    def number(self) -> int:
        return self.index + 1

    @property
    def is_folded(self) -> bool:
        """Whether only the sentence shows: never while something is wrong or unsaid."""
        wrong = self.errors or any(one.errors for one in self.conditions) or (self.aggregate and self.aggregate.errors)
        return bool(self.rules.get(builder_form.FOLDED)) and bool(self.sentence) and not wrong

    @property
    def inversion(self) -> str:
        """What the card would say inverted; empty where it has no opposite."""
        return str(INVERSIONS.get(builder_form.inverse_of(self.rules), ""))

    @property
    def count_rules(self) -> Json:
        return self.rules.get("count") or {"operator": "", "values": []}

    @property
    def function(self) -> str:
        return (self.rules.get("aggregate") or {}).get("function", "")


_INPUTS: Mapping[Shape, str] = {
    Shape.NOTHING: "none",
    Shape.ONE: "one",
    Shape.TWO: "two",
    Shape.MANY: "lines",
    Shape.PERIOD: "period",
    Shape.FRAME: "frame",
}


def inputs_of(operator: str, data_type: DataType) -> str:
    if operator not in operators.OPERATORS:
        return "none"
    if data_type.name == "boolean" and operator == "is":
        return "boolean"
    found = _INPUTS[operators.shape_of(data_type, operator)]
    return "one" if found == "lines" and data_type.is_moment else found


def made_fitting(rules: Json, choices: Choices) -> Json:
    """`rules` with operators that their fields have and values that fit the inputs: for a form whose field changed."""
    for rule in rules["filters"]:
        if "field" in rule:
            _fit(rule, choices.person_fields)
        for owner in rule.get("steps", [rule]):
            if "constraints" in owner:
                fields = choices.fields_of(owner["type"])
                owner["constraints"] = [one for one in owner["constraints"] if one["field"] in fields]
                for one in owner["constraints"]:
                    _fit(one, fields)
        if aggregate := rule.get("aggregate"):
            _fit_aggregate(aggregate, choices, rule["type"])
    return rules


def _fit(condition: Json, fields: Mapping[str, FieldChoice]) -> None:
    chosen = fields.get(condition["field"])
    if chosen is None:
        return
    if condition["operator"] not in chosen.data_type.operators:
        condition["operator"], condition["values"] = chosen.data_type.operators[0], []
    inputs = inputs_of(condition["operator"], chosen.data_type)
    condition["values"] = [value for value in condition["values"] if _goes_into(value, inputs, chosen.data_type)]


def _fit_aggregate(aggregate: Json, choices: Choices, type_name: str) -> None:
    fields = aggregated_fields(choices, type_name, aggregate["function"])
    if aggregate["field"] not in fields and fields:
        aggregate["field"], aggregate["values"] = next(iter(fields)), []
    _fit(aggregate, fields)


def aggregated_fields(choices: Choices, type_name: str, function: str) -> dict[str, FieldChoice]:
    """The fields of a type that an aggregate can be over, with the type of what comes out."""
    fits = AGGREGATES.get(function, lambda data_type: False)
    return {
        name: FieldChoice(name, field.label, aggregate_type(function, field.data_type), field.gone)
        for name, field in choices.fields_of(type_name).items()
        if fits(field.data_type)
    }


def _goes_into(value: str, inputs: str, data_type: DataType) -> bool:
    """Whether a value that was typed for another operator still makes sense in these inputs."""
    is_period, is_frame = periods.read(value) is not None, value in periods.FRAMES
    fits = {"none": False, "period": is_period, "frame": is_frame}
    return fits.get(inputs, not (data_type.is_moment and (is_period or is_frame)))


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return len(value) == 10


def of(rules: Json, choices: Choices, problems: Sequence[Problem] = (), sentences: Sequence[str] = ()) -> list[Card]:
    """The cards of `rules`, each with its problems and its sentence where there are any."""
    cards = [
        CARD_BUILDERS[rule["kind"]](index, rule, choices, problems)
        for index, rule in enumerate(rules["filters"])
        if rule["kind"] in CARD_BUILDERS
    ]
    for card, sentence in zip(cards, sentences, strict=False):
        card.sentence = sentence
    return cards


def errors_at(problems: Sequence[Problem], *path: str | int, apart: Collection[str] = ()) -> list[str]:
    """The messages of the problems at `path` or below it, but for what lies in parts called `apart`."""
    return [
        str(problem.message)
        for problem in problems
        if tuple(problem.path[: len(path)]) == path and not set(apart) & set(problem.path[len(path) :])
    ]


def _person_field(index: int, rule: Json, choices: Choices, problems: Sequence[Problem]) -> Card:
    chosen = choices.person_fields.get(rule["field"])
    condition = Condition(
        f"filters.{index}",
        offered(choices.person_fields.values(), chosen),
        chosen,
        rule["operator"],
        rule["values"],
        rule.get("empty", ""),
        errors_at(problems, "filters", index),
        allows_empty=True,
    )
    return Card(index, "person_field", _("Person field"), rule, [condition])


def _constraints(
    owner: Json, name: str, path: Sequence[str | int], place: str, choices: Choices, problems: Sequence[Problem]
) -> tuple[list[Condition], list[FieldChoice]]:
    fields = choices.fields_of(owner["type"])
    conditions = [
        Condition(
            f"{name}.constraints.{number}",
            offered(fields.values(), fields.get(one["field"])),
            fields.get(one["field"]),
            one["operator"],
            one["values"],
            one.get("empty", ""),
            errors_at(problems, *path, "constraints", number),
            of=owner["type"],
            removal=f"remove_constraint:{place}.{number}",
        )
        for number, one in enumerate(owner["constraints"])
    ]
    return conditions, offered(fields.values())


def _activity(index: int, rule: Json, choices: Choices, problems: Sequence[Problem]) -> Card:
    path = ("filters", index)
    conditions, addable = _constraints(rule, f"filters.{index}", path, str(index), choices, problems)
    aggregate = None
    if given := rule.get("aggregate"):
        fields = aggregated_fields(choices, rule["type"], given["function"])
        aggregate = Condition(
            f"filters.{index}.aggregate",
            offered(fields.values(), fields.get(given["field"])),
            fields.get(given["field"]),
            given["operator"],
            given["values"],
            errors=errors_at(problems, *path, "aggregate"),
            of=rule["type"],
        )
    return Card(
        index,
        "activity",
        _("Activity"),
        rule,
        conditions,
        addable,
        aggregate,
        errors=errors_at(problems, *path, apart=CONDITIONS),
    )


def _sequence(index: int, rule: Json, choices: Choices, problems: Sequence[Problem]) -> Card:
    steps, last = [], len(rule["steps"]) - 1
    for number, step in enumerate(rule["steps"]):
        name = f"filters.{index}.steps.{number}"
        path = ("filters", index, "steps", number)
        conditions, addable = _constraints(step, name, path, f"{index}.{number}", choices, problems)
        steps.append(
            Step(
                name,
                f"{index}.{number}",
                step["type"],
                conditions,
                addable,
                step.get("within_days", ""),
                bool(step.get("not")),
                number == 0,
                number == last,
                last > 1,
            )
        )
    return Card(
        index,
        "sequence",
        _("Sequence"),
        rule,
        steps=steps,
        errors=errors_at(problems, "filters", index, apart=CONDITIONS),
    )


def _list_card(title: Any) -> Any:
    def build(index: int, rule: Json, choices: Choices, problems: Sequence[Problem]) -> Card:
        lists = choices.lists_of(rule["kind"], rule["list"])
        return Card(index, rule["kind"], str(title), rule, errors=errors_at(problems, "filters", index), lists=lists)

    return build


CARD_BUILDERS = FILTERS.facet(
    "card of the builder",
    {
        "person_field": _person_field,
        "activity": _activity,
        "sequence": _sequence,
        "static_list": _list_card(gettext_lazy("Static list")),
        "smart_list": _list_card(gettext_lazy("Smart list")),
    },
)
