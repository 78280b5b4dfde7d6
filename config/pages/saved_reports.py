"""Pages of saved reports: the list of them and of the dashboards; to save, open, rename, share, pin and delete one."""

from typing import Any, TypeVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from config.pages.report_saving import NameForm, PinForm, SaveForm
from config.pages.reports import REPORTS, ReportForm, report_parameters, show_report
from people.core.admin.base import add_form_errors, problem_text, require_rights
from people.core.admin.object_actions import ConfirmForm
from people.core.errors import RejectedError
from people.datatypes.keys import MAX_BIG_ID
from smartlists.lists import dashboards, saved_reports
from smartlists.lists.reports import RIGHTS
from smartlists.models import Dashboard, SavedReport
from smartlists.models.saved_reports import SharedObject

S = TypeVar("S", bound=SharedObject)


def find_row(request: HttpRequest, model: type[S], pk: int, to_change: bool = False) -> S:
    """Return a saved report or a dashboard that the user may see or change; raise Http404 or PermissionDenied."""
    require_rights(request, *RIGHTS)
    row = saved_reports.visible_rows(model, request.user).filter(pk=min(pk, MAX_BIG_ID)).first()
    if row is None:
        raise Http404
    if to_change and not saved_reports.may_change(row, request.user):
        raise PermissionDenied(saved_reports.SHARE)
    return row


def saved_page(request: HttpRequest) -> HttpResponse:
    """The dashboards and the saved reports that the user may see."""
    require_rights(request, *RIGHTS)
    reports = saved_reports.visible_rows(SavedReport, request.user)
    kinds = {name: report.label for name, report in REPORTS.items()}
    context = {
        "title": _("Saved reports and dashboards"),
        "dashboards": saved_reports.visible_rows(Dashboard, request.user),
        "saved": [(report, kinds.get(report.parameters.get("report", ""), "")) for report in reports],
    }
    return render(request, "config/saved_reports.html", {**admin.site.each_context(request), **context})


def open_saved_report(request: HttpRequest, pk: int) -> HttpResponse:
    """Redirect to the reports page with the saved report."""
    return redirect(f"{reverse('reports')}?saved={find_row(request, SavedReport, pk).pk}")


@require_POST
def save_report(request: HttpRequest) -> HttpResponseBase:
    """Save the report in the query string, as a new one or, with `change`, as the one that is open."""
    require_rights(request, *RIGHTS)
    parameters, saved = report_parameters(request)
    report, form = ReportForm(parameters, request.user), SaveForm(request.POST, request.user)
    if not report.is_valid() or not form.is_valid() or not report.questions():
        return show_report(request, save_form=form)
    chosen = report.parameters(form.cleaned_data["follows_today"])
    name, is_shared = form.cleaned_data["name"], form.cleaned_data.get("is_shared")
    try:
        if saved and "change" in request.POST:
            saved_reports.change_report(saved, request.user, name=name, parameters=chosen, is_shared=is_shared)
        else:
            saved = saved_reports.save_report(name, chosen, request.user, is_shared=bool(is_shared))
    except RejectedError as refusal:
        add_form_errors(form, refusal)
        return show_report(request, save_form=form)
    messages.success(request, _("Saved."))
    return redirect(f"{reverse('reports')}?saved={saved.pk}")


def saved_report_settings(request: HttpRequest, pk: int) -> HttpResponse:
    """Rename, share or make private."""
    report = find_row(request, SavedReport, pk, to_change=True)
    return settings_page(request, report, saved_reports.change_report)


def settings_page(request: HttpRequest, row: SharedObject, change: Any) -> HttpResponse:
    """Page for the name and the sharing of `row`; a POST calls `change(row, by, name=…, is_shared=…)`."""
    form = NameForm(request.POST or None, request.user, row)
    if request.method == "POST" and form.is_valid():
        try:
            change(row, request.user, **form.cleaned_data)
        except RejectedError as refusal:
            add_form_errors(form, refusal)
        else:
            messages.success(request, _("Saved."))
            return redirect(row.get_absolute_url())
    return _ask(request, _("Rename or share “%(name)s”") % {"name": row}, row, form=form, button=_("Save"))


def delete_saved_report(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete after the name was typed; the page names the dashboards that show the report."""
    report = find_row(request, SavedReport, pk, to_change=True)
    names = [str(dashboard) for dashboard in saved_reports.dashboards_with(report, request.user)]
    consequence = _("The activities stay; only the saved report goes.")
    if names:
        text = ngettext(
            "It also leaves the dashboard %(names)s.", "It also leaves the dashboards %(names)s.", len(names)
        )
        consequence = f"{consequence} {text % {'names': ', '.join(names)}}"
    return confirm_page(request, report, lambda: saved_reports.delete_report(report, request.user), consequence)


def confirm_page(request: HttpRequest, row: SharedObject, delete: Any, consequence: str) -> HttpResponse:
    """The page on which a user types the name of `row` before `delete` is called."""
    form = ConfirmForm(request.POST or None, row.name)
    if request.method == "POST" and form.is_valid():
        delete()
        messages.success(request, _("Deleted."))
        return redirect("saved-reports")
    title, button = _("Delete %(name)s?") % {"name": row}, _("Delete")
    return _ask(request, title, row, form=form, button=button, consequence=consequence, is_dangerous=True)


@require_POST
def pin_report(request: HttpRequest, pk: int) -> HttpResponse:
    """Pin the report to the chosen dashboard, or to a new private one."""
    report, form = find_row(request, SavedReport, pk), PinForm(request.POST, request.user)
    if not form.is_valid():
        messages.error(request, _("Choose a dashboard, or give a new one a name."))
        return redirect(report)
    try:
        dashboard = form.cleaned_data["dashboard"] or dashboards.create_dashboard(
            form.cleaned_data["name"], request.user
        )
        dashboards.pin_report(dashboard, report, request.user)
    except RejectedError as refusal:
        messages.error(request, problem_text(refusal.problems[0]))
        return redirect(report)
    messages.success(request, _("Pinned to “%(name)s”.") % {"name": dashboard})
    return redirect(dashboard)


def _ask(request: HttpRequest, title: str, row: SharedObject, **context: Any) -> HttpResponse:
    frame = {**admin.site.each_context(request), "title": title, "back": row.get_absolute_url()}
    return render(request, "components/question.html", {**frame, **context})
