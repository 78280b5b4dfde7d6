"""The reports page: reports on activities, of all people or of a list, each as a table, a chart and CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    QueryDict,
    StreamingHttpResponse,
)
from django.shortcuts import render
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from activities.log import rollup
from config.pages import chart_marks, report_start, trend
from config.pages.report_form import ReportForm
from config.pages.report_kinds import FIELDS_OF_THE_TYPE, REPORTS, STEPS
from config.pages.report_saving import SaveForm, saving_context
from config.pages.report_tables import Table
from people.core import installation
from people.core.admin.base import parse_number, require_rights
from people.core.errors import RejectedError
from people.files.csv_lines import BOM, csv_lines, csv_reply
from people.rights import EXPORT_PERSON
from smartlists.lists import reports as list_reports
from smartlists.lists import saved_reports
from smartlists.lists.reports import ReportAnswer
from smartlists.models import SavedReport


def reports_page(request: HttpRequest) -> HttpResponseBase:
    """Show the form, and the report once a type is chosen; with `format=csv` return the same rows as a file.

    Without parameters: the choice of a report. After a change in the form the page requests the report anew, and gets
    the address of what it shows. POST requests newer figures. While they are computed, the page polls with
    `format=state`.
    """
    if request.method == "GET" and not request.GET:
        return report_start.start_page(request)
    is_redrawn = request.headers.get("HX-Target") == "answer"
    if is_redrawn:
        request.GET = report_start.without_foreign_fields(request.GET)  # type: ignore[assignment]
    page = show_report(request, is_renewed=request.method == "POST")
    if is_redrawn:
        page["HX-Replace-Url"] = f"{request.path}?{_query(request)}"
    return page


def show_report(
    request: HttpRequest, *, is_renewed: bool = False, save_form: SaveForm | None = None
) -> HttpResponseBase:
    """Show the report in the query string; `save_form` is a rejected form for saving it."""
    require_rights(request, *list_reports.RIGHTS)
    parameters, saved = report_parameters(request)
    form = ReportForm(parameters, request.user)
    form.is_valid()
    problems = [error for errors in form.errors.values() for error in errors]
    reply = None
    if not problems:
        try:
            reply = answer_report(form, request.user, is_renewed=is_renewed, is_kept=saved is not None)
        except RejectedError as refusal:
            problems = [str(problem.message) for problem in refusal.problems]
    table = form.table(reply.answers, reply.counted_on) if reply and reply.answers else None
    format, address = request.GET.get("format"), _query(request)
    if is_renewed:
        return HttpResponseRedirect(f"{request.path}?{address}")
    if format == "state":
        return HttpResponse(status=204) if reply and reply.asked_at else HttpResponse(headers={"HX-Refresh": "true"})
    if format == "csv" and reply:
        return _file(request, form, table) if table else HttpResponseRedirect(f"{request.path}?{address}")
    context = _form_context(form) | {
        "title": saved or (_report_title(form) if table else _("Reports")),
        "table": table,
        "problems": problems,
        "reply": reply,
        "again": address,
        "csv": _query(request, format="csv"),
        "state": _query(request, format="state"),
        "rows": table.measured_rows() if table else [],
    }
    if table:
        context |= _chart_context(request, form, table, saved) | nothing_context(form)
    if not problems and not reply:
        context["suggested"] = report_start.suggested_types()
    if reply and not problems:
        context |= saving_context(saved, parameters, request.user, save_form)
    return render(request, "config/reports.html", {**admin.site.each_context(request), **context, "saved": saved})


def nothing_context(form: ReportForm) -> dict[str, Any]:
    """Template context: the types of a valid form, and the list whose people count."""
    names = ("type", "then", *trend.MORE_TYPES, *STEPS)
    types = dict.fromkeys(str(form.cleaned_data[name]) for name in names if form.cleaned_data.get(name))
    audiences = dict(form.fields["people"].choices)  # type: ignore[attr-defined]
    return {"chosen_types": ", ".join(types), "audience": audiences.get(form.cleaned_data.get("people"), "")}


def _form_context(form: ReportForm) -> dict[str, Any]:
    report = form.report_kind
    steps = [name for name in report.inputs if name in STEPS]
    offered = max(2, 1 + sum(bool(form.data.get(name)) for name in steps))
    types = [name for name in report.inputs if name in ("type", "then", *STEPS)]
    return {
        "form": form,
        "reports": [(name, kind) for name, kind in REPORTS.items() if kind.is_tab or kind is report],
        "report_kind": report,
        "types": [(form[name], name not in steps[offered:] or bool(form.data.get(name))) for name in types],
        "inputs": [form[name] for name in report.inputs if name not in (*types, *report.more, "bots")],
        "bots": form["bots"] if form.marks_bots else None,
        "more": [form[name] for name in report.more],
        "uses_more": any(form.cleaned_data.get(name) for name in report.more),
        "renewed": [name for name in report.inputs if name in (*FIELDS_OF_THE_TYPE, *steps[2:], "bots")],
        "type_input": report.type_input,
        "periods": _periods(form),
        "zone": installation.current_installation().time_zone,
    }


def _report_title(form: ReportForm) -> str:
    """The kind of a valid form's report, and its types: “Trend: Attend Webinar”."""
    of_types = nothing_context(form)["chosen_types"]
    return f"{form.report_kind.label}: {of_types}" if of_types else str(form.report_kind.label)


def _chart_context(request: HttpRequest, form: ReportForm, table: Table, saved: SavedReport | None) -> dict[str, Any]:
    """Return the title of pictures of the chart, the name of their files, and what is marked in the chart."""
    title = str(saved) if saved else _report_title(form)
    query = charted_trend(form, table)
    return {
        "chart_title": title,
        "picture_name": slugify(title, allow_unicode=True) or form.name,
        **chart_marks.marks_of_trend(query, request.user),
        "note_form": chart_marks.note_form(request) if query else None,
    }


def charted_trend(form: ReportForm, table: Table | None) -> trend.TrendQuery | None:
    """The query of the chart of a valid form; None for other reports than trends, and without figures."""
    return form.trend_query() if form.name == "trend" and table and table.chart else None


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

    @property
    def counted_on(self) -> date:
        """The day, in the installation's zone, on which the oldest answer was counted."""
        moment = self.answer.as_of if self.answer else timezone.now()
        return moment.astimezone(installation.installation_zone()).date()


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
    chosen = [form.cleaned_data.get(name) for name in ("type", "then", *trend.MORE_TYPES, *STEPS)]
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


def _file(request: HttpRequest, form: ReportForm, table: Table) -> StreamingHttpResponse:
    if form.report_kind.names_people:
        require_rights(request, EXPORT_PERSON)
    rows = ([cell.raw for cell in row] for row in table.rows)
    return csv_reply(chain([BOM], csv_lines(chain([table.file_headings()], rows))), f"{form.name}.csv")
