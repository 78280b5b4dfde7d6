"""The reports page: four reports on activities, of all people or of a list, each as a table, a chart and CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from defusedcsv import csv
from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from activities.log import intervals, rollup
from activities.log import reports as log_reports
from activities.log.bots import bot_fields, marks_bots
from activities.models import ActivityType, ApprovedField
from config.pages import trend
from config.pages.report_kinds import FIELDS_OF_THE_TYPE, REPORTS, STEPS, Report
from config.pages.report_saving import SaveForm, saving_context
from config.pages.report_tables import Table, field_name
from people.admin.days import DayField
from people.core import installation
from people.core.admin.base import parse_number
from people.core.errors import RejectedError
from people.core.numerals import whole_number
from people.datatypes.parsing import MAX_LINK
from people.datatypes.registry import BY_NAME
from people.models import StaticList
from smartlists.lists import reports as list_reports
from smartlists.lists import saved_reports
from smartlists.lists.reports import ReportAnswer, ReportQuestion
from smartlists.models import SavedReport, SmartList

DAYS = 90
CHOOSE = gettext_lazy("— please choose —")
NONE = gettext_lazy("— none —")
ANYTHING = gettext_lazy("— anything —")
BOTS = (("", gettext_lazy("without bots")), (trend.WITH_BOTS, gettext_lazy("with bots")))


class ReportForm(forms.Form):
    """Choice of report, activity type, period and audience."""

    report = forms.ChoiceField(choices=(), required=False)
    type = forms.ModelChoiceField(
        ActivityType.objects.none(), required=False, label=gettext_lazy("Activity type"), empty_label=CHOOSE
    )
    field = forms.ModelChoiceField(ApprovedField.objects.none(), required=False, label=gettext_lazy("Broken down by"))
    total = forms.ModelChoiceField(
        ApprovedField.objects.none(), required=False, label=gettext_lazy("Sum of"), empty_label=NONE
    )
    since = DayField(label=gettext_lazy("From"))
    until = DayField(label=gettext_lazy("To"))
    interval = forms.ChoiceField(choices=trend.CHOICES, required=False, label=gettext_lazy("By"))
    split = forms.ModelChoiceField(
        ApprovedField.objects.none(),
        required=False,
        label=gettext_lazy("Split by"),
        empty_label=gettext_lazy("— all together —"),
    )
    where = forms.ModelChoiceField(
        ApprovedField.objects.none(), required=False, label=gettext_lazy("Where"), empty_label=ANYTHING
    )
    value = forms.CharField(
        required=False,
        max_length=MAX_LINK,
        strip=False,
        label=pgettext_lazy("the value of a field", "is"),
        widget=forms.TextInput({"placeholder": gettext_lazy("(no value)")}),
    )
    compare = forms.BooleanField(required=False, label=gettext_lazy("Compare with the period before"))
    cumulative = forms.BooleanField(required=False, label=gettext_lazy("Cumulative"))
    people = forms.ChoiceField(required=False, label=gettext_lazy("People"))
    bots = forms.ChoiceField(required=False, label=gettext_lazy("Bots"), choices=BOTS)

    def __init__(self, parameters: Any, user: Any) -> None:
        today = timezone.now().astimezone(installation.installation_zone()).date()
        length = whole_number(parameters.get("days", ""), DAYS, most_digits=5)
        days = {"since": today - timedelta(days=max(length, 1) - 1), "until": today}
        data: dict[str, Any] = {name: day.isoformat() for name, day in days.items()} | parameters.dict()
        super().__init__(data)
        types = ActivityType.objects.approved().select_related("live").order_by("is_standard", "live__name")
        self.fields["type"].queryset = types  # type: ignore[attr-defined]
        chosen = self.chosen_type(types)
        fields = self.type_fields = log_reports.breakdown_fields(chosen) if chosen else []
        if fields and "field" in self.report_kind.inputs and not data.get("field"):
            data["field"] = fields[0].pk
        self.fields["field"].empty_label = None  # type: ignore[attr-defined]
        numbers = [field.pk for field in fields if BY_NAME[field.data_type].is_number]
        of_type = (
            ApprovedField.objects.filter(pk__in=[field.pk for field in fields])
            .order_by("-is_primary", "pk")
            .select_related("activity_type__live")
            .prefetch_related("activity_type__live__fields")
        )
        for name in ("field", "split", "where"):
            self.fields[name].queryset = of_type  # type: ignore[attr-defined]
        self.fields["total"].queryset = of_type.filter(pk__in=numbers)  # type: ignore[attr-defined]
        for name in FIELDS_OF_THE_TYPE:
            self.fields[name].label_from_instance = field_name  # type: ignore[attr-defined]
        self.fields["report"].choices = [(name, report.label) for name, report in REPORTS.items()]  # type: ignore[attr-defined]
        self.fields["people"].choices = _audiences(user)  # type: ignore[attr-defined]
        self._add_type_fields(types)
        self._prepare_widgets()

    def _add_type_fields(self, types: Any) -> None:
        """Add the choices of further types: the steps of a funnel, the lines of a trend."""
        for step in range(1, log_reports.MOST_STEPS + 1):
            label = _("Step %(number)s") % {"number": step}
            empty = CHOOSE if step <= 2 else NONE
            self.fields[f"step_{step}"] = forms.ModelChoiceField(types, required=False, label=label, empty_label=empty)
        for name, title in zip(trend.MORE_TYPES, trend.MORE_LABELS, strict=True):
            self.fields[name] = forms.ModelChoiceField(types, required=False, label=title, empty_label=NONE)

    def _prepare_widgets(self) -> None:
        gone = _("It no longer exists, or you may not see it.")
        for bound in self.fields.values():
            if isinstance(bound, forms.ModelChoiceField) or bound is self.fields["people"]:
                bound.error_messages["invalid_choice"] = f"{bound.label}: {gone}"
            if isinstance(bound.widget, forms.CheckboxInput):
                continue
            bound.widget.attrs["class"] = "ca-input"
        for name in ("since", "until"):
            self.fields[name].widget = forms.DateInput(attrs={"type": "date", "class": "ca-input"}, format="%Y-%m-%d")

    def chosen_type(self, types: Any) -> ActivityType | None:
        text = self.data.get("type", "")
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        return types.filter(pk=number).first()

    @cached_property
    def marks_bots(self) -> bool:
        """Whether one of the chosen types says which activities bots caused; otherwise there is nothing to choose."""
        others = [self.cleaned_data.get(name) for name in (*trend.MORE_TYPES, *STEPS)]
        types = [activity_type.pk for activity_type in others if activity_type]
        return any(map(marks_bots, self.type_fields)) or bool(types and bot_fields(types))

    @property
    def without_bots(self) -> bool:
        return self.marks_bots and self.cleaned_data.get("bots") != trend.WITH_BOTS

    @property
    def name(self) -> str:
        report = self.data.get("report", "")
        return report if report in REPORTS else "trend"

    @property
    def report_kind(self) -> Report:
        return REPORTS[self.name]

    def clean(self) -> None:
        chosen = self.cleaned_data
        if self.name == "trend" and chosen.get("split"):
            if any(chosen.get(name) for name in trend.MORE_TYPES):
                self.add_error("split", _("Choose a single activity type to split it by the values of a field."))
            if chosen.get("compare"):
                self.add_error("split", _("A trend split by values is not compared with the period before."))
        if self.name != "trend" or not (chosen.get("since") and chosen.get("until") and chosen.get("interval")):
            return
        if intervals.count_intervals(chosen["since"], chosen["until"], chosen["interval"]) > trend.MOST_POINTS:
            self.add_error("interval", _("Too many points. Choose a longer interval or a shorter period."))

    def parameters(self, follows_today: bool) -> dict[str, str]:
        """Return what a valid form says, to be saved; with `follows_today` its period ends on the day of reading."""
        chosen: dict[str, Any] = {name: self.cleaned_data.get(name) for name in self.report_kind.inputs}
        texts = {name: _parameter(value) for name, value in chosen.items() if value}
        if follows_today:
            texts["days"] = str((chosen["until"] - chosen["since"]).days + 1)
            del texts["since"], texts["until"]
        return {"report": self.name} | texts

    def questions(self) -> list[ReportQuestion]:
        """Return the questions of a valid form, one a series; none while no type is chosen."""
        if self.name == "trend":
            asked = trend.TrendQuery.of(self.cleaned_data, without_bots=self.without_bots)
            return asked.questions() if asked else []
        question = self._question()
        return [question] if question else []

    def table(self, answers: Sequence[Sequence[Any]]) -> Table:
        """Return the answers to the `questions` as one table."""
        query = trend.TrendQuery.of(self.cleaned_data, without_bots=self.without_bots)
        if self.report_kind.table is None and query:
            return trend.trend_table(query, answers)
        assert self.report_kind.table is not None
        return self.report_kind.table(self.cleaned_data, answers[0])

    def _question(self) -> ReportQuestion | None:
        chosen, report = self.cleaned_data, self.report_kind
        types = [chosen[name] for name in ("type", *STEPS) if name in report.inputs and chosen[name]]
        if not types:
            return None
        field = chosen["where"] if "where" in report.inputs else None
        if "field" in report.inputs:
            field = chosen["field"] or next(iter(log_reports.breakdown_fields(types[0])), None)
        total = chosen["total"] if "total" in report.inputs else None
        return ReportQuestion(
            self.name,
            tuple(activity_type.pk for activity_type in types),
            chosen["since"],
            chosen["until"],
            field.pk if field else None,
            total.pk if total else None,
            chosen["people"],
            (chosen["value"] or None) if field and self.name == "people" else None,
            self.without_bots,
        )


def _parameter(value: Any) -> str:
    """Return the text of a chosen value in a query string."""
    if isinstance(value, Model):
        return str(value.pk)
    if isinstance(value, date):
        return value.isoformat()
    return "on" if value is True else str(value)


def _audiences(user: Any) -> list[tuple[str, Any]]:
    lists: list[tuple[str, Any]] = [("", _("All people"))]
    if user.has_perm("smartlists.view_smartlist"):
        smart = SmartList.objects.filter(is_archived=False).order_by("name")
        lists += [(f"smart:{row.pk}", _("Smart list: %(name)s") % {"name": row}) for row in smart]
    if user.has_perm("people.view_staticlist"):
        static = StaticList.objects.filter(is_archived=False).order_by("name")
        lists += [(f"static:{row.pk}", _("Static list: %(name)s") % {"name": row}) for row in static]
    return lists


def reports_page(request: HttpRequest) -> HttpResponse:
    """Show the form, and the report once a type is chosen; with `format=csv` return the same rows as a file.

    POST requests newer figures. While they are computed, the page polls with `format=state`.
    """
    return show_report(request, is_renewed=request.method == "POST")


def show_report(request: HttpRequest, *, is_renewed: bool = False, save_form: SaveForm | None = None) -> HttpResponse:
    """Show the report that the query string asks for; `save_form` is a rejected form for saving it."""
    if not request.user.has_perms(list_reports.RIGHTS):
        raise PermissionDenied
    parameters, saved = report_parameters(request)
    form = ReportForm(parameters, request.user)
    form.is_valid()
    problems = [error for errors in form.errors.values() for error in errors]
    reply = None
    # after the choice of another type only the form is requested
    if not problems and request.headers.get("HX-Target") != "ask":
        try:
            reply = answer_report(form, request.user, is_renewed=is_renewed, is_kept=saved is not None)
        except RejectedError as refusal:
            problems = [str(problem.message) for problem in refusal.problems]
    table = form.table(reply.answers) if reply and reply.answers else None
    format, address = request.GET.get("format"), _query(request)
    if is_renewed:
        return HttpResponseRedirect(f"{request.path}?{address}")
    if format == "state":
        return HttpResponse(status=204) if reply and reply.asked_at else HttpResponse(headers={"HX-Refresh": "true"})
    if format == "csv" and reply:
        return _file(request, form, table) if table else HttpResponseRedirect(f"{request.path}?{address}")
    context = _form_context(form) | {
        "title": saved or _("Reports"),
        "table": table,
        "problems": problems,
        "reply": reply,
        "again": address,
        "csv": _query(request, format="csv"),
        "state": _query(request, format="state"),
        "rows": table.measured_rows() if table else [],
    }
    if reply and not problems:
        context |= saving_context(saved, parameters, request.user, save_form)
    return render(request, "config/reports.html", {**admin.site.each_context(request), **context, "saved": saved})


def _form_context(form: ReportForm) -> dict[str, Any]:
    report = form.report_kind
    return {
        "form": form,
        "reports": [(name, kind) for name, kind in REPORTS.items() if kind.is_tab or kind is report],
        "report_kind": report,
        "inputs": [form[name] for name in report.inputs if name not in (*report.more, "bots")],
        "bots": form["bots"] if form.marks_bots else None,
        "more": [form[name] for name in report.more],
        "uses_more": any(form.cleaned_data.get(name) for name in report.more),
        "depends_on_type": [name for name in report.inputs if name in (*FIELDS_OF_THE_TYPE, "bots")],
        "periods": _periods(form),
        "zone": installation.current_installation().time_zone,
    }


def report_parameters(request: HttpRequest) -> tuple[QueryDict, SavedReport | None]:
    """Return the parameters of the requested report and the saved report that is open, if any.

    A query string without a report has only the id of the saved one, whose parameters are taken then.
    """
    pk = parse_number(request.GET.get("saved", ""))
    saved = saved_reports.visible_rows(SavedReport, request.user).filter(pk=pk).first() if pk else None
    if saved is None or "report" in request.GET:
        return request.GET, saved
    parameters = saved_parameters(saved)
    parameters["saved"] = str(saved.pk)
    return parameters, saved


def saved_parameters(report: SavedReport) -> QueryDict:
    """Return the parameters of a saved report as a query."""
    parameters = QueryDict(mutable=True)
    parameters.update(report.parameters)
    return parameters


@dataclass(frozen=True, slots=True)
class Replies:
    """The state of several questions: the rows of their answers once all are available, and the oldest `answer`."""

    answers: Sequence[Sequence[Any]]
    answer: ReportAnswer | None
    is_stored: bool
    asked_at: datetime | None
    problem: str


def answer_report(form: ReportForm, by: Any, *, is_renewed: bool = False, is_kept: bool = False) -> Replies | None:
    """Return the state of the answers to a valid form; None while it is incomplete.

    `is_renewed` requests newer figures. `is_kept`: of a saved report, whose answers are stored, so that its page, its
    tiles and the API show the same figures.
    """
    questions = form.questions()
    if not questions:
        return None
    if is_renewed:
        for question in questions:
            list_reports.request_report(question, by)
    answer = list_reports.answer_kept if is_kept else list_reports.answer_question
    replies = [answer(question, by) for question in questions]
    answers = [reply.answer for reply in replies if reply.answer]
    is_whole = len(answers) == len(replies)
    return Replies(
        [answer.rows for answer in answers] if is_whole else (),
        min(answers, key=lambda answer: answer.as_of) if is_whole else None,
        any(reply.is_stored for reply in replies),
        min((reply.asked_at for reply in replies if reply.asked_at), default=None),
        next((reply.problem for reply in replies if reply.problem), ""),
    )


def _periods(form: ReportForm) -> list[tuple[Any, str, bool]]:
    """Return the offered periods: label, query string, and whether it is the present one."""
    today = timezone.now().astimezone(installation.installation_zone()).date()
    periods = [
        (ngettext("%(count)s day", "%(count)s days", days) % {"count": days}, today - timedelta(days=days - 1), today)
        for days in (30, 90, 365)
    ]
    chosen = [form.cleaned_data.get(name) for name in ("type", *trend.MORE_TYPES, *STEPS)]
    span = rollup.activity_span([activity_type.pk for activity_type in chosen if activity_type])
    if span.first and span.last:
        periods.append((_("All time"), span.first, span.last))
    present = (form.cleaned_data.get("since"), form.cleaned_data.get("until"))
    return [
        (label, _query_with(form.data, since=first.isoformat(), until=last.isoformat()), (first, last) == present)
        for label, first, last in periods
    ]


def _query_with(parameters: Mapping[str, Any], **changed: str) -> str:
    return urlencode(
        {name: value for name, value in {**parameters, **changed}.items() if name not in {"format", "days"}}
    )


def _query(request: HttpRequest, **more: str) -> str:
    """Return the query string of the request with other parameters."""
    query = request.GET.copy()
    query.pop("format", None)
    query.update(more)
    return query.urlencode()


def _file(request: HttpRequest, form: ReportForm, table: Table) -> HttpResponse:
    if form.report_kind.names_people and not request.user.has_perm("people.export_person"):
        raise PermissionDenied
    disposition = f'attachment; filename="{form.name}.csv"'
    reply = HttpResponse(content_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition})
    reply.write("\ufeff")
    writer = csv.writer(reply)
    writer.writerow([str(heading) for heading in table.headings])
    writer.writerows([cell.raw for cell in row] for row in table.rows)
    return reply
