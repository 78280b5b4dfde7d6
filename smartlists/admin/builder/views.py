"""The builder's page: cards, the count of the typed rules, and the test of one person."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.log import rollup, timeline
from activities.models import Activity
from activities.rights import VIEW_ACTIVITY
from people.core.admin.base import require_rights
from people.core.errors import ConflictError, Problem, RejectedError
from people.models import Person
from people.objects import records as object_records
from people.persons import suggestions as person_suggestions
from people.rights import VIEW_PERSON
from smartlists.admin import base as admin_base
from smartlists.admin.base import NAME, smart_list_page
from smartlists.admin.builder import cards as builder_cards
from smartlists.admin.builder import fitting
from smartlists.admin.builder import form as builder_form
from smartlists.admin.builder import labels as builder_labels
from smartlists.admin.builder.choices import Choices
from smartlists.admin.builder.page import BuilderPage, BuilderState, parse_revision, pressed_button, proposed_type
from smartlists.catalog import Catalogue
from smartlists.evaluation import explanation
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import diagnostics as list_diagnostics
from smartlists.lists import editing as list_editing
from smartlists.lists import template_slots
from smartlists.lists import templates as list_templates
from smartlists.models import SmartList
from smartlists.rights import ADD_SMARTLIST
from smartlists.rules import sentences
from smartlists.rules.model import Rules
from smartlists.rules.parsing import parse_rules

SAMPLE = 5
LONGEST = 255  # characters of the input that suggestions use


@dataclass(kw_only=True)
class ListBuilderState(BuilderState):
    """The input typed into the builder of a smart list."""

    rules: builder_form.Json
    parsed: Rules | None = None
    other: SmartList | None = None  # the list as another user saved it meanwhile

    placed = frozenset({"filters", "logic", "name", "description"})

    def check(self) -> "ListBuilderState":
        try:
            self.parsed = parse_rules(builder_form.without_form_keys(self.rules), self.choices.catalogue)
        except RejectedError as refusal:
            self.problems = refusal.problems
        return self

    def refuse(self, refusal: RejectedError) -> None:
        """Store the problems of a refused save; the path of problems in rules begins with "rules"."""
        if isinstance(refusal, ConflictError):
            self.other = SmartList.objects.select_related("updated_by").filter(pk=self.choices.besides or 0).first()
        self.problems = [
            problem if problem.path[:1] != ("rules",) else Problem(problem.code, problem.message, problem.path[1:])
            for problem in refusal.problems
        ]

    def cards(self, problems: Sequence[Problem]) -> builder_form.Json:
        return {
            "rules": self.rules,
            "cards": builder_cards.build_cards(self.rules, self.choices, problems, self.card_sentences()),
            **{f"{name}_errors": builder_cards.errors_at(problems, name) for name in ("name", "description", "logic")},
            "other": self.other,
            "other_says": sentences.list_sentence(self.other.parsed, Catalogue()) if self.other else "",
            "count_operators": builder_labels.COUNT_OPERATORS,
            "functions": builder_labels.FUNCTIONS,
            "record_counts": builder_labels.RECORD_COUNTS,
            "record_functions": builder_labels.RECORD_FUNCTIONS,
            "change_periods": builder_labels.CHANGE_PERIODS,
        }

    def countable(self) -> tuple[Rules, list[int]] | None:
        """The rules of the finished cards and the number of each card; None where nothing can be counted."""
        filter_count = len(self.rules["filters"])
        if self.parsed is not None:
            return self.parsed, list(range(1, filter_count + 1))
        unfinished = {
            int(problem.path[1])
            for problem in self.problems
            if problem.path[:1] == ("filters",) and len(problem.path) > 1
        }
        numbers = [number for number in range(1, filter_count + 1) if number - 1 not in unfinished]
        try:
            finished_rules = builder_form.finished_rules(self.rules, unfinished, self.choices)
            return (parse_rules(finished_rules, self.choices.catalogue), numbers) if numbers else None
        except RejectedError:
            return None  # the logic is invalid, too

    def card_sentences(self) -> list[str]:
        """The sentence of each card in order; empty for an unfinished card."""
        names = self.choices.catalogue
        if self.parsed is not None:
            return [sentences.filter_sentence(item, names) for item in self.parsed.filters]
        return [self._sentence_of(item) for item in builder_form.without_form_keys(self.rules)["filters"]]

    def _sentence_of(self, item: builder_form.Json) -> str:
        try:
            return sentences.filter_sentence(
                parse_rules({"filters": [item]}, self.choices.catalogue).filters[0], self.choices.catalogue
            )
        except RejectedError:
            return ""


class ListBuilder(BuilderPage[SmartList, ListBuilderState]):
    """The builder of smart lists."""

    address, tab, title = NAME, "rules", gettext_lazy("New smart list")
    add_right, change_right, view_right = ADD_SMARTLIST, list_editing.CHANGE, stored_evaluations.VIEW
    fragment, panel_template = "smartlists/_builder.html", "smartlists/_panel.html"
    draw = staticmethod(smart_list_page)
    # "overwrite": replaces the version of another user, after it was shown to this one
    saving = dict.fromkeys(("save", "overwrite"), gettext_lazy("Saved."))
    showing = frozenset({"count", "test"})

    find, find_typed = staticmethod(admin_base.find_smart_list), staticmethod(admin_base.find_edited_smart_list)

    def stored(self, edited: SmartList | None) -> ListBuilderState:
        if edited is None:
            return ListBuilderState(
                rules={"version": 1, "match": "all", "filters": []}, choices=Choices(Catalogue(), None)
            )
        return ListBuilderState(
            name=edited.name,
            description=edited.description,
            revision=edited.revision,
            rules=builder_form.with_form_defaults(edited.rules),
            choices=Choices(Catalogue(), edited.pk),
        )

    def proposed(self, request: HttpRequest) -> ListBuilderState:
        """A new list: from the template in the parameter `template`, or of the people with an activity of `type`."""
        state = self.stored(None)
        if template := list_templates.TEMPLATES.get(request.GET.get("template", "")):
            names = state.choices.catalogue
            values = template_slots.chosen_values(template.slots, names, request.GET)
            if values is not None:
                state.name, state.description = str(template.name), str(template.description)
                state.rules = builder_form.with_form_defaults(template.build(names, **values))
        elif activity_type := proposed_type(request, state.choices):
            state.name = activity_type.shown_filter_name
            card = f"activity:{activity_type.api_name}"
            state.rules = builder_form.apply_rules_action(state.rules, "add", card, state.choices)
        return state

    def posted(self, request: HttpRequest, edited: SmartList | None) -> ListBuilderState:
        choices = Choices(Catalogue(), edited.pk if edited else None)
        rules = builder_form.apply_rules_action(
            builder_form.parse_posted_rules(request.POST), *pressed_button(request.POST), choices
        )
        return ListBuilderState(
            **BuilderState.head_of(request.POST), rules=fitting.fit_rules_to_fields(rules, choices), choices=choices
        )

    def save(self, request: HttpRequest, edited: SmartList | None, state: ListBuilderState) -> SmartList:
        value = builder_form.without_form_keys(state.rules)
        if edited is None:
            return list_editing.create_smart_list(state.name, value, request.user, description=state.description)
        overwritten_revision = request.POST.get("other_revision", "") if request.POST.get("do") == "overwrite" else ""
        return list_editing.change_smart_list(
            edited,
            request.user,
            expected_revision=parse_revision(overwritten_revision) or state.revision,
            name=state.name,
            value=value,
            description=state.description,
        )

    def panel_of(self, request: HttpRequest, state: ListBuilderState, edited: SmartList | None) -> builder_form.Json:
        """The count of the typed rules, a sample of the people, and the test of one person."""
        return _panel(request, state, edited)

    def has_panel(self, request: HttpRequest, action: str) -> bool:
        """True if the page includes the count; else a script fetches it after loading, as counting may be slow."""
        return action in self.showing or (request.method == "GET" and "tested" in request.GET)


LIST_BUILDER = ListBuilder()


def suggest_values(request: HttpRequest) -> HttpResponse:
    """Suggest values for the typed text (`q`): of a person field, or of a field of an activity type (`type`)."""
    type_name, name, typed = (request.GET.get(key, "")[:LONGEST] for key in ("type", "field", "q"))
    names = Catalogue()
    if type_name:
        require_rights(request, VIEW_ACTIVITY)
        activity_type = names.types.get(type_name)
        values = (
            rollup.suggest_values(activity_type.id, name, typed)
            if activity_type and name in activity_type.fields
            else []
        )
    else:
        require_rights(request, VIEW_PERSON)
        values = (
            person_suggestions.suggest_values(names.person_fields[name], typed) if name in names.person_fields else []
        )
    return JsonResponse({"values": values})


def _panel(request: HttpRequest, state: ListBuilderState, smart_list: SmartList | None) -> dict[str, Any]:
    tested = (request.POST.get("tested") or request.GET.get("tested") or "").strip()
    tag = f"panel {request.user.pk} {state.choices.besides or 'new'}"
    context: dict[str, Any] = {
        "tested": tested,
        "zone": timezone.get_current_timezone_name(),
        "is_gone": state.is_gone,
        "card_sentences": state.card_sentences(),  # of the same state that is counted; the cards show them, too
    }
    countable = state.countable()
    if countable is None:
        return context | {"panel_errors": _numbered(state.problems)}
    parsed, numbers = countable
    if state.parsed is not None:  # problems of complete rules refer to filters by number
        context["notes"] = _notes(state.parsed, state.choices.catalogue, smart_list)
    try:
        evaluation = stored_evaluations.count_people(parsed, request.user, tag)
    except RejectedError as refusal:
        return context | {"panel_errors": [str(problem.message) for problem in refusal.problems]}
    counts = [result.count for result in evaluation.per_filter]
    context |= {
        "draft": evaluation,
        "per_filter": list(zip(numbers, counts, strict=True)),
        "unfinished": _numbered(state.problems),
    }
    if not request.user.has_perm(VIEW_PERSON):  # counts are not confidential, people are
        return context
    context["sample"] = Person.objects.filter(pk__in=list(evaluation.members[:SAMPLE])).order_by("pk")
    context["may_view_records"] = request.user.has_perm(object_records.VIEW)
    return context | (_test_person(state, tested) if tested else {})


def _notes(parsed: Rules, names: Catalogue, smart_list: SmartList | None) -> list[str]:
    """Problems of the typed rules, except those that the head of the page shows for the saved rules."""
    shown_above = (
        list_diagnostics.problem_messages(list_diagnostics.smart_list_problems(smart_list, names)) if smart_list else []
    )
    sentences_of_rules = list_diagnostics.problem_messages(list_diagnostics.rules_problems(parsed, names))
    return [sentence for sentence in sentences_of_rules if sentence not in shown_above]


def _numbered(problems: Sequence[Problem]) -> list[str]:
    return [
        _("Filter %(number)s: %(problem)s") % {"number": int(problem.path[1]) + 1, "problem": problem.message}
        if len(problem.path) > 1 and problem.path[0] == "filters"
        else str(problem.message)
        for problem in problems
    ]


def _test_person(state: ListBuilderState, tested: str) -> dict[str, Any]:
    if state.parsed is None:
        return {"explanation_error": _("You can test a person once every filter is complete.")}
    people = Person.objects.live()
    if tested.isascii() and tested.isdigit() and len(tested) < 10:
        matching = people.filter(pk=int(tested))
    else:
        matching = people.with_email([tested.replace("\0", "")])
    person = matching.order_by("pk").first()
    if person is None:
        return {"explanation_error": _("Nobody has this email or id.")}
    return {"explanation": _explain_person(state, person)}


def _explain_person(state: ListBuilderState, person: Person) -> dict[str, Any]:
    """The explanation for one person: the answer, then the verdict of each filter."""
    result = explanation.explain_membership(state.parsed, person.pk, names=state.choices.catalogue)  # type: ignore[arg-type]
    ids = [evidence.activity_id for verdict in result.verdicts for evidence in verdict.activities]
    entries = {
        entry.activity.pk: entry for entry in timeline.timeline_entries(list(Activity.objects.filter(pk__in=ids)))
    }
    verdicts = [
        {
            "verdict": verdict,
            "sentence": sentences.filter_sentence(verdict.filter, state.choices.catalogue),
            "entries": [
                entries[evidence.activity_id] for evidence in verdict.activities if evidence.activity_id in entries
            ],
            "decides": verdict.number in result.deciding,
        }
        for verdict in result.verdicts
    ]
    return {"person": person, "result": result, "verdicts": verdicts}
