"""What the builders of smart lists and of campaigns share: the state in the form, and the pages that show it.

The server owns the form: each button posts all that was typed, and gets the cards drawn anew. Nothing else keeps the
state, so undoing and redoing is posting an earlier or a later one (config/static/js/builder.js).
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from people.core.errors import Problem, RejectedError
from people.core.numerals import whole_number
from smartlists.admin.base import NAME, require
from smartlists.admin.builder import labels as builder_labels
from smartlists.admin.builder.choices import Choices

Json = dict[str, Any]
# what the scripts of the page say
SPOKEN = {
    "remove": gettext_lazy("Remove “VALUE”"),
    "lines": gettext_lazy("Edit as lines"),
    "tokens": gettext_lazy("Edit one by one"),
    "nothing": gettext_lazy("Nothing is called so."),
    "values": gettext_lazy("Values"),
    "hint": gettext_lazy("Type or paste values"),
}


def revision_of(text: str) -> int:
    return whole_number(text, most_digits=9)


def button_of(post: QueryDict) -> tuple[str, str]:
    """The button that was pressed, and what the select beside it says."""
    action = post.get("do", "")
    return action, post.get(f"choice:{action}", "")


@dataclass(kw_only=True)
class BuilderState(ABC):
    """What was typed into a builder, and what is wrong with it."""

    name: str = ""
    description: str = ""
    revision: int = 0
    choices: Choices
    problems: Sequence[Problem] = ()
    is_gone: bool = False  # what is edited was deleted while this was typed

    placed: ClassVar[frozenset[str]]  # the parts whose problems are shown where they are, not above everything

    @staticmethod
    def head_of(post: QueryDict) -> Json:
        """The parts of a posted form that every builder has."""
        return {
            "name": post.get("name", ""),
            "description": post.get("description", ""),
            "revision": revision_of(post.get("revision", "")),
        }

    @abstractmethod
    def check(self) -> Self:
        """Read what was typed; what is wrong with it becomes `problems`."""

    @abstractmethod
    def cards(self, problems: Sequence[Problem]) -> Json:
        """What the page shows of this kind of thing, with the problems where they are."""

    def refuse(self, refusal: RejectedError) -> None:
        """Show why saving was refused."""
        self.problems = refusal.problems

    def context(self, *, may_change: bool = True, show_problems: bool = True) -> Json:
        problems = self.problems if show_problems else ()
        return {
            "name": self.name,
            "description": self.description,
            "revision": self.revision,
            "choices": self.choices,
            "errors": [str(one.message) for one in problems if not self.placed & set(one.path[:1])],
            "may_change": may_change,
            "is_gone": self.is_gone,
            "empties": builder_labels.EMPTY,
            "units": builder_labels.UNITS,
            "frames": builder_labels.FRAMES,
            "suggest_url": reverse(f"{NAME}_suggest"),
            **self.cards(problems),
        }


Edited = TypeVar("Edited", bound=Model)
State = TypeVar("State", bound=BuilderState)


class BuilderPage(ABC, Generic[Edited, State]):
    """The pages of one builder: of a new thing (None), or of one that is there."""

    address: str  # what the names of its addresses begin with
    tab: str
    title: str | Promise  # of a new one
    add_right: str
    change_right: str
    view_right: str
    fragment: str  # the template of the cards
    panel_template: str
    draw: Callable[..., HttpResponse]  # a page of a thing: head, tabs
    saving: Mapping[str, str | Promise]  # a button that saves: what is said afterwards
    # buttons after which problems are shown; others may be pressed with half-typed cards
    showing: frozenset[str] = frozenset()
    shows_problems_at_first = True

    @abstractmethod
    def find(self, request: HttpRequest, pk: int) -> Edited:
        """What is there; raises Http404."""

    @abstractmethod
    def find_typed(self, request: HttpRequest, pk: int) -> Edited | None:
        """What somebody typed into; None when it was deleted meanwhile: what was typed must not be lost."""

    @abstractmethod
    def stored(self, edited: Edited | None) -> State:
        """The state as it is saved."""

    @abstractmethod
    def posted(self, request: HttpRequest, edited: Edited | None) -> State:
        """The state that the form posts, after the button that was pressed."""

    @abstractmethod
    def save(self, request: HttpRequest, edited: Edited | None, state: State) -> Edited:
        """Keep what was typed. Raises `RejectedError`."""

    @abstractmethod
    def panel_of(self, request: HttpRequest, state: State, edited: Edited | None) -> Json:
        """What the panel beside the cards says of a state that was checked."""

    def has_panel(self, request: HttpRequest, action: str) -> bool:
        """Whether the whole page has its panel filled; a script asks for it otherwise."""
        return True

    def add(self, request: HttpRequest) -> HttpResponse:
        """A new one: nothing is saved before the first "Save"."""
        require(request, self.add_right)
        return self._build(request, None)

    def change(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One that is there: to be changed by who may, in words for the others."""
        if request.method != "POST":
            return self._build(request, self.find(request, pk))
        require(request, self.change_right)
        edited = self.find_typed(request, pk)
        return self._build(request, edited, is_gone=edited is None)

    def panel(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        """What is typed, looked at: nothing is saved."""
        require(request, self.view_right)
        if request.method != "POST":
            raise PermissionDenied
        edited = self.find_typed(request, pk) if pk is not None else None
        state = self.posted(request, edited).check()
        state.is_gone = pk is not None and edited is None
        return render(request, self.panel_template, self.panel_of(request, state, edited))

    def _build(self, request: HttpRequest, edited: Edited | None, is_gone: bool = False) -> HttpResponse:
        if request.method != "POST":
            return self._draw(request, edited, self.stored(edited).check(), "", self.shows_problems_at_first)
        state = self.posted(request, edited)
        state.is_gone = is_gone
        if "HX-Request" in request.headers:
            return render(request, self.fragment, state.check().context(show_problems=False))
        action = request.POST.get("do", "save")
        if action not in self.saving or is_gone:
            return self._draw(request, edited, state.check(), action, action in self.showing)
        try:
            saved = self.save(request, edited, state)
        except RejectedError as refusal:
            state.refuse(refusal)
            return self._draw(request, edited, state, action)
        messages.success(request, str(self.saving[action]))
        return redirect(f"{self.address}_change", saved.pk)

    def _draw(
        self, request: HttpRequest, edited: Edited | None, state: State, action: str, show_problems: bool = True
    ) -> HttpResponse:
        may_change = edited is None or request.user.has_perm(self.change_right)
        place = [edited.pk] if edited else []
        context = state.context(may_change=may_change, show_problems=show_problems)
        if self.has_panel(request, action):
            context |= self.panel_of(request, state, edited)
        return self.draw(
            request,
            self.tab,
            edited,
            str(self.title),
            panel_url=reverse(f"{self.address}_panel" if edited else f"{self.address}_panel_new", args=place),
            words=json.dumps({name: str(word) for name, word in SPOKEN.items()}),
            **context,
        )
