"""Marks in the charts of trends: types approved, imports finished, campaigns activated, and people's own notes."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from activities.log import intervals
from activities.models import ActivityVersion
from config.pages.report_saving import SHARED
from config.pages.trend import TrendQuery
from people.admin.days import DayField
from people.core import installation
from people.core.admin.base import parse_number, problem_text, require_rights
from people.core.errors import NotAllowedError, NotFoundError, RejectedError
from people.files.imports import jobs, targets
from people.files.models import Import
from smartlists.lists import report_notes
from smartlists.lists.reports import RIGHTS
from smartlists.models import ReportNote, SmartCampaign
from smartlists.models.saved_reports import SHARE
from smartlists.rights import VIEW_SMARTCAMPAIGN

MOST_MARKS = 30  # of a chart, the latest
REFUSED_NOTE = "refused_note"  # key in the session
LONGEST_KEPT = 1_000  # characters of a refused value


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened on a day, where its page is, and the note that the user may delete, if it is one."""

    day: date
    text: str
    url: str = ""
    note: ReportNote | None = None
    sign: str = ""


class NoteForm(forms.Form):
    """A note on a day; without sharing for users who may not share."""

    day = DayField(label=gettext_lazy("Day"), widget=forms.DateInput({"type": "date", "class": "ca-input"}))
    text = forms.CharField(
        label=gettext_lazy("What happened"),
        max_length=report_notes.LONGEST,
        widget=forms.TextInput({"class": "ca-input", "autocomplete": "off"}),
    )
    is_shared = forms.BooleanField(label=SHARED, required=False)

    def __init__(self, data: Any, by: Any) -> None:
        super().__init__(data, auto_id="note_%s")
        if not by.has_perm(SHARE):
            del self.fields["is_shared"]


def marks_of(query: TrendQuery, by: Any) -> list[Mark]:
    """Return the marks of a trend that the user may see, in the order of their days, with their signs."""
    marks = [*_approvals(query), *_imports(query, by), *_campaigns(query, by), *_notes(query, by)]
    latest = sorted(marks, key=lambda mark: mark.day)[-MOST_MARKS:]
    return [Mark(mark.day, mark.text, mark.url, mark.note, str(number)) for number, mark in enumerate(latest, 1)]


def marks_json(query: TrendQuery, marks: Sequence[Mark]) -> str:
    """Return the places of the marks in the chart of the trend; empty without any."""
    starts = {
        start: place for place, start in enumerate(intervals.interval_starts(query.since, query.until, query.interval))
    }
    signs: dict[int, list[str]] = {}
    for mark in marks:
        signs.setdefault(starts[intervals.interval_start(mark.day, query.interval)], []).append(mark.sign)
    # those of one interval follow each other
    shown = [{"at": at, "sign": of[0] if len(of) == 1 else f"{of[0]}–{of[-1]}"} for at, of in signs.items()]
    return json.dumps(shown, ensure_ascii=False) if shown else ""


def marks_of_trend(query: TrendQuery | None, by: Any) -> dict[str, Any]:
    """Template context: the marks that the user may see and their places in the chart; none without a trend."""
    marks = marks_of(query, by) if query else []
    return {"marks": marks, "marks_json": marks_json(query, marks) if query else ""}


def note_form(request: HttpRequest) -> NoteForm:
    """An empty form for a note, or what was refused, with its errors, once."""
    return NoteForm(request.session.pop(REFUSED_NOTE, None), request.user)


def _days(query: TrendQuery) -> tuple[datetime, datetime]:
    """Return the start of the first day and the end of the last one."""
    zone = installation.installation_zone()
    first = max(query.since, date(1900, 1, 1))
    last = min(query.until, date(9998, 12, 31)) + timedelta(days=1)
    return datetime.combine(first, datetime.min.time(), zone), datetime.combine(last, datetime.min.time(), zone)


def _day_of(moment: datetime) -> date:
    return moment.astimezone(installation.installation_zone()).date()


def _latest(
    rows: QuerySet[Any], moment: str, query: TrendQuery, describe: Callable[[Any], tuple[str, str]]
) -> list[Mark]:
    """Return marks of the latest rows whose field `moment` lies in the days of the chart.

    `describe` returns the text and the address of a row.
    """
    latest = rows.filter(**{f"{moment}__range": _days(query)}).order_by(f"-{moment}")[:MOST_MARKS]
    dated = [(_day_of(getattr(row, moment)), row) for row in latest]
    return [Mark(day, *describe(row)) for day, row in dated if query.since <= day <= query.until]


def _approvals(query: TrendQuery) -> list[Mark]:
    versions = ActivityVersion.objects.filter(activity_type__in=query.types, number__isnull=False)
    return _latest(
        versions,
        "approved_at",
        query,
        lambda version: (
            _("Version %(number)s of %(name)s approved") % {"number": version.number, "name": version.name},
            reverse("admin:activities_activitytype_change", args=[version.activity_type_id]),
        ),
    )


def _imports(query: TrendQuery, by: Any) -> list[Mark]:
    """Return the imports that recorded activities, as far as the user may see them."""
    kinds = [kind for kind, target in targets.TARGETS.items() if all(map(by.has_perm, target.rights))]
    done = jobs.visible_imports(by).filter(kind__in=kinds, state=Import.State.COMPLETE, first_id__isnull=False)
    return _latest(
        done,
        "finished_at",
        query,
        lambda job: (
            _("Import of %(name)s finished") % {"name": job.name},
            reverse("admin:people_import_change", args=[job.pk]),
        ),
    )


def _campaigns(query: TrendQuery, by: Any) -> list[Mark]:
    if not by.has_perm(VIEW_SMARTCAMPAIGN):
        return []
    return _latest(
        SmartCampaign.objects.all(),
        "activated_at",
        query,
        lambda campaign: (
            _("Campaign %(name)s activated") % {"name": campaign.name},
            reverse("admin:smartlists_smartcampaign_change", args=[campaign.pk]),
        ),
    )


def _notes(query: TrendQuery, by: Any) -> list[Mark]:
    notes = report_notes.visible_notes(query.since, query.until, by).select_related("owner")[:MOST_MARKS]
    return [Mark(note.day, note.text, note=note if report_notes.may_delete(note, by) else None) for note in notes]


@require_POST
def change_notes(request: HttpRequest) -> HttpResponse:
    """Write a note, or delete the one that `delete` names; return to the report in the query string."""
    require_rights(request, *RIGHTS)
    try:
        if "delete" in request.POST:
            report_notes.delete_note(parse_number(request.POST["delete"]), request.user)
            messages.success(request, _("Deleted."))
        else:
            _add(request)
    except NotFoundError:
        raise Http404 from None
    except (NotAllowedError, RejectedError) as refusal:
        messages.error(request, problem_text(refusal.problems[0]))
    return redirect(f"{reverse('reports')}?{request.GET.urlencode()}")


def _add(request: HttpRequest) -> None:
    form = NoteForm(request.POST, request.user)
    request.session[REFUSED_NOTE] = {name: request.POST.get(name, "")[:LONGEST_KEPT] for name in form.fields}
    if not form.is_valid():
        messages.error(request, str(next(error for errors in form.errors.values() for error in errors)))
        return
    chosen = form.cleaned_data
    report_notes.add_note(chosen["day"], chosen["text"], request.user, is_shared=bool(chosen.get("is_shared")))
    del request.session[REFUSED_NOTE]
    messages.success(request, _("Saved."))
