"""The other pages of a smart list: history, text form, uses; and the actions of its buttons."""

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from people.admin.forms import PlaceForm
from people.admin.persons import person_actions
from people.core import audit, references
from people.core.admin import charts
from people.core.admin.base import require_rights, show_page
from people.core.admin.numbers import count_text
from people.core.admin.object_actions import delete_page, duplicate_page, show_undoable_message
from people.core.errors import RejectedError
from people.datatypes import keys as datatype_keys
from people.models import Person
from people.rights import VIEW_PERSON
from smartlists.admin.base import NAME, find_smart_list, smart_list_page
from smartlists.catalog import Catalogue
from smartlists.evaluation import lists_of_person
from smartlists.evaluation import stored as stored_evaluations
from smartlists.lists import editing as list_editing
from smartlists.lists import size_history
from smartlists.models import SmartList, StoredEvaluation
from smartlists.rights import ADD_SMARTLIST, DELETE_SMARTLIST
from smartlists.rules.text import language

HISTORY = 100
EDITS = 20
SLOW = 1  # seconds from which the time of a count is worth a column
SIZE_DAYS = 180  # of the chart of the list's size
AUTOMATIC = "automatic"
INTERVALS = (
    (15, gettext_lazy("every 15 minutes")),
    (60, gettext_lazy("every hour")),
    (1_440, gettext_lazy("every day")),
    (10_080, gettext_lazy("every week")),
)


def history_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The size by day, and the past evaluations: people found, joined and left, and the time each took."""
    smart_list = find_smart_list(request, pk)
    rows = smart_list.evaluations.defer("members").order_by("-pk")[:HISTORY]
    evaluations = [
        {"row": row, "joined": len(joined), "left": len(left), "seconds": row.seconds or 0}
        for row in rows
        for joined, left in [stored_evaluations.membership_changes(row)]
    ]
    zone = timezone.get_current_timezone()
    sizes = size_history.daily_sizes(smart_list, SIZE_DAYS, timezone.localdate(), zone)
    return smart_list_page(
        request,
        "history",
        smart_list,
        evaluations=evaluations,
        edits=[(entry, audit.entry_sentence(entry)) for entry in audit.entries_of(smart_list, EDITS)],
        has_slow=any((row.seconds or 0) >= SLOW for row in rows),
        intervals=INTERVALS,
        is_slow=stored_evaluations.is_too_slow_to_refresh(smart_list),
        size_days=SIZE_DAYS,
        sizes=sizes,
        size_chart=_size_chart(sizes),
        unchanged=_unchanged_sentence(sizes),
        changes_chart=_changes_chart(evaluations),
    )


def _size_chart(sizes: Sequence[tuple[date, int]]) -> str:
    """The chart's data; empty for a single day, which is no history, and for a size that never changed."""
    if len({size for _day, size in sizes}) < 2:
        return ""
    labels = [date_format(day, "MONTH_DAY_FORMAT") for day, _size in sizes]
    series = charts.ChartSeries(_("People"), [size for _day, size in sizes])
    return charts.chart_json(labels, _("Day"), [series], is_line=True)


def _unchanged_sentence(sizes: Sequence[tuple[date, int]]) -> str:
    """The sentence instead of the chart if the size was the same on all days; empty for less than two days."""
    if len(sizes) < 2 or len({size for _day, size in sizes}) > 1:
        return ""
    size = sizes[0][1]
    sentence = ngettext(
        "%(size)s person on the list on every day since %(day)s.",
        "%(size)s people on the list on every day since %(day)s.",
        size,
    )
    return sentence % {"size": count_text(size), "day": date_format(sizes[0][0], "DATE_FORMAT")}


def _changes_chart(evaluations: Sequence[dict[str, Any]]) -> str:
    """The chart's data, oldest first, without the oldest: at the first count all members join. Empty for few counts."""
    finished = [entry for entry in reversed(evaluations) if entry["row"].state == StoredEvaluation.State.DONE][1:]
    if len(finished) < 2:
        return ""
    moments = [timezone.localtime(entry["row"].as_of) for entry in finished]
    is_by_day = len({moment.date() for moment in moments}) == len(moments)
    labels = [date_format(moment, "MONTH_DAY_FORMAT" if is_by_day else "SHORT_DATETIME_FORMAT") for moment in moments]
    series = [
        charts.ChartSeries(label, [entry[name] for entry in finished], of)
        for of, (name, label) in enumerate((("joined", _("Joined")), ("left", _("Left"))))
    ]
    return charts.chart_json(labels, _("As of"), series, is_stacked=True) if any(map(any, _counts(series))) else ""


def _counts(series: Sequence[charts.ChartSeries]) -> list[Sequence[float | None]]:
    return [row.counts for row in series]


def lists_of_person_page(request: HttpRequest, person_id: int) -> HttpResponse:
    """The smart lists that a person is on now; a tab of the person, or a part of their page."""
    require_rights(request, VIEW_PERSON, lists_of_person.VIEW)
    person = get_object_or_404(Person.objects.live(), pk=min(person_id, datatype_keys.MAX_ID))
    context: dict[str, Any] = {
        "person": person,
        "result": lists_of_person.smart_lists_of_person(person.pk, request.user),
    }
    if "HX-Request" in request.headers:
        return render(request, "smartlists/_of_person.html", context)
    of_person: dict[str, Any] = {"opts": Person._meta, "original": person, "actions": person_actions(request, person)}
    return show_page(request, SmartList, "of_person", str(person), **context, **of_person)


def text_form_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The text form of the rules, to read, copy and change."""
    smart_list = find_smart_list(request, pk)
    rules_text, revision, errors = language.render_rules_text(smart_list.parsed, Catalogue()), smart_list.revision, []
    if request.method == "POST":
        require_rights(request, list_editing.CHANGE)
        rules_text, revision_text = request.POST.get("text", ""), request.POST.get("revision", "")
        revision = (
            int(revision_text) if revision_text.isascii() and revision_text.isdigit() and len(revision_text) < 10 else 0
        )
        try:
            list_editing.change_smart_list(
                smart_list,
                request.user,
                value=language.parse_rules_text(rules_text, Catalogue()),
                expected_revision=revision,
            )
        except RejectedError as refusal:
            errors = [str(problem.message) for problem in refusal.problems]
        else:
            messages.success(request, _("Saved."))
            return redirect(f"{NAME}_text", pk)
    return smart_list_page(
        request,
        "text",
        smart_list,
        text=rules_text,
        revision=revision,
        errors=errors,
        may_change=request.user.has_perm(list_editing.CHANGE),
    )


def used_by_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The uses, the folder and the owner of the list."""
    smart_list = find_smart_list(request, pk)
    return smart_list_page(request, "used_by", smart_list, uses=references.uses_of(smart_list))


@require_POST
def refresh_smart_list(request: HttpRequest, pk: int) -> HttpResponse:
    return run_list_action(
        request,
        pk,
        "members",
        lambda smart_list: _count_message(stored_evaluations.evaluate_list(smart_list, request.user)),
    )


def _count_message(stored: StoredEvaluation) -> str:
    message = ngettext("Counted: %(count)s person.", "Counted: %(count)s people.", stored.count or 0)
    return message % {"count": stored.count}


def duplicate_smart_list_page(request: HttpRequest, pk: int) -> HttpResponse:
    smart_list = find_smart_list(request, pk)
    require_rights(request, ADD_SMARTLIST)
    return duplicate_page(
        request, smart_list, lambda name: list_editing.duplicate_smart_list(smart_list, name, request.user)
    )


@require_POST
def toggle_archived(request: HttpRequest, pk: int) -> HttpResponse:
    """Archive or unarchive the list; the message has a button that undoes it."""
    smart_list = find_smart_list(request, pk)
    try:
        if smart_list.is_archived:
            list_editing.unarchive_smart_list(smart_list, request.user)
            message = _("Unarchived.")
        else:
            list_editing.archive_smart_list(smart_list, request.user)
            message = _("Archived.")
    except RejectedError as refusal:
        messages.error(request, str(refusal))
    else:
        show_undoable_message(request, message, reverse(f"{NAME}_archive", args=[pk]))
    return redirect(f"{NAME}_change", pk)


def folder_and_owner_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Set the folder and the owner of the list."""
    smart_list = find_smart_list(request, pk)
    require_rights(request, list_editing.CHANGE)
    form = PlaceForm(request.POST or None, smart_list)
    if request.method == "POST" and form.place(
        request.user, partial(list_editing.set_folder_and_owner, smart_list, request.user)
    ):
        messages.success(request, _("Saved."))
        return redirect(f"{NAME}_used_by", pk)
    title, back = _("Folder and owner: %(name)s") % {"name": smart_list}, reverse(f"{NAME}_used_by", args=[pk])
    return show_page(request, SmartList, "people/place.html", title, original=smart_list, form=form, back=back)


@require_POST
def schedule_smart_list(request: HttpRequest, pk: int) -> HttpResponse:
    """Set when the list is evaluated: automatically, every so many minutes, or never by itself (0)."""

    def plan(smart_list: SmartList) -> str:
        minutes_text = request.POST.get("minutes", "")
        if minutes_text == AUTOMATIC:
            list_editing.schedule_evaluations(smart_list, None, request.user)
            return str(_("Saved."))
        minutes = (
            int(minutes_text) if minutes_text.isascii() and minutes_text.isdigit() and len(minutes_text) < 9 else None
        )
        list_editing.schedule_evaluations(smart_list, minutes or None, request.user, is_refreshed=False)
        return str(_("Saved."))

    return run_list_action(request, pk, "history", plan)


def delete_smart_list_page(request: HttpRequest, pk: int) -> HttpResponse:
    smart_list = find_smart_list(request, pk)
    require_rights(request, DELETE_SMARTLIST)
    return delete_page(
        request,
        smart_list,
        lambda: list_editing.delete_smart_list(smart_list, request.user),
        consequence=_("The list is deleted for good, with its history. Its people stay."),
        button=_("Delete list"),
        uses=references.uses_of(smart_list),
    )


def run_list_action(request: HttpRequest, pk: int, tab: str, work: Any) -> HttpResponse:
    """Run `work` on the list, show its result or problem as a message and redirect to the page of `tab`."""
    smart_list = find_smart_list(request, pk)
    try:
        messages.success(request, work(smart_list))
    except RejectedError as refusal:
        messages.error(request, str(refusal))
    return redirect(f"{NAME}_{tab}", pk)
