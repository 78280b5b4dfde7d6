"""The builder's page: cards, the count of what is typed, and the test of one person."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from activities import timeline
from activities.models import Activity
from people.models import Person
from people.problems import Problem, Refused
from smartlists import building, cards, evaluating, explanation, rules, saving, sentences
from smartlists.catalogue import Catalogue
from smartlists.choices import Choices
from smartlists.models import SmartList
from smartlists.shell import NAME, find, page, require

SAMPLE = 5


@dataclass
class Form:
    """The builder's form: what was typed, and what is wrong with it."""

    name: str
    description: str
    revision: int
    rules: building.Json
    choices: Choices
    problems: Sequence[Problem] = ()
    parsed: rules.Rules | None = None

    @classmethod
    def of_list(cls, smart_list: SmartList | None) -> "Form":
        choices = Choices(Catalogue(), smart_list.pk if smart_list else None)
        if smart_list is None:
            return cls("", "", 0, {"version": 1, "match": "all", "filters": []}, choices)
        return cls(
            smart_list.name, smart_list.description, smart_list.revision, building.filled(smart_list.rules), choices
        )

    @classmethod
    def posted(cls, request: HttpRequest, smart_list: SmartList | None) -> "Form":
        choices = Choices(Catalogue(), smart_list.pk if smart_list else None)
        revision = request.POST.get("revision", "")
        action = request.POST.get("do", "")
        found = building.act(building.rules_of(request.POST), action, request.POST.get(f"choice:{action}", ""), choices)
        return cls(
            request.POST.get("name", ""), request.POST.get("description", ""),
            int(revision) if revision.isdigit() and len(revision) < 10 else 0,
            cards.made_fitting(found, choices), choices,
        )  # fmt: skip

    def check(self) -> "Form":
        """Read the rules; what is wrong with them becomes `problems`."""
        try:
            self.parsed = rules.parse(self.rules, self.choices.catalogue)
        except Refused as refusal:
            self.problems = refusal.problems
        return self

    def refuse(self, refusal: Refused) -> None:
        """Show why saving was refused; problems of rules lie under "rules"."""
        self.problems = [
            problem if problem.path[:1] != ("rules",) else Problem(problem.code, problem.message, problem.path[1:])
            for problem in refusal.problems
        ]

    def context(self, *, may_change: bool = True, show_problems: bool = True) -> dict[str, Any]:
        problems = self.problems if show_problems else ()
        said = [sentences.sentence(item, self.choices.catalogue) for item in self.parsed.filters] if self.parsed else []
        elsewhere = [problem for problem in problems if problem.path[:1] not in {("filters",), ("logic",), ("name",)}]
        return {
            "name": self.name, "description": self.description, "revision": self.revision, "rules": self.rules,
            "choices": self.choices, "cards": cards.of(self.rules, self.choices, problems, said),
            "errors": [str(problem.message) for problem in elsewhere],
            "name_errors": cards.errors_at(problems, "name"), "logic_errors": cards.errors_at(problems, "logic"),
            "may_change": may_change, **_WORDS,
        }  # fmt: skip


_WORDS = {
    "count_operators": cards.COUNT_OPERATORS, "functions": cards.FUNCTIONS, "empties": cards.EMPTY,
    "units": cards.UNITS, "frames": cards.FRAMES,
}  # fmt: skip


def add(request: HttpRequest) -> HttpResponse:
    """A new list: the same builder, nothing saved before the first "Save"."""
    require(request, "smartlists.add_smartlist")
    return _build(request, None)


def change(request: HttpRequest, pk: int) -> HttpResponse:
    """The rules of a list: to be changed by who may, in words for the others."""
    smart_list = find(request, pk)
    if request.method == "POST":
        require(request, saving.CHANGE)
    return _build(request, smart_list)


def _build(request: HttpRequest, smart_list: SmartList | None) -> HttpResponse:
    if request.method != "POST":
        form = Form.of_list(smart_list).check()
        return _builder(request, smart_list, form, _panel(request, form))
    form = Form.posted(request, smart_list)
    if "HX-Request" in request.headers:
        form.check()
        return render(request, "smartlists/_builder.html", form.context(show_problems=False))
    action = request.POST.get("do", "save")
    if action == "save":
        try:
            saved = _save(request, smart_list, form)
        except Refused as refusal:
            form.refuse(refusal)
            return _builder(request, smart_list, form, {})
        messages.success(request, _("Saved."))
        return redirect(f"{NAME}_change", saved.pk)
    form.check()
    shows = action in {"count", "test"}
    return _builder(request, smart_list, form, _panel(request, form) if shows else {}, show_problems=shows)


def _save(request: HttpRequest, smart_list: SmartList | None, form: Form) -> SmartList:
    if smart_list is None:
        return saving.create(form.name, form.rules, request.user, description=form.description)
    return saving.change(
        smart_list, request.user, expected_revision=form.revision, name=form.name, value=form.rules,
        description=form.description,
    )  # fmt: skip


def _builder(
    request: HttpRequest, smart_list: SmartList | None, form: Form, panel: dict[str, Any], show_problems: bool = True
) -> HttpResponse:
    may_change = smart_list is None or request.user.has_perm(saving.CHANGE)
    panel_url = reverse(f"{NAME}_panel", args=[smart_list.pk]) if smart_list else reverse(f"{NAME}_panel_new")
    return page(
        request, "rules", smart_list, _("New smart list"), panel_url=panel_url,
        **form.context(may_change=may_change, show_problems=show_problems), **panel,
    )  # fmt: skip


def panel(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """The count of what is typed, some of the people, and the test of one: nothing is saved."""
    smart_list = find(request, pk) if pk is not None else None
    require(request, "smartlists.view_smartlist")
    if request.method != "POST":
        raise PermissionDenied
    form = Form.posted(request, smart_list).check()
    return render(request, "smartlists/_panel.html", _panel(request, form))


def _panel(request: HttpRequest, form: Form) -> dict[str, Any]:
    tested = (request.POST.get("tested") or request.GET.get("tested") or "").strip()
    tag = f"panel {request.user.pk} {form.choices.besides or 'new'}"
    context: dict[str, Any] = {"tested": tested, "zone": timezone.get_current_timezone_name()}
    if form.parsed is None:
        return context | {"panel_errors": _numbered(form.problems)}
    try:
        found = evaluating.count(form.parsed, request.user, tag)
    except Refused as refusal:
        return context | {"panel_errors": [str(problem.message) for problem in refusal.problems]}
    sample = Person.objects.filter(pk__in=list(found.members[:SAMPLE])).order_by("pk")
    context |= {
        "draft": found, "milliseconds": round(found.seconds * 1000), "sample": sample,
        "per_filter": [one.count for one in found.per_filter],
    }  # fmt: skip
    return context | (_tested(form, tested) if tested else {})


def _numbered(problems: Sequence[Problem]) -> list[str]:
    return [
        _("Filter %(number)s: %(problem)s") % {"number": int(problem.path[1]) + 1, "problem": problem.message}
        if len(problem.path) > 1 and problem.path[0] == "filters"
        else str(problem.message)
        for problem in problems
    ]


def _tested(form: Form, tested: str) -> dict[str, Any]:
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
            "verdict": verdict, "sentence": sentences.sentence(verdict.filter, form.choices.catalogue),
            "entries": [shown[one.activity_id] for one in verdict.activities if one.activity_id in shown],
            "decides": verdict.number in found.deciding,
        }
        for verdict in found.verdicts
    ]  # fmt: skip
    return {"person": person, "found": found, "verdicts": verdicts}
