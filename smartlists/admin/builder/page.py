"""Shared base of the builders of smart lists and of campaigns: the state of the form, and its pages.

The server owns the form: each button posts the whole form and receives the cards rendered anew. The state is kept
nowhere else, so undo and redo post an earlier or a later state (config/static/js/builder.js).
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
from smartlists.admin.base import NAME, require_rights
from smartlists.admin.builder import labels as builder_labels
from smartlists.admin.builder.choices import Choices
from smartlists.rules.vocabulary import VocabularyType

Json = dict[str, Any]
# texts of the scripts of the page
SPOKEN = {
    "remove": gettext_lazy("Remove “VALUE”"),
    "lines": gettext_lazy("Edit as lines"),
    "tokens": gettext_lazy("Edit one by one"),
    "nothing": gettext_lazy("Nothing has this name."),
    "values": gettext_lazy("Values"),
    "hint": gettext_lazy("Type or paste values"),
}


def parse_revision(text: str) -> int:
    return whole_number(text, most_digits=9)


def pressed_button(post: QueryDict) -> tuple[str, str]:
    """The pressed button, and the value of the select beside it."""
    action = post.get("do", "")
    return action, post.get(f"choice:{action}", "")


def proposed_type(request: HttpRequest, choices: Choices) -> VocabularyType | None:
    """The activity type whose id the parameter `type` has, as other pages link to a builder; None without one."""
    number = whole_number(request.GET.get("type", ""), most_digits=9)
    return next((activity_type for activity_type in choices.types if activity_type.id == number), None)


@dataclass(kw_only=True)
class BuilderState(ABC):
    """The input typed into a builder, and its problems."""

    name: str = ""
    description: str = ""
    revision: int = 0
    choices: Choices
    problems: Sequence[Problem] = ()
    is_gone: bool = False  # the edited object was deleted meanwhile
    by: Any = None  # the user who edits

    placed: ClassVar[frozenset[str]]  # the parts whose problems are shown at their inputs, not at the top of the page

    @staticmethod
    def head_of(post: QueryDict) -> Json:
        """The parts of a posted form that all builders share."""
        return {
            "name": post.get("name", ""),
            "description": post.get("description", ""),
            "revision": parse_revision(post.get("revision", "")),
        }

    @abstractmethod
    def check(self) -> Self:
        """Parse the input and set `problems`."""

    @abstractmethod
    def cards(self, problems: Sequence[Problem]) -> Json:
        """Template context of the cards, with the problems at their inputs."""

    def refuse(self, refusal: RejectedError) -> None:
        """Store the problems of a refused save."""
        self.problems = refusal.problems

    def context(self, *, may_change: bool = True, show_problems: bool = True) -> Json:
        problems = self.problems if show_problems else ()
        return {
            "name": self.name,
            "description": self.description,
            "revision": self.revision,
            "choices": self.choices,
            "errors": [str(problem.message) for problem in problems if not self.placed & set(problem.path[:1])],
            "may_change": may_change,
            "is_gone": self.is_gone,
            "empties": builder_labels.EMPTY,
            "bots_choices": builder_labels.BOTS,
            "consents": builder_labels.CONSENTS,
            "units": builder_labels.UNITS,
            "frames": builder_labels.FRAMES,
            "suggest_url": reverse(f"{NAME}_suggest"),
            **self.cards(problems),
        }


Edited = TypeVar("Edited", bound=Model)
State = TypeVar("State", bound=BuilderState)


class BuilderPage(ABC, Generic[Edited, State]):
    """The pages of one builder, for a new object (None) or an existing one."""

    address: str  # prefix of its URL names
    tab: str
    title: str | Promise  # of a new object
    add_right: str
    change_right: str
    view_right: str
    fragment: str  # the template of the cards
    panel_template: str
    draw: Callable[..., HttpResponse]  # renders the page of an object with its head and tabs
    saving: Mapping[str, str | Promise]  # saving button: message after success
    # buttons after which problems are shown; others may be pressed with half-typed cards
    showing: frozenset[str] = frozenset()
    shows_problems_at_first = True

    @abstractmethod
    def find(self, request: HttpRequest, pk: int) -> Edited:
        """The existing object. Raises Http404."""

    @abstractmethod
    def find_typed(self, request: HttpRequest, pk: int) -> Edited | None:
        """The object being edited; None when it was deleted meanwhile, so that the typed input can be shown again."""

    @abstractmethod
    def stored(self, edited: Edited | None) -> State:
        """The saved state."""

    def proposed(self, request: HttpRequest) -> State:
        """The state in which a new object begins: empty, or what the page's parameters propose."""
        return self.stored(None)

    @abstractmethod
    def posted(self, request: HttpRequest, edited: Edited | None) -> State:
        """The posted state, after the effect of the pressed button."""

    @abstractmethod
    def save(self, request: HttpRequest, edited: Edited | None, state: State) -> Edited:
        """Save the state. Raises `RejectedError`."""

    @abstractmethod
    def panel_of(self, request: HttpRequest, state: State, edited: Edited | None) -> Json:
        """Template context of the panel beside the cards, for a checked state."""

    def has_panel(self, request: HttpRequest, action: str) -> bool:
        """True if the page is rendered with its panel; otherwise a script fetches it."""
        return True

    def add(self, request: HttpRequest) -> HttpResponse:
        """Page of a new object; nothing is saved before the first "Save"."""
        require_rights(request, self.add_right)
        return self._build(request, None)

    def change(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Page of an existing object: editable with the change permission, else read-only."""
        if request.method != "POST":
            return self._build(request, self.find(request, pk))
        require_rights(request, self.change_right)
        edited = self.find_typed(request, pk)
        return self._build(request, edited, is_gone=edited is None)

    def panel(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        """Evaluate the typed state; nothing is saved."""
        require_rights(request, self.view_right)
        if request.method != "POST":
            raise PermissionDenied
        edited = self.find_typed(request, pk) if pk is not None else None
        state = self.posted(request, edited).check()
        state.is_gone, state.by = pk is not None and edited is None, request.user
        return render(request, self.panel_template, self.panel_of(request, state, edited))

    def _build(self, request: HttpRequest, edited: Edited | None, is_gone: bool = False) -> HttpResponse:
        if request.method != "POST":
            first = self.proposed(request) if edited is None else self.stored(edited)
            first.by = request.user
            return self._draw(request, edited, first.check(), "", self.shows_problems_at_first)
        state = self.posted(request, edited)
        state.is_gone, state.by = is_gone, request.user
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
