"""The pages of a merge: choice of people, preview with a value for each field, and undo."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from people.admin.forms import PasteForm, field_label
from people.core.admin.base import PagesAdmin, parse_ids, parse_number, problem_text, request_source, require_rights
from people.core.errors import RejectedError
from people.datatypes.display import localized_value
from people.datatypes.keys import MAX_ID
from people.lists import static_lists
from people.models import Person, PersonField, PersonMerge
from people.objects import personal_data as object_data
from people.persons import duplicates
from people.persons import merge as person_merge


def merge_urls(pages: PagesAdmin) -> list[tuple[str, Any, str]]:
    return [
        ("merge/", lambda request: merge_people(pages, request), "merge"),
        ("merge/<int:pk>/undo/", lambda request, pk: undo_merge(pages, request, pk), "merge_undo"),
        ("<int:pk>/merge/", lambda request, pk: choose_people(pages, request, pk), "merge_with"),
    ]


def merge_address(person_ids: Sequence[int]) -> str:
    """The address of the merge of these people; the first is the winner unless another is chosen there."""
    return f"{reverse('admin:people_person_merge')}?people={','.join(map(str, person_ids))}"


def choose_people(pages: PagesAdmin, request: HttpRequest, pk: int | None) -> HttpResponse:
    """Choose the people to merge with the person, or all of them: by name, from the likely ones, or pasted."""
    require_rights(request, person_merge.MERGE)
    person = Person.objects.live().filter(pk=min(pk, MAX_ID)).first() if pk else None
    form = PasteForm(request.POST if request.POST.get("people") else None)
    form.fields["people"].required = False
    if request.method == "POST":
        chosen = ([pk] if pk else []) + parse_ids(request.POST.getlist("chosen"))
        pasted = pages.try_verb(request, lambda: _pasted_ids(form)) if form.is_bound else []
        if pasted is not None and not form.errors:
            ids = list(dict.fromkeys([*chosen, *(pasted if isinstance(pasted, list) else ())]))
            if len(ids) > 1:
                return redirect(merge_address(ids))
            messages.error(request, _("Choose at least two people to merge."))
    title = _("Merge %(person)s with…") % {"person": person or Person(pk=pk)} if pk else _("Merge people")
    alike = duplicates.duplicates_of_person(person) if person else []
    return pages.page(request, "merge_with", title, form=form, person_id=pk, alike=alike)


def _pasted_ids(form: PasteForm) -> list[int]:
    """The ids of the pasted people; none with errors in the form."""
    if not form.is_valid():
        return []
    pasted = static_lists.find_pasted_people(form.cleaned_data["people"])
    for problem in pasted.problems[:5]:
        form.add_error("people", problem_text(problem))
    return list(pasted.person_ids)


def merge_people(pages: PagesAdmin, request: HttpRequest) -> HttpResponse:
    """Preview the merge with the present choices; merge on POST of the button "merge"."""
    require_rights(request, person_merge.MERGE)
    data = request.POST if request.method == "POST" else request.GET
    ids = parse_ids(data.getlist("people"))
    if "choose" in request.POST or (not ids and "merge" not in data):
        return choose_people(pages, request, None)
    winner = parse_number(data.get("winner", "")) or (ids[0] if ids else 0)
    losers = [person_id for person_id in ids if person_id != winner]
    choices = {name.removeprefix("from_"): parse_number(data[name]) for name in data if name.startswith("from_")}
    try:
        if request.method == "POST" and "merge" in request.POST:
            done = person_merge.merge_people(winner, losers, request.user, request_source(request), choices=choices)
            messages.success(request, _("Merged. It can be undone on this page."))
            if number := object_data.records_of_merge(done).replaced:
                messages.info(request, _replaced_text(number))
            return redirect("admin:people_person_change", winner)
        preview = person_merge.preview_merge(winner, losers, request.user, choices)
    except RejectedError as refusal:
        problems = [problem_text(problem) for problem in refusal.problems]
        first = ids[0] if Person.objects.live().filter(pk__in=ids[:1]).exists() else None
        return pages.page(request, "merge_refused", _("Merge people"), problems=problems, first=first)
    return pages.page(
        request,
        "merge",
        _("Merge people"),
        people=preview.people,
        winner=preview.people[0],
        ids=ids,
        rows=_field_rows(preview),
        moving=preview.rows,
        notes=preview.notes,
        undo_days=settings.MERGE_UNDO_DAYS,
    )


def _replaced_text(number: int) -> str:
    return ngettext(
        "%(number)s record had the same dedupe values as another one: the one changed last stays, the other is kept in "
        "its history.",
        "%(number)s records had the same dedupe values as others: those changed last stay, the others are kept in "
        "their history.",
        number,
    ) % {"number": number}


def _field_rows(preview: person_merge.MergePreview) -> list[tuple[str, Any, list[tuple[int, Any]]]]:
    """Each field of the preview: its label, the field, and each person's id with the value as it is shown."""
    labels = {row.api_name: field_label(row) for row in PersonField.objects.all()}
    return [
        (
            labels[field.info.api_name],
            field,
            [(person.pk, localized_value(field.values[person.pk], field.info.api_name)) for person in preview.people],
        )
        for field in preview.fields
    ]


def undo_merge(pages: PagesAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Show a confirmation; undo the merge on POST."""
    require_rights(request, person_merge.MERGE)
    past_merge = PersonMerge.objects.select_related("winner", "user").filter(pk=pk).first()
    if past_merge is None:
        messages.error(request, _("There is no such merge."))
        return redirect("admin:people_person_changelist")
    if request.method == "POST":
        message = _("Undone. Separate people again: %(ids)s.") % {"ids": ", ".join(map(str, past_merge.loser_ids))}
        pages.try_verb(request, lambda: person_merge.undo_merge(pk, request.user, request_source(request)), message)
        return redirect("admin:people_person_change", past_merge.winner_id)
    return pages.page(
        request,
        "merge_undo",
        _("Undo the merge?"),
        merge=past_merge,
        hindrance=person_merge.undo_problem(past_merge),
        replaced=object_data.records_of_merge(past_merge).replaced,
        fields=sorted(past_merge.changes),
    )
