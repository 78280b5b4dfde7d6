"""The reports page: four reports on activities, of everybody or of a list, each as a table, a chart and CSV."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from defusedcsv import csv
from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, localize
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities import reports
from activities.models import ActivityType, ApprovedField
from activities.reports import Scope
from people import datatypes, installation
from people.models import Person, StaticList, StaticListMember
from people.problems import Refused
from smartlists import evaluating
from smartlists.models import SmartList

RIGHTS = ("activities.view_activity", "activities.view_activitytype", "people.view_person")
DAYS = 90


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: what the page shows, what the file says, and where it leads."""

    shown: Any
    raw: Any
    url: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    headings: Sequence[Any]
    rows: list[list[Cell]]
    chart: str = ""
    meters: Sequence[float] = ()  # per row, in percent


class ReportForm(forms.Form):
    """Which report, on what, when, and of whom."""

    report = forms.ChoiceField(choices=(), required=False)
    type = forms.ModelChoiceField(None, required=False, label=gettext_lazy("Activity type"))
    field = forms.ModelChoiceField(None, required=False, label=gettext_lazy("Broken down by"))
    total = forms.ModelChoiceField(None, required=False, label=gettext_lazy("Sum of"))
    since = forms.DateField(label=gettext_lazy("From"))
    until = forms.DateField(label=gettext_lazy("To"))
    people = forms.ChoiceField(required=False, label=gettext_lazy("People"))

    def __init__(self, asked: Any, user: Any) -> None:
        today = timezone.now().astimezone(installation.zone()).date()
        days = {"since": today - timedelta(days=DAYS - 1), "until": today}
        super().__init__({name: day.isoformat() for name, day in days.items()} | asked.dict())
        types = ActivityType.objects.approved().select_related("live").order_by("is_standard", "live__name")
        self.fields["type"].queryset = types  # type: ignore[attr-defined]
        chosen = self.chosen_type(types)
        fields = reports.fields_of(chosen) if chosen else []
        numbers = [field.pk for field in fields if datatypes.BY_NAME[field.data_type].is_number]
        of_type = (
            ApprovedField.objects.filter(pk__in=[field.pk for field in fields]).order_by("-is_primary", "pk")
            .select_related("activity_type__live").prefetch_related("activity_type__live__fields")
        )  # fmt: skip
        self.fields["field"].queryset = of_type  # type: ignore[attr-defined]
        self.fields["total"].queryset = of_type.filter(pk__in=numbers)  # type: ignore[attr-defined]
        for name in ("field", "total"):
            self.fields[name].label_from_instance = _name_of  # type: ignore[attr-defined]
        self.fields["report"].choices = [(name, report.label) for name, report in REPORTS.items()]  # type: ignore[attr-defined]
        self.fields["people"].choices = _audiences(user)  # type: ignore[attr-defined]
        for number in range(1, reports.MOST_STEPS + 1):
            label = _("Step %(number)s") % {"number": number}
            self.fields[f"step_{number}"] = forms.ModelChoiceField(types, required=False, label=label)
        for bound in self.fields.values():
            bound.widget.attrs["class"] = "ca-input"
        for name in ("since", "until"):
            self.fields[name].widget = forms.DateInput(attrs={"type": "date", "class": "ca-input"}, format="%Y-%m-%d")

    def chosen_type(self, types: Any) -> ActivityType | None:
        text = self.data.get("type", "")
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        return types.filter(pk=number).first()

    @property
    def asked(self) -> "Report":
        return REPORTS.get(self.data.get("report", ""), REPORTS["trend"])


def _name_of(field: ApprovedField) -> str:
    """What the live version calls a field; its API name once it is gone from there."""
    live = field.activity_type.live
    names = {one.api_name: one.name for one in live.fields.all()} if live else {}
    return names.get(field.api_name, field.api_name)


def _audiences(user: Any) -> list[tuple[str, Any]]:
    lists: list[tuple[str, Any]] = [("", _("All people"))]
    if user.has_perm("smartlists.view_smartlist"):
        smart = SmartList.objects.filter(is_archived=False).order_by("name")
        lists += [(f"smart:{found.pk}", _("Smart list: %(name)s") % {"name": found}) for found in smart]
    if user.has_perm("people.view_staticlist"):
        static = StaticList.objects.filter(is_archived=False).order_by("name")
        lists += [(f"static:{found.pk}", _("Static list: %(name)s") % {"name": found}) for found in static]
    return lists


def page(request: HttpRequest) -> HttpResponse:
    """The form; and the report, once something is chosen. With `format=csv` the same rows as a file."""
    if not request.user.has_perms(RIGHTS):
        raise PermissionDenied
    form = ReportForm(request.GET, request.user)
    form.is_valid()
    problems = [error for errors in form.errors.values() for error in errors]
    table, as_of = None, None
    if not problems:
        try:
            people, as_of = _people(form.cleaned_data["people"], request.user)
            table = form.asked.build(form.cleaned_data, _scope(form, people))
        except Refused as refusal:
            problems = [str(problem.message) for problem in refusal.problems]
    if table and request.GET.get("format") == "csv":
        return _file(request, form, table)
    query = request.GET.copy()
    query["format"] = "csv"
    return render(request, "config/reports.html", {
        **admin.site.each_context(request), "title": _("Reports"), "form": form, "table": table, "problems": problems,
        "reports": list(REPORTS.items()), "asked": form.asked, "as_of": as_of,
        "asks": [form[name] for name in form.asked.asks], "csv": query.urlencode(),
        "zone": installation.current().time_zone,
        "rows": [(row, table.meters[i] if table.meters else None) for i, row in enumerate(table.rows)] if table else [],
    })  # fmt: skip


def _scope(form: ReportForm, people: Sequence[int] | None) -> Scope:
    scope = Scope(form.cleaned_data["since"], form.cleaned_data["until"], people)
    reports.check(scope)
    return scope


def _people(chosen: str, by: Any) -> tuple[Sequence[int] | None, Any]:
    """The ids of the chosen list's members and as of when, or None for everybody."""
    kind, _colon, number = chosen.partition(":")
    if kind == "smart":
        stored = evaluating.shown(SmartList.objects.get(pk=int(number)), by)
        return list(stored.person_ids), stored.as_of
    if kind == "static":
        members = StaticListMember.objects.filter(static_list_id=int(number))
        return list(members.values_list("person_id", flat=True)), None
    return None, None


def _file(request: HttpRequest, form: ReportForm, table: Table) -> HttpResponse:
    if form.asked.names_people and not request.user.has_perm("people.export_person"):
        raise PermissionDenied
    name = next(name for name, report in REPORTS.items() if report is form.asked)
    disposition = f'attachment; filename="{name}.csv"'
    reply = HttpResponse(content_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition})
    reply.write("\ufeff")
    writer = csv.writer(reply)
    writer.writerow([str(heading) for heading in table.headings])
    writer.writerows([cell.raw for cell in row] for row in table.rows)
    return reply


def _trend(chosen: dict[str, Any], scope: Scope) -> Table | None:
    if not chosen["type"]:
        return None
    found = reports.trend(chosen["type"], scope)
    chart = _bars([date_format(day, "SHORT_DATE_FORMAT") for day, _count in found], [count for _day, count in found])
    rows = [[Cell(day, day.isoformat()), _number(count)] for day, count in found]
    return Table((_("Day"), _("Activities")), rows[::-1], chart)


def _breakdown(chosen: dict[str, Any], scope: Scope) -> Table | None:
    if not chosen["type"]:
        return None
    field = chosen["field"] or next(iter(reports.fields_of(chosen["type"])), None)
    if field is None:
        return Table((_("Value"),), [])
    found = reports.breakdown(chosen["type"], field, scope, chosen["total"])
    headings = [_name_of(field), _("Activities"), _("People")]
    rows = [
        [_text(group.value, _("(no value)")), _number(group.count), _number(group.people)]
        for group in found
    ]  # fmt: skip
    if chosen["total"]:
        headings.append(_("Sum of %(field)s") % {"field": _name_of(chosen["total"])})
        rows = [[*row, _number(group.total)] for row, group in zip(rows, found, strict=True)]
    return Table(headings, rows, meters=_shares(group.count for group in found))


def _top_people(chosen: dict[str, Any], scope: Scope) -> Table | None:
    if not chosen["type"]:
        return None
    found = reports.top_people(chosen["type"], scope)
    people = Person.objects.live().in_bulk([person_id for person_id, _count, _latest in found])
    rows = [
        [
            _text(str(people[person_id]), url=reverse("admin:activities_timeline", args=[person_id])),
            _text(people[person_id].email),
            _number(count),
            Cell(localize(timezone.localtime(latest)), datatypes.moment_text(latest)),
        ]
        for person_id, count, latest in found
        if person_id in people
    ]  # fmt: skip
    headings = (_("Person"), _("Email"), _("Activities"), _("Latest"))
    return Table(headings, rows, meters=_shares(count for _id, count, _latest in found))


def _funnel(chosen: dict[str, Any], scope: Scope) -> Table | None:
    types = [chosen[name] for name in STEPS if chosen.get(name)]
    if not types:
        return None
    found = reports.funnel(types, scope)
    rows = [
        [_text(str(step.activity_type)), _number(step.people), _share(step.of_previous), _share(step.of_first)]
        for step in found
    ]  # fmt: skip
    headings = (_("Step"), _("People"), _("Of the step before"), _("Of the first step"))
    return Table(headings, rows, meters=[step.of_first or 0 for step in found])


@dataclass(frozen=True, slots=True)
class Report:
    """A report: its name, what it says, what the form asks for, and who makes its table (None: choose first)."""

    label: Any
    says: Any
    asks: tuple[str, ...]
    build: Callable[[dict[str, Any], Scope], Table | None]
    names_people: bool = False


STEPS = tuple(f"step_{number}" for number in range(1, reports.MOST_STEPS + 1))
PERIOD = ("since", "until", "people")
REPORTS: dict[str, Report] = {
    "trend": Report(
        gettext_lazy("Trend"), gettext_lazy("How often it happened, day by day."), ("type", *PERIOD), _trend
    ),
    "breakdown": Report(
        gettext_lazy("Breakdown"), gettext_lazy("Which values a field had, most frequent first."),
        ("type", "field", "total", *PERIOD), _breakdown,
    ),
    "people": Report(
        gettext_lazy("Top people"), gettext_lazy("Who did it most often."), ("type", *PERIOD), _top_people, True
    ),
    "funnel": Report(
        gettext_lazy("Funnel"), gettext_lazy("How many people did one thing, then another, up to five."),
        (*STEPS, *PERIOD), _funnel,
    ),
}  # fmt: skip


def _text(value: str | None, otherwise: Any = "", url: str = "") -> Cell:
    return Cell(value or otherwise, value or "", url)


def _number(value: Any) -> Cell:
    return Cell("" if value is None else localize(value, use_l10n=True), "" if value is None else value)


def _share(percent: float | None) -> Cell:
    return Cell("" if percent is None else f"{localize(percent)} %", "" if percent is None else percent)


def _shares(counts: Iterable[int]) -> list[float]:
    found = list(counts)
    most = max(found, default=0)
    return [round(100 * count / most, 1) if most else 0 for count in found]


def _bars(labels: list[str], counts: list[int]) -> str:
    bars = {"label": _("Activities"), "data": counts, "backgroundColor": "var(--color-primary-500)"}
    return json.dumps({"labels": labels, "datasets": [bars]})
