"""The campaign builder's step cards: the view models of valid, invalid and unfinished steps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from people.core.errors import Path, Problem
from people.models import ApprovedObjectField
from people.models.object_types import PERSON
from smartlists.admin.builder import cards as builder_cards
from smartlists.admin.builder.choices import Choices, FieldChoice
from smartlists.campaigns.definitions.sentences import STEP_TITLES

Json = dict[str, Any]
Choice = tuple[str, str | Promise]

PERIODS: Sequence[Choice] = (
    ("minutes", gettext_lazy("minutes")),
    ("hours", gettext_lazy("hours")),
    ("days", gettext_lazy("days")),
    ("weeks", gettext_lazy("weeks")),
    ("months", gettext_lazy("months")),
)
QUALIFICATIONS: Sequence[Choice] = (
    ("once", gettext_lazy("only the first time")),
    ("every time", gettext_lazy("every time")),
    ("once in", gettext_lazy("once per period")),
)


@dataclass(slots=True)
class ChoiceWay:
    """One way of a choice; the last one, for all other people, has no condition."""

    name: str
    place: str
    number: int
    form: Json
    cards: Sequence["StepCard"]
    errors: Sequence[str]
    is_otherwise: bool = False
    can_go: bool = False


@dataclass(slots=True)
class StepCard:
    """One step: its inputs are named `name`.…, its buttons refer to `place`."""

    name: str
    place: str
    number: int
    form: Json
    errors: Sequence[str]
    is_first: bool = True
    is_last: bool = True
    ways: Sequence[ChoiceWay] = ()
    attributes: Sequence[tuple[FieldChoice, str]] = field(default=())
    primary: str = ""
    fields: Sequence[FieldChoice] = ()  # of the object type
    lacking: Sequence[str] = ()  # the problems that prevent an activation of the campaign

    @property
    def do(self) -> str:
        return self.form.get("do", "")

    @property
    def title(self) -> Any:
        return STEP_TITLES.get(self.do, self.do)


def build_step_cards(
    steps: Sequence[Json],
    choices: Choices,
    problems: Sequence[Problem],
    path: Path = ("steps",),
    inside: str = "",
    lacking: Sequence[Problem] = (),
) -> list[StepCard]:
    """The cards of the steps at `path` in the form; `inside` is their place for buttons ("": the campaign's own).

    `lacking`: what keeps the campaign from being activated.
    """
    cards = []
    for position, step in enumerate(steps):
        place = f"{inside}.{position}" if inside else str(position)
        card = _card((*path, position), place, step, choices, problems, lacking)
        card.is_first, card.is_last = position == 0, position == len(steps) - 1
        cards.append(card)
    return cards


def _card(
    path: Path, place: str, step: Json, choices: Choices, problems: Sequence[Problem], lacking: Sequence[Problem]
) -> StepCard:
    errors, lacks = (
        builder_cards.errors_at(some, *path, apart=("choices", "otherwise")) for some in (problems, lacking)
    )
    card = StepCard(".".join(map(str, path)), place, int(path[-1]) + 1, step, errors, lacking=lacks)
    if step.get("do") == "choose":
        card.ways = _ways(card, path, choices, problems, lacking)
    if step.get("do") in ("change_object", "create_object"):
        card.fields = _writable_fields(step, choices)
        values = step.get("values", {})
        card.attributes = [(choice, values.get(choice.api_name, "")) for choice in card.fields]
    if step.get("do") == "record":
        fields = choices.fields_of(step.get("type", "") or _first_own(choices))
        values = step.get("attributes", {})
        activity_type = choices.catalogue.types.get(step.get("type", ""))
        type_fields = activity_type.fields if activity_type else {}
        card.primary = next((type_field.name for type_field in type_fields.values() if type_field.is_primary), "")
        card.attributes = [
            (choice, values.get(name, ""))
            for name, choice in fields.items()
            if name in type_fields
            and type_fields[name].id
            and type_fields[name].is_live
            and not type_fields[name].is_primary
        ]
    return card


def _writable_fields(step: Json, choices: Choices) -> list[FieldChoice]:
    """The fields of an object type that a step can write."""
    fixed = ApprovedObjectField.objects.filter(object_type__api_name=step.get("type", ""))
    if step["do"] == "create_object":
        fixed = fixed.filter(link_to=PERSON)  # the person's own, by itself
    else:
        fixed = fixed.exclude(is_dedupe=False, link_to="")
    names = set(fixed.values_list("api_name", flat=True))
    return [
        choice
        for name, choice in choices.fields_of_object(step.get("type", "")).items()
        if name not in names and not choice.gone and not choice.is_read_only
    ]


def _first_own(choices: Choices) -> str:
    return choices.own_types[0].api_name if choices.own_types else ""


def _ways(
    card: StepCard, path: Path, choices: Choices, problems: Sequence[Problem], lacking: Sequence[Problem]
) -> list[ChoiceWay]:
    ways = card.form.get("choices", [])
    way_cards = []
    for position, way in enumerate(ways):
        way_path, place = (*path, "choices", position), f"{card.place}.{position}"
        cards = build_step_cards(way["steps"], choices, problems, (*way_path, "steps"), place, lacking)
        errors = builder_cards.errors_at(problems, *way_path, "when")
        way_cards.append(
            ChoiceWay(".".join(map(str, way_path)), place, position + 1, way, cards, errors, can_go=len(ways) > 1)
        )
    place = f"{card.place}.{len(ways)}"
    otherwise = card.form.get("otherwise", [])
    otherwise_cards = build_step_cards(otherwise, choices, problems, (*path, "otherwise"), place, lacking)
    way_cards.append(
        ChoiceWay(
            ".".join(map(str, (*path, "otherwise"))), place, len(ways) + 1, {}, otherwise_cards, (), is_otherwise=True
        )
    )
    return way_cards
