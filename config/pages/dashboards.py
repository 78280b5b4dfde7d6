"""Pages of dashboards: a page of pinned reports, each of which is loaded by itself; and their arrangement."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from config.pages import chart_marks
from config.pages.report_saving import NameForm
from config.pages.reports import ReportForm, answer_report, charted_trend, nothing_context, saved_parameters
from config.pages.saved_reports import confirm_page, find_row, settings_page
from people.core.admin.base import add_form_errors, parse_number, problem_text, require_rights
from people.core.admin.object_actions import MenuAction, action_menu
from people.core.errors import RejectedError
from smartlists.lists import dashboards, saved_reports
from smartlists.lists.reports import RIGHTS
from smartlists.models import Dashboard, DashboardTile, SavedReport

TILE_ROWS = 8  # rows of a table on a tile; the report has all of them

# the verbs of a tile's buttons, called with the dashboard, the id of the tile, and the user
ARRANGEMENTS: Mapping[str, Callable[[Dashboard, int, Any], None]] = {
    "earlier": lambda dashboard, tile, by: dashboards.move_tile(dashboard, tile, by, places=-1),
    "later": lambda dashboard, tile, by: dashboards.move_tile(dashboard, tile, by, places=1),
    "wide": lambda dashboard, tile, by: dashboards.set_tile_width(dashboard, tile, by, is_wide=True),
    "narrow": lambda dashboard, tile, by: dashboards.set_tile_width(dashboard, tile, by, is_wide=False),
    "unpin": lambda dashboard, tile, by: dashboards.unpin_report(dashboard, tile, by),
}


@require_GET
def dashboard_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The frames of the tiles, which load by themselves; with `arrange` their names and buttons alone."""
    dashboard = find_row(request, Dashboard, pk)
    is_changeable = saved_reports.may_change(dashboard, request.user)
    is_arranged = is_changeable and "arrange" in request.GET
    tiles = list(dashboard.tiles.select_related("report"))
    visible = (
        set(saved_reports.visible_rows(SavedReport, request.user).values_list("pk", flat=True)) if tiles else set()
    )
    pinned = {tile.report_id for tile in tiles}
    context = {
        "title": dashboard,
        "dashboard": dashboard,
        "tiles": [(tile, tile.report_id in visible) for tile in tiles],
        "is_changeable": is_changeable,
        "is_arranged": is_arranged,
        "focused": parse_number(request.GET.get("tile", "")),
        "button": request.GET.get("button", ""),
        "most": dashboards.MOST_TILES,
        "offered": saved_reports.visible_rows(SavedReport, request.user).exclude(pk__in=pinned) if is_arranged else (),
        "actions": action_menu(
            MenuAction(_("Rename or share"), reverse("dashboard-settings", args=[pk])),
            delete=reverse("delete-dashboard", args=[pk]),
        )
        if is_changeable
        else [],
    }
    return render(request, "config/dashboard_page.html", {**admin.site.each_context(request), **context})


@require_GET
def tile_view(request: HttpRequest, pk: int, tile_id: int) -> HttpResponse:
    """One tile: the chart of a report, or the first rows of its table."""
    dashboard = find_row(request, Dashboard, pk)
    place = get_object_or_404(DashboardTile.objects.select_related("report"), dashboard=dashboard, pk=tile_id)
    report = find_row(request, SavedReport, place.report_id)
    form = ReportForm(saved_parameters(report), request.user)
    reply, table, problems = None, None, []
    try:
        if form.is_valid():
            reply = answer_report(form, request.user, is_kept=True)
            table = form.table(reply.answers, reply.counted_on) if reply and reply.answers else None
        else:
            problems = [error for errors in form.errors.values() for error in errors]
    except RejectedError as refusal:
        problems = [problem_text(problem) for problem in refusal.problems]
    shown = table.measured_rows()[:TILE_ROWS] if table else []
    headings = table.headings if table else ()
    context = {
        "tile": place,
        "dashboard": dashboard,
        "report": report,
        "form": form,
        "reply": reply,
        "table": table,
        "rows": [(list(zip(headings, row, strict=True)), meter) for row, meter in shown],
        "problems": problems + ([reply.problem] if reply and reply.problem else []),
        **chart_marks.marks_of_trend(charted_trend(form, table) if not problems else None, request.user),
        **(nothing_context(form) if form.is_valid() else {}),
    }
    return render(request, "config/_report_tile.html", context)


@require_POST
def arrange_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Apply a tile's button, or pin the chosen report; redirect to the arrangement with the focus there."""
    dashboard = find_row(request, Dashboard, pk, to_change=True)
    tile_id, verb = parse_number(request.POST.get("tile", "")), request.POST.get("do", "")
    try:
        if verb == "pin":
            report = find_row(request, SavedReport, parse_number(request.POST.get("report", "")))
            tile_id = dashboards.pin_report(dashboard, report, request.user).pk
        elif verb in ARRANGEMENTS:
            ARRANGEMENTS[verb](dashboard, tile_id, request.user)
        else:
            raise Http404
    except RejectedError as refusal:
        messages.error(request, problem_text(refusal.problems[0]))
    if verb == "unpin":
        messages.success(request, _("Unpinned. The report is kept."))
    return redirect(f"{dashboard.get_absolute_url()}?arrange=1&tile={tile_id}&button={verb}")


def add_dashboard(request: HttpRequest) -> HttpResponse:
    """Create a dashboard."""
    require_rights(request, *RIGHTS)
    form = NameForm(request.POST or None, request.user)
    if request.method == "POST" and form.is_valid():
        try:
            dashboard = dashboards.create_dashboard(
                form.cleaned_data["name"], request.user, is_shared=bool(form.cleaned_data.get("is_shared"))
            )
        except RejectedError as refusal:
            add_form_errors(form, refusal)
        else:
            return redirect(f"{dashboard.get_absolute_url()}?arrange=1")
    frame = {**admin.site.each_context(request), "title": _("New dashboard"), "back": reverse("saved-reports")}
    return render(request, "components/question.html", {**frame, "form": form, "button": _("Create dashboard")})


def dashboard_settings(request: HttpRequest, pk: int) -> HttpResponse:
    """Rename, share or make private."""
    return settings_page(request, find_row(request, Dashboard, pk, to_change=True), dashboards.change_dashboard)


def delete_dashboard(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete after the name was typed."""
    dashboard = find_row(request, Dashboard, pk, to_change=True)
    consequence = _("The reports on it are kept.")
    return confirm_page(request, dashboard, lambda: dashboards.delete_dashboard(dashboard, request.user), consequence)
