"""The campaign builder's step cards: what the page shows for steps that are right, wrong or half-typed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from people.core.errors import Path, Problem
from smartlists.admin.builder import cards as builder_cards
from smartlists.admin.builder.choices import Choices, FieldChoice
from smartlists.campaigns.sentences import STEP_TITLES

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
    ("once in", gettext_lazy("once in a period")),
)


@dataclass(slots=True)
class Way:
    """One way of a choice; the last one, for everybody else, has no condition."""

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
    """One step: inputs called `name`.…, buttons that speak of its `place`."""

    name: str
    place: str
    number: int
    form: Json
    errors: Sequence[str]
    is_first: bool = True
    is_last: bool = True
    ways: Sequence[Way] = ()
    attributes: Sequence[tuple[FieldChoice, str]] = field(default=())
    primary: str = ""

    @property
    def do(self) -> str:
        return self.form.get("do", "")

    @property
    def title(self) -> Any:
        return STEP_TITLES.get(self.do, self.do)


def of(
    steps: Sequence[Json], choices: Choices, problems: Sequence[Problem], path: Path = ("steps",), inside: str = ""
) -> list[StepCard]:
    """The cards of steps that lie at `path` in the form, at the place `inside` ("": the campaign's own) for buttons."""
    cards = []
    for at, step in enumerate(steps):
        place = f"{inside}.{at}" if inside else str(at)
        card = _card((*path, at), place, step, choices, problems)
        card.is_first, card.is_last = at == 0, at == len(steps) - 1
        cards.append(card)
    return cards


def _card(path: Path, place: str, step: Json, choices: Choices, problems: Sequence[Problem]) -> StepCard:
    errors = builder_cards.errors_at(problems, *path, apart=("choices", "otherwise"))
    card = StepCard(".".join(map(str, path)), place, int(path[-1]) + 1, step, errors)
    if step.get("do") == "choose":
        card.ways = _ways(card, path, choices, problems)
    if step.get("do") == "record":
        fields = choices.fields_of(step.get("type", "") or _first_own(choices))
        given = step.get("attributes", {})
        of_type = choices.catalogue.types.get(step.get("type", ""))
        known = of_type.fields if of_type else {}
        card.primary = next((one.name for one in known.values() if one.is_primary), "")
        card.attributes = [
            (one, given.get(name, ""))
            for name, one in fields.items()
            if name in known and known[name].id and known[name].is_live and not known[name].is_primary
        ]
    return card


def _first_own(choices: Choices) -> str:
    return choices.own_types[0].api_name if choices.own_types else ""


def _ways(card: StepCard, path: Path, choices: Choices, problems: Sequence[Problem]) -> list[Way]:
    ways = card.form.get("choices", [])
    found = []
    for at, way in enumerate(ways):
        here, place = (*path, "choices", at), f"{card.place}.{at}"
        cards = of(way["steps"], choices, problems, (*here, "steps"), place)
        errors = builder_cards.errors_at(problems, *here, "when")
        found.append(Way(".".join(map(str, here)), place, at + 1, way, cards, errors, can_go=len(ways) > 1))
    place = f"{card.place}.{len(ways)}"
    rest = of(card.form.get("otherwise", []), choices, problems, (*path, "otherwise"), place)
    found.append(Way(".".join(map(str, (*path, "otherwise"))), place, len(ways) + 1, {}, rest, (), is_otherwise=True))
    return found
