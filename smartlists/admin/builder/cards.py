"""The builder's cards: the view models of valid, invalid and unfinished rules."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core.errors import Problem
from smartlists.admin.builder import form as builder_form
from smartlists.admin.builder.changes import ChangeInputs, change_inputs
from smartlists.admin.builder.choices import Choices, FieldChoice, selectable_fields
from smartlists.admin.builder.conditions import ConditionInputs
from smartlists.admin.builder.fitting import aggregatable_fields
from smartlists.admin.builder.inversion import inversion_key
from smartlists.admin.builder.labels import INVERSIONS
from smartlists.rules.model import FILTERS

Json = dict[str, Any]
CONDITIONS = frozenset(
    {"constraints", "aggregate", "changed"}
)  # parts of a card whose problems stand beside their own inputs


@dataclass(slots=True)
class SequenceStepCard:
    """One step of a sequence card."""

    name: str
    place: str
    type: str
    conditions: Sequence[ConditionInputs]
    addable: Sequence[FieldChoice]
    within_days: Any
    is_negated: bool
    is_first: bool
    is_last: bool
    can_go: bool
    bots: str = ""  # empty: the type does not mark bots


@dataclass(slots=True)
class FilterCard:
    """One numbered filter."""

    index: int
    kind: str
    title: str
    rules: Json
    conditions: Sequence[ConditionInputs] = ()
    addable: Sequence[FieldChoice] = ()
    aggregate: ConditionInputs | None = None
    steps: Sequence[SequenceStepCard] = ()
    errors: Sequence[str] = ()
    sentence: str = ""
    lists: Mapping[int, str] = field(default_factory=dict)
    bots: str = ""  # empty: the type does not mark bots
    changed: ChangeInputs | None = None
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = f"filters.{self.index}"

    @property
    def number(self) -> int:
        return self.index + 1

    @property
    def is_folded(self) -> bool:
        """True if only the sentence is shown; never while the card has errors or no sentence."""
        wrong = (
            self.errors
            or any(condition.errors for condition in self.conditions)
            or (self.aggregate and self.aggregate.errors)
            or (self.changed and self.changed.errors)
        )
        return bool(self.rules.get(builder_form.FOLDED)) and bool(self.sentence) and not wrong

    @property
    def inversion(self) -> str:
        """The label of the inverted card; empty where it has no opposite."""
        return str(INVERSIONS.get(inversion_key(self.rules), ""))

    @property
    def count_rules(self) -> Json:
        return self.rules.get("count") or {"operator": "", "values": []}

    @property
    def date_fields(self) -> list[FieldChoice]:
        """The fields of dates that an object card can name, without what the product itself sets."""
        return [choice for choice in self.addable if choice.data_type.is_moment and not choice.is_read_only]

    @property
    def function(self) -> str:
        return (self.rules.get("aggregate") or {}).get("function", "")


def build_cards(
    rules: Json, choices: Choices, problems: Sequence[Problem] = (), sentences: Sequence[str] = ()
) -> list[FilterCard]:
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
    """The messages of the problems at `path` or below it, except those in parts named in `apart`."""
    return [
        str(problem.message)
        for problem in problems
        if tuple(problem.path[: len(path)]) == path and not set(apart) & set(problem.path[len(path) :])
    ]


def _person_field(index: int, rule: Json, choices: Choices, problems: Sequence[Problem]) -> FilterCard:
    choice = choices.person_fields.get(rule["field"])
    condition = ConditionInputs(
        f"filters.{index}",
        selectable_fields(choices.person_fields.values(), choice),
        choice,
        rule["operator"],
        rule["values"],
        rule.get("empty", ""),
        errors_at(problems, "filters", index),
        allows_empty=True,
    )
    return FilterCard(index, "person_field", _("Person field"), rule, [condition])


def _constraints(
    owner: Json, name: str, path: Sequence[str | int], place: str, choices: Choices, problems: Sequence[Problem]
) -> tuple[list[ConditionInputs], list[FieldChoice]]:
    fields = choices.fields_of_card(owner)
    is_of_activities = owner.get("kind") != "object"
    conditions = [
        ConditionInputs(
            f"{name}.constraints.{number}",
            selectable_fields(fields.values(), fields.get(constraint["field"])),
            fields.get(constraint["field"]),
            constraint["operator"],
            constraint["values"],
            constraint.get("empty", ""),
            errors_at(problems, *path, "constraints", number),
            of=owner["type"] if is_of_activities else "",
            has_suggestions=is_of_activities,
            removal=f"remove_constraint:{place}.{number}",
        )
        for number, constraint in enumerate(owner["constraints"])
    ]
    return conditions, selectable_fields(fields.values())


def _activity(index: int, rule: Json, choices: Choices, problems: Sequence[Problem]) -> FilterCard:
    path = ("filters", index)
    conditions, addable = _constraints(rule, f"filters.{index}", path, str(index), choices, problems)
    return FilterCard(
        index,
        "activity",
        _("Activity"),
        rule,
        conditions,
        addable,
        _aggregate(index, rule, choices, problems),
        errors=errors_at(problems, *path, apart=CONDITIONS),
        bots=choices.bots_of(rule),
    )


def _aggregate(index: int, rule: Json, choices: Choices, problems: Sequence[Problem]) -> ConditionInputs | None:
    aggregate = rule.get("aggregate")
    if not aggregate:
        return None
    fields = aggregatable_fields(choices, rule, aggregate["function"])
    is_of_activities = rule["kind"] != "object"
    return ConditionInputs(
        f"filters.{index}.aggregate",
        selectable_fields(fields.values(), fields.get(aggregate["field"])),
        fields.get(aggregate["field"]),
        aggregate["operator"],
        aggregate["values"],
        errors=errors_at(problems, "filters", index, "aggregate"),
        of=rule["type"] if is_of_activities else "",
        has_suggestions=is_of_activities,
    )


def _object(index: int, rule: Json, choices: Choices, problems: Sequence[Problem]) -> FilterCard:
    path = ("filters", index)
    conditions, addable = _constraints(rule, f"filters.{index}", path, str(index), choices, problems)
    return FilterCard(
        index,
        "object",
        _("Object"),
        rule,
        conditions,
        addable,
        _aggregate(index, rule, choices, problems),
        errors=errors_at(problems, *path, apart=CONDITIONS),
        changed=change_inputs(
            f"filters.{index}.changed",
            rule.get("changed"),
            choices.fields_of_object(rule["type"]),
            errors_at(problems, *path, "changed"),
        ),
    )


def _sequence(index: int, rule: Json, choices: Choices, problems: Sequence[Problem]) -> FilterCard:
    steps, last = [], len(rule["steps"]) - 1
    for number, step in enumerate(rule["steps"]):
        name = f"filters.{index}.steps.{number}"
        path = ("filters", index, "steps", number)
        conditions, addable = _constraints(step, name, path, f"{index}.{number}", choices, problems)
        steps.append(
            SequenceStepCard(
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
                choices.bots_of(step),
            )
        )
    return FilterCard(
        index,
        "sequence",
        _("Sequence"),
        rule,
        steps=steps,
        errors=errors_at(problems, "filters", index, apart=CONDITIONS),
    )


def _consent(index: int, rule: Json, _choices: Choices, problems: Sequence[Problem]) -> FilterCard:
    return FilterCard(index, "consent", _("Consent"), rule, errors=errors_at(problems, "filters", index))


def _list_card(title: Any) -> Any:
    def build(index: int, rule: Json, choices: Choices, problems: Sequence[Problem]) -> FilterCard:
        lists = choices.lists_of(rule["kind"], rule["list"])
        return FilterCard(
            index, rule["kind"], str(title), rule, errors=errors_at(problems, "filters", index), lists=lists
        )

    return build


CARD_BUILDERS = FILTERS.facet(
    "card of the builder",
    {
        "person_field": _person_field,
        "activity": _activity,
        "sequence": _sequence,
        "static_list": _list_card(gettext_lazy("Static list")),
        "smart_list": _list_card(gettext_lazy("Smart list")),
        "consent": _consent,
        "object": _object,
    },
)
