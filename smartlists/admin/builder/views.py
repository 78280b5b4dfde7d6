"""The builder's page: cards, the count of what is typed, and the test of one person."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.log import rollup, timeline
from activities.models import Activity
from people.core.errors import ConflictError, Problem, RejectedError
from people.models import Person
from people.persons import suggestions as person_suggestions
from smartlists.admin.base import NAME, find, find_typed, page, require
from smartlists.admin.builder import cards as builder_cards
from smartlists.admin.builder import form as builder_form
from smartlists.admin.builder import labels as builder_labels
from smartlists.admin.builder.choices import Choices
from smartlists.catalog import Catalogue
from smartlists.evaluation import explanation
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import diagnostics as list_diagnostics
from smartlists.lists import editing as list_editing
from smartlists.models import SmartList
from smartlists.rules import sentences
from smartlists.rules.model import Rules
from smartlists.rules.parsing import parse_rules

SAMPLE = 5
LONGEST = 255  # characters of what is typed that suggestions look at


@dataclass
class Form:
    """The builder's form: what was typed, and what is wrong with it."""

    name: str
    description: str
    revision: int
    rules: builder_form.Json
    choices: Choices
    problems: Sequence[Problem] = ()
    parsed: Rules | None = None
    other: SmartList | None = None  # the list as somebody else saved it while this was typed
    is_gone: bool = False  # the list was deleted while this was typed

    @classmethod
    def of_list(cls, smart_list: SmartList | None) -> "Form":
        choices = Choices(Catalogue(), smart_list.pk if smart_list else None)
        if smart_list is None:
            return cls("", "", 0, {"version": 1, "match": "all", "filters": []}, choices)
        return cls(
            smart_list.name, smart_list.description, smart_list.revision, builder_form.filled(smart_list.rules), choices
        )

    @classmethod
    def posted(cls, request: HttpRequest, smart_list: SmartList | None) -> "Form":
        choices = Choices(Catalogue(), smart_list.pk if smart_list else None)
        action = request.POST.get("do", "")
        found = builder_form.act(
            builder_form.rules_of(request.POST), action, request.POST.get(f"choice:{action}", ""), choices
        )
        return cls(
            request.POST.get("name", ""),
            request.POST.get("description", ""),
            _revision(request.POST.get("revision", "")),
            builder_cards.made_fitting(found, choices),
            choices,
        )

    def check(self) -> "Form":
        """Read the rules; what is wrong with them becomes `problems`."""
        try:
            self.parsed = parse_rules(builder_form.bare(self.rules), self.choices.catalogue)
        except RejectedError as refusal:
            self.problems = refusal.problems
        return self

    def refuse(self, refusal: RejectedError, smart_list: SmartList | None) -> None:
        """Show why saving was refused; problems of rules lie under "rules"."""
        if isinstance(refusal, ConflictError) and smart_list is not None:
            self.other = SmartList.objects.select_related("updated_by").filter(pk=smart_list.pk).first()
        self.problems = [
            problem if problem.path[:1] != ("rules",) else Problem(problem.code, problem.message, problem.path[1:])
            for problem in refusal.problems
        ]

    def context(self, *, may_change: bool = True, show_problems: bool = True) -> dict[str, Any]:
        problems = self.problems if show_problems else ()
        placed = {("filters",), ("logic",), ("name",), ("description",)}
        elsewhere = [problem for problem in problems if problem.path[:1] not in placed]
        return {
            "name": self.name,
            "description": self.description,
            "revision": self.revision,
            "rules": self.rules,
            "choices": self.choices,
            "cards": builder_cards.of(self.rules, self.choices, problems, self.said()),
            "errors": [str(problem.message) for problem in elsewhere],
            "name_errors": builder_cards.errors_at(problems, "name"),
            "description_errors": builder_cards.errors_at(problems, "description"),
            "logic_errors": builder_cards.errors_at(problems, "logic"),
            "may_change": may_change,
            "other": self.other,
            "is_gone": self.is_gone,
            "suggest_url": reverse(f"{NAME}_suggest"),
            "other_says": sentences.list_sentence(self.other.parsed, Catalogue()) if self.other else "",
            **_WORDS,
        }

    def countable(self) -> tuple[Rules, list[int]] | None:
        """What can be counted: the finished cards, with the number of each; None where there is none to count."""
        everything = len(self.rules["filters"])
        if self.parsed is not None:
            return self.parsed, list(range(1, everything + 1))
        unfinished = {int(one.path[1]) for one in self.problems if one.path[:1] == ("filters",) and len(one.path) > 1}
        numbers = [number for number in range(1, everything + 1) if number - 1 not in unfinished]
        try:
            rest = builder_form.finished(self.rules, unfinished, self.choices)
            return (parse_rules(rest, self.choices.catalogue), numbers) if numbers else None
        except RejectedError:
            return None  # what is wrong lies in the logic, too

    def said(self) -> list[str]:
        """Each card's sentence in order; an empty one for a card that is unfinished."""
        names = self.choices.catalogue
        if self.parsed is not None:
            return [sentences.sentence(item, names) for item in self.parsed.filters]
        return [self._said_alone(item) for item in builder_form.bare(self.rules)["filters"]]

    def _said_alone(self, item: builder_form.Json) -> str:
        try:
            return sentences.sentence(
                parse_rules({"filters": [item]}, self.choices.catalogue).filters[0], self.choices.catalogue
            )
        except RejectedError:
            return ""


def _revision(given: str) -> int:
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0


# what the scripts of the page say
SPOKEN = {
    "remove": gettext_lazy("Remove “VALUE”"),
    "lines": gettext_lazy("Edit as lines"),
    "tokens": gettext_lazy("Edit one by one"),
    "nothing": gettext_lazy("Nothing is called so."),
    "values": gettext_lazy("Values"),
    "hint": gettext_lazy("Type or paste values"),
}
_WORDS = {
    "count_operators": builder_labels.COUNT_OPERATORS,
    "functions": builder_labels.FUNCTIONS,
    "empties": builder_labels.EMPTY,
    "units": builder_labels.UNITS,
    "frames": builder_labels.FRAMES,
}


def add(request: HttpRequest) -> HttpResponse:
    """A new list: the same builder, nothing saved before the first "Save"."""
    require(request, "smartlists.add_smartlist")
    return _build(request, None)


def change(request: HttpRequest, pk: int) -> HttpResponse:
    """The rules of a list: to be changed by who may, in words for the others."""
    if request.method != "POST":
        return _build(request, find(request, pk))
    require(request, list_editing.CHANGE)
    smart_list = find_typed(request, pk)
    return _build(request, smart_list, is_gone=smart_list is None)


def _build(request: HttpRequest, smart_list: SmartList | None, is_gone: bool = False) -> HttpResponse:
    if request.method != "POST":
        form = Form.of_list(smart_list).check()
        # the script asks for the count as soon as the page shows, however long that takes
        return _builder(request, smart_list, form, _panel(request, form, smart_list) if "tested" in request.GET else {})
    form = Form.posted(request, smart_list)
    form.is_gone = is_gone
    if "HX-Request" in request.headers:
        form.check()
        return render(request, "smartlists/_builder.html", form.context(show_problems=False))
    action = request.POST.get("do", "save")
    if action in SAVING and not is_gone:
        try:
            saved = _save(request, smart_list, form)
        except RejectedError as refusal:
            form.refuse(refusal, smart_list)
            return _builder(request, smart_list, form, {})
        messages.success(request, _("Saved."))
        return redirect(f"{NAME}_change", saved.pk)
    form.check()
    shows = action in {"count", "test"}
    return _builder(request, smart_list, form, _panel(request, form, smart_list) if shows else {}, show_problems=shows)


SAVING = frozenset({"save", "overwrite"})  # "overwrite": over what somebody else saved and this editor was shown


def _save(request: HttpRequest, smart_list: SmartList | None, form: Form) -> SmartList:
    value = builder_form.bare(form.rules)
    if smart_list is None:
        return list_editing.create(form.name, value, request.user, description=form.description)
    seen = request.POST.get("other_revision", "") if request.POST.get("do") == "overwrite" else ""
    return list_editing.change(
        smart_list,
        request.user,
        expected_revision=_revision(seen) or form.revision,
        name=form.name,
        value=value,
        description=form.description,
    )


def _builder(
    request: HttpRequest, smart_list: SmartList | None, form: Form, panel: dict[str, Any], show_problems: bool = True
) -> HttpResponse:
    may_change = smart_list is None or request.user.has_perm(list_editing.CHANGE)
    panel_url = reverse(f"{NAME}_panel", args=[smart_list.pk]) if smart_list else reverse(f"{NAME}_panel_new")
    return page(
        request,
        "rules",
        smart_list,
        _("New smart list"),
        panel_url=panel_url,
        words=json.dumps({name: str(word) for name, word in SPOKEN.items()}),
        **form.context(may_change=may_change, show_problems=show_problems) | panel,
    )


def panel(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """The count of what is typed, some of the people, and the test of one: nothing is saved."""
    require(request, "smartlists.view_smartlist")
    if request.method != "POST":
        raise PermissionDenied
    smart_list = find_typed(request, pk) if pk is not None else None
    form = Form.posted(request, smart_list).check()
    form.is_gone = pk is not None and smart_list is None
    return render(request, "smartlists/_panel.html", _panel(request, form, smart_list))


def suggest(request: HttpRequest) -> HttpResponse:
    """Values that a field had or people have, for what is typed (`q`): of a person, or of an activity type (`type`)."""
    type_name, name, typed = (request.GET.get(key, "")[:LONGEST] for key in ("type", "field", "q"))
    names = Catalogue()
    if type_name:
        require(request, "activities.view_activity")
        found = names.types.get(type_name)
        values = rollup.suggest(found.id, name, typed) if found and name in found.fields else []
    else:
        require(request, "people.view_person")
        values = person_suggestions.suggest(names.person_fields[name], typed) if name in names.person_fields else []
    return JsonResponse({"values": values})


def _panel(request: HttpRequest, form: Form, smart_list: SmartList | None) -> dict[str, Any]:
    tested = (request.POST.get("tested") or request.GET.get("tested") or "").strip()
    tag = f"panel {request.user.pk} {form.choices.besides or 'new'}"
    context: dict[str, Any] = {
        "tested": tested,
        "zone": timezone.get_current_timezone_name(),
        "is_gone": form.is_gone,
        "card_sentences": form.said(),  # of the very state that is counted: the cards show them, too
    }
    countable = form.countable()
    if countable is None:
        return context | {"panel_errors": _numbered(form.problems)}
    parsed, numbers = countable
    if form.parsed is not None:  # what is wrong with whole rules is told by the numbers of their filters
        context["notes"] = _notes(form.parsed, form.choices.catalogue, smart_list)
    try:
        found = stored_evaluations.count(parsed, request.user, tag)
    except RejectedError as refusal:
        return context | {"panel_errors": [str(problem.message) for problem in refusal.problems]}
    counts = [one.count for one in found.per_filter]
    context |= {
        "draft": found,
        "milliseconds": round(found.seconds * 1000),
        "per_filter": list(zip(numbers, counts, strict=True)),
        "unfinished": _numbered(form.problems),
    }
    if not request.user.has_perm("people.view_person"):  # counts are no secret, people are
        return context
    context["sample"] = Person.objects.filter(pk__in=list(found.members[:SAMPLE])).order_by("pk")
    return context | (_tested(form, tested) if tested else {})


def _notes(parsed: Rules, names: Catalogue, smart_list: SmartList | None) -> list[str]:
    """What is wrong with the rules that are typed, besides what the head of the page says of those that are saved."""
    said = list_diagnostics.sentences(list_diagnostics.of_list(smart_list, names)) if smart_list else []
    return [one for one in list_diagnostics.sentences(list_diagnostics.of_rules(parsed, names)) if one not in said]


def _numbered(problems: Sequence[Problem]) -> list[str]:
    return [
        _("Filter %(number)s: %(problem)s") % {"number": int(problem.path[1]) + 1, "problem": problem.message}
        if len(problem.path) > 1 and problem.path[0] == "filters"
        else str(problem.message)
        for problem in problems
    ]


def _tested(form: Form, tested: str) -> dict[str, Any]:
    if form.parsed is None:
        return {"explanation_error": _("A person can be tested as soon as every filter is finished.")}
    people = Person.objects.live()
    if tested.isascii() and tested.isdigit() and len(tested) < 10:
        found = people.filter(pk=int(tested))
    else:
        found = people.with_email([tested.replace("\0", "")])
    person = found.order_by("pk").first()
    if person is None:
        return {"explanation_error": _("Nobody has this e-mail or id.")}
    return {"explanation": _explained(form, person)}


def _explained(form: Form, person: Person) -> dict[str, Any]:
    """What the page says of one person: the answer, then filter by filter what decides it."""
    found = explanation.explain(form.parsed, person.pk, names=form.choices.catalogue)  # type: ignore[arg-type]
    ids = [one.activity_id for verdict in found.verdicts for one in verdict.activities]
    shown = {entry.activity.pk: entry for entry in timeline.entries(list(Activity.objects.filter(pk__in=ids)))}
    verdicts = [
        {
            "verdict": verdict,
            "sentence": sentences.sentence(verdict.filter, form.choices.catalogue),
            "entries": [shown[one.activity_id] for one in verdict.activities if one.activity_id in shown],
            "decides": verdict.number in found.deciding,
        }
        for verdict in found.verdicts
    ]
    return {"person": person, "found": found, "verdicts": verdicts}
