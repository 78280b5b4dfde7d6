"""The panel beside a person's timeline: editable facts, lists and notes. Fragments, loaded after the page."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from people.admin.forms import ValuesForm, field_label
from people.core.admin.base import PagesAdmin, parse_number, problem_text, request_source, require_rights
from people.core.errors import RejectedError
from people.datatypes.display import localized_value
from people.datatypes.keys import MAX_ID
from people.fields import catalog
from people.models import Person, PersonNote
from people.persons import notes, upsert
from people.rights import VIEW_PERSON

FACTS = 8  # shown at first; the others are folded
LISTS = 20
VIEW = VIEW_PERSON


def profile_urls(pages: PagesAdmin) -> list[tuple[str, Any, str]]:
    return [
        ("<int:pk>/about/", show_profile, "about"),
        ("<int:pk>/about/<str:name>/", edit_fact, "fact"),
        ("<int:pk>/notes/", edit_notes, "notes"),
    ]


def show_profile(request: HttpRequest, pk: int) -> HttpResponse:
    """Facts, lists and notes of one person; the focus is at the fact named by `changed`, if any."""
    return _about(request, _person(request, pk), request.GET.get("changed", ""))


def edit_fact(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """One field in place: its input; on POST the facts with the new value, or the input with its errors."""
    person = _person(request, pk)
    require_rights(request, notes.CHANGE)
    form = ValuesForm(request.POST or None, person)
    if name not in {row.api_name for row in form.rows}:
        raise Http404
    if request.method == "POST" and form.is_valid():
        changes = {key: value for key, value in form.changes.items() if key == name}
        try:
            seen_revision = form.cleaned_data["seen_revision"]
            outcome = upsert.update_person(
                person, changes, request_source(request), seen_revision, zone=timezone.get_current_timezone()
            )
            problems = outcome.problems
        except RejectedError as refusal:
            problems = refusal.problems
        if not problems:
            return _about(request, _person(request, pk), name)
        form.show(problems)
    if "HX-Request" not in request.headers:
        return redirect("admin:people_person_change", pk)
    form.fields[name].widget.attrs["autofocus"] = True
    reply = render(request, "people/_fact_form.html", {"person": person, "form": form, "field": form[name]})
    if request.method == "POST":  # a rejected form is shown in its own place, not in that of all facts
        reply["HX-Retarget"], reply["HX-Reswap"] = f"#fact-{name}", "outerHTML"
    return reply


def edit_notes(request: HttpRequest, pk: int) -> HttpResponse:
    """Add a note, or delete the note in the parameter `delete`."""
    person = _person(request, pk)
    require_rights(request, notes.CHANGE)
    problem = ""
    if request.method == "POST":
        try:
            if "delete" in request.POST:
                note = PersonNote.objects.filter(person=person, pk=parse_number(request.POST["delete"])).first()
                if note is not None:
                    notes.delete_note(note, request.user)
            else:
                notes.add_note(person, request.POST.get("text", ""), request.user)
        except RejectedError as refusal:
            problem = problem_text(refusal.problems[0])
    if "HX-Request" in request.headers:
        return _about(request, person, problem=problem, typed=request.POST.get("text", "") if problem else "")
    if problem:
        messages.error(request, problem)
    return redirect("admin:activities_timeline", pk)


def _about(request: HttpRequest, person: Person, changed: str = "", problem: str = "", typed: str = "") -> HttpResponse:
    fields_by_name = catalog.field_catalogue()
    form = ValuesForm(None, person)
    rows = [
        (row, localized_value(catalog.person_value(person, fields_by_name[row.api_name]), row.api_name))
        for row in form.rows
        if row.api_name in fields_by_name
    ]
    facts = [(row.api_name, field_label(row), value) for row, value in rows]
    members = person.list_memberships.select_related("static_list").order_by("static_list__name")
    context = {
        "person": person,
        "facts": [fact for fact in facts if fact[2] is not None][:FACTS],
        "more_facts": [fact for fact in facts if fact[2] is not None][FACTS:],
        "empty_facts": [fact for fact in facts if fact[2] is None],
        "members": members[:LISTS],
        "notes": notes.latest_notes(person),
        "changed": changed,
        "problem": problem,
        "typed": typed,
        "may_change": request.user.has_perm(notes.CHANGE),
        "most": notes.MAX_CHARACTERS,
    }
    if "HX-Request" in request.headers:
        return render(request, "people/_about.html", context)
    return redirect("admin:people_person_change", person.pk)


def _person(request: HttpRequest, pk: int) -> Person:
    require_rights(request, VIEW)
    person = Person.objects.live().filter(pk=pk).first() if pk <= MAX_ID else None
    if person is None:
        raise Http404
    return person
